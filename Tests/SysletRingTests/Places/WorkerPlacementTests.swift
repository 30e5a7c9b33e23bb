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
      return processors(status)
    }
  }

  /// How many processors this process may use, which may be fewer than there are.
  private static let processorCount: Int = {
    var processors = syslet_processors()
    unsafe syslet_processors_get(&processors)
    return unsafe withUnsafeBytes(of: processors) { unsafe $0.reduce(0) { $0 + $1.nonzeroBitCount } }
  }()

  /// The processors that the calling thread may use, as the kernel writes them.
  private static func own() throws -> String {
    try #require(processors(String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)))
  }

  private static func processors(_ status: String) -> String? {
    status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }.map { String($0.dropFirst("Cpus_allowed:".count)) }
  }

  private static func yields() -> Program {
    let program = Program(.direct)
    for _ in 0..<16 { program.atom(SystemCall.sched_yield, flags: .async, next: .end) }
    return program
  }

  /// Whether all workers come to be free. One is given back when it is called the next time, and among 16 each is called soon.
  private static func giveBack(_ engine: SysletEngine, _ program: Program, own: String) throws -> Bool {
    let end = test_milliseconds() + 30_000
    repeat {
      for head in 0..<16 { try engine.enqueue(program, head) }
      #expect(try engine.takeAll(16).count == 16)
      if try workers().allSatisfy({ $0 == own }) { return true }
    } while test_milliseconds() < end
    return false
  }

  @Test(
    "A worker that is waited for alone is on one processor; with others on any",
    .enabled(if: processorCount > 1, "this process may use one processor only"))
  func placement() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let own = try Self.own()
      let engine = try BadInputTests.engine(.threads)
      let program = Self.yields()
      // The first one starts the thread; a later one finds it asleep, which takes a while after it has let the owner go on.
      var alone: [String] = []
      let end = test_milliseconds() + 30_000
      repeat {
        usleep(1000)
        try engine.enqueue(program)
        #expect(try engine.take(timeout: .seconds(10)).map(\.result) == [0])
        alone = try Self.workers().filter { $0 != own }
      } while alone.isEmpty && test_milliseconds() < end
      // One bit: the owner's processor.
      #expect(!alone.isEmpty)
      #expect(alone.allSatisfy { ["1", "2", "4", "8"].contains($0.filter { $0 != "0" && $0 != "," && !$0.isWhitespace }) })
      #expect(try Self.giveBack(engine, program, own: own))
      try engine.closeHere()
    }
  }

  /// A new thread may use the processors of the one that starts it: a worker that had been moved to the owner's, and found more to do when
  /// it woke, started others there, which nothing gave back.
  @Test(
    "A thread that a moved worker starts is not kept on its processor",
    .enabled(if: processorCount > 1, "this process may use one processor only"))
  func inheritance() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let own = try Self.own()
      let program = Self.yields()
      for _ in 0..<50 {
        let engine = try BadInputTests.engine(.threads)
        try engine.enqueue(program)
        #expect(try engine.take(timeout: .seconds(10)).count == 1)
        usleep(1000)
        // Its worker is moved and woken, but others come before it has begun.
        try engine.enqueue(program)
        let taken = try engine.take(timeout: .zero).count
        for head in 1..<16 { try engine.enqueue(program, head) }
        #expect(try engine.takeAll(16 - taken).count == 16 - taken)
        #expect(try Self.giveBack(engine, program, own: own))
        try engine.closeHere()
      }
    }
  }
}
