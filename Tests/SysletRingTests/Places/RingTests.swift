// Rings without an engine.

import CLiburing
import Foundation
import Glibc
import Synchronization
import Testing

@testable import SysletRing

@Suite("Rings", .leavesNothingBehind, .enabled(if: ringObstacle == nil, "io_uring cannot be used here: there are no rings"))
struct RingTests {
  /// Whose turn it is. Relaxed, because it must order nothing: the thread sanitizer is to see two threads that know nothing of each other.
  private final class Turns: Sendable {
    private let turn = Atomic(0)

    func wait(for number: Int) { while turn.load(ordering: .relaxed) != number { sched_yield() } }
    func end(_ number: Int) { turn.store(number + 1, ordering: .relaxed) }
  }

  /// The results of two no-ops on a ring of their own.
  private static func resultsOnRing() throws(KernelError) -> [Int32] {
    let ring = try Ring(entries: 8, completionEntries: 16)
    defer { ring.close() }
    var cqes = [syslet_cqe](repeating: syslet_cqe(), count: 2)
    guard unsafe ring.issue([.nop, .nop], 2), ring.enter(waitFor: 2, nanoseconds: 10_000_000_000) == 2 else { return [] }
    return unsafe cqes.prefix(ring.reap(into: &cqes, 2)).map(\.res)
  }

  // The thread sanitizer took such threads for users of the same memory, for it does not see liburing give that back and get it again: only
  // under scripts/sanitize can this fail.
  @Test("A ring in the memory of one that another thread has closed shares nothing with it")
  func memoryOfAnother() {
    let threadCount = 2
    let turns = Turns()
    let failures = Locked<[String]>([])
    let ended = DispatchSemaphore(value: 0)
    for thread in 0..<threadCount {
      Thread.detachNewThread {
        for number in stride(from: thread, to: 20, by: threadCount) {
          turns.wait(for: number)
          do {
            let results = try Self.resultsOnRing()
            if results != [0, 0] { failures.withLock { $0.append("\(results)") } }
          } catch {
            failures.withLock { $0.append("\(error)") }
          }
          turns.end(number)
        }
        ended.signal()
      }
    }
    for _ in 0..<threadCount { ended.wait() }
    #expect(failures.withLock { $0 } == [])
  }
}
