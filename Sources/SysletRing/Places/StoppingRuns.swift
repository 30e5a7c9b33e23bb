// The runs of one place that were asked to stop and have not come back.

internal import CLiburing

/// A place's own. What the runs are at is asked to end again and again: soon at first, because it may have been between two things, and then ever more
/// seldom, because it may be a device that takes its time.
struct StoppingRuns {
  private(set) var count = 0
  /// Some were asked that had not come to the place yet, but wait for it to have room.
  var hasQueued = false
  /// Their slots, and some that are theirs no longer: they go when their calls are asked next.
  private var slots: [UInt32] = []
  private var pause: Int64 = 0
  private var next: Int64 = 0

  private static let pauseMin: Int64 = 1_000_000
  private static let pauseMax: Int64 = 100_000_000

  /// The run in `slot` was asked, and is with the place.
  mutating func enter(_ slot: UInt32) {
    if count == 0 { slots.removeAll(keepingCapacity: true) }
    count += 1
    slots.append(slot)
    askAtOnce()
  }

  /// One of them has come back.
  mutating func leave() {
    precondition(count > 0, "L5: a run that was asked to stop comes back twice")
    count -= 1
    askAtOnce()
  }

  /// The slots of those that `place` has.
  mutating func slots(on place: Place, in runs: RunMemory) -> [UInt32] {
    slots.removeAll { !runs[$0].pointee.isStopping(on: place) }
    return slots
  }

  /// Whether they are to be asked now.
  var isDue: Bool { next == 0 || syslet_now() >= next }

  /// In so many nanoseconds they are.
  var left: Int64 { next == 0 ? 0 : max(0, next - syslet_now()) }

  /// They were asked, and some have not answered as they should.
  mutating func wait() {
    pause = min(max(pause * 2, Self.pauseMin), Self.pauseMax)
    next = syslet_now() + pause
  }

  private mutating func askAtOnce() {
    pause = 0
    next = 0
  }
}
