// How syslets end before their time: cancelled by the user, when the engine is closed, and when the kernel fails the ring.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  /// Marks the runs, and interrupts those on workers. The kernel is asked at the next flush or wait, for all of them in one enter: alone, a
  /// cancellation cost one each, half of what a cancelled syslet took.
  mutating func cancel(_ head: AtomAddress, _ form: AtomForm) throws(EngineError) {
    drain()
    let found = activations.slots(head)
    for slot in found { askToStop(activations.runs[slot]) }
    guard !found.isEmpty else { throw .notPending(address: (form == .prepared ? head.step.pointee.atom : head).word) }
  }

  /// Asks the run in `slot` to stop, if it is still the one that `waiter` awaits.
  mutating func cancel(_ slot: UInt32, waiter: UInt32) {
    let run = activations.runs[slot]
    guard run.pointee.place != .none, run.pointee.waiter == waiter else { return }
    askToStop(run)
  }

  private mutating func askToStop(_ run: Reference<Run>) {
    guard !run.pointee.isCancelled.load(ordering: .relaxed) else { return }
    run.pointee.isCancelled.store(true, ordering: .sequentiallyConsistent)
    switch run.pointee.place {
    case .none, .ready: break
    case .queued: inRing.stopping.hasQueued = true
    case .ring:
      inRing.stopping.enter(run.pointee.slot)
    case .poller: activations.complete(run, poller.stop(run, memory))
    case .worker:
      workers.stopping.enter(run.pointee.slot)
      workers.pool?.interrupt(run)
    }
  }

  /// What the kernel keeps for threads may have changed in a way that a comparison does not show.
  mutating func renewWorkers() {
    translator.areNamesStale = translator.areNamesStale || inRing.ring != nil
    workers.pool?.renew()
  }

  /// Law L4: nothing is freed before the kernel and the workers have let go of it.
  mutating func close() {
    guard !activations.isClosed else { return }
    activations.close()
    windUp(deadline: nil)
    workers.stop()
    activations.plans.letGo(endedOnly: false)
    mail = nil
    inRing.ring?.close()
    inRing.ring = nil
  }

  /// What a wait on an engine that has failed does instead of waiting.
  ///
  /// - Returns: The completions that are visible: `count` at the least, or those of all syslets.
  /// - Throws: The failure, when there are none, or fewer and the kernel has not let go of the other syslets.
  mutating func waitAfterFailure(atLeast count: Int, deadline: Int64?) throws(EngineError) -> Int {
    windUp(deadline: deadline)
    let now = activations.delivery.visible()
    if let failure, now == 0 || now < count && activations.pending > 0 { throw failure }
    return now
  }

  /// Stops every syslet and takes all of them back: from the workers, and from the ring for as long as it answers.
  private mutating func windUp(deadline: Int64?) {
    for slot in activations.slots { askToStop(activations.runs[slot]) }
    inRing.retract(&activations, &translator.descriptors)
    // A call from another thread would keep the owner from sleeping. It is answered afterwards.
    var isCalled = false
    defer { if isCalled { mail?.callOwner() } }
    var end = syslet_now() + Self.patience
    var left = (inRing.calls, workers.count)
    var leavingAt = syslet_now() + Self.closePatience.load(ordering: .relaxed)
    while true {
      if let mail, mail.answerCall() { isCalled = true }
      drain()
      turn(plainMax: 0)
      workers.withdrawUnserved(&activations)
      workers.withdrawStopping(&activations)
      let leftInRing =
        inRing.health.isLost ? 0 : inRing.calls + (activations.isClosed ? inRing.cancellations + (inRing.doorbell.isArmed ? 1 : 0) : 0)
      guard leftInRing > 0 || workers.count > 0 else { return }
      if let deadline, syslet_now() >= deadline { return }
      if left != (inRing.calls, workers.count) {
        left = (inRing.calls, workers.count)
        leavingAt = syslet_now() + Self.closePatience.load(ordering: .relaxed)
      } else if activations.isClosed, syslet_now() >= leavingAt {
        // A hung file server, or a device: nothing interrupts a call that is there.
        activations.isLeaving = true
        return
      }
      workers.interruptStopping(in: activations.runs)
      var pause = Self.pauseMax
      if workers.stopping.count > 0 { pause = min(pause, workers.stopping.left) }
      if inRing.stopping.count > 0, inRing.stopping.left > 0 { pause = min(pause, inRing.stopping.left) }
      pause = max(Self.pauseMin, pause)
      guard leftInRing > 0 else {
        if let mail, mail.announceSleep(until: 1, atDoorbell: false) { _ = mail.sleep(nanoseconds: pause) }
        continue
      }
      inRing.cancelDue()
      if activations.isClosed, inRing.doorbell.isArmed, let mail { syslet_doorbell_ring(mail.doorbell) }
      let reaped = inRing.counts.cqes
      let result = enter(waitFor: 1, nanoseconds: pause)
      reap()
      // A ring that is well may take as long as its calls do. Of one that failed, or takes nothing, what comes late never comes.
      if inRing.counts.cqes > reaped || failure == nil && (result >= 0 || result == -Int(ETIME)) {
        end = syslet_now() + Self.patience
      } else if syslet_now() > end {
        inRing.health.isLost = true
        inRing.retract(&activations, &translator.descriptors)
      }
    }
  }

  private static let patience: Int64 = 1_000_000_000
  /// For so long `close` waits for calls that nothing interrupts, since the last one that has come back. Tests shorten it.
  static let closePatience = Atomic<Int64>(10_000_000_000)
  private static let pauseMin: Int64 = 1_000_000
  private static let pauseMax: Int64 = 100_000_000

  /// The kernel or workers have runs that nothing ends: the memory must stay (law L4).
  var mustStay: Bool { activations.isLeaving && !isForked }

  /// The kernel still has a read of the doorbell, on a ring that broke. Of an engine's own memory it is all that the kernel writes to.
  var isDoorbellLost: Bool { !isForked && inRing.health.isLost && inRing.doorbell.isArmed }

  mutating func closeInDeinit() {
    guard !activations.isClosed, !isForked else { return }
    // The program's mistake, and `precondition` would say nothing about it in a release build.
    guard isOwner || activations.pending == 0 else {
      fatalError(
        "L8: an engine with pending syslets was released on a thread that does not own it; close() it on its own thread first")
    }
    if isOwner { close() } else { workers.pool?.stop() }
  }
}
