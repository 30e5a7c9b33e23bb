// For which descriptors, states and flags the ring is known to answer as the system call does (law L10). Data, a part of each row of the
// operation table: the router, `explain`, docs/OPERATIONS.md, calibration and the parity fuzzer read it.

internal import CLiburing
internal import Glibc

/// What is known about a row's operation on the ring. What is not known is made plainly.
struct RingKnowledge: Sendable {
  /// The kinds of the descriptor that the call works on. Of one that is not open the ring may find another argument wrong first, and say so.
  let kinds: DescriptorKinds
  /// The states, of those that matter to the call, that keep it off the ring.
  let states: DescriptorStates
  /// The argument with the call's flags, and the flags that are known; -1 for none to look at.
  let flagsArgument: Int8
  let flags: UInt32
  /// The ring's -EINVAL and -EOPNOTSUPP may be the ring's own and not the call's, and nothing can have happened by then: neither has anybody
  /// else been asked, nor has an error been taken that is told once. So the plain call may be made after it (docs/decisions/0005).
  let isRepeatable: Bool

  init(
    _ kinds: DescriptorKinds = [], not states: DescriptorStates = [], flags: (argument: Int8, known: UInt32)? = nil,
    repeatable: Bool = false
  ) {
    self.kinds = kinds
    self.states = states
    flagsArgument = flags?.argument ?? -1
    self.flags = flags?.known ?? 0
    isRepeatable = repeatable
  }

  /// The call depends on no descriptor, but for a folder's that names are looked up in.
  static let always = RingKnowledge(.all)
  /// The same, and nothing can have happened when the ring refuses.
  static let alwaysRepeatable = RingKnowledge(.all, repeatable: true)
  /// Of no use: the call is never the ring's.
  static let never = RingKnowledge()

  /// Reads without an offset: of what has no position. A file's own position is for plain calls, because an O_DIRECT read on the ring never moves
  /// it, and of two reads that are not in memory both begin at the old one.
  static let receivingStream = RingKnowledge(DescriptorKinds.sockets.union(.init(.pipe)), not: .receiving)
  /// Not of pipes: up to 6.1 the ring waits until there is something before it sees that the vectors are empty.
  static let receivingStreamVectors = RingKnowledge(.sockets, not: .receiving.union(.unreadable))
  static let readingFile = RingKnowledge(.files, repeatable: true)
  /// With vectors, which the ring reads before it looks whether the file was opened for reading.
  static let readingVectors = RingKnowledge(.files, not: .unreadable, repeatable: true)
  static let readingVectorsWithFlags = RingKnowledge(.files, not: .unreadable, flags: (5, 0), repeatable: true)
  static let writingFile = RingKnowledge(.files, not: [.append, .unwritable])
  static let writingFileWithFlags = RingKnowledge(.files, not: [.append, .unwritable], flags: (5, 0))
  /// Calls on a file as a whole.
  static let wholeFile = RingKnowledge(DescriptorKinds(.file, .block, .directory))
  /// Not of an io_uring, which the ring refuses to close, nor of what asks another party first (FUSE, NFS) or waits for one.
  static let closing = RingKnowledge(DescriptorKinds.sockets.union(.init(.file, .directory, .pipe)), not: .lingering)
  /// Of others than the ring closes: none of these waits.
  static let closingPlainly = closing.kinds.union(.init(.closed, .fifo, .foreignSocket, .anonymous))
  /// Not on connections of AF_UNIX: where a send waits for room the ring polls for it, and does not see that the other side will not read any more.
  static func sending(flagsIn argument: Int8) -> RingKnowledge {
    RingKnowledge(DescriptorKinds(.stream, .datagram), not: .sending, flags: (argument, KnownFlags.sending))
  }
  static func receiving(flagsIn argument: Int8) -> RingKnowledge {
    RingKnowledge(.sockets, not: .receiving, flags: (argument, KnownFlags.receiving))
  }
  static let waitingForEvents = RingKnowledge(DescriptorKinds(.anonymous), repeatable: true)
  static let accepting = RingKnowledge(DescriptorKinds(.stream, .localStream, .packet), not: [.nonblocking, .receiveTimeout])
  static let acceptingWithFlags = RingKnowledge(accepting.kinds, not: accepting.states, flags: (3, KnownFlags.accepting))
  static let connecting = RingKnowledge(.sockets, not: .sending)

  /// Whether what the descriptor names has to be asked.
  var dependsOnDescriptor: Bool { kinds.rawValue != DescriptorKinds.all.rawValue }
}

/// Flags that calls have on the ring as plainly, each seen to in calibration or by the parity fuzzer.
enum KnownFlags {
  /// MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC. MSG_PEEK with MSG_WAITALL is not (`RingObstacle.flags`).
  static let receiving: UInt32 = 0x02 | 0x20 | 0x40 | 0x100 | 0x4000 | 0x4000_0000
  /// MSG_DONTROUTE, MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, MSG_MORE.
  static let sending: UInt32 = 0x04 | 0x40 | 0x80 | 0x4000 | 0x8000
  static let accepting = UInt32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  /// AT_SYMLINK_NOFOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH, AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC.
  static let examining: UInt32 = 0x100 | 0x800 | 0x1000 | 0x2000 | 0x4000
  /// AT_REMOVEDIR.
  static let removing: UInt32 = 0x200
  /// O_ACCMODE and those that mean the same on each architecture, and what `OpenFlags` adds. The others are for creating, or rare; O_DIRECT is refused when the file
  /// is open, so that a FIFO would not be waited for.
  static let opening =
    UInt32(O_ACCMODE | O_NOCTTY | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY)
    | OpenFlags.pathOnly | OpenFlags.large
  /// WNOHANG, WSTOPPED, WEXITED, WCONTINUED, WNOWAIT. Not __WNOTHREAD: whose children is the thread's that looks.
  static let waiting: UInt32 = 0x1 | 0x2 | 0x4 | 0x8 | 0x0100_0000
}
