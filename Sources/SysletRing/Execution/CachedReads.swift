// Whether reads out of the page cache are as quick as such reads are: what is not in memory is better waited for by the ring.

internal import CLiburing

/// The owner's.
struct CachedReads {
  private var slow = 0
  private var quick = 0
  private var count = 0
  /// A cached read that takes longer (20 µs) was none.
  let ticksMax = 20 * syslet_ticks_per_microsecond()

  /// Some have been slow lately.
  var areSlow: Bool { slow > 0 }

  /// Whether the next one is timed: while some have been slow lately each is. It costs 2 % of one, so otherwise it is one in four, and one in 16 of those for
  /// which nobody else has to wait.
  @inline(__always)
  mutating func wantsTimed(isLone: Bool) -> Bool {
    count &+= 1
    return slow > 0 || count & (isLone ? 15 : 3) == 1
  }

  /// One was slow, or was not: for how many reads its descriptor is the ring's now. One slow read may have been interrupted only, so that a few go to the ring;
  /// each further one doubles them, and 32 quick ones in a row take half of that back.
  mutating func note(isSlow: Bool) -> UInt8? {
    guard isSlow else {
      quick += 1
      guard quick == 32 else { return nil }
      quick = 0
      slow -= 1
      return nil
    }
    quick = 0
    slow = min(slow + 1, 4)
    return min(2 << UInt8(slow), DescriptorHints.usesMax)
  }
}
