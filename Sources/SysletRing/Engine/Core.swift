// The engine's state, and what the program calls: accepting, waiting, flushing. The loop is in Loop.swift.
//
// Unsafe fence: runs and records are pointers into slabs that the core owns; they are valid until the core is gone, and the core does not
// go before every run has come back (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

@safe struct Core: ~Copyable {
  private(set) var options: SysletEngine.Options
  let router: Router
  let ringUnavailability: EngineError?
  private let ownerToken: UInt64
  /// Never used. A value that holds an atomic is never copied: without it Swift passed all 950 bytes of this one to each method that does not
  /// change it, 124 instructions for every call of `enqueue`.
  private let anchor = Atomic(false)

  var owner = OwnerPlace()
  var inRing: RingPlace
  var workers: WorkerPlace
  /// Through which other threads speak to the owner (law L8). Made for the first that may.
  var mail: Mailbox?
  var poller = Poller()
  var activations: Activations
  var translator: Translator

  /// What `automatic` decides.
  var placer: Placer
  /// Other threads may end a wait: the owner sleeps so that they can.
  var heedsCalls = false
  /// What broke the engine for good: the ring's failure.
  var failure: EngineError? { inRing.health.failure }
  /// The call that is being routed. Kept, because clearing 160 bytes for each atom shows.
  let scratch = CallScratch()
  /// IORING_FEAT_LINKED_FILE.
  private static let linkedFile: UInt32 = 1 << 12

  /// Atoms that an asynchronous run may execute inline before the others get their turn.
  static let inlineTurnMax = 256

  init(
    _ options: SysletEngine.Options, on given: (ring: Ring, severing: Severing)? = nil, table: OperationTable = .shared,
    threads: @escaping @Sendable (ThreadPlaceTerms) -> any ThreadPlace = { WorkerPool($0) }
  ) throws(EngineError) {
    try Self.check(options)
    if options.isChecked, let errno = UserMemory.obstacle() {
      throw .kernel(call: "process_vm_readv, which a checked engine needs,", errno: errno)
    }
    // Before the ring, which nobody would close if one of these were refused.
    let runs = try RunSlab(capacity: options.maxPending)
    let completions = try CompletionQueue(capacity: options.maxPending)
    var ring: Ring?
    var unavailability: EngineError?
    var severing = Severing.none
    if let given {
      (ring, severing) = given
    } else if options.backend == .ring || options.backend == .automatic {
      do {
        severing = try SelfTest.severing()
        ring = try Ring.largest(entries: options.entries, completionEntries: options.completionEntries)
      } catch {
        unavailability = .ringUnavailable(call: error.call, errno: error.errno)
        if options.backend == .ring { throw unavailability! }
      }
    }
    let backend: EngineBackend = unavailability == nil ? options.backend : .threads
    let router = Router(backend: backend, hasRing: ring != nil, severing: severing)
    let memory = AtomMemory(table: table, isChecked: options.isChecked)
    // Before 5.17 (LINKED_FILE) a linked call's file is looked up when it is submitted: after a close or an open in the same segment
    // that may be another file than the system call's. There, nothing is linked.
    let canLink = (ring?.facts.features ?? 0) & Self.linkedFile != 0
    let entries = canLink ? Int(ring!.facts.sq_entries) : 1
    let translator: Translator
    let placeInRing: RingPlace
    do {
      translator = try Translator(memory: memory, router: router, callsMax: entries)
    } catch {
      ring?.close()
      throw error
    }
    do {
      // Each call has a CQE reserved, so that the completion queue cannot overflow; cancellations and the doorbell ride on the rest.
      let calls = try CallSlab(capacity: ring.map { Int($0.facts.cq_entries) } ?? 0)
      placeInRing = try RingPlace(ring, records: calls, runs: runs)
    } catch {
      ring?.close()
      throw error
    }
    self.options = options
    workers = WorkerPlace(threads)
    ringUnavailability = unavailability
    self.router = router
    placer = Placer(isAutomatic: router.isAutomatic, inlineLimit: options.inlineLimit.nanoseconds)
    ownerToken = syslet_thread_token()
    activations = Activations(memory, runs, completions, pendingMax: options.maxPending, isStrict: options.strictRing)
    inRing = placeInRing
    self.translator = translator
    Census.countEngine(1)
    if let unavailability { Fallback.tell(unavailability, options.onFallback) }
  }

  deinit {
    // Open only if the engine was never closed: on a thread that may not enter the ring, with nothing pending, or in a forked child.
    if isForked { inRing.ring?.abandon() } else { inRing.ring?.close() }
    // Law L4: eight bytes for good are better than a write into freed memory.
    if !isDoorbellLost { unsafe inRing.doorbell.buffer.deallocate() }
    Census.countEngine(-1)
  }

  private static func check(_ options: SysletEngine.Options) throws(EngineError) {
    func require(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(EngineError) {
      guard !range.contains(value) else { return }
      throw .invalidOption(name: name, value: String(value), rule: "it must be from \(range.lowerBound) to \(range.upperBound)")
    }
    try require("entries", options.entries, 1...32_768)
    try require("completionEntries", options.completionEntries, 1...65_536)
    guard options.completionEntries >= options.entries else {
      throw .invalidOption(
        name: "completionEntries", value: String(options.completionEntries),
        rule: "it must not be less than entries (\(options.entries)): raise it, lower entries, or leave it alone: then it is enough")
    }
    try require("maxWorkers", options.maxWorkers, 1...32_768)
    try require("maxPending", options.maxPending, 1...(1 << 24))
    guard options.inlineLimit >= .zero else {
      throw .invalidOption(
        name: "inlineLimit", value: "\(options.inlineLimit)",
        rule: "it must not be negative; .zero holds the calling thread for no call that may block")
    }
    if let signal = options.interruptSignal, syslet_signal_is_real_time(signal) == 0 {
      throw .invalidOption(name: "interruptSignal", value: String(signal), rule: "it must be a real-time signal, SIGRTMIN to SIGRTMAX")
    }
    if let maxSteps = options.maxSteps { try require("maxSteps", maxSteps, 1...Int.max) }
  }

  // MARK: The caller

  /// Whether a method that begins work may go on (law L8); `refusal` says why not. One load and two compares for every call of the user.
  var isUsable: Bool { ownerToken == syslet_thread_token_if_any() && !activations.isClosed && failure == nil }

  /// Whether a wait may go on: it gives what there is before it throws a failure.
  var isOpen: Bool { ownerToken == syslet_thread_token_if_any() && !activations.isClosed }

  var refusal: EngineError {
    guard isOwner else { return .wrongThread }
    if isForked { return .forked }
    return activations.isClosed ? .closed : failure!
  }

  var memory: AtomMemory { @inline(__always) get { activations.memory } }

  var isOwner: Bool { (ownerToken ^ syslet_thread_token()) & Self.threadBits == 0 }
  var isForked: Bool { (ownerToken ^ syslet_thread_token()) & ~Self.threadBits != 0 }
  private static let threadBits: UInt64 = 1 << UInt64(SYSLET_TOKEN_BITS) - 1

  // MARK: Accepting

  mutating func exec(_ head: AtomAddress, _ layout: AtomForm) throws(EngineError) -> AtomAddress? {
    let run = try activations.accept(head, layout, isSynchronous: true, waiter: Run.noWaiter)
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    if router.isAutomatic { placer.beginTurn(runs: 1, nanosecondsMax: PlainCosts.briefMax, isAlone: false, mayShare: false) }
    let turn = route(run, mayRunInline: false)
    owner.endTiming(placer)
    switch turn {
    case .left:
      break
    case .finished(let reason):
      guard run.pointee.isSynchronous, reason == .ended || reason == .stopped else {
        activations.complete(run, reason)
        return nil
      }
      let last = layout == .prepared ? run.pointee.last.atom.step.pointee.atom : run.pointee.last.atom
      activations.completeSilently(run)
      return last
    }
    // The syslet is accepted, so an error here is not its refusal: the next flush or wait meets it again and tells it.
    try? flushStarted()
    return nil
  }

  @inline(__always)
  @discardableResult
  mutating func enqueue(
    _ head: AtomAddress, _ layout: AtomForm, waiter: UInt32 = Run.noWaiter
  ) throws(EngineError) -> UInt32 {
    let run = try activations.accept(head, layout, isSynchronous: false, waiter: waiter)
    activations.queue(run)
    return run.pointee.slot
  }

  /// The same of steps, beginning with `step`.
  mutating func enqueue(_ head: AtomAddress, from step: AtomAddress, waiter: UInt32) throws(EngineError) -> UInt32 {
    let run = try activations.accept(head, .prepared, isSynchronous: false, waiter: waiter)
    run.pointee.cursor = step
    activations.queue(run)
    return run.pointee.slot
  }

  /// The same of one that begins with `step`, and has its turn at once, on the backend `automatic`: its completion if that was its end.
  ///
  /// - Parameter isAlone: The thread has nothing else to do.
  mutating func begin(
    _ head: AtomAddress, from step: AtomAddress, waiter: UInt32, isAlone: Bool
  ) throws(EngineError) -> (slot: UInt32, completion: Completion?) {
    let run = try activations.accept(head, .prepared, isSynchronous: false, waiter: waiter)
    let slot = run.pointee.slot
    run.pointee.cursor = step
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    placer.beginTurn(runs: 1, nanosecondsMax: isAlone ? .max : PlainCosts.briefMax, isAlone: isAlone, mayShare: false)
    let turn = route(run, mayRunInline: true)
    owner.endTiming(placer)
    guard case .finished(let reason) = turn else { return (slot, nil) }
    // It is no fault, which would be counted: a program's steps and words are the library's.
    guard reason == .ended || reason == .stopped, run.pointee.reached.heldDescriptor < 0 else {
      activations.complete(run, reason)
      return (slot, nil)
    }
    return (slot, activations.endPrepared(run, reason, run.pointee.last.result))
  }

  /// The run waits for its next turn.
  mutating func queue(_ run: Reference<Run>) -> Turn {
    activations.queue(run)
    return .left
  }

  // MARK: Waiting

  mutating func wait(atLeast count: Int, timeout: Duration?) throws(EngineError) -> Int {
    let deadline = deadline(timeout)
    // More than the ring has slots can never be visible; then the wait ends when nothing is pending any more.
    if let now = try settleUnlessFailed(count, deadline: deadline) { return now }
    return try waitAfterFailure(atLeast: count, deadline: deadline)
  }

  mutating func wait(
    into buffer: UnsafeMutableBufferPointer<Completion>, atLeast count: Int, timeout: Duration?
  ) throws(EngineError) -> Int {
    guard activations.delivery.ring == nil else { throw .ringRegistered }
    let deadline = deadline(timeout)
    if try settleUnlessFailed(min(count, buffer.count), deadline: deadline) == nil {
      _ = try waitAfterFailure(atLeast: 1, deadline: deadline)
    }
    return unsafe activations.delivery.queue.take(into: buffer)
  }

  /// As `settle`; nil when the engine has failed, be it meanwhile.
  @inline(__always)
  private mutating func settleUnlessFailed(_ count: Int, deadline: Int64?) throws(EngineError) -> Int? {
    guard failure == nil else { return nil }
    do { return try settle(count, deadline: deadline) } catch {
      guard failure == nil else { return nil }
      // A run that no thread can be had for keeps no other's completion (law L11).
      guard workers.isStalled, !isRingAlone, case let now = activations.delivery.visible(), now > 0 else { throw error }
      return now
    }
  }

  mutating func flush() throws(EngineError) {
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    activations.letGoOfEnded()
    drain()
    // Also for what it helps with when nothing is ready.
    if router.isAutomatic {
      placer.beginTurn(runs: max(1, activations.ready.count), nanosecondsMax: PlainCosts.briefMax, isAlone: false, mayShare: false)
    }
    turn(plainMax: PlainCosts.briefMax)
    workers.interruptStopping(in: activations.runs)
    workers.withdrawStopping(&activations)
    inRing.cancelDue()
    help(until: 0, nil)
    leaveShared()
    try handOverAll()
    workers.relieve()
    try poke()
    if let failure { throw failure }
  }
}

extension Core {
  /// From now on a run makes so many steps at the most. For tests, on places without threads.
  mutating func limitSteps(to count: Int?) { options.maxSteps = count }

  /// With a translator and a placer of its own: this is no turn of the engine, and must not meet a segment in the making.
  func explain(_ head: AtomAddress, _ layout: AtomForm) -> Explanation {
    do {
      var lister = try Translator(memory: memory, router: router, callsMax: translator.segment.capacity)
      var deciding = Placer(listing: placer)
      return lister.explain(head, layout, &deciding)
    } catch {
      fatalError("there is no memory to list a syslet in: \(error)")
    }
  }
}
