// The ring's runs: translated and issued, submitted and reaped.

internal import Glibc
internal import Synchronization

extension Core {
  // MARK: Issuing

  /// Translates the straight run that begins with `call`, whose SQE is staged, and issues it. nil: the queue had too little room for all of
  /// it, and has more now, so that the run is to be routed again.
  @inline(__always)
  mutating func translate(_ run: Reference<Run>, _ call: Reference<Call>, room: Int) -> Turn? {
    // Checked before the atoms behind the first one are read: they are read again when there is room.
    var callsMax = min(translator.segment.capacity, inRing.records.freeCount)
    guard let ring = inRing.ring else { return queueForRing(run) }
    guard room > 0 else { return makeRoom(run, on: ring, than: 0) }
    if call.pointee.next == nil {
      if call.pointee.isPrepared, issueKept(run, alone: call) { return .left }
      inRing.issueAlone(run, call, translator.segment.sqes[0], on: ring)
      return .left
    }
    if run.pointee.inRing.isSingleStep { callsMax = 1 }
    if let maxSteps = options.maxSteps { callsMax = min(callsMax, maxSteps - run.pointee.executed) }
    let last = translator.gather(call, run.pointee.layout, into: scratch.call, callsMax: min(callsMax, room), &placer)
    if router.isAutomatic, case .placement(.worker) = translator.segment.cut, !translator.segment.hasWaits {
      // The next call is a worker's in any case: one hop for all of them instead of a submission and a hop.
      return handOver(run, last)
    }
    run.pointee.isSynchronous = false
    // Nothing of it has been issued.
    if room < callsMax, translator.segment.cut == .limit { return makeRoom(run, on: ring, than: room) }
    if run.pointee.layout == .prepared, issueKept(run, alone: nil) { return .left }
    inRing.issue(run, translator.segment, on: ring)
    return .left
  }

  /// Keeps what has just been translated of a prepared syslet, and issues it as it will be issued the next time; false where nothing can be kept.
  @inline(never)
  private mutating func issueKept(_ run: Reference<Run>, alone call: Reference<Call>?) -> Bool {
    if let call {
      translator.segment.clear()
      translator.segment.append(call)
    }
    let (plan, step) = (run.pointee.plan, run.pointee.cursor.step)
    guard activations.plans.mayKeep(plan, step, calls: translator.segment.count), let grounds = translator.grounds() else { return false }
    activations.plans.keep(translator.segment, grounds, plan, step)
    return issuePlanned(run, areIdleCallsDecided: true)
  }

  /// `issuePlanned` before anything else of the run's turn has been looked at, and on the backend `ring` without what cannot be where the segment is ready.
  @inline(__always)
  mutating func issuePlanned(_ run: Reference<Run>, mayRunInline: Bool) -> Bool {
    guard !run.pointee.reached.isThere, !run.pointee.isCancelled.load(ordering: .relaxed) else { return false }
    if router.isAutomatic { placer.beginRun(isAllowed: mayRunInline || run.pointee.isSynchronous) }
    guard !router.isAutomatic, options.maxSteps == nil, let ring = inRing.ring,
      let planned = activations.plans.segment(run.pointee.plan, run.pointee.cursor.step), planned.pointee.isReady,
      inRing.hasRoom(ring, for: 1)
    else {
      return issuePlanned(run, areIdleCallsDecided: false)
    }
    inRing.issueLone(run, planned, on: ring)
    return true
  }

  /// Issues what the run's next calls have been translated into before; false where that is to be done anew.
  ///
  /// - Parameter areIdleCallsDecided: No-ops at its beginning are the ring's this time.
  @inline(never)
  mutating func issuePlanned(_ run: Reference<Run>, areIdleCallsDecided: Bool) -> Bool {
    guard let ring = inRing.ring, let planned = activations.plans.segment(run.pointee.plan, run.pointee.cursor.step),
      !run.pointee.inRing.isSingleStep
    else {
      return false
    }
    let count = planned.pointee.count
    guard inRing.hasRoom(ring, for: count) else { return false }
    if let maxSteps = options.maxSteps, maxSteps - run.pointee.executed < count { return false }
    if router.isAutomatic {
      // Whether no-ops are the ring's is decided anew each time.
      guard !owner.opened.isThere,
        areIdleCallsDecided || planned.pointee.call(0).pointee.encoding != .nop
          || !placer.sharing.isCollecting && placer.idleCallsMax == 0
      else { return false }
      placer.opened = -1
    }
    guard planned.pointee.patchCount == 0 || planned.pointee.load(memory),
      planned.pointee.conditionCount == 0 || translator.holds(planned, &placer)
    else { return false }
    inRing.issue(run, planned, on: ring)
    return true
  }

  /// Submits what is in the queue, to have more room than `room`: nil when there is, and a run that waits when the kernel takes nothing.
  private mutating func makeRoom(_ run: Reference<Run>, on ring: Ring, than room: Int) -> Turn? {
    _ = enter(waitFor: 0, nanoseconds: nil)
    return ring.room > room ? nil : queueForRing(run)
  }

  /// The run waits for room in the ring. Whoever else is ready goes on (law L11), and those that wait come first when there is room.
  mutating func queueForRing(_ run: Reference<Run>) -> Turn {
    run.pointee.isSynchronous = false
    run.pointee.place = .queued
    inRing.queue.append(run, in: activations.runs)
    return .left
  }

  /// Lets as many runs that wait for room in the ring try again as there is room for.
  mutating func admitToRing() {
    var admitted = RunQueue()
    // All that the ring has waits: whoever is in the queue goes around it.
    let count = inRing.stopping.hasQueued || inRing.isStuck ? inRing.queue.count : min(inRing.queue.count, inRing.records.freeCount)
    inRing.stopping.hasQueued = false
    while admitted.count < count, let run = inRing.queue.popFirst(in: activations.runs) {
      run.pointee.place = .ready
      admitted.append(run, in: activations.runs)
    }
    activations.ready.prepend(&admitted, in: activations.runs)
  }

  // MARK: Entering

  /// Enters the ring, as `RingPlace.enter` does, and reaps at once what keeps the kernel from taking more, after a while if that goes on: the callers come
  /// again.
  @inline(__always)
  mutating func enter(waitFor count: Int, nanoseconds: Int64?) -> Int {
    let result = inRing.enter(waitFor: count, nanoseconds: nanoseconds)
    if RingPlace.isRefusal(result) {
      reap()
      if inRing.health.refusals > Self.refusalsAtOnce { usleep(1000) }
    }
    return result
  }

  /// Takes all that the kernel has answered.
  mutating func reap() {
    inRing.reap(&activations, &translator.descriptors)
  }

  /// Submits what was issued, all of it.
  mutating func submit() throws(EngineError) {
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

  /// Gives what has been issued to the kernel and what has been handed over to the workers.
  mutating func flushStarted() throws(EngineError) {
    try handOverAll()
    if let ring = inRing.ring, ring.queued > 0 { try submit() }
    if let failure { throw failure }
  }

  /// Submits what was issued, lets the kernel post what is done (it does so only in an enter), and takes it.
  mutating func poke() throws(EngineError) {
    guard let ring = inRing.ring else { return drain() }
    if ring.queued > 0 { try submit() } else if inRing.calls > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    drain()
    _ = activations.delivery.visible()
  }

  /// A kernel that takes nothing for so long (some 0.2 s) is not waited for any longer. Nothing is lost: each later call tries once.
  func checkRefusals() throws(EngineError) {
    if inRing.health.refusals > Self.refusalsMax { throw .kernel(call: "io_uring_enter", errno: inRing.health.refusal) }
  }

  private static let refusalsAtOnce = 20

  private static let refusalsMax = 200
}
