// More than fits: long syslets and many syslets over short queues (L2, L5, L7).

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Capacity", .leavesNothingBehind)
struct CapacityTests {
  static func engine(_ backend: SysletEngine.Backend, entries: Int) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    options.entries = entries
    return try SysletEngine(options)
  }

  @Test(
    "A syslet of 1,000 atoms runs in order over a queue of 16", arguments: SysletEngine.Backend.available, Form.allCases)
  func longSyslet(backend: SysletEngine.Backend, form: Form) throws {
    let count = 1000
    let engine = try Self.engine(backend, entries: 16)
    defer { try? engine.close() }
    let program = Program(form, capacity: count)
    let content = (0..<count / 4).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let file = program.descriptors.open(program.scratch.file("file", content), O_RDONLY)
    let out = program.descriptors.open(program.scratch.file("out"), O_WRONLY)
    let (counter, buffer) = (program.word(0), program.buffer(count / 4))
    for position in 0..<count / 4 {
      let byte = Program.Argument.value(buffer.address + UInt64(position))
      program.atom(SystemCall.read, .int(file), byte, 1, flags: .stopOnNonPositive, result: program.word())
      program.atom(noOperation, flags: .stopOnNegative, result: program.word())
      program.atom(umemAdd, .to(counter), 1, result: program.word())
      // Writes what the read has just brought: any other order shows in the file.
      program.atom(SystemCall.write, .int(out), byte, 1, flags: .stopOnNonPositive, result: program.word())
    }
    try engine.enqueue(program)
    let taken = try engine.take()
    #expect(taken.map(\.executed) == [count])
    #expect(taken.map { program.index($0.atom) } == [count - 1])
    #expect(taken.map(\.reason) == [.ended])
    #expect(program.scratch.content("out") == content)
    #expect(program.comparedBuffers[0].bytes == content)
    let results = program.comparedWords.dropFirst().map(\.value)
    #expect(results == (0..<count / 4).flatMap { [1, 0, $0 + 1, 1] })
    #expect(engine.pending == 0)
  }

  /// `count` syslets in one array: a sleep in some; an addition, a nop, a read, and the addition of what the read gave.
  struct Crowd {
    let program: Program
    let heads: [Int]
    let sums: [Word]
    let executed: [Int]

    init(_ count: Int, _ form: Form) {
      program = Program(form, capacity: count * 5)
      let file = program.descriptors.open(program.scratch.file("file", "0123456789"), O_RDONLY)
      let time = program.buffer(16)
      time.store(Int64(1_000_000), at: 8)
      var (heads, sums, executed): ([Int], [Word], [Int]) = ([], [], [])
      for number in 0..<count {
        let (sum, read) = (program.word(0), program.word(0))
        heads.append(program.count)
        if number % 100 == 0 { program.atom(SystemCall.nanosleep, .to(time), 0, flags: .stopOnNegative) }
        program.atom(umemAdd, .to(sum), 1, flags: .stopOnNonPositive)
        program.atom(noOperation, flags: .stopOnNegative)
        program.atom(
          SystemCall.pread64, .int(file), .to(program.buffer(4)), .int(number % 4 + 1), 0, flags: .stopOnNonPositive, result: read)
        program.atom(umemAdd, .to(sum), .pointed(read), next: .end)
        sums.append(sum)
        executed.append(program.count - heads[number])
      }
      self.heads = heads
      self.sums = sums
      self.executed = executed
    }

    /// That each syslet completed exactly once, with all its atoms in order.
    func check(_ lastAtoms: [Int]) {
      #expect(lastAtoms.count == heads.count, "L5: completions")
      #expect(Set(lastAtoms) == Set(zip(heads, executed).map { $0 + $1 - 1 }), "L5: each syslet once")
      // The last atom adds the read's result to what the first one left.
      #expect(sums.indices.allSatisfy { sums[$0].value == 1 + $0 % 4 + 1 }, "the order within each syslet")
    }
  }

  @Test(
    "10,000 syslets in flight over a queue of 16 complete exactly once, and in order within each",
    arguments: SysletEngine.Backend.available,
    [Form.direct, .indirect])
  func manySyslets(backend: SysletEngine.Backend, form: Form) throws {
    let crowd = Crowd(10_000, form)
    let engine = try Self.engine(backend, entries: 16)
    defer { try? engine.close() }
    for head in crowd.heads { try engine.enqueue(crowd.program, head) }
    #expect(engine.pending == crowd.heads.count)
    let taken = try engine.takeAll(crowd.heads.count)
    #expect(taken.allSatisfy { $0.reason == .ended })
    crowd.check(taken.compactMap { crowd.program.index($0.atom) })
    #expect(taken.allSatisfy { $0.userWord == Program.userWordBase + (crowd.program.index($0.atom) ?? -1) })
    let expected = Dictionary(uniqueKeysWithValues: zip(crowd.heads, crowd.executed).map { ($0 + $1 - 1, $1) })
    #expect(taken.allSatisfy { $0.executed == expected[crowd.program.index($0.atom) ?? -1] })
    #expect(try engine.take(timeout: .zero) == [])
    #expect(engine.pending == 0)
    #expect(engine.statistics.accepted == crowd.heads.count)
    #expect(engine.statistics.completed == crowd.heads.count)
  }

  @Test(
    "10,000 syslets through exec and a completion ring of 16 slots: what finds its slot taken is kept and posted later",
    arguments: SysletEngine.Backend.available)
  func manySysletsThroughRing(backend: SysletEngine.Backend) throws {
    let crowd = Crowd(10_000, .direct)
    let ring = CompletionRing(16)
    let engine = try Self.engine(backend, entries: 16)
    defer { try? engine.close() }
    try engine.register(ring)
    var last: [Int] = []
    var slot = 0
    func reap() {
      while ring[slot] != 0 {
        if let index = crowd.program.index(ring[slot]) { last.append(index) }
        ring.clear(slot)
        slot = (slot + 1) % ring.count
      }
    }
    for (number, head) in crowd.heads.enumerated() {
      crowd.program.addFlags(.async, to: head)
      #expect(try engine.exec(crowd.program, head) == nil)
      // The first half completes before a slot is cleared: who reaps between need not be slower than any backend.
      guard number == crowd.heads.count / 2 - 1 else { continue }
      #expect(try engine.wait(atLeast: ring.count + 1, timeout: Deadline.usual) == ring.count)
      #expect(engine.pending == 0)
      #expect(engine.overflowed == crowd.heads.count / 2 - ring.count)
    }
    while try engine.wait(atLeast: 1, timeout: Deadline.usual) > 0 { reap() }
    crowd.check(last)
    #expect(engine.lost == 0)
    #expect(engine.pending == 0)
  }

  @Test(
    "More syslets than maxPending are refused, and accepted again after completions are taken", arguments: SysletEngine.Backend.available)
  func fullEngine(backend: SysletEngine.Backend) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    options.maxPending = 4
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let program = Program(.direct)
    for _ in 0..<6 { program.atom(umemAdd, .to(program.word(0)), 1, next: .end) }
    for head in 0..<4 { try engine.enqueue(program, head) }
    #expect(throws: EngineError.full(limit: 4)) { try engine.enqueue(program, 4) }
    #expect(engine.pending == 4)
    #expect(Set(try engine.takeAll(4).map(\.atom)) == Set((0..<4).map { program.address($0) }))
    #expect(program.comparedWords[4].value == 0, "what was refused did not run")
    try engine.enqueue(program, 4)
    #expect(try engine.take().map(\.atom) == [program.address(4)])
    #expect(engine.pending == 0)
  }

  @Test(
    "No more than maxWorkers threads wait in calls that cannot be polled, however many syslets do",
    arguments: [SysletEngine.Backend.threads])
  func boundedWorkers(backend: SysletEngine.Backend) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    options.maxWorkers = 2
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let program = Program(.direct)
    let time = program.buffer(16)
    time.store(Int64(20_000_000), at: 8)
    let word = program.buffer(8)
    for _ in 0..<6 { program.atom(SystemCall.futex, .to(word), 0, 0, .to(time), next: .end) }
    let start = test_milliseconds()
    for head in 0..<6 { try engine.enqueue(program, head) }
    #expect(try engine.takeAll(6).map(\.result) == Array(repeating: -Int(ETIMEDOUT), count: 6))
    // Six waits of 20 ms on two threads take three turns.
    #expect(test_milliseconds() - start >= 59)
  }

  // A scan over all that are pending takes sixty times as long; what is not in the processor's caches, some five times.
  @Test("To cancel one of 20,000 costs little more than to cancel one of 320", arguments: LifeRegressionTests.asynchronous)
  func costOfCancelling(backend: SysletEngine.Backend) throws {
    func nanoseconds(_ pending: Int) throws -> Int64 {
      let program = Program(.direct, capacity: pending)
      let (sockets, byte) = ((0..<16).map { _ in program.descriptors.socketPair() }, program.buffer(1))
      for head in 0..<pending { program.atom(SystemCall.recvfrom, .int(sockets[head % 16].0), .to(byte), 1, 0, 0, 0, next: .end) }
      let engine = try BadInputTests.engine(backend)
      for head in 0..<pending { try engine.enqueue(program, head) }
      try engine.flush()
      // The first one makes the index.
      try engine.cancel(program, 0)
      let start = ContinuousClock.now
      for number in 1...16 { try engine.cancel(program, number * (pending / 17)) }
      let each = (ContinuousClock.now - start) / 16
      #expect(try engine.takeAll(17).map(\.reason) == Array(repeating: .cancelled, count: 17))
      #expect(engine.pending == pending - 17)
      try engine.close()
      return Int64(each / .nanoseconds(1))
    }
    let few = try nanoseconds(320)
    // The quickest of three, on a machine that does other things too.
    let many = try (0..<3).map { _ in try nanoseconds(20_000) }.min()!
    #expect(many < 20 * few, "\(few) ns of 320, \(many) ns of 20,000")
  }
}
