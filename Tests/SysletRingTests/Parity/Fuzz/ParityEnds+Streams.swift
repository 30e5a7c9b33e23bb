// Pipes and sockets of a parity fuzzer's world, and what another thread does to them.

import CTestSupport
import Glibc

@testable import SysletRing

extension ParityMaterial {
  func pipeEnds(_ kind: ParityKind, _ slot: Int) -> ParityEnds {
    if kind.rawValue.hasPrefix("fifo") {
      let name = "q\(slot)"
      kernel(SystemCall.mknodat, -100, text(name), 0o010600)
      let both = open(name, Int(O_RDWR))
      defer { kernel(SystemCall.unlinkat, -100, text(name), 0) }
      if kind == .fifoBoth { return ParityEnds(subject: both) }
      if kind == .fifoReadData { kernel(SystemCall.write, both, content, 10) }
      let end = open(name, Int(kind == .fifoWrite ? O_WRONLY : O_RDONLY))
      return ParityEnds(subject: end, peer: both)
    }
    let (read, write) = pipe()
    switch kind {
    case .pipeReadEmpty: return ParityEnds(subject: read, peer: write)
    case .pipeReadData, .pipeReadLonelyData:
      kernel(SystemCall.write, write, content, 10)
      if kind == .pipeReadData { return ParityEnds(subject: read, peer: write) }
      kernel(SystemCall.close, write)
      return ParityEnds(subject: read)
    case .pipeReadLonely:
      kernel(SystemCall.close, write)
      return ParityEnds(subject: read)
    case .pipeWriteFull, .pipeWriteNearlyFull:
      fill(write, 65_536)
      if kind == .pipeWriteNearlyFull { kernel(SystemCall.read, read, room, 8192) }
      return ParityEnds(subject: write, peer: read)
    case .pipeWriteLonely:
      kernel(SystemCall.close, read)
      return ParityEnds(subject: write)
    default: return ParityEnds(subject: write, peer: read)
    }
  }

  func socketEnds(_ kind: ParityKind, _ slot: Int) -> ParityEnds {
    switch kind {
    case .streamEmpty, .streamData, .streamClosed, .streamClosedData, .streamShut, .streamFull: return connected(kind, socketPair(1))
    case .datagram, .datagramData, .datagramClosed, .datagramFull: return connected(kind, socketPair(2))
    case .seqpacketData, .seqpacketEmpty, .seqpacketClosed: return connected(kind, socketPair(5))
    case .tcpEmpty, .tcpData, .tcpClosed, .tcpClosedData, .tcpReset: return connected(kind, internetPair())
    case .udpData, .udpEmpty:
      let receiver = bound(2)
      let sender = kernel(SystemCall.socket, 2, 2, 0)
      kernel(SystemCall.connect, sender, own(receiver), 16)
      kernel(SystemCall.write, sender, content, 0)
      let pair = (receiver, sender)
      kernel(SystemCall.read, receiver, room, 16)
      kernel(SystemCall.connect, receiver, own(sender), 16)
      return connected(kind, pair)
    case .udpUnconnected: return ParityEnds(subject: bound(2))
    case .refusedUDP:
      // Nobody is at the other end any more, and the kernel knows already.
      let gone = bound(2)
      let subject = kernel(SystemCall.socket, 2, 2, 0)
      kernel(SystemCall.connect, subject, own(gone), 16)
      kernel(SystemCall.close, gone)
      kernel(SystemCall.write, subject, content, 1)
      return ParityEnds(subject: subject)
    case .listeningTCP, .listeningTCPPending:
      let listener = bound(1)
      kernel(SystemCall.listen, listener, 8)
      let client = kernel(SystemCall.socket, 2, 1, 0)
      if kind == .listeningTCPPending { kernel(SystemCall.connect, client, own(listener), 16) }
      return ParityEnds(subject: listener, peer: client)
    case .listening, .listeningPending:
      let listener = kernel(SystemCall.socket, 1, 1, 0)
      // The kernel chooses a name.
      kernel(SystemCall.bind, listener, address([1]), 2)
      kernel(SystemCall.listen, listener, 8)
      let client = kernel(SystemCall.socket, 1, 1, 0)
      if kind == .listeningPending { kernel(SystemCall.connect, client, own(listener), 8) }
      return ParityEnds(subject: listener, peer: client)
    case .unconnectedTCP: return ParityEnds(subject: kernel(SystemCall.socket, 2, 1, 0))
    default: return ParityEnds(subject: kernel(SystemCall.socket, 1, 1, 0))
    }
  }

  private func connected(_ kind: ParityKind, _ pair: (Int, Int)) -> ParityEnds {
    switch kind {
    case .streamData, .tcpData: kernel(SystemCall.write, pair.1, content, 10)
    case .datagramData, .seqpacketData, .udpData:
      kernel(SystemCall.write, pair.1, content, 10)
      kernel(SystemCall.write, pair.1, content, 4)
    case .streamClosed, .datagramClosed, .seqpacketClosed, .tcpClosed: kernel(SystemCall.close, pair.1)
    case .streamClosedData, .tcpClosedData:
      kernel(SystemCall.write, pair.1, content, 10)
      kernel(SystemCall.close, pair.1)
    case .streamShut: kernel(SystemCall.shutdown, pair.1, 2)
    case .streamFull, .datagramFull: fill(pair.0, 4096)
    case .tcpReset:
      setOption(pair.1, 13, [1, 0])
      kernel(SystemCall.close, pair.1)
    default: break
    }
    let isGone = [.streamClosed, .streamClosedData, .datagramClosed, .seqpacketClosed, .tcpClosed, .tcpClosedData, .tcpReset].contains(kind)
    return ParityEnds(subject: pair.0, peer: isGone ? -1 : pair.1)
  }

  func setOption(_ socket: Int, _ option: Int, _ words: [Int32]) {
    kernel(SystemCall.setsockopt, socket, 1, option, address(words), 4 * words.count)
  }

  /// A socket at a free port of 127.0.0.1.
  private func bound(_ type: Int) -> Int {
    let socket = kernel(SystemCall.socket, 2, type, 0)
    kernel(SystemCall.bind, socket, address([2, 0x0100_007f, 0, 0]), 16)
    return socket
  }

  /// Where a socket is: the address of its name.
  private func own(_ socket: Int) -> Int {
    let name = address([0, 0, 0, 0, 0, 0, 0, 0, 32])
    kernel(SystemCall.getsockname, socket, name, name + 32)
    return name
  }

  private func internetPair() -> (Int, Int) {
    let listener = bound(1)
    kernel(SystemCall.listen, listener, 1)
    let client = kernel(SystemCall.socket, 2, 1, 0)
    kernel(SystemCall.connect, client, own(listener), 16)
    let server = kernel(SystemCall.accept4, listener, 0, 0, 0)
    kernel(SystemCall.close, listener)
    return (client, server)
  }

  /// The calls by which another thread ends what waits for a descriptor of this kind.
  func event(_ kind: ParityKind, _ number: Int, _ ends: ParityEnds) -> [[Int]] {
    let write = [SystemCall.write, ends.peer, content, 5]
    let close = [SystemCall.close, ends.peer]
    switch kind {
    case .pipeReadEmpty, .fifoReadEmpty, .seqpacketEmpty, .datagram, .udpEmpty: return [number == 0 ? write : close]
    case .pipeWriteFull, .pipeWriteNearlyFull, .datagramFull:
      return [number == 0 ? [SystemCall.read, ends.peer, room, 65_536] : close]
    case .streamEmpty, .tcpEmpty: return [number == 0 ? write : number == 1 ? close : [SystemCall.shutdown, ends.peer, 1]]
    case .streamFull:
      return [number == 0 ? [SystemCall.read, ends.peer, room, 65_536] : number == 1 ? close : [SystemCall.shutdown, ends.peer, 0]]
    case .ptyRaw, .ptyMaster, .ptyCanonical: return [number == 0 ? [SystemCall.write, ends.peer, text("tail\n"), 5] : close]
    case .listening: return [[SystemCall.connect, ends.peer, own(ends.subject), 8]]
    case .listeningTCP: return [[SystemCall.connect, ends.peer, own(ends.subject), 16]]
    case .eventEmpty: return [[SystemCall.write, ends.subject, content, 8]]
    case .eventFull: return [[SystemCall.read, ends.subject, room, 8]]
    case .timerDisarmed: return [[SystemCall.timerfd_settime, ends.subject, 0, address([0, 0, 0, 0, 0, 0, 1, 0]), 0]]
    case .inotifyEmpty: return [[SystemCall.mknodat, -100, text("n"), 0o100600]]
    case .epollEmpty: return [write]
    case .queueEmpty: return [[SystemCall.mq_timedsend, ends.subject, content, 10, 1, 0]]
    case .queueFull: return [[SystemCall.mq_timedreceive, ends.subject, room, 64, 0, 0]]
    case .locked: return [[SystemCall.flock, ends.peer, 8]]
    default: return []
    }
  }
}
