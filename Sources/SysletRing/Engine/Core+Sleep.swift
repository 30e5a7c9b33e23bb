// The owner's sleep: in the one place that can end it for all.

internal import CLiburing
internal import Glibc

extension Core {
  /// Sleeps until something has come back that may make `count` more completions. False when a signal came.
  @inline(__always)
  mutating func sleep(for count: Int, nanoseconds: Int64?) throws(EngineError) -> Bool {
    syslet_shield_lower()
    // Mostly there is nothing but the ring, and what it has was asked for by this wait: one look at all the rest.
    guard inRing.calls > 0, isRingAlone, activations.ready.isEmpty, inRing.stopping.count == 0, !heedsCalls else {
      return sleepAmongOthers(for: count, nanoseconds: nanoseconds)
    }
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
  func deadline(_ timeout: Duration?) -> Int64? {
    guard let timeout else { return nil }
    guard timeout > .zero else { return 0 }
    let (end, isLate) = timeout.nanoseconds.addingReportingOverflow(syslet_now())
    return isLate ? nil : end
  }

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

  var isCalled: Bool { heedsCalls && mail!.hasCall }

  /// The sleep where no epoll can be had to end it: 1 ms.
  private static let unwatchedSleepMax: Int64 = 1_000_000

  private static let batchWaitMax: Int64 = 10_000_000
}
