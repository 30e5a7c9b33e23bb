// The workers' runs: handed over together, and taken back through the mailbox.

extension Core {
  /// - Parameter row: The plain call that the worker begins with, if what that takes is worth knowing.
  mutating func handOver(_ run: Reference<Run>, _ call: Reference<Call>, timedAs row: UInt16 = Run.untimed) -> Turn {
    run.pointee.isSynchronous = false
    run.pointee.place = .worker
    run.pointee.onWorker.row = row
    run.pointee.onWorker.mayWait = DescriptorFacts.mayWait(call)
    workers.queue.append(run, in: activations.runs)
    return .left
  }

  /// Takes the open of a FIFO back: a worker makes it, and waits in it.
  mutating func reopen(_ run: Reference<Run>) -> Turn {
    owner.opened.takeBack(run)
    // What is handed over is the open, and not what was reached behind it.
    if case .finish(let reason)? = memory.fetch(run, into: scratch.call) { return .finished(reason) }
    return handOver(run, scratch.call)
  }

  mutating func handOverAll(isAlone: Bool = false) throws(EngineError) {
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
    workers.pool = workers.make(
      ThreadPlaceTerms(
        runs: activations.runs, mail: try openMailbox(),
        execution: RunExecution(memory: memory, router: router, stepsMax: options.maxSteps), threadsMax: options.maxWorkers,
        interruptSignal: options.interruptSignal ?? 0))
  }

  mutating func openMailbox() throws(EngineError) -> Mailbox {
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
  mutating func check(_ started: Int) throws(EngineError) {
    workers.isStalled = started < 0
    guard workers.isStalled, makeWithoutThreads() else { return }
    // The ring's runs go on all the same.
    if inRing.ring != nil {
      _ = enter(waitFor: 0, nanoseconds: nil)
      drain()
    }
    throw .kernel(call: "pthread_create", errno: Int32(-started))
  }

  @inline(never)
  mutating func takeMail(_ mail: Mailbox) {
    let (costs, limit) = (placer.costs, placer.turn.limit)
    let hasMail = workers.reap(mail, &activations) { run in
      costs.note(run.pointee.onWorker.row, run.pointee.onWorker.nanoseconds, calls: run.pointee.onWorker.calls, limit: limit)
    }
    // A worker may have closed a descriptor, duplicated another over it, or set O_NONBLOCK.
    if hasMail { translator.descriptors.forgetAll() }
  }
}
