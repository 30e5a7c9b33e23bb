// Nobody starves (L11): what waits for others keeps no quick call waiting (inputs 14 and 15 of the parity review).

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("L11: nobody starves", .leavesNothingBehind)
struct StarvationTests {
  /// Receives that nobody answers, and a quick call behind them.
  private final class Scene {
    let program: Program
    let idle: Int
    let getpid: Int
    let pread: Int
    let read: Word

    /// The receives share a few sockets: what they wait for does not come.
    init(_ idle: Int, sockets: Int = 32) {
      let program = Program(.direct, capacity: idle + 8)
      (self.idle, self.program) = (idle, program)
      let pairs = (0..<min(idle, sockets)).map { _ in program.descriptors.socketPair() }
      let buffer = program.buffer(8)
      for index in 0..<idle {
        program.atom(SystemCall.recvfrom, .int(pairs[index % pairs.count].0), .to(buffer), 8, 0, 0, 0, next: .end)
      }
      read = program.word()
      let file = program.descriptors.file([UInt8](repeating: 7, count: 64))
      getpid = program.atom(SystemCall.getpid, next: .end)
      pread = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(64)), 64, 0, result: read, next: .end)
    }

    /// The quick calls' results: what came of them beside the receives.
    func quick(_ engine: SysletEngine) throws -> [Int: Int] {
      for head in 0..<idle { try engine.enqueue(program, head) }
      try engine.enqueue(program, getpid)
      try engine.enqueue(program, pread)
      var results: [Int: Int] = [:]
      for taken in try engine.take(atLeast: 2) { results[program.index(taken.atom)!] = taken.result }
      // What comes later than a hundred others is not behind them alone.
      for head in [getpid, pread] { try engine.enqueue(program, head) }
      if results.count == 2 { for taken in try engine.take(atLeast: 2) where taken.result < 0 { results[-1] = taken.result } }
      return results
    }

    var expected: [Int: Int] { [getpid: Int(Glibc.getpid()), pread: 64] }
  }

  struct Setting: Sendable, CustomStringConvertible {
    let description: String
    let idle: Int
    var entries = 256
    var completionEntries = 4096
    var workers = 64
  }

  static let settings: [Setting] = [
    Setting(description: "4,097 receives, as many as complete at once and one more", idle: 4097),
    Setting(description: "64 receives, as many as there are workers", idle: 64),
    Setting(description: "65 receives", idle: 65),
    Setting(description: "two receives, queues of one entry", idle: 2, entries: 1, completionEntries: 1),
    Setting(description: "nine receives, queues of four entries", idle: 9, entries: 4, completionEntries: 4),
    Setting(description: "three receives, one worker", idle: 3, workers: 1),
    Setting(description: "300 receives, queues of two entries, one worker", idle: 300, entries: 2, completionEntries: 2, workers: 1),
  ]

  @Test(
    "Receives that nobody answers keep no quick call waiting, and none behind it", arguments: LifeRegressionTests.asynchronous, settings)
  func receives(backend: SysletEngine.Backend, setting: Setting) throws {
    let scene = Scene(setting.idle)
    let engine = try Parity.engine(backend) {
      ($0.entries, $0.completionEntries, $0.maxWorkers) = (setting.entries, setting.completionEntries, setting.workers)
    }
    defer { try? engine.close() }
    #expect(try scene.quick(engine) == scene.expected)
  }

  // Each for a second, that the other side takes what was sent; one more than there are workers.
  @Test("Closes that wait for the other side (SO_LINGER) keep no quick call waiting", arguments: LifeRegressionTests.asynchronous)
  func lingering(backend: SysletEngine.Backend) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let linger = stage.arena.buffer(8)
    linger.store(Int32(1), at: 0)
    linger.store(Int32(1), at: 4)
    let bytes = stage.arena.buffer(65_536)
    for _ in 0..<5 {
      let (near, _) = stage.tcpPair()
      while plainCall(SystemCall.sendto, near, bytes.address, 65_536, UInt64(MSG_DONTWAIT), 0, 0) > 0 {}
      stage.option(near, SO_LINGER, linger)
      stage.descriptors.forget(Int32(near))
      program.atom(SystemCall.close, .value(near), next: .end)
    }
    let file = stage.descriptors.file([UInt8](repeating: 7, count: 64))
    let quick = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(64)), 64, 0, next: .end)
    let engine = try Parity.engine(backend) { $0.maxWorkers = 4 }
    defer { try? engine.close() }
    let start = test_milliseconds()
    for head in 0...quick { try engine.enqueue(program, head) }
    try engine.flush()
    #expect(try engine.take().map { program.index($0.atom) } == [quick])
    #expect(test_milliseconds() - start < 800)
    #expect(try engine.take(atLeast: 5).map(\.result) == [0, 0, 0, 0, 0])
    #expect(test_milliseconds() - start > 1500, "they did not wait, or all at once")
  }

  @Test("Sleeps keep no quick call waiting", arguments: LifeRegressionTests.asynchronous, [64, 4097])
  func sleeps(backend: SysletEngine.Backend, count: Int) throws {
    let program = Program(.direct, capacity: count + 2)
    let time = program.buffer(16)
    time.store(Int64(1000), at: 0)
    for _ in 0..<count { program.atom(SystemCall.nanosleep, .to(time), 0, next: .end) }
    let file = program.descriptors.file([UInt8](repeating: 7, count: 64))
    let quick = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(64)), 64, 0, next: .end)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    for head in 0..<count { try engine.enqueue(program, head) }
    try engine.enqueue(program, quick)
    #expect(try engine.take().map(\.result) == [64])
  }

  // What cannot be polled has to have a thread, and then there is none left for what is quick.
  @Test(
    "Locks that nobody lets go of, twice as many as there are workers, keep no quick call waiting, and all are granted in the end",
    arguments: LifeRegressionTests.asynchronous)
  func locks(backend: SysletEngine.Backend) throws {
    let (program, path) = (Program(.direct), Scratch())
    let file = path.file("lock", "0123456789")
    let holder = program.descriptors.open(file, O_RDWR)
    #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_EX)) == 0)
    for _ in 0..<8 { program.atom(SystemCall.flock, .int(program.descriptors.open(file, O_RDWR)), .int(LOCK_SH), next: .end) }
    let quick = [
      program.atom(SystemCall.pread64, .int(holder), .to(program.buffer(64)), 64, 0, next: .end),
      program.atom(SystemCall.fsync, .int(holder), next: .end),
      program.atom(SystemCall.getpid, next: .end),
    ]
    let engine = try Parity.engine(backend) { $0.maxWorkers = 4 }
    defer { try? engine.close() }
    for head in 0..<8 { try engine.enqueue(program, head) }
    try engine.flush()
    for head in quick { try engine.enqueue(program, head) }
    let taken = try engine.takeAll(3)
    #expect(Set(taken.map { program.index($0.atom) }) == Set(quick))
    #expect(taken.allSatisfy { $0.result >= 0 })
    #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_UN)) == 0)
    #expect(try engine.takeAll(8).map(\.result) == [Int](repeating: 0, count: 8))
  }

  @Test(
    "An echo server with 200 connections answers all of them, however few its workers are", arguments: LifeRegressionTests.asynchronous,
    [64, 1])
  func echo(backend: SysletEngine.Backend, workers: Int) throws {
    let failures = try Echo.failures(backend, connections: 200, rounds: 2) { $0.maxWorkers = workers }
    #expect(failures == [])
  }
}

/// An echo server on syslets: a receive and the send of what came, for each connection.
enum Echo {
  /// What was not echoed: the clients send one after the other, so that all others are idle.
  static func failures(
    _ backend: SysletEngine.Backend, connections: Int, rounds: Int, _ adjust: (inout SysletEngine.Options) -> Void = { _ in }
  ) throws -> [String] {
    let program = Program(.direct, capacity: 2 * connections)
    let pairs = (0..<connections).map { _ in program.descriptors.socketPair() }
    for pair in pairs {
      let (buffer, count) = (program.buffer(64), program.word())
      program.atom(SystemCall.recvfrom, .int(pair.0), .to(buffer), 64, 0, 0, 0, flags: .stopOnNonPositive, result: count)
      program.atom(SystemCall.sendto, .int(pair.0), .to(buffer), .pointed(count), 0, 0, 0, next: .end)
    }
    let (text, answer) = (program.path("hello"), program.buffer(64))
    // After the program, which must outlive it.
    let engine = try Parity.engine(backend, adjust)
    defer { try? engine.close() }
    for connection in 0..<connections { try engine.enqueue(program, 2 * connection) }
    try engine.flush()
    var failures: [String] = []
    for round in 0..<rounds {
      for connection in (0..<connections).reversed() {
        plainCall(SystemCall.write, .int(pairs[connection].1), text.address, 5)
        let taken = try engine.take()
        guard taken.map({ program.index($0.atom) }) == [2 * connection + 1], taken[0].result == 5 else {
          failures.append("round \(round), connection \(connection): \(taken)")
          return failures
        }
        let echoed = plainCall(SystemCall.recvfrom, .int(pairs[connection].1), answer.address, 64, UInt64(MSG_DONTWAIT), 0, 0)
        if echoed != 5 { failures.append("round \(round), connection \(connection): echoed \(echoed)") }
        try engine.enqueue(program, 2 * connection)
      }
    }
    return failures
  }
}
