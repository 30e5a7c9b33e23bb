// Typed syslets for tasks: threads that own an engine each, and who may run how many at a time.
//
// Unsafe fence: what is lent by `from:` and `into:` is borrowed, or exclusively accessed, until `run` returns, and `run` returns only after the kernel has
// let go of it (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

#if Logging
  public import Logging
#endif
#if Metrics
  public import CoreMetrics
#endif

/// Runs typed syslets for tasks.
///
/// ```swift
/// let runtime = try SysletRuntime()
/// let status = try await runtime.run(Files.status, "/etc/hosts")
/// await runtime.shutDown()
/// ```
///
/// When the task is cancelled the program is: the step at hand is interrupted if it can be, no further one begins, what is open is closed, and then `run`
/// throws `CancellationError`. A runtime that nobody has any more ends by itself.
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
    /// Programs that run at a time, on all shards together: 4,096. One that waits, for a connection's next message for example, is one of them, and with so many
    /// all others wait for their turn. Fewer do where these could have more descriptors open than RLIMIT_NOFILE allows, less 64 for the
    /// rest of the process.
    public var maxPending = 4096
    /// What to do with more.
    public var overload = Overload.wait
    /// What each engine is made with; its own `maxPending` is seen to.
    public var engine = SysletEngine.Options()
    /// Told once, while the runtime is made, when `automatic` has to do without io_uring: with the reason. Results are the same.
    public var onFallback: (@Sendable (EngineError) -> Void)?
    #if Logging
      /// Told of the runtime's end (info), of programs that give no result (debug), and, in place of stderr, when `automatic` has to do without io_uring
      /// (warning); nil: nobody. With the trait `Logging`.
      public var logger: Logger?
    #endif
    #if Metrics
      /// Makes the metrics that docs/SEMANTICS.md lists, such as `MetricsSystem.factory`; nil: there are none. With the trait `Metrics`.
      public var metrics: (any MetricsFactory)?
      /// How long it is from one setting of the gauges to the next; above 0.
      public var metricsInterval: Duration = .seconds(5)
      /// What the metrics' labels begin with: different ones tell a process's runtimes apart.
      public var metricsPrefix = "sysletring"
    #endif
    #if ServiceLifecycle
      /// How long programs may go on when the runtime, as a `Service`, is asked to shut down, before they are cut short. With the trait `ServiceLifecycle`.
      public var gracePeriod: Duration = .seconds(20)
    #endif

    /// The defaults.
    public init() {}
  }

  private let shards: [SysletExecutor]
  private let turn = Atomic(0)
  let admission: Admission
  let isShared: Bool
  /// Who appends to which descriptor.
  let appends = Turns()
  #if Logging
    let log: RuntimeLog
  #endif
  #if Metrics
    let metrics: RuntimeMetrics?
  #endif
  #if ServiceLifecycle
    let gracePeriod: Duration
  #endif

  /// The process's: made with the defaults when it is first used, and never ended.
  ///
  /// Where not even a thread can be started, the process ends.
  public static let shared: SysletRuntime = {
    do { return try SysletRuntime(Options(), isShared: true) } catch { fatalError("SysletRuntime.shared cannot be made: \(error)") }
  }()

  /// Starts the threads and makes their engines.
  ///
  /// - Throws: As `SysletEngine.init`; `.invalidOption` for a number of shards or of programs that cannot work.
  public convenience init(_ options: Options = Options()) throws(EngineError) { try self.init(options, isShared: false) }

  private init(_ options: Options, isShared: Bool) throws(EngineError) {
    let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let count = options.shards ?? min(4, (processors + 1) / 2)
    guard (1...1024).contains(count) else {
      throw .invalidOption(name: "shards", value: String(count), rule: "it must be from 1 to 1024")
    }
    guard (1...(1 << 24)).contains(options.maxPending) else {
      throw .invalidOption(name: "maxPending", value: String(options.maxPending), rule: "it must be from 1 to 16777216")
    }
    #if Metrics
      guard options.metricsInterval > .zero else {
        throw .invalidOption(name: "metricsInterval", value: "\(options.metricsInterval)", rule: "it must be above 0")
      }
    #endif
    var engine = options.engine
    engine.maxPending = max(engine.maxPending, options.maxPending)
    // Who is told below need not be told by each engine, on stderr.
    var isToldBelow = options.onFallback != nil
    #if Logging
      isToldBelow = isToldBelow || options.logger != nil
    #endif
    if isToldBelow, engine.onFallback == nil { engine.onFallback = { _ in } }
    var shards: [SysletExecutor] = []
    do throws(EngineError) {
      for _ in 0..<count { shards.append(try SysletExecutor(engine)) }
    } catch {
      for shard in shards { shard.close() }
      throw error
    }
    self.shards = shards
    self.isShared = isShared
    let admission = Admission(max: options.maxPending, mayWait: options.overload == .wait)
    self.admission = admission
    #if Logging
      log = RuntimeLog(logger: options.logger)
    #endif
    #if Metrics
      metrics = options.metrics.map { RuntimeMetrics($0, options.metricsPrefix, options.metricsInterval, admission) }
    #endif
    #if ServiceLifecycle
      gracePeriod = options.gracePeriod
    #endif
    if let reason = shards[0].ringUnavailability {
      #if Logging
        log.fellBack(reason)
      #endif
      options.onFallback?(reason)
    }
  }

  deinit { for shard in shards { shard.close() } }

  /// On whose thread a task saves the way to the runtime and back: `Task(executorPreference: runtime.executor)`.
  ///
  /// It is the first shard's: a task that prefers it runs its programs there, so with several shards leave some tasks without. Child tasks prefer what their parent
  /// prefers; a `Task { }` prefers nothing.
  public var executor: any TaskExecutor { shards[0] }

  /// What the engines really run on.
  public var backend: SysletEngine.Backend { shards[0].backend }
  /// Why `automatic` runs on threads; nil when it has a ring, and on other backends.
  public var ringUnavailability: EngineError? { shards[0].ringUnavailability }

  // MARK: Running

  /// Runs a program and gives its result.
  ///
  /// - Parameters:
  ///   - syslet: The program.
  ///   - arguments: One for each parameter that it was made with.
  ///   - deadline: When it is cut short if it is not done by then.
  /// - Throws: `SysletError`, which names the step that failed; `CancellationError` when the task is cancelled.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, O>, _ arguments: repeat each P, deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, to: frame)
    return try result(await perform(frame, deadline), frame, syslet.program.pool, syslet.decode)
  }

  /// Runs a program whose last parameter is `Bytes`: those of `bytes`, which are not copied.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, Bytes, O>, _ arguments: repeat each P, from bytes: borrowing Span<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, Bytes(), to: frame)
    unsafe bytes.withUnsafeBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return try result(await perform(frame, deadline), frame, syslet.program.pool, syslet.decode)
  }

  /// Runs a program whose last parameter is `MutableBytes`: those of `bytes`, which are filled in place.
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, MutableBytes, O>, _ arguments: repeat each P, into bytes: inout MutableSpan<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async throws -> O {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, MutableBytes(), to: frame)
    unsafe bytes.withUnsafeMutableBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return try result(await perform(frame, deadline), frame, syslet.program.pool, syslet.decode)
  }

  @available(*, unavailable, message: "the program's last parameter is of bytes that are lent: give it a span with from:")
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, Bytes, O>, _ arguments: repeat each P, deadline: ContinuousClock.Instant? = nil
  ) async throws -> O { fatalError() }

  @available(*, unavailable, message: "the program's last parameter is of bytes to be filled: lend it a mutable span with into:")
  public nonisolated(nonsending) func run<each P: SysletParameter, O: Sendable>(
    _ syslet: Syslet<repeat each P, MutableBytes, O>, _ arguments: repeat each P, deadline: ContinuousClock.Instant? = nil
  ) async throws -> O { fatalError() }

  /// The result of a run, whose frame is given back.
  private func result<O>(_ ending: Activation.Ending, _ frame: SysletFrame, _ pool: FramePool, _ decode: (SysletFrame) -> O) throws -> O {
    defer { pool.giveBack(frame) }
    if let error = ending.error {
      tell(error)
      throw error
    }
    return decode(frame)
  }

  /// Whom the traits tell why a program gave no result. Nothing is counted on the way of those that give one.
  @inline(__always)
  func tell(_ error: any Error) {
    #if Logging
      log.failed(error)
    #endif
    #if Metrics
      metrics?.failed(error)
    #endif
  }

  @inline(__always)
  nonisolated(nonsending) func perform(_ frame: SysletFrame, _ deadline: ContinuousClock.Instant?) async -> Activation.Ending {
    if Task.isCancelled { return Activation.Ending(error: CancellationError()) }
    let descriptors = frame.program.descriptors
    var answer = admission.enterNow(descriptors)
    if answer == nil { answer = await admission.waitForTurn(descriptors, until: deadline) }
    guard answer == .entered else { return Self.refusal(answer!) }
    defer { admission.leave(descriptors) }
    var activation = Activation(frame, deadline.map(Self.moment), admission)
    guard let begin = activation.begin else { return activation.ending() }
    guard let shard = shards.first(where: { $0.isOwner }) else { return await perform(activation, from: begin, on: nextShard()) }
    // Most programs end with their first run, and a task that is on the shard's thread may wait for that one from there: each step towards an executor that
    // is saved is some 30 ns.
    let next: Int?
    do throws(EngineError) { next = try await activation.run(from: begin, on: shard, isCancelled: false) } catch {
      return activation.ending(error, on: shard)
    }
    guard let next else { return activation.ending() }
    return await perform(activation, from: next, on: shard)
  }

  @inline(never)
  private static func moment(_ deadline: ContinuousClock.Instant) -> Int64 {
    let (moment, overflow) = syslet_now().addingReportingOverflow(ContinuousClock.now.duration(to: deadline).nanoseconds)
    return overflow ? Int64.max - 1 : moment
  }

  @inline(never)
  private static func refusal(_ answer: Admission.Answer) -> Activation.Ending {
    switch answer {
    case .full: Activation.Ending(error: Activation.error(.full))
    case .closed: Activation.Ending(error: Activation.error(.closed))
    case .late: Activation.Ending(error: Activation.error(.timedOut))
    case .cancelled, .entered: Activation.Ending(error: CancellationError())
    }
  }

  /// On the shard's thread from here to its end, whoever asks: an actor's task would be on the actor's between two of its runs.
  @inline(never)
  private func perform(_ activation: Activation, from step: Int, on shard: SysletExecutor) async -> Activation.Ending {
    await withTaskExecutorPreference(shard) {
      var activation = activation
      return await activation.perform(from: step, on: shard)
    }
  }

  private func nextShard() -> SysletExecutor {
    let number = turn.wrappingAdd(1, ordering: .relaxed).newValue
    return shards[Int(UInt(bitPattern: number) % UInt(shards.count))]
  }

  /// How a program would run here. Nothing is executed.
  func explain(_ frame: SysletFrame) -> Explanation {
    let shard = shards.first { $0.isOwner } ?? shards[0]
    guard !frame.program.templates.isEmpty, var explanation = shard.explain(frame.head, .prepared) else {
      return Explanation(backend: backend, lines: [])
    }
    for index in explanation.lines.indices {
      let template = frame.program.templates[explanation.lines[index].atom]
      if !template.name.isEmpty { explanation.lines[index].call = template.name }
      explanation.lines[index].location = "\(template.location)"
    }
    return explanation
  }

  /// Makes now what the first run of a program would make: memory for one of it on each shard.
  ///
  /// What a run needs beyond that is kept for the next one, so that in the long run none allocates.
  public func prepare<each P: SysletParameter, O: Sendable>(_ syslet: Syslet<repeat each P, O>) {
    let pool = syslet.program.pool
    let frames = shards.map { _ in pool.take() }
    for frame in frames { pool.giveBack(frame) }
  }

  // MARK: The end

  /// Ends the runtime: programs that wait for their turn and others are refused (`closed`), those that run may come to their end for so long, and are then cut
  /// short, with what cleans up. Returns when all have ended. Doing it twice is fine.
  ///
  /// The process's `shared` one has no end.
  public func shutDown(grace: Duration = .zero) async {
    guard !isShared else { fatalError(Self.sharedHasNoEnd) }
    #if Logging
      log.begunEnding(admission, grace)
    #endif
    admission.close()
    if grace > .zero {
      await withTaskGroup { group in
        group.addTask { await self.admission.waitUntilEmpty() }
        group.addTask {
          // Cancelled when the others are first.
          if (try? await Task.sleep(for: grace)) != nil { self.cutShort() }
        }
        await group.next()
        // A task that is cancelled itself waits for no grace.
        self.cutShort()
        group.cancelAll()
      }
    }
    cutShort()
    await admission.waitUntilEmpty()
    for shard in shards { shard.close() }
    #if Logging
      log.ended()
    #endif
    #if Metrics
      metrics?.end()
    #endif
  }

  static let sharedHasNoEnd = "SysletRuntime.shared is the whole process's and has no end: make a SysletRuntime of your own"

  private func cutShort() {
    admission.cutShort()
    for shard in shards { shard.cancelAll() }
  }
}

extension Syslet {
  /// How it would run on this runtime now, step by step: where each runs, and why. Nothing is executed.
  ///
  /// Waits for a thread of the runtime's: hold no lock that one of its tasks waits for. Descriptors that the program opens are not known then. What stands
  /// behind the last step of the program cleans up when it fails or is cut short.
  public func explain(on runtime: SysletRuntime) -> Explanation {
    let frame = program.pool.take()
    defer { program.pool.giveBack(frame) }
    return runtime.explain(frame)
  }
}
