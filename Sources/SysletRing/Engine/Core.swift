// The engine's state, and its one loop: route → (inline | ring | worker) → advance → route. What follows each step is decided here and
// done by the place.
//
// Unsafe fence: runs and records are pointers into slabs that the core owns; they are valid until the core is gone, and the core does not
// go before every run has come back (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

@safe struct Core: ~Copyable {
  let options: SysletEngine.Options
  let router: Router
  let memory: AtomMemory
  let ringUnavailability: EngineError?
  private let owner: UInt64
  /// Never used. A value that holds an atomic is never copied: without it Swift passed all 950 bytes of this one to each method that does not
  /// change it, 124 instructions for every call of `enqueue`.
  private let anchor = Atomic(false)

  var ring: Ring?
  var pool: WorkerPool?
  var runs: RunSlab
  var calls: CallSlab
  var translator: Translator
  var completions: CompletionQueue
  var userRing: CompletionRing?

  /// Runs that the owner will route at its next turn.
  var ready = RunQueue()
  /// Runs on their way to the workers, handed over together.
  var handover = RunQueue()
  /// What `automatic` does about plain calls.
  var plain: PlainTurn
  var waits = WaitTrial()
  let costs: PlainCosts

  var statistics = Statistics()
  var pending = 0
  var overflowed = 0
  var lost = 0
  /// Calls that are with the kernel: issued and not yet reaped.
  var callsOut = 0
  var runsOnRing = 0
  var runsOnWorkers = 0
  /// Segments on the ring after which their run may need the owner again.
  var openSegments = 0
  /// The calls of the longest segment since the ring was last empty.
  var segmentCallsMax = 0
  /// Cancellations that are with the kernel.
  var cancellationsOut = 0
  /// Runs on the ring that were asked to stop; their calls are cancelled, one after the other, until they have come back.
  var cancelledOnRing = 0
  /// Runs on workers that were asked to stop; their calls are interrupted until they have come back.
  var cancelledOnWorkers = 0
  var isDoorbellArmed = false
  /// The pool has work and could not start a thread.
  var isStalled = false
  let doorbellBuffer: UnsafeMutablePointer<UInt64>
  var isClosed = false
  /// What broke the engine for good: every method throws it from then on, the waits when they have given what there was.
  var failure: EngineError?
  /// The ring is not entered any more: it has failed twice, or does not give back what it has.
  var isRingLost = false
  /// Enters in a row that the kernel refused for want of memory or room, and the last one's errno.
  var refusals = 0
  var lastRefusal: Int32 = 0
  /// The call that is being routed. Kept, because clearing 160 bytes for each atom shows.
  private let scratch = CallScratch()
  /// IORING_FEAT_LINKED_FILE.
  private static let linkedFile: UInt32 = 1 << 12

  /// Atoms that an asynchronous run may execute inline before the others get their turn.
  static let inlineTurnMax = 256

  init(_ options: SysletEngine.Options, on given: (ring: Ring, severing: Severing)? = nil) throws(EngineError) {
    try Self.check(options)
    if options.isChecked, let errno = UserMemory.obstacle() {
      throw .kernel(call: "process_vm_readv, which a checked engine needs,", errno: errno)
    }
    var ring: Ring?
    var unavailability: EngineError?
    var severing = Severing.none
    if let given {
      (ring, severing) = given
    } else if options.backend == .ring || options.backend == .automatic {
      do {
        severing = try SelfTest.severing()
        ring = try Ring(entries: options.entries, completionEntries: max(options.completionEntries, options.entries))
      } catch {
        unavailability = .ringUnavailable(call: error.call, errno: error.errno)
        if options.backend == .ring { throw unavailability! }
      }
    }
    let backend: EngineBackend = unavailability == nil ? options.backend : .threads
    self.options = options
    ringUnavailability = unavailability
    router = Router(backend: backend, hasRing: ring != nil, severing: severing)
    memory = AtomMemory(table: OperationTable.shared, isChecked: options.isChecked)
    costs = PlainCosts(OperationTable.shared)
    plain = PlainTurn(options.inlineLimit)
    owner = syslet_thread_token()
    runs = RunSlab(capacity: options.maxPending)
    completions = CompletionQueue(capacity: options.maxPending)
    // Before 5.17 (LINKED_FILE) a linked call's file is looked up when it is submitted: after a close or an open in the same segment
    // that may be another file than the system call's. There, nothing is linked.
    let canLink = (ring?.facts.features ?? 0) & Self.linkedFile != 0
    let entries = canLink ? Int(ring!.facts.sq_entries) : 1
    // Each call has a CQE reserved, so that the completion queue cannot overflow; cancellations and the doorbell ride on the rest.
    calls = CallSlab(capacity: ring.map { Int($0.facts.cq_entries) } ?? 0)
    translator = Translator(memory: memory, router: router, costs: costs, callsMax: entries)
    unsafe doorbellBuffer = .allocate(capacity: 1)
    unsafe doorbellBuffer.initialize(to: 0)
    self.ring = ring
    Census.countEngine(1)
  }

  deinit {
    // Open only if the engine was never closed: on a thread that may not enter the ring, with nothing pending, or in a forked child.
    if isForked { ring?.abandon() } else { ring?.close() }
    costs.free()
    // Law L4: eight bytes for good are better than a write into freed memory.
    if !isDoorbellLost { unsafe doorbellBuffer.deallocate() }
    Census.countEngine(-1)
  }

  private static func check(_ options: SysletEngine.Options) throws(EngineError) {
    func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(EngineError) {
      guard !range.contains(value) else { return }
      throw .invalidOption(name: name, value: String(value), rule: "it must be from \(range.lowerBound) to \(range.upperBound)")
    }
    try require("entries", options.entries, 1...32_768)
    try require("completionEntries", options.completionEntries, 1...65_536)
    try require("maxWorkers", options.maxWorkers, 1...32_768)
    try require("maxPending", options.maxPending, 1...(1 << 24))
    if let maxSteps = options.maxSteps { try require("maxSteps", maxSteps, 1...Int.max) }
  }

  // MARK: The caller

  /// Whether a method that begins work may go on (law L8); `refusal` says why not. One load and two compares for every call of the user.
  var isUsable: Bool { owner == syslet_thread_token_if_any() && !isClosed && failure == nil }

  /// Whether a wait may go on: it gives what there is before it throws a failure.
  var isOpen: Bool { owner == syslet_thread_token_if_any() && !isClosed }

  var refusal: EngineError {
    guard isOwner else { return .wrongThread }
    if isForked { return .forked }
    return isClosed ? .closed : failure!
  }

  var isOwner: Bool { (owner ^ syslet_thread_token()) & Self.threadBits == 0 }
  var isForked: Bool { (owner ^ syslet_thread_token()) & ~Self.threadBits != 0 }
  private static let threadBits: UInt64 = 1 << UInt64(SYSLET_TOKEN_BITS) - 1

  // MARK: Accepting

  mutating func exec(_ head: AtomAddress, _ layout: AtomLayoutTag) throws(EngineError) -> AtomAddress? {
    let run = try accept(head, layout, isSynchronous: true)
    translator.descriptors.forgetAll()
    if router.isAutomatic { plain.beginTurn(runs: 1, nanosecondsMax: PlainCosts.briefMax, isAlone: false) }
    let turn = route(run, mayRunInline: false)
    notePlainCost()
    switch turn {
    case .left:
      break
    case .blocked:
      run.pointee.isSynchronous = false
      run.pointee.place = .ready
      ready.prepend(run, in: runs.memory)
    case .finished(let reason):
      guard run.pointee.isSynchronous, reason == .ended || reason == .stopped else {
        complete(run, reason)
        return nil
      }
      // Cached: whoever called knows already, so nothing is posted.
      let last = run.pointee.last
      retire(run)
      return last
    }
    // The syslet is accepted, so an error here is not its refusal: the next flush or wait meets it again and tells it.
    try? flushStarted()
    return nil
  }

  @inline(__always)
  mutating func enqueue(_ head: AtomAddress, _ layout: AtomLayoutTag) throws(EngineError) {
    let run = try accept(head, layout, isSynchronous: false)
    run.pointee.place = .ready
    ready.append(run, in: runs.memory)
  }

  @inline(__always)
  private mutating func accept(
    _ head: AtomAddress, _ layout: AtomLayoutTag, isSynchronous: Bool
  ) throws(EngineError) -> Reference<Run> {
    switch memory.check(head, layout) {
    case .call: break
    case .fault: throw .unreadableAtom(address: head.word)
    case .malformed: throw .malformedAtom(address: head.word, rule: memory.brokenRule(head, layout))
    }
    guard pending + completions.count < options.maxPending, let run = runs.take() else {
      throw .full(limit: options.maxPending)
    }
    run.pointee.begin(head, layout, isSynchronous: isSynchronous)
    pending += 1
    statistics.accepted &+= 1
    return run
  }

  // MARK: Routing

  /// What became of a run's turn.
  enum Turn {
    /// Its next atoms are with a place, or it waits in `ready`.
    case left
    /// The ring has no room: the run must be routed again, before any other.
    case blocked
    case finished(Completion.Reason)
  }

  /// Routes a run from its cursor on: executes what runs inline, and gives the rest to its place.
  ///
  /// - Parameter mayRunInline: Whether an *asynchronous* call may run inline now; in `exec` it waits for the next flush or wait.
  @inline(__always)
  mutating func route(_ run: Reference<Run>, mayRunInline: Bool) -> Turn {
    let turn = advance(run, mayRunInline: mayRunInline)
    settleOpened()
    return turn
  }

  private mutating func advance(_ run: Reference<Run>, mayRunInline: Bool) -> Turn {
    let call = scratch.call
    var turns = Self.inlineTurnMax
    if router.isAutomatic {
      beginPlainRun(mayRunInline || run.pointee.isSynchronous)
    }
    while true {
      if run.pointee.isCancelled.load(ordering: .relaxed) { return .finished(.cancelled) }
      if let maxSteps = options.maxSteps, run.pointee.executed >= maxSteps { return .finished(.stepLimit) }
      if let verdict = memory.fetch(run, into: call) {
        guard case .finish(let reason) = verdict else { continue }
        return .finished(reason)
      }
      if call.pointee.flags.contains(.async) { leaveContext(run, mayRunInline: mayRunInline) }
      if plain.hasOpened, !call.pointee.form.ignoresNonblocking { settleOpened() }
      // Asked before the ring's obstacles, which cost a system call for each descriptor.
      if router.isAutomatic, call.pointee.traits.contains(.waits), call.pointee.form.hasOpcode, !call.pointee.flags.contains(.sync),
        shouldWaitOnWorker()
      {
        run.pointee.keepsWorker = true
        return handOver(run)
      }
      if translator.takeIdleCall(call) {
        if let turn = advance(run, call, by: Interpreter.make(call, isChecked: options.isChecked)) { return turn }
        continue
      }
      var room = 0
      let placement: Placement
      if let here = translator.placeHere(call) {
        placement = here
      } else {
        if let ring, call.pointee.form.hasOpcode {
          room = ring.room
          if room > 0 { translator.begin(in: ring.slots) } else { translator.begin() }
        }
        placement = translator.placeElsewhere(call, isSynchronous: run.pointee.isSynchronous)
      }
      let result: Int
      switch placement {
      case .inline(let reason):
        // A read or a close with SYNC: it is to wait, and the descriptor's number may name another file afterwards.
        if reason == .synchronous {
          settleOpened()
          translator.descriptors.forgetAll()
        }
        if !run.pointee.isSynchronous {
          guard mayRunInline, turns > 0 else { return queue(run) }
          turns -= 1
          if plain.isCollecting, collect(run, call, timedAs: call.pointee.row) { return .left }
        }
        result = Interpreter.make(call, isChecked: options.isChecked)
      case .plain(let reason):
        let row = costs.row(call, reason)
        guard plain.isAllowed, costs[row] <= plain.nanosecondsMax || plain.isPatient && costs.call(row) <= plain.nanosecondsMax else {
          return handOver(run, timedAs: row)
        }
        if !run.pointee.isSynchronous {
          guard turns > 0 else { return queue(run) }
          turns -= 1
          if plain.isCollecting, collect(run, call, timedAs: row) { return .left }
        }
        if reason == .buffered, !translator.isFile(call) { continue }
        guard let made = reason == .cached ? readPlainly(call) : makePlainly(call, reason, timedAs: row) else {
          if reason != .cached { return handOver(run, timedAs: row) }
          continue
        }
        result = made
      case .worker:
        return handOver(run)
      case .ring:
        if run.pointee.isRefused { return handOver(run) }
        guard let turn = translate(run, call, room: room) else { continue }
        return turn
      }
      if let turn = advance(run, call, by: result) { return turn }
    }
  }

  /// Advances the run over a call that has been made on this thread; nil when there is another atom.
  @inline(__always)
  private mutating func advance(_ run: Reference<Run>, _ call: Reference<Call>, by result: Int) -> Turn? {
    statistics.inlineCalls &+= 1
    let tested = memory.store(result, call.pointee.result)
    let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, call.pointee.next, result: tested)
    guard case .finish(let reason) = verdict else { return nil }
    return .finished(reason)
  }

  /// Whether a call that waits is a worker's. Never more of them than half of the workers, so that others find one.
  private mutating func shouldWaitOnWorker() -> Bool {
    waits.calls += 1
    // A few that come while many are with the workers join them: on the ring they would have the owner wait in both places.
    let areMany = max(plain.runs, runsOnWorkers) >= WaitTrial.callsMin
    return waits.usesWorkers && areMany && runsOnWorkers + handover.count < options.maxWorkers / 2
  }

  /// ASYNC has been met: from here on the run is not in its caller's context.
  private mutating func leaveContext(_ run: Reference<Run>, mayRunInline: Bool) {
    run.pointee.isSynchronous = false
    beginPlainRun(mayRunInline)
  }

  private mutating func queue(_ run: Reference<Run>) -> Turn {
    run.pointee.place = .ready
    ready.append(run, in: runs.memory)
    return .left
  }

  /// - Parameter row: The plain call that the worker begins with, if what that takes is worth knowing.
  mutating func handOver(_ run: Reference<Run>, timedAs row: UInt16 = Run.untimed) -> Turn {
    run.pointee.isSynchronous = false
    run.pointee.place = .worker
    run.pointee.workerRow = row
    handover.append(run, in: runs.memory)
    return .left
  }

  /// Translates the straight run that begins with `call`, whose SQE is staged, and issues it. nil: the queue had too little room for all of
  /// it, and has more now, so that the run is to be routed again.
  @inline(__always)
  private mutating func translate(_ run: Reference<Run>, _ call: Reference<Call>, room: Int) -> Turn? {
    // Checked before the atoms behind the first one are read: they are read again when there is room.
    var callsMax = min(translator.segment.capacity, calls.freeCount)
    guard callsMax > 0, let ring else { return .blocked }
    guard room > 0 else { return makeRoom(on: ring, than: 0) }
    if call.pointee.next == nil {
      issueAlone(run, call, on: ring)
      return .left
    }
    if run.pointee.isSingleStep { callsMax = 1 }
    if let maxSteps = options.maxSteps { callsMax = min(callsMax, maxSteps - run.pointee.executed) }
    translator.gather(call, run.pointee.layout, callsMax: min(callsMax, room))
    if router.isAutomatic, case .placement(.worker) = translator.segment.cut, !translator.segment.hasWaits {
      // The next call is a worker's in any case: one hop for all of them instead of a submission and a hop.
      return handOver(run)
    }
    run.pointee.isSynchronous = false
    // Nothing of it has been issued.
    if room < callsMax, translator.segment.cut == .limit { return makeRoom(on: ring, than: room) }
    issue(run, on: ring)
    return .left
  }

  /// Submits what is in the queue, to have more room than `room`: nil when there is, and a run that waits when the kernel takes nothing.
  private mutating func makeRoom(on ring: Ring, than room: Int) -> Turn? {
    _ = enter(waitFor: 0, nanoseconds: nil)
    return ring.room > room ? nil : .blocked
  }

  /// Gives the ring one call behind which nothing can follow: most syslets are one call, or end with one, and need no segment.
  @inline(__always)
  private mutating func issueAlone(_ run: Reference<Run>, _ call: Reference<Call>, on ring: Ring) {
    let index = calls.take()
    let record = calls[index]
    record.pointee.call = StagedCall(call)
    record.pointee.runSlot = run.pointee.slot
    translator.segment.sqes[0].pointee.user_data = UserData.call(index, record.pointee.generation)
    run.pointee.firstRecord = index
    run.pointee.isSynchronous = false
    leave(run, on: ring, calls: 1, after: nil, isFinal: true)
  }

  /// Gives the gathered segment to the ring as one submission (law L2).
  @inline(__always)
  private mutating func issue(_ run: Reference<Run>, on ring: Ring) {
    let count = translator.segment.count
    var previous = CallSlab.end
    for position in 0..<count {
      let index = calls.take()
      let record = calls[index]
      record.pointee.call = translator.segment.call(position).pointee
      record.pointee.runSlot = run.pointee.slot
      translator.segment.sqes[position].pointee.user_data = UserData.call(index, record.pointee.generation)
      if previous == CallSlab.end { run.pointee.firstRecord = index } else { calls[previous].pointee.next = index }
      previous = index
    }
    statistics.softLinks &+= translator.segment.softLinks
    statistics.hardLinks &+= translator.segment.hardLinks
    let after = translator.segment.after
    leave(run, on: ring, calls: count, after: after, isFinal: after == nil && translator.segment.isExact)
  }

  @inline(__always)
  private mutating func leave(_ run: Reference<Run>, on ring: Ring, calls count: Int, after: AtomAddress?, isFinal: Bool) {
    ring.issue(count)
    run.pointee.place = .ring
    run.pointee.callsOut = UInt32(truncatingIfNeeded: count)
    run.pointee.callCount = UInt32(truncatingIfNeeded: count)
    run.pointee.afterSegment = after
    run.pointee.isFinalSegment = isFinal
    run.pointee.cancelledRecord = CallSlab.end
    if !isFinal { openSegments &+= 1 }
    segmentCallsMax = runsOnRing == 0 ? count : max(segmentCallsMax, count)
    run.pointee.isSingleStep = false
    callsOut &+= count
    runsOnRing &+= 1
    statistics.sqes &+= count
    statistics.segments &+= 1
  }

  // MARK: Ending

  /// The end of a run: its completion is made and posted, unless NO_COMPLETE is on the last executed atom. A fault is told in any case.
  @inline(__always)
  mutating func complete(_ run: Reference<Run>, _ reason: Completion.Reason) {
    if reason == .faulted { statistics.faulted += 1 }
    var result = run.pointee.lastResult
    if reason == .cancelled, run.pointee.executed == 0 { result = -Int(ECANCELED) }
    let isSilent = run.pointee.lastFlags.contains(.noComplete) && reason != .faulted
    let last = run.pointee.last
    let executed = run.pointee.executed
    retire(run)
    guard !isSilent, !isClosed else { return }
    // A head that was never read (a fault) may be unreadable: a checked engine asks the kernel, a trusted one has read it in accept.
    unsafe post(
      Completion(
        atom: last.pointer, privateData: memory.privateData(last), result: result, executed: executed, reason: reason))
  }

  private mutating func retire(_ run: Reference<Run>) {
    runs.release(run)
    pending -= 1
  }
}

extension Core {
  /// With a translator of its own: this is no turn of the engine, and whatever thread asks must not meet a segment in the making.
  func explain(_ head: AtomAddress, _ layout: AtomLayoutTag) -> Explanation {
    var lister = Translator(memory: memory, router: router, costs: costs, callsMax: translator.segment.capacity)
    return lister.explain(head, layout, waitsOnWorkers: waits.usesWorkers)
  }
}
