// Typed syslets for tasks: threads that own an engine each, and who may run how many at a time.
//
// Unsafe fence: what is lent by `from:` and `into:` is borrowed, or exclusively accessed, until `run` returns, and `run` returns only after the kernel has
// let go of it (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

/// Runs typed syslets for tasks.
///
/// ```swift
/// let runtime = try SysletRuntime()
/// let status = try await runtime.run(Files.status, "/etc/hosts")
/// await runtime.shutDown()
/// ```
///
/// When the task is cancelled the program is: the step at hand is interrupted if it can be, no further one begins, what is open is closed, and then `run`
/// throws `CancellationError`.
public final class SysletRuntime: Sendable {
  /// What a runtime is made with.
  public struct Options: Sendable {
    /// What to do when as many programs run as `maxPending` says.
    public enum Overload: Sendable {
      /// `run` waits for its turn, first come first served, and can be cancelled meanwhile.
      case wait
      /// `run` throws a `SysletError` with the reason `full`.
      case refuse
    }

    /// Threads with an engine of their own; nil: one for two processors, four at the most.
    public var shards: Int?
    /// Programs that run at a time, on all shards together.
    public var maxPending = 4096
    /// What to do with more.
    public var overload = Overload.wait
    /// What each engine is made with; its own `maxPending` is seen to.
    public var engine = SysletEngine.Options()

    /// The defaults.
    public init() {}
  }

  private let shards: [SysletExecutor]
  private let turn = Atomic(0)
  private let admission: Admission

  /// Starts the threads and makes their engines.
  ///
  /// - Throws: As `SysletEngine.init`; `.invalidOption` for a number of shards or of programs that cannot work.
  public init(_ options: Options = Options()) throws(EngineError) {
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let count = options.shards ?? min(4, (processors + 1) / 2)
    guard (1...1024).contains(count) else {
      throw .invalidOption(name: "shards", value: String(count), rule: "it must be from 1 to 1024")
    }
    guard (1...(1 << 24)).contains(options.maxPending) else {
      throw .invalidOption(name: "maxPending", value: String(options.maxPending), rule: "it must be from 1 to 16777216")
    }
    var engine = options.engine
    engine.maxPending = max(engine.maxPending, options.maxPending)
    var shards: [SysletExecutor] = []
    do throws(EngineError) {
      for _ in 0..<count { shards.append(try SysletExecutor(engine)) }
    } catch {
      for shard in shards { shard.close() }
      throw error
    }
    self.shards = shards
    admission = Admission(max: options.maxPending, mayWait: options.overload == .wait)
  }

  deinit { for shard in shards { shard.close() } }

  /// On whose threads a task saves the way to the runtime and back: `Task(executorPreference: runtime.executor)`.
  public var executor: any TaskExecutor { shards[0] }

  /// What the engines really run on.
  public var backend: SysletEngine.Backend { shards[0].backend }

  // MARK: Running

  /// Runs a program and gives its result.
  ///
  /// - Parameter deadline: When it is cut short if it is not done by then.
  /// - Throws: `SysletError`, which names the step that failed; `CancellationError` when the task is cancelled.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, O>, _ arguments: repeat each P, deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, to: frame)
    return try await finish(frame, syslet.program.pool, deadline, syslet.decode)
  }

  /// Runs a program whose last parameter is `Bytes`: those of `bytes`, which are not copied.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, Bytes, O>, _ arguments: repeat each P, from bytes: borrowing Span<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, Bytes(), to: frame)
    unsafe bytes.withUnsafeBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return try await finish(frame, syslet.program.pool, deadline, syslet.decode)
  }

  /// Runs a program whose last parameter is `MutableBytes`: those of `bytes`, which are filled in place.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, MutableBytes, O>, _ arguments: repeat each P, into bytes: inout MutableSpan<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, MutableBytes(), to: frame)
    unsafe bytes.withUnsafeMutableBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return try await finish(frame, syslet.program.pool, deadline, syslet.decode)
  }

  /// Runs what has been bound, and gives the frame back.
  private nonisolated(nonsending) func finish<O>(
    _ frame: SysletFrame, _ pool: FramePool, _ deadline: ContinuousClock.Instant?, _ decode: (SysletFrame) -> O
  ) async throws -> O {
    let failure = await perform(frame, deadline)
    defer { pool.giveBack(frame) }
    if let failure { throw failure }
    return decode(frame)
  }

  private nonisolated(nonsending) func perform(_ frame: SysletFrame, _ deadline: ContinuousClock.Instant?) async -> (any Error)? {
    let moment = deadline.map { syslet_now().addingReportingOverflow((ContinuousClock.now.duration(to: $0)).nanoseconds) }
      .map { $0.overflow ? Int64.max - 1 : $0.partialValue }
    if Task.isCancelled { return CancellationError() }
    switch await admission.enter() {
    case .entered: break
    case .full: return Activation.error(.full)
    case .cancelled: return CancellationError()
    case .closed: return Activation.error(.closed)
    }
    defer { admission.leave() }
    if let shard = shards.first(where: { $0.isOwner }) { return await perform(frame, moment, on: shard) }
    let number = turn.wrappingAdd(1, ordering: .relaxed).newValue
    return await perform(frame, moment, on: shards[Int(UInt(bitPattern: number) % UInt(shards.count))])
  }

  /// On the shard's thread from its begin to its end, whoever asks: an actor's task would be on the actor's between two of its runs.
  private func perform(_ frame: SysletFrame, _ deadline: Int64?, on shard: SysletExecutor) async -> (any Error)? {
    await withTaskExecutorPreference(shard) { await Activation.perform(frame, deadline, on: shard, admission) }
  }

  /// Ends the runtime: programs that run are cut short, with what cleans up, those that wait for their turn and others are refused (`closed`). Returns when all
  /// have ended.
  public func shutDown() async {
    admission.close()
    for shard in shards { shard.cancelAll() }
    await admission.waitUntilEmpty()
    for shard in shards { shard.close() }
  }
}

/// Who may run: so many at a time, the others in the order in which they came.
final class Admission: Sendable {
  enum Answer { case entered, full, cancelled, closed }

  fileprivate struct State {
    var running = 0
    var waiting: [(number: UInt64, continuation: CheckedContinuation<Answer, Never>)] = []
    var numbers: UInt64 = 0
    var empty: [CheckedContinuation<Void, Never>] = []
    var isClosed = false
  }

  /// As in `state`, for whoever looks often. Sequentially consistent: what begins and does not see it is cancelled by what follows it.
  private let closed = Atomic(false)
  var isClosed: Bool { closed.load(ordering: .sequentiallyConsistent) }

  /// Nobody enters any more.
  func close() {
    closed.store(true, ordering: .sequentiallyConsistent)
    let waiting = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for (_, continuation) in waiting { continuation.resume(returning: .closed) }
  }

  private let state = Mutex(State())
  private let runningMax: Int
  private let mayWait: Bool

  init(max: Int, mayWait: Bool) { (runningMax, self.mayWait) = (max, mayWait) }

  nonisolated(nonsending) func enter() async -> Answer {
    let answer = state.withLock { $0.enter(runningMax) }
    if let answer { return answer }
    return mayWait ? await waitForTurn() : .full
  }

  private nonisolated(nonsending) func waitForTurn() async -> Answer {
    let number = state.withLock { state in
      state.numbers += 1
      return state.numbers
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Answer? in
          if Task.isCancelled { return .cancelled }
          if let answer = state.enter(runningMax) { return answer }
          state.waiting.append((number, continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let continuation = state.withLock { state -> CheckedContinuation<Answer, Never>? in
        guard let index = state.waiting.firstIndex(where: { $0.number == number }) else { return nil }
        return state.waiting.remove(at: index).continuation
      }
      continuation?.resume(returning: .cancelled)
    }
  }

  func leave() {
    let (next, empty) = state.withLock { state -> (CheckedContinuation<Answer, Never>?, [CheckedContinuation<Void, Never>]) in
      // Whoever waited longest has the place.
      if !state.waiting.isEmpty { return (state.waiting.removeFirst().continuation, []) }
      state.running -= 1
      guard state.running == 0 else { return (nil, []) }
      defer { state.empty = [] }
      return (nil, state.empty)
    }
    next?.resume(returning: .entered)
    for continuation in empty { continuation.resume() }
  }

  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state -> Bool in
        guard state.running > 0 else { return true }
        state.empty.append(continuation)
        return false
      }
      if isEmpty { continuation.resume() }
    }
  }
}

extension Admission.State {
  /// Whether somebody may run; nil if there is no place.
  fileprivate mutating func enter(_ runningMax: Int) -> Admission.Answer? {
    if isClosed { return .closed }
    guard running < runningMax else { return nil }
    running += 1
    return .entered
  }
}
