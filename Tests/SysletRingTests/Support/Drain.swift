// A reader on a thread of its own, for calls that end only when somebody reads.

import Foundation
import Glibc
import Synchronization

@testable import SysletRing

final class Drain: Sendable {
  private let drained = Locked(0)
  private let isLast = Atomic(false)
  private let ended = DispatchSemaphore(value: 0)

  /// Reads `count` bytes from `descriptor`, which must stay open until `finish`; gives up after half a minute.
  init(_ descriptor: Int32, _ count: Int) {
    Thread.detachNewThread { [self] in
      let arena = Arena()
      let buffer = arena.buffer(65_536)
      let end = ContinuousClock.now + Deadline.usual
      while drained.withLock({ $0 }) < count, ContinuousClock.now < end {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, 20) == 1 else {
          if isLast.load(ordering: .acquiring) { break }
          continue
        }
        let taken = plainCall(SystemCall.read, .int(descriptor), buffer.address, .int(buffer.count))
        if taken <= 0 { break }
        drained.withLock { $0 += taken }
      }
      ended.signal()
    }
  }

  /// Reads what is still there, and gives how much that made.
  func finish() -> Int {
    isLast.store(true, ordering: .releasing)
    ended.wait()
    return drained.withLock { $0 }
  }
}
