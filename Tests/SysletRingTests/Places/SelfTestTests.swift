// The start-up self-test itself.

import Testing

@testable import SysletRing

@Suite("Self-test", .enabled(if: ringObstacle == nil))
struct SelfTestTests {
  @Test("It finds the same in whichever order the kernel runs its probes")
  func anyOrder() throws {
    // On a thread that ends: taking a ring down interrupts what its thread does next.
    let (forwards, backwards) = onAnotherThread { (try? SelfTest.run(), try? SelfTest.run(backwards: true)) }
    let (first, second) = (try #require(forwards), try #require(backwards))
    for row in Operation.ringRows {
      #expect(first.isSupported(row.opcode) == second.isSupported(row.opcode), "\(row.name)")
      #expect(first.confirmedResults(row.opcode) == second.confirmedResults(row.opcode), "\(row.name)")
    }
  }
}
