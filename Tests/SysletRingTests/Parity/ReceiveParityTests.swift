// Receives and sends against plain calls: what flags, socket options and the kind of socket make of them (inputs 4 and 12 of the parity
// review).

import CTestSupport
import Glibc
import SysletRing
import Testing

private let again = -Int(EAGAIN)
private let peek = UInt64(MSG_PEEK)
private let all = UInt64(MSG_WAITALL)
private let truncation = UInt64(MSG_TRUNC)
private let errors = UInt64(MSG_ERRQUEUE)
private let urgent = UInt64(MSG_OOB)

@Suite("Parity: receives and sends", .leavesNothingBehind)
struct ReceiveParityTests {
  /// A receive of ten bytes, of which three are there and seven come later.
  private static func inTwoParts(_ title: String, _ expected: Int, isTCP: Bool, _ flags: UInt64) -> ParityCase {
    ParityCase(title, expected) { s, t in
      let (near, far) = s.pair(isTCP)
      s.send("abc", to: far)
      t.write("defghij", to: far, after: 100)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, flags, 0, 0)
    }
  }

  static let flags: [ParityCase] = [
    inTwoParts("TCP, MSG_PEEK | MSG_WAITALL: looks at the message when it is complete", 10, isTCP: true, peek | all),
    inTwoParts("AF_UNIX, MSG_PEEK | MSG_WAITALL: looks at what is there", 3, isTCP: false, peek | all),
    inTwoParts("TCP, MSG_WAITALL", 10, isTCP: true, all),
    inTwoParts("AF_UNIX, MSG_WAITALL", 10, isTCP: false, all),
    inTwoParts("TCP, MSG_PEEK", 3, isTCP: true, peek),
    inTwoParts("AF_UNIX, MSG_PEEK", 3, isTCP: false, peek),
    inTwoParts("TCP, MSG_TRUNC: throws away what it counts", 3, isTCP: true, truncation),
    inTwoParts("TCP, MSG_TRUNC | MSG_WAITALL", 10, isTCP: true, all | truncation),
    inTwoParts("TCP, MSG_DONTWAIT | MSG_WAITALL: what is there", 3, isTCP: true, all | UInt64(MSG_DONTWAIT)),
    ParityCase("TCP, MSG_WAITALL whose peer ends in between", 3) { s, t in
      let (near, far) = s.tcpPair()
      s.send("abc", to: far)
      t.shutDown(far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
    },
    // What is left to it differs; that it is all it waits for does not.
    ParityCase("TCP, MSG_WAITALL while another receiver is faster each time", 10) { s, t in
      let (near, far) = s.tcpPair()
      s.send("abc", to: far)
      t.after(60) {
        for _ in 0..<30 {
          var byte: UInt8 = 0
          _ = unsafe write(Int32(far), &byte, 1)
          _ = unsafe recv(Int32(near), &byte, 1, Int32(MSG_DONTWAIT))
          usleep(2000)
        }
      }
      t.write("defghij", to: far, after: 150)
      return ParityScene(SystemCall.recvfrom, near, s.arena.buffer(10).address, 10, all, 0, 0)
    },
    ParityCase("AF_UNIX, recvmsg with MSG_WAITALL and room for control messages", 10) { s, t in
      let (near, far) = s.socketPair()
      s.send("abc", to: far)
      t.write("defghij", to: far, after: 100)
      let message = s.message(s.buffer("b", 10))
      message.store(s.buffer("control", 64).address, at: 32)
      message.store(UInt64(64), at: 40)
      return ParityScene(SystemCall.recvmsg, near, message.address, all) { _ in ["flags \(message.load(48, as: Int32.self))"] }
    },
    ParityCase("TCP, recvmsg with MSG_WAITALL and room for control messages", 10) { s, t in
      let (near, far) = s.tcpPair()
      s.send("abc", to: far)
      t.write("defghij", to: far, after: 100)
      let message = s.message(s.buffer("b", 4), s.buffer("c", 6))
      message.store(s.buffer("control", 64).address, at: 32)
      message.store(UInt64(64), at: 40)
      return ParityScene(SystemCall.recvmsg, near, message.address, all) { _ in ["flags \(message.load(48, as: Int32.self))"] }
    },
    ParityCase("SOCK_SEQPACKET, MSG_WAITALL: one packet", 3) { s, t in
      let (near, far) = s.socketPair(SOCK_SEQPACKET)
      s.send("abc", to: far)
      t.write("defghij", to: far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
    },
    ParityCase("SOCK_DGRAM, MSG_WAITALL: one datagram", 3) { s, t in
      let (near, far) = s.socketPair(SOCK_DGRAM)
      s.send("abc", to: far)
      t.write("defghij", to: far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
    },
    ParityCase("SOCK_DGRAM, MSG_TRUNC: the datagram's whole length", 10) { s, _ in
      let (near, far) = s.socketPair(SOCK_DGRAM)
      s.send("abcdefghij", to: far)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 4).address, 4, truncation, 0, 0)
    },
    ParityCase("SOCK_SEQPACKET, MSG_TRUNC | MSG_WAITALL", 10) { s, _ in
      let (near, far) = s.socketPair(SOCK_SEQPACKET)
      s.send("abcdefghij", to: far)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 4).address, 4, all | truncation, 0, 0)
    },
    ParityCase("TCP, MSG_ERRQUEUE on an idle socket that blocks", again) { s, _ in
      ParityScene(SystemCall.recvfrom, s.tcpPair().0, s.buffer("b", 10).address, 10, errors, 0, 0)
    },
    ParityCase("TCP, recvmsg with MSG_ERRQUEUE", again) { s, _ in
      ParityScene(SystemCall.recvmsg, s.tcpPair().0, s.message(s.buffer("b", 10)).address, errors)
    },
    ParityCase("TCP, MSG_OOB without an urgent byte", -Int(EINVAL)) { s, _ in
      ParityScene(SystemCall.recvfrom, s.tcpPair().0, s.buffer("b", 10).address, 10, urgent, 0, 0)
    },
    ParityCase("TCP, MSG_OOB with one", 1) { s, _ in
      let (near, far) = s.tcpPair()
      s.send("x", to: far, Int32(MSG_OOB))
      s.awaitEvents(near, Int16(POLLPRI))
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, urgent, 0, 0)
    },
    ParityCase("TCP, no bytes asked for", 0) { s, t in
      let (near, far) = s.tcpPair()
      t.write("later", to: far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 0, 0, 0, 0)
    },
    ParityCase("AF_UNIX, no bytes asked for") { s, t in
      let (near, far) = s.socketPair()
      t.write("later", to: far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 0, 0, 0, 0)
    },
    ParityCase("SOCK_DGRAM, no bytes asked for: waits for a datagram, and takes it", 0) { s, t in
      let (near, far) = s.socketPair(SOCK_DGRAM)
      t.write("later", to: far, after: 60)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 0, 0, 0, 0)
    },
    ParityCase("TCP, a full blocking send sends everything", 3_000_000) { s, t in
      let (near, far) = s.tcpPair()
      t.read(3_000_000, from: far, after: 60)
      return ParityScene(SystemCall.sendto, near, s.arena.buffer(3_000_000).address, 3_000_000, 0, 0, 0)
    },
    ParityCase("AF_UNIX, a write that does not fit writes everything", 1_000_000) { s, t in
      let (near, far) = s.socketPair()
      t.read(1_000_000, from: far, after: 60)
      return ParityScene(SystemCall.write, near, s.arena.buffer(1_000_000).address, 1_000_000)
    },
    ParityCase("a pipe, a write that does not fit writes everything", 200_000) { s, t in
      let pipe = s.pipe()
      t.read(200_000, from: pipe.read, after: 60)
      return ParityScene(SystemCall.write, pipe.write, s.arena.buffer(200_000).address, 200_000)
    },
  ]

  /// Receives that ask where what they get has come from: ten bytes, which are there.
  static let addressed: [ParityCase] = [
    ("TCP", true, SOCK_STREAM), ("AF_UNIX", false, SOCK_STREAM), ("SOCK_SEQPACKET", false, SOCK_SEQPACKET),
    ("SOCK_DGRAM", false, SOCK_DGRAM),
  ].flatMap { name, isTCP, type in
    [Int32(1), 8].flatMap { mark in
      [0, all, peek, all | peek, truncation].flatMap { flags in
        [UInt64(0), 4, 10].map { length in
          ParityCase("\(name), SO_RCVLOWAT \(mark), flags \(flags), \(length) bytes") { s, _ in
            let (near, far) = s.pair(isTCP, type)
            s.option(near, SO_RCVLOWAT, mark)
            s.send("abcdefghij", to: far)
            let size = s.buffer("size of the address", 4)
            size.store(Int32(16), at: 0)
            // A port is another one each time.
            return ParityScene(
              SystemCall.recvfrom, near, s.buffer("b", 10).address, length, flags, s.arena.buffer(16).address, size.address)
          }
        }
      }
    }
  }

  @Test("A receive says where what it got has come from", arguments: SysletEngine.Backend.available)
  func addresses(backend: SysletEngine.Backend) {
    for testCase in Self.addressed { #expect(Parity.differences(testCase, on: backend) == [], "\(testCase)") }
  }

  @Test("A receive or a send does what its flags and its socket say", arguments: SysletEngine.Backend.available, flags)
  func receive(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  // MARK: what the other side does meanwhile

  /// Each call that sends, on a full socket of AF_UNIX while the other side does something that ends the wait.
  private static func whileFull(
    _ title: String, _ expected: Int, _ type: __socket_type = SOCK_STREAM, _ event: @escaping @Sendable (Stage, Timeline, UInt64) -> Void
  ) -> [ParityCase] {
    typealias Call = @Sendable (Stage, UInt64) -> (Int, [UInt64])
    let calls: [(String, Call)] = [
      ("write", { s, near in (SystemCall.write, [near, s.text("abc").address, 3]) }),
      ("writev", { s, near in (SystemCall.writev, [near, s.vector(s.text("a"), s.text("bc")), 2]) }),
      ("sendto", { s, near in (SystemCall.sendto, [near, s.text("abc").address, 3, 0, 0, 0]) }),
      ("sendmsg", { s, near in (SystemCall.sendmsg, [near, s.message(s.text("abc")).address, 0]) }),
    ]
    return calls.map { name, call in
      ParityCase("AF_UNIX, \(name) on a full socket \(title)", expected) { s, t in
        let (near, far) = s.socketPair(type)
        s.fill(near)
        event(s, t, far)
        let (number, arguments) = call(s, near)
        return ParityScene(calls: [ParityCall(number: number, arguments: arguments)]) { _ in ["SO_ERROR \(s.pendingError(near))"] }
      }
    }
  }

  static let endings: [ParityCase] =
    whileFull("whose other side will not read any more", -Int(EPIPE)) { _, t, far in t.endReading(far, after: 60) }
    + whileFull("of packets whose other side will not read any more", -Int(EPIPE), SOCK_SEQPACKET) { _, t, far in
      t.endReading(far, after: 60)
    }
    + whileFull("whose other side shuts down", -Int(EPIPE)) { _, t, far in t.shutDown(far, after: 60) }
    + whileFull("whose other side is closed with bytes unread", -Int(ECONNRESET)) { s, t, far in s.closeLater(far, t, after: 60) }
    + whileFull("of packets whose other side is closed", -Int(ECONNRESET), SOCK_SEQPACKET) { s, t, far in s.closeLater(far, t, after: 60) }
    + [
      ParityCase("AF_UNIX, a send of which a part is made when the other side will not read any more") { s, t in
        let (near, far) = s.socketPair()
        s.option(near, SO_SNDBUF, 16_384)
        t.endReading(far, after: 60)
        return ParityScene(SystemCall.sendto, near, s.arena.buffer(200_000).address, 200_000, 0, 0, 0)
      },
      ParityCase("AF_UNIX, a send of which a part is made when the other side is closed") { s, t in
        let (near, far) = s.socketPair()
        s.option(near, SO_SNDBUF, 16_384)
        s.closeLater(far, t, after: 60)
        return ParityScene(SystemCall.sendto, near, s.arena.buffer(200_000).address, 200_000, 0, 0, 0) { _ in
          ["SO_ERROR \(s.pendingError(near))"]
        }
      },
      ParityCase("TCP, MSG_WAITALL in front of an urgent byte ends with what there is", 3) { s, t in
        let (near, far) = s.tcpPair()
        s.send("abc", to: far)
        let urgent = s.text("x").address
        t.after(60) { plainCall(SystemCall.sendto, far, urgent, 1, .int(Int32(MSG_OOB)), 0, 0) }
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0)
      },
      ParityCase("TCP, what comes just before an error is received by MSG_WAITALL", 7) { s, t in
        let (near, far) = s.tcpPair()
        s.send("abc", to: far)
        let more = s.text("defg").address
        let linger = s.arena.buffer(8)
        linger.store(Int32(1), at: 0)
        s.option(far, SO_LINGER, linger)
        s.descriptors.forget(Int32(far))
        t.after(60) {
          plainCall(SystemCall.write, far, more, 4)
          Glibc.close(Int32(far))
        }
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0) { _ in
          ["SO_ERROR \(s.pendingError(near))"]
        }
      },
      ParityCase("TCP, no bytes asked for, until SO_RCVTIMEO", 0, milliseconds: 100) { s, _ in
        let near = s.tcpPair().0
        s.timeout(near, SO_RCVTIMEO, milliseconds: 100)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 0, 0, 0, 0)
      },
      ParityCase("TCP, recvmsg of no bytes, until SO_RCVTIMEO", 0, milliseconds: 100) { s, _ in
        let near = s.tcpPair().0
        s.timeout(near, SO_RCVTIMEO, milliseconds: 100)
        return ParityScene(SystemCall.recvmsg, near, s.message().address, 0)
      },
      ParityCase("TCP, an error behind a part of MSG_WAITALL is the next call's", 3) { s, t in
        let (near, far) = s.tcpPair()
        s.send("abc", to: far)
        s.abort(far, t, after: 60)
        return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 10).address, 10, all, 0, 0) { _ in
          ["SO_ERROR \(s.pendingError(near))"]
        }
      },
      // A write: a send is the ring's (docs/SEMANTICS.md, "Differences that remain").
      ParityCase("TCP, an error behind a part of a write is the next call's") { s, t in
        let (near, far) = s.tcpPair()
        s.abort(far, t, after: 60)
        let call = ParityCall(SystemCall.write, near, s.arena.buffer(9_000_000).address, 9_000_000)
        return ParityScene(calls: [call], ignoring: [0]) { results in ["a part: \(results[0] > 0)", "SO_ERROR \(s.pendingError(near))"] }
      },
    ]

  @Test("What the other side does ends a call that waits as it ends the plain call", arguments: SysletEngine.Backend.available, endings)
  func ending(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  // MARK: options

  /// Half a record, and the rest later, on a socket that asks for eight bytes. A TCP socket whose first half was there before the call does not
  /// wake it for the second one, whatever Linux's manual says: the rest is as much as it asks for, then.
  private static func halfRecord(
    _ title: String, _ expected: Int, isTCP: Bool, isThere: Bool, _ call: @escaping @Sendable (Stage, UInt64) -> ParityScene
  ) -> ParityCase {
    ParityCase("\(isTCP ? "TCP" : "AF_UNIX"), \(title), half of it \(isThere ? "before" : "later")", expected) { s, t in
      let (near, far) = s.pair(isTCP)
      s.option(near, SO_RCVLOWAT, 8)
      if isThere {
        s.send("ABCD", to: far)
        s.awaitArrival(near)
      } else {
        t.write("ABCD", to: far, after: 40)
      }
      // Whoever has taken the first half, as one does who came late, waits for as many bytes again as the mark says: TCP tells of no fewer.
      t.write(isTCP ? "EFGHIJKL" : "EFGH", to: far, after: 140)
      return call(s, near)
    }
  }

  static let marks: [ParityCase] = [true, false].flatMap { isTCP in
    [true, false].flatMap { isThere -> [ParityCase] in
      let all = isTCP ? 12 : 8
      return [
        halfRecord("recvfrom", all, isTCP: isTCP, isThere: isThere) { s, near in
          ParityScene(SystemCall.recvfrom, near, s.buffer("b", 64).address, 64, 0, 0, 0)
        },
        halfRecord("recvmsg", all, isTCP: isTCP, isThere: isThere) { s, near in
          ParityScene(SystemCall.recvmsg, near, s.message(s.buffer("b", 64)).address, 0)
        },
        halfRecord("read", all, isTCP: isTCP, isThere: isThere) { s, near in
          ParityScene(SystemCall.read, near, s.buffer("b", 64).address, 64)
        },
        halfRecord("readv", all, isTCP: isTCP, isThere: isThere) { s, near in
          ParityScene(SystemCall.readv, near, s.vector(s.buffer("b", 3), s.buffer("c", 61)), 2)
        },
        halfRecord("a receive of less than that", 2, isTCP: isTCP, isThere: isThere) { s, near in
          ParityScene(SystemCall.recvfrom, near, s.buffer("b", 64).address, 2, 0, 0, 0)
        },
      ]
    }
  }

  @Test("SO_RCVLOWAT: a record is received when it is complete", arguments: SysletEngine.Backend.available, marks)
  func lowWaterMark(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  /// A call on an idle socket that has SO_RCVTIMEO.
  private static func late(_ title: String, _ call: @escaping @Sendable (Stage, UInt64) -> ParityScene) -> ParityCase {
    ParityCase(title, again, milliseconds: 150) { s, _ in
      let near = s.tcpPair().0
      s.timeout(near, SO_RCVTIMEO, milliseconds: 150)
      return call(s, near)
    }
  }

  static let timeouts: [ParityCase] = [
    late("SO_RCVTIMEO, recvfrom") { s, near in ParityScene(SystemCall.recvfrom, near, s.buffer("b", 8).address, 8, 0, 0, 0) },
    late("SO_RCVTIMEO, recvmsg") { s, near in ParityScene(SystemCall.recvmsg, near, s.message(s.buffer("b", 8)).address, 0) },
    late("SO_RCVTIMEO, read") { s, near in ParityScene(SystemCall.read, near, s.buffer("b", 8).address, 8) },
    late("SO_RCVTIMEO, readv") { s, near in ParityScene(SystemCall.readv, near, s.vector(s.buffer("b", 8)), 1) },
    late("SO_RCVTIMEO, preadv2 at the position") { s, near in
      ParityScene(SystemCall.preadv2, near, s.vector(s.buffer("b", 8)), 1, .int(-1), 0, 0)
    },
    late("SO_RCVTIMEO, splice") { s, near in
      ParityScene(SystemCall.splice, near, 0, s.pipe().write, 0, 8, 0)
    },
    ParityCase("SO_RCVTIMEO, AF_UNIX, recvfrom", again, milliseconds: 150) { s, _ in
      let near = s.socketPair().0
      s.timeout(near, SO_RCVTIMEO, milliseconds: 150)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 8).address, 8, 0, 0, 0)
    },
    ParityCase("SO_RCVTIMEO, half of what MSG_WAITALL asks for", 3, milliseconds: 150) { s, _ in
      let (near, far) = s.tcpPair()
      s.timeout(near, SO_RCVTIMEO, milliseconds: 150)
      s.send("abc", to: far)
      return ParityScene(SystemCall.recvfrom, near, s.buffer("b", 8).address, 8, all, 0, 0)
    },
    ParityCase("SO_RCVTIMEO, accept", again, milliseconds: 150) { s, _ in
      let listener = s.tcpListener().listener
      s.timeout(listener, SO_RCVTIMEO, milliseconds: 150)
      return ParityScene(SystemCall.accept, listener, 0, 0)
    },
    ParityCase("SO_RCVTIMEO, accept4", again, milliseconds: 150) { s, _ in
      let listener = s.listener("l")
      s.timeout(listener, SO_RCVTIMEO, milliseconds: 150)
      return ParityScene(SystemCall.accept4, listener, 0, 0, .int(Int32(SOCK_CLOEXEC.rawValue)))
    },
    ParityCase("SO_SNDTIMEO, sendto on a full socket", again, milliseconds: 150) { s, _ in
      let near = s.socketPair().0
      s.timeout(near, SO_SNDTIMEO, milliseconds: 150)
      s.fill(near)
      return ParityScene(SystemCall.sendto, near, s.text("abc").address, 3, 0, 0, 0)
    },
    ParityCase("SO_SNDTIMEO, write on a full socket", again, milliseconds: 150) { s, _ in
      let near = s.socketPair().0
      s.timeout(near, SO_SNDTIMEO, milliseconds: 150)
      s.fill(near)
      return ParityScene(SystemCall.write, near, s.text("abc").address, 3)
    },
    ParityCase("SO_SNDTIMEO, writev on a full socket", again, milliseconds: 150) { s, _ in
      let near = s.socketPair().0
      s.timeout(near, SO_SNDTIMEO, milliseconds: 150)
      s.fill(near)
      return ParityScene(SystemCall.writev, near, s.vector(s.text("abc")), 1)
    },
    ParityCase("SO_SNDTIMEO, sendmsg on a full socket", again, milliseconds: 150) { s, _ in
      let near = s.socketPair().0
      s.timeout(near, SO_SNDTIMEO, milliseconds: 150)
      s.fill(near)
      return ParityScene(SystemCall.sendmsg, near, s.message(s.text("abc")).address, 0)
    },
    ParityCase("SO_SNDTIMEO, connect to a listener whose queue is full", again, milliseconds: 150) { s, _ in
      let socket = s.crowdedListener("l")
      s.timeout(socket, SO_SNDTIMEO, milliseconds: 150)
      let address = s.socketAddress("l")
      return ParityScene(SystemCall.connect, socket, address.address, .int(address.count))
    },
  ]

  @Test(
    "SO_RCVTIMEO and SO_SNDTIMEO: a call that they limit ends with EAGAIN when they say so", arguments: SysletEngine.Backend.available,
    timeouts)
  func timeout(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }
}

extension Stage {
  /// SO_ERROR, which is taken by being asked for.
  func pendingError(_ socket: UInt64) -> Int32 {
    let (value, size) = (arena.buffer(4), arena.buffer(4))
    size.store(Int32(4), at: 0)
    plainCall(SystemCall.getsockopt, socket, .int(SOL_SOCKET), .int(SO_ERROR), value.address, size.address)
    return value.load(0, as: Int32.self)
  }

  func closeLater(_ descriptor: UInt64, _ timeline: Timeline, after milliseconds: Int) {
    descriptors.forget(Int32(descriptor))
    timeline.after(milliseconds) { Glibc.close(Int32(descriptor)) }
  }

  /// Resets the connection.
  func abort(_ socket: UInt64, _ timeline: Timeline, after milliseconds: Int) {
    let linger = arena.buffer(8)
    linger.store(Int32(1), at: 0)
    option(socket, SO_LINGER, linger)
    closeLater(socket, timeline, after: milliseconds)
  }

  /// Waits until there is something to read, whatever SO_RCVLOWAT says.
  func awaitArrival(_ socket: UInt64) {
    let byte = arena.buffer(1)
    let end = ContinuousClock.now + Deadline.usual
    let flags = UInt64(MSG_PEEK | MSG_DONTWAIT)
    while plainCall(SystemCall.recvfrom, socket, byte.address, 1, flags, 0, 0) != 1, ContinuousClock.now < end { usleep(500) }
  }

  /// A socket of its own, while nobody more fits into the queue of the listener at `name`.
  func crowdedListener(_ name: String) -> UInt64 {
    let (listener, address) = (socket(), socketAddress(name))
    precondition(plainCall(SystemCall.bind, listener, address.address, .int(address.count)) == 0)
    precondition(plainCall(SystemCall.listen, listener, 0) == 0)
    while true {
      let client = socket()
      _ = fcntl(Int32(client), F_SETFL, O_NONBLOCK)
      if plainCall(SystemCall.connect, client, address.address, .int(address.count)) != 0 { return socket() }
    }
  }
}
