// Calls that make something else of a descriptor, and calls on it before and behind them in the same syslet: what a descriptor is must be
// forgotten when it changes.

import CTestSupport
import Glibc
import SysletRing
import Testing

private let again = -Int(EAGAIN)

@Suite("Parity: descriptors that change", .leavesNothingBehind)
struct StateChangeParityTests {
  /// A copy of a descriptor under a number that nobody else gets.
  private static func high(_ s: Stage, _ descriptor: UInt64) -> UInt64 {
    .int(s.descriptors.adopt(fcntl(Int32(descriptor), F_DUPFD_CLOEXEC, 700)))
  }

  private static func pread(_ s: Stage, _ name: String, _ descriptor: UInt64) -> ParityCall {
    ParityCall(SystemCall.pread64, descriptor, s.buffer(name, 8).address, 8, 0)
  }

  private static func receive(_ s: Stage, _ name: String, _ socket: UInt64, _ flags: Int = 0) -> ParityCall {
    ParityCall(SystemCall.recvfrom, socket, s.buffer(name, 8).address, 8, UInt64(flags), 0, 0)
  }

  /// setsockopt with a buffer that has been filled.
  private static func option(_ s: Stage, _ socket: UInt64, _ name: Int32, _ words: [Int64], _ count: Int) -> ParityCall {
    let value = s.arena.buffer(16)
    for (index, word) in words.enumerated() { value.store(word, at: 8 * index) }
    return ParityCall(SystemCall.setsockopt, socket, .int(SOL_SOCKET), .int(name), value.address, .int(count))
  }

  static let numbers: [ParityCase] = [
    ParityCase("a file becomes an eventfd, by dup3") { s, _ in
      let number = high(s, s.file("f", "0123456789"))
      let become = ParityCall(SystemCall.dup3, .int(s.descriptors.event(3)), number, .int(O_CLOEXEC))
      return ParityScene(calls: [pread(s, "a", number), become, pread(s, "b", number)], ignoring: [1])
    },
    ParityCase("a file becomes a pipe, by dup2") { s, _ in
      let number = high(s, s.file("f", "0123456789"))
      let become = ParityCall(SystemCall.dup2, s.pipe("abc").read, number)
      return ParityScene(calls: [pread(s, "a", number), become, pread(s, "b", number)], ignoring: [1])
    },
    ParityCase("a pipe becomes a file, by dup3") { s, _ in
      let (number, file) = (high(s, s.pipe("abc").read), s.file("f", "0123456789"))
      let read = ParityCall(SystemCall.read, number, s.buffer("a", 8).address, 8)
      return ParityScene(
        calls: [
          read, ParityCall(SystemCall.dup3, file, number, .int(O_CLOEXEC)), pread(s, "b", number),
          ParityCall(SystemCall.read, number, s.buffer("c", 4).address, 4),
        ], ignoring: [1])
    },
    ParityCase("a socket that waits becomes one that does not, by dup3", 3, 0, 0, again) { s, _ in
      let (near, far) = s.socketPair()
      let (quick, _) = s.socketPair()
      s.send("abc", to: far)
      _ = fcntl(Int32(quick), F_SETFL, O_NONBLOCK)
      let number = high(s, near)
      return ParityScene(
        calls: [
          receive(s, "a", number), ParityCall(SystemCall.getpid), ParityCall(SystemCall.dup3, quick, number, .int(O_CLOEXEC)),
          receive(s, "b", number),
        ], ignoring: [1, 2])
    },
    ParityCase("a file is closed by close_range") { s, _ in
      let number = high(s, s.file("f", "0123456789"))
      s.descriptors.forget(Int32(number))
      return ParityScene(pread(s, "a", number), ParityCall(SystemCall.close_range, number, number, 0), pread(s, "b", number))
    },
    ParityCase("a file is closed, and another thing gets its number", 8, 0, 0, -Int(ESPIPE)) { s, _ in
      let number = high(s, s.file("f", "0123456789"))
      return ParityScene(
        calls: [
          pread(s, "a", number), ParityCall(SystemCall.close, number),
          ParityCall(SystemCall.dup3, .int(s.descriptors.event(3)), number, .int(O_CLOEXEC)), pread(s, "b", number),
        ], ignoring: [2])
    },
  ]

  /// Of files in memory less is asked.
  static let memory: [ParityCase] = [
    ParityCase("a file in memory becomes a full pipe that does not wait, by dup2", 3, 0, again) { s, _ in
      let number = high(s, .int(s.descriptors.adopt(test_memory_file())))
      let pipe = s.pipe("").write
      let block = [UInt8](repeating: 0, count: 4096)
      _ = fcntl(Int32(pipe), F_SETFL, O_NONBLOCK)
      while unsafe write(Int32(pipe), block, block.count) > 0 {}
      let text = s.text("abc").address
      return ParityScene(
        calls: [
          ParityCall(SystemCall.write, number, text, 3), ParityCall(SystemCall.dup2, pipe, number),
          ParityCall(SystemCall.write, number, text, 3),
        ], ignoring: [1])
    },
    ParityCase("a file in memory becomes a socket for which something comes later, by dup3", 3, 0, 0, 3) { s, t in
      let number = high(s, .int(s.descriptors.adopt(test_memory_file())))
      let (near, far) = s.socketPair()
      t.write("ABC", to: far, after: 100)
      return ParityScene(
        calls: [
          ParityCall(SystemCall.write, number, s.text("abc").address, 3), ParityCall(SystemCall.read, number, s.buffer("a", 8).address, 8),
          ParityCall(SystemCall.dup3, near, number, .int(O_CLOEXEC)), ParityCall(SystemCall.read, number, s.buffer("b", 8).address, 8),
        ], ignoring: [2])
    },
    ParityCase("a file in memory is synced, and an eventfd is not", 0, 0, -Int(EINVAL)) { s, _ in
      let number = high(s, .int(s.descriptors.adopt(test_memory_file())))
      return ParityScene(
        calls: [
          ParityCall(SystemCall.fdatasync, number), ParityCall(SystemCall.dup3, .int(s.descriptors.event(3)), number, .int(O_CLOEXEC)),
          ParityCall(SystemCall.fdatasync, number),
        ], ignoring: [1])
    },
    ParityCase("a file in memory is read behind its end, in parts and at an offset", 4, 6, 2, 0, 4) { s, _ in
      let number: UInt64 = .int(s.descriptors.adopt(test_memory_file()))
      let (text, buffer) = (s.text("abcdef").address, s.buffer("a", 16).address)
      return ParityScene(
        calls: [
          ParityCall(SystemCall.pwrite64, number, text, 4, 2), ParityCall(SystemCall.read, number, buffer, 16),
          ParityCall(SystemCall.pread64, number, buffer, 8, 4), ParityCall(SystemCall.read, number, buffer, 16),
          ParityCall(SystemCall.pread64, number, buffer, 4, 0),
        ])
    },
  ]

  static let flags: [ParityCase] = [
    ParityCase("a pipe is told not to wait, by fcntl", 3, 0, again) { s, _ in
      let pipe = s.pipe("abc").read
      return ParityScene(
        ParityCall(SystemCall.read, pipe, s.buffer("a", 8).address, 8), ParityCall(SystemCall.fcntl, pipe, .int(F_SETFL), .int(O_NONBLOCK)),
        ParityCall(SystemCall.read, pipe, s.buffer("b", 8).address, 8))
    },
    ParityCase("a socket is told not to wait, by ioctl", 3, 0, again) { s, _ in
      let (near, far) = s.socketPair()
      s.send("abc", to: far)
      let on = s.arena.buffer(4)
      on.store(Int32(1), at: 0)
      // FIONBIO
      return ParityScene(receive(s, "a", near), ParityCall(SystemCall.ioctl, near, 0x5421, on.address), receive(s, "b", near))
    },
    ParityCase("a socket is told to wait, by fcntl", again, 0, 3) { s, t in
      let (near, far) = s.socketPair()
      _ = fcntl(Int32(near), F_SETFL, O_NONBLOCK)
      t.write("abc", to: far, after: 100)
      return ParityScene(receive(s, "a", near), ParityCall(SystemCall.fcntl, near, .int(F_SETFL), 0), receive(s, "b", near))
    },
    ParityCase("a file is told to append, by fcntl", 3, 0, 3) { s, _ in
      let file = s.file("f", "0123456789")
      return ParityScene(
        ParityCall(SystemCall.pwrite64, file, s.text("abc").address, 3, 0),
        ParityCall(SystemCall.fcntl, file, .int(F_SETFL), .int(O_APPEND)),
        ParityCall(SystemCall.pwrite64, file, s.text("abc").address, 3, 0))
    },
    ParityCase("a TCP socket gets SO_RCVTIMEO", 3, 0, again, milliseconds: 100) { s, _ in
      let (near, far) = s.tcpPair()
      s.send("abc", to: far)
      return ParityScene(receive(s, "a", near), option(s, near, SO_RCVTIMEO, [0, 100_000], 16), receive(s, "b", near))
    },
    ParityCase("a socket gets SO_RCVLOWAT", 3, 0, 8) { s, t in
      let (near, far) = s.socketPair()
      s.send("abc", to: far)
      t.write("ABCD", to: far, after: 60)
      t.write("EFGH", to: far, after: 160)
      return ParityScene(receive(s, "a", near), option(s, near, SO_RCVLOWAT, [8], 4), receive(s, "b", near))
    },
    ParityCase("a socket's copy is told not to wait, and they are one", 3, 0, again) { s, _ in
      let (near, far) = s.socketPair()
      s.send("abc", to: far)
      let copy = high(s, near)
      return ParityScene(
        receive(s, "a", near), ParityCall(SystemCall.fcntl, copy, .int(F_SETFL), .int(O_NONBLOCK)), receive(s, "b", near))
    },
    ParityCase("a socket that was shut down", 0, 0) { s, _ in
      let near = s.socketPair().0
      return ParityScene(ParityCall(SystemCall.shutdown, near, .int(Int32(SHUT_RDWR))), receive(s, "a", near))
    },
    ParityCase("sockets and pipes that do not wait", again, again, again, again) { s, _ in
      let (socket, pipe, listener, event) = (s.tcpPair().0, s.pipe().read, s.listener("l"), UInt64.int(s.descriptors.event(0)))
      for descriptor in [socket, pipe, listener, event] { _ = fcntl(Int32(descriptor), F_SETFL, O_NONBLOCK) }
      return ParityScene(
        receive(s, "a", socket), ParityCall(SystemCall.read, pipe, s.buffer("b", 8).address, 8),
        ParityCall(SystemCall.accept4, listener, 0, 0, 0), ParityCall(SystemCall.read, event, s.buffer("c", 8).address, 8))
    },
  ]

  @Test("Under a number that becomes another thing, the new one is meant", arguments: SysletEngine.Backend.available, numbers + memory)
  func number(backend: SysletEngine.Backend, testCase: ParityCase) {
    var testCase = testCase
    testCase.isSequential = true
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  @Test("What a descriptor was told counts for the next call", arguments: SysletEngine.Backend.available, flags)
  func flag(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  // MARK: by another syslet

  // The engine remembers what a descriptor is: another syslet's change, which a worker made meanwhile, must reach that memory.
  @Test("What another syslet has made of a descriptor counts as soon as that one has ended", arguments: SysletEngine.Backend.available)
  func byAnother(backend: SysletEngine.Backend) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let number = Self.high(stage, stage.file("f", "0123456789"))
    let events = stage.descriptors.event(3)
    let files = stage.file("g", "abcdefghij")
    let read = program.atom(SystemCall.pread64, .value(number), .to(program.buffer(8)), 8, 0, next: .end)
    let toEvent = program.atom(SystemCall.dup3, .int(events), .value(number), .int(O_CLOEXEC), next: .end)
    let toFile = program.atom(SystemCall.dup3, .value(files), .value(number), .int(O_CLOEXEC), next: .end)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    for _ in 0..<10 {
      for (head, expected) in [(read, 8), (toEvent, Int(number)), (read, -Int(ESPIPE)), (toFile, Int(number))] {
        try engine.enqueue(program, head)
        #expect(try engine.take().map(\.result) == [expected])
      }
    }
  }
}
