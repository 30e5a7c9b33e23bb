// Routing: a run's next atoms are executed where they are met, or given to their place.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
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
    plain.opened.settle()
    return turn
  }

  private mutating func advance(_ run: Reference<Run>, mayRunInline: Bool) -> Turn {
    let scratch = scratch.call
    var turns = Self.inlineTurnMax
    let isAutomatic = router.isAutomatic
    if isAutomatic { beginPlainRun(mayRunInline || run.pointee.isSynchronous) }
    if run.pointee.isUnderway, let turn = resume(run, scratch) { return turn }
    while true {
      if run.pointee.isCancelled.load(ordering: .relaxed) { return .finished(poller.stop(run, memory)) }
      if let maxSteps = options.maxSteps, run.pointee.executed >= maxSteps { return .finished(.stepLimit) }
      if run.pointee.layout == .prepared, run.pointee.executed > 0, issuePlanned(run) { return .left }
      let (verdict, call) = memory.fetch(run, orInto: scratch)
      if let verdict {
        guard case .finish(let reason) = verdict else { continue }
        return .finished(reason)
      }
      if call.pointee.flags.contains(.async), run.pointee.isSynchronous { leaveContext(run, mayRunInline: mayRunInline) }
      // One look for what other backends never have: 9 instructions of a nop's.
      if isAutomatic {
        if plain.opened.isThere {
          if isUnsettledFIFO(before: call, mayMake: run.pointee.isSynchronous || turns > 0) { return reopen(run) }
          if !call.pointee.form.ignoresNonblocking { plain.opened.settle() }
        }
        if plain.sharing.isCollecting, call.pointee.form.encoding == .nop, call.pointee.next != nil, collectLine(run, call) { return .left }
        if translator.takeIdleCall(call) {
          guard run.pointee.isSynchronous || turns > 0 else { return queue(run) }
          turns -= 1
          if let turn = advance(run, call, by: Interpreter.make(call, isChecked: options.isChecked)) { return turn }
          continue
        }
        if run.pointee.layout == .prepared, call.pointee.form.encoding == .nop, issuePlanned(run, areIdleCallsDecided: true) {
          return .left
        }
        translator.opened = plain.opened.descriptor
      }
      var room = 0
      let result: Int
      switch place(run, call, room: &room) {
      case .inline(let reason):
        // A read or a close with SYNC: it is to wait, and the descriptor's number may name another file afterwards.
        if reason == .synchronous {
          plain.opened.settle()
          translator.descriptors.forgetAll()
        }
        if !run.pointee.isSynchronous {
          guard mayRunInline, turns > 0 else { return queue(run) }
          turns -= 1
          if plain.sharing.isCollecting, reason != .ownThread, collect(run, call, costing: call.pointee.row) { return .left }
        }
        result = Interpreter.makeInLine(call, isChecked: options.isChecked)
        // Setting a socket's option, or taking another descriptor, changes what is known of one.
        if call.pointee.form.nature.contains(.descriptors) { translator.descriptors.forgetAll() }
      case .plain(let reason):
        let row = costs.row(call, reason)
        // A cached read at the position, of a socket that has the file's number now, would take less than SO_RCVLOWAT says.
        let isHinted =
          reason == .buffered || reason == .device || reason == .memory && call.pointee.form.encoding != .readAt
          || reason == .cached && call.pointee.form.encoding == .read && call.pointee.arguments.descriptor(0) != plain.opened.descriptor
        // What was placed by a hint may be no file, and then it is not to be timed as one. To ask costs a system call for each descriptor, so of many
        // that workers get only some are asked.
        let isTimed = !isHinted || plain.wantsSample()
        if isHinted, isTimed, !translator.isFile(call, inMemory: reason == .memory) { continue }
        guard plain.isAllowed, costs[row] <= plain.nanosecondsMax || plain.mayBePatient() && costs.each(row) <= plain.nanosecondsMax else {
          return handOver(run, call, timedAs: isTimed ? row : Run.untimed)
        }
        if !run.pointee.isSynchronous {
          guard turns > 0 else { return queue(run) }
          turns -= 1
          if plain.sharing.isCollecting, collect(run, call, costing: row, isTimed: isTimed) { return .left }
        }
        if isHinted, !translator.isFile(call, inMemory: reason == .memory) { continue }
        // Behind the file's own position is where the reads of what was opened just now have come to.
        if reason == .memory { plain.opened.settle() }
        guard let made = reason == .cached ? readPlainly(call) : makePlainly(run, call, reason, timedAs: row) else {
          if plain.opened.isFIFO { return reopen(run) }
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
    if let placement = translator.placeHere(call, mayTry: plain.isAllowed) { return placement }
    if let ring = inRing.ring, call.pointee.form.hasOpcode {
      room = ring.room
      if room > 0 { translator.begin(in: ring.slots) } else { translator.begin() }
    }
    return translator.placeElsewhere(call, isSynchronous: run.pointee.isSynchronous)
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

  /// Tries a call that may wait, and parks its run if it would; nil when it is parked, has become a worker's, or has to wait for its turn.
  private mutating func makeHere(_ run: Reference<Run>, _ call: Reference<Call>, mayRunInline: Bool, _ turns: inout Int) -> Int? {
    if !run.pointee.isSynchronous {
      guard mayRunInline, turns > 0 else {
        _ = queue(run)
        return nil
      }
      turns -= 1
    }
    // It is not one of the plain calls whose time is taken.
    notePlainCost()
    statistics.tries &+= 1
    return poller.makeOrPark(run, call, isTrusted: !options.isChecked)
  }

  /// Goes on with a call that has been reached before: one that the poller has had, which is tried again, or one that is a worker's. nil when it has
  /// been made, and there is another atom.
  private mutating func resume(_ run: Reference<Run>, _ call: Reference<Call>) -> Turn? {
    if run.pointee.isCancelled.load(ordering: .relaxed) { return .finished(poller.stop(run, memory)) }
    if run.pointee.parked == RunSlab.end {
      if case .finish(let reason)? = memory.fetch(run, into: call) { return .finished(reason) }
      return handOver(run, call)
    }
    poller.reload(run, into: call, memory.table)
    guard let result = poller.makeOrPark(run, call, isTrusted: !options.isChecked) else { return leaveForPoller(run, call) }
    return advance(run, call, by: result)
  }

  /// The run has left for the poller, or, because its call cannot be polled, for a worker.
  private mutating func leaveForPoller(_ run: Reference<Run>, _ call: Reference<Call>) -> Turn {
    run.pointee.isUnderway && run.pointee.parked == RunSlab.end ? handOver(run, call) : .left
  }

  /// The run waits for room in the ring. Whoever else is ready goes on (law L11), and those that wait come first when there is room.
  private mutating func queueForRing(_ run: Reference<Run>) -> Turn {
    run.pointee.isSynchronous = false
    run.pointee.place = .queued
    inRing.queue.append(run, in: activations.runs)
    return .left
  }

  /// Lets as many runs that wait for room in the ring try again as there is room for.
  mutating func admitToRing() {
    var admitted = RunQueue()
    // All that the ring has waits: whoever is in the queue goes around it.
    let count = inRing.hasStoppingInQueue || inRing.isStuck ? inRing.queue.count : min(inRing.queue.count, inRing.records.freeCount)
    inRing.hasStoppingInQueue = false
    while admitted.count < count, let run = inRing.queue.popFirst(in: activations.runs) {
      run.pointee.place = .ready
      admitted.append(run, in: activations.runs)
    }
    activations.ready.prepend(&admitted, in: activations.runs)
  }

  /// ASYNC has been met: from here on the run is not in its caller's context.
  private mutating func leaveContext(_ run: Reference<Run>, mayRunInline: Bool) {
    run.pointee.isSynchronous = false
    beginPlainRun(mayRunInline)
  }

  private mutating func queue(_ run: Reference<Run>) -> Turn {
    activations.queue(run)
    return .left
  }

  /// - Parameter row: The plain call that the worker begins with, if what that takes is worth knowing.
  mutating func handOver(_ run: Reference<Run>, _ call: Reference<Call>, timedAs row: UInt16 = Run.untimed) -> Turn {
    run.pointee.isSynchronous = false
    run.pointee.place = .worker
    run.pointee.workerRow = row
    run.pointee.mayWait = DescriptorFacts.mayWait(call)
    workers.queue.append(run, in: activations.runs)
    return .left
  }

  /// Translates the straight run that begins with `call`, whose SQE is staged, and issues it. nil: the queue had too little room for all of
  /// it, and has more now, so that the run is to be routed again.
  @inline(__always)
  private mutating func translate(_ run: Reference<Run>, _ call: Reference<Call>, room: Int) -> Turn? {
    // Checked before the atoms behind the first one are read: they are read again when there is room.
    var callsMax = min(translator.segment.capacity, inRing.records.freeCount)
    guard let ring = inRing.ring else { return queueForRing(run) }
    guard room > 0 else { return makeRoom(run, on: ring, than: 0) }
    if call.pointee.next == nil {
      if call.pointee.isPrepared, issueKept(run, alone: call) { return .left }
      inRing.issueAlone(run, call, translator.segment.sqes[0], on: ring)
      return .left
    }
    if run.pointee.isSingleStep { callsMax = 1 }
    if let maxSteps = options.maxSteps { callsMax = min(callsMax, maxSteps - run.pointee.executed) }
    let last = translator.gather(call, run.pointee.layout, into: scratch.call, callsMax: min(callsMax, room))
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

  /// The same before anything else of the run's turn has been looked at.
  @inline(__always)
  private mutating func issuePlanned(_ run: Reference<Run>, mayRunInline: Bool) -> Bool {
    guard !run.pointee.isUnderway, !run.pointee.isCancelled.load(ordering: .relaxed) else { return false }
    if router.isAutomatic { beginPlainRun(mayRunInline || run.pointee.isSynchronous) }
    return issuePlanned(run)
  }

  /// Issues what the run's next calls have been translated into before; false where that is to be done anew.
  ///
  /// - Parameter areIdleCallsDecided: No-ops at its beginning are the ring's this time.
  @inline(never)
  private mutating func issuePlanned(_ run: Reference<Run>, areIdleCallsDecided: Bool = false) -> Bool {
    guard let ring = inRing.ring, let planned = activations.plans.segment(run.pointee.plan, run.pointee.cursor.step),
      !run.pointee.isSingleStep
    else {
      return false
    }
    let count = planned.pointee.count
    guard inRing.hasRoom(ring, for: count) else { return false }
    if let maxSteps = options.maxSteps, maxSteps - run.pointee.executed < count { return false }
    if router.isAutomatic {
      // Whether no-ops are the ring's is decided anew each time.
      guard !plain.opened.isThere,
        areIdleCallsDecided || planned.pointee.call(0).pointee.encoding != .nop
          || !plain.sharing.isCollecting && translator.idleCallsMax == 0
      else { return false }
      translator.opened = -1
    }
    guard planned.pointee.patchCount == 0 || planned.pointee.load(memory),
      planned.pointee.conditionCount == 0 || translator.holds(planned)
    else { return false }
    inRing.issue(run, planned, on: ring)
    return true
  }

  /// Submits what is in the queue, to have more room than `room`: nil when there is, and a run that waits when the kernel takes nothing.
  private mutating func makeRoom(_ run: Reference<Run>, on ring: Ring, than room: Int) -> Turn? {
    _ = enter(waitFor: 0, nanoseconds: nil)
    return ring.room > room ? nil : queueForRing(run)
  }
}
