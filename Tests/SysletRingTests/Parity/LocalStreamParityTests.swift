// Receives on streams of AF_UNIX, which urgent data and passed descriptors end, against plain calls.

import CTestSupport
import Glibc
import SysletRing
import Testing

private let all = UInt64(MSG_WAITALL)

@Suite("Parity: what ends a receive on AF_UNIX", .leavesNothingBehind)
struct LocalStreamParityTests {
  /// Before Linux 5.15 there are no urgent data on AF_UNIX.
  private static let urgentCut: [ParityCase] =
    ReferenceKernel.version < (5, 15)
    ? []
    : [
      ParityCase("MSG_WAITALL in front of urgent data", 3) { s, t in
        let (near, far) = s.socketPair()
        s.send("abc", to: far)
        s.send("x", to: far, Int32(MSG_OOB))
        s.send("defghijk", to: far)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
      ParityCase("MSG_WAITALL, urgent data come while it waits", 3) { s, t in
        let (near, far) = s.socketPair()
        s.send("abc", to: far)
        t.after(60) { Stage().send("x", to: far, Int32(MSG_OOB)) }
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
    ]

  /// What ends a receive on AF_UNIX before it has all that it waits for. On the ring it is a difference that remains, of MSG_WAITALL.
  static let cut: [ParityCase] =
    urgentCut + [
      ParityCase("MSG_WAITALL, a descriptor comes along while it waits", 6) { s, t in
        let (near, far) = s.socketPair()
        s.send("abc", to: far)
        t.after(60) { Stage().send("def", passing: far, to: far) }
        t.write("ghijk", to: far, after: 120)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
      ParityCase("MSG_WAITALL whose senders are to be told", 10) { s, t in
        let (near, far) = s.socketPair()
        s.option(near, SO_PASSCRED, 1)
        s.send("abc", to: far)
        t.write("defghij", to: far, after: 60)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
      ParityCase("MSG_WAITALL, the other side ends", 3) { s, t in
        let (near, far) = s.socketPair()
        s.send("abc", to: far)
        t.shutDown(far, after: 60)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
    ]

  @Test(
    "A receive with MSG_WAITALL on AF_UNIX ends where the plain call does",
    arguments: SysletEngine.Backend.available.filter { $0 != .ring && $0 != .automatic }, cut)
  func cutReceive(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  /// A receive that waits for eight bytes, of which three are there, three more come with a descriptor, and others later.
  private static func belowMark(
    _ title: String, isTold: Bool = false, _ flags: UInt64 = 0, _ call: @escaping @Sendable (Stage, UInt64) -> ParityScene
  ) -> ParityCase {
    ParityCase("SO_RCVLOWAT 8, \(title)") { s, t in
      let (near, far) = s.socketPair()
      s.option(near, SO_RCVLOWAT, 8)
      if isTold { s.option(near, SO_PASSCRED, 1) }
      s.send("abc", to: far)
      t.after(60) { Stage().send("def", passing: far, to: far) }
      t.write("ghijk", to: far, after: 120)
      return call(s, near)
    }
  }

  static let marks: [ParityCase] = [
    belowMark("recvfrom") { s, near in ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, 0, 0, 0) },
    belowMark("recvfrom, whose senders are to be told", isTold: true) { s, near in
      ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, 0, 0, 0)
    },
    belowMark("recvfrom with MSG_PEEK") { s, near in
      ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, UInt64(MSG_PEEK), 0, 0)
    },
    belowMark("recvmsg") { s, near in ParityScene(SystemCall.recvmsg, near, s.message(s.buffer("b", 10)).address, 0) },
    belowMark("read") { s, near in ParityScene(SystemCall.read, near, s.buffer("b", 10).address, 10) },
    belowMark("readv") { s, near in ParityScene(SystemCall.readv, near, s.vector(s.buffer("b", 10)), 1) },
  ]

  @Test("SO_RCVLOWAT on AF_UNIX is met by less when a descriptor comes along", arguments: SysletEngine.Backend.available, marks)
  func passingBelowMark(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }
}
