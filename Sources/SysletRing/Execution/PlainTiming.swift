// How long a run's plain calls take.

internal import CLiburing

/// When a run's plain calls began. In ticks: a clock takes three times as long to read, and both ends of it were 3 % of a statx.
struct PlainTiming {
  /// 0 for none yet.
  private var begin: UInt64 = 0
  /// The first one's row, and the calls that the owner had made before.
  private(set) var row: UInt16 = 0
  private(set) var callsBefore = 0
  private let nanosecondsPerTick = 1000 / Double(syslet_ticks_per_microsecond())

  var hasBegun: Bool { begin != 0 }

  mutating func begin(_ row: UInt16, callsBefore: Int) {
    begin = syslet_ticks()
    self.row = row
    self.callsBefore = callsBefore
  }

  /// The nanoseconds since then; the next call begins anew.
  mutating func end() -> Int64 {
    defer { begin = 0 }
    // A thread that has moved to a processor whose counter is behind has not gone back in time.
    return Int64(min(Double(max(0, Int64(bitPattern: syslet_ticks() &- begin))) * nanosecondsPerTick, 1e15))
  }
}
