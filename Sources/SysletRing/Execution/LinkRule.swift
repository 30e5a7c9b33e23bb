// The link rule: how a call may be linked to the one after it, so that the kernel never runs a call that the syslet would not have run
// (law L1).

/// How a call in a segment is linked to the next one.
enum Link: UInt8, Equatable {
  /// `IOSQE_IO_HARDLINK`: the next call runs whatever this one's result is.
  case hard
  /// `IOSQE_IO_LINK`: the next call runs unless this one's result severs.
  case soft
  /// Not linked: the segment ends here.
  case cut
}

enum LinkRule {
  /// `stops`: the result classes on which the syslet stops after this call and that the call can produce.
  /// `severs`: those on which this kernel is known to sever a soft link after it.
  static func link(stops: ResultClasses, severs: ResultClasses) -> Link {
    if stops.isEmpty { return .hard }
    // Equal is exact; a link that severs on more stops early, and the run resumes. Anything else would run past a stop.
    return stops.isSubset(of: severs) ? .soft : .cut
  }
}
