// The ring as the engine's loop sees it: what waits to get there, what is there, and one enter for both ways.
//
// Unsafe fence: the kernel writes to the doorbell's buffer while a read of it is armed; the core frees it when none can be.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// The owner's. It takes runs (`RingPlace+Issue.swift`), gives them back (`+Reap`), and ends those that were asked to stop (`+Cancel`).
@safe struct RingPlace: ~Copyable {
  var ring: Ring?
  /// The calls that are with the kernel, one for each that is in no flight, and room for those that are.
  var records: CallSlab
  let runMemory: RunMemory
  /// By run: its lone call, where no plan has it.
  private let loneCalls: UnsafeMutablePointer<StagedCall>
  /// Never used: a value that holds an atomic is never copied (`Core.anchor`).
  private let anchor = Atomic(false)
  var counts = RingCounts()
  var health = Health()
  /// Runs for which there is no room.
  var queue = RunQueue()
  var runs = 0
  /// Calls that are with the kernel: issued and not yet reaped.
  var calls: Int { counts.sqes &- counts.cqes }
  /// Those of them that may be waiting for another party.
  var waits = 0
  /// Segments after which their run may need the owner again.
  var openSegments = 0
  /// The calls of the longest segment since the ring was last empty.
  var segmentCallsMax = 0
  /// Cancellations that are with the kernel.
  var cancellations = 0
  /// Runs in the ring that were asked to stop; their calls are cancelled, one after the other, until they have come back. Those that wait for room come at once.
  var stopping = StoppingRuns()
  var doorbell = Doorbell()

  init(_ ring: Ring?, records: consuming CallSlab, runs: borrowing RunSlab) throws(EngineError) {
    unsafe loneCalls = try Allocation.make(ring == nil ? 0 : runs.capacity, of: StagedCall.self, for: "maxPending")
    self.ring = ring
    self.records = records
    runMemory = runs.memory
  }

  deinit { unsafe free(loneCalls) }

  /// Where the run's lone call is kept.
  func loneCall(_ run: Reference<Run>) -> Reference<StagedCall> { unsafe Reference(loneCalls + Int(run.pointee.slot)) }

  /// Whether the kernel can be relied on.
  struct Health {
    /// What broke the engine for good: every method throws it from then on, the waits when they have given what there was.
    var failure: EngineError?
    /// The ring is not entered any more: it has failed twice, or does not give back what it has.
    var isLost = false
    /// Enters in a row that the kernel refused for want of memory or room, and the last one's errno.
    var refusals = 0
    var refusal: Int32 = 0

    /// The first failure ends the engine's work; what is out may still come back by further enters. The second one ends that too.
    mutating func fail(_ error: EngineError) {
      if failure != nil { isLost = true }
      failure = failure ?? error
    }
  }

  /// What waits in the ring for others: a read of the workers' doorbell, and a look at the poller's epoll.
  @safe struct Doorbell {
    var isArmed = false
    var isPollerArmed = false
    let buffer: UnsafeMutablePointer<UInt64>

    init() {
      unsafe buffer = .allocate(capacity: 1)
      unsafe buffer.initialize(to: 0)
    }
  }

  /// All that the ring has waits: whoever needs room goes around it (law L11).
  var isStuck: Bool { records.freeCount == 0 && waits == calls }

  /// Whether there may be anything to reap.
  var isExpecting: Bool { calls + cancellations > 0 || doorbell.isArmed || doorbell.isPollerArmed }

  /// Whether somebody in the queue may go on.
  var mayAdmit: Bool { !queue.isEmpty && (records.freeCount > 0 || stopping.hasQueued || isStuck) }

  // MARK: Entering

  /// Submits what was issued and waits for `count` CQEs. 0 or more, or -EINTR, -ETIME, -EAGAIN, -EBUSY: everything else is the ring's failure.
  @inline(__always)
  mutating func enter(waitFor count: Int, nanoseconds: Int64?) -> Int {
    guard let ring, !health.isLost else { return 0 }
    counts.enters &+= 1
    let result = ring.enter(waitFor: count, nanoseconds: nanoseconds)
    if ring.queued > 0 { ring.mend() }
    if result < 0 { noteRefusal(-Int32(truncatingIfNeeded: result)) } else { health.refusals = 0 }
    return result
  }

  /// Whether the kernel cannot take more now: what it has must be reaped first.
  static func isRefusal(_ result: Int) -> Bool { result == -Int(EAGAIN) || result == -Int(EBUSY) }

  private mutating func noteRefusal(_ errno: Int32) {
    switch errno {
    // An enter whose time ran out has waited, which one with something to submit does only when the kernel has taken all of it.
    case ETIME: health.refusals = 0
    case EINTR: break
    case EAGAIN, EBUSY:
      health.refusal = errno
      health.refusals += 1
    case EBADR:
      // A CQE was lost for good: nothing that is in flight can be trusted to end.
      health.fail(.kernel(call: "io_uring_enter (a completion was lost by the kernel)", errno: EBADR))
    default: health.fail(.kernel(call: "io_uring_enter", errno: errno))
    }
  }

  /// How many CQEs must come before `count` runs can have ended, where that is known: one enter for all of them instead of one each.
  ///
  /// Known when nothing that is out needs the owner before it is done. A call that the ring refuses does need the owner, and that is known
  /// only when it has happened, so the wait for more than one is bounded all the same.
  func completionsWorthWaiting(for count: Int, _ activations: borrowing Activations) -> Int {
    guard openSegments == 0, activations.ready.isEmpty else { return 1 }
    guard count < runs else { return calls }
    guard segmentCallsMax > 1 else { return min(count, calls) }
    // Chains: `count` of them end after as many CQEs as the shortest rests have, and all but the others' longest must have come.
    var restMin = segmentCallsMax
    if activations.slotsMax <= Self.scannedMax {
      for slot in 0..<activations.slotsMax where activations.runs[UInt32(slot)].pointee.place == .ring {
        restMin = min(restMin, activations.runs[UInt32(slot)].pointee.inRing.callsLeft)
      }
    } else {
      restMin = 1
    }
    return min(calls, max(count * restMin, calls - (runs - count) * segmentCallsMax))
  }

  /// More runs than this are not looked at one by one before a sleep.
  private static let scannedMax = 1024

  // MARK: Others that end its wait

  /// Keeps a read of the workers' doorbell waiting in the ring, so that a run that comes back ends the ring's wait.
  mutating func arm(_ mail: Mailbox) {
    guard !doorbell.isArmed else { return }
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(SYSLET_OP_READ)
    sqe.fd = mail.doorbell
    sqe.addr = unsafe UInt64(UInt(bitPattern: doorbell.buffer))
    sqe.len = 8
    sqe.user_data = UserData.doorbell
    doorbell.isArmed = issueAuxiliary(&sqe)
  }

  /// Keeps the ring waiting for the poller's descriptors too, so that they end the ring's wait. False if the kernel takes nothing now.
  mutating func arm(_ poller: borrowing Poller) -> Bool {
    guard poller.polled > 0, poller.epoll >= 0, !doorbell.isPollerArmed else { return true }
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(SYSLET_OP_POLL_ADD)
    sqe.fd = poller.epoll
    sqe.op_flags = UInt32(SYSLET_POLL_IN)
    sqe.user_data = UserData.poller
    doorbell.isPollerArmed = issueAuxiliary(&sqe)
    return doorbell.isPollerArmed
  }

  /// False if there is no room, and the kernel makes none. That is no refusal of what the engine waits for: whoever enters for that reaps, and counts it.
  mutating func issueAuxiliary(_ sqe: inout syslet_sqe) -> Bool {
    guard let ring else { return false }
    if ring.room == 0 {
      let refused = health.refusals
      if Self.isRefusal(enter(waitFor: 0, nanoseconds: nil)) { health.refusals = refused }
    }
    guard unsafe ring.issue(&sqe, 1) else { return false }
    counts.auxiliarySQEs += 1
    return true
  }
}

/// What the ring has done (`Statistics`). Of calls, what it has not done of those that it was given is with the kernel (`RingPlace.calls`).
struct RingCounts {
  var enters = 0
  var sqes = 0
  var cqes = 0
  var segments = 0
  var softLinks = 0
  var hardLinks = 0
  var auxiliarySQEs = 0
  var resumed = 0
  var refused = 0
}
