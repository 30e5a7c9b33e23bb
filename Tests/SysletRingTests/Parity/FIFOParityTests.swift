// Opening FIFOs against plain calls: the first one waits for the other (inputs 6 and 7 of the parity review).

import Glibc
import SysletRing
import Testing

@Suite("Parity: opening a FIFO", .leavesNothingBehind)
struct FIFOParityTests {
  enum Opener: String, CaseIterable {
    case openat, openat2, open, creat

    /// Not every architecture has the old ones.
    var isThere: Bool { self == .open ? SystemCall.open >= 0 : self == .creat ? SystemCall.creat >= 0 : true }
  }

  private static func scene(_ opener: Opener, _ s: Stage, _ path: String, _ flags: Int32) -> ParityScene {
    let flags = flags | O_CLOEXEC
    let name = s.arena.path(path).address
    switch opener {
    case .openat: return ParityScene(SystemCall.openat, .int(AT_FDCWD), name, .int(flags), .int(0o600))
    case .openat2:
      let how = s.arena.buffer(24)
      how.store(UInt64.int(flags), at: 0)
      how.store(UInt64(flags & O_CREAT != 0 ? 0o600 : 0), at: 8)
      return ParityScene(SystemCall.openat2, .int(AT_FDCWD), name, how.address, 24)
    case .open: return ParityScene(SystemCall.open, name, .int(flags), .int(0o600))
    case .creat: return ParityScene(SystemCall.creat, name, .int(0o600))
    }
  }

  /// An open that waits for `other`, or for nobody.
  private static func opens(
    _ title: String, _ opener: Opener, _ flags: Int32, other: Int32? = nil, milliseconds: Int = 0, fails errno: Int32? = nil
  ) -> ParityCase {
    var testCase = ParityCase("\(opener), \(title)", milliseconds: milliseconds, givesDescriptor: true) { s, t in
      let path = s.fifo("fifo")
      if let other { t.open(path, other, after: 100) }
      return scene(opener, s, path, flags)
    }
    testCase.expected = [errno.map { -Int($0) } ?? 0]
    return testCase
  }

  static let cases: [ParityCase] =
    [Opener.openat, .openat2, .open].filter(\.isThere).flatMap { opener in
      [
        opens("the writer comes first", opener, O_WRONLY, other: O_RDONLY, milliseconds: 100),
        opens("the reader comes first", opener, O_RDONLY, other: O_WRONLY, milliseconds: 100),
        opens("the reader comes first and would create it", opener, O_RDONLY | O_CREAT, other: O_WRONLY, milliseconds: 100),
        opens("the writer comes first and truncates it", opener, O_WRONLY | O_TRUNC, other: O_RDONLY, milliseconds: 100),
        opens("both ends at once", opener, O_RDWR),
        opens("the reader does not wait", opener, O_RDONLY | O_NONBLOCK),
        opens("the writer does not wait and finds nobody", opener, O_WRONLY | O_NONBLOCK, fails: ENXIO),
        opens("the writer does not wait, would create it and finds nobody", opener, O_WRONLY | O_NONBLOCK | O_CREAT, fails: ENXIO),
        opens("only its place", opener, OpenFlag.path),
        opens("as what it is not", opener, O_RDONLY | O_DIRECTORY, fails: ENOTDIR),
      ]
    } + (Opener.creat.isThere ? [opens("the writer comes first", .creat, 0, other: O_RDONLY, milliseconds: 100)] : [])

  @Test("Opening a FIFO waits for the other end, and only where the call would", arguments: SysletEngine.Backend.available, cases)
  func opening(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  enum Sequel: String, CaseIterable {
    case reads, readsAt, examines, examinesNothing, examinesAnother, seeks, duplicates
  }

  // `automatic` opens without waiting, and finds out what it was by what comes next.
  @Test(
    "Nothing behind the open of a FIFO is made before its other end is there", arguments: LifeRegressionTests.asynchronous, Sequel.allCases)
  func sequel(backend: SysletEngine.Backend, sequel: Sequel) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let path = program.scratch.path("fifo")
    #expect(unsafe mkfifo(path, 0o600) == 0)
    let file = program.scratch.file("file", "0123456789")
    let (descriptor, result, status) = (program.word(-1), program.word(4711), program.buffer(256))
    program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDONLY | O_CLOEXEC), 0, flags: .stopOnNegative, result: descriptor)
    let emptyPath: Program.Argument = 0x1000
    switch sequel {
    case .reads: program.atom(SystemCall.read, .pointed(descriptor), .to(status), 3, result: result)
    case .readsAt: program.atom(SystemCall.pread64, .pointed(descriptor), .to(status), 3, 0, result: result)
    case .examines:
      program.atom(SystemCall.statx, .pointed(descriptor), .to(program.path("")), emptyPath, 0xFFF, .to(status), result: result)
    case .examinesNothing: program.atom(SystemCall.statx, .pointed(descriptor), .to(program.path("")), emptyPath, 0xFFF, 8, result: result)
    case .examinesAnother:
      program.atom(SystemCall.statx, .pointed(descriptor), .to(program.path(file)), emptyPath, 0xFFF, .to(status), result: result)
    case .seeks: program.atom(SystemCall.lseek, .pointed(descriptor), 0, .int(SEEK_CUR), result: result)
    case .duplicates: program.atom(SystemCall.fcntl, .pointed(descriptor), .int(F_GETFL), 0, result: result)
    }
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take(timeout: .milliseconds(30)) == [])
    #expect(result.value == 4711)
    let end = program.descriptors.open(path, O_RDWR | O_NONBLOCK)
    #expect(plainCall(SystemCall.write, .int(end), program.path("abc").address, 3) == 3)
    #expect(try engine.take(timeout: Deadline.usual).map(\.executed) == [2])
    let expected: Int =
      switch sequel {
      case .reads: 3
      case .readsAt, .seeks: -Int(ESPIPE)
      case .examines, .examinesAnother: 0
      case .examinesNothing: -Int(EFAULT)
      case .duplicates: plainCall(SystemCall.fcntl, .int(Int32(descriptor.value)), .int(F_GETFL), 0)
      }
    #expect(result.value == expected)
    if sequel == .examines { #expect(status.load(28, as: UInt16.self) & UInt16(S_IFMT) == UInt16(S_IFIFO)) }
    close(Int32(descriptor.value))
  }

  // What holds the FIFO meanwhile had the number, and the open that waits the next (found by the parity fuzzer).
  @Test("An open that waits takes one number, the lowest, and no other call sees more taken", arguments: LifeRegressionTests.asynchronous)
  func numbers(backend: SysletEngine.Backend) async {
    // In a process of its own, where nobody else takes numbers.
    await #expect(processExitsWith: .success) { [name = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: name)!)
      let program = Program(.direct)
      let path = program.scratch.path("fifo")
      #expect(unsafe mkfifo(path, 0o600) == 0)
      let (result, spare) = (program.word(), program.descriptors.event(0))
      // Its own descriptors are open, and its workers there.
      program.atom(SystemCall.getrandom, .to(program.buffer(8)), 8, 0, flags: .async, next: .end)
      program.atom(
        SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDONLY | O_CLOEXEC), 0, result: result, next: .end)
      try engine.enqueue(program, 0)
      _ = try engine.take()
      let (lowest, second) = (dup(spare), dup(spare))
      close(lowest)
      close(second)
      try engine.enqueue(program, 1)
      try engine.flushHere()
      // The number is taken when the worker has come to the call. It is looked at and not tried: what tried it would have it when the worker comes.
      let end = ContinuousClock.now + Deadline.usual
      while fcntl(lowest, F_GETFD) == -1, ContinuousClock.now < end { #expect(try engine.take(timeout: .milliseconds(20)) == []) }
      let next = dup(spare)
      #expect(next == second)
      close(next)
      let writer = unsafe open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
      #expect(writer >= 0)
      #expect(try engine.take(timeout: Deadline.usual).map(\.result) == [Int(lowest)])
      #expect(fcntl(lowest, F_GETFD) == FD_CLOEXEC)
      // What was held has gone: the writer finds no reader when this one is closed.
      close(lowest)
      signal(SIGPIPE, SIG_IGN)
      #expect(plainCall(SystemCall.write, .int(writer), program.path("a").address, 1) == -Int(EPIPE))
      close(writer)
      try engine.closeHere()
    }
  }
}
