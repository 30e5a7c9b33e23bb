// One activation of a syslet, and the slab that all runs live in.
//
// Unsafe fence: the slab's memory belongs to its `RunSlab`, which outlives every place that a run can be in; a run is owned by exactly
// one place at a time (docs/ARCHITECTURE.md), so its fields need no lock.

internal import Glibc
internal import Synchronization

/// Where a run is. A run is touched by that place only.
enum Place: UInt8 {
  /// In the free list.
  case none
  /// Queued on the owner's thread, to be routed.
  case ready
  /// Its segment is with the kernel.
  case ring
  /// With the worker pool.
  case worker
  /// Waits for room in the ring.
  case queued
  /// Parked: it waits for a descriptor or a moment.
  case poller
}

/// One activation of a syslet: cursor, last executed atom, last result, counts, where it is now.
@safe struct Run: ~Copyable {
  // First, because the thread sanitizer takes a mutating method for an access to what stands first, and this is touched by none but the run's place.
  var cursor = AtomAddress.nowhere
  let slot: UInt32
  var place = Place.none
  var layout = AtomForm.direct
  /// Still in the context of the exec that accepted it: ASYNC has not been met, nothing was handed anywhere.
  var isSynchronous = false
  /// The next segment takes one call only: the last one was refused as a whole, and this is how its culprit is found.
  var isSingleStep = false
  /// The next call has been reached before: the poller has it (`parked`), or it is a worker's, because the ring refused it (docs/decisions/0005), the
  /// poller gave it up, or it is the open of a FIFO.
  var isUnderway = false
  var lastFlags = AtomFlags()
  var lastResult = 0
  var executed = 0
  var head = AtomAddress.nowhere
  /// The last executed atom; the head before there is one.
  var last = AtomAddress.nowhere

  /// A prepared syslet's plan, by its number with the engine.
  var plan = PlanTable.none

  /// The segment with the kernel: its first record, how many of its calls are still out, and the atom after it.
  var firstRecord = CallSlab.end
  var callsOut: UInt32 = 0
  var callCount: UInt32 = 0
  /// A flight: the calls of a planned segment that has no records, because all went well so far. The user_data of its next CQE, as if that were a quiet
  /// call's (`UserData.isQuiet`); 0 for no flight. Over those before it the run has been advanced: `lastResult` is theirs, and all else follows from how many
  /// they are when the flight ends.
  var awaited: UInt64 = 0
  /// Its calls, which are the plan's; nil for a segment that had records from the beginning.
  var flight: Reference<StagedCall>?
  /// When it has ended before its end, over how many calls the run had been advanced.
  var callsAdvanced: UInt32 = 0
  /// How many flights this slot has had: a CQE that names an older one belongs to nobody.
  var flights: UInt32 = 0
  /// The segment's end is known to be the syslet's end, and none of its links may sever early: it needs no second submission.
  var isFinalSegment = false
  var afterSegment: AtomAddress?

  /// The record for which a cancellation is with the kernel, or was answered by something else than "not found".
  var cancelledRecord = CallSlab.end

  /// The record of the call that the poller has for it, which is tried and not made yet; `RunSlab.end` for none.
  var parked = RunSlab.end
  /// A FIFO that an open for reading has opened without waiting, held until the open that waits has been made; -1 for none.
  var heldDescriptor: Int32 = -1

  /// The task that awaits the syslet, by its number with the executor that the engine belongs to.
  var waiter = Run.noWaiter
  static let noWaiter = UInt32.max

  /// In `RunIndex`, while it is kept.
  var nextOfHead = RunSlab.end
  var previousOfHead = RunSlab.end

  /// The next slot in whatever list this run is in.
  var nextSlot = RunSlab.end
  /// Writes: the owner, in cancel. Reads: the place that has the run, between two atoms. Relaxed: it publishes nothing else.
  let isCancelled = Atomic<Bool>(false)
  /// The thread that is making a call for this run, 0 for none. Writes: that worker. Reads: the owner, to interrupt the call.
  let workerThread = Atomic<Int32>(0)
  /// Calls made by a worker since the run was handed over. Written by the worker before the run comes back.
  var workerCalls = 0
  /// The next call may wait for another party. Written by the owner before it hands the run over.
  var mayWait = false
  /// The run comes back because no worker has the rights any more with which it was handed over.
  var isOrphan = false
  /// How long the worker had the run, and the row of the call that it began with; `untimed` if nobody wants to know.
  var workerNanoseconds: Int64 = 0
  var workerRow = Run.untimed
  static let untimed = UInt16.max
  /// What a worker decided when it gave the run back.
  var verdict = Verdict.route

  init(slot: UInt32) { self.slot = slot }
}

/// What to do with a run next.
enum Verdict: Equatable {
  /// There is another atom at the cursor.
  case route
  case finish(Completion.Reason)
}

extension Run {
  /// Takes the run into use for the syslet at `head`.
  @inline(__always)
  mutating func begin(_ head: AtomAddress, _ layout: AtomForm, isSynchronous: Bool, waiter: UInt32) {
    self.head = head
    cursor = head
    last = head
    self.layout = layout
    self.isSynchronous = isSynchronous
    isSingleStep = false
    isUnderway = false
    lastFlags = []
    lastResult = 0
    executed = 0
    isCancelled.store(false, ordering: .relaxed)
    workerCalls = 0
    self.waiter = waiter
  }

  /// How many calls of the segment with the kernel have not been answered.
  var callsLeft: Int { Int(awaited == 0 ? callsOut : callCount &- UserData.position(awaited)) }

  /// Whether it has been asked to stop, and that place has it.
  func isStopping(on place: Place) -> Bool { self.place == place && isCancelled.load(ordering: .relaxed) }

  /// Applies one executed atom: the only place that decides that a syslet stops (law L3).
  ///
  /// `result` is the tested value: the call's result, or -EFAULT if it could not be stored.
  @inline(__always)
  mutating func advance(
    _ atom: AtomAddress, _ flags: AtomFlags, _ next: AtomAddress?, result: Int
  ) -> Verdict {
    last = atom
    lastFlags = flags
    lastResult = result
    executed += 1
    if flags.stops(on: result) {
      guard flags.contains(.skipToNextOnStop) else { return .finish(.stopped) }
      cursor = layout == .prepared ? atom.step.pointee.skip : atom.neighbour
      return .route
    }
    guard let next else { return .finish(.ended) }
    cursor = next
    return .route
  }
}

extension AtomMemory {
  /// Fetches the atom at the run's cursor; nil when there is a call, otherwise what ends the run.
  @inline(__always)
  func fetch(_ run: Reference<Run>, into call: Reference<Call>) -> Verdict? {
    verdict(run, fetch(run.pointee.cursor, run.pointee.layout, into: call))
  }

  /// The same where the call is only looked at.
  @inline(__always)
  func fetch(_ run: Reference<Run>, orInto scratch: Reference<Call>) -> (verdict: Verdict?, call: Reference<Call>) {
    let fetched = fetch(run.pointee.cursor, run.pointee.layout, orInto: scratch)
    return (verdict(run, fetched.fetch), fetched.call)
  }

  @inline(__always)
  private func verdict(_ run: Reference<Run>, _ fetched: Fetch) -> Verdict? {
    switch fetched {
    case .call: return nil
    case .fault: run.pointee.lastResult = -Int(EFAULT)
    case .malformed: run.pointee.lastResult = -Int(EINVAL)
    }
    return .finish(.faulted)
  }
}

/// The memory of a slab, for whoever turns a slot into its run: the slab, and the pool while it has runs.
@safe struct RunMemory: @unchecked Sendable {
  private let runs: UnsafeMutablePointer<Run>

  init(capacity: Int) throws(EngineError) { unsafe runs = try Allocation.make(capacity, of: Run.self, for: "maxPending") }

  subscript(slot: UInt32) -> Reference<Run> { unsafe Reference(runs + Int(slot)) }

  fileprivate func use(_ slot: UInt32) { unsafe (runs + Int(slot)).initialize(to: Run(slot: slot)) }

  fileprivate func free(_ usedMax: Int) {
    unsafe runs.deinitialize(count: usedMax)
    unsafe Glibc.free(runs)
  }
}

/// All runs of an engine, at addresses that never change. Memory that no run has used yet is not touched, so a large capacity costs
/// address space only.
@safe struct RunSlab: ~Copyable {
  static let end = UInt32.max

  let memory: RunMemory
  let capacity: Int
  private(set) var usedMax = 0
  private var free = RunSlab.end

  init(capacity: Int) throws(EngineError) {
    self.capacity = capacity
    memory = try RunMemory(capacity: capacity)
  }

  deinit { memory.free(usedMax) }

  subscript(slot: UInt32) -> Reference<Run> { memory[slot] }

  /// A free run, or nil when all are in use (law L7).
  @inline(__always)
  mutating func take() -> Reference<Run>? {
    guard free != Self.end else { return takeUnused() }
    let run = self[free]
    free = run.pointee.nextSlot
    run.pointee.nextSlot = Self.end
    return run
  }

  @inline(never)
  private mutating func takeUnused() -> Reference<Run>? {
    guard usedMax < capacity else { return nil }
    memory.use(UInt32(usedMax))
    usedMax += 1
    return memory[UInt32(usedMax - 1)]
  }

  mutating func release(_ run: Reference<Run>) {
    run.pointee.place = .none
    run.pointee.nextSlot = free
    free = run.pointee.slot
  }
}

/// A first-in-first-out list of runs, threaded through `nextSlot`. Its capacity is the slab's.
struct RunQueue {
  private var first = RunSlab.end
  private var last = RunSlab.end
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ run: Reference<Run>, in memory: RunMemory) {
    run.pointee.nextSlot = RunSlab.end
    if last == RunSlab.end { first = run.pointee.slot } else { memory[last].pointee.nextSlot = run.pointee.slot }
    last = run.pointee.slot
    count += 1
  }

  mutating func prepend(_ run: Reference<Run>, in memory: RunMemory) {
    run.pointee.nextSlot = first
    first = run.pointee.slot
    if last == RunSlab.end { last = first }
    count += 1
  }

  /// Puts all of `other` in front, in its order, and empties it.
  mutating func prepend(_ other: inout RunQueue, in memory: RunMemory) {
    guard other.count > 0 else { return }
    memory[other.last].pointee.nextSlot = first
    if last == RunSlab.end { last = other.last }
    first = other.first
    count += other.count
    other = RunQueue()
  }

  /// Takes out those that `isWanted`, in their order.
  mutating func remove(in memory: RunMemory, where isWanted: (Reference<Run>) -> Bool) -> RunQueue {
    var removed = RunQueue()
    var kept = RunQueue()
    while let run = popFirst(in: memory) {
      if isWanted(run) { removed.append(run, in: memory) } else { kept.append(run, in: memory) }
    }
    self = kept
    return removed
  }

  mutating func popFirst(in memory: RunMemory) -> Reference<Run>? {
    guard count > 0 else { return nil }
    let run = memory[first]
    first = run.pointee.nextSlot
    if first == RunSlab.end { last = RunSlab.end }
    run.pointee.nextSlot = RunSlab.end
    count -= 1
    return run
  }
}
