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

/// One activation of a syslet: cursor, what was executed last, where it is now, and what each place keeps of it.
@safe struct Run: ~Copyable {
  // First, because the thread sanitizer takes a mutating method for an access to what stands first, and this is touched by none but the run's place.
  var cursor = AtomAddress.nowhere
  let slot: UInt32
  var place = Place.none
  var layout = AtomForm.direct
  /// Still in the context of the exec that accepted it: ASYNC has not been met, nothing was handed anywhere.
  var isSynchronous = false
  var last = LastCall()
  var executed = 0
  var head = AtomAddress.nowhere
  /// A prepared syslet's plan, by its number with the engine.
  var plan = PlanTable.none

  var inRing = RunInRing()
  var reached = ReachedCall()
  /// The task that awaits the syslet, by its number with the executor that the engine belongs to.
  var waiter = Run.noWaiter
  var links = RunLinks()
  /// Writes: the owner, in cancel. Reads: the place that has the run, between two atoms. Relaxed: it publishes nothing else.
  let isCancelled = Atomic<Bool>(false)
  var onWorker = RunOnWorker()

  static let noWaiter = UInt32.max

  init(slot: UInt32) { self.slot = slot }
}

/// What a run has executed last.
struct LastCall {
  /// The head before there is one.
  var atom = AtomAddress.nowhere
  var flags = AtomFlags()
  var result = 0
}

/// A run's next call, if it has been reached before: the poller has it, or it is a worker's, because the ring refused it (docs/decisions/0005), the poller
/// gave it up, or it is the open of a FIFO.
struct ReachedCall {
  var isThere = false
  /// The poller's record of it, which is tried and not made yet; `RunSlab.end` for none.
  var parked = RunSlab.end
  /// A FIFO that an open for reading has opened without waiting, held until the open that waits has been made; -1 for none.
  var heldDescriptor: Int32 = -1
}

/// A run's segment with the kernel.
@safe struct RunInRing {
  var firstRecord = CallSlab.end
  /// Calls that are still out, and how many there are.
  var callsOut: UInt32 = 0
  var callCount: UInt32 = 0
  /// A flight: the calls of a planned segment, or a lone call, that have no records, because all went well so far. The user_data of its next CQE, as if that were a quiet
  /// call's (`UserData.isQuiet`); 0 for no flight. Over those before it the run has been advanced: `Run.last.result` is theirs, and all else follows from how
  /// many they are when the flight ends.
  var awaited: UInt64 = 0
  /// Its calls, which are the plan's, or the lone one (`RingPlace.loneCall`); nil for a segment that had records from the beginning.
  var flight: Reference<StagedCall>?
  /// When it has ended before its end, over how many calls the run had been advanced.
  var callsAdvanced: UInt32 = 0
  /// How many flights this slot has had: a CQE that names an older one belongs to nobody.
  var flights: UInt32 = 0
  /// The segment's end is known to be the syslet's end, and none of its links may sever early: it needs no second submission.
  var isFinal = false
  /// The next segment takes one call only: the last one was refused as a whole, and this is how its culprit is found.
  var isSingleStep = false
  /// The atom behind the segment.
  var after: AtomAddress?
  /// The record for which a cancellation is with the kernel, or was answered by something else than "not found".
  var cancelledRecord = CallSlab.end

  /// How many of its calls have not been answered.
  var callsLeft: Int { Int(awaited == 0 ? callsOut : callCount &- UserData.position(awaited)) }
}

/// What the owner and a worker tell each other about a run.
struct RunOnWorker: ~Copyable {
  /// Calls made since it was handed over. Written by the worker before the run comes back. First, for the reason for which `Run.cursor` is.
  var calls = 0
  /// The thread that is making a call for it, 0 for none. Writes: that worker. Reads: the owner, to interrupt the call.
  let thread = Atomic<Int32>(0)
  /// The next call may wait for another party. Written by the owner before it hands the run over.
  var mayWait = false
  /// It comes back because no worker has the rights any more with which it was handed over.
  var isOrphan = false
  /// How long the worker had it, and the row of the call that it began with; `Run.untimed` if nobody wants to know.
  var nanoseconds: Int64 = 0
  var row = Run.untimed
  /// What the worker decided when it gave the run back.
  var verdict = Verdict.route
}

/// The lists that a run is in, by slots.
struct RunLinks {
  /// The next one in whatever list it is in.
  var next = RunSlab.end
  /// Of the same bucket of `RunIndex`, while that is kept.
  var nextOfHead = RunSlab.end
  var previousOfHead = RunSlab.end
}

/// What to do with a run next.
enum Verdict: Equatable {
  /// There is another atom at the cursor.
  case route
  case finish(Completion.Reason)
}

extension Run {
  /// The row of what need not be timed.
  static let untimed = UInt16.max

  /// Takes the run into use for the syslet at `head`.
  @inline(__always)
  mutating func begin(_ head: AtomAddress, _ layout: AtomForm, isSynchronous: Bool, waiter: UInt32) {
    self.head = head
    cursor = head
    last = LastCall(atom: head)
    self.layout = layout
    self.isSynchronous = isSynchronous
    inRing.isSingleStep = false
    reached.isThere = false
    executed = 0
    isCancelled.store(false, ordering: .relaxed)
    onWorker.calls = 0
    self.waiter = waiter
  }

  /// Whether it has been asked to stop, and that place has it.
  func isStopping(on place: Place) -> Bool { self.place == place && isCancelled.load(ordering: .relaxed) }

  /// Applies one executed atom: the only place that decides that a syslet stops (law L3).
  ///
  /// `result` is the tested value: the call's result, or -EFAULT if it could not be stored.
  @inline(__always)
  mutating func advance(
    _ atom: AtomAddress, _ flags: AtomFlags, _ next: AtomAddress?, result: Int
  ) -> Verdict {
    last = LastCall(atom: atom, flags: flags, result: result)
    executed += 1
    if flags.stops(on: result) {
      guard flags.contains(.skipToNextOnStop) else { return .finish(.stopped) }
      return skip(atom, result)
    }
    guard let next else { return .finish(.ended) }
    cursor = next
    return .route
  }

  /// Goes on where a stop does that does not end the syslet.
  @inline(never)
  private mutating func skip(_ atom: AtomAddress, _ result: Int) -> Verdict {
    guard layout == .prepared else {
      cursor = atom.neighbour
      return .route
    }
    let target = atom.step.pointee.skips.target(of: result)
    guard target != .nowhere else { return .finish(.ended) }
    cursor = target
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
    case .fault: run.pointee.last.result = -Int(EFAULT)
    case .malformed: run.pointee.last.result = -Int(EINVAL)
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
    free = run.pointee.links.next
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
    run.pointee.links.next = free
    free = run.pointee.slot
  }
}

/// A first-in-first-out list of runs, threaded through `RunLinks.next`. Its capacity is the slab's.
struct RunQueue {
  private var first = RunSlab.end
  private var last = RunSlab.end
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ run: Reference<Run>, in memory: RunMemory) {
    run.pointee.links.next = RunSlab.end
    if last == RunSlab.end { first = run.pointee.slot } else { memory[last].pointee.links.next = run.pointee.slot }
    last = run.pointee.slot
    count &+= 1
  }

  mutating func prepend(_ run: Reference<Run>, in memory: RunMemory) {
    run.pointee.links.next = first
    first = run.pointee.slot
    if last == RunSlab.end { last = first }
    count += 1
  }

  /// Puts all of `other` in front, in its order, and empties it.
  mutating func prepend(_ other: inout RunQueue, in memory: RunMemory) {
    guard other.count > 0 else { return }
    memory[other.last].pointee.links.next = first
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
    first = run.pointee.links.next
    if first == RunSlab.end { last = RunSlab.end }
    count &-= 1
    return run
  }
}
