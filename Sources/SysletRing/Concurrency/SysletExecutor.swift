// Syslets for tasks: a thread that owns an engine, runs the tasks that prefer it, and resumes each when its syslet has completed.
//
// The tasks' jobs and the engine take turns on the one thread, so that a task that awaits a syslet costs neither a lock nor a switch of
// threads: its job enqueues, the next wait submits for all tasks together, and its continuation is the next job.
//
// Unsafe fence: the memory of `awaiting` and `jobs` is the executor's, and touched by its thread only, which keeps the executor alive until it
// ends. They are two because resuming a task, which `awaiting` does, puts its job into `jobs`.

internal import CLiburing
internal import Glibc

/// Runs syslets for tasks.
///
/// ```swift
/// let executor = try SysletExecutor()
/// let completion = try await executor.run(atoms)
/// executor.close()
/// ```
///
/// `run` may be awaited anywhere. Tasks that prefer the executor (`Task(executorPreference:)`, `withTaskExecutorPreference`) run on its thread
/// and await a syslet without a switch of threads; what they do between two syslets keeps the others waiting, so it should be short. An
/// executor lives until it is closed. Several of them share nothing: one for each processor is a good choice.
///
/// Source: docs/SEMANTICS.md, "Awaiting"; the executor's side is SE-0417.
@safe public final class SysletExecutor: TaskExecutor, @unchecked Sendable {
  private let inbox = Inbox()
  // The thread's own.
  private let awaiting: UnsafeMutablePointer<Awaiting>
  private let jobs: UnsafeMutablePointer<JobQueue>
  // Set by the thread, published by the semaphore that `init` waits for, and then never changed.
  private var owner: UInt64 = 0
  private var mail: Mailbox?
  /// What the executor's engine really runs on.
  public private(set) var backend = SysletEngine.Backend.automatic
  /// Why `automatic` runs on threads; nil when it has a ring, and on other backends.
  public private(set) var ringUnavailability: EngineError?

  /// Starts the thread and makes its engine.
  ///
  /// - Throws: As `SysletEngine.init`; `.kernel` where no thread can be started.
  public init(_ options: SysletEngine.Options = SysletEngine.Options()) throws(EngineError) {
    unsafe awaiting = .allocate(capacity: 1)
    unsafe jobs = .allocate(capacity: 1)
    unsafe jobs.initialize(to: JobQueue())
    let start = Start(executor: self, options: options)
    let context = unsafe Unmanaged.passRetained(start)
    let result = unsafe syslet_thread_start(
      SYSLET_THREAD_TASKS, 0,
      { context in
        unsafe Unmanaged<Start>.fromOpaque(context!).takeRetainedValue().begin()
        return nil
      }, unsafe context.toOpaque())
    guard result == 0 else {
      unsafe context.release()
      throw .kernel(call: "pthread_create", errno: Int32(-result))
    }
    if let error = start.waitUntilBegun() { throw error }
  }

  deinit {
    // Without an owner its `init` has thrown.
    if owner != 0 { unsafe awaiting.deinitialize(count: 1) }
    unsafe awaiting.deallocate()
    unsafe jobs.deinitialize(count: 1)
    unsafe jobs.deallocate()
  }

  /// What the executor's engine has done so far.
  public var statistics: Statistics {
    get async {
      // Elsewhere, when the thread has ended: then nobody changes the engine any more.
      await withTaskExecutorPreference(self) { unsafe awaiting.pointee.engine.statistics }
    }
  }

  /// As `SysletEngine.renewWorkers`, for a job of a task on the executor's thread that has changed what the kernel keeps for that thread.
  public func renewWorkers() async throws(EngineError) {
    try await withTaskExecutorPreference(self) { () async -> Result<Void, EngineError> in
      // Elsewhere: the thread has ended.
      guard isOwner else { return .failure(unsafe awaiting.pointee.failure ?? .closed) }
      return renewWorkersHere()
    }.get()
  }

  private func renewWorkersHere() -> Result<Void, EngineError> {
    do throws(EngineError) { return .success(try unsafe awaiting.pointee.engine.renewWorkers()) } catch { return .failure(error) }
  }

  /// Runs the syslet at `head` and returns its completion, also under NO_COMPLETE.
  ///
  /// The syslet begins when the tasks that are ready have had their turn, together with theirs. Its memory must stay in place until `run`
  /// returns. When the task is cancelled the syslet is, as by `SysletEngine.cancel`: `run` returns its completion as always, with the reason
  /// `cancelled` unless it ended first.
  ///
  /// - Throws: What keeps the head from being accepted, as `SysletEngine.enqueue` does; `.closed`. When the kernel fails the engine's ring,
  ///   that error: what the syslet has done is not known then, and its memory must stay for good.
  public nonisolated(nonsending) func run<A: AtomLayout>(@_nonEphemeral _ head: UnsafeMutablePointer<A>) async throws(EngineError)
    -> Completion
  {
    let head = unsafe AtomAddress(UnsafeMutableRawPointer(head))
    return try await isOwner ? runHere(head, A.form) : runFromElsewhere(head, A.form)
  }

  /// Runs a prepared syslet and returns its completion, as `run` of its head does. What its pointers point to must stay in place until then.
  ///
  /// - Throws: `.full`, `.closed`, and when the kernel fails the engine's ring, that error.
  public nonisolated(nonsending) func run(_ syslet: PreparedSyslet) async throws(EngineError) -> Completion {
    defer { withExtendedLifetime(syslet) {} }
    return try await isOwner ? runHere(syslet.head, .prepared) : runFromElsewhere(syslet.head, .prepared)
  }

  /// As `SysletEngine.prepare`, on any thread: for this executor, and whoever else is to run it.
  public func prepare<A: AtomLayout>(@_nonEphemeral _ head: UnsafeMutablePointer<A>) throws(EngineError) -> PreparedSyslet {
    try unsafe AtomMemory(table: .shared, isChecked: false).prepare(AtomAddress(UnsafeMutableRawPointer(head)), A.layout)
  }

  @inline(__always)
  private nonisolated(nonsending) func runHere(_ head: AtomAddress, _ layout: AtomForm) async throws(EngineError) -> Completion {
    try await runHere(head, layout, from: nil, deadline: nil, isShielded: false, isCancelled: Task.isCancelled).completion
  }

  /// On the executor's thread.
  ///
  /// - Parameter isShielded: It is not cancelled with its task.
  /// - Parameter isCancelled: It is cancelled at once, as its task may have been.
  @inline(__always)
  nonisolated(nonsending) func runHere(
    _ head: AtomAddress, _ layout: AtomForm, from step: AtomAddress?, deadline: Int64?, isShielded: Bool, isCancelled: Bool
  ) async throws(EngineError) -> (completion: Completion, isLate: Bool) {
    if !isCancelled, let step,
      let begun = try unsafe awaiting.pointee.begin(
        head, from: step, isShielded: isShielded, deadline: deadline, isIdle: jobs.pointee.hasNone)
    {
      switch begun {
      case .completed(let completion, let isLate): return (completion, isLate)
      case .pending(let ticket): return try await goOn(ticket, isShielded: isShielded)
      }
    }
    let outcome: Awaiting.Outcome
    do {
      unsafe outcome = try await withUnsafeThrowingContinuation { continuation in
        unsafe awaiting.pointee.start(
          head, layout, from: step, isCancelled: isCancelled, isShielded: isShielded, deadline: deadline, continuation)
      }
    } catch {
      throw error as! EngineError
    }
    switch outcome {
    case .completed(let completion, let isLate): return (completion, isLate)
    case .pending(let ticket): return try await goOn(ticket, isShielded: isShielded)
    }
  }

  /// Waits for a syslet that keeps its task waiting, so that it can be cancelled. Not from the start: with a cancellation handler, awaiting a
  /// cached read took 330 ns longer than waiting for it, without it 230. A function of its own, because `run`'s frame is memory that every
  /// waiting task has in the processor's caches.
  @inline(never)
  private func goOn(_ ticket: Awaiting.Ticket, isShielded: Bool) async throws(EngineError) -> (Completion, Bool) {
    do {
      // A task that does not prefer the executor, an actor's for example, may have been on its thread by chance and is elsewhere now. The thread
      // does not end before it has this.
      let outcome: Awaiting.Outcome = try await withTaskExecutorPreference(self) {
        try await withTaskCancellationHandler {
          unsafe try await withUnsafeThrowingContinuation { continuation in
            // The program's executors are at fault, and `precondition` would say nothing about it in a release build.
            guard isOwner else { fatalError("L8: a task that prefers the executor is on another thread") }
            unsafe awaiting.pointee.goOn(ticket, continuation)
          }
        } onCancel: {
          if !isShielded { send(.cancel(ticket)) }
        }
      }
      guard case .completed(let completion, let isLate) = outcome else {
        preconditionFailure("L5: a syslet that was awaited for good is pending")
      }
      return (completion, isLate)
    } catch {
      throw error as! EngineError
    }
  }

  @inline(never)
  private func runFromElsewhere(_ head: AtomAddress, _ layout: AtomForm) async throws(EngineError) -> Completion {
    try await withTaskExecutorPreference(self) { () async -> Result<Completion, EngineError> in
      // Elsewhere again: the thread has ended.
      guard isOwner else { return .failure(unsafe awaiting.pointee.failure ?? .closed) }
      do throws(EngineError) { return .success(try await runHere(head, layout)) } catch { return .failure(error) }
    }.get()
  }

  /// Ends the executor: cancels the syslets that are pending, whose tasks get their completions, and refuses others with `.closed`. Does not wait.
  ///
  /// Tasks that still prefer the executor run where tasks run by default. Closing twice is fine.
  public func close() { send(.close) }

  /// Runs a job of a task on the executor's thread. Tasks' own business.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isOwner {
      unsafe jobs.pointee.append(job)
    } else if !send(.job(job)) {
      globalConcurrentExecutor.enqueue(job)
    }
  }

  /// The kernel has failed the engine's ring. On the executor's thread, when that has ended, or behind a run that has thrown: by then it has been written.
  var hasFailed: Bool { unsafe awaiting.pointee.failure != nil }

  /// How a syslet would run on the executor's engine. Waits for its thread, that of a task that explains included; nil when that has ended.
  func explain(_ head: AtomAddress, _ layout: AtomForm) -> Explanation? {
    if isOwner { return unsafe awaiting.pointee.engine.explain(head, layout) }
    let request = ExplanationRequest(head, layout)
    return send(.explain(request)) ? request.answer() : nil
  }

  /// Cancels the syslets that are pending, and not shielded. Others can be run as before.
  func cancelAll() { send(.cancelAll) }

  // MARK: From other threads

  var isOwner: Bool { owner == syslet_thread_token_if_any() }

  /// False when the thread has ended, and nobody will take the message.
  @discardableResult
  private func send(_ message: Inbox.Message) -> Bool {
    inbox.put(message) { mail!.callOwner() }
  }

  // MARK: The thread

  /// Before anybody else has the executor.
  fileprivate func begin(_ options: SysletEngine.Options) throws(EngineError) {
    let made = try Awaiting(options)
    unsafe awaiting.initialize(to: made)
    let engine = unsafe awaiting.pointee.engine
    (backend, ringUnavailability) = (engine.backend, engine.ringUnavailability)
    mail = unsafe awaiting.pointee.mail
    owner = syslet_thread_token()
  }

  fileprivate func work() {
    let executor = unsafe asUnownedTaskExecutor()
    var messages: [Inbox.Message] = []
    repeat {
      if unsafe awaiting.pointee.mail.answerCall() {
        inbox.take(&messages)
        for message in messages { take(message) }
        messages.removeAll(keepingCapacity: true)
      }
      unsafe jobs.pointee.beginBatch()
      while let job = unsafe jobs.pointee.next() { unsafe job.runSynchronously(on: executor) }
      unsafe awaiting.pointee.turn(isIdle: jobs.pointee.isEmpty)
    } while !hasEnded()
  }

  private func hasEnded() -> Bool {
    guard unsafe awaiting.pointee.endIfDone() else { return false }
    // Tasks that go on do so elsewhere: one that never ends must not keep the thread.
    unsafe jobs.pointee.beginBatch()
    while let job = unsafe jobs.pointee.next() { globalConcurrentExecutor.enqueue(job) }
    if inbox.closeIfEmpty() { return true }
    // Instead of another look at once: a sender that has not left yet may have a lower priority than this thread.
    usleep(50)
    return false
  }

  private func take(_ message: Inbox.Message) {
    switch message {
    case .job(let job): unsafe jobs.pointee.append(job)
    case .cancel(let ticket): unsafe awaiting.pointee.cancel(ticket)
    case .cancelAll: unsafe awaiting.pointee.cancelAll()
    case .explain(let request): unsafe request.answer(awaiting.pointee.engine.explain(request.head, request.layout))
    case .close: unsafe awaiting.pointee.close()
    }
  }
}

/// How a thread begins: its engine or the error, told to the thread that started it.
private final class Start: @unchecked Sendable {
  private let executor: SysletExecutor
  private let options: SysletEngine.Options
  private var error: EngineError?
  private let isBegun = Signal()

  init(executor: SysletExecutor, options: SysletEngine.Options) {
    self.executor = executor
    self.options = options
  }

  func waitUntilBegun() -> EngineError? {
    isBegun.wait()
    return error
  }

  func begin() {
    _ = unsafe syslet_thread_begin("syslet-executor")
    do throws(EngineError) {
      try executor.begin(options)
    } catch {
      self.error = error
    }
    let isWell = error == nil
    isBegun.give()
    if isWell { executor.work() }
  }
}

/// What another thread wants explained, and waits for.
final class ExplanationRequest: @unchecked Sendable {
  let head: AtomAddress
  let layout: AtomForm
  private var explanation: Explanation?
  private let isMade = Signal()

  init(_ head: AtomAddress, _ layout: AtomForm) { (self.head, self.layout) = (head, layout) }

  func answer(_ explanation: Explanation) {
    self.explanation = explanation
    isMade.give()
  }

  func answer() -> Explanation? {
    isMade.wait()
    return explanation
  }
}

/// What one thread waits for and another one gives, once.
@safe private final class Signal: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>

  init() {
    unsafe semaphore = .allocate(capacity: 1)
    unsafe semaphore.initialize(to: sem_t())
    unsafe sem_init(semaphore, 0, 0)
  }

  deinit {
    unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  func give() { unsafe sem_post(semaphore) }

  func wait() { while unsafe sem_wait(semaphore) != 0 {} }
}

/// Jobs that are ready, in batches: what a batch's jobs make ready is the next one, and between two of them the engine has a turn.
private struct JobQueue {
  private var waiting: [UnownedJob] = []
  private var batch: [UnownedJob] = []
  private var position = 0

  var isEmpty: Bool { waiting.isEmpty }
  /// Nor is one left of the batch.
  var hasNone: Bool { waiting.isEmpty && position == batch.count }

  mutating func append(_ job: UnownedJob) { waiting.append(job) }

  /// When the last one has come to its end.
  mutating func beginBatch() {
    batch.removeAll(keepingCapacity: true)
    position = 0
    swap(&waiting, &batch)
  }

  mutating func next() -> UnownedJob? {
    guard position < batch.count else { return nil }
    position += 1
    return batch[position - 1]
  }
}
