// The engine's public face: checks the caller, the options and the head, then leaves the work to `Core`.

internal import CLiburing
internal import Glibc

/// Runs syslets: programs of system calls that branch, loop and stop on their results.
///
/// An engine belongs to the thread that makes it; each of its methods throws `EngineError.wrongThread` on any other. It makes progress
/// inside `exec`, `flush` and the two `wait`s. Atoms, the variables and the buffers that they name must stay alive and unmoved until the
/// syslet's completion.
///
/// Source: docs/SEMANTICS.md; the calls of 2007 that the methods stand for are `sys_async_register`, `sys_async_exec`, `sys_async_wait`, and
/// Davide Libenzi's `async_wait(r, n)`.
@safe public final class SysletEngine {
  /// What an engine runs on.
  public typealias Backend = EngineBackend

  /// How an engine is set up. Every field has a default.
  public struct Options: Sendable {
    /// What to run on.
    public var backend: Backend = .automatic
    /// SQEs in the submission queue, 1 to 32,768; rounded up to a power of two. It bounds a segment and what one enter can submit, not how
    /// many syslets are in flight.
    public var entries: Int = 256
    /// CQEs in the completion queue, `entries` to 65,536: how many calls may be with the kernel at once. Further syslets wait their turn. Left alone
    /// it is 4096, or `entries` if that is more.
    public var completionEntries: Int {
      get { completionEntriesGiven ?? max(4096, entries) }
      set { completionEntriesGiven = newValue }
    }
    private var completionEntriesGiven: Int?
    /// Worker threads, 1 to 32,768. As many calls can wait for other parties at the same time that neither the ring nor an epoll can wait for; while so
    /// many do, a few threads more serve the others (docs/SEMANTICS.md, "Workers").
    public var maxWorkers: Int = 64
    /// Syslets accepted and not yet completed, plus completions not yet taken, 1 to 16,777,216.
    public var maxPending: Int = 65_536
    /// Read atoms, arguments behind pointers and result pointers through the kernel, so that a wild pointer ends the syslet with
    /// `-EFAULT` instead of the process with SIGSEGV. Costs several hundred nanoseconds per atom.
    public var isChecked: Bool = false
    /// Drop a completion that finds its slot of the completion ring taken, and count it in `lost`, as the kernel patch of 2007 did.
    public var strictRing: Bool = false
    /// For how long the backend `automatic` may hold the calling thread with one call of a kind that may block, as far as the last calls of
    /// that kind tell: one that took longer goes to a worker from then on. In a wait without a timeout for the only pending syslet, a run of such
    /// calls may hold it for 10 ms more. With `.zero` only calls that never block are made there.
    public var inlineLimit: Duration = .milliseconds(1)
    /// End a syslet with `Completion.Reason.stepLimit` after so many atoms; nil for no limit.
    public var maxSteps: Int? = nil
    /// The real-time signal that interrupts calls of workers, SIGRTMIN to SIGRTMAX; nil for one that the program does not use, as far as its handlers and
    /// its signal mask tell when a worker begins. To name one is of use to a program that waits for real-time signals by sigwait or a signalfd
    /// in threads that it starts later.
    public var interruptSignal: Int32? = nil
    /// Called for each engine of the backend `automatic` that runs on threads because io_uring cannot be used, with the reason, on the thread that makes it. nil:
    /// the first of them writes a line to stderr, and `SysletEngine.ringUnavailability` tells the rest.
    public var onFallback: (@Sendable (EngineError) -> Void)? = nil

    /// The defaults, which are each property's own.
    public init() {}
  }

  /// What an engine that was asked for runs on: `automatic` and `ring` use io_uring, `automatic` becomes `threads` where it cannot.
  public var backend: Backend { unsafe core.pointee.router.backend }

  /// Why `automatic` runs on threads; nil when it has a ring, and on other backends.
  public var ringUnavailability: EngineError? { unsafe core.pointee.ringUnavailability }

  /// All mutable state, behind a `let` pointer: stored in the class, each access would be checked for exclusivity.
  ///
  /// The engine owns the memory; no pointer to it leaves the engine's methods.
  private let core: UnsafeMutablePointer<Core>

  /// Makes an engine that belongs to the calling thread.
  ///
  /// - Throws: `.invalidOption`; `.ringUnavailable` for the backend `ring` where io_uring cannot be used; `.kernel` where a checked engine
  ///   may not copy memory through the kernel (`process_vm_readv`), and where there is no memory for as much as the options ask for.
  public init(_ options: Options = Options()) throws(EngineError) {
    let made = try Core(options)
    unsafe core = .allocate(capacity: 1)
    unsafe core.initialize(to: made)
  }

  /// An engine on a ring that it closes, simulated or not, and with a self-test's findings that may be wrong. For tests.
  init(_ options: Options, on ring: Ring, believing severing: Severing) throws(EngineError) {
    let made = try Core(options, on: (ring: ring, severing: severing))
    unsafe core = .allocate(capacity: 1)
    unsafe core.initialize(to: made)
  }

  /// An engine with a table of its own, whose rows may be wrong. For tests.
  init(_ options: Options, table: OperationTable) throws(EngineError) {
    let made = try Core(options, table: table)
    unsafe core = .allocate(capacity: 1)
    unsafe core.initialize(to: made)
  }

  /// An engine that has another place than `WorkerPool` for what is made on other threads than the owner's. For tests.
  init(_ options: Options, threads: @escaping @Sendable (ThreadPlaceTerms) -> any ThreadPlace) throws(EngineError) {
    let made = try Core(options, threads: threads)
    unsafe core = .allocate(capacity: 1)
    unsafe core.initialize(to: made)
  }

  deinit {
    unsafe core.pointee.closeInDeinit()
    syslet_shield_lower()
    // What is left to the kernel writes into it: kept for good rather than freed under it.
    if unsafe core.pointee.mustStay { return Census.countEngine(-1) }
    unsafe core.deinitialize(count: 1)
    unsafe core.deallocate()
  }

  // MARK: The calls of 2007

  /// Registers the user's completion ring: slots that are all nil. From now on completions go there, from index 0 on.
  ///
  /// Completions that were not taken before are posted first. The corresponding call of 2007 is `sys_async_register`.
  /// - Throws: `.invalidRing` for a ring without slots; `.ringRegistered`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func register(_ ring: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    try unsafe core.pointee.activations.delivery.register(ring)
  }

  /// Lets go of the completion ring. Completions that found no slot are kept for `wait(into:)` or the next ring.
  /// - Throws: `.noRingRegistered`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func unregister() throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    try unsafe core.pointee.activations.delivery.unregister()
  }

  /// Runs the syslet at `head`.
  ///
  /// - Returns: The last executed atom, when the whole syslet ran without leaving the caller's context: then no completion is posted. nil,
  ///   when it goes on asynchronously (its completion comes later), or when it ended by a fault or the step limit (its completion tells).
  /// - Throws: What keeps the head from being accepted: `.malformedAtom`, `.unreadableAtom` (checked engines), `.full`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func exec<A: AtomLayout>(@_nonEphemeral _ head: UnsafeMutablePointer<A>) throws(EngineError) -> UnsafeMutablePointer<A>? {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { syslet_shield_lower() }
    return try unsafe core.pointee.exec(AtomAddress(UnsafeMutableRawPointer(head)), A.form)?.pointer.assumingMemoryBound(to: A.self)
  }

  /// Waits until at least `count` completions are visible or nothing is pending any more; a timeout or a signal ends the wait too.
  ///
  /// - Returns: Completions now visible: in the registered ring, those posted and not yet cleared; without a ring, those that
  ///   `wait(into:)` would copy. The corresponding call of 2007 is `sys_async_wait`.
  /// - Throws: `.kernel` when the kernel fails the engine's ring. All syslets are cancelled then; their completions are given first, and the
  ///   error once there is none left. A syslet that gets none is with the kernel: `pending` counts these, and their memory must stay.
  ///   `.invalidOption` for a negative timeout.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func wait(atLeast count: Int, timeout: Duration? = nil) throws(EngineError) -> Int {
    guard unsafe core.pointee.isOpen else { throw unsafe core.pointee.refusal }
    try Self.check(timeout)
    defer { syslet_shield_lower() }
    return try unsafe core.pointee.wait(atLeast: count, timeout: timeout)
  }

  /// Waits as `wait(atLeast:)` does and copies up to `buffer.count` completions into `buffer`, which need not be initialised.
  ///
  /// - Returns: Completions copied: fewer than `count` only if nothing is pending any more, the buffer is smaller, the timeout passed or
  ///   a signal came. Davide Libenzi's `async_wait(r, n)`.
  /// - Throws: `.ringRegistered`, because completions then go to the ring; `.kernel` as `wait(atLeast:)` does.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func wait(
    into buffer: UnsafeMutableBufferPointer<Completion>, atLeast count: Int = 1, timeout: Duration? = nil
  ) throws(EngineError) -> Int {
    guard unsafe core.pointee.isOpen else { throw unsafe core.pointee.refusal }
    try Self.check(timeout)
    defer { syslet_shield_lower() }
    return try unsafe core.pointee.wait(into: buffer, atLeast: count, timeout: timeout)
  }

  private static func check(_ timeout: Duration?) throws(EngineError) {
    guard let timeout, timeout < .zero else { return }
    throw .invalidOption(
      name: "timeout", value: "\(timeout)", rule: "it must not be negative; .zero looks once, and nil waits without a limit")
  }

  // MARK: Batches

  /// Accepts the syslet at `head`, to begin at the next `flush` or wait. It always completes through a completion.
  ///
  /// - Throws: What keeps the head from being accepted, as `exec` does.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func enqueue<A: AtomLayout>(@_nonEphemeral _ head: UnsafeMutablePointer<A>) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    try unsafe core.pointee.enqueue(AtomAddress(UnsafeMutableRawPointer(head)), A.form)
  }

  /// As `enqueue` of either layout. A function of its own because the generic one asks for the type of each head: 20 instructions.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func enqueue(@_nonEphemeral _ head: UnsafeMutablePointer<Atom>) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    try unsafe core.pointee.enqueue(AtomAddress(UnsafeMutableRawPointer(head)), .direct)
  }

  /// Begins what was enqueued, and enters the kernel once for all of it, if need be. Does not wait.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func flush() throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { syslet_shield_lower() }
    try unsafe core.pointee.flush()
  }

  // MARK: Prepared syslets

  /// Reads the atoms that can be reached from `head`, now and never again: see `PreparedSyslet`.
  ///
  /// Any engine can run what this one has prepared. A later atom that cannot be read or is malformed is no error here, but a fault of the syslets that
  /// reach it, as of those that were not prepared.
  /// - Throws: What keeps the head from being accepted, as `exec` does, but not `.full`; `.malformedAtom` where more than 65,536 atoms can be reached;
  ///   `.kernel` where the kernel does not let it copy memory (`process_vm_readv`).
  public func prepare<A: AtomLayout>(@_nonEphemeral _ head: UnsafeMutablePointer<A>) throws(EngineError) -> PreparedSyslet {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    return try unsafe core.pointee.memory.prepare(AtomAddress(UnsafeMutableRawPointer(head)), A.layout)
  }

  /// Runs a prepared syslet, as `exec` of its head does.
  ///
  /// - Returns: The user's atom that was executed last, or nil: as the other `exec`.
  /// - Throws: `.full`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func exec(_ syslet: PreparedSyslet) throws(EngineError) -> UnsafeMutableRawPointer? {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { syslet_shield_lower() }
    defer { withExtendedLifetime(syslet) {} }
    return try unsafe core.pointee.exec(syslet.head, .prepared)?.pointer
  }

  /// Accepts a prepared syslet, to begin at the next `flush` or wait. It always completes through a completion.
  /// - Throws: `.full`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func enqueue(_ syslet: PreparedSyslet) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { withExtendedLifetime(syslet) {} }
    try unsafe core.pointee.enqueue(syslet.head, .prepared)
  }

  /// As `cancel` of a head: all pending activations of the syslet.
  /// - Throws: `.notPending`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func cancel(_ syslet: PreparedSyslet) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { withExtendedLifetime(syslet) {} }
    try unsafe core.pointee.cancel(syslet.head, .prepared)
  }

  /// How a prepared syslet would run on this engine, with what its pointers point to as it is now. Nothing is executed.
  public func explain(_ syslet: PreparedSyslet) -> Explanation {
    withExtendedLifetime(syslet) { unsafe core.pointee.explain(syslet.head, .prepared) }
  }

  // MARK: For the executor that the engine belongs to

  /// From now on a run makes so many steps at the most. For tests, on places without threads.
  func limitSteps(to count: Int?) { unsafe core.pointee.limitSteps(to: count) }

  func explain(_ head: AtomAddress, _ layout: AtomForm) -> Explanation { unsafe core.pointee.explain(head, layout) }

  /// As `enqueue`, and the completion carries `waiter`. The run's slot, for `cancel(_:waiter:)`.
  func enqueue(_ head: AtomAddress, _ layout: AtomForm, waiter: UInt32) throws(EngineError) -> UInt32 {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    return try unsafe core.pointee.enqueue(head, layout, waiter: waiter)
  }

  /// The same of steps, beginning with `step`.
  func enqueue(_ head: AtomAddress, from step: AtomAddress, waiter: UInt32) throws(EngineError) -> UInt32 {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    return try unsafe core.pointee.enqueue(head, from: step, waiter: waiter)
  }

  /// The same, and it has its turn at once: its completion if that was its end. On the backend `automatic`.
  func begin(
    _ head: AtomAddress, from step: AtomAddress, waiter: UInt32, isAlone: Bool
  ) throws(EngineError) -> (slot: UInt32, completion: Completion?) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    defer { syslet_shield_lower() }
    return try unsafe core.pointee.begin(head, from: step, waiter: waiter, isAlone: isAlone)
  }

  func cancel(_ slot: UInt32, waiter: UInt32) { unsafe core.pointee.cancel(slot, waiter: waiter) }

  /// Through the mailbox other threads can end a wait.
  func heedCalls() throws(EngineError) -> Mailbox { try unsafe core.pointee.heedCalls() }

  func sleepUntilCalled(nanoseconds: Int64? = nil) { unsafe core.pointee.sleepUntilCalled(nanoseconds: nanoseconds) }

  /// Whether it cannot go on. What else a wait throws is a refusal for now, by which nothing is lost.
  var hasFailed: Bool { unsafe core.pointee.failure != nil }

  // MARK: Control

  /// Asks every pending syslet with this head to stop after its current atom, and interrupts that atom if it is blocked: parked or on a worker at
  /// once, on the ring with the next `flush` or wait. Does not wait: the completion, with the reason `cancelled` unless the syslet ended first, comes
  /// as always.
  ///
  /// - Throws: `.notPending`.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func cancel<A: AtomLayout>(_ head: UnsafeMutablePointer<A>) throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    try unsafe core.pointee.cancel(AtomAddress(UnsafeMutableRawPointer(head)), A.form)
  }

  /// Lets go of the worker threads that there are: what is handed over from now on goes to new ones, which are started by the calling thread and so
  /// share what it has now. What was handed over to the old ones they finish.
  ///
  /// Users, groups and capabilities of the owner's thread are compared before each hand-over, and need no call of this. Call it when the thread has
  /// changed what the kernel has no quick way to compare: after `unshare`, `setns`, `keyctl`, `prctl(PR_SET_SECCOMP)`,
  /// `landlock_restrict_self`, a change of a security module's label, and after `chroot`, `chdir` or `umask` by a thread that shares its root with
  /// no other (CLONE_FS). docs/SEMANTICS.md, "Rights".
  /// - Throws: Only what keeps an engine from being used: `.wrongThread`, `.forked`, `.closed`, or what it has failed with.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func renewWorkers() throws(EngineError) {
    guard unsafe core.pointee.isUsable else { throw unsafe core.pointee.refusal }
    unsafe core.pointee.renewWorkers()
  }

  /// Cancels what is pending, waits until the kernel and the workers have let go of all memory, and frees the ring and the threads.
  /// Completions that were not taken are dropped. Closing twice is fine; every other method throws `.closed` afterwards.
  ///
  /// Only a ring that failed, or a call that nothing interrupts for 10 s (of a hung file server, of a device), keeps syslets: `pending` counts them
  /// afterwards, and the kernel may still use their memory.
  @available(*, noasync, message: "an engine belongs to a thread, and a task has none of its own: use SysletRuntime, or SysletExecutor")
  public func close() throws(EngineError) {
    guard unsafe core.pointee.isOwner, unsafe !core.pointee.isForked else { throw unsafe core.pointee.refusal }
    defer { syslet_shield_lower() }
    unsafe core.pointee.close()
  }

  /// Syslets accepted and not yet completed.
  public var pending: Int { unsafe core.pointee.activations.pending }
  /// Completions that had to wait for a slot of the completion ring.
  public var overflowed: Int { unsafe core.pointee.activations.delivery.overflowed }
  /// Completions dropped for want of a slot, with `Options.strictRing`.
  public var lost: Int { unsafe core.pointee.activations.delivery.lost }
  /// What the engine has done so far.
  public var statistics: Statistics {
    var statistics = Statistics()
    unsafe (statistics.accepted, statistics.faulted) = (core.pointee.activations.accepted, core.pointee.activations.faulted)
    unsafe (statistics.workerHops, statistics.workerCalls) = (core.pointee.workers.hops, core.pointee.workers.calls)
    statistics.parked = unsafe core.pointee.poller.parkings
    unsafe (statistics.inlineCalls, statistics.tries) = (core.pointee.owner.calls, core.pointee.owner.tries)
    unsafe statistics.add(core.pointee.placer.counts)
    unsafe statistics.add(core.pointee.inRing.counts)
    unsafe statistics.add(core.pointee.workers.counts)
    statistics.completed = unsafe statistics.accepted - core.pointee.activations.pending
    return statistics
  }

  /// How the syslet at `head` would run on this engine, with the memory as it is now. Nothing is executed.
  public func explain<A: AtomLayout>(_ head: UnsafeMutablePointer<A>) -> Explanation {
    unsafe core.pointee.explain(AtomAddress(UnsafeMutableRawPointer(head)), A.form)
  }
}
