// Calls that were once made in a way they must not be, or at all: non-blocking ones that waited, and ones that are to be refused.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Bugs that were found once: non-blocking calls and refusals", .leavesNothingBehind)
struct CallRegressionTests {
  // MARK: non-blocking descriptors

  /// A call on a descriptor with O_NONBLOCK that cannot go on at once.
  enum NonBlockingCall: String, CaseIterable, Sendable {
    case read, readv, write, writev, recvfrom, recvmsg, sendto, sendmsg, accept, accept4, eventRead
    case connectToFullListener, connectOverNetwork

    func prepare(_ stage: Stage) -> (number: Int, arguments: [UInt64]) {
      let buffer = stage.arena.buffer(8192)
      let count = UInt64(buffer.count)
      switch self {
      case .read: return (SystemCall.read, [Self.unready(stage.pipe().read), buffer.address, count])
      case .readv: return (SystemCall.readv, [Self.unready(stage.pipe().read), stage.vector(buffer), 1])
      case .write: return (SystemCall.write, [Self.full(stage.pipe("x").write, buffer), buffer.address, count])
      case .writev: return (SystemCall.writev, [Self.full(stage.pipe("x").write, buffer), stage.vector(buffer), 1])
      case .recvfrom: return (SystemCall.recvfrom, [Self.unready(stage.socketPair().0), buffer.address, count, 0, 0, 0])
      case .recvmsg: return (SystemCall.recvmsg, [Self.unready(stage.socketPair().0), stage.message(buffer).address, 0])
      case .sendto: return (SystemCall.sendto, [Self.full(stage.socketPair().0, buffer), buffer.address, count, 0, 0, 0])
      case .sendmsg: return (SystemCall.sendmsg, [Self.full(stage.socketPair().0, buffer), stage.message(buffer).address, 0])
      case .accept: return (SystemCall.accept, [Self.unready(stage.listener("s")), 0, 0])
      case .accept4: return (SystemCall.accept4, [Self.unready(stage.listener("s")), 0, 0, 0])
      case .eventRead: return (SystemCall.read, [Self.unready(.int(stage.descriptors.event(0))), buffer.address, 8])
      case .connectToFullListener:
        _ = stage.listener("s")
        let address = stage.socketAddress("s")
        func arguments() -> [UInt64] { [Self.unready(stage.socket()), address.address, .int(address.count)] }
        for _ in 0..<64 where plainCall(SystemCall.connect, arguments()) == -Int(EAGAIN) { break }
        return (SystemCall.connect, arguments())
      case .connectOverNetwork:
        let address = stage.arena.buffer(16)
        address.store(UInt16(AF_INET), at: 0)
        address.store(UInt32(0x7f00_0001).bigEndian, at: 4)
        func socket() -> UInt64 {
          .int(stage.descriptors.adopt(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)))
        }
        let listener = socket()
        let size = stage.arena.buffer(4)
        size.store(UInt32(16), at: 0)
        precondition(plainCall(SystemCall.bind, listener, address.address, 16) == 0)
        precondition(plainCall(SystemCall.listen, listener, 8) == 0)
        precondition(plainCall(SystemCall.getsockname, listener, address.address, size.address) == 0)
        return (SystemCall.connect, [Self.unready(socket()), address.address, 16])
      }
    }

    /// Sets O_NONBLOCK.
    private static func unready(_ descriptor: UInt64) -> UInt64 {
      precondition(fcntl(Int32(descriptor), F_SETFL, O_NONBLOCK) == 0)
      return descriptor
    }

    /// Sets O_NONBLOCK and writes until nothing more is taken.
    private static func full(_ descriptor: UInt64, _ buffer: Buffer) -> UInt64 {
      _ = unready(descriptor)
      while plainCall(SystemCall.write, descriptor, buffer.address, .int(buffer.count)) > 0 {}
      return descriptor
    }
  }

  // What the descriptor was had been kept from the first read, and the fcntl between them was a worker's: the second read waited on the ring.
  @Test(
    "A read behind an fcntl of its own syslet that sets O_NONBLOCK gives -EAGAIN", arguments: SysletEngine.Backend.available, [true, false])
  func nonblockingMeanwhile(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let (pipe, buffer) = (program.descriptors.pipe(), program.buffer(8))
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3)
    program.atom(SystemCall.read, .int(pipe.read), .to(buffer), 8)
    program.atom(SystemCall.fcntl, .int(pipe.read), .int(F_SETFL), .int(O_NONBLOCK))
    program.atom(SystemCall.read, .int(pipe.read), .to(buffer), 8)
    let completion = try RegressionTests.completion(of: program, on: engine, isBatch: isBatch)
    #expect(completion?.result == -Int(EAGAIN))
    #expect(completion?.executed == 3)
  }

  // The ring lets an operation wait even if its descriptor has O_NONBLOCK, where the system call gives -EAGAIN. A syslet that polls such a
  // descriptor would have waited for ever, and a connect gave 0 later instead of -EINPROGRESS at once.
  @Test(
    "A call on a non-blocking descriptor gives what the system call gives, at once", arguments: SysletEngine.Backend.available,
    NonBlockingCall.allCases)
  func nonBlocking(backend: SysletEngine.Backend, call: NonBlockingCall) throws {
    for isBatch in [true, false] {
      // Each run has a world of its own.
      let reference = Stage()
      let (number, arguments) = call.prepare(reference)
      let expected = plainCall(number, arguments)
      #expect(expected < 0)
      let engine = try BadInputTests.engine(backend)
      defer { try? engine.close() }
      let stage = Stage()
      let own = call.prepare(stage).arguments
      let result = try RegressionTests.result(of: number, own, on: engine, isBatch: isBatch, timeout: Deadline.usual)
      #expect(result == expected, "\(isBatch ? "enqueued" : "executed")")
      if result != expected { break }
    }
  }

  // As above, with the descriptor made non-blocking while the engine knows it already: what it knows of a descriptor must not outlive the
  // call into the engine.
  @Test("A descriptor that becomes non-blocking later is seen as such", arguments: LifeRegressionTests.asynchronous)
  func laterNonBlocking(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let (read, _) = stage.pipe("ab")
    let arguments = [read, stage.arena.buffer(8).address, 8]
    let first = try RegressionTests.result(of: SystemCall.read, arguments, on: engine)
    #expect(first == 2)
    #expect(fcntl(Int32(read), F_SETFL, O_NONBLOCK) == 0)
    let second = try RegressionTests.result(of: SystemCall.read, arguments, on: engine)
    #expect(second == -Int(EAGAIN))
  }

  // MARK: refusals

  // A call that sets a signal mask can block the very signal with which a cancelled call is interrupted. close() then waited for a worker
  // that nothing could wake.
  @Test("A call that would set the worker's signal mask is refused", arguments: SysletEngine.Backend.available, [true, false])
  func signalMask(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let mask = stage.arena.buffer(8)
    mask.store(UInt64.max, at: 0)
    // Short times and unready descriptors: a call that is made after all gives 0 soon.
    let time = stage.time(nanoseconds: 50_000_000)
    let read = stage.pipe().read
    let set = stage.pollSet("set", (Int32(read), Int16(POLLIN)))
    let sized = stage.arena.buffer(16)
    sized.store(mask.address, at: 0)
    sized.store(UInt64(8), at: 8)
    let epoll = UInt64.int(stage.descriptors.adopt(Int32(plainCall(SystemCall.epoll_create1, .int(O_CLOEXEC)))))
    let events = stage.arena.buffer(64)
    let calls: [(String, Int, [UInt64])] = [
      ("ppoll", SystemCall.ppoll, [set.address, 1, time.address, mask.address, 8]),
      ("pselect6", SystemCall.pselect6, [0, 0, 0, 0, time.address, sized.address]),
      ("epoll_pwait", SystemCall.epoll_pwait, [epoll, events.address, 4, 50, mask.address, 8]),
      ("epoll_pwait2", SystemCall.epoll_pwait2, [epoll, events.address, 4, time.address, mask.address, 8]),
    ]
    for (name, number, arguments) in calls {
      let result = try RegressionTests.result(of: number, arguments, on: engine, isBatch: isBatch)
      #expect(result == -Int(EPERM), "\(name) with a mask")
      // Without a mask it is a call like any other.
      var unmasked = arguments
      unmasked[name == "ppoll" ? 3 : name == "pselect6" ? 5 : 4] = 0
      var other = try RegressionTests.result(of: number, unmasked, on: engine, isBatch: isBatch)
      // On the owner's thread the kernel may interrupt to take down the ring of an engine that was there before.
      while backend == .inline, other == -Int(EINTR) {
        other = try RegressionTests.result(of: number, unmasked, on: engine, isBatch: isBatch)
      }
      #expect(other == 0 || name == "epoll_pwait2" && other == -Int(ENOSYS), "\(name) without a mask")
    }
  }

  /// Calls that change the thread that makes them, or the whole process, with arguments that change nothing if one is made after all.
  static let changing: [(name: String, number: Int, arguments: [UInt64])] = [
    ("landlock_restrict_self", SystemCall.landlock_restrict_self, [.int(-1), 0xffff]),
    ("sched_setaffinity", SystemCall.sched_setaffinity, [0, 0, 0]),
    ("sched_setscheduler", SystemCall.sched_setscheduler, [0, .int(-1), 0]),
    ("sched_setparam", SystemCall.sched_setparam, [0, 0]),
    ("sched_setattr", SystemCall.sched_setattr, [0, 0, 0]),
    ("setpriority", SystemCall.setpriority, [99, 0, 0]),
    ("ioprio_set", SystemCall.ioprio_set, [99, 0, 0]),
  ]

  // Calls that change only the thread that makes them were not in the table, and so ran on a worker or not, as it came. A worker with a
  // Landlock domain or an affinity of its own would have changed the calls of other syslets.
  @Test("A call that changes the thread that makes it is refused", arguments: SysletEngine.Backend.available, Form.allCases)
  func threadChanges(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    for (name, number, arguments) in Self.changing {
      let program = Program(form)
      program.atom(number, list: arguments.map { .value($0) })
      let completion = try RegressionTests.completion(of: program, on: engine, isBatch: true)
      #expect(completion?.result == -Int(EPERM), "\(name)")
    }
  }

  // MARK: the file's position

  /// Transfers at the file's position of 8,192 bytes, of which the first 4,096 can be had: from there on the buffer cannot be touched.
  static let shortTransfers = ["read", "readv", "write", "writev"]

  // io_uring goes on with a short transfer of a file by itself; when that fails, it reports what was moved and leaves the position where it was
  // (Linux 6.18). What was written next at the position then overwrote the same bytes, so such writes are a worker's.
  @Test("A short transfer moves the file's position", arguments: SysletEngine.Backend.available, shortTransfers)
  func positionAfterShortTransfer(backend: SysletEngine.Backend, name: String) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let stage = Stage()
    let file = stage.file("f", name.hasPrefix("read") ? String(repeating: "x", count: 8192) : "")
    let buffer = name.hasSuffix("v") ? stage.tornVector() : Wild.torn
    let program = Program(.direct)
    program.atom(
      OperationTests.numbers[name]!, .value(.int(file)), .value(buffer), .value(name.hasSuffix("v") ? 1 : 8192), flags: .async)
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take().map(\.result) == [4096])
    let position = lseek(Int32(file), 0, SEEK_CUR)
    // Reads are the difference that remains (docs/SEMANTICS.md): how a read came to be short cannot be told afterwards.
    let mayRemain = name.hasPrefix("read") && (engine.backend == .ring || engine.backend == .automatic)
    #expect(position == 4096 || mayRemain && position == 0)
  }

  // ftruncate(2) looks at the length before the descriptor, io_uring the other way round: a call with both wrong had another errno on the
  // ring. Found by the fuzzer on a simulated kernel.
  @Test("ftruncate of nothing to a negative length gives EINVAL", arguments: SysletEngine.Backend.available)
  func negativeLength(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.ftruncate, -1, -1)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [-Int(EINVAL)])
  }

  #if arch(x86_64)
    // The x32 ABI has its system calls at 0x40000000 and above, and the list of refused calls did not know them: where the kernel has the
    // ABI, such an atom forked the process. Only the layout of 2007 with a 32-bit number can say so.
    @Test("A fork by its x32 number does not fork", arguments: SysletEngine.Backend.available)
    func x32Fork(backend: SysletEngine.Backend) async {
      await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
        ProcessSettings.endIfStuck()
        let process = getpid()
        let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
        for number in [57, 58] {
          for isBatch in [true, false] {
            let program = Program(.indirect)
            program.atom(0x4000_0000 | number)
            let result = try RegressionTests.completion(of: program, on: engine, isBatch: isBatch)?.result
            if getpid() != process { _exit(0) }
            #expect(result == -Int(ENOSYS) || result == -Int(EPERM), "\(number): \(result ?? 0)")
          }
        }
        try engine.closeHere()
      }
    }
  #endif
}
