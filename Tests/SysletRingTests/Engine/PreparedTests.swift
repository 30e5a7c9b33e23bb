// Prepared syslets: what is read once, what is read each time, and how long it all lives. What they do otherwise is what the conformance
// cases, the fuzzers and the law tests say, which run them beside the others.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("Prepared syslets", .leavesNothingBehind)
struct PreparedTests {
  static let forms: [Form] = [.prepared, .preparedIndirect]

  /// A read whose length stands behind a pointer, and an increment.
  private static func reading(_ form: Form) -> (program: Program, length: Word, total: Word) {
    let program = Program(form)
    let (length, total) = (program.word(2), program.word(0))
    let file = program.descriptors.file(Array("0123456789".utf8))
    program.atom(
      SystemCall.pread64, .int(file), .to(program.buffer(16)), .pointed(length), 0, flags: .stopOnNegative, result: program.word())
    program.atom(umemAdd, .to(total), 1, next: .end)
    return (program, length, total)
  }

  @Test(
    "Atoms may be written over when they have been read; words behind pointers count as they are when they are reached", arguments: forms)
  func readOnce(form: Form) throws {
    for backend in SysletEngine.Backend.available {
      let (program, length, total) = Self.reading(form)
      let engine = try BadInputTests.engine(backend)
      let syslet = try engine.prepared(program)
      #expect(syslet.count == 2)
      for index in 0..<2 { program.wipe(index) }
      for turn in 1...3 {
        length.value = turn
        try engine.enqueue(syslet)
        let taken = try engine.take()
        // The user's atom, which is not looked at, and the word that it had.
        #expect(taken.map(\.atom) == [program.address(1)] && taken.map(\.userWord) == [Program.userWordBase + 1])
        #expect(taken.map(\.result) == [turn] && taken.map(\.executed) == [2] && total.value == turn)
        #expect(program.comparedWords.last?.value == turn)
      }
      let last = unsafe try UInt64(UInt(bitPattern: engine.exec(syslet)))
      if last == 0 { _ = try engine.take() } else { #expect(last == program.address(1)) }
      try engine.close()
    }
  }

  @Test("A later atom that is none is a fault when it is reached, and not before", arguments: forms, [UInt64(8), 1 << 60])
  func unreadable(form: Form, address: UInt64) throws {
    for backend in SysletEngine.Backend.available {
      let engine = try BadInputTests.engine(backend)
      let program = Program(form)
      let stops = program.word(0)
      program.atom(umemAdd, .to(stops), 0, flags: .stopOnZero)
      program.atom(umemAdd, .to(stops), 0, next: .wild(address))
      let syslet = try engine.prepared(program)
      #expect(syslet.count == 3)
      try engine.enqueue(syslet)
      #expect(try engine.take().map(\.reason) == [.stopped])
      stops.value = 1
      try engine.enqueue(syslet)
      let taken = try engine.take()
      #expect(taken.map(\.reason) == [.faulted] && taken.map(\.result) == [-Int(EFAULT)] && taken.map(\.executed) == [2])
      #expect(taken.map(\.atom) == [program.address(1)])
      try engine.close()
    }
  }

  @Test("Where a skip never goes on there need be no atom")
  func lastSkips() throws {
    // The last 80 bytes before memory that is not there.
    let pages = unsafe UnsafeMutableRawBufferPointer(
      start: mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), count: 8192)
    defer { unsafe munmap(pages.baseAddress!, 8192) }
    #expect(unsafe mprotect(pages.baseAddress! + 4096, 4096, PROT_NONE) == 0)
    let atom = unsafe (pages.baseAddress! + 4096 - 80).bindMemory(to: Atom.self, capacity: 1)
    unsafe atom.initialize(to: Atom(SystemCall.getpid, flags: [.stopOnNegative, .skipToNextOnStop]))
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let syslet = try unsafe engine.prepare(atom)
    try engine.enqueue(syslet)
    #expect(try engine.take().map(\.result) == [Int(getpid())])
  }

  @Test("A head that cannot be accepted is refused when it is prepared, and so are more atoms than a program has")
  func refused() throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.getpid, flags: AtomFlags(rawValue: 1 << 20))
    #expect(throws: EngineError.self) { unsafe try engine.prepare(program.directAtom(0)) }
    #expect {
      try unsafe engine.prepare(UnsafeMutablePointer<Atom>(bitPattern: 8)!)
    } throws: { $0 as? EngineError == .unreadableAtom(address: 8) }
    let long = Program(.direct, capacity: 65_537)
    for _ in 0..<65_536 { long.atom(noOperation) }
    #expect(try unsafe engine.prepare(long.directAtom(0)).count == 65_536)
    long.atom(noOperation)
    #expect {
      try unsafe engine.prepare(long.directAtom(0))
    } throws: { "\($0)".contains("65536 atoms") }
  }

  /// What the process has of prepared syslets. No other test makes any at the same time.
  private static func expect(_ count: Int, moreThan before: Int, _ place: SourceLocation = #_sourceLocation) {
    #expect(Census.current.syslets - before == count, sourceLocation: place)
  }

  @Test(
    "What was read lives as long as the last activation, and no longer", .enabled(if: LeakCheck.isSerial, "it counts what the process has"),
    arguments: LifeRegressionTests.asynchronous)
  func lifetime(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.direct)
    let pipe = program.descriptors.pipe()
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(1)), 1)
    program.atom(SystemCall.getpid, next: .end)
    let before = Census.current.syslets
    do {
      let syslet = try unsafe engine.prepare(program.directAtom(0))
      for _ in 0..<3 { try engine.enqueue(syslet) }
    }
    try engine.flush()
    for index in 0..<2 { program.wipe(index) }
    Self.expect(1, moreThan: before)
    for left in [2, 1, 0] {
      var byte: UInt8 = 1
      #expect(unsafe write(pipe.write, &byte, 1) == 1)
      #expect(try engine.take().map(\.result) == [Int(getpid())])
      Self.expect(left == 0 ? 0 : 1, moreThan: before)
    }
    try engine.close()
  }

  @Test(
    "cancel ends all its activations, close too, and each lets go of it",
    .enabled(if: LeakCheck.isSerial, "it counts what the process has"),
    arguments: LifeRegressionTests.asynchronous)
  func cancelled(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.prepared)
    let pipe = program.descriptors.pipe()
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(1)), 1, next: .end)
    let before = Census.current.syslets
    do {
      let syslet = try unsafe engine.prepare(program.directAtom(0))
      for _ in 0..<5 { try engine.enqueue(syslet) }
      // Another one of the same atoms is not meant.
      try engine.enqueue(program)
      try engine.flush()
      try engine.cancel(syslet)
      #expect(try engine.takeAll(5).map(\.reason) == Array(repeating: .cancelled, count: 5))
      #expect(engine.pending == 1)
      #expect(throws: EngineError.notPending(address: UInt(program.address(0)))) { try engine.cancel(syslet) }
      try engine.enqueue(syslet)
    }
    // Of the other one the program has the last reference.
    Self.expect(2, moreThan: before)
    try engine.close()
    Self.expect(1, moreThan: before)
  }

  @Test("One is run by several engines on several threads at the same time")
  func shared() throws {
    let maker = try BadInputTests.engine(.inline)
    let program = Program(.prepared)
    program.atom(SystemCall.getpid)
    program.atom(SystemCall.getppid, next: .end)
    let syslet = try maker.prepared(program)
    try maker.close()
    let backends = SysletEngine.Backend.available
    let results = Parity.onThreads(
      (0..<4).map { number in
        { @Sendable () -> [Int] in
          guard let engine = try? BadInputTests.engine(backends[number % backends.count]) else { return [] }
          defer { try? engine.close() }
          return (0..<200).flatMap { _ -> [Int] in
            try? engine.enqueue(syslet)
            return ((try? engine.take()) ?? []).map(\.result)
          }
        }
      }, deadline: Deadline.usual)
    for result in results { #expect(result == Array(repeating: Int(getppid()), count: 200)) }
  }

  @Test("Tasks run one as they run its head", arguments: LifeRegressionTests.asynchronous)
  func awaited(backend: SysletEngine.Backend) async throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let executor = try SysletExecutor(options)
    defer { executor.close() }
    let (program, _, _) = Self.reading(.prepared)
    let syslet = try unsafe executor.prepare(program.directAtom(0))
    let taken = try await Taken(executor.run(syslet))
    #expect(taken.atom == program.address(1) && taken.result == 1 && taken.executed == 2)
    let inside = try await withTaskExecutorPreference(executor) { try await Taken(executor.run(syslet)) }
    #expect(inside.atom == program.address(1) && inside.result == 2)
  }
}
