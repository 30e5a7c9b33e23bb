// Results that were once not the system call's: each test is a bug that a review proved with a program of its own.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Bugs that were found once: results", .leavesNothingBehind)
struct RegressionTests {
  /// Hands over a syslet so that it tells its end by a completion: by enqueue, or by exec with ASYNC.
  static func completion(
    of program: Program, _ head: Int = 0, on engine: SysletEngine, isBatch: Bool, timeout: Duration = .seconds(10)
  ) throws -> Taken? {
    if isBatch {
      try engine.enqueue(program, head)
    } else {
      program.addFlags(.async, to: head)
      // No expectation here, as this also runs on other threads than a test's.
      guard try engine.exec(program, head) == nil else { throw ConformanceFailure("exec of an atom with ASYNC ran it at once") }
    }
    return try engine.take(timeout: timeout).first
  }

  /// The result of one call, made by an engine.
  static func result(
    of number: Int, _ arguments: [UInt64], on engine: SysletEngine, isBatch: Bool = true, timeout: Duration = .seconds(10)
  ) throws -> Int? {
    let program = Program(.direct)
    program.atom(number, list: arguments.map { .value($0) })
    return try completion(of: program, on: engine, isBatch: isBatch, timeout: timeout)?.result
  }

  // MARK: stops

  // A recv of no bytes with MSG_TRUNC gives the datagram's length, but the table said that a transfer of length 0 gives 0 at the most. So
  // a stop on non-zero was linked softly behind it, the next atom ran, and the engine trapped on its own check of L1.
  @Test("A recv of no bytes that gives a length stops its syslet", arguments: SysletEngine.Backend.available, [true, false])
  func truncatedDatagram(backend: SysletEngine.Backend, isBatch: Bool) async throws {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, isBatch = isBatch as Bool] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let (near, far) = program.descriptors.socketPair(SOCK_DGRAM)
      #expect(plainCall(SystemCall.write, .int(far), program.path("hello").address, 5) == 5)
      let next = program.word()
      // MSG_PEEK | MSG_TRUNC
      program.atom(SystemCall.recvfrom, .int(near), .to(program.buffer(8)), 0, 0x22, 0, 0, flags: .stopOnNonzero)
      program.atom(noOperation, result: next)
      let completion = try Self.completion(of: program, on: engine, isBatch: isBatch)
      #expect(completion?.result == 5)
      #expect(completion?.executed == 1)
      #expect(completion?.reason == .stopped)
      #expect(next.value == Program.untouched)
      try engine.closeHere()
    }
  }

  // The kernel had polled with success and let the linked successor run, and only then the engine found that revents could not be stored.
  // The -EFAULT came too late for the stop, and the engine trapped on its own check of L1.
  @Test(
    "A poll whose set cannot be written stops with EFAULT before the next atom", arguments: SysletEngine.Backend.available,
    [true, false])
  func pollOfReadOnlyMemory(backend: SysletEngine.Backend, isBatch: Bool) async throws {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, isBatch = isBatch as Bool] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let pipe = program.descriptors.pipe()
      let page = plainCall(SystemCall.mmap, 0, 4096, .int(PROT_READ | PROT_WRITE), .int(MAP_PRIVATE | MAP_ANONYMOUS), .int(-1), 0)
      #expect(page > 0)
      // A pollfd: the descriptor, and POLLOUT above it.
      #expect(test_store(.int(page), UInt64(pipe.write) | UInt64(POLLOUT) << 32) == 0)
      #expect(plainCall(SystemCall.mprotect, .int(page), 4096, .int(PROT_READ)) == 0)
      let next = program.word()
      program.atom(SystemCall.poll, .int(page), 1, .int(-1), flags: .stopOnNegative)
      program.atom(noOperation, result: next)
      let completion = try Self.completion(of: program, on: engine, isBatch: isBatch)
      #expect(completion?.result == -Int(EFAULT))
      #expect(completion?.executed == 1)
      #expect(completion?.reason == .stopped)
      #expect(next.value == Program.untouched)
      try engine.closeHere()
    }
  }

  // MARK: memory

  // The kernel copies the array of iovecs that a message points to when the SQE is submitted, but the table knew only the message itself.
  // A sendmsg behind the read that filled the array sent the old buffer.
  @Test(
    "A sendmsg sends the buffers that an atom before it has put into its iovecs", arguments: SysletEngine.Backend.available,
    [true, false])
  func filledVector(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let program = Program(.direct)
    let (old, new) = (stage.text("BBBBB"), stage.text("GGGGG"))
    let wanted = stage.arena.buffer(16)
    wanted.store(new.address, at: 0)
    wanted.store(UInt64(5), at: 8)
    let message = stage.message(old)
    let vector = message.load(16, as: UInt64.self)
    #expect(test_store(vector + 8, 5) == 0)
    let pipe = stage.pipe()
    let (near, far) = stage.socketPair()
    #expect(plainCall(SystemCall.write, pipe.write, wanted.address, 16) == 16)
    program.atom(SystemCall.read, .value(pipe.read), .value(vector), 16, flags: .stopOnNegative)
    program.atom(SystemCall.sendmsg, .value(near), .to(message), 0)
    let completion = try Self.completion(of: program, on: engine, isBatch: isBatch)
    #expect(completion?.result == 5)
    #expect(completion?.executed == 2)
    #expect(stage.drained(far) == "read \(Array("GGGGG".utf8))")
  }

  // Memory that madvise(MADV_DONTNEED) clears was not among what the table says a call fills. A path in it was captured with its old text
  // when the segment was submitted, and the mkdirat behind the madvise made that directory.
  @Test("What madvise has cleared is seen clear by the atoms behind it", arguments: SysletEngine.Backend.available, [true, false])
  func clearedMemory(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let program = Program(.direct)
    let page = stage.page("page")
    let sum = program.word(0)
    // The value behind a pointer lies in the page, and so does the path.
    let value = unsafe Word(pointer: page.base.assumingMemoryBound(to: Int.self))
    page.store(UInt64(7), at: 0)
    for (index, byte) in (Array(stage.scratch.path("made").utf8) + [0]).enumerated() { page.store(byte, at: 64 + index) }
    let made = program.word()
    // Without stop conditions the links are hard: nothing else cuts the chain.
    program.atom(noOperation)
    program.atom(SystemCall.madvise, .to(page), 4096, .int(MADV_DONTNEED))
    program.atom(SystemCall.mkdirat, .int(AT_FDCWD), .value(page.address + 64), 0o755, result: made)
    program.atom(umemAdd, .to(sum), .pointed(value))
    let completion = try Self.completion(of: program, on: engine, isBatch: isBatch)
    #expect(completion?.executed == 4)
    #expect(made.value == -Int(ENOENT))
    #expect(!stage.scratch.exists("made"))
    #expect(sum.value == 0)
  }

  // MARK: short transfers

  /// Runs `body` with an engine on a thread that never had a ring: when the kernel takes down a ring it interrupts the thread that used it,
  /// and a blocking write that has begun then ends short, whoever makes it.
  private static func onFreshThread(
    _ backend: SysletEngine.Backend, _ body: (SysletEngine) throws -> Taken?
  ) throws -> Taken? {
    let result = onAnotherThread {
      Result {
        let engine = try BadInputTests.engine(backend)
        defer { try? engine.close() }
        return try body(engine)
      }
    }
    return try result.get()
  }

  // The ring tries a transfer without blocking first, and gave what fitted: 65,536 of 200,000 bytes into a pipe. The system call blocks
  // until everything is written.
  @Test("A write to a blocking pipe writes everything", arguments: SysletEngine.Backend.available, [true, false])
  func wholeWrite(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let program = Program(.direct)
    let pipe = program.descriptors.pipe()
    program.atom(SystemCall.write, .int(pipe.write), .to(program.buffer(200_000)), 200_000)
    let drain = Drain(pipe.read, 200_000)
    let completion = try Self.onFreshThread(backend) { try Self.completion(of: program, on: $0, isBatch: isBatch) }
    #expect(completion?.result == 200_000)
    #expect(completion?.executed == 1)
    #expect(drain.finish() == 200_000)
  }

  // As above, for a socket: the ring's send gave what the socket's buffer had room for. The system call sends everything, and a
  // syslet that goes on with the next message would have torn this one.
  @Test(
    "A send, a write and a sendmsg on a blocking stream socket send everything", arguments: SysletEngine.Backend.available,
    ["sendto", "write", "sendmsg"])
  func wholeSend(backend: SysletEngine.Backend, call: String) throws {
    let size = 1 << 20
    for isBatch in [true, false] {
      let stage = Stage()
      let program = Program(.direct)
      let (near, far) = stage.descriptors.socketPair()
      let buffer = stage.arena.buffer(size)
      switch call {
      case "sendto": program.atom(SystemCall.sendto, .int(near), .to(buffer), .int(size), 0, 0, 0)
      case "write": program.atom(SystemCall.write, .int(near), .to(buffer), .int(size))
      default: program.atom(SystemCall.sendmsg, .int(near), .to(stage.message(buffer)), 0)
      }
      let drain = Drain(far, size)
      let completion = try Self.onFreshThread(backend) { try Self.completion(of: program, on: $0, isBatch: isBatch) }
      #expect(completion?.result == size)
      #expect(drain.finish() == size)
    }
  }

  // MARK: poll

  // The ring adds POLLRDHUP to every poll, and its revents were handed on as they came. A poll for POLLIN told of an event that it had not
  // asked for.
  @Test("A poll tells the events that it asked for, as the system call does", arguments: SysletEngine.Backend.available, [true, false])
  func polledEvents(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let readHangUp: Int16 = 0x2000
    for events in [Int16(POLLIN), Int16(POLLIN) | readHangUp, Int16(POLLIN | POLLOUT), readHangUp] {
      for isClosed in [true, false] {
        let revents = try [true, false].map { isPlain in
          let stage = Stage()
          let (near, far) = stage.descriptors.socketPair()
          if isClosed {
            plainCall(SystemCall.close, .int(far))
            stage.descriptors.forget(far)
          } else {
            plainCall(SystemCall.shutdown, .int(far), .int(Int32(SHUT_WR)))
          }
          let set = stage.pollSet("set", (near, events))
          let arguments = [set.address, 1, .int(2000)]
          let count =
            isPlain
            ? plainCall(SystemCall.poll, arguments)
            : try Self.result(of: SystemCall.poll, [set.address, 1, .int(-1)], on: engine, isBatch: isBatch)
          #expect(count == 1)
          return set.load(6, as: Int16.self)
        }
        #expect(revents[0] == revents[1], "poll for \(events), \(isClosed ? "closed" : "shut down")")
      }
    }
  }

  // As above: a poll for what never comes ended as soon as the peer had shut down, with events that it had not asked for. It must go on.
  @Test("A poll for other events does not end with the peer's shutdown", arguments: LifeRegressionTests.asynchronous)
  func pollGoesOn(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let program = Program(.direct)
    let (near, far) = stage.descriptors.socketPair()
    #expect(plainCall(SystemCall.shutdown, .int(far), .int(Int32(SHUT_WR))) == 0)
    let set = stage.pollSet("set", (near, Int16(POLLPRI)))
    program.atom(SystemCall.poll, .to(set), 1, .int(-1))
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take(timeout: .milliseconds(100)) == [])
    try engine.cancel(program)
    #expect(try engine.take(timeout: .seconds(10)).map(\.reason) == [.cancelled])
    #expect(set.load(6, as: Int16.self) == 0)
  }

  // MARK: arguments

  // The ring's splice looks at its descriptors first; the system call does not look at them when there is nothing to move. The atom gave
  // -EBADF instead of 0, and stopped its syslet.
  @Test("A splice and a tee of nothing give what the system calls give", arguments: SysletEngine.Backend.available, [true, false])
  func spliceOfNothing(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let splice: [UInt64] = [.int(-1), 0, .int(-1), 0, 0, 0]
    let tee: [UInt64] = [.int(-1), .int(-1), 0, 0]
    for (number, arguments) in [(SystemCall.splice, splice), (SystemCall.tee, tee)] {
      let result = try Self.result(of: number, arguments, on: engine, isBatch: isBatch)
      #expect(result == plainCall(number, arguments), "\(number == SystemCall.tee ? "tee" : "splice")")
    }
  }
}
