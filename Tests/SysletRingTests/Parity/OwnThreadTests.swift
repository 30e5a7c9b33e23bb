// Calls about the thread that makes them.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Calls about the calling thread", .leavesNothingBehind)
struct OwnThreadTests {
  @Test(
    "A call about the thread itself is about the owner's, alone, in a crowd and behind a call that a worker makes",
    arguments: SysletEngine.Backend.available)
  func inPlace(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct, capacity: 80)
      let lock = program.descriptors.open(program.scratch.file("lock"), O_RDWR)
      func behindWorker() { program.atom(SystemCall.flock, .int(lock), .int(LOCK_EX), flags: .async) }
      // A worker that is started before.
      let start = program.count
      behindWorker()
      program.atom(SystemCall.getppid, next: .end)
      try engine.enqueue(program, start)
      #expect(try engine.take().count == 1)
      let thread = plainCall(SystemCall.gettid)
      #expect(plainCall(SystemCall.setpriority, 0, .int(thread), 7) == 0)
      #expect(plainCall(SystemCall.getpriority, 0, 0) == 13)
      let heads = (0..<32).map { position -> Int in
        let head = program.count
        if position % 2 == 0 { behindWorker() }
        program.atom(SystemCall.getpriority, 0, 0, next: .end)
        return head
      }
      #expect(try engine.exec(program, heads[1]) == heads[1])
      for head in heads { try engine.enqueue(program, head) }
      let taken = try engine.takeAll(32)
      #expect(taken.map(\.result) == [Int](repeating: 13, count: 32))
      try engine.closeHere()
    }
  }

  @Test("A clock of the thread's own time is the owner's", arguments: SysletEngine.Backend.available)
  func clock(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.direct)
    let time = program.buffer(16, compared: false)
    program.atom(SystemCall.clock_gettime, 3, .to(time), flags: .async)  // CLOCK_THREAD_CPUTIME_ID
    func now() -> Int {
      let buffer = program.arena.buffer(16)
      plainCall(SystemCall.clock_gettime, 3, buffer.address)
      return buffer.load(0, as: Int.self) * 1_000_000_000 + buffer.load(8, as: Int.self)
    }
    // More than a worker ever has.
    while now() < 20_000_000 {}
    let before = now()
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [0])
    let made = time.load(0, as: Int.self) * 1_000_000_000 + time.load(8, as: Int.self)
    #expect(made >= before && made <= now())
    try engine.close()
  }

  @Test("What would hold the owner's thread is refused: its own children, locks with an owner, a ring's completions")
  func refused() throws {
    for backend in SysletEngine.Backend.available {
      let engine = try BadInputTests.engine(backend)
      let arena = Arena()
      defer { withExtendedLifetime(arena) {} }
      let word = arena.buffer(8)
      func result(_ number: Int, _ arguments: UInt64...) throws -> Int? {
        try RegressionTests.result(of: number, arguments, on: engine)
      }
      #expect(try result(SystemCall.wait4, .int(-1), 0, 0x2000_0000, 0) == -Int(EPERM))
      #expect(try result(SystemCall.waitid, 0, 0, word.address, 0x2000_0004, 0) == -Int(EPERM))
      #expect(try result(SystemCall.wait4, .int(-1), 0, 0x2000_0001, 0) == plainCall(SystemCall.wait4, .int(-1), 0, 0x2000_0001, 0))
      for command in [6, 11, 13, 6 | 128] { #expect(try result(SystemCall.futex, word.address, .int(command), 0, 0) == -Int(EPERM)) }
      #expect(try result(SystemCall.io_uring_enter, .int(-1), 0, 1, 1) == -Int(EPERM))
      // The lock's owner is this thread, so it can let go.
      #expect(try result(SystemCall.futex, word.address, 8, 0, 0) == 0)
      #expect(word.load(0, as: UInt32.self) == UInt32(plainCall(SystemCall.gettid)))
      #expect(plainCall(SystemCall.futex, word.address, 7, 0, 0) == 0)
      try engine.close()
    }
  }
}
