// The catalogue's calls on sockets, those that wait, and what else makes descriptors.

import Glibc

@testable import SysletRing

extension ParityForm {
  static let sockets: [ParityForm] = [
    ParityForm("sendto", SystemCall.sendto, .socket, weight: 8) { maker in
      [maker.subject(), maker.buffer(), maker.length(), maker.messageFlags()] + maker.destination()
    },
    ParityForm("recvfrom", SystemCall.recvfrom, .socket, weight: 12) { maker in
      [maker.subject(), maker.buffer(), maker.length(), maker.messageFlags()] + maker.peerAddress()
    },
    ParityForm("sendmsg", SystemCall.sendmsg, .socket, weight: 6) { [$0.subject(), $0.message(), $0.messageFlags()] },
    ParityForm("recvmsg", SystemCall.recvmsg, .socket, weight: 8) { [$0.subject(), $0.message(), $0.messageFlags()] },
    ParityForm("sendmmsg", SystemCall.sendmmsg, .socket, weight: 1) { [$0.subject(), $0.message(), .number(1), $0.messageFlags()] },
    ParityForm("recvmmsg", SystemCall.recvmmsg, .socket, weight: 1) {
      [$0.subject(), $0.message(), .number(1), $0.messageFlags(), .null]
    },
    ParityForm("accept", SystemCall.accept, .listener, weight: 6) { [$0.subject()] + $0.peerAddress() },
    ParityForm("accept4", SystemCall.accept4, .listener, weight: 6) {
      [$0.subject()] + $0.peerAddress() + [$0.mostly(0, [Int(O_NONBLOCK), Int(O_CLOEXEC), 1])]
    },
    ParityForm("connect", SystemCall.connect, .socket, weight: 4) { [$0.subject()] + $0.destination() },
    ParityForm("bind", SystemCall.bind, .socket, weight: 3) { [$0.subject()] + $0.destination() },
    ParityForm("listen", SystemCall.listen, .socket, weight: 3) { [$0.subject(), $0.number([0, 1, 128, -1])] },
    ParityForm("shutdown", SystemCall.shutdown, .socket, weight: 4) { [$0.subject(), $0.number([0, 1, 2, 3, -1])] },
    ParityForm("getsockname", SystemCall.getsockname, .socket) { [$0.subject()] + $0.peerAddress() },
    ParityForm("getpeername", SystemCall.getpeername, .socket) { [$0.subject()] + $0.peerAddress() },
    ParityForm("getsockopt", SystemCall.getsockopt, .socket) { maker in
      maker.store(.half(4), 0x300)
      // SO_TYPE, SO_ERROR, SO_RCVLOWAT, SO_ACCEPTCONN.
      return [
        maker.subject(), .number(1), maker.number([3, 4, 18, 30, 9999]), .at(maker.structures + 0x780), .at(maker.structures + 0x300),
      ]
    },
    ParityForm("setsockopt", SystemCall.setsockopt, .socket) { maker in
      maker.store(.half(Int32(maker.random.below(3))), 0x780)
      return [maker.subject(), .number(1), maker.number([2, 9, 18, 16, 9999]), .at(maker.structures + 0x780), .number(4)]
    },
  ]

  static let waits: [ParityForm] = [
    ParityForm("poll", SystemCall.poll, .wait, weight: 6) { maker in
      let count = maker.pollEntries()
      return [.at(maker.structures + 0x680), .number(count), maker.number([0, 0, 1, -1])]
    },
    ParityForm("ppoll", SystemCall.ppoll, .wait, weight: 3) { maker in
      let count = maker.pollEntries()
      maker.call.masks.append(maker.structures + 0x320..<maker.structures + 0x330)
      return [.at(maker.structures + 0x680), .number(count), maker.time(), .null, .number(8)]
    },
    ParityForm("pselect6", SystemCall.pselect6, .wait, weight: 3) { maker in
      maker.store(.bit(.subject), 0x800)
      maker.call.masks.append(maker.structures + 0x320..<maker.structures + 0x330)
      let sets: [FuzzCall.Argument] = [.null, .null, .null].enumerated().map {
        $0.offset == maker.random.below(3) ? .at(maker.structures + 0x800) : $0.element
      }
      return [.number(128)] + sets + [maker.time(), .null]
    },
    ParityForm("epoll_wait", SystemCall.epoll_wait, .wait, weight: 4) {
      [$0.subject(), .at($0.structures + 0x640), $0.number([1, 2, 4, 0, -1]), $0.number([0, 0, 1, -1])]
    },
    ParityForm("epoll_pwait", SystemCall.epoll_pwait, .wait, weight: 2) {
      [$0.subject(), .at($0.structures + 0x640), $0.number([1, 2, 4, 0]), $0.number([0, 0, 1, -1]), .null, .number(8)]
    },
    ParityForm("epoll_ctl", SystemCall.epoll_ctl, .wait, weight: 5) { maker in
      maker.store(.half(Int32(maker.random.pick([1, 4, 5, 0x4000_0001, 0x1000_0001]))), 0x640)
      maker.store(.word(77), 0x644)
      let isForward = maker.random.chance(50)
      return [
        isForward ? .subject : .other, maker.number([1, 1, 2, 3, 9]), isForward ? .other : .subject,
        maker.random.chance(5) ? .null : .at(maker.structures + 0x640),
      ]
    },
    ParityForm("nanosleep", SystemCall.nanosleep, .any, weight: 1) {
      [$0.time(), $0.random.chance(50) ? .null : .at($0.structures + 0x330)]
    },
    ParityForm("clock_nanosleep", SystemCall.clock_nanosleep, .any, weight: 2) {
      [
        $0.number([0, 1, 7, 1, 3, 4, 8, 9, 11, 99, -1]), $0.mostly(0, [1, 2]), $0.time(),
        $0.random.chance(50) ? .null : .at($0.structures + 0x330),
      ]
    },
    ParityForm("futex", SystemCall.futex, .any, weight: 3) { maker in
      let word: FuzzCall.Argument = .at(maker.structures + 0x780)
      maker.store(.word(maker.random.below(2)), 0x780)
      // FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, private or not.
      let operation = maker.random.pick([0, 1, 9, 128, 129, 137, 99])
      maker.call.event = [.number(SystemCall.futex), word, .number(1 | operation & 128), .number(1)]
      return [
        maker.random.chance(5) ? .null : word, .number(operation), maker.number([0, 1]),
        maker.random.chance(40) ? maker.time(at: 0x320, [0, 100_000]) : .null, .null, maker.number([-1, 1, 0]),
      ]
    },
    ParityForm("waitid", SystemCall.waitid, .any, weight: 1) {
      [$0.number([0, 1, 2, 3, 9]), $0.number([0x7fff_fff0, -1]), .at($0.structures + 0x700), $0.number([5, 4, 1, 0, 0x1000005]), .null]
    },
  ]

  static let others: [ParityForm] = [
    ParityForm("socket", SystemCall.socket, .any, weight: 1) {
      [$0.number([1, 2, 10, 16, 99]), $0.number([1, 2, 5, 0x80801, 99]), $0.number([0, 6, 17, 99])]
    },
    ParityForm("socketpair", SystemCall.socketpair, .any, weight: 1) {
      [$0.number([1, 2]), $0.number([1, 2, 5, 0x80801, 99]), .number(0), $0.random.chance(10) ? .null : .at($0.structures + 0x780)]
    },
    ParityForm("pipe2", SystemCall.pipe2, .any, weight: 1) {
      [$0.random.chance(10) ? .null : .at($0.structures + 0x780), $0.number([0, Int(O_CLOEXEC), Int(O_NONBLOCK), directFlag, 1])]
    },
    ParityForm("eventfd2", SystemCall.eventfd2, .any, weight: 1) { [$0.number([0, 1, -1]), $0.number([0, 1, 0x80000, 99])] },
    ParityForm("memfd_create", SystemCall.memfd_create, .any, weight: 1) { [$0.path(), $0.number([0, 1, 3, 99])] },
    ParityForm("timerfd_create", SystemCall.timerfd_create, .any, weight: 1) { [$0.number([0, 1, 7, 99]), $0.number([0, 0x80000, 1])] },
    ParityForm("epoll_create1", SystemCall.epoll_create1, .any, weight: 1) { [$0.number([0, 0x80000, 1])] },
    ParityForm("nop", noOperation, .any, weight: 1) { _ in [] },
  ]
}

extension ParityMaker {
  /// A `struct pollfd` or two of the subject, and maybe the second descriptor.
  mutating func pollEntries() -> Int {
    let count = random.pick([1, 1, 1, 2, 0])
    store(.descriptor(subject()), 0x680)
    store(.bytes([UInt8(random.pick([1, 4, 5, 0, 2, 0x10])), random.chance(10) ? 0x20 : 0, 0, 0]), 0x684)
    if count == 2 {
      store(.descriptor(.subject), 0x688)
      store(.bytes([UInt8(random.pick([1, 4, 5])), 0, 0, 0]), 0x68c)
    }
    return count
  }

  /// An address and its length, of which the first byte of the address tells the family; mostly none.
  mutating func destination() -> [Argument] {
    switch random.below(6) {
    // An address on which nobody listens: 127.0.0.1, port 1.
    case 0:
      store(.bytes([2, 0, 0, 1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 0x280)
      note("127.0.0.1:1")
      return [.at(structures + 0x280), number([16, 16, 2, 128, -1])]
    // An abstract name that nobody has, and a name that is no socket.
    case 1:
      store(.bytes([1, 0, 0] + Array("parity-nobody".utf8)), 0x280)
      note("abstract name")
      return [.at(structures + 0x280), number([16, 16, 2, 128])]
    case 2:
      store(.bytes([0, 0, 0, 0]), 0x280)
      note("AF_UNSPEC")
      return [.at(structures + 0x280), number([16, 2])]
    default: return [.null, .number(0)]
    }
  }

  /// A `struct msghdr`, whose buffers are iovecs: with or without an address and control data.
  mutating func message() -> Argument {
    let (name, nameLength): (FuzzCall.Argument, Int) =
      random.chance(30) ? (.at(structures + 0x280), random.pick([0, 16, 128])) : (.null, 0)
    if name != .null { call.masks.append(structures + 0x282..<structures + 0x290) }
    store(.argument(name), 0x100)
    store(.half(Int32(nameLength)), 0x108)
    let vector = vector()
    store(.argument(vector[0]), 0x110)
    store(.argument(vector[1]), 0x118)
    let control = random.chance(30) ? random.pick([0, 8, 16, 24, 64]) : 0
    store(.argument(control > 0 ? .at(structures + 0x180) : .null), 0x120)
    store(.word(control), 0x128)
    store(.word(random.chance(5) ? -1 : 0), 0x130)
    if control > 0 || nameLength > 0 { note("name of \(nameLength), control of \(control)") }
    return random.chance(3) ? random.pick([.null, .inaccessible]) : .at(structures + 0x100)
  }
}
