// The owner's turn: take what has come back, route what is ready, and sleep for what remains.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  mutating func wait(atLeast count: Int, timeout: Duration?) throws(EngineError) -> Int {
    let deadline = deadline(timeout)
    // More than the ring has slots can never be visible; then the wait ends when nothing is pending any more.
    if let now = try settleUnlessFailed(count, deadline: deadline) { return now }
    return try waitAfterFailure(atLeast: count, deadline: deadline)
  }

  mutating func wait(
    into buffer: UnsafeMutableBufferPointer<Completion>, atLeast count: Int, timeout: Duration?
  ) throws(EngineError) -> Int {
    guard userRing == nil else { throw .ringRegistered }
    let deadline = deadline(timeout)
    if try settleUnlessFailed(min(count, buffer.count), deadline: deadline) == nil {
      _ = try waitAfterFailure(atLeast: 1, deadline: deadline)
    }
    return unsafe completions.take(into: buffer)
  }

  /// As `settle`; nil when the engine has failed, be it meanwhile.
  @inline(__always)
  private mutating func settleUnlessFailed(_ count: Int, deadline: Int64?) throws(EngineError) -> Int? {
    guard failure == nil else { return nil }
    do { return try settle(count, deadline: deadline) } catch {
      guard failure == nil else { return nil }
      // A run that no thread can be had for keeps no other's completion (law L11).
      guard isStalled, case let now = visible(), now > 0 else { throw error }
      return now
    }
  }

  mutating func flush() throws(EngineError) {
    pool?.areRightsKnown = false
    translator.descriptors.forgetAll()
    drain()
    // Also for what it helps with when nothing is ready.
    if router.isAutomatic { plain.beginTurn(runs: max(1, ready.count), nanosecondsMax: PlainCosts.briefMax, isAlone: false) }
    turn(plainMax: PlainCosts.briefMax)
    interruptCancelled()
    withdrawCancelled()
    cancelDue()
    help(until: 0, nil)
    leaveShared()
    try handOverAll()
    relieve()
    try poke()
    if let failure { throw failure }
  }

  /// Submits what was issued, lets the kernel post what is done (it does so only in an enter), and takes it.
  private mutating func poke() throws(EngineError) {
    guard let ring else { return drain() }
    if ring.queued > 0 { try submit() } else if callsOut > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    drain()
    _ = visible()
  }

  /// Gives what has been issued to the kernel and what has been handed over to the workers.
  mutating func flushStarted() throws(EngineError) {
    try handOverAll()
    if let ring, ring.queued > 0 { try submit() }
    if let failure { throw failure }
  }

  /// The loop of both waits: until `count` completions are visible, nothing is pending, the deadline has passed or a signal came.
  private mutating func settle(_ count: Int, deadline: Int64?) throws(EngineError) -> Int {
    pool?.areRightsKnown = false
    translator.descriptors.forgetAll()
    plain.beginWait()
    while true {
      drain()
      if ready.count > 0 { turn(plainMax: plainMax(count, deadline)) }
      if hasErrands { try runErrands(count, deadline) }
      let now = visible()
      if now >= count || pending == 0 {
        // Whoever waits for nothing at all is looking what there is, and without an enter the kernel would not tell.
        if count <= 0 { try poke() } else if let ring, ring.queued > 0 { try submit() }
        return visible()
      }
      var left: Int64?
      if let deadline {
        left = max(0, deadline.subtractingReportingOverflow(syslet_now()).partialValue)
        if left == 0 {
          relieve()
          // Even a wait of no time at all looks once at what the kernel has: without an enter it would not tell.
          try poke()
          return visible()
        }
      }
      guard try sleep(for: count - now, nanoseconds: left), !isCalled else {
        drain()
        return visible()
      }
      try checkRefusals()
    }
  }

  /// Whether anything but the ring and the completions wants to be looked after. Most waits find nothing, and asking each of these costs a wait alone
  /// a tenth of its own time.
  private var hasErrands: Bool {
    !handover.isEmpty || isStalled || plain.isSharing || cancelledOnWorkers > 0 || cancelledOnRing > 0 || failure != nil
      || isHurrying
  }

  private mutating func runErrands(_ count: Int, _ deadline: Int64?) throws(EngineError) {
    // Nobody else keeps the owner awake, and nobody else has work for the worker.
    try handOverAll(isAlone: handover.count == 1 && runsOnWorkers == 0 && callsOut == 0 && ready.isEmpty && completions.count < count)
    if let failure { throw failure }
    interruptCancelled()
    withdrawCancelled()
    relieve()
    isHurrying = false
    cancelDue()
    help(until: count, deadline)
    // What the owner helped with may go on on a worker, or have met a ring that failed.
    try handOverAll()
    if let failure { throw failure }
  }

  /// How long a plain call may take in a wait: as long as the wait may, if nothing on the ring is kept waiting by it and the wait has not what it
  /// is for.
  private mutating func plainMax(_ count: Int, _ deadline: Int64?) -> Int64 {
    guard router.isAutomatic, callsOut == 0, visible() < count else { return PlainCosts.briefMax }
    guard let deadline else { return .max }
    return max(PlainCosts.briefMax, deadline - syslet_now())
  }

  /// Takes what the ring and the workers have given back.
  @inline(__always)
  mutating func drain() {
    if callsOut + cancellationsOut > 0 || isDoorbellArmed || isPollerArmed { reap() }
    if runsOnWorkers > 0, let pool { takeMail(pool) }
    if poller.count > 0 { reapPoller(nanoseconds: 0) }
    if !waitingForRing.isEmpty, calls.freeCount > 0 || hasCancelledQueued || waitsOut == callsOut { admitToRing() }
  }

  private mutating func takeMail(_ pool: WorkerPool) {
    // The mailbox is emptied into a queue first: following a run may hand others over.
    var returned = RunQueue()
    pool.take { returned.append($0, in: runs.memory) }
    // A worker may have closed a descriptor, duplicated another over it, or set O_NONBLOCK.
    if !returned.isEmpty { translator.descriptors.forgetAll() }
    while let run = returned.popFirst(in: runs.memory) {
      runsOnWorkers -= 1
      if run.pointee.isCancelled.load(ordering: .relaxed), cancelledOnWorkers > 0 {
        cancelledOnWorkers -= 1
        askingWorkers.reset()
      }
      statistics.workerHops += 1
      statistics.workerCalls += run.pointee.workerCalls
      if run.pointee.workerRow != Run.untimed {
        costs.note(run.pointee.workerRow, run.pointee.workerNanoseconds, calls: run.pointee.workerCalls, limit: plain.limit)
      }
      run.pointee.workerCalls = 0
      if run.pointee.isOrphan {
        run.pointee.isOrphan = false
        // Handed over anew, unless that would be with other rights.
        if !pool.hasPresentRights() { run.pointee.verdict = .finish(.cancelled) }
      }
      follow(run, run.pointee.verdict)
    }
  }

  /// Routes each run that is ready now, once. A plain call may take `plainMax`.
  mutating func turn(plainMax: Int64) {
    var left = ready.count
    guard left > 0 else { return }
    if router.isAutomatic { beginPlainTurn(runs: left, nanosecondsMax: plainMax) }
    while left > 0, let run = ready.popFirst(in: runs.memory) {
      left -= 1
      advanceHere(run)
      notePlainCost()
    }
    if router.isAutomatic { endPlainTurn() }
  }

  /// Routes a run, and completes it if that was its end.
  @inline(__always)
  mutating func advanceHere(_ run: Reference<Run>) {
    if case .finished(let reason) = route(run, mayRunInline: true) { complete(run, reason) }
  }

  private mutating func handOverAll(isAlone: Bool = false) throws(EngineError) {
    if isStalled, let pool { try check(pool.retry()) }
    guard !handover.isEmpty else { return }
    let count = handover.count
    try ensurePool()
    runsOnWorkers += count
    try check(pool!.submit(&handover, isAlone: isAlone))
  }

  mutating func ensurePool() throws(EngineError) {
    guard pool == nil else { return }
    pool = try WorkerPool(
      runs: runs.memory, memory: memory, router: router, stepsMax: options.maxSteps, workersMax: options.maxWorkers,
      interruptSignal: options.interruptSignal)
  }

  /// Without a single thread the pool's runs go nowhere. What need not wait for another party is made here; the rest is kept, and the next call tries
  /// again.
  private mutating func check(_ started: Int) throws(EngineError) {
    isStalled = started < 0
    guard isStalled, makeWithoutThreads() else { return }
    // The ring's runs go on all the same.
    if ring != nil {
      _ = enter(waitFor: 0, nanoseconds: nil)
      drain()
    }
    throw .kernel(call: "pthread_create", errno: Int32(-started))
  }

  /// Submits what was issued, all of it.
  private mutating func submit() throws(EngineError) {
    guard let ring else { return }
    var idleTurns = 0
    while ring.queued > 0 {
      let before = ring.queued
      let result = enter(waitFor: 0, nanoseconds: nil)
      if let failure { throw failure }
      if ring.queued == before {
        // The kernel took nothing (EAGAIN, EBUSY, EINTR). Wait for what it has; with nothing in flight, give it time.
        idleTurns += 1
        try checkRefusals()
        if idleTurns > 1000 { throw .kernel(call: "io_uring_enter", errno: Int32(-min(result, -1))) }
        if callsOut > before { _ = enter(waitFor: 1, nanoseconds: 1_000_000) } else { sched_yield() }
        reap()
      }
    }
  }

  /// A kernel that takes nothing for so long (some 0.2 s) is not waited for any longer. Nothing is lost: each later call tries once.
  private func checkRefusals() throws(EngineError) {
    if refusals > Self.refusalsMax { throw .kernel(call: "io_uring_enter", errno: lastRefusal) }
  }

  /// Sleeps until something has come back that may make `count` more completions. False when a signal came.
  @inline(__always)
  private mutating func sleep(for count: Int, nanoseconds: Int64?) throws(EngineError) -> Bool {
    syslet_shield_lower()
    // Mostly there is nothing but the ring, and what it has was asked for by this wait: one look at all the rest.
    guard callsOut > 0, cancelledOnRing | cancelledOnWorkers | runsOnWorkers | poller.count | ready.count | waitingForRing.count == 0,
      !heedsCalls
    else { return sleepAmongOthers(for: count, nanoseconds: nanoseconds) }
    let wanted = completionsWorthWaiting(for: count)
    return enterAndLook(wanted, wanted > 1 ? min(nanoseconds ?? .max, Self.batchWaitMax) : nanoseconds)
  }

  /// The same where runs are with workers or with the poller too, or are to be stopped.
  private mutating func sleepAmongOthers(for count: Int, nanoseconds: Int64?) -> Bool {
    // A run that has used up its turn is routed again at once.
    let isBusy = !ready.isEmpty
    var limit = nanoseconds
    if cancelledOnRing > 0 {
      cancelDue()
      if case let left = askingRing.left, left > 0 { limit = min(limit ?? .max, left) }
    }
    if cancelledOnWorkers > 0 {
      interruptCancelled()
      limit = min(limit ?? .max, askingWorkers.left)
    }
    if runsOnWorkers > 0, let pool, pool.needsRelief {
      // All workers may be at calls that never end, with others behind them (law L11).
      limit = min(limit ?? .max, WorkerPool.reliefPeriod)
      isHurrying = true
    }
    // With nothing in the ring only workers can bring anything, and their futex is cheaper than the ring and its doorbell. The poller watches the doorbell
    // itself, but where a read of it waits in the ring that could take its ring unseen.
    guard let ring, callsOut > 0 || cancellationsOut > 0 || ring.queued > 0 || poller.count > 0 && isDoorbellArmed && !ring.isDeferred
    else {
      if isBusy { return true }
      if poller.count > 0 { return sleepInPoller(nanoseconds: limit) }
      guard runsOnWorkers > 0, let pool else { return true }
      guard pool.announceSleep(until: min(count, runsOnWorkers), inRing: false) else { return true }
      return pool.sleep(nanoseconds: limit)
    }
    if isBusy { return enterAndLook(0, nil) }
    if poller.count > 0 {
      armPoller()
      if let moment = poller.nextMoment { limit = min(limit ?? .max, max(0, moment - syslet_now())) }
    }
    guard runsOnWorkers > 0 || heedsCalls, let pool else {
      // The others' next steps may come any time.
      return enterAndLook(1, limit)
    }
    armDoorbell()
    guard isDoorbellArmed, pool.announceSleep(until: 1, inRing: true) else { return enterAndLook(0, nil) }
    defer { pool.endSleep() }
    return enterAndLook(1, limit)
  }

  // MARK: Calls from other threads

  /// From now on a wait ends, too, when `callOwner` is called on the pool, on whatever thread.
  mutating func heedCalls() throws(EngineError) -> WorkerPool {
    try ensurePool()
    heedsCalls = true
    return pool!
  }

  /// Sleeps outside the ring until somebody calls, a worker is done, or the time is up.
  func sleepUntilCalled(nanoseconds: Int64?) {
    guard let pool, pool.announceSleep(until: 1, inRing: false) else { return }
    _ = pool.sleep(nanoseconds: nanoseconds)
  }

  private var isCalled: Bool { heedsCalls && pool!.hasCall }

  /// How many CQEs must come before `count` runs can have ended, where that is known: one enter for all of them instead of one each.
  ///
  /// Known when nothing that is out needs the owner before it is done. A call that the ring refuses does need the owner, and that is known
  /// only when it has happened, so the wait for more than one is bounded all the same.
  private func completionsWorthWaiting(for count: Int) -> Int {
    guard openSegments == 0, ready.isEmpty else { return 1 }
    guard count < runsOnRing else { return callsOut }
    guard segmentCallsMax > 1 else { return min(count, callsOut) }
    // Chains: `count` of them end after as many CQEs as the shortest rests have, and all but the others' longest must have come.
    var restMin = segmentCallsMax
    if runs.usedMax <= Self.scannedMax {
      for slot in 0..<runs.usedMax where runs[UInt32(slot)].pointee.place == .ring {
        restMin = min(restMin, Int(runs[UInt32(slot)].pointee.callsOut))
      }
    } else {
      restMin = 1
    }
    return min(callsOut, max(count * restMin, callsOut - (runsOnRing - count) * segmentCallsMax))
  }

  @inline(__always)
  private mutating func enterAndLook(_ wanted: Int, _ nanoseconds: Int64?) -> Bool {
    let begin = wanted > 0 && nanoseconds != nil ? syslet_now() : 0
    let result = enter(waitFor: wanted, nanoseconds: nanoseconds)
    guard result >= 0 else { return result != -Int(EINTR) }
    // An enter that submitted something tells that, and not that a signal cut its wait short. One did if nothing has come, in too little time.
    guard result > 0, wanted > 0, let ring, ring.ready == 0, ring.queued == 0 else { return true }
    return nanoseconds.map { syslet_now() - begin >= $0 } ?? false
  }

  /// Interrupts the calls that workers are making for cancelled runs, again and again until they are back: a signal that comes just before
  /// a call blocks is lost.
  mutating func interruptCancelled() {
    guard cancelledOnWorkers > 0, askingWorkers.isDue, let pool else { return }
    askingWorkers.wait()
    slotsCancelledOnWorkers.removeAll { [runs = runs.memory] in !runs[$0].pointee.isStopping(on: .worker) }
    for slot in slotsCancelledOnWorkers { pool.interrupt(runs[slot]) }
  }

  /// Has another worker started if all are stuck. Asked wherever the program only looks, too: it need never sleep here.
  private func relieve() {
    if runsOnWorkers > 0, let pool, pool.needsRelief { pool.relieve() }
  }

  /// Ends the cancelled runs that no worker has begun: none may come to be free.
  mutating func withdrawCancelled() {
    guard cancelledOnWorkers > 0, let pool else { return }
    var withdrawn = RunQueue()
    pool.withdrawCancelled(&withdrawn)
    while let run = withdrawn.popFirst(in: runs.memory) {
      runsOnWorkers -= 1
      endUnserved(run)
    }
  }

  /// The moment at which a wait ends; nil for never, as after a timeout too long to be told from that.
  private func deadline(_ timeout: Duration?) -> Int64? {
    guard let timeout else { return nil }
    guard timeout > .zero else { return 0 }
    let (end, isLate) = timeout.nanoseconds.addingReportingOverflow(syslet_now())
    return isLate ? nil : end
  }

  private static let refusalsMax = 200
  private static let batchWaitMax: Int64 = 10_000_000
  /// More runs than this are not looked at one by one before a sleep.
  private static let scannedMax = 1024
}
