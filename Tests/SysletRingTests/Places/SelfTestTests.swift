// The start-up self-test itself.

import Testing

@testable import SysletRing

@Suite("Self-test", .enabled(if: ringObstacle == nil))
struct SelfTestTests {
  /// Kept, as tables are never freed. On a thread that ends: taking a ring down interrupts what its thread does next.
  private static let findings = onAnotherThread { (try? SelfTest.run(), try? SelfTest.run(backwards: true)) }

  @Test("It finds the same in whichever order the kernel runs its probes")
  func anyOrder() throws {
    let (forwards, backwards) = Self.findings
    let (first, second) = (try #require(forwards), try #require(backwards))
    for row in Operation.ringRows {
      #expect(first.isSupported(row.opcode) == second.isSupported(row.opcode), "\(row.name)")
      #expect(first.confirmedResults(row.opcode) == second.confirmedResults(row.opcode), "\(row.name)")
    }
  }
}
