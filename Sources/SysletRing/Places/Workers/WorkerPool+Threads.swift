// Which thread is woken or started for work that waits, and how a thread comes and goes.
//
// Unsafe fence: a starting thread is given its pool and generation as one retained object, which it takes over.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension WorkerPool {
  /// What is to be done for work that waits, once the mutex is free.
  enum Summons {
    case nobody
    case wake(Worker)
    case start(Generation)
  }

  /// What a starting thread is given.
  private final class Start {
    let pool: WorkerPool
    let generation: Generation

    init(_ pool: WorkerPool, _ generation: Generation) {
      self.pool = pool
      self.generation = generation
    }
  }

  /// Under the mutex: whether a thread of `generation` could begin a run.
  @inline(__always)
  func hasWork(_ generation: Generation) -> Bool {
    hasOrdinaryWork(generation) || !generation.waiting.isEmpty && mayWait(generation)
  }

  private func hasOrdinaryWork(_ generation: Generation) -> Bool {
    !generation.ordinary.isEmpty || !shared.queue.isEmpty && shared.takers < shared.takersMax && generation === present
  }

  /// Under the mutex: whether one more thread may be at a call that waits. One of each generation always may: with few rights nobody waits
  /// for those with other ones.
  func mayWait(_ generation: Generation) -> Bool { waiters < workersMax || generation.waiters == 0 }

  /// Under the mutex: whether an idle thread is to be woken, or one to be started.
  ///
  /// - Parameter mayStart: The calling thread has the generation's rights, which one that it starts inherits.
  func summon(_ generation: Generation, isAlone: Bool = false, mayStart: Bool) -> Summons {
    guard hasWork(generation), !generation.isWaking else { return .nobody }
    if let worker = generation.idle.popLast() {
      worker.isIdle = false
      generation.isWaking = true
      place(worker, isAlone: isAlone)
      return .wake(worker)
    }
    return mayStart && hasRoom(for: generation) ? add(to: generation) : .nobody
  }

  /// Under the mutex: whether there may be one more thread: one of `workersMax`, the only one that has the rights, or one of the reserve.
  private func hasRoom(for generation: Generation) -> Bool {
    if threads < workersMax || generation.threads == 0 { return true }
    return waiters >= workersMax && hasOrdinaryWork(generation) && generation.threads - generation.waiters < Self.reserveMax
  }

  /// Under the mutex: counts a thread that is about to be started.
  func add(to generation: Generation) -> Summons {
    generation.isWaking = true
    generation.threads += 1
    threads += 1
    return .start(generation)
  }

  /// 0, or -errno if the generation has no thread and none could be started. Threads of earlier generations that are ending may stand in the
  /// way of a user who may have few: then it is tried `attempts` times, a millisecond apart.
  func follow(_ summons: Summons, attempts: Int = 1) -> Int {
    switch summons {
    case .nobody: return 0
    case .wake(let worker):
      worker.bell.ring()
      return 0
    case .start(let generation):
      var result = startThread(generation)
      for _ in 1..<max(1, attempts) where result != 0 {
        lock()
        let areOthersEnding = generations.count > 1
        unlock()
        guard areOthersEnding else { break }
        usleep(1000)
        result = startThread(generation)
      }
      guard result != 0 else { return 0 }
      lock()
      generation.isWaking = false
      generation.threads -= 1
      threads -= 1
      let isAlone = generation.threads == 0
      unlock()
      return isAlone ? result : 0
    }
  }

  static let attemptsMax = 20

  /// Puts a thread that is about to be woken on the processor where it is soonest at work. One that sleeps on another processor takes 20 to
  /// 40 µs to come; on the owner's own, which the owner leaves at once, a hop takes 4 to 8 µs there and back. A system call when it changes.
  func place(_ worker: Worker, isAlone: Bool) {
    guard processors.bits.0 != 0 else { return }
    if isAlone {
      let processor = syslet_processor()
      if worker.processor == processor { return }
      worker.processor = syslet_thread_move(worker.thread, processor) == 0 ? processor : -1
    } else if worker.processor >= 0 {
      worker.processor = -1
      _ = unsafe withUnsafePointer(to: processors) { unsafe syslet_thread_release(worker.thread, $0) }
    }
  }

  private func startThread(_ generation: Generation) -> Int {
    let context = unsafe Unmanaged.passRetained(Start(self, generation))
    let result = unsafe syslet_thread_start(
      SYSLET_THREAD_WORKER, terms.interruptSignal,
      { context in
        let start = unsafe Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
        start.pool.work(in: start.generation)
        return nil
      }, unsafe context.toOpaque())
    if result != 0 { unsafe context.release() }
    return Int(result)
  }

  /// Under the mutex, which it leaves and takes again: sleeps until somebody rings. False when that has taken too long, and nobody has called the
  /// thread: it may end.
  func sleep(_ worker: Worker) -> Bool {
    let generation = worker.generation
    worker.bell.reset()
    worker.isIdle = true
    generation.idle.append(worker)
    unlock()
    let idleMax = Self.idleNanosecondsMax.load(ordering: .relaxed)
    while case let end = worker.bell.sleep(nanoseconds: idleMax), end != .rung {
      guard end == .timeout else { continue }
      lock()
      // Whoever takes a thread out of `idle` does so under the mutex, and rings it afterwards.
      if worker.isIdle {
        worker.isIdle = false
        generation.idle.removeAll { $0 === worker }
        return false
      }
      unlock()
    }
    lock()
    generation.isWaking = false
    return true
  }

  /// Under the mutex: the thread is about to end.
  func leave(_ generation: Generation) {
    threads -= 1
    generation.threads -= 1
    if generation.threads == 0, generation !== present { forget(generation) }
  }
}
