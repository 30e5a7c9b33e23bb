// What descriptors name and in which states they are, where the ring and the system call part ways over it.

internal import CLiburing
internal import Glibc

/// What has been found out about a descriptor, in one word: its kind, which of the asked states hold, and which were asked.
struct DescriptorFact {
  fileprivate var word: UInt32 = 0

  /// Of those that were asked.
  var states: DescriptorStates { DescriptorStates(rawValue: UInt8(truncatingIfNeeded: word >> 8)) }
  fileprivate var asked: DescriptorStates { DescriptorStates(rawValue: UInt8(truncatingIfNeeded: word >> 16)) }

  var kind: DescriptorKind {
    get { DescriptorKind(rawValue: UInt8(truncatingIfNeeded: word)) ?? .unknown }
    set { word = word & ~0xFF | UInt32(newValue.rawValue) }
  }

  @inline(__always)
  func isOne(of kinds: DescriptorKinds) -> Bool { kinds.rawValue & 1 << UInt16(truncatingIfNeeded: word & 0xF) != 0 }

  /// It is no file, and there is something. By kinds as a constant: a set's `static let` is asked for each time whether it is there yet.
  @inline(__always)
  var isOfStream: Bool {
    let others: UInt16 =
      1 << UInt16(DescriptorKind.file.rawValue) | 1 << UInt16(DescriptorKind.block.rawValue) | 1 << UInt16(DescriptorKind.closed.rawValue)
    return !isOne(of: DescriptorKinds(rawValue: others))
  }

  fileprivate mutating func insert(_ states: DescriptorStates) { word |= UInt32(states.rawValue) << 8 }
  fileprivate mutating func noteAsked(_ states: DescriptorStates) { word |= UInt32(states.rawValue) << 16 }
}

/// What this engine has found out about descriptors during the present call into it. The owner's.
///
/// Between two calls the program may close a descriptor and get its number again for something else, or change its flags and options, and a
/// worker may do so, so nothing is kept longer: a batch of reads from one file asks once (some 330 ns), a read alone asks each time. What never
/// changes in the life of a socket, and what changes only with a mount, is kept. Unsafe fence: the memory is this value's own.
@safe struct DescriptorFacts: ~Copyable {
  private static let capacity = 65_536

  private struct Socket {
    var inode: UInt64
    var kind: UInt64
  }

  /// For each descriptor what was found out, above it the turn in which it was.
  private let findings: UnsafeMutablePointer<UInt64>
  /// For each descriptor that was a socket its inode's number, which no other socket gets, and its kind. A socket's family and type never change.
  private let sockets: UnsafeMutablePointer<Socket>
  private var fileSystems = FileSystems()
  private var turn: UInt32 = 1
  /// What the descriptor that is asked about named in an earlier turn.
  private var lastKind: UInt8 = 0
  /// The last descriptor of this turn that named a file in memory; -1 for none.
  private var memoryFile: Int32 = -1
  /// The limit of a file's size; 0 for not asked in this turn.
  private var sizeLimit: UInt64 = 0

  init() {
    // calloc: pages that no descriptor needs are never touched.
    unsafe findings = unsafe calloc(Self.capacity, MemoryLayout<UInt64>.stride).assumingMemoryBound(to: UInt64.self)
    unsafe sockets = unsafe calloc(Self.capacity, MemoryLayout<Socket>.stride).assumingMemoryBound(to: Socket.self)
  }

  deinit {
    unsafe free(findings)
    unsafe free(sockets)
  }

  /// The program has had the thread: what was known may not hold any more.
  @inline(__always)
  mutating func forgetAll() {
    turn &+= 1
    sizeLimit = 0
    memoryFile = -1
    if turn == 0 { beginRound() }
  }

  /// After a full round of the counter old findings would count again.
  private mutating func beginRound() {
    for index in 0..<Self.capacity { unsafe findings[index] = 0 }
    turn = 1
  }

  /// A call of this engine closes `descriptor`, opens it, or changes its options.
  @inline(__always)
  mutating func forget(_ descriptor: Int32) {
    if memoryFile == descriptor { memoryFile = -1 }
    let index = Int(descriptor)
    if index >= 0, index < Self.capacity { unsafe findings[index] = 0 }
  }

  /// What `descriptor` names, and whether the `wanted` states hold.
  @inline(__always)
  mutating func fact(_ descriptor: Int32, _ wanted: DescriptorStates = []) -> DescriptorFact {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return ask(descriptor, wanted, DescriptorFact()) }
    let finding = unsafe findings[index]
    var fact = DescriptorFact(word: UInt32(truncatingIfNeeded: finding))
    if UInt32(truncatingIfNeeded: finding >> 32) == turn {
      if fact.asked.isSuperset(of: wanted) { return fact }
    } else {
      fact = DescriptorFact()
      lastKind = UInt8(truncatingIfNeeded: finding)
    }
    fact = ask(descriptor, wanted, fact)
    if fact.kind != .closed { unsafe findings[index] = UInt64(turn) << 32 | UInt64(fact.word) }
    return fact
  }

  /// Whether a call that looks at a file may have to wait for the server that has it, or for a worker that waits there and has the position locked.
  mutating func mayAskServer(_ call: Reference<Call>) -> Bool { kind(call.pointee.arguments.descriptor(0)) == .foreignFile }

  /// Why closing a descriptor may hold the thread that does it; nil if it does not.
  mutating func closeObstacle(_ descriptor: Int32) -> RingObstacle? {
    let fact = fact(descriptor, .lingering)
    guard fact.isOne(of: RingKnowledge.closingPlainly) else { return .kind(fact.kind) }
    return fact.states.contains(.lingering) ? .lingers : nil
  }

  /// Whether this turn has found a file there.
  @inline(__always)
  func isKnownFile(_ descriptor: Int32) -> Bool {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return false }
    let finding = unsafe findings[index]
    return UInt32(truncatingIfNeeded: finding >> 32) == turn && finding & 0xFF == UInt64(DescriptorKind.file.rawValue)
  }

  /// Whether `descriptor` names a file that is in memory and nowhere else. Asked by itself: what it is exactly takes twice as long.
  mutating func isMemoryFile(_ descriptor: Int32) -> Bool {
    if memoryFile == descriptor, descriptor >= 0 { return true }
    guard syslet_descriptor_is_memory(descriptor) != 0 else { return false }
    memoryFile = descriptor
    return true
  }

  @inline(__always)
  mutating func kind(_ descriptor: Int32) -> DescriptorKind { fact(descriptor).kind }

  /// Whether a file may grow to `end` bytes without a signal: below RLIMIT_FSIZE.
  mutating func mayReach(_ end: UInt64) -> Bool {
    if sizeLimit == 0 {
      var limit = rlimit()
      sizeLimit = unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 ? max(1, UInt64(limit.rlim_cur)) : 1
    }
    return sizeLimit == .max || end <= sizeLimit
  }

  // MARK: Asking

  private mutating func ask(_ descriptor: Int32, _ wanted: DescriptorStates, _ known: DescriptorFact) -> DescriptorFact {
    var fact = known
    if fact.kind == .unknown { fact.kind = askKind(descriptor) }
    // Files are never waited for: O_NONBLOCK means nothing to them, and they have no time-outs.
    var missing = wanted.subtracting(fact.asked)
    if DescriptorKinds.files.contains(fact.kind) {
      missing.formIntersection([.append, .unreadable, .unwritable])
      fact.noteAsked([.nonblocking, .lowWater, .receiveTimeout, .sendTimeout, .lingering])
    }
    if !missing.isDisjoint(with: .flags) {
      let flags = syslet_call(SystemCall.fcntl, UInt64(argument: descriptor), UInt64(argument: F_GETFL), 0, 0, 0, 0)
      if flags == -Int(EBADF) { fact.kind = .closed }
      if flags >= 0, flags & Int(O_NONBLOCK) != 0 { fact.insert(.nonblocking) }
      if flags >= 0, flags & Int(O_APPEND) != 0 { fact.insert(.append) }
      let isPath = flags >= 0 && flags & Int(OpenFlags.pathOnly) != 0
      if isPath || flags & Int(O_ACCMODE) == Int(O_WRONLY) { fact.insert(.unreadable) }
      if isPath || flags & Int(O_ACCMODE) == Int(O_RDONLY) { fact.insert(.unwritable) }
      fact.noteAsked(.flags)
    }
    if missing.contains(.lingering), fact.kind == .foreignSocket || DescriptorKinds.sockets.contains(fact.kind), Self.lingers(descriptor) {
      fact.insert(.lingering)
    }
    if DescriptorKinds.sockets.contains(fact.kind) {
      // An option that cannot be asked for holds, as far as the ring is concerned: what is not known is not the same.
      if missing.contains(.lowWater), Self.option(descriptor, SO_RCVLOWAT) != 1 { fact.insert(.lowWater) }
      if missing.contains(.receiveTimeout), Self.timeout(descriptor, SO_RCVTIMEO) != 0 { fact.insert(.receiveTimeout) }
      if missing.contains(.sendTimeout), Self.timeout(descriptor, SO_SNDTIMEO) != 0 { fact.insert(.sendTimeout) }
    }
    fact.noteAsked(wanted)
    return fact
  }

  private mutating func askKind(_ descriptor: Int32) -> DescriptorKind {
    // What was a file is one mostly, and fstat(2) costs less. Of anything else nobody knows whether a file server would have to be waited for.
    let hasBeenFile = lastKind == DescriptorKind.file.rawValue
    lastKind = 0
    var facts = syslet_file_facts()
    let result = unsafe syslet_file_facts_get(descriptor, hasBeenFile, &facts)
    guard result == 0 else { return result == -EBADF ? .closed : .unknown }
    switch facts.mode & UInt32(S_IFMT) {
    case UInt32(S_IFREG): return fileSystems.kind(of: descriptor, on: facts.device, isPipe: false)
    case UInt32(S_IFIFO): return fileSystems.kind(of: descriptor, on: facts.device, isPipe: true)
    case UInt32(S_IFDIR): return fileSystems.kind(of: descriptor, on: facts.device, isPipe: false) == .file ? .directory : .foreignFile
    case UInt32(S_IFBLK): return .block
    case UInt32(S_IFCHR): return .character
    case UInt32(S_IFSOCK): return socketKind(descriptor, facts.inode)
    case 0: return .anonymous
    default: return .unknown
    }
  }

  private func socketKind(_ descriptor: Int32, _ inode: UInt64) -> DescriptorKind {
    let index = Int(descriptor)
    let isKept = index >= 0 && index < Self.capacity
    if isKept, unsafe sockets[index].inode == inode, let kind = unsafe DescriptorKind(rawValue: UInt8(sockets[index].kind)) {
      if kind != .unknown { return kind }
    }
    let kind = Self.askSocketKind(descriptor)
    if isKept { unsafe sockets[index] = Socket(inode: inode, kind: UInt64(kind.rawValue)) }
    return kind
  }

  private static func askSocketKind(_ descriptor: Int32) -> DescriptorKind {
    guard let family = option(descriptor, SO_DOMAIN), [AF_UNIX, AF_INET, AF_INET6].contains(Int32(family)) else { return .foreignSocket }
    switch option(descriptor, SO_TYPE) {
    case Int(SOCK_STREAM.rawValue): return family == AF_UNIX ? .localStream : .stream
    case Int(SOCK_DGRAM.rawValue): return .datagram
    case Int(SOCK_SEQPACKET.rawValue): return .packet
    default: return .foreignSocket
    }
  }

  private static func option(_ descriptor: Int32, _ name: Int32) -> Int? {
    socketOption(descriptor, name, into: Int32(0)).map { Int($0) }
  }

  private static func lingers(_ descriptor: Int32) -> Bool {
    guard let value = socketOption(descriptor, SO_LINGER, into: linger()) else { return false }
    return value.l_onoff != 0 && value.l_linger != 0
  }

  /// A socket's time-out in nanoseconds; 0 for none, nil where it cannot be asked for.
  static func timeout(_ descriptor: Int32, _ name: Int32) -> Int64? {
    guard let time = socketOption(descriptor, name, into: timeval()) else { return nil }
    let (seconds, isHuge) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    return isHuge ? .max / 2 : min(seconds, .max / 2) + Int64(time.tv_usec) * 1000
  }
}

extension DescriptorFacts {
  /// getsockopt(2): as much of the option as `value` has room for; nil where the socket does not say, or there is none.
  static func socketOption<Value: BitwiseCopyable>(
    _ descriptor: Int32, level: Int32 = SOL_SOCKET, _ name: Int32, into value: Value
  ) -> Value? {
    var value = value
    var size = UInt32(MemoryLayout<Value>.size)
    let result = unsafe syslet_call(
      SystemCall.getsockopt, UInt64(argument: descriptor), UInt64(argument: level), UInt64(argument: name), UInt64(duringCall: &value),
      UInt64(duringCall: &size), 0)
    return result == 0 ? value : nil
  }

  /// Whether the call may wait for another party, as a close does that waits until the other side has all that was sent. For whoever has no facts.
  static func mayWait(_ call: Reference<Call>) -> Bool {
    call.pointee.mayWait || call.pointee.form.encoding == .close && lingers(call.pointee.arguments.descriptor(0))
  }
}

extension DescriptorKind {
  /// Whether a transfer without an offset may wait for another party on what `descriptor` names, asked for it alone. For whoever has no facts: a
  /// worker, which is to give such a call back.
  static func mayWait(_ descriptor: Int32) -> Bool {
    var facts = syslet_file_facts()
    guard unsafe syslet_file_facts_get(descriptor, false, &facts) == 0 else { return false }
    return ![UInt32(S_IFREG), UInt32(S_IFDIR), UInt32(S_IFBLK)].contains(facts.mode & UInt32(S_IFMT))
  }
}
