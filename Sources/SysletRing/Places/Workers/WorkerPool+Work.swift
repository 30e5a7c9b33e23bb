// What a worker thread does: it takes runs, executes their atoms, and gives them back.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension WorkerPool {
  /// The life of a thread.
  func work(in generation: Generation) {
    let worker = Worker(unsafe syslet_thread_begin("syslet-worker"), generation)
    Census.countWorker(1)
    defer { Census.countWorker(-1) }
    lock()
    generation.isWaking = false
    while true {
      while !hasWork(generation) {
        guard !isStopping, generation === present, sleep(worker) || hasWork(generation) else {
          leave(generation)
          unlock()
          return
        }
      }
      guard hasRights(worker) else { return resign(worker) }
      // It was away from the mutex.
      guard let (run, isShared) = begin(worker) else { continue }
      // Whoever was moved to the owner's processor must not be in its way with something else, nor start a thread, which would stay there.
      let isAlone = run.pointee.slot == aloneSlot
      if isAlone { aloneSlot = RunSlab.end }
      if !isAlone || hasWork(generation) { place(worker, isAlone: false) }
      let summons = summon(generation, mayStart: true)
      unlock()
      _ = follow(summons)
      terms.execution.execute(run, worker.scratch.call, on: worker.thread) { waits in
        waits == worker.isWaiting || changeWaiting(worker, to: waits)
      }
      terms.mail.deliver(run)
      lock()
      if isShared { shared.takers -= 1 }
      if worker.isWaiting { endWaiting(worker) }
    }
  }

  /// Under the mutex: the next run, and whether the owner may take those like it back.
  private func begin(_ worker: Worker) -> (run: Reference<Run>, isShared: Bool)? {
    let generation = worker.generation
    // Neither queue keeps the other waiting.
    let takesWaiting =
      !generation.waiting.isEmpty && (generation.prefersWaiting || generation.ordinary.isEmpty) && mayWait(generation)
    generation.prefersWaiting = !takesWaiting
    if takesWaiting, let run = generation.waiting.popFirst(in: runs) {
      progress.taken &+= 1
      beginWaiting(worker)
      return (run, false)
    }
    if let run = generation.ordinary.popFirst(in: runs) {
      noteTaken()
      return (run, false)
    }
    guard generation === present, shared.takers < shared.takersMax, let run = shared.queue.popFirst(in: runs) else { return nil }
    noteTaken()
    shared.takers += 1
    return (run, true)
  }

  private func noteTaken() {
    progress.taken &+= 1
    if waiters >= workersMax { tally.reserveRuns += 1 }
  }

  // MARK: Rights

  /// Under the mutex, which it leaves and takes again: whether the thread may do no more than its generation. The C library's set*id calls change
  /// every thread of the process, workers included, whatever generation they are of. Looked at for each hand-over and every 20 µs: for each run it would
  /// be a tenth of what a quick one takes, and between the look and the call there is always a moment.
  private func hasRights(_ worker: Worker) -> Bool {
    let now = syslet_ticks()
    guard worker.handOverSeen != progress.handOvers || now &- worker.rightsSeenAt > Self.lookTicks else { return true }
    worker.handOverSeen = progress.handOvers
    worker.rightsSeenAt = now
    unlock()
    let hasRights = worker.generation.rights.coverCallingThread
    lock()
    return hasRights
  }

  private static let lookTicks = 20 * syslet_ticks_per_microsecond()

  /// Under the mutex, which it leaves: the thread ends, because it has other rights than its work was handed over with. The others of its generation
  /// look for themselves; the last one gives the work back to the owner.
  private func resign(_ worker: Worker) {
    let generation = worker.generation
    var orphans = RunQueue()
    if generation.threads == 1 {
      while let run = generation.ordinary.popFirst(in: runs) { orphans.append(run, in: runs) }
      while let run = generation.waiting.popFirst(in: runs) { orphans.append(run, in: runs) }
      while generation === present, let run = shared.queue.popFirst(in: runs) { orphans.append(run, in: runs) }
    }
    let isOver = generation !== present
    leave(generation)
    let summons = summon(generation, mayStart: false)
    unlock()
    _ = follow(summons)
    while let run = orphans.popFirst(in: runs) {
      // The owner has other rights by now, or will look whether it has.
      run.pointee.onWorker.verdict = isOver ? .finish(.cancelled) : .route
      run.pointee.onWorker.isOrphan = !isOver
      terms.mail.deliver(run)
    }
  }

  // MARK: Calls that wait

  /// Under the mutex.
  private func beginWaiting(_ worker: Worker) {
    worker.isWaiting = true
    worker.generation.waiters += 1
    waiters += 1
    if waiters == workersMax { tally.fullWaits += 1 }
  }

  /// Under the mutex.
  private func endWaiting(_ worker: Worker) {
    worker.isWaiting = false
    worker.generation.waiters -= 1
    waiters -= 1
  }

  /// The thread comes to a call that waits, or to one that does not: it changes what others may do. False if so many wait already that this one must
  /// not.
  private func changeWaiting(_ worker: Worker, to isWaiting: Bool) -> Bool {
    lock()
    guard !isWaiting || mayWait(worker.generation) else {
      unlock()
      return false
    }
    if isWaiting { beginWaiting(worker) } else { endWaiting(worker) }
    if hasWork(worker.generation) { place(worker, isAlone: false) }
    let summons = summon(worker.generation, mayStart: true)
    unlock()
    _ = follow(summons)
    return true
  }
}
