// echo: messages that come over a socket and go back.

internal import Glibc
internal import SysletRing

/// `recv(64 bytes, all of them), stop on non-positive → send`, on socket pairs, or TCP connections over loopback, of which this program holds the
/// other ends too.
///
/// A syslet waits in its recv when the message is sent, and the echo is received when it completes. Both are plain calls of the thread
/// that measures, two per syslet, timed, and the same for every backend. A connection has one syslet at a time; with fewer in flight
/// than connections, each slot takes its connections in turn.
final class EchoWorkload: Workload {
  static let messageBytes = 64

  enum Transport: Sendable { case pairs, tcp }

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted = 2
  let itemCount = Int.max
  let isProvoked = true
  private let connections: [Connection]
  private let depth: Int
  private let pattern: Pattern
  /// What a pair has been sent is there; over TCP it comes a little later, when a kernel thread has to carry it.
  private let echoFlags: Int32

  /// Where the buffer of a slot has the server's bytes, the client's message, and the echo: each in a cache line of its own.
  private enum Offset {
    static let message = EchoWorkload.messageBytes
    static let echo = 2 * EchoWorkload.messageBytes
  }

  /// The words of a slot: what recv gave, how many messages the slot has served, how many bytes of the echo came.
  private enum Word {
    static let received = 0
    static let turns = 1
    static let echoed = 2
  }

  /// `Failure.skipped`: more syslets than connections.
  init(_ inputs: Inputs, connections count: Int, over transport: Transport, depth: Int) throws(Failure) {
    guard depth <= count else {
      throw Failure.skipped("\(depth) syslets in flight need \(depth) connections, and this variant has \(count)")
    }
    var connections: [Connection] = []
    let listener = transport == .tcp ? try Listener() : nil
    for _ in 0..<count {
      if let listener { connections.append(try listener.connect()) } else { connections.append(try Connection()) }
    }
    self.connections = connections
    self.depth = depth
    variant = transport == .tcp ? "tcp \(count)" : "\(count)"
    let what = transport == .tcp ? "TCP connection" : "socket pair"
    subject = "messages of \(Text.bytes(Self.messageBytes)), \(count) \(what)\(count == 1 ? "" : "s")"
    echoFlags = transport == .tcp ? Int32(MSG_WAITALL) : Int32(MSG_DONTWAIT)
    pattern = Pattern(seed: inputs.seed)
    slots = SlotMemory(count: depth, atoms: 2, words: 3, bufferBytes: 3 * Self.messageBytes)
    for slot in 0..<depth {
      let (receive, send) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1))
      let (bytes, length) = unsafe (UInt64(argument: slots.buffer(slot)), UInt64(argument: Self.messageBytes))
      unsafe receive.initialize(
        to: Atom(
          SystemCall.recvfrom, 0, bytes, length, UInt64(argument: Int32(MSG_WAITALL)), 0, 0, flags: .stopOnNonPositive,
          result: slots.word(slot, Word.received), next: send))
      unsafe send.initialize(
        to: Atom(SystemCall.sendto, 0, bytes, length, UInt64(argument: Int32(MSG_NOSIGNAL)), 0, 0))
    }
  }

  func obstacle(on backend: Backend) -> String? {
    backend == .inline ? "a recv would wait on the thread that has yet to send the message" : nil
  }

  /// The connection that the slot serves.
  private func connection(_ slot: Int) -> Connection {
    let perSlot = connections.count / depth
    return unsafe connections[slots.word(slot, Word.turns).pointee % perSlot * depth + slot]
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.word(slot, Word.turns).pointee &+= 1
    unsafe slots.word(slot, Word.received).pointee = -1
    let server = UInt64(argument: connection(slot).server.number)
    slots.set(slot, 0, argument: 0, server)
    slots.set(slot, 1, argument: 0, server)
    // No two messages are the same, so that an echo cannot pass for another.
    let message = unsafe slots.buffer(slot) + Offset.message
    for position in stride(from: 0, to: Self.messageBytes, by: 8) {
      unsafe message.storeBytes(
        of: pattern.word(at: (item &* depth &+ slot) &* Self.messageBytes &+ position), toByteOffset: position, as: UInt64.self)
    }
    return unsafe slots.atom(slot, 0)
  }

  func provoke(_ slot: Int, on engine: SysletEngine) {
    let client = connection(slot).client.number
    let sent = unsafe send(client, slots.buffer(slot) + Offset.message, Self.messageBytes, Int32(MSG_NOSIGNAL))
    // Without a message the syslet would wait for ever; at the end of the stream it ends, and its check fails.
    if sent != Self.messageBytes { shutdown(client, Int32(SHUT_RDWR)) }
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    let (message, echo) = unsafe (slots.buffer(slot) + Offset.message, slots.buffer(slot) + Offset.echo)
    let echoed = unsafe recv(connection(slot).client.number, echo, Self.messageBytes, echoFlags)
    unsafe slots.word(slot, Word.echoed).pointee = echoed
    return unsafe completion.result == Self.messageBytes && completion.executed == 2 && completion.reason == .ended
      && slots.word(slot, Word.received).pointee == Self.messageBytes && echoed == Self.messageBytes
      && memcmp(message, echo, Self.messageBytes) == 0
  }

  /// Only called after `check`, which has received the echo.
  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    let (received, echoed) = unsafe (slots.word(slot, Word.received).pointee, slots.word(slot, Word.echoed).pointee)
    guard completion.result == Self.messageBytes, received == Self.messageBytes, echoed == Self.messageBytes else {
      return "it \(completion.account), recv gave \(received), and \(echoed) bytes came back"
    }
    let isSame = unsafe memcmp(slots.buffer(slot) + Offset.message, slots.buffer(slot) + Offset.echo, Self.messageBytes) == 0
    return isSame ? nil : "the echo is not the message"
  }

  /// A message that was lost or doubled has left something on the way.
  func endPass(isThorough: Bool) -> String? {
    for (index, connection) in connections.enumerated() {
      for (end, name) in [(connection.client, "client"), (connection.server, "server")] {
        var byte: UInt8 = 0
        let count = unsafe recv(end.number, &byte, 1, Int32(MSG_DONTWAIT | MSG_PEEK))
        guard count < 0, errno == EAGAIN else { return "connection \(index) has bytes left, or an end, at its \(name)" }
      }
    }
    return nil
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * Self.messageBytes }
}

/// Both ends of a connection.
private struct Connection {
  let client: Descriptor
  let server: Descriptor

  init(client: Descriptor, server: Descriptor) { (self.client, self.server) = (client, server) }

  /// A socket pair.
  init() throws(Failure) {
    var ends: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw Failure.machine("a socket pair cannot be made: \(Errno.meaning(errno)). Raise `ulimit -n`, or use a smaller --depth")
    }
    (client, server) = (Descriptor(ends[0]), Descriptor(ends[1]))
  }
}

/// Gives TCP connections over loopback.
private struct Listener {
  private let descriptor: Descriptor
  private var address = sockaddr_in()

  init() throws(Failure) {
    descriptor = try Self.socket()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let number = descriptor.number
    let isListening = unsafe withUnsafeMutablePointer(to: &address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(number, $0, size) == 0 && listen(number, 16) == 0 && getsockname(number, $0, &size) == 0
      }
    }
    guard isListening else { throw Failure.machine("no port of 127.0.0.1 can be listened at: \(Errno.meaning(errno))") }
  }

  func connect() throws(Failure) -> Connection {
    let client = try Self.socket()
    let isConnected = unsafe withUnsafePointer(to: address) { address in
      unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(client.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    let accepted = isConnected ? accept(descriptor.number, nil, nil) : -1
    guard accepted >= 0 else { throw Failure.machine("a TCP connection over loopback cannot be made: \(Errno.meaning(errno))") }
    let server = Descriptor(accepted)
    // An echo that does not come is a failure of this workload's check, not a hang.
    var patience = timeval(tv_sec: 1, tv_usec: 0)
    var isOn: Int32 = 1
    unsafe setsockopt(client.number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    for end in [client, server] {
      unsafe setsockopt(end.number, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }
    return Connection(client: client, server: server)
  }

  private static func socket() throws(Failure) -> Descriptor {
    let number = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else {
      throw Failure.machine("a TCP socket cannot be made: \(Errno.meaning(errno)). Raise `ulimit -n`, or use a smaller --depth")
    }
    return Descriptor(number)
  }
}
