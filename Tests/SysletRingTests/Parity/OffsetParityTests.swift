// Calls with an offset on descriptors that have none, and on those whose offset means something of its own (input 13 of the parity review).

import Glibc
import SysletRing
import Testing

@Suite("Parity: offsets", .leavesNothingBehind)
struct OffsetParityTests {
  /// A kind of descriptor, ready to be read where such a thing can be read; nil where this machine has none.
  struct Kind: Sendable, CustomStringConvertible {
    let description: String
    /// What a `pread64` of it gives on Linux 6.18, where that is an error.
    let fails: Int32?
    let make: @Sendable (Stage) -> UInt64?

    init(_ description: String, fails: Int32? = nil, _ make: @escaping @Sendable (Stage) -> UInt64?) {
      (self.description, self.fails, self.make) = (description, fails, make)
    }
  }

  private static func device(_ path: String, _ flags: Int32 = O_RDWR) -> Kind {
    Kind(path) { s in
      let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC)
      return descriptor < 0 ? nil : .int(s.descriptors.adopt(descriptor))
    }
  }

  static let kinds: [Kind] = [
    Kind("an eventfd", fails: ESPIPE) { .int($0.descriptors.event(3)) },
    Kind("a timerfd", fails: ESPIPE) { $0.timer() },
    Kind("a signalfd", fails: ESPIPE) { $0.signals() },
    Kind("an inotify instance", fails: ESPIPE) { $0.watcher(hasEvent: true) },
    Kind("an epoll instance", fails: ESPIPE) { $0.epoll() },
    Kind("a pipe's reading end", fails: ESPIPE) { $0.pipe("abcdefgh").read },
    Kind("a pipe's writing end", fails: ESPIPE) { $0.pipe().write },
    Kind("a FIFO", fails: ESPIPE) { s in
      let fifo = s.descriptors.open(s.fifo("fifo"), O_RDWR)
      precondition(plainCall(SystemCall.write, .int(fifo), s.text("abcdefgh").address, 8) == 8)
      return .int(fifo)
    },
    Kind("a stream socket", fails: ESPIPE) { s in
      let (near, far) = s.socketPair()
      s.send("abcdefgh", to: far)
      return near
    },
    Kind("a TCP socket", fails: ESPIPE) { s in
      let (near, far) = s.tcpPair()
      s.send("abcdefgh", to: far)
      return near
    },
    Kind("a datagram socket", fails: ESPIPE) { s in
      let (near, far) = s.socketPair(SOCK_DGRAM)
      s.send("abcdefgh", to: far)
      return near
    },
    Kind("a terminal", fails: ESPIPE) { $0.terminal(minimum: 0).line },
    Kind("a message queue") { $0.messageQueue(hasMessage: true) },
    Kind("a directory", fails: EISDIR) { $0.directory() },
    Kind("only a place (O_PATH)", fails: EBADF) { s in .int(s.descriptors.open(s.scratch.file("f", "0123456789"), OpenFlag.path)) },
    Kind("a file") { $0.file("f", "0123456789abcdefghij") },
    Kind("a file that appends") { $0.file("f", "0123456789abcdefghij", O_RDWR | O_APPEND) },
    Kind("a file in memory") { s in .int(s.descriptors.file(Array("0123456789abcdefghij".utf8))) },
    device("/dev/null"), device("/dev/zero"), device("/proc/self/comm", O_RDONLY), device("/proc/sys/kernel/ostype", O_RDONLY),
    device("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY), device("/proc/filesystems", O_RDONLY),
  ]

  /// The calls with an offset. The buffers have eight bytes.
  enum Call: String, CaseIterable, Sendable { case pread64, preadv, preadv2, pwrite64, pwritev, pwritev2 }

  private static func scene(_ call: Call, _ s: Stage, _ descriptor: UInt64, _ offset: Int) -> ParityScene {
    let buffer = s.buffer("b", 8)
    if call == .pwrite64 || call == .pwritev || call == .pwritev2 { buffer.store(UInt64(1), at: 0) }
    let (vector, offset) = (s.vector(buffer), UInt64.int(offset))
    switch call {
    case .pread64: return ParityScene(SystemCall.pread64, descriptor, buffer.address, 8, offset)
    case .preadv: return ParityScene(SystemCall.preadv, descriptor, vector, 1, offset, 0)
    case .preadv2: return ParityScene(SystemCall.preadv2, descriptor, vector, 1, offset, 0, 0)
    case .pwrite64: return ParityScene(SystemCall.pwrite64, descriptor, buffer.address, 8, offset)
    case .pwritev: return ParityScene(SystemCall.pwritev, descriptor, vector, 1, offset, 0)
    case .pwritev2: return ParityScene(SystemCall.pwritev2, descriptor, vector, 1, offset, 0, 0)
    }
  }

  @Test(
    "A call with an offset answers as the plain one does, whatever its descriptor is", arguments: SysletEngine.Backend.available, kinds)
  func offsets(backend: SysletEngine.Backend, kind: Kind) {
    guard kind.make(Stage()) != nil else { return reportSkipped("an offset on \(kind)", "there is none here") }
    for call in Call.allCases {
      // preadv2 and pwritev2 at -1 are at the position, and may wait: a receive that nothing comes for is not what this test is about.
      for offset in [0, 3, -1] where !(offset == -1 && (call == .preadv2 || call == .pwritev2)) {
        var testCase = ParityCase("\(call) at \(offset) of \(kind)") { s, _ in Self.scene(call, s, kind.make(s)!, offset) }
        if call == .pread64, offset == 0, let errno = kind.fails { testCase.expected = [-Int(errno)] }
        for difference in Parity.differences(testCase, on: backend) { Issue.record("\(testCase): \(difference)") }
      }
    }
  }

  @Test("Random bytes are read with an offset too", arguments: SysletEngine.Backend.available)
  func random(backend: SysletEngine.Backend) {
    let testCase = ParityCase("pread64 of /dev/urandom", 8) { s, _ in
      ParityScene(SystemCall.pread64, .int(s.descriptors.open("/dev/urandom", O_RDONLY)), s.arena.buffer(8).address, 8, 5)
    }
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  @Test("At their own position, a counter, a timer and a watcher are read as plainly", arguments: SysletEngine.Backend.available)
  func positions(backend: SysletEngine.Backend) {
    for kind in Self.kinds where ["an eventfd", "a timerfd", "an inotify instance"].contains(kind.description) {
      let cases: [ParityCase] = [
        ParityCase("read of \(kind)") { s, _ in ParityScene(SystemCall.read, kind.make(s)!, s.buffer("b", 64).address, 64) },
        ParityCase("preadv2 of \(kind)") { s, _ in
          ParityScene(SystemCall.preadv2, kind.make(s)!, s.vector(s.buffer("b", 64)), 1, .int(-1), 0, 0)
        },
        ParityCase("read of too little of \(kind)", -Int(EINVAL)) { s, _ in
          ParityScene(SystemCall.read, kind.make(s)!, s.buffer("b", 64).address, 4)
        },
      ]
      for testCase in cases {
        for difference in Parity.differences(testCase, on: backend) { Issue.record("\(testCase): \(difference)") }
      }
    }
  }
}
