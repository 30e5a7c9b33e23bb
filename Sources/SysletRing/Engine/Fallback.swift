// Telling the user that `automatic` runs on threads where io_uring cannot be used.

internal import CLiburing
internal import Synchronization

enum Fallback {
  /// Whether it has been told in this process. Relaxed: it orders nothing.
  private static let isTold = Atomic(false)

  /// Gives `error` to the program's own hook, for each engine; without one, to whoever reads stderr, once.
  static func tell(_ error: EngineError, _ hook: (@Sendable (EngineError) -> Void)?) {
    if let hook { return hook(error) }
    guard !isTold.exchange(true, ordering: .relaxed) else { return }
    let line = Array("SysletRing: io_uring cannot be used, running on threads: \(error)\n".utf8)
    // A stderr that cannot be written to leaves nobody to tell, and kills nobody.
    _ = unsafe line.withUnsafeBytes {
      unsafe syslet_call_for_syslet(SystemCall.write, 2, UInt64(argument: $0.baseAddress), UInt64($0.count), 0, 0, 0)
    }
    syslet_shield_lower()
  }
}
