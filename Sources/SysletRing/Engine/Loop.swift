// The engine's one loop: take what has come back, route what is ready (each run from its cursor on, until its next call is with a place), and sleep for what
// remains. What follows each step is decided here and done by the place.

internal import CLiburing
internal import Synchronization

extension Core {
  // MARK: The owner's turn

  /// The loop of both waits: until `count` completions are visible, nothing is pending, the deadline has passed or a signal came.
  mutating func settle(_ count: Int, deadline: Int64?) throws(EngineError) -> Int {
    workers.pool?.forgetOwner()
    translator.descriptors.forgetAll()
    activations.letGoOfEnded()
    placer.turn.beginWait()
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

  /// Takes what the ring and the workers have given back.
  @inline(__always)
  mutating func drain() {
    if inRing.isExpecting { reap() }
    guard !isRingAlone else { return }
    if workers.count > 0, let mail { takeMail(mail) }
    if poller.count > 0 { poller.reap(nanoseconds: 0, &activations) }
    if inRing.mayAdmit { admitToRing() }
  }

  /// Routes each run that is ready now, once. A plain call may take `plainMax`.
  mutating func turn(plainMax: Int64) {
    var left = activations.ready.count
    guard left > 0 else { return }
    if router.isAutomatic {
      placer.beginTurn(runs: left, nanosecondsMax: plainMax, isAlone: activations.pending == 1, mayShare: true)
    }
    while left > 0, let run = activations.ready.popFirst(in: activations.runs) {
      left -= 1
      advanceHere(run)
      owner.endTiming(placer)
    }
    if placer.sharing.isCollecting { share() }
  }

  /// Routes a run, and completes it if that was its end.
  @inline(__always)
  mutating func advanceHere(_ run: Reference<Run>) {
    if case .finished(let reason) = route(run, mayRunInline: true) { activations.complete(run, reason) }
  }

  /// Whether all runs that there are are the ring's or ready: then no other place has one, and none waits to get to one. Most waits are so, and to ask
  /// each place by itself, twice, took a tenth of the time that a wait alone has of its own. What such a place had to tell of runs that have ended is
  /// looked at when it has one again.
  var isRingAlone: Bool { activations.pending == inRing.runs &+ activations.ready.count }

  /// Whether anything but the ring and the completions wants to be looked after.
  private var hasErrands: Bool { !isRingAlone || inRing.stopping.count > 0 || failure != nil }

  private mutating func runErrands(_ count: Int, _ deadline: Int64?) throws(EngineError) {
    // Nobody else keeps the owner awake, and nobody else has work for the worker.
    try handOverAll(
      isAlone: workers.queue.count == 1 && workers.count == 0 && inRing.calls == 0 && activations.ready.isEmpty
        && activations.delivery.queue.count < count)
    if let failure { throw failure }
    workers.interruptStopping(in: activations.runs)
    workers.withdrawStopping(&activations)
    workers.relieve()
    inRing.cancelDue()
    help(until: count, deadline)
    // What the owner helped with may go on on a worker, or have met a ring that failed.
    try handOverAll()
    if let failure { throw failure }
  }

  // MARK: A run's turn

  /// What became of a run's turn.
  enum Turn {
    /// Its next atoms are with a place, or it waits in `ready`, or for room in the ring.
    case left
    case finished(Completion.Reason)
  }

  /// Routes a run from its cursor on: executes what runs inline, and gives the rest to its place.
  ///
  /// - Parameter mayRunInline: Whether an *asynchronous* call may run inline now; in `exec` it waits for the next flush or wait.
  @inline(__always)
  mutating func route(_ run: Reference<Run>, mayRunInline: Bool) -> Turn {
    if run.pointee.layout == .prepared, issuePlanned(run, mayRunInline: mayRunInline) { return .left }
    let turn = advance(run, mayRunInline: mayRunInline)
    owner.opened.settle()
    return turn
  }

  private mutating func advance(_ run: Reference<Run>, mayRunInline: Bool) -> Turn {
    let scratch = scratch.call
    var turns = Self.inlineTurnMax
    let isAutomatic = router.isAutomatic
    if isAutomatic { placer.beginRun(isAllowed: mayRunInline || run.pointee.isSynchronous) }
    if run.pointee.reached.isThere, let turn = resume(run, scratch) { return turn }
    while true {
      if run.pointee.isCancelled.load(ordering: .relaxed) { return .finished(poller.stop(run, memory)) }
      if let maxSteps = options.maxSteps, run.pointee.executed >= maxSteps { return .finished(.stepLimit) }
      if run.pointee.layout == .prepared, run.pointee.executed > 0, issuePlanned(run, areIdleCallsDecided: false) { return .left }
      let (verdict, call) = memory.fetch(run, orInto: scratch)
      if let verdict {
        guard case .finish(let reason) = verdict else { continue }
        return .finished(reason)
      }
      if call.pointee.flags.contains(.async), run.pointee.isSynchronous { leaveContext(run, mayRunInline: mayRunInline) }
      // One look for what other backends never have: 9 instructions of a nop's.
      if isAutomatic {
        if owner.opened.isThere {
          if owner.isUnsettledFIFO(before: call, mayMake: run.pointee.isSynchronous || turns > 0, placer) { return reopen(run) }
          if !call.pointee.form.ignoresNonblocking { owner.opened.settle() }
        }
        if placer.sharing.isCollecting, call.pointee.form.encoding == .nop, call.pointee.next != nil, collectLine(run, call) {
          return .left
        }
        if placer.takeIdleCall(call, memory) {
          guard run.pointee.isSynchronous || turns > 0 else { return queue(run) }
          turns -= 1
          if let turn = advance(run, call, by: Interpreter.make(call, isChecked: options.isChecked)) { return turn }
          continue
        }
        if run.pointee.layout == .prepared, call.pointee.form.encoding == .nop, issuePlanned(run, areIdleCallsDecided: true) {
          return .left
        }
        placer.opened = owner.opened.descriptor
      }
      var room = 0
      let result: Int
      switch place(run, call, room: &room) {
      case .inline(let reason):
        // A read or a close with SYNC: it is to wait, and the descriptor's number may name another file afterwards.
        if reason == .synchronous {
          owner.opened.settle()
          translator.descriptors.forgetAll()
        }
        if !run.pointee.isSynchronous {
          guard mayRunInline, turns > 0 else { return queue(run) }
          turns -= 1
          if placer.sharing.isCollecting, reason != .ownThread, collect(run, call, costing: call.pointee.row) { return .left }
        }
        result = Interpreter.makeInLine(call, isChecked: options.isChecked)
        // Setting a socket's option, or taking another descriptor, changes what is known of one.
        if call.pointee.form.nature.contains(.descriptors) { translator.descriptors.forgetAll() }
      case .plain(let reason):
        let row = placer.costs.row(call, reason)
        // A cached read at the position, of a socket that has the file's number now, would take less than SO_RCVLOWAT says.
        let isHinted =
          reason == .buffered || reason == .device || reason == .memory && call.pointee.form.encoding != .readAt
          || reason == .cached && call.pointee.form.encoding == .read && call.pointee.arguments.descriptor(0) != owner.opened.descriptor
        // What was placed by a hint may be no file, and then it is not to be timed as one. To ask costs a system call for each descriptor, so of many
        // that workers get only some are asked.
        let isTimed = !isHinted || placer.wantsSample()
        if isHinted, isTimed, !placer.isFile(call, inMemory: reason == .memory, &translator.descriptors) { continue }
        guard placer.mayMake(row) else {
          if placer.isAllowed { placer.counts.handOvers += 1 }
          return handOver(run, call, timedAs: isTimed ? row : Run.untimed)
        }
        if !run.pointee.isSynchronous {
          guard turns > 0 else { return queue(run) }
          turns -= 1
          if placer.sharing.isCollecting, collect(run, call, costing: row, isTimed: isTimed) { return .left }
        }
        if isHinted, !placer.isFile(call, inMemory: reason == .memory, &translator.descriptors) { continue }
        // Behind the file's own position is where the reads of what was opened just now have come to.
        if reason == .memory { owner.opened.settle() }
        guard
          let made = reason == .cached
            ? owner.read(call, &placer) : owner.make(run, call, reason, timedAs: row, &placer, &translator.descriptors)
        else {
          if owner.opened.isFIFO { return reopen(run) }
          if reason != .cached { return handOver(run, call, timedAs: row) }
          continue
        }
        result = made
      case .worker:
        return handOver(run, call)
      case .poller:
        guard let made = makeHere(run, call, mayRunInline: mayRunInline, &turns) else { return leaveForPoller(run, call) }
        result = made
      case .ring:
        if inRing.records.freeCount == 0 {
          // What the ring has finishes by itself, or waits: then nothing may wait for it (law L11).
          guard inRing.waits == inRing.calls else { return queueForRing(run) }
          guard case .poller = translator.placeBeside(call) else { return handOver(run, call) }
          guard let made = makeHere(run, call, mayRunInline: mayRunInline, &turns) else { return leaveForPoller(run, call) }
          result = made
          break
        }
        guard let turn = translate(run, call, room: room) else { continue }
        return turn
      }
      if let turn = advance(run, call, by: result) { return turn }
    }
  }

  /// Where the run's next call is made; its SQE is staged when that is the ring, which has `room`.
  @inline(__always)
  private mutating func place(_ run: Reference<Run>, _ call: Reference<Call>, room: inout Int) -> Placement {
    if router.isAutomatic, let placement = placer.place(call, &translator.descriptors, mayTry: placer.isAllowed) { return placement }
    if let ring = inRing.ring, call.pointee.form.hasOpcode {
      room = ring.room
      if room > 0 { translator.begin(in: ring.slots) } else { translator.begin() }
    }
    return translator.place(call, isSynchronous: run.pointee.isSynchronous)
  }

  /// Advances the run over a call that has been made on this thread; nil when there is another atom.
  @inline(__always)
  mutating func advance(_ run: Reference<Run>, _ call: Reference<Call>, by result: Int) -> Turn? {
    owner.noteCall()
    let tested = memory.store(result, call.pointee.result)
    let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, call.pointee.next, result: tested)
    guard case .finish(let reason) = verdict else { return nil }
    return .finished(reason)
  }

  /// ASYNC has been met: from here on the run is not in its caller's context.
  private mutating func leaveContext(_ run: Reference<Run>, mayRunInline: Bool) {
    run.pointee.isSynchronous = false
    placer.beginRun(isAllowed: mayRunInline)
  }

  /// How long a plain call may take in a wait: as long as the wait may, if nothing on the ring is kept waiting by it and the wait has not what it
  /// is for.
  private mutating func plainMax(_ count: Int, _ deadline: Int64?) -> Int64 {
    guard router.isAutomatic, inRing.calls == 0, activations.delivery.visible() < count else { return PlainCosts.briefMax }
    guard let deadline else { return .max }
    return max(PlainCosts.briefMax, deadline - syslet_now())
  }
}
