// Workers that were started with the same rights, the work that was handed over with these, and one such worker.
//
// A thread inherits the rights of the thread that starts it, and nothing can give it others later. So threads of a generation are started by
// the owner while it has the generation's rights, or by another thread of the generation, and do what was handed over in it.

internal import CLiburing

/// What the kernel lets a thread do (`syslet_rights`).
struct Rights: Equatable {
  private let rights: syslet_rights

  /// The calling thread's.
  static var current: Rights {
    var rights = syslet_rights()
    unsafe syslet_rights_get(&rights)
    return Rights(rights: rights)
  }

  /// Whether the calling thread may do no more than these let it.
  var coverCallingThread: Bool { unsafe withUnsafePointer(to: rights) { unsafe syslet_rights_compare($0) } != SYSLET_RIGHTS_OTHER }

  static func == (a: Rights, b: Rights) -> Bool {
    unsafe withUnsafePointer(to: a.rights) { a in unsafe withUnsafePointer(to: b.rights) { b in unsafe syslet_rights_equal(a, b) != 0 } }
  }
}

/// One generation of threads.
final class Generation: @unchecked Sendable {
  let rights: Rights
  /// How often the owner had asked for new threads when this one began.
  let renewals: Int

  // Read and written under the pool's mutex: all that follows.
  /// Runs whose next call is over soon, as far as anybody knows.
  var ordinary = RunQueue()
  /// Runs whose next call may wait for another party.
  var waiting = RunQueue()
  var prefersWaiting = false
  /// The last to have become so is the last one here, and the first to be woken: its memory is warm.
  var idle: [Worker] = []
  var threads = 0
  /// Threads that are at a call that may wait.
  var waiters = 0
  /// A thread was woken or started and has not looked at the queues yet. One at a time is enough: it wakes the next.
  var isWaking = false

  init(_ rights: Rights, renewals: Int) {
    self.rights = rights
    self.renewals = renewals
  }

  func take(_ run: Reference<Run>, in memory: RunMemory) {
    if run.pointee.onWorker.mayWait { waiting.append(run, in: memory) } else { ordinary.append(run, in: memory) }
  }
}

/// One thread of the pool.
final class Worker: @unchecked Sendable {
  let thread: Int32
  let generation: Generation
  let bell = Bell()
  /// Its own: kept for all of its runs, because one for each hop would be two allocations.
  let scratch = CallScratch()

  // Under the pool's mutex.
  /// The processor that the thread was moved to; -1 for none.
  var processor: Int32 = -1
  var isIdle = false
  /// It counts in `Generation.waiters`.
  var isWaiting = false
  /// The hand-over after which it has looked at its own rights last, and when, in ticks.
  var handOverSeen: Int?
  var rightsSeenAt: UInt64 = 0

  init(_ thread: Int32, _ generation: Generation) {
    self.thread = thread
    self.generation = generation
  }
}
