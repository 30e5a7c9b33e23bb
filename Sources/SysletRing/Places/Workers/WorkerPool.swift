// Worker threads: they make the calls that io_uring cannot make or makes badly, whole runs of atoms at a time.
//
// A run is handed over through the pool's queue, comes back through its mailbox, and belongs to exactly one side at a time. The pool
// starts a thread only when work waits and no thread is idle, wakes one thread at a time (each that finds more work wakes the next; of the
// idle ones the last to become so, whose memory is warm), and an idle pool costs nothing: its threads sleep in a futex.
//
// Unsafe fence: the runs' memory is the engine's slab. The engine does not end before every run has come back (law L4), so a pointer to a
// run is good for as long as the pool has it. The mutex and the seats are the pool's, freed when the last thread has let go of it.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// A thread's place in the pool.
private struct Seat: ~Copyable {
  static let none: Int32 = -1

  /// The futex that the thread sleeps on: 1 = called. `Atomic<UInt32>` has the word's layout.
  let bell = Atomic<UInt32>(0)
  // Read and written under the pool's mutex: all that follows.
  var thread: Int32 = 0
  /// The processor that the thread was moved to; -1 for none.
  var processor: Int32 = -1
  /// The next seat in whatever list this one is in.
  var next = Seat.none
}

@safe final class WorkerPool: @unchecked Sendable {
  private let memory: AtomMemory
  private let router: Router
  private let stepsMax: Int?
  private let runs: RunMemory
  private let workersMax: Int
  private let interruptSignal: Int32

  // Read and written under `mutex`: everything from here to the mailbox.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var queue = RunQueue()
  /// Runs that the owner takes back one after the other, while workers take them too.
  private var shared = RunQueue()
  /// Workers at a shared run, and how many may be.
  private var sharers = 0
  private var sharersMax = 0
  /// Where the threads sleep, and the idle ones' stack of them; memory that no thread has sat on is not touched.
  private let seats: UnsafeMutablePointer<Seat>
  private var idle = Seat.none
  private var threads = 0
  private var seatsUsed: Int32 = 0
  /// The run for which the owner sleeps; none for `RunSlab.end`.
  private var aloneSlot = RunSlab.end
  /// Threads that were woken or started and have not looked at the queue yet. One at a time is enough: it wakes the next.
  private var waking = 0
  private var isStopping = false

  /// The processors that threads may use which were moved.
  private let processors: syslet_processors

  /// The newest run that came back; older ones follow through `nextSlot`. Workers push, the owner takes all.
  private let mailbox = Atomic<UInt32>(RunSlab.end)
  /// How many more deliveries the sleeping owner wants before it is woken. 0 or negative when it does not sleep.
  private let wanted = Atomic<Int>(0)
  /// The sleeping owner sleeps in its ring. Written before `wanted`, which publishes it; read after it.
  private let isInRing = Atomic<Bool>(false)
  /// Somebody on another thread wants the owner's attention. As mail does, it keeps an owner that announces its sleep awake.
  private let isOwnerCalled = Atomic<Bool>(false)
  /// The futex that an owner without a ring sleeps on: 1 = rung. `Atomic<UInt32>` has the word's layout.
  private let bell: UnsafeMutablePointer<Atomic<UInt32>>
  /// The eventfd that an owner with a ring sleeps on, through a read that waits in the ring; -1 without a ring.
  let doorbell: Int32

  /// - Parameter hasRing: The owner sleeps in its ring, so workers ring an eventfd.
  init(
    runs: RunMemory, memory: AtomMemory, router: Router, stepsMax: Int?, workersMax: Int, hasRing: Bool, interruptSignal: Int32?
  ) throws(EngineError) {
    // It first: who has no seats needs no doorbell.
    unsafe seats = try Allocation.make(workersMax, of: Seat.self, for: "maxWorkers")
    var descriptor: Int32 = -1
    if hasRing {
      descriptor = syslet_doorbell_open()
      guard descriptor >= 0 else {
        unsafe free(seats)
        throw .kernel(call: "eventfd, which wakes the engine when a worker is done,", errno: -descriptor)
      }
    }
    self.interruptSignal = interruptSignal ?? 0
    self.runs = runs
    self.memory = memory
    self.router = router
    self.stepsMax = stepsMax
    self.workersMax = workersMax
    doorbell = descriptor
    unsafe mutex = .allocate(capacity: 1)
    unsafe bell = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe bell.initialize(to: Atomic(0))
    unsafe pthread_mutex_init(mutex, nil)
    var processors = syslet_processors()
    unsafe syslet_processors_get(&processors)
    self.processors = processors
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
    unsafe seats.deinitialize(count: Int(seatsUsed))
    unsafe free(seats)
    unsafe bell.deinitialize(count: 1)
    unsafe bell.deallocate()
    if doorbell >= 0 { close(doorbell) }
  }

  // MARK: The owner's side

  /// Hands over all of `runs`. -errno if no thread could be started and none exists, so that nobody would ever do the work.
  ///
  /// - Parameter isAlone: It is one run, and the owner sleeps until it is back: its worker is moved to the owner's processor.
  func submit(_ runs: inout RunQueue, isAlone: Bool = false) -> Int {
    offer(&runs, isAlone: isAlone) { queue.append($0, in: self.runs) }
  }

  /// Offers all of `runs` to the workers, of which at most `sharersMax` will be at them at a time; the owner `reclaim`s them meanwhile.
  func share(_ runs: inout RunQueue, sharersMax: Int) -> Int {
    offer(&runs, sharersMax: sharersMax) { shared.append($0, in: self.runs) }
  }

  private func offer(
    _ runs: inout RunQueue, isAlone: Bool = false, sharersMax: Int? = nil, _ append: (Reference<Run>) -> Void
  ) -> Int {
    unsafe pthread_mutex_lock(mutex)
    if let sharersMax { self.sharersMax = sharersMax }
    while let run = runs.popFirst(in: self.runs) {
      if isAlone { aloneSlot = run.pointee.slot }
      append(run)
    }
    let summons = summon(isAlone: isAlone)
    unsafe pthread_mutex_unlock(mutex)
    return follow(summons)
  }

  /// Takes up to `count` runs back that were offered and that no worker has begun.
  func reclaim(_ count: Int) -> RunQueue {
    var reclaimed = RunQueue()
    unsafe pthread_mutex_lock(mutex)
    while reclaimed.count < count, let run = shared.popFirst(in: runs) { reclaimed.append(run, in: runs) }
    unsafe pthread_mutex_unlock(mutex)
    return reclaimed
  }

  /// Tries again to start a thread for work that waits: 0 or -errno, as `submit`.
  func retry() -> Int {
    unsafe pthread_mutex_lock(mutex)
    let summons = summon(isAlone: false)
    unsafe pthread_mutex_unlock(mutex)
    return follow(summons)
  }

  /// Gives back the runs that no worker has begun.
  func takeBack(_ returned: inout RunQueue) {
    unsafe pthread_mutex_lock(mutex)
    while let run = queue.popFirst(in: runs) { returned.append(run, in: runs) }
    while let run = shared.popFirst(in: runs) { returned.append(run, in: runs) }
    unsafe pthread_mutex_unlock(mutex)
  }

  /// The runs that have come back, oldest first.
  func take(_ body: (Reference<Run>) -> Void) {
    // Acquire pairs with the release of `deliver`: what the worker wrote into the run is visible.
    var slot = mailbox.exchange(RunSlab.end, ordering: .acquiring)
    var oldest = RunSlab.end
    while slot != RunSlab.end {
      let next = runs[slot].pointee.nextSlot
      runs[slot].pointee.nextSlot = oldest
      oldest = slot
      slot = next
    }
    while oldest != RunSlab.end {
      let run = runs[oldest]
      oldest = run.pointee.nextSlot
      body(run)
    }
  }

  var hasMail: Bool { mailbox.load(ordering: .sequentiallyConsistent) != RunSlab.end }

  /// Wakes the owner if it sleeps, and keeps it from sleeping until it has `answerCall`ed. On any thread.
  func callOwner() {
    // Sequentially consistent, as `deliver` is: either the owner sees the call when it announces its sleep, or this sees the announcement.
    isOwnerCalled.store(true, ordering: .sequentiallyConsistent)
    if wanted.exchange(0, ordering: .sequentiallyConsistent) > 0 { wakeOwner() }
  }

  var hasCall: Bool { isOwnerCalled.load(ordering: .sequentiallyConsistent) }

  /// Whether the owner was called since it asked last.
  func answerCall() -> Bool {
    // The exchange only when there is something to answer: it is asked in every turn.
    isOwnerCalled.load(ordering: .relaxed) && isOwnerCalled.exchange(false, ordering: .sequentiallyConsistent)
  }

  /// Announces that the owner will sleep until `count` more runs have come back, or one that needs it at once. False: there is mail
  /// already, do not sleep.
  ///
  /// Sequentially consistent, as is `deliver`: either the worker sees the announcement or the owner sees the mail.
  func announceSleep(until count: Int, inRing: Bool) -> Bool {
    unsafe bell.pointee.store(0, ordering: .relaxed)
    isInRing.store(inRing, ordering: .relaxed)
    wanted.store(count, ordering: .sequentiallyConsistent)
    guard hasMail || hasCall else { return true }
    wanted.store(0, ordering: .relaxed)
    return false
  }

  /// Sleeps without a ring until enough runs have come back or the time is up. Call after `announceSleep`. False when a signal came.
  func sleep(nanoseconds: Int64?) -> Bool {
    defer { endSleep() }
    while unsafe bell.pointee.load(ordering: .acquiring) == 0 {
      let word = unsafe UnsafeMutableRawPointer(bell).assumingMemoryBound(to: UInt32.self)
      switch unsafe -syslet_futex_wait(word, 0, nanoseconds ?? -1) {
      case 0: continue
      case EINTR: return false
      default: return true
      }
    }
    return true
  }

  func endSleep() { wanted.store(0, ordering: .relaxed) }

  /// Interrupts the call that a worker is making for `run`, if it is making one. The call then returns -EINTR.
  ///
  /// A signal may come just before the call blocks and be lost, so the owner repeats this while the run stays away.
  func interrupt(_ run: Reference<Run>) {
    let state = run.pointee.workerThread.load(ordering: .sequentiallyConsistent)
    let tid = state & Self.tidMask
    guard tid != 0 else { return }
    // The worker does not leave this run while the mark is set, so the signal cannot hit another run's call.
    guard
      run.pointee.workerThread.compareExchange(
        expected: state, desired: tid | Self.isSignalling, ordering: .sequentiallyConsistent
      ).exchanged
    else { return }
    _ = syslet_thread_interrupt(tid)
    run.pointee.workerThread.store(tid | Self.wasSignalled, ordering: .sequentiallyConsistent)
  }

  /// Lets the threads end. Runs must all have come back. Threads keep the pool alive until they are out of it.
  func stop() {
    unsafe pthread_mutex_lock(mutex)
    isStopping = true
    while let seat = popIdle() { ring(seat) }
    unsafe pthread_mutex_unlock(mutex)
  }

  // MARK: The workers' side

  /// Under the mutex: whether there is a run to begin.
  private var hasWork: Bool { !queue.isEmpty || !shared.isEmpty && sharers < sharersMax }

  /// What is to be done for work that waits, once the mutex is free.
  private enum Summons {
    case nobody
    case wake(Int32)
    case start
  }

  /// Under the mutex: whether an idle thread is to be woken, or one to be started.
  private func summon(isAlone: Bool) -> Summons {
    guard hasWork, waking == 0 else { return .nobody }
    if let seat = popIdle() {
      waking = 1
      place(seat, isAlone: isAlone)
      return .wake(seat)
    }
    guard threads < workersMax else { return .nobody }
    waking = 1
    threads += 1
    return .start
  }

  private func follow(_ summons: Summons) -> Int {
    switch summons {
    case .nobody: return 0
    case .wake(let seat):
      ring(seat)
      return 0
    case .start: return startThread()
    }
  }

  private func popIdle() -> Int32? {
    guard idle != Seat.none else { return nil }
    let seat = idle
    idle = unsafe seats[Int(seat)].next
    return seat
  }

  private func ring(_ seat: Int32) {
    let bell = unsafe seats + Int(seat)
    // The release publishes what is in the queue only by way of the mutex; the sleeper's acquire ends its sleep.
    unsafe bell.pointee.bell.store(1, ordering: .releasing)
    unsafe syslet_futex_wake(UnsafeMutableRawPointer(bell).assumingMemoryBound(to: UInt32.self), 1)
  }

  /// Puts a thread that is about to be woken on the processor where it is soonest at work. One that sleeps on another processor takes 20 to
  /// 40 µs to come; on the owner's own, which the owner leaves at once, a hop takes 4 to 8 µs there and back. A system call when it changes.
  private func place(_ seat: Int32, isAlone: Bool) {
    guard processors.bits.0 != 0 else { return }
    let seat = unsafe seats + Int(seat)
    let thread = unsafe seat.pointee.thread
    if isAlone {
      let processor = syslet_processor()
      if unsafe seat.pointee.processor == processor { return }
      unsafe seat.pointee.processor = syslet_thread_move(thread, processor) == 0 ? processor : -1
    } else if unsafe seat.pointee.processor >= 0 {
      unsafe seat.pointee.processor = -1
      _ = unsafe withUnsafePointer(to: processors) { unsafe syslet_thread_release(thread, $0) }
    }
  }

  private func startThread() -> Int {
    let context = unsafe Unmanaged.passRetained(self)
    let result = unsafe syslet_thread_start(
      SYSLET_THREAD_WORKER, interruptSignal,
      { context in
        unsafe Unmanaged<WorkerPool>.fromOpaque(context!).takeRetainedValue().work()
        return nil
      }, unsafe context.toOpaque())
    guard result != 0 else { return 0 }
    unsafe context.release()
    unsafe pthread_mutex_lock(mutex)
    waking = 0
    threads -= 1
    let isAlone = threads == 0
    unsafe pthread_mutex_unlock(mutex)
    return isAlone ? Int(result) : 0
  }

  /// Under the mutex: a seat for thread `tid`. There are as many as threads at the most.
  private func takeSeat(_ tid: Int32) -> Int32 {
    let seat = unsafe seats + Int(seatsUsed)
    unsafe seat.initialize(to: Seat())
    unsafe seat.pointee.thread = tid
    seatsUsed += 1
    return seatsUsed - 1
  }

  private func work() {
    let tid = unsafe syslet_thread_begin("syslet-worker")
    // The thread's own, for all of its runs: one for each hop would be two allocations.
    let scratch = CallScratch()
    Census.countWorker(1)
    defer { Census.countWorker(-1) }
    unsafe pthread_mutex_lock(mutex)
    let seat = takeSeat(tid)
    waking = 0
    while true {
      while !hasWork {
        if isStopping {
          threads -= 1
          unsafe pthread_mutex_unlock(mutex)
          return
        }
        sleep(seat)
        waking = 0
      }
      let isShared = queue.isEmpty
      let run = isShared ? shared.popFirst(in: runs)! : queue.popFirst(in: runs)!
      if isShared { sharers += 1 }
      // Whoever was moved to the owner's processor must not be in its way with something else, nor start a thread, which would stay there.
      let isAlone = run.pointee.slot == aloneSlot
      if isAlone { aloneSlot = RunSlab.end }
      if !isAlone || hasWork { place(seat, isAlone: false) }
      let summons = summon(isAlone: false)
      unsafe pthread_mutex_unlock(mutex)
      _ = follow(summons)
      interpret(run, scratch.call, tid)
      deliver(run)
      unsafe pthread_mutex_lock(mutex)
      if isShared { sharers -= 1 }
    }
  }

  /// Under the mutex, which it leaves and takes again: sleeps until somebody rings.
  private func sleep(_ seat: Int32) {
    let bell = unsafe seats + Int(seat)
    unsafe bell.pointee.bell.store(0, ordering: .relaxed)
    unsafe bell.pointee.next = idle
    idle = seat
    unsafe pthread_mutex_unlock(mutex)
    while unsafe bell.pointee.bell.load(ordering: .acquiring) == 0 {
      _ = unsafe syslet_futex_wait(UnsafeMutableRawPointer(bell).assumingMemoryBound(to: UInt32.self), 0, -1)
    }
    unsafe pthread_mutex_lock(mutex)
  }

  private func deliver(_ run: Reference<Run>) {
    // Read before the owner can have it.
    let needsOwner = run.pointee.verdict == .route
    var head = mailbox.load(ordering: .relaxed)
    while true {
      run.pointee.nextSlot = head
      // Release publishes the run; sequentially consistent because of `announceSleep`.
      let (exchanged, original) = mailbox.weakCompareExchange(
        expected: head, desired: run.pointee.slot, ordering: .sequentiallyConsistent)
      if exchanged { break }
      head = original
    }
    // A run that goes on elsewhere keeps others waiting while the owner sleeps for more.
    let isDue =
      needsOwner
      ? wanted.exchange(0, ordering: .sequentiallyConsistent) > 0
      : wanted.wrappingSubtract(1, ordering: .sequentiallyConsistent).oldValue == 1
    if isDue { wakeOwner() }
  }

  private func wakeOwner() {
    if isInRing.load(ordering: .relaxed) {
      syslet_doorbell_ring(doorbell)
    } else {
      unsafe bell.pointee.store(1, ordering: .releasing)
      unsafe syslet_futex_wake(UnsafeMutableRawPointer(bell).assumingMemoryBound(to: UInt32.self), 1)
    }
  }

  /// Executes atoms of `run` until it ends or comes to one that belongs to the owner; leaves the verdict in the run, and the time it took.
  private func interpret(_ run: Reference<Run>, _ call: Reference<Call>, _ tid: Int32) {
    let begin = run.pointee.workerRow == Run.untimed ? 0 : syslet_now()
    defer { if begin != 0 { run.pointee.workerNanoseconds = syslet_now() - begin } }
    var isFirst = true
    while true {
      if run.pointee.isCancelled.load(ordering: .relaxed) {
        run.pointee.verdict = .finish(.cancelled)
        return
      }
      if let stepsMax, run.pointee.executed >= stepsMax {
        run.pointee.verdict = .finish(.stepLimit)
        return
      }
      if let fault = memory.fetch(run, into: call) {
        run.pointee.verdict = fault
        return
      }
      // The first call is the worker's whatever it is: the owner has decided that.
      if !isFirst, !run.pointee.keepsWorker, !router.staysOnWorker(call) {
        run.pointee.verdict = .route
        return
      }
      isFirst = false
      run.pointee.isRefused = false
      guard let result = make(call, run, tid) else {
        run.pointee.verdict = .finish(.cancelled)
        return
      }
      run.pointee.workerCalls += 1
      let tested = memory.store(result, call.pointee.result)
      let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, call.pointee.next, result: tested)
      if verdict != .route {
        run.pointee.verdict = verdict
        return
      }
    }
  }

  /// Makes one call so that the owner can interrupt it; nil if it was cancelled before it had an effect.
  private func make(_ call: Reference<Call>, _ run: Reference<Run>, _ tid: Int32) -> Int? {
    run.pointee.workerThread.store(tid, ordering: .sequentiallyConsistent)
    // Either this load sees the cancellation, or the canceller's load sees the thread.
    let isCancelled = run.pointee.isCancelled.load(ordering: .sequentiallyConsistent)
    let result = isCancelled ? 0 : Interpreter.make(call, isChecked: memory.isChecked)
    var state = tid
    while true {
      let (exchanged, original) = run.pointee.workerThread.compareExchange(
        expected: state, desired: 0, ordering: .sequentiallyConsistent)
      if exchanged { break }
      // While the owner is signalling, wait: the signal must be sent before this thread works for another run.
      state = original & Self.isSignalling != 0 ? tid | Self.wasSignalled : original
    }
    // A signal that is sent may still be on its way.
    if state != tid { syslet_thread_settle() }
    if isCancelled { return nil }
    if result == -Int(EINTR), run.pointee.isCancelled.load(ordering: .relaxed) { return nil }
    return result
  }

  /// A thread id is at most 2^22 (PID_MAX_LIMIT), so the bits above it can tell how far an interruption has come.
  private static let tidMask: Int32 = (1 << 23) - 1
  private static let isSignalling: Int32 = 1 << 24
  private static let wasSignalled: Int32 = 1 << 25
}
