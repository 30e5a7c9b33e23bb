// The operation table against plain system calls: each row, with calls that succeed and calls that fail, alone and in the middle of a chain.

import Glibc
import SysletRing
import Testing

@testable import struct SysletRing.Operation

@Suite("Operations against plain system calls", .leavesNothingBehind)
struct OperationTests {
  /// The rows that this architecture has, by name.
  static let rows: [String] = Operation.ringRows.filter { $0.number >= 0 }.map { "\($0.name)" }
  static let numbers: [String: Int] = Dictionary(uniqueKeysWithValues: Operation.ringRows.map { ("\($0.name)", $0.number) })

  @Test("Every row of the table has a fixture with a success and a failure, and every fixture has its row")
  func fixturesAreComplete() {
    #expect(Set(Self.numbers.keys).subtracting(OperationFixtures.scenarios.keys) == [], "rows without a fixture")
    #expect(Set(OperationFixtures.scenarios.keys).subtracting(Self.numbers.keys) == [], "fixtures without a row")
    for (name, scenarios) in OperationFixtures.scenarios {
      #expect(scenarios.contains { $0.expectation == .success }, "\(name) has no success")
      if name != "nop" { #expect(scenarios.contains { $0.expectation != .success }, "\(name) has no failure") }
    }
  }

  @Test("This kernel's ring has every operation of the table, or the test's output says which it lacks")
  func missingOperationsAreReported() {
    let report = RingReport.current()
    if let obstacle = report.unavailability {
      print("io_uring cannot be used here, so no row was executed on it: \(obstacle)")
      return
    }
    #expect(Set(report.operations.map(\.name)).isSuperset(of: Self.rows))
    for operation in report.operations where !operation.isSupported && operation.opcode >= 0 {
      print("this kernel's ring lacks \(operation.name) (operation \(operation.opcode)): the row was executed by a worker")
    }
  }

  /// What became of a call and its world.
  struct Outcome: Equatable {
    var result: Int
    var world: [String]

    init(_ result: Int, _ scenario: Scenario, _ scene: Scene, _ stage: Stage) {
      self.result = result
      var seen = scene.observe(result)
      if scenario.givesDescriptor, result >= 0 {
        seen.append("the descriptor: \(stage.facts(result))")
        _ = stage.descriptors.adopt(Int32(result))
        self.result = 0
      }
      world = stage.description() + seen
    }
  }

  static func plainOutcome(_ name: String, _ scenario: Scenario) -> Outcome {
    while true {
      let stage = Stage()
      let scene = scenario.set(stage)
      let result = name == "nop" ? 0 : plainCall(numbers[name]!, scene.arguments)
      // The kernel may interrupt a call of a thread that has a ring, to let it do the ring's work.
      if result != -Int(EINTR) { return Outcome(result, scenario, scene, stage) }
    }
  }

  static func isAsExpected(_ outcome: Outcome, _ scenario: Scenario) -> Bool {
    switch scenario.expectation {
    case .success: outcome.result >= 0
    case .failure(let errno): outcome.result == -Int(errno)
    }
  }

  static func engine(_ backend: SysletEngine.Backend) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    return try SysletEngine(options)
  }

  @Test("A call made as an atom gives the result and the effects of the plain call", arguments: SysletEngine.Backend.available, rows)
  func alone(backend: SysletEngine.Backend, name: String) throws {
    ProcessSettings.apply()
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    for scenario in OperationFixtures.scenarios[name] ?? [] {
      let plain = Self.plainOutcome(name, scenario)
      if !Self.isAsExpected(plain, scenario) {
        print("\(name), \(scenario): the plain call gives \(plain.result) here, not \(scenario.expectation); the engine must too")
      }
      for form in Form.allCases {
        // As the plain call: on the owner's thread the kernel may interrupt to take down the ring of an engine that was there before.
        var outcome = try Self.asynchronousOutcome(name, scenario, form, engine)
        while backend == .inline, outcome.result == -Int(EINTR) {
          outcome = try Self.asynchronousOutcome(name, scenario, form, engine)
        }
        #expect(outcome == plain, "\(name), \(scenario), \(form)")
      }
    }
  }

  static func asynchronousOutcome(_ name: String, _ scenario: Scenario, _ form: Form, _ engine: SysletEngine) throws -> Outcome {
    let stage = Stage()
    let scene = scenario.set(stage)
    let program = Program(form)
    let result = program.word()
    program.atom(numbers[name]!, list: scene.arguments.map { .value($0) }, flags: .async, result: result)
    #expect(try engine.exec(program) == nil)
    let taken = try engine.take()
    #expect(taken.map(\.result) == [result.value], "\(name), \(scenario), \(form)")
    return Outcome(result.value, scenario, scene, stage)
  }

  /// Stop conditions whose exactness a link after the call must keep.
  static let conditions: [AtomFlags] = [[], .stopOnNegative, .stopOnNonPositive, .stopOnZero]

  @Test(
    "L1: in a chain, what follows a call runs exactly if no stop condition fires on the call's result",
    arguments: [SysletEngine.Backend.ring, .automatic].filter { SysletEngine.Backend.available.contains($0) }, rows)
  func inChain(backend: SysletEngine.Backend, name: String) throws {
    ProcessSettings.apply()
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    for scenario in OperationFixtures.scenarios[name] ?? [] {
      let plain = Self.plainOutcome(name, scenario)
      for flags in Self.conditions {
        let stage = Stage()
        let scene = scenario.set(stage)
        let marker = Scratch()
        let program = Program(flags.contains(.stopOnNegative) ? .indirect : .direct)
        let out = program.descriptors.open(marker.file("marker"), O_WRONLY)
        let (first, result, last, sum) = (program.word(), program.word(), program.word(), program.word(0))
        let byte = program.path("x")
        program.atom(SystemCall.pwrite64, .int(out), .to(byte), 1, 0, flags: [.stopOnNonPositive, .async], result: first)
        program.atom(Self.numbers[name]!, list: scene.arguments.map { .value($0) }, flags: flags, result: result)
        program.atom(SystemCall.pwrite64, .int(out), .to(byte), 1, 1, flags: .stopOnNonPositive, result: last)
        program.atom(umemAdd, .to(sum), 1)
        #expect(try engine.exec(program) == nil)
        let taken = try engine.take()

        let value = result.value
        let fires =
          flags.contains(.stopOnNegative) && value < 0 || flags.contains(.stopOnNonPositive) && value <= 0
          || flags.contains(.stopOnZero) && value == 0
        let context = "\(name), \(scenario), flags \(flags.rawValue), result \(value)"
        #expect(Outcome(value, scenario, scene, stage) == plain, "\(context)")
        #expect(first.value == 1, "\(context)")
        #expect(marker.content("marker")?.count == (fires ? 1 : 2), "L1: the call behind it, \(context)")
        #expect(last.value == (fires ? Program.untouched : 1), "L1: the call behind it, \(context)")
        #expect(sum.value == (fires ? 0 : 1), "L1: the last call, \(context)")
        #expect(taken.map(\.executed) == [fires ? 2 : 4], "\(context)")
        #expect(taken.map(\.reason) == [fires ? .stopped : .ended], "\(context)")
      }
    }
  }

  /// A call that waits for another party, and a byte that this party sends later.
  static let waits: [(String, @Sendable (Program, Int32) -> [Program.Argument])] = [
    ("read", { [.int($1), .to($0.buffer(8)), 8] }),
    ("readv", { [.int($1), .to(vector($0)), 1] }),
    ("recvfrom", { [.int($1), .to($0.buffer(8)), 8, 0, 0, 0] }),
    ("poll", { [.to(pollSet($0, $1)), 1, -1] }),
  ]

  private static func vector(_ program: Program) -> Buffer {
    let (vector, buffer) = (program.buffer(16), program.buffer(8))
    vector.store(buffer.address, at: 0)
    vector.store(UInt64(8), at: 8)
    return vector
  }

  private static func pollSet(_ program: Program, _ descriptor: Int32) -> Buffer {
    let set = program.buffer(8)
    set.store(descriptor, at: 0)
    set.store(Int16(1), at: 4)
    return set
  }

  @Test(
    "A call that has to wait completes when the other party acts, and what follows it runs then",
    arguments: [SysletEngine.Backend.ring, .threads].filter { SysletEngine.Backend.available.contains($0) })
  func waitsForAnotherParty(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    for (name, arguments) in Self.waits {
      let program = Program(.direct)
      let (near, far) = program.descriptors.socketPair()
      let sum = program.word(0)
      program.atom(
        Self.numbers[name]!, list: arguments(program, near), flags: [.async, .stopOnNonPositive], result: program.word())
      program.atom(umemAdd, .to(sum), 1)
      #expect(try engine.exec(program) == nil)
      #expect(try engine.take(timeout: .milliseconds(1)) == [], "\(name) has nothing to give yet")
      #expect(engine.pending == 1)
      #expect(plainCall(SystemCall.write, .int(far), program.path("x").address, 1) == 1)
      #expect(try engine.take().map(\.executed) == [2], "\(name)")
      #expect(sum.value == 1, "\(name)")
    }
  }

  @Test(
    "A call that waits for ever is ended by cancelling its syslet",
    arguments: [SysletEngine.Backend.ring, .threads].filter { SysletEngine.Backend.available.contains($0) })
  func cancelledWait(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    for (name, arguments) in Self.waits {
      let program = Program(.direct)
      let ((near, _), pipe) = (program.descriptors.socketPair(), program.descriptors.pipe())
      _ = fcntl(pipe.read, F_SETFL, O_NONBLOCK)
      let (sum, byte) = (program.word(0), program.buffer(1))
      program.atom(SystemCall.write, .int(pipe.write), .to(byte), 1, flags: .async)
      program.atom(Self.numbers[name]!, list: arguments(program, near), flags: .stopOnNonPositive, result: program.word())
      program.atom(umemAdd, .to(sum), 1)
      #expect(try engine.exec(program) == nil)
      // The byte in the pipe tells that the atom before the one that waits has run.
      let end = ContinuousClock.now + Deadline.usual
      repeat {
        #expect(try engine.take(timeout: .milliseconds(1)) == [], "\(name) has nothing to give yet")
      } while plainCall(SystemCall.read, .int(pipe.read), byte.address, 1) != 1 && ContinuousClock.now < end
      try engine.cancel(program)
      let taken = try engine.take()
      #expect(taken.map(\.reason) == [.cancelled], "\(name)")
      #expect(sum.value == 0, "what follows \(name) does not run")
      #expect(engine.pending == 0)
    }
  }
}
