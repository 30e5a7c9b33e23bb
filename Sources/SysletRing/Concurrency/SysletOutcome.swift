// What became of a typed program: beside its result or its error, how far it came.
//
// Unsafe fence: as in SysletRuntime.swift: what is lent is lent until `outcome` returns.

/// What became of a typed program.
///
/// A program that was cut short may have done what it was for: `last` tells the step that it came to, and with which result.
public struct SysletOutcome<Output: Sendable>: Sendable {
  /// A step that was executed.
  public struct Step: Sendable, Hashable {
    /// Its operation, by its name in `SysletBuilder`.
    public var operation: String
    /// Its number in the program, from 1.
    public var number: Int
    /// Where it stands in the source.
    public var location: SysletError.SourceLocation
    /// As the system call's: a negative one is an errno.
    public var result: Int
  }

  /// The program's result, or what `run` would throw: `SysletError` or `CancellationError`.
  public var result: Result<Output, any Error>
  /// How many steps were executed, those that clean up included.
  public var executed: Int
  /// The last step before it failed or was cut short, or of all; nil if none was executed.
  public var last: Step?

  /// Whether no step was executed, so that it may be run again whatever it does.
  public var isUntouched: Bool { executed == 0 }
}

extension SysletRuntime {
  /// Runs a program, and tells how it ended and how far it came.
  ///
  /// - Parameters:
  ///   - syslet: The program.
  ///   - arguments: One for each parameter that it was made with.
  ///   - deadline: When it is cut short if it is not done by then.
  public nonisolated(nonsending) func outcome<each P: SysletParameter, O: Sendable>(
    of syslet: Syslet<repeat each P, O>, _ arguments: repeat each P, deadline: ContinuousClock.Instant? = nil
  ) async -> SysletOutcome<O> {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, to: frame)
    return await outcome(frame, syslet.program.pool, deadline, syslet.decode)
  }

  /// As `run(_:_:from:deadline:)`, and tells how it ended and how far it came.
  public nonisolated(nonsending) func outcome<each P: SysletParameter, O: Sendable>(
    of syslet: Syslet<repeat each P, Bytes, O>, _ arguments: repeat each P, from bytes: borrowing Span<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async -> SysletOutcome<O> {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, Bytes(), to: frame)
    unsafe bytes.withUnsafeBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return await outcome(frame, syslet.program.pool, deadline, syslet.decode)
  }

  /// As `run(_:_:into:deadline:)`, and tells how it ended and how far it came.
  public nonisolated(nonsending) func outcome<each P: SysletParameter, O: Sendable>(
    of syslet: Syslet<repeat each P, MutableBytes, O>, _ arguments: repeat each P, into bytes: inout MutableSpan<UInt8>,
    deadline: ContinuousClock.Instant? = nil
  ) async -> SysletOutcome<O> {
    let frame = syslet.program.pool.take()
    syslet.bind(repeat each arguments, MutableBytes(), to: frame)
    unsafe bytes.withUnsafeMutableBufferPointer { unsafe syslet.program.lend(UnsafeRawBufferPointer($0), to: frame) }
    return await outcome(frame, syslet.program.pool, deadline, syslet.decode)
  }

  private nonisolated(nonsending) func outcome<O: Sendable>(
    _ frame: SysletFrame, _ pool: FramePool, _ deadline: ContinuousClock.Instant?, _ decode: (SysletFrame) -> O
  ) async -> SysletOutcome<O> {
    let ending = await perform(frame, deadline)
    defer { pool.giveBack(frame) }
    if let error = ending.error { tell(error) }
    let last = ending.last.map { number in
      let template = frame.program.templates[number]
      return SysletOutcome<O>.Step(
        operation: template.name, number: number + 1, location: template.location, result: frame[template.result])
    }
    return SysletOutcome(
      result: ending.error.map { .failure($0) } ?? .success(decode(frame)), executed: ending.executed, last: last)
  }
}
