// The ring's side of the loop: enter, reap, and what the kernel's answers mean for a run.

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

extension Core {
  /// Submits what was issued and waits for `count` CQEs. 0 or more, or -EINTR, -ETIME, -EAGAIN, -EBUSY: everything else breaks the engine.
  @inline(__always)
  mutating func enter(waitFor count: Int, nanoseconds: Int64?) -> Int {
    guard let ring = inRing.ring, !inRing.isLost else { return 0 }
    statistics.enters &+= 1
    let result = ring.enter(waitFor: count, nanoseconds: nanoseconds)
    if ring.queued > 0 { ring.mend() }
    inRing.refusals.count = result < 0 ? refusalsAfter(result) : 0
    return result
  }

  /// Sees to an enter that failed: how many the kernel has refused in a row.
  private mutating func refusalsAfter(_ result: Int) -> Int {
    switch -Int32(truncatingIfNeeded: result) {
    // An enter whose time ran out has waited, which one with something to submit does only when the kernel has taken all of it.
    case ETIME: return 0
    case EINTR: break
    case let errno where errno == EAGAIN || errno == EBUSY:
      // The kernel cannot take more now: what it has must be reaped first. The callers reap and come again, after a while if it goes on.
      reap()
      inRing.refusals.errno = errno
      if inRing.refusals.count >= Self.refusalsAtOnce { usleep(1000) }
      return inRing.refusals.count + 1
    case EBADR:
      // A CQE was lost for good: nothing that is in flight can be trusted to end.
      fail(.kernel(call: "io_uring_enter (a completion was lost by the kernel)", errno: EBADR))
    case let errno:
      fail(.kernel(call: "io_uring_enter", errno: errno))
    }
    return inRing.refusals.count
  }

  private static let refusalsAtOnce = 20

  /// The first failure ends the engine's work; what is out may still come back by further enters. The second one ends that too.
  private mutating func fail(_ error: EngineError) {
    if failure != nil { inRing.isLost = true }
    failure = failure ?? error
  }

  /// Takes all CQEs that are there, where the kernel has put them. Nothing that this calls enters the kernel.
  mutating func reap() {
    guard let ring = inRing.ring else { return }
    while case let count = ring.ready, count > 0 {
      let cqes = ring.cqes
      for position in 0..<count { take(cqes[position]) }
      noteTaken(count)
      ring.advance(count)
    }
  }

  /// Counts the calls among CQEs that have been taken; `takeAuxiliary` has counted the others the other way.
  mutating func noteTaken(_ count: Int) {
    inRing.calls &-= count
    statistics.cqes &+= count
  }

  /// Takes a CQE, which `noteTaken` counts.
  @inline(__always)
  mutating func take(_ cqe: syslet_cqe) {
    if UserData.isQuiet(cqe.user_data), takeQuietly(cqe) { return }
    let kind = UserData.kind(cqe.user_data)
    guard kind == 0 || kind == UserData.withdrawn else { return takeAuxiliary(cqe) }
    let value = kind == UserData.withdrawn ? Self.neverSubmitted : cqe.res
    if UserData.isOfFlight(cqe.user_data) { return takeOfFlight(cqe.user_data, value) }
    let index = UserData.index(cqe.user_data)
    precondition(
      UserData.isCurrent(cqe.user_data, inRing.records[index].pointee.generation), "L6: a CQE names a call that is not out")
    take(index, value)
  }

  /// A call that has a record has been answered.
  @inline(__always)
  private mutating func take(_ index: UInt32, _ value: Int32) {
    let record = inRing.records[index]
    precondition(record.pointee.isOut, "L6: a CQE names a call that is not out")
    record.pointee.isOut = false
    record.pointee.value = value
    let isNotable = !record.pointee.call.pointee.nature.isDisjoint(with: .aftermath)
    if isNotable { noteAftermath(record) }
    let run = runs[record.pointee.runSlot]
    run.pointee.callsOut &-= 1
    guard run.pointee.callsOut == 0 else { return }
    comeBack(run)
    // The way of most: one call, which has succeeded.
    guard run.pointee.callCount == 1, record.pointee.value >= 0, !isNotable || Self.isItsOwn(record) else { return conclude(run) }
    let tested = memory.store(Int(record.pointee.value), record.pointee.call.pointee.result)
    let verdict = run.pointee.advance(
      record.pointee.call.pointee.atom, record.pointee.call.pointee.flags, run.pointee.afterSegment, result: tested)
    inRing.records.release(index)
    follow(run, verdict)
  }

  /// The run has no call in the ring any more.
  @inline(__always)
  private mutating func comeBack(_ run: Reference<Run>) {
    inRing.runs &-= 1
    if run.pointee.isCancelled.load(ordering: .relaxed) { inRing.stopping.leave() }
    if !run.pointee.isFinalSegment { inRing.openSegments &-= 1 }
  }

  /// A call of a flight that has succeeded in its turn, and means nothing else; false for any other.
  @inline(__always)
  private func takeQuietly(_ cqe: syslet_cqe) -> Bool {
    let run = runs[UserData.run(cqe.user_data)]
    guard cqe.res >= 0, cqe.user_data == run.pointee.awaited else { return false }
    run.pointee.awaited = cqe.user_data &+ UserData.step
    run.pointee.lastResult = Int(cqe.res)
    return true
  }

  /// A call of a planned segment has been answered: as long as they succeed in their order, and none stops the syslet before the last, the run is advanced
  /// over each at once. What else comes unfolds the flight.
  @inline(__always)
  private mutating func takeOfFlight(_ word: UInt64, _ value: Int32) {
    let run = runs[UserData.run(word)]
    let position = UserData.position(word)
    let awaited = run.pointee.awaited
    guard UserData.quieted(word) == awaited, value >= 0 else { return takeUnfolded(run, word, value) }
    let call = run.pointee.flight!.following(Int(position))
    let isLast = position &+ 1 == run.pointee.callCount
    guard isLast || !call.pointee.flags.stops(on: Int(value)) else { return takeUnfolded(run, word, value) }
    let tested = memory.store(Int(value), call.pointee.result)
    if call.pointee.nature.contains(.waits) { inRing.waits &-= 1 }
    guard isLast else {
      run.pointee.awaited = awaited &+ UserData.step
      run.pointee.lastResult = tested
      return
    }
    comeBack(run)
    inRing.records.giveBack(Int(run.pointee.callCount))
    run.pointee.awaited = 0
    run.pointee.executed &+= Int(position)
    let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, run.pointee.afterSegment, result: tested)
    guard case .finish(let reason) = verdict else { return follow(run, verdict) }
    completeFlight(run, reason)
  }

  /// A call has been answered out of its order, or has failed, stopped the syslet or not been made: from here on the calls that the run has not been advanced
  /// over have records.
  @inline(never)
  private mutating func takeUnfolded(_ run: Reference<Run>, _ word: UInt64, _ value: Int32) {
    unfold(run)
    let position = UserData.position(word)
    precondition(
      UserData.isCurrent(word, run.pointee.flights) && run.pointee.hasFlown && run.pointee.place == .ring
        && run.pointee.callsAdvanced..<run.pointee.callCount ~= position, "L6: a CQE names a call that is not out")
    var index = run.pointee.firstRecord
    for _ in run.pointee.callsAdvanced..<position { index = inRing.records[index].pointee.next }
    take(index, value)
  }

  private mutating func unfold(_ run: Reference<Run>) {
    guard run.pointee.awaited != 0, let flight = run.pointee.flight else { return }
    let advanced = UserData.position(run.pointee.awaited)
    run.pointee.awaited = 0
    run.pointee.callsAdvanced = advanced
    if advanced > 0 {
      let call = flight.following(Int(advanced) - 1)
      run.pointee.last = call.pointee.atom
      run.pointee.lastFlags = call.pointee.flags
      run.pointee.executed &+= Int(advanced)
      run.pointee.callsOut &-= advanced
    }
    inRing.records.giveBack(Int(run.pointee.callCount))
    var previous = CallSlab.end
    for position in advanced..<run.pointee.callCount {
      let index = inRing.records.take()
      let record = inRing.records[index]
      record.pointee.call = flight.following(Int(position))
      record.pointee.runSlot = run.pointee.slot
      if previous == CallSlab.end { run.pointee.firstRecord = index } else { inRing.records[previous].pointee.next = index }
      previous = index
    }
  }

  /// Whether the result of a call that has succeeded is the system call's own in any case. An open that should have waited has none yet, and poll's is
  /// made of the ring's.
  private static func isItsOwn(_ record: Reference<CallRecord>) -> Bool {
    !record.pointee.call.pointee.nature.contains(.open) && record.pointee.call.pointee.encoding != .poll
  }

  /// What a call leaves behind that others depend on.
  private mutating func noteAftermath(_ record: Reference<CallRecord>) {
    let call = record.pointee.call.pointee
    if call.nature.contains(.waits) { inRing.waits &-= 1 }
    guard call.nature.contains(.descriptors) else { return }
    // Between its issue and its end others may have asked what the number names.
    if call.encoding == .close { translator.descriptors.forget(Int32(truncatingIfNeeded: call.firstArgument)) }
    if record.pointee.value >= 0 { translator.descriptors.forget(record.pointee.value) }
  }

  private mutating func takeAuxiliary(_ cqe: syslet_cqe) {
    noteTaken(-1)
    if UserData.kind(cqe.user_data) == UserData.doorbell {
      if cqe.user_data == UserData.poller { inRing.isPollerArmed = false } else { inRing.doorbell.isArmed = false }
      return
    }
    inRing.cancellations -= 1
    let slot = UserData.index(cqe.user_data)
    // Not found: the call it was meant for had just ended, or had not started. `cancelDue` tries the next one, if the slot still holds a
    // run that is to be cancelled.
    // What a device has is not found either, again and again, until the device is done.
    if cqe.res == -ENOENT {
      runs[slot].pointee.cancelledRecord = CallSlab.end
      if inRing.stopping.isDue { inRing.stopping.wait() }
    }
  }

  /// All calls of the run's segment have been answered: advances the run over those that are left, in order, for as long as they have run.
  private mutating func conclude(_ run: Reference<Run>) {
    var index = run.pointee.firstRecord
    var left = run.pointee.callCount &- run.pointee.callsAdvanced
    var verdict = Verdict.route
    while left > 0 {
      let record = inRing.records[index]
      left &-= 1
      let next = left > 0 ? record.pointee.next : CallSlab.end
      let isFirst = left &+ 1 == run.pointee.callCount
      switch outcome(run, record, next) {
      case .finished(let result):
        let tested = memory.store(result, record.pointee.call.pointee.result)
        let after = left > 0 ? inRing.records[next].pointee.call.pointee.atom : run.pointee.afterSegment
        let flags = record.pointee.call.pointee.flags
        verdict = run.pointee.advance(record.pointee.call.pointee.atom, flags, after, result: tested)
        inRing.records.release(index)
        index = next
        // A stop leaves the straight line, whether it ends the syslet or skips. Only a segment's last call can do so without one.
        guard left > 0, flags.stops(on: tested) else { continue }
        checkStopped(from: index, left)
      case .notStarted:
        verdict = .route
        run.pointee.cursor = record.pointee.call.pointee.atom
        if !run.pointee.isCancelled.load(ordering: .relaxed) { statistics.resumed += 1 }
        // The chain was refused as a whole; one call at a time finds the one it was refused for.
        if isFirst { run.pointee.isSingleStep = true }
        inRing.records.release(index)
        index = next
      case .refused:
        verdict = .route
        run.pointee.cursor = record.pointee.call.pointee.atom
        run.pointee.isUnderway = true
        statistics.refused += 1
        inRing.records.release(index)
        index = next
      }
      while left > 0 {
        let next = inRing.records[index].pointee.next
        inRing.records.release(index)
        index = next
        left &-= 1
      }
    }
    follow(run, verdict)
  }

  /// The syslet has stopped before these calls, so none of them may have run (law L1).
  private mutating func checkStopped(from first: UInt32, _ count: UInt32) {
    var index = first
    for _ in 0..<count {
      let record = inRing.records[index]
      let value = Int(record.pointee.value)
      if value != -Int(ECANCELED), value != Int(Self.neverSubmitted) {
        // L1 does not hold here, whatever the self-test saw. What ran cannot be taken back, but nothing more may follow it.
        let row = Operation.ringRows.first { $0.encoding == record.pointee.call.pointee.encoding } ?? Operation.unlistedRow
        failure = failure ?? .stopOverrun(operation: "\(row.name)", result: value)
      }
      index = record.pointee.next
    }
  }

  /// What a CQE's result says about its call, with the record of the call behind it in the segment, if there is one (law L9).
  @inline(__always)
  private func outcome(_ run: Reference<Run>, _ record: Reference<CallRecord>, _ next: UInt32) -> Outcome {
    let value = Int(record.pointee.value)
    if value < 0 {
      return failedOutcome(run, record.pointee.call.pointee, value, next == CallSlab.end ? nil : Int(inRing.records[next].pointee.value))
    }
    if record.pointee.call.pointee.nature.isDisjoint(with: [.waits, .open]) { return .finished(value) }
    // The ring opens a FIFO without waiting for its other end. The open is made again by a worker, who waits, and until then the FIFO has a reader, as
    // it has while an open waits.
    if record.pointee.call.pointee.nature.contains(.open), hasNotWaited(run, record) { return .refused }
    // Of the calls that succeed only poll's results are not the system call's own.
    guard record.pointee.call.pointee.encoding == .poll else { return .finished(value) }
    return record.pointee.call.pointee.encoding.systemCallResult(value, record.pointee.call.pointee.firstArgument).map { .finished($0) }
      ?? .refused
  }

  private func failedOutcome(_ run: Reference<Run>, _ call: StagedCall, _ value: Int, _ nextValue: Int?) -> Outcome {
    if value == Int(Self.neverSubmitted) { return .notStarted }
    // What has run behind a call must not be overtaken by making the call again.
    let isLastToRun = nextValue == nil || nextValue == -Int(ECANCELED) || nextValue == Int(Self.neverSubmitted)
    let isCancelled = run.pointee.isCancelled.load(ordering: .relaxed)
    switch Int32(truncatingIfNeeded: -value) {
    case ECANCELED where (nextValue ?? -1) < 0:
      // Only a success behind it proves that it was started: a member that fails at preparation has its own error, and the others this one.
      if isCancelled || run.pointee.callCount > 1 { return .notStarted }
      // Alone in its segment it is the call's own result, or the kernel has no thread for what it hands to its workers, and may start none
      // (RLIMIT_NPROC): such calls name or examine something, and have not been made.
      return call.nature.contains(.ofDescriptor) ? .finished(value) : .refused
    case EINTR where isCancelled && isLastToRun:
      return .notStarted
    case Self.restartFirst...Self.restartLast:
      // The kernel's own word for "interrupted, begin again", which io_uring lets through for splice and tee.
      return isCancelled && isLastToRun ? .notStarted : .finished(-Int(EINTR))
    case EINVAL, EOPNOTSUPP:
      // Only where nothing can have happened the call is made again (`RingKnowledge.isRepeatable`).
      return isLastToRun && call.nature.contains(.repeatable) ? .refused : .finished(value)
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
    run.pointee.heldDescriptor = record.pointee.value
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

  /// Does what a verdict asks for, with a run that the owner has.
  @inline(__always)
  mutating func follow(_ run: Reference<Run>, _ verdict: Verdict) {
    switch verdict {
    case .finish(let reason):
      complete(run, reason)
    case .route:
      if run.pointee.isCancelled.load(ordering: .relaxed) { return complete(run, stopParked(run)) }
      run.pointee.place = .ready
      ready.append(run, in: runs.memory)
    }
  }

  /// Asks the kernel to cancel what cancelled runs have in it. Only the call of a chain that is running can be found, the first that has not
  /// been answered, so this is repeated as the chain goes on. Never while CQEs are being taken: it may enter.
  mutating func cancelDue() {
    guard inRing.stopping.count > 0, inRing.stopping.isDue else { return }
    // Asking may enter, and take back the runs that come next.
    for slot in inRing.stopping.slots(on: .ring, in: runs.memory) where runs[slot].pointee.isStopping(on: .ring) {
      cancelOnRing(runs[slot])
    }
  }

  private mutating func cancelOnRing(_ run: Reference<Run>) {
    unfold(run)
    var index = run.pointee.firstRecord
    var position = run.pointee.callsAdvanced
    while index != CallSlab.end, !inRing.records[index].pointee.isOut {
      index = inRing.records[index].pointee.next
      position &+= 1
    }
    guard index != CallSlab.end, run.pointee.cancelledRecord != index else { return }
    // A hard link lets the next call run even behind a cancelled one. What is linked so does not wait, and ends by itself.
    guard inRing.records[index].pointee.call.pointee.link != .hard else { return }
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(SYSLET_OP_ASYNC_CANCEL)
    sqe.fd = -1
    sqe.addr =
      run.pointee.hasFlown
      ? UserData.flight(run.pointee.slot, run.pointee.flights)
        | UserData.position(Int(position), isQuiet: inRing.records[index].pointee.call.pointee.isQuiet)
      : UserData.call(index, inRing.records[index].pointee.generation)
    sqe.user_data = UserData.cancellation | UInt64(run.pointee.slot)
    guard issueAuxiliary(&sqe) else { return }
    run.pointee.cancelledRecord = index
    inRing.cancellations += 1
  }

  /// Keeps a read of the workers' doorbell waiting in the ring, so that a run that comes back ends the ring's wait.
  mutating func armDoorbell() {
    guard let mail, !inRing.doorbell.isArmed else { return }
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(SYSLET_OP_READ)
    sqe.fd = mail.doorbell
    sqe.addr = unsafe UInt64(UInt(bitPattern: inRing.doorbell.buffer))
    sqe.len = 8
    sqe.user_data = UserData.doorbell
    inRing.doorbell.isArmed = issueAuxiliary(&sqe)
  }

  mutating func issueAuxiliary(_ sqe: inout syslet_sqe) -> Bool {
    guard let ring = inRing.ring else { return false }
    if ring.room == 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    guard unsafe ring.issue(&sqe, 1) else { return false }
    statistics.auxiliarySQEs += 1
    return true
  }
}
