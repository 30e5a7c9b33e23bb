// The place that has threads as the engine's loop sees it: what is on its way there, and what is there.

internal import Synchronization

/// The owner's.
struct WorkerPlace {
  /// Makes the place that has the threads, for the first run that is handed over.
  let make: @Sendable (ThreadPlaceTerms) -> any ThreadPlace
  var pool: (any ThreadPlace)?
  /// Runs on their way, which are handed over together.
  var queue = RunQueue()
  /// Runs put aside in this turn, to be shared by the owner and the threads.
  var shared = RunQueue()
  /// The runs that the pool has.
  var count = 0
  /// Those of them, and of the queue, that were asked to stop; their calls are interrupted until they have come back.
  var stopping = StoppingRuns()
  /// The pool has work and could not start a thread.
  var isStalled = false
  /// Runs that threads have had and given back, and the calls that they have made for them.
  private(set) var hops = 0
  private(set) var calls = 0

  init(_ make: @escaping @Sendable (ThreadPlaceTerms) -> any ThreadPlace) { self.make = make }

  /// What a pool has counted that is stopped.
  private var lastCounts = ThreadPlaceCounts()

  var counts: ThreadPlaceCounts { pool?.counts ?? lastCounts }

  /// Stops the threads, of which none has a run that will come back.
  mutating func stop() {
    guard let pool else { return }
    pool.stop()
    lastCounts = pool.counts
    self.pool = nil
  }

  /// Gives back the runs that have come back; false if there are none.
  ///
  /// - Parameter note: Called for each whose time was wanted, before it goes on.
  @inline(__always)
  mutating func reap(_ mail: Mailbox, _ activations: inout Activations, note: (Reference<Run>) -> Void) -> Bool {
    // The mailbox is emptied into a queue first: following a run may hand others over.
    var returned = RunQueue()
    mail.take { returned.append($0, in: activations.runs) }
    guard !returned.isEmpty else { return false }
    while let run = returned.popFirst(in: activations.runs) {
      count -= 1
      if run.pointee.isCancelled.load(ordering: .relaxed) { stopping.leave() }
      hops += 1
      calls += run.pointee.onWorker.calls
      if run.pointee.onWorker.row != Run.untimed { note(run) }
      run.pointee.onWorker.calls = 0
      if run.pointee.onWorker.isOrphan {
        run.pointee.onWorker.isOrphan = false
        // Handed over anew, unless that would be with other rights.
        if pool?.hasPresentRights() != true { run.pointee.onWorker.verdict = .finish(.cancelled) }
      }
      activations.follow(run, run.pointee.onWorker.verdict)
    }
    return true
  }

  /// Interrupts the calls that are being made for runs that were asked to stop, again and again until they are back: a signal that comes just before
  /// a call blocks is lost.
  mutating func interruptStopping(in runs: RunMemory) {
    guard stopping.count > 0, stopping.isDue, let pool else { return }
    stopping.wait()
    for slot in stopping.slots(on: .worker, in: runs) { pool.interrupt(runs[slot]) }
  }

  /// Ends the runs that were asked to stop and that no thread has begun: none may come to be free.
  mutating func withdrawStopping(_ activations: inout Activations) {
    guard stopping.count > 0, let pool else { return }
    var withdrawn = RunQueue()
    pool.withdraw(&withdrawn) { $0.pointee.isCancelled.load(ordering: .relaxed) }
    count -= withdrawn.count
    while let run = withdrawn.popFirst(in: activations.runs) { endUnserved(run, &activations) }
  }

  /// Ends the runs that wait for a thread although none can be started. All have been asked to stop.
  mutating func withdrawUnserved(_ activations: inout Activations) {
    while let run = queue.popFirst(in: activations.runs) { endUnserved(run, &activations) }
    guard isStalled else { return }
    var returned = RunQueue()
    takeBack(&returned)
    while let run = returned.popFirst(in: activations.runs) { endUnserved(run, &activations) }
    isStalled = false
  }

  private mutating func endUnserved(_ run: Reference<Run>, _ activations: inout Activations) {
    stopping.leave()
    activations.complete(run, .cancelled)
  }

  /// Takes back all runs that no thread has begun.
  mutating func takeBack(_ returned: inout RunQueue) {
    guard let pool else { return }
    pool.withdraw(&returned) { _ in true }
    count -= returned.count
  }

  /// Has another thread started if all are stuck. Asked wherever the program only looks, too: it need never sleep here.
  func relieve() {
    if count > 0, let pool, pool.needsRelief { pool.relieve() }
  }
}
