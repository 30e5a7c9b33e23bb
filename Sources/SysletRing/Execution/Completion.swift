// What becomes of a syslet.

/// One completed syslet.
///
/// The pointers are the user's own; sending a completion to another thread sends no more than their values.
@safe public struct Completion: @unchecked Sendable {
  /// Why the syslet ended.
  public enum Reason: UInt8, Sendable {
    /// The last atom has no next one.
    case ended
    /// A stop condition fired.
    case stopped
    /// The syslet was cancelled. `result` is that of the last executed atom, or `-ECANCELED` if none was executed.
    case cancelled
    /// An atom, an argument behind a pointer or an edge could not be read (`result` is `-EFAULT`), or a later atom is malformed
    /// (`-EINVAL`).
    case faulted
    /// `Options.maxSteps` atoms were executed and there was another one.
    case stepLimit
  }

  /// The last executed atom; the head, if none was executed.
  public var atom: UnsafeMutableRawPointer
  /// That atom's `private` word.
  public var privateData: UnsafeMutableRawPointer?
  /// The last executed atom's result: non-negative or `-errno`; what a fault or an early cancellation gives, see `Reason`.
  public var result: Int
  /// How many atoms were executed.
  public var executed: Int
  /// Why the syslet ended.
  public var reason: Reason
  /// Who awaits the syslet (`Run.waiter`). In the padding behind `reason`: copying completions costs nothing more.
  let waiter: UInt32

  /// A completion with these values, for tests of what takes some.
  public init(
    atom: UnsafeMutableRawPointer, privateData: UnsafeMutableRawPointer? = nil, result: Int = 0, executed: Int = 0,
    reason: Reason = .ended
  ) {
    unsafe self.atom = unsafe atom
    unsafe self.privateData = unsafe privateData
    self.result = result
    self.executed = executed
    self.reason = reason
    waiter = Run.noWaiter
  }

  @inline(__always)
  init(
    atom: UnsafeMutableRawPointer, privateData: UnsafeMutableRawPointer?, result: Int, executed: Int, reason: Reason, waiter: UInt32
  ) {
    unsafe self.atom = unsafe atom
    unsafe self.privateData = unsafe privateData
    self.result = result
    self.executed = executed
    self.reason = reason
    self.waiter = waiter
  }
}
