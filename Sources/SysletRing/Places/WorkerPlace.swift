// The place that has threads as the engine's loop sees it: what is on its way there, and what is there.

internal import Synchronization

/// The owner's.
struct WorkerPlace {
  /// Made for the first run that is handed over.
  var pool: (any ThreadPlace)?
  /// Runs on their way, which are handed over together.
  var queue = RunQueue()
  /// The runs that the pool has.
  var count = 0
  /// Those of them, and of the queue, that were asked to stop; their calls are interrupted until they have come back.
  var stopping = StoppingRuns()
  /// The pool has work and could not start a thread.
  var isStalled = false
  /// The owner's sleep is cut short, to see whether the threads are stuck.
  var isHurrying = false

  /// Interrupts the calls that are being made for runs that were asked to stop, again and again until they are back: a signal that comes just before
  /// a call blocks is lost.
  mutating func interruptStopping(in runs: RunMemory) {
    guard stopping.count > 0, stopping.isDue, let pool else { return }
    stopping.wait()
    for slot in stopping.slots(on: .worker, in: runs) { pool.interrupt(runs[slot]) }
  }

  /// Takes back the runs that were asked to stop and that no thread has begun: none may come to be free.
  mutating func withdrawStopping(_ withdrawn: inout RunQueue) {
    guard stopping.count > 0, let pool else { return }
    pool.withdraw(&withdrawn) { $0.pointee.isCancelled.load(ordering: .relaxed) }
    count -= withdrawn.count
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
