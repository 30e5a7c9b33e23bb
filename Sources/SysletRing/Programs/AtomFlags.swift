// The flags of an atom, and the stop conditions among them (docs/SEMANTICS.md, "Flags").

/// What an atom asks for besides its system call. Bits that are not listed here make an atom malformed.
public struct AtomFlags: OptionSet, Sendable, Hashable {
  /// The bits as they stand in an atom.
  public let rawValue: UInt32
  /// The flags of an atom's bits, those that are not listed here too.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// From this atom on, do not even try to run synchronously in the caller's context. `SYSLET_ASYNC`.
  public static let async = AtomFlags(rawValue: 0x01)
  /// Run this atom synchronously in the caller's context, even if that blocks. `SYSLET_SYNC`.
  public static let sync = AtomFlags(rawValue: 0x02)
  /// Post no completion, if this atom is the last one executed. `SYSLET_NO_COMPLETE`.
  public static let noComplete = AtomFlags(rawValue: 0x04)
  /// Stop if the result is not 0. `SYSLET_STOP_ON_NONZERO`.
  public static let stopOnNonzero = AtomFlags(rawValue: 0x08)
  /// Stop if the result is 0. `SYSLET_STOP_ON_ZERO`.
  public static let stopOnZero = AtomFlags(rawValue: 0x10)
  /// Stop if the result is below 0. `SYSLET_STOP_ON_NEGATIVE`.
  public static let stopOnNegative = AtomFlags(rawValue: 0x20)
  /// Stop if the result is 0 or below. `SYSLET_STOP_ON_NON_POSITIVE`.
  public static let stopOnNonPositive = AtomFlags(rawValue: 0x40)
  /// A stop continues at the atom that follows in memory instead of ending the syslet. `SYSLET_SKIP_TO_NEXT_ON_STOP`.
  public static let skipToNextOnStop = AtomFlags(rawValue: 0x80)

  static let known = AtomFlags(rawValue: 0xFF)
  static let stops = AtomFlags(rawValue: 0x78)
  /// Those that leave the way through a syslet as it is.
  static let calm: AtomFlags = [.async, .noComplete]
}

extension AtomFlags {
  /// Whether a stop may go on at the linearly next atom.
  var canSkip: Bool { contains(.skipToNextOnStop) && !stopClasses.isEmpty }

  /// The result classes on which these flags stop, whether or not the call can produce them.
  @inline(__always)
  var stopClasses: ResultClasses { isDisjoint(with: .stops) ? [] : classesOfStops }

  private var classesOfStops: ResultClasses {
    var classes: ResultClasses = []
    if contains(.stopOnNonzero) { classes.formUnion([.negative, .short, .complete]) }
    if contains(.stopOnZero) { classes.insert(.zero) }
    if contains(.stopOnNegative) { classes.insert(.negative) }
    if contains(.stopOnNonPositive) { classes.formUnion([.negative, .zero]) }
    return classes
  }

  /// Whether `result` fires a stop condition. Stop bits are OR-ed.
  @inline(__always)
  func stops(on result: Int) -> Bool { !isDisjoint(with: .stops) && fires(on: result) }

  private func fires(on result: Int) -> Bool {
    (contains(.stopOnNonzero) && result != 0) || (contains(.stopOnZero) && result == 0)
      || (contains(.stopOnNegative) && result < 0) || (contains(.stopOnNonPositive) && result <= 0)
  }
}
