// Where not a single worker can be started (RLIMIT_NPROC, no memory): the owner makes the calls that do not wait for another party.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  /// Takes back what the pool has, makes each run's next call here if it cannot wait for another party, and lets the run be routed again. Whether any is
  /// left, which the pool has then.
  mutating func makeWithoutThreads() -> Bool {
    guard let pool = workers.pool else { return false }
    var returned = RunQueue()
    var waiting = RunQueue()
    // No thread exists, so nobody else takes them.
    workers.takeBack(&returned)
    while let run = returned.popFirst(in: activations.runs) {
      if run.pointee.isCancelled.load(ordering: .relaxed) { workers.stopping.leave() }
      if !makeWithoutThread(run) { waiting.append(run, in: activations.runs) }
    }
    // A call may have closed a descriptor, or opened one.
    translator.descriptors.forgetAll()
    workers.isStalled = false
    guard !waiting.isEmpty else { return false }
    // None of them is cancelled: those have ended.
    workers.count += waiting.count
    workers.isStalled = pool.submit(&waiting, isAlone: false) < 0
    return workers.isStalled
  }

  /// False if the run's next call may wait.
  private mutating func makeWithoutThread(_ run: Reference<Run>) -> Bool {
    let call = scratch.call
    if run.pointee.isCancelled.load(ordering: .relaxed) {
      activations.complete(run, poller.stop(run, memory))
      return true
    }
    if let verdict = memory.fetch(run, into: call) {
      activations.follow(run, verdict)
      return true
    }
    guard run.pointee.reached.heldDescriptor < 0, let result = resultWithoutWaiting(run, call) else { return false }
    run.pointee.reached.isThere = false
    owner.noteCall()
    let tested = memory.store(result, call.pointee.result)
    activations.follow(run, run.pointee.advance(call.pointee.atom, call.pointee.flags, call.pointee.next, result: tested))
    return true
  }

  /// nil where the call may wait for another party, and has not been made: one that has no row may, one that reads or writes something else than a file, and
  /// the open of a FIFO.
  private func resultWithoutWaiting(_ run: Reference<Run>, _ call: Reference<Call>) -> Int? {
    let form = call.pointee.form
    guard call.pointee.traits.isDisjoint(with: [.unlisted, .waits]), !DescriptorFacts.mayWait(call),
      !form.isTransfer || syslet_descriptor_is_file(call.pointee.arguments.descriptor(0)) != 0
    else { return nil }
    switch form.encoding {
    case .openAt2: return nil
    case .open, .openAt, .create:
      let open = form.openArguments(call.pointee.arguments)
      guard UInt32(bitPattern: open.flags) & (UInt32(O_NONBLOCK) | OpenFlags.pathOnly) == 0 else { break }
      let result = unsafe syslet_open_now(open.directory, UnsafePointer<CChar>(bitPattern: UInt(open.path)), open.flags, open.mode)
      let opened = Int32(truncatingIfNeeded: result)
      if result >= 0, OpenFlags.mayHaveToWait(UInt32(bitPattern: open.flags)), Interpreter.isFIFO(opened) {
        // Whoever makes the open when there is a thread finds the FIFO with a reader, as it has one while an open waits.
        run.pointee.hold(opened)
        run.pointee.reached.isThere = true
        return nil
      }
      if result >= 0 { syslet_open_settle(opened, open.flags) }
      return result == -Int(EAGAIN) ? nil : Int(result)
    default: break
    }
    return Interpreter.make(call, isChecked: options.isChecked)
  }
}
