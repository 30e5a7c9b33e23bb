// A value behind a lock, for what the tests' threads share.

import Foundation

/// Not a `Mutex`: the thread sanitizer does not see the futex by which that hands over, and would report races where there are none.
final class Locked<Value: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  /// Read and written under the lock.
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
