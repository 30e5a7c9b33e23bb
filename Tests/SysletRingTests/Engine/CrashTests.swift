// Processes that are killed in the middle of syslets which must leave files whole.
//
// kill -9 takes a process away between any two of its instructions, and the kernel's work for it between any two of its system calls. So
// these tests show the *order* within a syslet, and that no completion comes too early: no rename before the write and the fsync, no
// acknowledgement before the append. What a process has written stays in the page cache when it is killed: whether fsync brings it to the
// disk, and what a loss of power leaves, is the kernel's and the disk's matter, and nothing here tests it.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Crashes")
struct CrashTests {
  /// `SYSLETRING_CRASH_ROUNDS`: how many processes are killed on each backend.
  static let rounds = ProcessInfo.processInfo.environment["SYSLETRING_CRASH_ROUNDS"].flatMap { Int($0) } ?? 20
  /// `SYSLETRING_SEED` repeats a run, as far as a kill can be repeated: what is written, and after how many acknowledgements and
  /// microseconds the process is killed.
  static let seed =
    ProcessInfo.processInfo.environment["SYSLETRING_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000_000)

  @Test(
    "A process that is killed leaves every file old or new, and every acknowledged record in its log",
    .enabled(if: !test_has_thread_sanitizer(), "the thread sanitizer does not let a forked child start threads"),
    arguments: LifeRegressionTests.asynchronous)
  func killed(backend: SysletEngine.Backend) async {
    print("crashes on \(backend): SYSLETRING_SEED=\(Self.seed), \(Self.rounds) rounds")
    let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
      [backend = backend.rawValue as String, seed = Self.seed as UInt64, rounds = Self.rounds as Int] in
      ProcessSettings.apply()
      ProcessSettings.endIfStuck(after: 60 + UInt32(rounds) * 2)
      let backend = try #require(SysletEngine.Backend(rawValue: backend))
      // The self-test, once for all children.
      try BadInputTests.engine(backend).closeHere()
      var random = SeededGenerator(seed: seed)
      var (sum, kills) = (CrashScene.Findings(), 0)
      for round in 0..<rounds {
        let findings = CrashScene(seed: random.next()).kill(on: backend, &random)
        sum += findings
        kills += 1
        guard findings.problems.isEmpty else {
          // The first ones say enough, and an exit test that reports more than its pipe holds never ends.
          for problem in findings.problems.prefix(10) { Issue.record("SYSLETRING_SEED=\(seed), \(backend), round \(round): \(problem)") }
          break
        }
      }
      // Otherwise the kills came when nothing was going on, and would have shown nothing.
      #expect(rounds < 10 || !sum.problems.isEmpty || (sum.leftovers > 0 && sum.acknowledged > rounds))
      print(
        """
        crashes on \(backend): \(kills) kills, \(sum.acknowledged) syslets acknowledged; caught in the middle: \(sum.leftovers) \
        replacements, \(sum.torn) torn records; complete and not yet acknowledged: \(sum.unacknowledged)
        """)
      fflush(nil)
    }
    if let output = result?.standardOutputContent { print(String(decoding: output, as: UTF8.self), terminator: "") }
  }
}
