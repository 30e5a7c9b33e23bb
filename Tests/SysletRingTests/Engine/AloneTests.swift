// What `automatic` does for a syslet while it has no other: calls that would be the ring's or a worker's are made where they are met.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("A syslet alone on automatic", .leavesNothingBehind, .enabled(if: ringObstacle == nil, "io_uring cannot be used"))
struct AloneTests {
  /// What the engine has done since.
  private struct Account {
    private let before: Statistics
    private let engine: SysletEngine

    init(_ engine: SysletEngine) {
      before = engine.statistics
      self.engine = engine
    }

    var here: Int { engine.statistics.inlineCalls - before.inlineCalls }
    var ring: Int { engine.statistics.sqes - before.sqes }
    var hops: Int { engine.statistics.workerHops - before.workerHops }
  }

  // MARK: lines of no-ops

  private static let breakEven = PlainCosts.ringCallsMin

  private static func idleCalls(_ count: Int, _ form: Form, results: Bool = false) -> Program {
    let program = Program(form, capacity: count)
    for _ in 0..<count { program.atom(noOperation, result: results ? program.word() : nil) }
    return program
  }

  // Some of them plainly and the rest through the ring cost more than either.
  @Test(
    "No-ops are made plainly up to the break-even, and a longer line goes to the ring whole",
    .enabled(if: ReferenceKernel.isHere, "without links, before Linux 5.17, no line goes to the ring whole"), arguments: Form.allCases)
  func lines(form: Form) throws {
    for count in [1, 2, Self.breakEven - 1, Self.breakEven, Self.breakEven + 1, 3 * Self.breakEven] {
      let isPlain = count <= Self.breakEven
      try Self.expectCalls(here: isPlain ? count : 0, ring: isPlain ? 0 : count) { engine in
        let program = Self.idleCalls(count, form)
        try engine.enqueue(program)
        #expect(try engine.take().map(\.executed) == [count])
      }
    }
  }

  /// Where calls are made, on an engine that knows nothing yet: in one of a few tries, because on a busy machine a call may have taken long.
  private static func expectCalls(
    here: Int, ring: Int, sourceLocation: SourceLocation = #_sourceLocation, _ body: (SysletEngine) throws -> Void
  ) throws {
    var found: [String] = []
    for _ in 0..<5 {
      let engine = try BadInputTests.engine(.automatic)
      defer { try? engine.close() }
      let account = Account(engine)
      try body(engine)
      if (account.here, account.ring) == (here, ring) { return }
      found.append("\(account.here) here, \(account.ring) on the ring")
    }
    Issue.record("not \(here) here and \(ring) on the ring: \(found)", sourceLocation: sourceLocation)
  }

  @Test("explain says what becomes of a line of no-ops")
  func explained() throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    for count in [Self.breakEven, Self.breakEven + 1] {
      let program = Self.idleCalls(count, .direct)
      let text = unsafe engine.explain(program.directAtom(0)).description
      #expect(text.contains("inline: \(Placement.PlainReason.few)") == (count <= Self.breakEven))
      #expect(text.contains("ring, segment 1") == (count > Self.breakEven))
    }
  }

  @Test(
    "Several syslets share the break-even",
    .enabled(if: ReferenceKernel.isHere, "without links, before Linux 5.17, no line goes to the ring whole"))
  func shared() throws {
    let each = Self.breakEven / 2
    for (count, isPlain) in [(each, true), (each + 1, false)] {
      try Self.expectCalls(here: isPlain ? 2 * count : 0, ring: isPlain ? 0 : 2 * count) { engine in
        let programs = (0..<2).map { _ in Self.idleCalls(count, .direct) }
        for program in programs { try engine.enqueue(program) }
        #expect(try engine.takeAll(2).map(\.executed) == [count, count])
        // An optimised build ends an array's life at its last use.
        withExtendedLifetime(programs) {}
      }
    }
  }

  @Test("Many long lines of no-ops are shared with workers, and each is executed once", arguments: Form.allCases)
  func sharedLines(form: Form) throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let (count, length) = (32, 2 * PlainCosts.sharedLineMin)
    let programs = (0..<count).map { _ in Self.idleCalls(length, form) }
    for _ in 0..<20 {
      let before = engine.statistics
      for program in programs { try engine.enqueue(program) }
      let taken = try engine.takeAll(count)
      #expect(taken.map(\.executed) == Array(repeating: length, count: count))
      #expect(Set(taken.map(\.atom)).count == count)
      let after = engine.statistics
      let calls = after.inlineCalls - before.inlineCalls + after.workerCalls - before.workerCalls
      #expect(calls + after.sqes - before.sqes == count * length)
      // All of them were put aside, or none.
      #expect([0, count].contains(after.sharedRuns - before.sharedRuns))
      #expect(engine.pending == 0)
    }
    if Self.breakEven >= 8 { #expect(engine.statistics.sharedRuns >= count) }
    let text = programs[0].form.isIndirect ? "" : engine.explain(programs[0])
    // On a busy machine the self-test may find that an enter pays later than for a line of this length.
    if (8..<length).contains(Self.breakEven), !form.isIndirect { #expect(text.contains("a line of 16 no-ops or more")) }
    withExtendedLifetime(programs) {}
  }

  // The look ahead follows edges that nothing can change any more. Behind a result that is stored, or a call that writes, they may still change.
  @Test("Nobody looks behind a no-op that stores its result, nor at what follows another call", arguments: Form.allCases)
  func unknown(form: Form) throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let program = Program(form)
    let read = program.buffer(8)
    let source = program.descriptors.file([1, 2, 3])
    program.atom(noOperation)
    program.atom(SystemCall.pread64, .int(source), .to(read), 3, 0)
    program.atom(noOperation, next: .end)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.executed) == [3])
    #expect(Array(read.bytes.prefix(3)) == [1, 2, 3])
    let stored = Self.idleCalls(2 * Self.breakEven, form, results: true)
    try engine.enqueue(stored)
    #expect(try engine.take().map(\.executed) == [2 * Self.breakEven])
  }

  // MARK: files that are created

  private static func flags(_ descriptor: Int) -> Int { plainCall(SystemCall.fcntl, .int(descriptor), .int(F_GETFL)) }

  @Test("A file is created, written and renamed without a hop, and its descriptor has no flag that nobody asked for")
  func replacement() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(60) }
    defer { try? engine.close() }
    let program = Program(.direct)
    let (new, old) = (program.scratch.path("new"), program.scratch.path("old"))
    let (descriptor, kept) = (program.word(-1), program.word(-1))
    let content = program.buffer(3)
    content.bytes = [7, 8, 9]
    program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(program.path(new)), .int(O_CREAT | O_WRONLY | O_TRUNC), 0o640, flags: .stopOnNegative,
      result: descriptor)
    program.atom(SystemCall.write, .pointed(descriptor), .to(content), 3, flags: .stopOnNegative)
    program.atom(SystemCall.dup, .pointed(descriptor), result: kept)
    program.atom(SystemCall.close, .pointed(descriptor), flags: .stopOnNegative)
    program.atom(SystemCall.rename, .to(program.path(new)), .to(program.path(old)), flags: .stopOnNegative)
    for _ in 0..<2 {
      let account = Account(engine)
      try engine.enqueue(program)
      #expect(try engine.take().map(\.executed) == [5])
      #expect((account.here, account.ring, account.hops) == (5, 0, 0))
      #expect(program.scratch.content("old") == [7, 8, 9])
      var status = stat()
      #expect(unsafe stat(old, &status) == 0 && status.st_mode & 0o777 == 0o640 & ~Self.umask)
      #expect(Self.flags(kept.value) & Int(O_NONBLOCK | O_ACCMODE) == Int(O_WRONLY))
      close(Int32(kept.value))
    }
  }

  private static let umask: mode_t = {
    let mask = Glibc.umask(0)
    _ = Glibc.umask(mask)
    return mask
  }()

  @Test("creat, open and openat create alike, and say alike why not", arguments: SysletEngine.Backend.available)
  func creations(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct, capacity: 16)
    let path = program.path(program.scratch.path("file"))
    let missing = program.path(program.scratch.path("no folder/file"))
    let fifo = program.scratch.path("fifo")
    #expect(unsafe mkfifo(fifo, 0o600) == 0)
    let exclusively = O_CREAT | O_EXCL | O_RDWR
    var results: [Word] = []
    func add(_ number: Int, _ arguments: Program.Argument...) {
      results.append(program.word())
      program.atom(number, list: arguments, result: results.last!)
    }
    add(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(exclusively), 0o600)
    add(SystemCall.open, .to(path), .int(exclusively), 0o600)
    add(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(exclusively), 0o600)
    add(SystemCall.creat, .to(path), 0o600)
    add(SystemCall.open, .to(path), .int(O_CREAT | O_RDONLY), 0o600)
    add(SystemCall.creat, .to(missing), 0o600)
    add(SystemCall.open, .to(missing), .int(exclusively), 0o600)
    add(SystemCall.open, .to(program.path(fifo)), .int(O_CREAT | O_WRONLY | O_NONBLOCK), 0o600)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.executed) == [8])
    #expect(results[7].value == -Int(ENXIO), "nobody reads the FIFO")
    #expect(results[1...2].allSatisfy { $0.value == -Int(EEXIST) })
    #expect(results[5...6].allSatisfy { $0.value == -Int(ENOENT) })
    for (index, access) in [(0, O_RDWR), (3, O_WRONLY), (4, O_RDONLY)] {
      #expect(results[index].value >= 0)
      #expect(Self.flags(results[index].value) & Int(O_NONBLOCK | O_ACCMODE) == Int(access))
      close(Int32(results[index].value))
    }
  }

  // MARK: devices

  /// A file of 64 KiB that is read past the page cache; nil where the file system has no O_DIRECT.
  private static func direct(_ program: Program) -> Int32? {
    let path = program.scratch.file("direct", (0..<65_536).map { UInt8(truncatingIfNeeded: $0 >> 9) })
    let descriptor = unsafe open(path, O_RDWR | Int32(SYSLET_O_DIRECT))
    return descriptor >= 0 ? descriptor : nil
  }

  private static let hasDirect: Bool = {
    let program = Program(.direct)
    guard let descriptor = direct(program) else { return false }
    close(descriptor)
    return true
  }()

  private static func addRead(_ program: Program, _ descriptor: Int32, block: Int) -> Buffer {
    let room = program.buffer(8192)
    let aligned = (room.address + 4095) & ~4095
    program.atom(
      SystemCall.pread64, .int(descriptor), .value(aligned), 4096, .int(4096 * block), next: .end)
    return room
  }

  @Test(
    "A read past the page cache is made in place by a syslet that is alone, and by the ring for several",
    .enabled(if: hasDirect, "the folder for temporary files has no O_DIRECT"))
  func device() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(60) }
    defer { try? engine.close() }
    let program = Program(.direct)
    let descriptor = try #require(Self.direct(program))
    defer { close(descriptor) }
    let rooms = (0..<3).map { Self.addRead(program, descriptor, block: $0) }
    var account = Account(engine)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [4096])
    #expect((account.here, account.ring, account.hops) == (1, 0, 0))
    #expect(rooms[0].bytes.contains(7), "the first block's last sector is all 7")
    account = Account(engine)
    for index in 1...2 { try engine.enqueue(program, index) }
    #expect(try engine.takeAll(2).allSatisfy { $0.result == 4096 })
    #expect((account.here, account.ring, account.hops) == (0, 2, 0))
    // One that comes while another is out, and one that is not waited for.
    account = Account(engine)
    try engine.enqueue(program)
    try engine.flush()
    try engine.enqueue(program, 1)
    #expect(try engine.takeAll(2).allSatisfy { $0.result == 4096 })
    #expect(account.here + account.ring == 2 && account.ring >= 1)
  }

  @Test(
    "Reading an empty pipe under a number that was a device's never blocks the owner",
    .enabled(if: hasDirect, "the folder for temporary files has no O_DIRECT"))
  func staleDevice() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(60) }
      let program = Program(.direct)
      let descriptor = try #require(Self.direct(program))
      let room = (program.buffer(8192).address + 4095) & ~4095
      program.atom(SystemCall.read, .int(descriptor), .value(room), 4096)
      for _ in 0..<2 {
        try engine.enqueue(program)
        #expect(try engine.take().map(\.result) == [4096])
      }
      #expect(engine.statistics.inlineCalls == 2)
      let pipe = program.descriptors.pipe()
      #expect(dup2(pipe.read, descriptor) == descriptor)
      try engine.enqueue(program)
      #expect(try engine.take(timeout: .milliseconds(20)) == [])
      #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3)
      #expect(try engine.take().map(\.result) == [3])
      try engine.closeHere()
    }
  }

  @Test(
    "A device that is slower than inlineLimit is the ring's", .enabled(if: hasDirect, "the folder for temporary files has no O_DIRECT"))
  func slowDevice() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .microseconds(51) }
    defer { try? engine.close() }
    let program = Program(.direct)
    let descriptor = try #require(Self.direct(program))
    defer { close(descriptor) }
    _ = Self.addRead(program, descriptor, block: 0)
    // Expected to take 200 µs before anything is known.
    let account = Account(engine)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [4096])
    #expect((account.here, account.ring) == (0, 1))
  }

  // MARK: long runs of quick calls

  // What matters to an owner that has nothing else to do is how long one call may hold it, not how long all of them do.
  @Test(
    "A long run of quick calls stays where it is while it is waited for without a limit, and leaves otherwise", .timeLimit(.minutes(15)),
    .enabled(if: LeakCheck.isSerial, "calls are not quick while other tests run"),
    .enabled(if: ReferenceKernel.isHere, "calls are not quick on the emulated processors that other kernels are tested on"))
  func patience() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .microseconds(100) }
    defer { try? engine.close() }
    let program = Program(.direct, capacity: 2)
    let counter = program.word()
    let file = program.descriptors.open(program.scratch.file("file"), O_RDWR)
    program.atom(SystemCall.pwrite64, .int(file), .to(program.buffer(65_536)), 65_536, 0)
    program.atom(umemAdd, .to(counter), .int(-1), flags: .stopOnZero, next: .atom(0))
    /// The calls made here, and the hops.
    func run(_ timeout: Duration?) throws -> (here: Int, hops: Int) {
      counter.value = 50
      let account = Account(engine)
      try engine.enqueue(program)
      #expect(try engine.take(timeout: timeout).map(\.reason) == [.stopped])
      return (account.here, account.hops)
    }
    // The first runs teach what they take: more than the limit, all together. Many, because a machine may be busy.
    #expect(try (0..<40).map { _ in try run(nil) }.dropFirst().contains { $0 == (100, 0) })
    #expect(try (0..<40).contains { _ in try run(.seconds(20)) != (100, 0) })
  }
}
