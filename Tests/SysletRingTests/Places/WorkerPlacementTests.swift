// On which processors workers run.

import CLiburing
import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Workers and processors")
struct WorkerPlacementTests {
  /// The processors that each worker of this process may use, as the kernel writes them.
  private static func workers() throws -> [String] {
    let tasks = "/proc/self/task"
    return try FileManager.default.contentsOfDirectory(atPath: tasks).compactMap { task in
      // A thread may end while it is looked at.
      guard let status = try? String(contentsOfFile: "\(tasks)/\(task)/status", encoding: .utf8), status.contains("syslet-worker") else {
        return nil
      }
      return status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }.map { String($0.dropFirst("Cpus_allowed:".count)) }
    }
  }

  /// How many processors this process may use, which may be fewer than there are.
  private static let processorCount: Int = {
    var processors = syslet_processors()
    unsafe syslet_processors_get(&processors)
    return unsafe withUnsafeBytes(of: processors) { unsafe $0.reduce(0) { $0 + $1.nonzeroBitCount } }
  }()

  @Test(
    "A worker that is waited for alone is on one processor; with others on any",
    .enabled(if: processorCount > 1, "this process may use one processor only"))
  func placement() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let own = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8).split(separator: "\n")
        .first { $0.hasPrefix("Cpus_allowed:") }.map { String($0.dropFirst("Cpus_allowed:".count)) }
      let engine = try BadInputTests.engine(.threads)
      let program = Program(.direct)
      for _ in 0..<16 { program.atom(SystemCall.sched_yield, flags: .async, next: .end) }
      // The first one starts the thread, the second one finds it asleep.
      for _ in 0..<3 {
        try engine.enqueue(program)
        #expect(try engine.take(timeout: .seconds(10)).map(\.result) == [0])
      }
      // One bit: the owner's processor.
      let alone = try Self.workers().filter { $0 != own }
      #expect(!alone.isEmpty)
      #expect(alone.allSatisfy { ["1", "2", "4", "8"].contains($0.filter { $0 != "0" && $0 != "," && !$0.isWhitespace }) })
      // A thread is given back when it is called the next time, and among 16 each is called soon.
      let end = test_milliseconds() + 10_000
      repeat {
        for head in 0..<16 { try engine.enqueue(program, head) }
        #expect(try engine.takeAll(16).count == 16)
      } while try Self.workers().contains { $0 != own } && test_milliseconds() < end
      #expect(try Self.workers().allSatisfy { $0 == own })
      try engine.close()
    }
  }
}
