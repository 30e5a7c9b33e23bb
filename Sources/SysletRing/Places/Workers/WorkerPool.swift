// Worker threads: they make the calls that io_uring cannot make or makes badly, whole runs of atoms at a time. Here: the owner's side.
//
// A run is handed over through a generation's queues, comes back through the mailbox, and belongs to exactly one side at a time. The pool
// starts a thread only when work waits and no thread is idle, wakes one thread at a time (each that finds more work wakes the next), and an
// idle pool costs nothing: its threads sleep in a futex, and end when that has lasted for some seconds.
//
// **Rights.** Before each hand-over the owner's rights are compared with the present generation's. Where they differ another generation
// becomes the present one. Threads of earlier ones finish what was handed over to them and end.
//
// **Nobody starves** (law L11). `workersMax` threads at the most, of all generations together, are at calls that may wait for another
// party, and as long as so many are, two more serve all other calls. Each generation that has work has at least one thread, and may have one at
// a waiting call, whatever the others are at. A call that seemed quick and is not (the open of a FIFO) is noticed by the owner: while work has
// waited for `reliefPeriod` and no thread has taken any, one more thread is started, up to `reliefMax` of them. So there are at most `workersMax` + 2
// threads, 3 more for each earlier generation that is not done, and those that stuck calls have called for.
//
// Unsafe fence: the runs' memory is the engine's slab. The engine does not end before every run has come back (law L4), so a pointer to a
// run is good for as long as the pool has it. The mutex is the pool's, freed when the last thread has let go of it.

internal import CLiburing
internal import Glibc
internal import Synchronization

@safe final class WorkerPool: ThreadPlace, @unchecked Sendable {
  let terms: ThreadPlaceTerms
  /// The processors that threads may use which were moved.
  let processors: syslet_processors

  // Read and written under `mutex`: everything from here to `tally`.
  let mutex: UnsafeMutablePointer<pthread_mutex_t>
  /// Written by the owner alone, so that it may read it without the mutex.
  private(set) var present: Generation
  /// The present one, and earlier ones that have threads.
  private(set) var generations: [Generation]
  var shared = SharedRuns()
  var threads = 0
  var waiters = 0
  /// The run for which the owner sleeps; none for `RunSlab.end`.
  var aloneSlot = RunSlab.end
  var progress = Progress()
  private(set) var isStopping = false
  var tally = ThreadPlaceCounts(workerGenerations: 1)

  /// Work of the present generation waits that a thread could begin. Written under the mutex; the owner reads it without. Relaxed: it only has
  /// the owner look.
  private let isLate = Atomic<Bool>(false)

  // The owner's own.
  private var owner: Owner

  /// Threads beyond `workersMax` for what does not wait, when all of these are at calls that do.
  static let reserveMax = 2
  /// Threads that stuck calls may call for.
  static let reliefMax = 1024
  /// For how long work has waited, with no thread taking any, when another thread is started.
  var reliefPeriod: Int64 { 20_000_000 }
  /// For how long an idle thread is kept. Tests shorten it.
  static let idleNanosecondsMax = Atomic<Int64>(3_000_000_000)

  init(_ terms: ThreadPlaceTerms) {
    self.terms = terms
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
    var processors = syslet_processors()
    unsafe syslet_processors_get(&processors)
    self.processors = processors
    owner = Owner(rights: .current)
    present = Generation(owner.rights, renewals: 0)
    generations = [present]
  }

  var runs: RunMemory { terms.runs }
  var workersMax: Int { terms.threadsMax }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  @inline(__always)
  func lock() { unsafe pthread_mutex_lock(mutex) }

  @inline(__always)
  func unlock() {
    isLate.store(hasWork(present), ordering: .relaxed)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Runs that the owner takes back one after the other, while workers of the present generation take them too.
  struct SharedRuns {
    var queue = RunQueue()
    /// Workers at such a run, and how many may be.
    var takers = 0
    var takersMax = 0
  }

  struct Progress {
    var handOvers = 0
    /// Runs that threads have begun.
    var taken = 0
  }

  private struct Owner {
    /// The thread has not been with the program since its rights were looked at. The owner says when it has been (`forgetOwner`).
    var areRightsKnown = false
    var rights: Rights
    var renewals = 0
    /// `Progress.taken` when it looked last, and when that was.
    var takenSeen = 0
    var takenSeenAt: Int64 = 0

    init(rights: Rights) { self.rights = rights }
  }

  // MARK: Handing over and taking back

  /// Hands over all of `runs`. -errno if no thread could be started and none exists, so that nobody would ever do the work. With none it tries again to start
  /// a thread for work that waits: nobody has begun that, so it is handed over anew, with the rights of now.
  ///
  /// - Parameter isAlone: It is one run, and the owner sleeps until it is back: its worker is moved to the owner's processor.
  func submit(_ runs: inout RunQueue, isAlone: Bool) -> Int {
    offer(&runs, isAlone: isAlone) { present.take($0, in: self.runs) }
  }

  /// Offers all of `runs` to the workers, of which at most `sharersMax` will be at them at a time; the owner `reclaim`s them meanwhile.
  func share(_ runs: inout RunQueue, sharersMax: Int) -> Int {
    offer(&runs, sharersMax: sharersMax) { shared.queue.append($0, in: self.runs) }
  }

  private func offer(
    _ runs: inout RunQueue, isAlone: Bool = false, sharersMax: Int? = nil, _ append: (Reference<Run>) -> Void
  ) -> Int {
    learnRights()
    lock()
    enterGeneration()
    if let sharersMax { shared.takersMax = sharersMax }
    while let run = runs.popFirst(in: self.runs) {
      if isAlone { aloneSlot = run.pointee.slot }
      append(run)
    }
    progress.handOvers &+= 1
    let summons = summon(present, isAlone: isAlone, mayStart: true)
    unlock()
    return follow(summons, attempts: Self.attemptsMax)
  }

  /// Takes up to `count` runs back that were offered and that no worker has begun.
  func reclaim(_ count: Int) -> RunQueue {
    var reclaimed = RunQueue()
    learnRights()
    lock()
    // What was offered with other rights is not the owner's any more.
    enterGeneration()
    while reclaimed.count < count, let run = shared.queue.popFirst(in: runs) { reclaimed.append(run, in: runs) }
    unlock()
    return reclaimed
  }

  /// Gives back those of the runs for which `isDue` holds and that no worker has begun: all workers may be busy for good.
  func withdraw(_ returned: inout RunQueue, where isDue: (Reference<Run>) -> Bool) {
    func sift(_ queue: inout RunQueue) {
      for _ in 0..<queue.count {
        let run = queue.popFirst(in: runs)!
        if isDue(run) { returned.append(run, in: runs) } else { queue.append(run, in: runs) }
      }
    }
    lock()
    for generation in generations {
      sift(&generation.ordinary)
      sift(&generation.waiting)
    }
    sift(&shared.queue)
    unlock()
  }

  func interrupt(_ run: Reference<Run>) { RunExecution.interrupt(run) }

  /// Lets the threads end. Runs must all have come back. Threads keep the pool alive until they are out of it.
  func stop() {
    lock()
    isStopping = true
    for generation in generations { dismiss(generation) }
    unlock()
  }

  // MARK: Rights

  /// Begins a new generation whatever the owner's rights are.
  func renew() {
    owner.renewals += 1
    owner.areRightsKnown = false
    learnRights()
    lock()
    enterGeneration()
    unlock()
  }

  func forgetOwner() { owner.areRightsKnown = false }

  /// Looks at the owner's rights, once for all that it does between two times that the program has its thread.
  private func learnRights() {
    guard !owner.areRightsKnown else { return }
    owner.rights = .current
    owner.areRightsKnown = true
  }

  /// Whether the owner has the rights with which the present generation's work was handed over.
  func hasPresentRights() -> Bool {
    learnRights()
    return owner.rights == present.rights
  }

  /// Under the mutex: makes the generation the present one that fits the owner's rights.
  private func enterGeneration() {
    let rights = owner.rights
    guard present.rights != rights || present.renewals != owner.renewals else { return }
    let last = present
    if let known = generations.first(where: { $0.rights == rights && $0.renewals == owner.renewals }) {
      present = known
    } else {
      present = Generation(rights, renewals: owner.renewals)
      generations.append(present)
    }
    tally.workerGenerations += 1
    guard last.threads > 0 else {
      // No thread could be started: nothing of this has been handed over.
      while let run = last.ordinary.popFirst(in: runs) { present.ordinary.append(run, in: runs) }
      while let run = last.waiting.popFirst(in: runs) { present.waiting.append(run, in: runs) }
      return forget(last)
    }
    while let run = shared.queue.popFirst(in: runs) { last.ordinary.append(run, in: runs) }
    dismiss(last)
  }

  /// Under the mutex: wakes all idle threads, to do what there is and to end.
  private func dismiss(_ generation: Generation) {
    while let worker = generation.idle.popLast() {
      worker.isIdle = false
      worker.bell.ring()
    }
  }

  /// Under the mutex: an earlier generation has no thread any more.
  func forget(_ generation: Generation) {
    precondition(generation.ordinary.isEmpty && generation.waiting.isEmpty, "L5: a generation with work has ended")
    generations.removeAll { $0 === generation }
  }

  // MARK: Stuck calls

  /// Work waits although it could be begun. While that lasts the owner sleeps for no longer than `reliefPeriod`, and then `relieve`s it.
  var needsRelief: Bool { isLate.load(ordering: .relaxed) }

  /// Starts one more thread if work has waited for `reliefPeriod` and no thread has taken any: all may be at calls that seemed quick and are not.
  func relieve() {
    let now = syslet_now()
    lock()
    let isProgressing = progress.taken != owner.takenSeen || !hasWork(present)
    if isProgressing || owner.takenSeenAt == 0 {
      owner.takenSeen = progress.taken
      owner.takenSeenAt = now
    }
    unlock()
    // Without the generation's rights this thread can start none.
    guard !isProgressing, now - owner.takenSeenAt >= reliefPeriod, hasPresentRights() else { return }
    owner.takenSeenAt = now
    lock()
    var summons = summon(present, mayStart: true)
    if case .nobody = summons, hasWork(present), !present.isWaking, threads < workersMax + Self.reserveMax + Self.reliefMax {
      tally.reliefWorkers += 1
      summons = add(to: present)
    }
    unlock()
    // Others exist, so the work is not without hope.
    _ = follow(summons)
  }

  var counts: ThreadPlaceCounts {
    lock()
    defer { unlock() }
    return tally
  }
}
