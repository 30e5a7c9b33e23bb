// What cannot work is refused with an error that says what, where and what to do, and leaves nothing behind.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Bad input", .leavesNothingBehind)
struct BadInputTests {
  static func engine(
    _ backend: SysletEngine.Backend, _ adjust: (inout SysletEngine.Options) -> Void = { _ in }
  ) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    adjust(&options)
    return try SysletEngine(options)
  }

  // MARK: atoms

  @Test(
    "A head that is malformed is refused, with the atom and the rule, and nothing runs", arguments: SysletEngine.Backend.available,
    Form.allCases)
  func malformedHead(backend: SysletEngine.Backend, form: Form) throws {
    for isChecked in [false, true] {
      let engine = try Self.engine(backend) { $0.isChecked = isChecked }
      defer { try? engine.close() }
      var programs: [(Program, String)] = []
      for bit in [UInt32(0x100), 0x8000_0000] {
        let program = Program(form)
        program.atom(umemAdd, .to(program.word(0)), 1, flags: AtomFlags(rawValue: bit), result: program.word())
        programs.append((program, "flag"))
      }
      if !form.isIndirect {
        for count in [UInt8(7), 255] {
          let program = Program(form)
          program.atom(umemAdd, .to(program.word(0)), 1, result: program.word())
          program.setArgumentCount(of: 0, to: count)
          programs.append((program, "argument"))
        }
      }
      for (program, word) in programs {
        for attempt in ["exec", "enqueue"] {
          do {
            if attempt == "exec" { _ = try engine.exec(program) } else { try engine.enqueue(program) }
            Issue.record("\(attempt) accepted a malformed atom")
          } catch let error as EngineError {
            guard case .malformedAtom(let address, let rule) = error else {
              Issue.record("\(attempt) gave another error: \(error)")
              continue
            }
            #expect(address == UInt(program.address(0)))
            #expect(!rule.isEmpty)
            #expect(error.description.contains(word) || error.description.contains("nparams"), "\(error)")
          }
        }
        #expect(program.comparedWords.map(\.value) == [0, Program.untouched])
      }
      #expect(engine.pending == 0)
      #expect(try engine.take() == [])
    }
  }

  @Test("A later atom that is malformed ends the syslet with a fault, -EINVAL", arguments: SysletEngine.Backend.available, Form.allCases)
  func malformedLaterAtom(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    for kind in 0..<2 where kind == 0 || !form.isIndirect {
      for isRead in [false, true] {
        for handing in LinkLawTests.Handing.allCases {
          let program = Program(form)
          let (first, second) = (program.word(0), program.word(0))
          if isRead {
            let file = program.descriptors.open(program.scratch.file("f", "0123456789"), O_RDONLY)
            program.atom(SystemCall.pread64, .int(file), .to(program.buffer(4)), 4, 0, flags: .noComplete, result: first)
          } else {
            program.atom(umemAdd, .to(first), 4, flags: .noComplete)
          }
          program.atom(umemAdd, .to(second), 1, flags: kind == 0 ? AtomFlags(rawValue: 0x200) : [])
          if kind == 1 { program.setArgumentCount(of: 1, to: 7) }
          if handing == .async { program.addFlags(.async, to: 0) }
          if handing == .batch { try engine.enqueue(program) } else { #expect(try engine.exec(program) == nil) }
          let taken = try engine.take()
          #expect(taken.map(\.reason) == [.faulted])
          #expect(taken.map(\.result) == [-Int(EINVAL)])
          #expect(taken.map(\.executed) == [1])
          #expect(taken.map { program.index($0.atom) } == [0])
          #expect([first.value, second.value] == [4, 0])
        }
      }
    }
  }

  // MARK: options and rings

  @Test("An option that cannot work is refused by its name", arguments: SysletEngine.Backend.allCases)
  func options(backend: SysletEngine.Backend) {
    let cases: [(String, (inout SysletEngine.Options) -> Void)] = [
      ("entries", { $0.entries = 0 }), ("entries", { $0.entries = -1 }), ("entries", { $0.entries = 32_769 }),
      ("maxWorkers", { $0.maxWorkers = 0 }), ("maxPending", { $0.maxPending = 0 }), ("maxSteps", { $0.maxSteps = 0 }),
      ("completionEntries", { $0.completionEntries = 0 }),
    ]
    for (name, adjust) in cases {
      do {
        _ = try Self.engine(backend, adjust)
        Issue.record("\(name) was accepted")
      } catch let error as EngineError {
        guard case .invalidOption(let option, _, let rule) = error else {
          Issue.record("\(name) gave another error: \(error)")
          continue
        }
        #expect(option == name)
        #expect(!rule.isEmpty)
        #expect(error.description.contains(name))
      } catch {
        Issue.record("\(name) gave another error: \(error)")
      }
    }
  }

  @Test("A completion ring is registered once, has slots, and is unregistered once", arguments: SysletEngine.Backend.available)
  func rings(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    #expect(throws: EngineError.noRingRegistered) { try engine.unregister() }
    let empty = unsafe UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>(start: nil, count: 0)
    do {
      unsafe try engine.register(empty)
      Issue.record("a ring without slots was accepted")
    } catch {
      guard case .invalidRing(let rule) = error else {
        Issue.record("another error: \(error)")
        return
      }
      #expect(!rule.isEmpty)
    }
    let ring = CompletionRing(4)
    try engine.register(ring)
    #expect(throws: EngineError.ringRegistered) { try engine.register(ring) }
    #expect(throws: EngineError.ringRegistered) { try engine.take(timeout: .zero) }
    try engine.unregister()
    #expect(throws: EngineError.noRingRegistered) { try engine.unregister() }
    #expect(try engine.take(timeout: .zero) == [])
    try engine.register(ring)
    try engine.unregister()
  }

  @Test(
    "Completions that a ring did not take are there for wait(into:) after it is unregistered", arguments: SysletEngine.Backend.available)
  func unregisteredWithCompletions(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let ring = CompletionRing(1)
    try engine.register(ring)
    let program = Program(.direct)
    for _ in 0..<3 { program.atom(umemAdd, .to(program.word(0)), 1, next: .end) }
    for head in 0..<3 { try engine.enqueue(program, head) }
    _ = try engine.wait(atLeast: 3, timeout: Deadline.usual)
    // Which of them came first is not promised between syslets.
    let posted = ring[0]
    try engine.unregister()
    let all = Set((0..<3).map { program.address($0) })
    #expect(Set(try engine.takeAll(2).map(\.atom)) == all.subtracting([posted]))
    #expect(ring[0] == posted, "an entry is never overwritten")
  }

  @Test("A wait for more completions than there can be returns when nothing is pending", arguments: SysletEngine.Backend.available)
  func waitForTooMany(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    #expect(try engine.wait(atLeast: 5) == 0)
    #expect(try engine.take(atLeast: 5, timeout: nil) == [])
    let program = Program(.direct)
    program.atom(SystemCall.getpid, result: program.word())
    try engine.enqueue(program)
    #expect(try engine.wait(atLeast: 5) == 1)
    #expect(try engine.wait(atLeast: 0) == 1)
    #expect(try engine.take(atLeast: 5, timeout: nil).count == 1)
    #expect(try engine.wait(atLeast: 1) == 0)
  }

  @Test("A wait for more completions than the ring has slots returns when nothing is pending", arguments: SysletEngine.Backend.available)
  func waitBeyondSlots(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let ring = CompletionRing(2)
    try engine.register(ring)
    let program = Program(.direct)
    let time = program.buffer(16)
    time.store(Int64(2_000_000), at: 8)
    for number in 0..<6 {
      if number % 2 == 1 { program.atom(SystemCall.nanosleep, .to(time), 0) }
      program.atom(umemAdd, .to(program.word(0)), 1, next: .end)
    }
    for head in [0, 1, 3, 4, 6, 7] { try engine.enqueue(program, head) }
    #expect(try engine.wait(atLeast: 3, timeout: Deadline.usual) == 2)
    #expect(engine.pending == 0, "fewer than asked for are visible, so nothing may be pending")
    #expect(engine.overflowed == 4)
  }

  @Test(
    "A wait gives up at its deadline, and the syslet completes later",
    arguments: [SysletEngine.Backend.ring, .threads].filter { SysletEngine.Backend.available.contains($0) })
  func deadline(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let pipe = program.descriptors.pipe()
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(4)), 4, flags: .async, result: program.word())
    #expect(try engine.exec(program) == nil)
    let start = test_milliseconds()
    #expect(try engine.wait(atLeast: 1, timeout: .milliseconds(20)) == 0)
    #expect(test_milliseconds() - start >= 19)
    #expect(engine.pending == 1)
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("ab").address, 2) == 2)
    #expect(try engine.take().map(\.result) == [2])
  }

  // MARK: threads, closing and cancelling

  /// Every call of an engine, by name.
  static let calls: [(String, @Sendable (SysletEngine, Program) throws -> Void)] = [
    ("exec", { _ = try $0.exec($1) }), ("enqueue", { try $0.enqueue($1) }), ("flush", { engine, _ in try engine.flush() }),
    ("wait(atLeast:)", { engine, _ in _ = try engine.wait(atLeast: 1, timeout: .zero) }),
    ("wait(into:)", { engine, _ in _ = try engine.take(timeout: .zero) }), ("cancel", { try $0.cancel($1) }),
    ("register", { engine, _ in try engine.register(CompletionRing(1)) }), ("unregister", { engine, _ in try engine.unregister() }),
  ]

  static func refusals(_ engine: SysletEngine, _ program: Program) -> [String: EngineError?] {
    Dictionary(
      uniqueKeysWithValues: calls.map { name, call in
        do {
          try call(engine, program)
          return (name, nil)
        } catch {
          return (name, error as? EngineError)
        }
      })
  }

  @Test("Every call from a second thread is refused, and the engine goes on working on its own", arguments: SysletEngine.Backend.available)
  func secondThread(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(umemAdd, .to(program.word(0)), 1, result: program.word())
    let refusals = onAnotherThread { Self.refusals(engine, program) }
    #expect(refusals.count == Self.calls.count)
    for (name, error) in refusals { #expect(error == .wrongThread, "\(name)") }
    #expect(program.comparedWords[0].value == 0)
    #expect(try engine.exec(program) == 0)
    #expect(program.comparedWords[0].value == 1)
  }

  @Test("Every call to a closed engine is refused, and closing twice is fine", arguments: SysletEngine.Backend.available)
  func closed(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    try engine.close()
    try engine.close()
    let program = Program(.direct)
    program.atom(umemAdd, .to(program.word(0)), 1, result: program.word())
    let refusals = Self.refusals(engine, program)
    for (name, error) in refusals { #expect(error == .closed, "\(name)") }
    #expect(program.comparedWords[0].value == 0)
    #expect(engine.pending == 0)
  }

  @Test("An engine that is closed with syslets pending lets go of their memory first (L4)", arguments: SysletEngine.Backend.available)
  func closedWhilePending(backend: SysletEngine.Backend) throws {
    let program = Program(.direct)
    let pipe = program.descriptors.pipe()
    let (buffer, result) = (program.buffer(8), program.word())
    let engine = try Self.engine(backend)
    program.atom(SystemCall.read, .int(pipe.read), .to(buffer), 8, flags: .async, result: result)
    program.atom(umemAdd, .to(program.word(0)), 1)
    // Inline it would wait for ever on the caller's thread: there the syslet has not begun when the engine is closed.
    #expect(try engine.exec(program) == nil)
    if backend != .inline { #expect(try engine.take(timeout: .milliseconds(1)) == []) }
    try engine.close()
    #expect(engine.pending == 0)
    // Nobody reads the pipe any more: what is written stays in it.
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3)
    #expect(plainCall(SystemCall.read, .int(pipe.read), program.buffer(8).address, 8) == 3)
    #expect(buffer.bytes == [UInt8](repeating: 0, count: 8))
  }

  @Test("Cancelling what is not pending is refused", arguments: SysletEngine.Backend.available)
  func cancelOfNothing(backend: SysletEngine.Backend) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(umemAdd, .to(program.word(0)), 1)
    #expect(throws: EngineError.notPending(address: UInt(program.address(0)))) { try engine.cancel(program) }
    #expect(try engine.exec(program) == 0)
    #expect(throws: EngineError.notPending(address: UInt(program.address(0)))) { try engine.cancel(program) }
  }

  @Test(
    "A syslet that is cancelled before it begins executes nothing and completes once", arguments: SysletEngine.Backend.available,
    Form.allCases)
  func cancelledBeforeItBegins(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try Self.engine(backend)
    defer { try? engine.close() }
    let program = Program(form)
    program.atom(umemAdd, .to(program.word(0)), 1, result: program.word())
    try engine.enqueue(program)
    try engine.cancel(program)
    let taken = try engine.take()
    #expect(taken.map(\.reason) == [.cancelled])
    #expect(taken.map(\.executed) == [0])
    #expect(taken.map(\.result) == [-Int(ECANCELED)])
    #expect(taken.map { program.index($0.atom) } == [0])
    #expect(program.comparedWords.map(\.value) == [0, Program.untouched])
    #expect(engine.pending == 0)
  }

  @Test("A step limit inside exec is told by a completion", arguments: SysletEngine.Backend.available, Form.allCases)
  func stepLimit(backend: SysletEngine.Backend, form: Form) throws {
    for isRead in [false, true] {
      for limit in [1, 2, 7] {
        let engine = try Self.engine(backend) { $0.maxSteps = limit }
        defer { try? engine.close() }
        let program = Program(form)
        let file = program.descriptors.open(program.scratch.file("f", "0123456789"), O_RDONLY)
        let sum = program.word(0)
        if isRead {
          program.atom(SystemCall.pread64, .int(file), .to(program.buffer(1)), 1, 0, result: sum)
          program.atom(SystemCall.pread64, .int(file), .to(program.buffer(1)), 1, 0, result: sum, next: .atom(0))
        } else {
          program.atom(umemAdd, .to(sum), 1)
          program.atom(umemAdd, .to(sum), 1, next: .atom(0))
        }
        #expect(try engine.exec(program) == nil)
        let taken = try engine.take()
        #expect(taken.map(\.reason) == [.stepLimit])
        #expect(taken.map(\.executed) == [limit])
        #expect(taken.map { program.index($0.atom) } == [(limit - 1) % 2])
        #expect(sum.value == (isRead ? 1 : limit))
        // A syslet that ends with its last allowed atom has not met the limit.
        let short = Program(form)
        for _ in 0..<limit { short.atom(umemAdd, .to(short.word(0)), 1) }
        try engine.enqueue(short)
        #expect(try engine.take().map(\.reason) == [.ended])
      }
    }
  }

  @Test("An engine in a forked child says that it was inherited")
  func forkedChild() async {
    await #expect(processExitsWith: .success) {
      for backend in SysletEngine.Backend.available {
        let engine = try Self.engine(backend)
        let program = Program(.direct)
        program.atom(umemAdd, .to(program.word(0)), 1, result: program.word())
        let refused = inForkedChild { Self.refusals(engine, program).values.allSatisfy { $0 == .forked } ? 0 : 1 }
        #expect(refused == 0, "\(backend): the child was not told")
        #expect(try engine.exec(program) == 0, "\(backend): the parent goes on")
        try engine.closeHere()
      }
    }
  }

  // MARK: nothing is left behind

  @Test("Engines, used well and badly, leave no descriptor and no thread behind")
  func noLeaks() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.apply()
      // Once for what the process keeps: the self-test's findings, pages, the runtime's own descriptors.
      for backend in SysletEngine.Backend.available { try useBadly(backend, closes: true) }
      let threads = ProcessCounts.settled({ ProcessCounts.threads }, limit: 0)
      let descriptors = ProcessCounts.descriptors
      for closes in [true, false] {
        for _ in 0..<5 {
          for backend in SysletEngine.Backend.available { try useBadly(backend, closes: closes) }
        }
        #expect(ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors) <= descriptors, "descriptors were leaked")
        #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: threads) <= threads, "threads were leaked")
      }
    }
  }

  @Test(
    "With few descriptors to be had, an engine says so or works, and what it learns of the kernel meanwhile lets no stop be late",
    arguments: 0..<18)
  func fewDescriptors(left: Int) async {
    await #expect(processExitsWith: .success) { [left = left as Int] in
      let taken = Descriptors()
      let pipe = taken.pipe()
      #expect(test_limit_descriptors(64) == 0)
      while case let copy = plainCall(SystemCall.dup, .int(pipe.read)), copy >= 0 { _ = taken.adopt(Int32(copy)) }
      for _ in 0..<left {
        let last = taken.opened.last!
        plainCall(SystemCall.close, .int(last))
        taken.forget(last)
      }
      var engines: [SysletEngine] = []
      for backend in [SysletEngine.Backend.ring, .automatic, .threads, .inline] {
        do {
          let engine = try Self.engine(backend)
          engines.append(engine)
          let program = Program(.direct)
          program.atom(umemAdd, .to(program.word(0)), 1)
          #expect(try engine.exec(program) == 0, "\(backend)")
          // This one may need a descriptor for the workers' doorbell.
          try engine.enqueue(program)
          _ = try engine.take()
        } catch {
          if case .ringUnavailable(_, let errno) = error as? EngineError, errno != EMFILE { continue }
          #expect("\(error)".contains("EMFILE"), "\(backend): \(error)")
        }
        try? engines.last?.closeHere()
      }
      // Now there are enough again. L1 must hold whatever the self-test could not provoke.
      #expect(test_limit_descriptors(1000) == 0)
      let engine = try Self.engine(ringObstacle == nil ? .ring : .automatic)
      for name in LinkLawTests.unreliable {
        try LinkLawTests.checkNothingFollows(name, .async, on: engine, successors: 0..<1)
      }
      try engine.closeHere()
    }
  }

  @Test("Every error names what was wrong and what to do, in one line each its own")
  func descriptions() {
    let errors: [EngineError] = [
      .ringUnavailable(call: "io_uring_setup", errno: EPERM), .invalidOption(name: "entries", value: "0", rule: "at least 1"),
      .malformedAtom(address: 16, rule: "rule"), .unreadableAtom(address: 16), .invalidRing(rule: "rule"), .ringRegistered,
      .noRingRegistered, .notPending(address: 16), .full(limit: 4), .wrongThread, .forked, .closed,
      .kernel(call: "io_uring_enter", errno: EIO),
    ]
    let texts = errors.map(\.description)
    #expect(Set(texts).count == texts.count)
    for text in texts { #expect(text.count > 20 && !text.contains("\n"), "\(text)") }
  }
}

/// Makes an engine, runs syslets that work and syslets that do not, and lets go of it, by `close` or by dropping it.
private func useBadly(_ backend: SysletEngine.Backend, closes: Bool) throws {
  let program = Program(.direct)
  let file = program.descriptors.open(program.scratch.file("f", "0123456789"), O_RDONLY)
  let pipe = program.descriptors.pipe()
  do {
    let engine = try BadInputTests.engine(backend) { $0.isChecked = true }
    for _ in 0..<4 {
      let head = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(4)), 4, 0, flags: .async)
      program.atom(SystemCall.fsync, .int(pipe.write), flags: .stopOnNegative, next: .end)
      try engine.enqueue(program, head)
    }
    _ = try engine.takeAll(4)
    #expect(throws: EngineError.self) { try engine.execWild(Wild.inaccessible, .direct) }
    let malformed = program.atom(umemAdd, flags: AtomFlags(rawValue: 0x100), next: .end)
    #expect(throws: EngineError.self) { try engine.enqueue(program, malformed) }
    let wild = program.atom(umemAdd, .to(program.word(0)), 1, next: .wild(Wild.inaccessible))
    try engine.enqueue(program, wild)
    #expect(try engine.take().map(\.reason) == [.faulted])
    #expect(throws: EngineError.self) { try engine.unregister() }
    // One is pending when the engine goes.
    let blocked = program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(4)), 4, flags: .async, next: .end)
    if backend != .inline { #expect(try engine.exec(program, blocked) == nil) }
    if closes { try engine.close() }
  }
  #expect(throws: EngineError.self) { try BadInputTests.engine(backend) { $0.entries = 0 } }
}
