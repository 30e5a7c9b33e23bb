// The ring as the engine's loop sees it: what waits to get there, and what is there.
//
// Unsafe fence: the kernel writes to the doorbell's buffer while a read of it is armed; the core frees it when none can be.

/// The owner's.
@safe struct RingPlace: ~Copyable {
  var ring: Ring?
  /// The calls that are with the kernel, one for each.
  var records: CallSlab
  /// Runs for which there is no room.
  var queue = RunQueue()
  /// Some of them were asked to stop.
  var hasStoppingInQueue = false
  var runs = 0
  /// Calls that are with the kernel: issued and not yet reaped.
  var calls = 0
  /// Those of them that may be waiting for another party.
  var waits = 0
  /// Segments after which their run may need the owner again.
  var openSegments = 0
  /// The calls of the longest segment since the ring was last empty.
  var segmentCallsMax = 0
  /// Cancellations that are with the kernel.
  var cancellations = 0
  /// Runs in the ring that were asked to stop; their calls are cancelled, one after the other, until they have come back.
  var stopping = StoppingRuns()
  var doorbell = Doorbell()
  /// The ring waits for the poller's epoll too.
  var isPollerArmed = false
  /// It is not entered any more: it has failed twice, or does not give back what it has.
  var isLost = false
  var refusals = Refusals()

  init(_ ring: Ring?, records: consuming CallSlab) {
    self.ring = ring
    self.records = records
  }

  /// The read of the workers' doorbell that waits in the ring.
  @safe struct Doorbell {
    var isArmed = false
    let buffer: UnsafeMutablePointer<UInt64>

    init() {
      unsafe buffer = .allocate(capacity: 1)
      unsafe buffer.initialize(to: 0)
    }
  }

  /// Enters in a row that the kernel refused for want of memory or room.
  struct Refusals {
    var count = 0
    var errno: Int32 = 0
  }

  /// All that the ring has waits: whoever needs room goes around it (law L11).
  var isStuck: Bool { records.freeCount == 0 && waits == calls }

  /// Whether there may be anything to reap.
  var isExpecting: Bool { calls + cancellations > 0 || doorbell.isArmed || isPollerArmed }

  /// Whether somebody in the queue may go on.
  var mayAdmit: Bool { !queue.isEmpty && (records.freeCount > 0 || hasStoppingInQueue || isStuck) }
}
