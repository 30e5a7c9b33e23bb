// What a descriptor names and in which state it is, as far as it decides whether the ring answers as the system call does (law L10).

/// What a descriptor names. One opened with O_PATH counts as what it names: the calls that look give -EBADF on the ring too.
enum DescriptorKind: UInt8, Sendable, CaseIterable {
  /// Not asked, or nothing that is listed here.
  case unknown
  /// No descriptor: the call's own -EBADF is the same everywhere. Not kept, because it is what opening a file changes.
  case closed
  /// A regular file on a file system that is known to serve the ring as it serves system calls (`FileSystems`).
  case file
  /// A regular file or a directory elsewhere: procfs, sysfs, FUSE, NFS, a message queue. It may wait for another party, or take no offsets.
  case foreignFile
  case block
  /// One on a known file system.
  case directory
  case pipe
  /// A pipe with a name. On current kernels it has no try that does not wait.
  case fifo
  /// A stream, datagram or sequenced-packet socket of AF_UNIX, AF_INET or AF_INET6, but for the next.
  case stream, datagram, packet
  /// A stream socket of AF_UNIX. What it waits for to send is not all that ends the wait: poll does not tell that the other side will not read any more.
  case localStream
  /// Another socket: netlink, packets, vsock, crypto.
  case foreignSocket
  /// A terminal or another character device.
  case character
  /// An eventfd, timerfd, signalfd, inotify, epoll, io_uring and others that have no inode of their own.
  case anonymous
}

/// Kinds, as a set.
struct DescriptorKinds: OptionSet, Sendable {
  let rawValue: UInt16

  init(rawValue: UInt16) { self.rawValue = rawValue }
  init(_ kinds: DescriptorKind...) { rawValue = kinds.reduce(0) { $0 | 1 << UInt16($1.rawValue) } }

  @inline(__always)
  func contains(_ kind: DescriptorKind) -> Bool { rawValue & 1 << UInt16(kind.rawValue) != 0 }

  var list: [DescriptorKind] { DescriptorKind.allCases.filter { contains($0) } }

  /// Files whose bytes have places.
  static let files = DescriptorKinds(.file, .block)
  static let sockets = DescriptorKinds(.stream, .localStream, .datagram, .packet)
  static let all = DescriptorKinds(rawValue: .max)
}

/// States of a descriptor in which the ring does something else than the system call, or is not known to do the same.
struct DescriptorStates: OptionSet, Sendable {
  let rawValue: UInt8

  /// O_NONBLOCK: the ring waits all the same.
  static let nonblocking = DescriptorStates(rawValue: 1)
  /// SO_RCVLOWAT above 1: the ring takes less.
  static let lowWater = DescriptorStates(rawValue: 2)
  /// SO_RCVTIMEO: the ring waits for longer.
  static let receiveTimeout = DescriptorStates(rawValue: 4)
  /// SO_SNDTIMEO.
  static let sendTimeout = DescriptorStates(rawValue: 8)
  /// O_APPEND.
  static let append = DescriptorStates(rawValue: 16)
  /// Not opened for reading, or not for writing: the ring finds out later than the call, and may meet another error first.
  static let unreadable = DescriptorStates(rawValue: 32)
  static let unwritable = DescriptorStates(rawValue: 64)
  /// SO_LINGER: closing it waits for the other side.
  static let lingering = DescriptorStates(rawValue: 128)
  /// Those that one question tells.
  static let flags: DescriptorStates = [.nonblocking, .append, .unreadable, .unwritable]

  static let receiving: DescriptorStates = [.nonblocking, .lowWater, .receiveTimeout]
  static let sending: DescriptorStates = [.nonblocking, .sendTimeout]
}

extension DescriptorKind: CustomStringConvertible {
  var description: String {
    switch self {
    case .unknown: "something unknown"
    case .closed: "no open descriptor"
    case .file: "a regular file"
    case .foreignFile: "a file on procfs, sysfs, FUSE, NFS or another file system that may wait for somebody"
    case .block: "a block device"
    case .directory: "a directory"
    case .pipe: "a pipe"
    case .fifo: "a FIFO"
    case .stream: "a stream socket"
    case .localStream: "a stream socket of AF_UNIX"
    case .datagram: "a datagram socket"
    case .packet: "a sequenced-packet socket"
    case .foreignSocket: "a socket of another family"
    case .character: "a terminal or another character device"
    case .anonymous: "an eventfd, timerfd or the like"
    }
  }

  /// In one word, for tables.
  var word: String {
    switch self {
    case .foreignFile: "other file systems"
    case .foreignSocket: "other sockets"
    default: "\(self)".split(separator: " ").dropFirst().joined(separator: " ")
    }
  }
}

extension DescriptorStates: CustomStringConvertible {
  var description: String {
    let names: [(DescriptorStates, String)] = [
      (.nonblocking, "O_NONBLOCK"), (.lowWater, "SO_RCVLOWAT"), (.receiveTimeout, "SO_RCVTIMEO"), (.sendTimeout, "SO_SNDTIMEO"),
      (.append, "O_APPEND"), (.unreadable, "O_WRONLY"), (.unwritable, "O_RDONLY"), (.lingering, "SO_LINGER"),
    ]
    return names.filter { contains($0.0) }.map(\.1).joined(separator: ", ")
  }
}
