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
      guard workers.isStalled, case let now = activations.delivery.visible(), now > 0 else { throw error }
      return now
    }
  }

  mutating func flush() throws(EngineError) {
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    drain()
    // Also for what it helps with when nothing is ready.
    if router.isAutomatic { plain.beginTurn(runs: max(1, activations.ready.count), nanosecondsMax: PlainCosts.briefMax, isAlone: false) }
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

  /// Submits what was issued, lets the kernel post what is done (it does so only in an enter), and takes it.
  private mutating func poke() throws(EngineError) {
    guard let ring = inRing.ring else { return drain() }
    if ring.queued > 0 { try submit() } else if inRing.calls > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    drain()
    _ = activations.delivery.visible()
  }

  /// Gives what has been issued to the kernel and what has been handed over to the workers.
  mutating func flushStarted() throws(EngineError) {
    try handOverAll()
    if let ring = inRing.ring, ring.queued > 0 { try submit() }
    if let failure { throw failure }
  }

  /// The loop of both waits: until `count` completions are visible, nothing is pending, the deadline has passed or a signal came.
  private mutating func settle(_ count: Int, deadline: Int64?) throws(EngineError) -> Int {
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    plain.beginWait()
    while true {
      drain()
      if activations.ready.count > 0 { turn(plainMax: plainMax(count, deadline)) }
      if hasErrands { try runErrands(count, deadline) }
      let now = activations.delivery.visible()
      if now >= count || activations.pending == 0 {
        // Whoever waits for nothing at all is looking what there is, and without an enter the kernel would not tell.
        if count <= 0 { try poke() } else if let ring = inRing.ring, ring.queued > 0 { try submit() }
        return activations.delivery.visible()
      }
      var left: Int64?
      if let deadline {
        left = max(0, deadline.subtractingReportingOverflow(syslet_now()).partialValue)
        if left == 0 {
          workers.relieve()
          // Even a wait of no time at all looks once at what the kernel has: without an enter it would not tell.
          try poke()
          return activations.delivery.visible()
        }
      }
      guard try sleep(for: count - now, nanoseconds: left), !isCalled else {
        drain()
        return activations.delivery.visible()
      }
      try checkRefusals()
    }
  }

  /// Whether anything but the ring and the completions wants to be looked after. Most waits find nothing, and asking each of these costs a wait alone
  /// a tenth of its own time.
  private var hasErrands: Bool {
    !workers.queue.isEmpty || workers.isStalled || plain.sharing.isOffering || workers.stopping.count > 0 || inRing.stopping.count > 0
      || failure != nil
      || workers.isHurrying
  }

  private mutating func runErrands(_ count: Int, _ deadline: Int64?) throws(EngineError) {
    // Nobody else keeps the owner awake, and nobody else has work for the worker.
    try handOverAll(
      isAlone: workers.queue.count == 1 && workers.count == 0 && inRing.calls == 0 && activations.ready.isEmpty
        && activations.delivery.queue.count < count)
    if let failure { throw failure }
    workers.interruptStopping(in: activations.runs)
    workers.withdrawStopping(&activations)
    workers.relieve()
    workers.isHurrying = false
    inRing.cancelDue()
    help(until: count, deadline)
    // What the owner helped with may go on on a worker, or have met a ring that failed.
    try handOverAll()
    if let failure { throw failure }
  }

  /// How long a plain call may take in a wait: as long as the wait may, if nothing on the ring is kept waiting by it and the wait has not what it
  /// is for.
  private mutating func plainMax(_ count: Int, _ deadline: Int64?) -> Int64 {
    guard router.isAutomatic, inRing.calls == 0, activations.delivery.visible() < count else { return PlainCosts.briefMax }
    guard let deadline else { return .max }
    return max(PlainCosts.briefMax, deadline - syslet_now())
  }

  /// Takes what the ring and the workers have given back.
  @inline(__always)
  mutating func drain() {
    if inRing.isExpecting { reap() }
    if workers.count > 0, let mail { takeMail(mail) }
    if poller.count > 0 { poller.reap(nanoseconds: 0, &activations) }
    if inRing.mayAdmit { admitToRing() }
  }

  @inline(never)
  private mutating func takeMail(_ mail: Mailbox) {
    let (costs, limit) = (costs, plain.limit)
    let hasMail = workers.reap(mail, &activations) { run in
      costs.note(run.pointee.workerRow, run.pointee.workerNanoseconds, calls: run.pointee.workerCalls, limit: limit)
    }
    // A worker may have closed a descriptor, duplicated another over it, or set O_NONBLOCK.
    if hasMail { translator.descriptors.forgetAll() }
  }

  /// Routes each run that is ready now, once. A plain call may take `plainMax`.
  mutating func turn(plainMax: Int64) {
    var left = activations.ready.count
    guard left > 0 else { return }
    if router.isAutomatic { beginPlainTurn(runs: left, nanosecondsMax: plainMax) }
    while left > 0, let run = activations.ready.popFirst(in: activations.runs) {
      left -= 1
      advanceHere(run)
      notePlainCost()
    }
    if router.isAutomatic { endPlainTurn() }
  }

  /// Routes a run, and completes it if that was its end.
  @inline(__always)
  mutating func advanceHere(_ run: Reference<Run>) {
    if case .finished(let reason) = route(run, mayRunInline: true) { activations.complete(run, reason) }
  }

  private mutating func handOverAll(isAlone: Bool = false) throws(EngineError) {
    if workers.isStalled, let pool = workers.pool {
      // What waits is handed over anew.
      var none = RunQueue()
      try check(pool.submit(&none, isAlone: false))
    }
    guard !workers.queue.isEmpty else { return }
    let count = workers.queue.count
    try ensureThreads()
    workers.count += count
    try check(workers.pool!.submit(&workers.queue, isAlone: isAlone))
  }

  mutating func ensureThreads() throws(EngineError) {
    guard workers.pool == nil else { return }
    workers.pool = makeThreads(
      ThreadPlaceTerms(
        runs: activations.runs, mail: try openMailbox(),
        execution: RunExecution(memory: memory, router: router, stepsMax: options.maxSteps), threadsMax: options.maxWorkers,
        interruptSignal: options.interruptSignal ?? 0))
  }

  private mutating func openMailbox() throws(EngineError) -> Mailbox {
    if let mail { return mail }
    do {
      let opened = try Mailbox(runs: activations.runs)
      mail = opened
      return opened
    } catch {
      throw .kernel(call: "eventfd, which wakes the engine for other threads,", errno: error.errno)
    }
  }

  /// Without a single thread the pool's runs go nowhere. What need not wait for another party is made here; the rest is kept, and the next call tries
  /// again.
  private mutating func check(_ started: Int) throws(EngineError) {
    workers.isStalled = started < 0
    guard workers.isStalled, makeWithoutThreads() else { return }
    // The ring's runs go on all the same.
    if inRing.ring != nil {
      _ = enter(waitFor: 0, nanoseconds: nil)
      drain()
    }
    throw .kernel(call: "pthread_create", errno: Int32(-started))
  }

  /// Submits what was issued, all of it.
  private mutating func submit() throws(EngineError) {
    guard let ring = inRing.ring else { return }
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
        if inRing.calls > before { _ = enter(waitFor: 1, nanoseconds: 1_000_000) } else { sched_yield() }
        reap()
      }
    }
  }

  /// A kernel that takes nothing for so long (some 0.2 s) is not waited for any longer. Nothing is lost: each later call tries once.
  private func checkRefusals() throws(EngineError) {
    if inRing.refusals.count > Self.refusalsMax { throw .kernel(call: "io_uring_enter", errno: inRing.refusals.errno) }
  }

  /// Sleeps until something has come back that may make `count` more completions. False when a signal came.
  @inline(__always)
  private mutating func sleep(for count: Int, nanoseconds: Int64?) throws(EngineError) -> Bool {
    syslet_shield_lower()
    // Mostly there is nothing but the ring, and what it has was asked for by this wait: one look at all the rest.
    guard inRing.calls > 0,
      inRing.stopping.count | workers.stopping.count | workers.count | poller.count | activations.ready.count | inRing.queue.count == 0,
      !heedsCalls
    else { return sleepAmongOthers(for: count, nanoseconds: nanoseconds) }
    let wanted = inRing.completionsWorthWaiting(for: count, activations)
    return enterAndLook(wanted, wanted > 1 ? min(nanoseconds ?? .max, Self.batchWaitMax) : nanoseconds)
  }

  /// The same where runs are with workers or with the poller too, or are to be stopped.
  private mutating func sleepAmongOthers(for count: Int, nanoseconds: Int64?) -> Bool {
    // A run that has used up its turn is routed again at once.
    var isBusy = !activations.ready.isEmpty
    var limit = nanoseconds
    if inRing.stopping.count > 0 {
      if !inRing.cancelDue() { isBusy = true }
      if case let left = inRing.stopping.left, left > 0 { limit = min(limit ?? .max, left) }
    }
    if workers.stopping.count > 0 {
      workers.interruptStopping(in: activations.runs)
      limit = min(limit ?? .max, workers.stopping.left)
    }
    if workers.count > 0, let pool = workers.pool, pool.needsRelief {
      // All workers may be at calls that never end, with others behind them (law L11).
      limit = min(limit ?? .max, pool.reliefPeriod)
      workers.isHurrying = true
    }
    // With nothing in the ring only workers can bring anything, and their futex is cheaper than the ring and its doorbell. The poller watches the doorbell
    // itself, but where a read of it waits in the ring that could take its ring unseen.
    guard let ring = inRing.ring,
      inRing.calls > 0 || inRing.cancellations > 0 || ring.queued > 0 || poller.count > 0 && inRing.doorbell.isArmed && !ring.isDeferred
    else {
      if isBusy { return true }
      if poller.count > 0 { return sleepInPoller(nanoseconds: limit) }
      guard workers.count > 0, let mail else { return true }
      guard mail.announceSleep(until: min(count, workers.count), atDoorbell: false) else { return true }
      return mail.sleep(nanoseconds: limit)
    }
    if isBusy { return enterAndLook(0, nil) }
    if poller.count > 0 {
      guard inRing.arm(poller) else { return enterAndLook(0, nil) }
      if let moment = poller.nextMoment { limit = min(limit ?? .max, max(0, moment - syslet_now())) }
    }
    guard workers.count > 0 || heedsCalls, let mail else {
      // The others' next steps may come any time.
      return enterAndLook(1, limit)
    }
    inRing.arm(mail)
    guard inRing.doorbell.isArmed, mail.announceSleep(until: 1, atDoorbell: true) else { return enterAndLook(0, nil) }
    defer { mail.endSleep() }
    return enterAndLook(1, limit)
  }

  /// Sleeps in the poller, until a worker is done or somebody calls too. False when a signal came.
  mutating func sleepInPoller(nanoseconds: Int64?) -> Bool {
    var limit = nanoseconds ?? -1
    if let moment = poller.nextMoment {
      let left = max(0, moment - syslet_now())
      limit = limit < 0 ? left : min(limit, left)
    }
    // A moment that is past is no sleep.
    if limit == 0 { return poller.reap(nanoseconds: 0, &activations) }
    if workers.count > 0 || heedsCalls, let mail {
      guard poller.watch(doorbell: mail.doorbell) == 0 else {
        return poller.reap(nanoseconds: limit < 0 ? Self.unwatchedSleepMax : min(limit, Self.unwatchedSleepMax), &activations)
      }
      guard mail.announceSleep(until: 1, atDoorbell: true) else { return poller.reap(nanoseconds: 0, &activations) }
      defer { mail.endSleep() }
      return poller.reap(nanoseconds: limit, &activations)
    }
    if poller.open() != 0, limit < 0 { limit = Self.unwatchedSleepMax }
    return poller.reap(nanoseconds: limit, &activations)
  }

  /// The sleep where no epoll can be had to end it: 1 ms.
  private static let unwatchedSleepMax: Int64 = 1_000_000

  // MARK: Calls from other threads

  /// From now on a wait ends, too, when `callOwner` is called on the mailbox, on whatever thread.
  mutating func heedCalls() throws(EngineError) -> Mailbox {
    let mail = try openMailbox()
    heedsCalls = true
    return mail
  }

  /// Sleeps outside the ring until somebody calls, a worker is done, or the time is up.
  func sleepUntilCalled(nanoseconds: Int64?) {
    guard let mail, mail.announceSleep(until: 1, atDoorbell: false) else { return }
    _ = mail.sleep(nanoseconds: nanoseconds)
  }

  private var isCalled: Bool { heedsCalls && mail!.hasCall }

  @inline(__always)
  private mutating func enterAndLook(_ wanted: Int, _ nanoseconds: Int64?) -> Bool {
    let begin = wanted > 0 && nanoseconds != nil ? syslet_now() : 0
    let result = enter(waitFor: wanted, nanoseconds: nanoseconds)
    guard result >= 0 else { return result != -Int(EINTR) }
    // An enter that submitted something tells that, and not that a signal cut its wait short. One did if nothing has come, in too little time.
    guard result > 0, wanted > 0, let ring = inRing.ring, ring.ready == 0, ring.queued == 0 else { return true }
    return nanoseconds.map { syslet_now() - begin >= $0 } ?? false
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
}
