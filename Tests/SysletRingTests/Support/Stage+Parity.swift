// More of what a call can find: sockets of other families, terminals, and every kind of descriptor that is not a file.

import CTestSupport
import Glibc
import SysletRing

extension Stage {
  /// A TCP connection over the loopback.
  func tcpPair() -> (UInt64, UInt64) {
    var ends: [Int32] = [-1, -1]
    let result = unsafe test_tcp_pair(&ends)
    precondition(result == 0, "a TCP connection over the loopback: errno \(-result)")
    return (.int(descriptors.adopt(ends[0])), .int(descriptors.adopt(ends[1])))
  }

  func tcpListener(backlog: Int32 = 8) -> (listener: UInt64, port: Int32) {
    var port: Int32 = 0
    let listener = unsafe test_tcp_listener(backlog, &port)
    return (.int(descriptors.adopt(listener)), port)
  }

  /// A pair of connected sockets: TCP, or AF_UNIX of this type.
  func pair(_ isTCP: Bool, _ type: __socket_type = SOCK_STREAM) -> (UInt64, UInt64) { isTCP ? tcpPair() : socketPair(type) }

  func option(_ socket: UInt64, _ name: Int32, _ value: Buffer) {
    let result = plainCall(SystemCall.setsockopt, socket, .int(SOL_SOCKET), .int(name), value.address, .int(value.count))
    precondition(result == 0, "setsockopt \(name): \(result)")
  }

  func option(_ socket: UInt64, _ name: Int32, _ value: Int32) {
    let buffer = arena.buffer(4)
    buffer.store(value, at: 0)
    option(socket, name, buffer)
  }

  /// SO_RCVTIMEO or SO_SNDTIMEO. A `struct timeval`.
  func timeout(_ socket: UInt64, _ name: Int32, milliseconds: Int) {
    let time = arena.buffer(16)
    time.store(Int64(milliseconds / 1000), at: 0)
    time.store(Int64(milliseconds % 1000 * 1000), at: 8)
    option(socket, name, time)
  }

  func send(_ text: String, to descriptor: UInt64, _ flags: Int32 = 0) {
    let sent = plainCall(SystemCall.sendto, descriptor, self.text(text).address, .int(text.utf8.count), .int(flags), 0, 0)
    precondition(sent == text.utf8.count, "send: \(sent)")
  }

  /// Sends the text and a descriptor with it (SCM_RIGHTS).
  func send(_ text: String, passing passed: UInt64, to descriptor: UInt64) {
    let (message, control) = (message(arena.buffer(bytes: Array(text.utf8))), arena.buffer(24))
    // struct cmsghdr.
    for (value, offset) in [(20, 0), (SOL_SOCKET, 8), (1, 12), (Int32(passed), 16)] as [(Int32, Int)] { control.store(value, at: offset) }
    message.store(control.address, at: 32)
    message.store(UInt64(24), at: 40)
    let sent = plainCall(SystemCall.sendmsg, descriptor, message.address, 0)
    precondition(sent == text.utf8.count, "sendmsg: \(sent)")
  }

  /// Writes until nothing more fits.
  func fill(_ descriptor: UInt64) {
    let flags = fcntl(Int32(descriptor), F_GETFL)
    _ = fcntl(Int32(descriptor), F_SETFL, flags | O_NONBLOCK)
    let bytes = arena.buffer(4096)
    // A size that was asked for does not grow any more.
    bytes.store(Int32(16_384), at: 0)
    plainCall(SystemCall.setsockopt, descriptor, .int(SOL_SOCKET), .int(SO_SNDBUF), bytes.address, 4)
    // TCP hands on what it has a moment later, and then there is room again.
    var quiet = 0
    while quiet < 3 {
      quiet += 1
      for size in [4096, 1] as [UInt64] { while plainCall(SystemCall.write, descriptor, bytes.address, size) > 0 { quiet = 0 } }
      usleep(3000)
    }
    _ = fcntl(Int32(descriptor), F_SETFL, flags)
  }

  /// A terminal: what a program reads and writes, and the other side. `minimum` nil: canonical.
  func terminal(minimum: Int32?, tenths: Int32 = 0) -> (line: UInt64, far: UInt64) {
    var ends: [Int32] = [-1, -1]
    let result = unsafe test_terminal(&ends, minimum ?? -1, tenths)
    precondition(result == 0, "a pseudo terminal: errno \(-result)")
    return (.int(descriptors.adopt(ends[0])), .int(descriptors.adopt(ends[1])))
  }

  func fifo(_ name: String) -> String {
    precondition(unsafe mkfifo(scratch.path(name), 0o600) == 0)
    return scratch.path(name)
  }

  /// A timer that has expired once, or will in `milliseconds`.
  func timer(milliseconds: Int = 1) -> UInt64 {
    let timer = descriptors.adopt(Int32(plainCall(SystemCall.timerfd_create, .int(CLOCK_MONOTONIC), .int(O_CLOEXEC))))
    let setting = arena.buffer(32)
    setting.store(Int64(milliseconds / 1000), at: 16)
    setting.store(Int64(milliseconds % 1000) * 1_000_000, at: 24)
    precondition(plainCall(SystemCall.timerfd_settime, .int(timer), 0, setting.address, 0) == 0)
    if milliseconds == 1 { awaitEvents(.int(timer), Int16(POLLIN)) }
    return .int(timer)
  }

  /// A signalfd for a signal that nobody sends.
  func signals() -> UInt64 {
    let mask = arena.buffer(8)
    mask.store(UInt64(1) << UInt64(SIGURG - 1), at: 0)
    return .int(descriptors.adopt(Int32(plainCall(SystemCall.signalfd4, .int(-1), mask.address, 8, .int(O_CLOEXEC)))))
  }

  /// An inotify instance that watches the scratch directory, with an event, or none.
  func watcher(hasEvent: Bool) -> UInt64 {
    let watcher = descriptors.adopt(Int32(plainCall(SystemCall.inotify_init1, .int(O_CLOEXEC))))
    // IN_CREATE
    precondition(plainCall(SystemCall.inotify_add_watch, .int(watcher), arena.path(scratch.path).address, 0x100) > 0)
    if hasEvent { scratch.directory("event") }
    return .int(watcher)
  }

  func epoll(watching descriptor: UInt64? = nil) -> UInt64 {
    let epoll = descriptors.adopt(Int32(plainCall(SystemCall.epoll_create1, .int(O_CLOEXEC))))
    if let descriptor {
      // On x86 it ends behind twelve bytes.
      let event = arena.buffer(16)
      event.store(UInt32(POLLIN), at: 0)
      precondition(plainCall(SystemCall.epoll_ctl, .int(epoll), 1, descriptor, event.address) == 0)
    }
    return .int(epoll)
  }

  /// A POSIX message queue without a name, with a message, or none. nil where there are none.
  func messageQueue(hasMessage: Bool) -> UInt64? {
    let name = arena.path("syslet-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))").address
    let attributes = arena.buffer(64)
    attributes.store(Int64(4), at: 8)
    attributes.store(Int64(64), at: 16)
    let queue = plainCall(SystemCall.mq_open, name, .int(O_RDWR | O_CREAT | O_CLOEXEC), .int(0o600), attributes.address)
    guard queue >= 0 else { return nil }
    plainCall(SystemCall.mq_unlink, name)
    if hasMessage { plainCall(SystemCall.mq_timedsend, .int(queue), text("message").address, 7, 0, 0) }
    return .int(descriptors.adopt(Int32(queue)))
  }
}

/// A case whose obstacle is told, instead of being passed in silence.
func reportSkipped(_ what: String, _ why: String) { print("\(what): skipped, \(why)") }

enum OpenFlag {
  static let direct = test_direct_flag()
  static let path = test_path_flag()
}
