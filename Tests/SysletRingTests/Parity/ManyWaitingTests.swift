// Thousands that wait without io_uring, and users who may have few threads (input 16 of the parity review). Threads are the process's, so each
// test has one for itself.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Thousands that wait, with few threads", .leavesNothingBehind, .timeLimit(.minutes(5)))
struct ManyWaitingTests {
  /// The most threads that a process with thousands of waiting syslets may have.
  private static let threadsMax = 16

  /// Where io_uring is denied, `automatic` is threads too.
  private static func deny() {
    ProcessSettings.endIfStuck()
    ProcessSettings.apply()
    let denied = test_deny(test_setup_number(), EPERM)
    #expect(denied == 0)
  }

  @Test("10,000 receives wait with a handful of threads, and all complete", arguments: [SysletEngine.Backend.automatic, .threads])
  func receives(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      Self.deny()
      let limit = test_raise_descriptors()
      // Both ends of a pair wait: as many receives as sockets.
      let pairs = min(5000, (limit - 100) / 2)
      if pairs < 5000 { print("\(2 * pairs) receives instead of 10,000: no more than \(limit) descriptors may be open here") }
      let program = Program(.direct, capacity: 2 * pairs)
      var sockets: [Int32] = []
      for _ in 0..<pairs {
        let pair = program.descriptors.socketPair()
        sockets += [pair.0, pair.1]
      }
      let buffer = program.buffer(8 * sockets.count)
      for (index, socket) in sockets.enumerated() {
        program.atom(SystemCall.recvfrom, .int(socket), .value(buffer.address + UInt64(8 * index)), 8, 0, 0, 0, next: .end)
      }
      let engine = try Parity.engine(SysletEngine.Backend(rawValue: backend)!)
      #expect(engine.backend == .threads)
      for head in 0..<program.count { try engine.enqueue(program, head) }
      let early = try engine.take(timeout: .milliseconds(100))
      #expect(early == [])
      #expect(ProcessCounts.threads <= Self.threadsMax)
      let text = program.path("abc")
      var most = 0
      for (index, socket) in sockets.enumerated() {
        plainCall(SystemCall.write, .int(socket), text.address, 3)
        if index % 1000 == 0 { most = max(most, ProcessCounts.threads) }
      }
      let taken = try engine.takeAll(sockets.count)
      #expect(taken.count == sockets.count && taken.allSatisfy { $0.result == 3 && $0.reason == .ended })
      #expect(Set(taken.map(\.atom)).count == sockets.count)
      #expect(max(most, ProcessCounts.threads) <= Self.threadsMax)
      try engine.closeHere()
    }
  }

  @Test("10,000 sleeps wait with a handful of threads, and all end", arguments: [SysletEngine.Backend.automatic, .threads])
  func sleeps(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      Self.deny()
      let program = Program(.direct, capacity: 10_000)
      for index in 0..<10_000 {
        // 300 to 499 ms, in no order.
        let time = program.buffer(16)
        time.store(Int64(300 + index * 7919 % 200) * 1_000_000, at: 8)
        program.atom(SystemCall.nanosleep, .to(time), 0, next: .end)
      }
      let engine = try Parity.engine(SysletEngine.Backend(rawValue: backend)!)
      let start = test_milliseconds()
      for head in 0..<10_000 { try engine.enqueue(program, head) }
      let early = try engine.take(timeout: .milliseconds(100))
      #expect(early == [])
      #expect(ProcessCounts.threads <= Self.threadsMax)
      let taken = try engine.takeAll(10_000)
      #expect(taken.count == 10_000 && taken.allSatisfy { $0.result == 0 && $0.reason == .ended })
      #expect(test_milliseconds() - start >= 490)
      #expect(ProcessCounts.threads <= Self.threadsMax)
      try engine.closeHere()
    }
  }

  // MARK: a user with few processes

  /// Another user who may have 50 threads. The change interrupts what other threads sleep in: `endIfStuck` comes after it. What keeps this from being tried here; nil if nothing does.
  private static func becomeSmall() -> String? {
    let result = test_become(65_534, 50)
    return result == 0 ? nil : "no other user can be had here (errno \(-result); it takes root)"
  }

  @Test("200 tasks that sleep through an executor all wake where the user may have no more than 50 threads")
  func tasks() async {
    await #expect(processExitsWith: .success) {
      if let obstacle = Self.becomeSmall() { return reportSkipped("200 tasks under `ulimit -u 50`", obstacle) }
      ProcessSettings.endIfStuck()
      let executor = try SysletExecutorTests.executor(.threads)
      let program = Program(.direct, capacity: 200)
      let time = program.buffer(16)
      time.store(Int64(10_000_000), at: 8)
      for _ in 0..<200 { program.atom(SystemCall.nanosleep, .to(time), 0, next: .end) }
      let shared = Shared(program)
      for _ in 0..<3 {
        let slept = await withTaskGroup(of: Int.self) { group in
          for head in 0..<200 {
            group.addTask { do { return try await executor.run(shared.value, head).result == 0 ? 1 : 0 } catch { return 0 } }
          }
          return await group.reduce(0, +)
        }
        #expect(slept == 200)
        // The language's runtime and the program start threads too.
        let started = unsafe test_on_thread({ _ in }, nil)
        #expect(started == 0)
      }
      await executor.closeAndWait()
    }
  }

  @Test(
    "An echo server with 200 connections answers all of them where the user may have no more than 50 threads",
    arguments: LifeRegressionTests.asynchronous)
  func echo(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      let limited = test_raise_descriptors()
      #expect(limited >= 500)
      if let obstacle = Self.becomeSmall() { return reportSkipped("an echo server under `ulimit -u 50`", obstacle) }
      ProcessSettings.endIfStuck()
      let failures = try Echo.failures(SysletEngine.Backend(rawValue: backend)!, connections: 200, rounds: 3)
      #expect(failures == [])
    }
  }
}

/// What tasks share although it knows nothing of them: each uses an atom of its own.
private struct Shared<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
