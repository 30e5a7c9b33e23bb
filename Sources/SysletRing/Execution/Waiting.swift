// Calls that wait for another party, made without waiting: the call itself where it has such a form, otherwise a look whether it would wait.
//
// What a try does is what the call does when it need not wait. What the call does besides (it goes on until all is written, it ends with the
// socket's time-out, it takes no less than SO_RCVLOWAT) is done here, in several tries.

internal import CLiburing
internal import Glibc

/// A call that waits, as it was when it was reached: the atom may change while it waits, and a call that a thread waits in does not see that.
struct ParkedCall {
  var atom: AtomAddress
  var arguments: Arguments
  var number: Int
  var row: UInt16
  var flags: AtomFlags
  var result: UInt
  var next: AtomAddress?
}

/// What a parked run waits for.
struct ParkedWait {
  /// -1: for a moment alone.
  var descriptor: Int32 = -1
  var events: UInt32 = 0
  /// In nanoseconds of `syslet_now`; `max` for none that is known.
  var deadline = Int64.max
  /// The descriptor may have a time-out of its own. It is asked for it only when the run has waited for a while: most do not wait that long.
  var mayTimeOut = false
  /// What ends it is not all told by the descriptor: the call is tried again now and then.
  var isLookedAt = false
  /// That the descriptor is ready has meant nothing, again and again.
  var isMuted = false
}

/// What came of a try.
enum Attempt {
  case made(Int)
  /// It would wait: for these events of the descriptor, or for a moment alone.
  case waits(ParkedWait)
  /// No try is known, and it would not wait now, or what it waits for cannot be polled.
  case worker
}

/// One try of a call, and what earlier tries have done of it.
struct Waiting {
  let call: Reference<Call>
  /// Where the atom is, if it has just been read without the kernel; 0 otherwise.
  var readAtom: UInt = 0
  /// Bytes moved so far.
  var moved: UInt64 = 0
  /// When the call is to end without having got what it waits for; `max` for never, or not known.
  var deadline = Int64.max
  /// That moment has come.
  var isExpired = false
  /// An earlier try had to wait.
  var hasWaited = false
  /// Of the socket, -1 for none. They never change, and are asked once for each try.
  private lazy var family = option(SO_DOMAIN) ?? -1
  private lazy var type = option(SO_TYPE) ?? -1
  /// SO_RCVLOWAT: how many bytes a receive waits for at the least.
  private lazy var lowWater = option(SO_RCVLOWAT) ?? 1

  init(_ call: Reference<Call>) { self.call = call }

  private var arguments: Arguments { call.pointee.arguments }
  private var descriptor: Int32 { arguments.descriptor(0) }

  /// Whether calls of this form are tried at all.
  static func isTried(_ form: OperationForm) -> Bool {
    switch form.encoding {
    case .receiveFrom, .receiveMessage, .sendTo, .sendMessage, .accept, .accept4, .poll, .epollWait, .epollPwait, .nanosleep,
      .clockNanosleep:
      true
    default: false
    }
  }

  /// Whether a transfer without an offset is tried, on what its descriptor names: what has no position, and is read as much as there is.
  static func isTried(on kind: DescriptorKind) -> Bool {
    switch kind {
    case .pipe, .fifo, .stream, .localStream, .datagram, .packet, .foreignSocket, .anonymous: true
    // A terminal's modes say when a read ends, and readiness does not know them all.
    default: false
    }
  }

  mutating func attempt() -> Attempt {
    switch call.pointee.form.encoding {
    case .receiveFrom, .receiveMessage: receive()
    case .sendTo, .sendMessage: send()
    case .read, .readVector, .readVectorFlags: transfer(isWrite: false)
    case .write, .writeVector, .writeVectorFlags: transfer(isWrite: true)
    case .accept, .accept4: accept()
    case .poll: poll()
    case .epollWait, .epollPwait: waitForEvents()
    case .nanosleep: sleep(arguments[0], isAbsolute: false)
    case .clockNanosleep: sleep(arguments[2], isAbsolute: arguments.low(1) & UInt32(TIMER_ABSTIME) != 0)
    default: .worker
    }
  }

  // MARK: Sockets

  private mutating func receive() -> Attempt {
    let isMessage = call.pointee.form.encoding == .receiveMessage
    let flags = arguments.low(isMessage ? 2 : 3)
    if flags & Self.dontWait != 0 { return .made(makePlainly()) }
    // A stream of the network waits for something to come, and gives nothing even when its time-out has passed.
    if !isMessage, arguments[2] == 0, isStream { return .worker }
    // A socket of the network looks whether it has an error, and does not wait; others do not know of it.
    if flags & Self.errorQueue != 0 { return isOfNetwork ? .made(makePlainly()) : .worker }
    // In several tries, where it is known what else ends it. A look at it cannot be had in parts.
    let isWhole = flags & Self.waitAll != 0
    let isInParts = isWhole || hasMark
    if isInParts, isStream, isWhole && isMessage || !isOfNetwork || isWhole && flags & (Self.peek | Self.truncate) != 0 {
      let isTold = isLocal && !isMessage && flags & (Self.peek | Self.truncate | Self.compatible) == 0 && arguments[4] == 0 && !tellsSenders
      if !isTold || arguments[2] > OperationForm.transferMax { return .worker }
    }
    if moved > 0, isOfNetwork ? isEnded || isAtMark : isAtMark { return .made(Int(moved)) }
    let result: Int
    var isCut: Int32 = 0
    if isMessage {
      result = unsafe syslet_receive_now(
        descriptor, UnsafeMutableRawPointer(bitPattern: UInt(arguments[1])), Int32(bitPattern: flags), moved)
    } else if isInParts, isLocal, isStream {
      result = unsafe syslet_receive_part(
        descriptor, UnsafeMutableRawPointer(bitPattern: UInt(arguments[1] &+ moved)), arguments[2] &- moved, Int32(bitPattern: flags),
        &isCut)
    } else {
      result = syslet_call(
        SystemCall.recvfrom, arguments[0], arguments[1] &+ moved, arguments[2] &- moved, UInt64(flags | Self.dontWait), arguments[4],
        arguments[5])
    }
    if isMessage, result == -Int(EAGAIN), moved == 0, length == 0, isStream { return .worker }
    let wanted = flags & Self.outOfBand != 0 ? UInt32(SYSLET_POLL_PRI) : UInt32(SYSLET_POLL_IN)
    if flags & Self.outOfBand != 0 {
      // One byte is all there is.
      return conclude(result, wanted)
    } else if result > 0, isExpired {
      return .made(Int(moved) + result)
    } else if result > 0, flags & Self.peek == 0 {
      if UInt64(result) + moved < length, goal(length, flags) > UInt64(result) + moved {
        moved += UInt64(result)
        // On AF_UNIX it goes neither past urgent data nor past descriptors that somebody has passed.
        if isCut != 0 || isLocal && isAtMark { return .made(Int(moved)) }
        return wait(for: wanted | Self.mark)
      }
    } else if result > 0, UInt64(result) < goal(isMessage ? .max : arguments[2], flags & ~Self.waitAll) {
      return wait(for: wanted)
    }
    return conclude(result, wanted)
  }

  /// How many bytes a receive that waits takes at the least: SO_RCVLOWAT says so, of streams. Asked only when fewer have come than were asked for.
  private mutating func goal(_ length: UInt64, _ flags: UInt32) -> UInt64 {
    let isWhole = flags & Self.waitAll != 0
    // Most receives are neither; each question is 0.15 µs of a message's 3.
    guard isWhole || hasMark, isStream, !isNonblocking else { return 0 }
    return isWhole ? length : min(length, UInt64(lowWater))
  }

  private mutating func send() -> Attempt {
    let isMessage = call.pointee.form.encoding == .sendMessage
    let flags = arguments.low(isMessage ? 2 : 3)
    // What a flag means together with MSG_DONTWAIT is known of these: MSG_FASTOPEN, for one, does not connect then.
    if flags & ~KnownFlags.sending != 0 { return .worker }
    if moved > 0, isOfNetwork, hasError { return .made(Int(moved)) }
    let result: Int
    if isMessage {
      result = unsafe syslet_send_now(
        descriptor, UnsafeRawPointer(bitPattern: UInt(arguments[1])), Int32(bitPattern: flags), moved)
    } else {
      result = syslet_call(
        SystemCall.sendto, arguments[0], arguments[1] &+ moved, arguments[2] &- moved, UInt64(flags | Self.dontWait | Self.noSignal),
        arguments[4], arguments[5])
    }
    // A protocol that knows no MSG_NOSIGNAL.
    if result == -Int(EINVAL), moved == 0 { return flags & Self.dontWait != 0 ? .made(makeShielded()) : .worker }
    if flags & Self.dontWait != 0 { return .made(result) }
    return concludeWriting(result)
  }

  private mutating func accept() -> Attempt {
    // Flags that it does not know it refuses first of all.
    let isRefused = call.pointee.form.encoding == .accept4 && arguments.low(3) & ~KnownFlags.accepting != 0
    if isRefused || isNonblocking { return .made(makePlainly()) }
    // What does not listen, or is no socket, is refused, and never ready.
    if option(SO_ACCEPTCONN) != 1 { return .worker }
    // Another thread or process may take the connection in between, so a worker makes the call.
    if syslet_poll_look(descriptor, UInt32(SYSLET_POLL_IN)) != 0 { return .worker }
    if isExpired { return .made(-Int(EAGAIN)) }
    return wait(for: UInt32(SYSLET_POLL_IN))
  }

  // MARK: Reading and writing

  private mutating func transfer(isWrite: Bool) -> Attempt {
    let form = call.pointee.form
    if form.encoding == .readVectorFlags || form.encoding == .writeVectorFlags, arguments.low(5) != 0 { return .worker }
    // On AF_UNIX that ends where urgent data or passed descriptors are, which a read is not told of.
    if !isWrite, hasMark, !isOfNetwork { return .worker }
    if moved > 0, isOfNetwork, isWrite ? hasError : isEnded || isAtMark { return .made(Int(moved)) }
    let result: Int
    if form.hasVectors {
      let vector = unsafe UnsafeRawPointer(bitPattern: UInt(arguments[1]))
      guard let count = Int32(exactly: arguments[2]) else { return .worker }
      result = unsafe isWrite ? writeNow(vector, count) : syslet_read_now(descriptor, vector, count, moved)
    } else {
      guard arguments[2] > 0, arguments[2] <= OperationForm.transferMax else { return .worker }
      var whole = unsafe iovec(
        iov_base: UnsafeMutableRawPointer(bitPattern: UInt(arguments[1])), iov_len: Int(bitPattern: UInt(arguments[2])))
      result = unsafe withUnsafePointer(to: &whole) {
        unsafe isWrite ? writeNow($0, 1) : syslet_read_now(descriptor, $0, 1, moved)
      }
    }
    // The try of nothing does nothing. The call may say that nothing is too little, and may wait before it says so.
    if result == 0, moved == 0, length == 0 { return .worker }
    let wanted = UInt32(isWrite ? SYSLET_POLL_OUT : SYSLET_POLL_IN)
    if result == -Int(EOPNOTSUPP) || result == -Int(ENOSYS) {
      // This file has no try, or this kernel.
      if isNonblocking { return .made(isWrite ? makeShielded() : makePlainly()) }
      // A length that is refused is refused without waiting, ready or not: by a timerfd what is less than eight bytes.
      guard syslet_poll_look(descriptor, wanted) == 0, syslet_poll_keeps(descriptor, isWrite ? 1 : 0, length) != 0 else { return .worker }
      return wait(for: wanted)
    }
    if isWrite { return concludeWriting(result) }
    if result > 0, !isExpired, isSocket, UInt64(result) + moved < length, goal(length, 0) > UInt64(result) + moved {
      moved += UInt64(result)
      return wait(for: wanted | Self.mark)
    }
    return conclude(result, wanted)
  }

  /// How many bytes the call is to move. Asked when some have been, so that the kernel has been able to read what says so.
  private var length: UInt64 {
    switch call.pointee.form.encoding {
    case .receiveMessage, .sendMessage: unsafe syslet_message_length(UnsafeRawPointer(bitPattern: UInt(arguments[1])))
    case .readVector, .readVectorFlags, .writeVector, .writeVectorFlags:
      unsafe syslet_vector_length(UnsafeRawPointer(bitPattern: UInt(arguments[1])), Int32(arguments[2]))
    default: arguments[2]
    }
  }

  /// A socket's write is a send without a signal. What a pipe without readers answers raises one, which is taken back.
  private func writeNow(_ vector: UnsafeRawPointer?, _ count: Int32) -> Int {
    unsafe syslet_write_now(descriptor, vector, count, moved)
  }

  private func makeShielded() -> Int { Interpreter.make(call, isChecked: false) }

  // MARK: Waiting as such

  private mutating func poll() -> Attempt {
    let timeout = Int32(truncatingIfNeeded: arguments[2])
    guard arguments[1] == 1 else { return .worker }
    let result = syslet_call(SystemCall.poll, arguments[0], 1, 0, 0, 0, 0)
    if result != 0 || timeout == 0 || isExpired { return .made(result) }
    guard let entry = UserMemory.load(arguments[0], as: pollfd.self, beside: readAtom) else { return .made(-Int(EFAULT)) }
    limit(milliseconds: timeout)
    // A descriptor below 0 is looked at by nobody: it is a sleep.
    guard entry.fd >= 0 else { return .waits(ParkedWait(deadline: deadline)) }
    return .waits(ParkedWait(descriptor: entry.fd, events: UInt32(UInt16(bitPattern: entry.events)) & ~Self.oneShot, deadline: deadline))
  }

  private mutating func waitForEvents() -> Attempt {
    // With a signal mask it is refused.
    if call.pointee.form.encoding == .epollPwait, arguments[4] != 0 { return .made(-Int(EPERM)) }
    let timeout = Int32(truncatingIfNeeded: arguments[3])
    let result = syslet_call(call.pointee.number, arguments[0], arguments[1], arguments[2], 0, arguments[4], arguments[5])
    if result != 0 || timeout == 0 || isExpired { return .made(result) }
    limit(milliseconds: timeout)
    return .waits(ParkedWait(descriptor: descriptor, events: UInt32(SYSLET_POLL_IN), deadline: deadline))
  }

  /// Sleeps whose end this clock knows. Others are a worker's: until a time of a clock that can be set, or of the time that the machine was
  /// suspended for.
  private mutating func sleep(_ pointer: UInt64, isAbsolute: Bool) -> Attempt {
    if isExpired { return .made(0) }
    guard let time = UserMemory.load(pointer, as: timespec.self, beside: readAtom), time.tv_sec >= 0, time.tv_nsec >= 0,
      time.tv_nsec < 1_000_000_000
    else {
      return .made(makePlainly())
    }
    guard call.pointee.form.isTimer(arguments) else { return .worker }
    let (seconds, isHuge) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let (length, isHuger) = seconds.addingReportingOverflow(Int64(time.tv_nsec))
    let now = syslet_now()
    let (end, isHugest) = (isAbsolute ? 0 : now).addingReportingOverflow(length)
    deadline = isHuge || isHuger || isHugest ? .max - 1 : end
    if deadline <= now { return .made(0) }
    return .waits(ParkedWait(deadline: deadline))
  }

  private mutating func limit(milliseconds: Int32) {
    guard milliseconds >= 0, deadline == .max else { return }
    deadline = syslet_now() + Int64(milliseconds) * 1_000_000
  }

  // MARK: What a try's result means

  private mutating func conclude(_ result: Int, _ wanted: UInt32) -> Attempt {
    guard result == -Int(EAGAIN) else {
      // What was moved before something went wrong, or the other side ended, is the result; the rest is for the next call.
      guard moved > 0 else { return .made(result) }
      return .made(Int(moved) + max(result, 0))
    }
    if isExpired || isNonblocking { return .made(moved > 0 ? Int(moved) : result) }
    return wait(for: moved > 0 && wanted == UInt32(SYSLET_POLL_IN) ? wanted | Self.mark : wanted)
  }

  private mutating func concludeWriting(_ result: Int) -> Attempt {
    if result > 0 {
      moved += UInt64(result)
      // Only a stream takes a part.
      if moved >= length { return .made(Int(moved)) }
      if isExpired || isNonblocking { return .made(Int(moved)) }
      return waitToWrite()
    }
    if result == -Int(EPIPE), hasWaited, isLocal, let error = option(SO_ERROR), error > 0 {
      // The other side has closed with bytes unread. A call that waits is told of that; one that begins is not, and leaves it for the next.
      return .made(moved > 0 ? Int(moved) : -Int(error))
    }
    guard result == -Int(EAGAIN), !isExpired, !isNonblocking else { return conclude(result, UInt32(SYSLET_POLL_OUT)) }
    return waitToWrite()
  }

  /// A local socket's poll does not tell that the other side will not read any more (SHUT_RD), which ends a call that waits.
  private mutating func waitToWrite() -> Attempt {
    guard case .waits(var wait) = wait(for: UInt32(SYSLET_POLL_OUT)) else { return .worker }
    wait.isLookedAt = isLocal
    return .waits(wait)
  }

  private func wait(for events: UInt32) -> Attempt {
    .waits(ParkedWait(descriptor: descriptor, events: events, deadline: deadline, mayTimeOut: deadline == .max))
  }

  private func makePlainly() -> Int {
    let words = arguments.words
    return syslet_call(call.pointee.number, words.0, words.1, words.2, words.3, words.4, words.5)
  }

  // MARK: What the descriptor is

  /// Asked when a try would wait: what the program has set meanwhile counts.
  private var isNonblocking: Bool {
    let flags = syslet_call(SystemCall.fcntl, arguments[0], UInt64(argument: F_GETFL), 0, 0, 0, 0)
    return flags < 0 || flags & Int(O_NONBLOCK) != 0
  }

  private func option(_ name: Int32) -> Int32? { DescriptorFacts.socketOption(descriptor, name, into: 0) }
  private var isSocket: Bool { mutating get { type >= 0 } }
  /// A receive waits for more than a byte.
  private var hasMark: Bool { mutating get { lowWater > 1 } }
  private var isStream: Bool { mutating get { type == Int32(SOCK_STREAM.rawValue) } }
  /// A connection of AF_UNIX. Of datagrams a receiver that will not read any more is found by the next send, not by one that waits.
  private var isLocal: Bool { mutating get { family == AF_UNIX && type != Int32(SOCK_DGRAM.rawValue) } }
  /// Who has sent what is told with it, and what another has sent ends a receive; or how much there is, so that there are control data each time.
  private var tellsSenders: Bool { [SO_PASSCRED, SO_PASSSEC, Self.passPIDFD, Self.inquire].contains { option($0) == 1 } }
  private var isOfNetwork: Bool { mutating get { family == AF_INET || family == AF_INET6 } }

  /// Between two steps of one call: an error that ends the call, and is the next one's to tell. What has been sent to an error queue is none, so the
  /// connection has to be closed too, which is the state in struct tcp_info's first byte.
  private var hasError: Bool {
    guard syslet_poll_look(descriptor, 0) & UInt32(SYSLET_POLL_ERR) != 0 else { return false }
    guard let info = DescriptorFacts.socketOption(descriptor, level: Int32(IPPROTO_TCP), TCP_INFO, into: UInt64(0)) else { return true }
    return unsafe withUnsafeBytes(of: info) { unsafe $0[0] } == UInt8(TCP_CLOSE)
  }
  /// The same, when all that came before it has been received.
  private var isEnded: Bool {
    guard hasError else { return false }
    var count: Int32 = 0
    let result = unsafe syslet_call(SystemCall.ioctl, arguments[0], UInt64(FIONREAD), UInt64(duringCall: &count), 0, 0, 0)
    return result != 0 || count == 0
  }
  /// The same: urgent data, in front of which a call ends that has read anything.
  private var isAtMark: Bool {
    var mark: Int32 = 0
    return unsafe syslet_call(SystemCall.ioctl, arguments[0], UInt64(SIOCATMARK), UInt64(duringCall: &mark), 0, 0, 0) == 0 && mark != 0
  }

  /// In front of urgent data nothing is ready to be read.
  private static let mark = UInt32(SYSLET_POLL_PRI)
  // SO_PASSPIDFD and SO_INQ, which glibc's header has not everywhere.
  private static let passPIDFD: Int32 = 76
  private static let inquire: Int32 = 84
  private static let outOfBand: UInt32 = 0x01
  private static let peek: UInt32 = 0x02
  private static let truncate: UInt32 = 0x20
  private static let dontWait: UInt32 = 0x40
  private static let waitAll: UInt32 = 0x100
  private static let errorQueue: UInt32 = 0x2000
  private static let noSignal: UInt32 = 0x4000
  /// MSG_CMSG_COMPAT: recvmsg refuses it.
  private static let compatible: UInt32 = 0x8000_0000
  /// EPOLLONESHOT, EPOLLET, EPOLLEXCLUSIVE and EPOLLWAKEUP, which are no bits of poll's.
  private static let oneShot: UInt32 = 0xF000_0000
}
