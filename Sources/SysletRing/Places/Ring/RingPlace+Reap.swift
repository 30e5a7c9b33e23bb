// How runs come back from the ring: each CQE finds its call, and what the kernel's answers mean for a run is decided here.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// What became of one call of a segment.
enum Outcome: Equatable {
  case finished(Int)
  /// The kernel did not start it: something before it in the chain severed, or the chain was refused as a whole.
  case notStarted
  /// The ring would not do it; the plain call may (docs/decisions/0005).
  case refused
}

extension RingPlace {
  /// Takes all CQEs that are there, where the kernel has put them, and gives the runs back whose calls have all been answered. Nothing that this calls
  /// enters the kernel.
  ///
  /// - Parameter descriptors: What is forgotten of those that the calls have closed or opened.
  mutating func reap(_ activations: inout Activations, _ descriptors: inout DescriptorFacts) {
    guard let ring else { return }
    while case let count = ring.ready, count > 0 {
      let cqes = ring.cqes
      var position = 0
      while position < count {
        let cqe = cqes[position]
        if UserData.isQuiet(cqe.user_data), case let next = takeQuietly(cqes, from: position, to: count), next > position {
          position = next
          continue
        }
        take(cqe, &activations, &descriptors)
        position &+= 1
      }
      noteTaken(count)
      ring.advance(count)
    }
  }

  /// Takes back the SQEs that the kernel has not taken, whose calls have not been started.
  mutating func retract(_ activations: inout Activations, _ descriptors: inout DescriptorFacts) {
    while let word = ring?.retract() {
      var cqe = syslet_cqe()
      let isCall = UserData.kind(word) == 0
      cqe.user_data = isCall ? word | UserData.withdrawn : word
      // To a cancellation this says that it found nothing: it is due again.
      cqe.res = -ENOENT
      take(cqe, &activations, &descriptors)
      noteTaken(1)
    }
  }

  /// Counts the calls among CQEs that were taken; `takeAuxiliary` has counted the others the other way.
  private mutating func noteTaken(_ count: Int) {
    counts.cqes &+= count
  }

  @inline(__always)
  private mutating func take(_ cqe: syslet_cqe, _ activations: inout Activations, _ descriptors: inout DescriptorFacts) {
    if UserData.isLone(cqe.user_data), takeLone(cqe, &activations) { return }
    let kind = UserData.kind(cqe.user_data)
    guard kind == 0 || kind == UserData.withdrawn else { return takeAuxiliary(cqe) }
    let value = kind == UserData.withdrawn ? Self.neverSubmitted : cqe.res
    var index = UserData.index(cqe.user_data)
    if UserData.isOfFlight(cqe.user_data) {
      if takeInTurn(cqe.user_data, value, &activations) { return }
      index = unfold(cqe.user_data)
    } else {
      precondition(UserData.isCurrent(cqe.user_data, records[index].pointee.generation), "L6: a CQE names a call that is not out")
    }
    let record = records[index]
    precondition(record.pointee.isOut, "L6: a CQE names a call that is not out")
    record.pointee.isOut = false
    record.pointee.value = value
    let isNotable = !record.pointee.call.pointee.nature.isDisjoint(with: .aftermath)
    if isNotable { noteAftermath(record, &descriptors) }
    let run = runMemory[record.pointee.runSlot]
    run.pointee.inRing.callsOut &-= 1
    guard run.pointee.inRing.callsOut == 0 else { return }
    comeBack(run)
    // The way of most: one call, which has succeeded.
    guard run.pointee.inRing.callCount == 1, value >= 0, !isNotable || Self.isItsOwn(record) else {
      return activations.follow(run, conclude(run, activations.memory))
    }
    let tested = activations.memory.store(Int(value), record.pointee.call.pointee.result)
    let verdict = run.pointee.advance(
      record.pointee.call.pointee.atom, record.pointee.call.pointee.flags, run.pointee.inRing.after, result: tested)
    records.release(index)
    activations.follow(run, verdict)
  }

  /// The run has no call in the ring any more.
  @inline(__always)
  private mutating func comeBack(_ run: Reference<Run>) {
    runs &-= 1
    if run.pointee.isCancelled.load(ordering: .relaxed) { stopping.leave() }
    if !run.pointee.inRing.isFinal { openSegments &-= 1 }
  }

  /// A flight of one call that has succeeded, and with it the syslet; false for any other answer.
  @inline(__always)
  private mutating func takeLone(_ cqe: syslet_cqe, _ activations: inout Activations) -> Bool {
    let run = runMemory[UserData.run(cqe.user_data)]
    guard cqe.res >= 0, UserData.quieted(cqe.user_data) == run.pointee.inRing.awaited else { return false }
    let result = run.pointee.inRing.flight!.pointee.result
    if result != 0, activations.memory.store(Int(cqe.res), result) < 0 { return false }
    comeBack(run)
    records.giveBack(1)
    run.pointee.inRing.awaited = 0
    activations.completeLone(run, result: Int(cqe.res))
    return true
  }

  /// Takes the CQEs from `first` on that each are of a flight's call which has succeeded in its turn, and means nothing else: the position of the first that is
  /// not one. In a loop of its own, because as a part of the other each took 41 instructions instead of 19.
  @inline(__always)
  private func takeQuietly(_ cqes: CQESlots, from first: Int, to end: Int) -> Int {
    var position = first
    while position < end {
      let cqe = cqes[position]
      guard UserData.isQuiet(cqe.user_data), cqe.res >= 0 else { break }
      let run = runMemory[UserData.run(cqe.user_data)]
      guard cqe.user_data == run.pointee.inRing.awaited else { break }
      run.pointee.inRing.awaited = cqe.user_data &+ UserData.step
      run.pointee.last.result = Int(cqe.res)
      position &+= 1
    }
    return position
  }

  /// A call of a flight: as long as they succeed in their order, and none stops the syslet before the last, the run is advanced over each at once. False for
  /// any other answer.
  @inline(__always)
  private mutating func takeInTurn(_ word: UInt64, _ value: Int32, _ activations: inout Activations) -> Bool {
    let run = runMemory[UserData.run(word)]
    let position = UserData.position(word)
    let awaited = run.pointee.inRing.awaited
    guard UserData.quieted(word) == awaited, value >= 0 else { return false }
    let call = run.pointee.inRing.flight!.following(Int(position))
    let isLast = position &+ 1 == run.pointee.inRing.callCount
    guard isLast || !call.pointee.flags.stops(on: Int(value)) else { return false }
    let tested = activations.memory.store(Int(value), call.pointee.result)
    if call.pointee.nature.contains(.waits) { waits &-= 1 }
    guard isLast else {
      run.pointee.inRing.awaited = awaited &+ UserData.step
      run.pointee.last.result = tested
      return true
    }
    comeBack(run)
    records.giveBack(Int(run.pointee.inRing.callCount))
    run.pointee.inRing.awaited = 0
    run.pointee.executed &+= Int(position)
    let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, run.pointee.inRing.after, result: tested)
    activations.follow(run, verdict)
    return true
  }

  /// A call of a flight has been answered out of its turn, or has failed, stopped the syslet or not been made: from here on the calls that the run has not been
  /// advanced over have records. This one's.
  @inline(never)
  private mutating func unfold(_ word: UInt64) -> UInt32 {
    let run = runMemory[UserData.run(word)]
    unfold(run)
    let position = UserData.position(word)
    precondition(
      UserData.isCurrent(word, run.pointee.inRing.flights) && run.pointee.inRing.flight != nil && run.pointee.place == .ring
        && run.pointee.inRing.callsAdvanced..<run.pointee.inRing.callCount ~= position, "L6: a CQE names a call that is not out")
    var index = run.pointee.inRing.firstRecord
    for _ in run.pointee.inRing.callsAdvanced..<position { index = records[index].pointee.next }
    return index
  }

  mutating func unfold(_ run: Reference<Run>) {
    guard run.pointee.inRing.awaited != 0, let flight = run.pointee.inRing.flight else { return }
    let advanced = UserData.position(run.pointee.inRing.awaited)
    run.pointee.inRing.awaited = 0
    run.pointee.inRing.callsAdvanced = advanced
    if advanced > 0 {
      let call = flight.following(Int(advanced) - 1)
      run.pointee.last.atom = call.pointee.atom
      run.pointee.last.flags = call.pointee.flags
      run.pointee.executed &+= Int(advanced)
      run.pointee.inRing.callsOut &-= advanced
    }
    records.giveBack(Int(run.pointee.inRing.callCount))
    var previous = CallSlab.end
    for position in advanced..<run.pointee.inRing.callCount {
      let index = records.take()
      let record = records[index]
      record.pointee.call = flight.following(Int(position))
      record.pointee.runSlot = run.pointee.slot
      if previous == CallSlab.end { run.pointee.inRing.firstRecord = index } else { records[previous].pointee.next = index }
      previous = index
    }
  }

  /// Whether the result of a call that has succeeded is the system call's own in any case. An open that should have waited has none yet, and poll's is
  /// made of the ring's.
  private static func isItsOwn(_ record: Reference<CallRecord>) -> Bool {
    !record.pointee.call.pointee.nature.contains(.open) && record.pointee.call.pointee.encoding != .poll
  }

  /// What a call leaves behind that others depend on.
  private mutating func noteAftermath(_ record: Reference<CallRecord>, _ descriptors: inout DescriptorFacts) {
    let call = record.pointee.call.pointee
    if call.nature.contains(.waits) { waits &-= 1 }
    guard call.nature.contains(.descriptors) else { return }
    // Between its issue and its end others may have asked what the number names.
    if call.encoding == .close { descriptors.forget(Int32(truncatingIfNeeded: call.firstArgument)) }
    if record.pointee.value >= 0 { descriptors.forget(record.pointee.value) }
  }

  private mutating func takeAuxiliary(_ cqe: syslet_cqe) {
    noteTaken(-1)
    if UserData.kind(cqe.user_data) == UserData.doorbell {
      if cqe.user_data == UserData.poller { doorbell.isPollerArmed = false } else { doorbell.isArmed = false }
      return
    }
    cancellations -= 1
    let slot = UserData.index(cqe.user_data)
    // Not found: the call it was meant for had just ended, or had not started. `cancelDue` tries the next one, if the slot still holds a
    // run that is to be cancelled.
    // What a device has is not found either, again and again, until the device is done.
    if cqe.res == -ENOENT {
      runMemory[slot].pointee.inRing.cancelledRecord = CallSlab.end
      if stopping.isDue { stopping.wait() }
    }
  }

  /// All calls of the run's segment have been answered: advances the run over those that are left, in order, for as long as they have run.
  private mutating func conclude(_ run: Reference<Run>, _ memory: AtomMemory) -> Verdict {
    var index = run.pointee.inRing.firstRecord
    var left =
      run.pointee.inRing.flight == nil ? run.pointee.inRing.callCount : run.pointee.inRing.callCount &- run.pointee.inRing.callsAdvanced
    var verdict = Verdict.route
    // As far as its calls tell: it may have been refused as a whole when the kernel prepared it.
    var hasRun = left < run.pointee.inRing.callCount
    while left > 0 {
      let record = records[index]
      left &-= 1
      let next = left > 0 ? record.pointee.next : CallSlab.end
      let isFirst = left &+ 1 == run.pointee.inRing.callCount
      switch outcome(run, record, next, &hasRun) {
      case .finished(let result):
        let tested = memory.store(result, record.pointee.call.pointee.result)
        let after = left > 0 ? records[next].pointee.call.pointee.atom : run.pointee.inRing.after
        let flags = record.pointee.call.pointee.flags
        verdict = run.pointee.advance(record.pointee.call.pointee.atom, flags, after, result: tested)
        records.release(index)
        index = next
        // A stop leaves the straight line, whether it ends the syslet or skips. Only a segment's last call can do so without one.
        guard left > 0, flags.stops(on: tested) else { continue }
        checkStopped(from: index, left, hasRun: hasRun)
      case .notStarted:
        verdict = .route
        run.pointee.cursor = record.pointee.call.pointee.atom
        if !run.pointee.isCancelled.load(ordering: .relaxed) { counts.resumed += 1 }
        // The chain was refused as a whole; one call at a time finds the one it was refused for.
        if isFirst { run.pointee.inRing.isSingleStep = true }
        records.release(index)
        index = next
      case .refused:
        verdict = .route
        run.pointee.cursor = record.pointee.call.pointee.atom
        run.pointee.reached.isThere = true
        counts.refused += 1
        records.release(index)
        index = next
      }
      while left > 0 {
        let next = records[index].pointee.next
        records.release(index)
        index = next
        left &-= 1
      }
    }
    return verdict
  }

  /// The syslet has stopped before these calls, so none of them may have run (law L1).
  ///
  /// - Parameter hasRun: Something before them has.
  private mutating func checkStopped(from first: UInt32, _ count: UInt32, hasRun: Bool) {
    var index = first
    for _ in 0..<count {
      let record = records[index]
      let value = Int(record.pointee.value)
      if !Self.hasNotRun(value), hasRun || !Self.isRefusedAtPreparation(value) {
        // L1 does not hold here, whatever the self-test saw. What ran cannot be taken back, but nothing more may follow it.
        let row = Operation.ringRows.first { $0.encoding == record.pointee.call.pointee.encoding } ?? Operation.unlistedRow
        health.failure = health.failure ?? .stopOverrun(operation: "\(row.name)", result: value)
      }
      index = record.pointee.next
    }
  }

  /// Whether the value says that the kernel did not come to the call.
  private static func hasNotRun(_ value: Int) -> Bool { value == -Int(ECANCELED) || value == Int(neverSubmitted) }

  /// Whether the kernel may have refused a call so while it prepared its chain. Then it has run nothing of the chain, but has prepared what stands behind,
  /// of which each may have been refused too, with an error of its own.
  private static func isRefusedAtPreparation(_ value: Int) -> Bool {
    switch Int32(truncatingIfNeeded: -value) {
    case EINVAL, EOPNOTSUPP, EFAULT, ENOENT, ENAMETOOLONG, ENOMEM, E2BIG, EMSGSIZE, ENOBUFS: true
    default: false
    }
  }

  /// What a CQE's result says about its call, with the record of the call behind it in the segment, if there is one (law L9).
  @inline(__always)
  private func outcome(_ run: Reference<Run>, _ record: Reference<CallRecord>, _ next: UInt32, _ hasRun: inout Bool) -> Outcome {
    let value = Int(record.pointee.value)
    if value < 0 {
      hasRun = hasRun || !Self.isRefusedAtPreparation(value)
      let nextValue = next == CallSlab.end ? nil : Int(records[next].pointee.value)
      return failedOutcome(run, record.pointee.call.pointee, value, nextValue, hasRun: hasRun)
    }
    hasRun = true
    if record.pointee.call.pointee.nature.isDisjoint(with: [.waits, .open]) { return .finished(value) }
    // The ring opens a FIFO without waiting for its other end. The open is made again by a worker, who waits, and until then the FIFO has a reader, as
    // it has while an open waits.
    if record.pointee.call.pointee.nature.contains(.open), hasNotWaited(run, record) { return .refused }
    // Of the calls that succeed only poll's results are not the system call's own.
    guard record.pointee.call.pointee.encoding == .poll else { return .finished(value) }
    return record.pointee.call.pointee.encoding.systemCallResult(value, record.pointee.call.pointee.firstArgument).map { .finished($0) }
      ?? .refused
  }

  @inline(never)  // Within `reap` it keeps from being inlined there what most runs need.
  private func failedOutcome(_ run: Reference<Run>, _ call: StagedCall, _ value: Int, _ nextValue: Int?, hasRun: Bool) -> Outcome {
    if value == Int(Self.neverSubmitted) { return .notStarted }
    // What has run behind a call must not be overtaken by making the call again. If the chain was refused, and so is the next one, neither has; where nothing
    // stops here, it may be that both have run.
    let mayBeRefused = !hasRun && call.flags.stops(on: value)
    let isLastToRun = nextValue.map { Self.hasNotRun($0) || mayBeRefused && Self.isRefusedAtPreparation($0) } ?? true
    let isInterrupted = run.pointee.isCancelled.load(ordering: .relaxed) && call.encoding.isUndoneByInterruption
    switch Int32(truncatingIfNeeded: -value) {
    case ECANCELED where (nextValue ?? -1) < 0:
      // Only a success behind it proves that it was started: a member that fails at preparation has its own error, and the others this one.
      if run.pointee.isCancelled.load(ordering: .relaxed) || run.pointee.inRing.callCount > 1 { return .notStarted }
      // Alone in its segment it is the call's own result, or the kernel has no thread for what it hands to its workers, and may start none
      // (RLIMIT_NPROC): such calls name or examine something, and have not been made.
      return call.nature.contains(.ofDescriptor) ? .finished(value) : .refused
    case EINTR where isInterrupted && isLastToRun:
      return .notStarted
    case Self.restartFirst...Self.restartLast:
      // The kernel's own word for "interrupted, begin again", which io_uring lets through for splice and tee.
      return isInterrupted && isLastToRun ? .notStarted : .finished(-Int(EINTR))
    case EINVAL, EOPNOTSUPP:
      // Only where nothing can have happened the call is made again (`RingKnowledge.isRepeatable`).
      if isLastToRun, call.nature.contains(.repeatable) { return .refused }
      return .finished(call.encoding.isMessage ? call.encoding.systemCallResult(value, call.firstArgument) ?? value : value)
    // An open: what looks a name up and gives a descriptor.
    case ENXIO where call.nature.isSuperset(of: [.names, .descriptors]):
      // A FIFO that nobody reads: open(2) waits for a reader. Nothing has been opened.
      return isLastToRun ? .refused : .finished(value)
    default:
      return call.encoding.systemCallResult(value, call.firstArgument).map { .finished($0) } ?? .refused
    }
  }

  /// Whether what was opened is a FIFO whose open should have waited; then the run holds it.
  private func hasNotWaited(_ run: Reference<Run>, _ record: Reference<CallRecord>) -> Bool {
    guard Interpreter.isFIFO(record.pointee.value), !Self.isNonblocking(record.pointee.value) else { return false }
    run.pointee.hold(record.pointee.value)
    return true
  }

  private static func isNonblocking(_ descriptor: Int32) -> Bool {
    let flags = syslet_call(SystemCall.fcntl, UInt64(argument: descriptor), UInt64(argument: F_GETFL), 0, 0, 0, 0)
    return flags < 0 || flags & Int(O_NONBLOCK) != 0 || flags & Int(O_ACCMODE) != Int(O_RDONLY)
  }

  /// ERESTARTSYS to ERESTART_RESTARTBLOCK, which no header for programs has.
  private static let restartFirst: Int32 = 512
  private static let restartLast: Int32 = 516

  /// The value of a call whose SQE never reached the kernel; no system call returns it.
  private static let neverSubmitted = Int32.min
}
