// How a system call's arguments become an SQE, and how a CQE's result becomes the system call's.

internal import CLiburing
internal import Glibc

/// The form of a call's SQE. A closed enum and one switch rather than closures in the table: a Swift closure costs a retain per call.
enum Encoding: UInt8, Sendable {
  case none
  case nop
  case read, readAt, readVector, readVectorAt, readVectorFlags
  case write, writeAt, writeVector, writeVectorAt, writeVectorFlags
  case open, openAt, openAt2, create, close
  case fsync, fdatasync, syncFileRange, fallocate, ftruncate
  case statx
  case unlink, unlinkAt, rmdir, rename, renameAt, renameAt2, mkdir, mkdirAt, symlink, symlinkAt, link, linkAt
  case setxattr, fsetxattr, getxattr, fgetxattr
  case madvise, fadvise
  case sendTo, receiveFrom, sendMessage, receiveMessage
  case accept, accept4, connect, socket, bind, listen, shutdown
  case epollControl, epollWait, epollPwait, poll
  case nanosleep, clockNanosleep
  case futex, waitid, pipe2
}

extension Encoding {
  /// What the form of the call tells of its nature.
  var nature: OperationForm.Nature {
    switch self {
    case .open, .openAt, .openAt2: [.open, .descriptors, .names]
    case .statx, .unlink, .unlinkAt, .rmdir, .rename, .renameAt, .renameAt2, .mkdir, .mkdirAt, .symlink, .symlinkAt, .link, .linkAt,
      .setxattr,
      .getxattr, .bind:
      .names
    case .connect: [.names, .ofDescriptor]
    case .close, .create, .socket, .pipe2: .descriptors
    case .accept, .accept4, .receiveMessage: [.descriptors, .ofDescriptor]
    case .receiveFrom, .sendTo, .sendMessage: .ofDescriptor
    // On the ring without an offset: of what has no position.
    case .read, .readVector: [.waits, .transfer, .ofDescriptor]
    case .readAt, .readVectorAt, .readVectorFlags, .write, .writeAt, .writeVector, .writeVectorAt, .writeVectorFlags:
      [.transfer, .ofDescriptor]
    default: []
    }
  }
}

extension Encoding {
  /// Whether a call counts as not made if a cancellation has interrupted it in the kernel: -EINTR. Not close(2), which has closed its descriptor all the same.
  var isUndoneByInterruption: Bool { self != .close }
}

extension OperationForm {
  /// Fills `sqe` (all zero before) with this call, or says why the ring would not do what the system call does.
  ///
  /// Everything that the ring understands differently is an obstacle: the ring may never change a result.
  func encode(_ a: Arguments, into sqe: inout syslet_sqe) -> RingObstacle? {
    sqe.opcode = UInt8(truncatingIfNeeded: opcode)
    switch encoding {
    case .none:
      return .noOperation
    case .epollPwait:
      return .noOperation
    case .nop:
      sqe.fd = -1

    case .read, .write:
      guard a[2] <= Self.transferMax else { return .length }
      sqe.transfer(a, offset: .max)
    case .readAt, .writeAt:
      guard a[2] <= Self.transferMax else { return .length }
      guard Int64(bitPattern: a[3]) >= 0 else { return .offset }
      sqe.transfer(a, offset: a[3])
    case .readVector, .writeVector:
      guard a[2] <= Self.vectorsMax else { return .length }
      sqe.transfer(a, offset: .max)
    case .readVectorAt, .writeVectorAt:
      guard a[2] <= Self.vectorsMax else { return .length }
      guard Int64(bitPattern: a[3]) >= 0 else { return .offset }
      sqe.transfer(a, offset: a[3])
    case .readVectorFlags, .writeVectorFlags:
      guard a[2] <= Self.vectorsMax else { return .length }
      // preadv2 and pwritev2 take an offset of -1 as the file's position, as the ring does.
      guard Int64(bitPattern: a[3]) >= -1 else { return .offset }
      sqe.transfer(a, offset: a[3])
      sqe.op_flags = a.low(5)

    case .open:
      guard a.low(1) & OpenFlags.creating == 0 else { return .creation }
      sqe.path(directory: AT_FDCWD, a[0], mode: a.low(2), flags: a.low(1))
    case .openAt:
      guard a.low(2) & OpenFlags.creating == 0 else { return .creation }
      sqe.path(directory: a.descriptor(0), a[1], mode: a.low(3), flags: a.low(2))
    case .create:
      return .creation
    case .openAt2:
      return sqe.openAt2(a)
    case .close:
      sqe.fd = a.descriptor(0)

    case .fsync:
      sqe.fd = a.descriptor(0)
    case .fdatasync:
      sqe.fd = a.descriptor(0)
      sqe.op_flags = UInt32(SYSLET_FSYNC_DATASYNC)
    case .syncFileRange:
      guard let length = UInt32(exactly: a[2]) else { return .length }
      sqe.fd = a.descriptor(0)
      sqe.off = a[1]
      sqe.len = length
      sqe.op_flags = a.low(3)
    case .fallocate:
      sqe.fd = a.descriptor(0)
      sqe.len = a.low(1)
      sqe.off = a[2]
      sqe.addr = a[3]
    case .ftruncate:
      // ftruncate(2) refuses the length before it looks at the descriptor, the ring the other way round.
      guard Int64(bitPattern: a[1]) >= 0 else { return .length }
      sqe.fd = a.descriptor(0)
      sqe.off = a[1]

    case .statx:
      // The bit that is reserved, and two flags that exclude each other, are refused before the name is looked up, and on the ring behind it.
      guard a.low(3) & 0x8000_0000 == 0, a.low(2) & 0x6000 != 0x6000 else { return .flags }
      // No name at all means the descriptor itself since Linux 6.11, and on the ring still a bad one.
      guard a[1] != 0 else { return .address }
      sqe.path(directory: a.descriptor(0), a[1], mode: a.low(3), flags: a.low(2))
      sqe.off = a[4]
    case .unlink:
      sqe.path(directory: AT_FDCWD, a[0], mode: 0, flags: 0)
    case .rmdir:
      sqe.path(directory: AT_FDCWD, a[0], mode: 0, flags: UInt32(AT_REMOVEDIR))
    case .unlinkAt:
      sqe.path(directory: a.descriptor(0), a[1], mode: 0, flags: a.low(2))
    case .rename, .link:
      sqe.paths(AT_FDCWD, a[0], AT_FDCWD, a[1], flags: 0)
    case .renameAt:
      sqe.paths(a.descriptor(0), a[1], a.descriptor(2), a[3], flags: 0)
    case .renameAt2, .linkAt:
      sqe.paths(a.descriptor(0), a[1], a.descriptor(2), a[3], flags: a.low(4))
    case .mkdir:
      sqe.path(directory: AT_FDCWD, a[0], mode: a.low(1), flags: 0)
    case .mkdirAt:
      sqe.path(directory: a.descriptor(0), a[1], mode: a.low(2), flags: 0)
    case .symlink:
      sqe.path(directory: AT_FDCWD, a[0], mode: 0, flags: 0)
      sqe.off = a[1]
    case .symlinkAt:
      sqe.path(directory: a.descriptor(1), a[0], mode: 0, flags: 0)
      sqe.off = a[2]

    case .setxattr, .getxattr:
      guard let size = UInt32(exactly: a[3]) else { return .length }
      sqe.addr3 = a[0]
      sqe.addr = a[1]
      sqe.off = a[2]
      sqe.len = size
      sqe.op_flags = encoding == .setxattr ? a.low(4) : 0
    case .fsetxattr, .fgetxattr:
      guard let size = UInt32(exactly: a[3]) else { return .length }
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.off = a[2]
      sqe.len = size
      sqe.op_flags = encoding == .fsetxattr ? a.low(4) : 0

    case .madvise:
      guard let length = UInt32(exactly: a[1]) else { return .length }
      sqe.addr = a[0]
      sqe.len = length
      sqe.op_flags = a.low(2)
    case .fadvise:
      guard let length = UInt32(exactly: a[2]) else { return .length }
      sqe.fd = a.descriptor(0)
      sqe.off = a[1]
      sqe.len = length
      sqe.op_flags = a.low(3)

    case .sendTo, .receiveFrom:
      guard a[4] == 0 else { return .address }
      guard a[2] <= Self.transferMax else { return .length }
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.len = a.low(2)
      sqe.op_flags = a.low(3)
    case .sendMessage, .receiveMessage:
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.len = 1
      sqe.op_flags = a.low(2)
    case .accept, .accept4:
      guard a[1] == 0 || Self.isLength(a[2]) else { return .address }
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.off = a[2]
      sqe.op_flags = encoding == .accept4 ? a.low(3) : 0
    case .connect:
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.off = UInt64(a.low(2))
    case .bind:
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.off = UInt64(a.low(2))
    case .socket:
      sqe.fd = a.descriptor(0)
      sqe.off = UInt64(a.low(1))
      sqe.len = a.low(2)
    case .listen:
      sqe.fd = a.descriptor(0)
      sqe.len = a.low(1)
    case .shutdown:
      sqe.fd = a.descriptor(0)
      sqe.len = a.low(1)

    case .epollControl:
      sqe.fd = a.descriptor(0)
      sqe.len = a.low(1)
      sqe.off = UInt64(a.low(2))
      sqe.addr = a[3]
    case .epollWait:
      guard Int32(truncatingIfNeeded: a[2]) > 0 else { return .length }
      guard Int32(truncatingIfNeeded: a[3]) == -1 else { return .timeout }
      sqe.fd = a.descriptor(0)
      sqe.addr = a[1]
      sqe.len = a.low(2)
    case .poll:
      return sqe.poll(a)

    case .nanosleep:
      return sqe.sleep(until: a[0], clock: CLOCK_MONOTONIC, isAbsolute: false)
    case .clockNanosleep:
      return sqe.sleep(
        until: a[2], clock: Int32(truncatingIfNeeded: a[0]), isAbsolute: a.low(1) & UInt32(TIMER_ABSTIME) != 0)

    case .futex:
      return sqe.futex(a)
    case .waitid:
      guard a[4] == 0 else { return .resourceUsage }
      guard a.low(0) <= P_PGID.rawValue else { return .flags }
      sqe.fd = a.descriptor(1)
      sqe.len = a.low(0)
      sqe.off = a[2]
      sqe.file_index = a.low(3)
    case .pipe2:
      sqe.addr = a[0]
      sqe.op_flags = a.low(1)
    }
    return nil
  }

  /// UIO_MAXIOV.
  static let vectorsMax: UInt64 = 1024
  /// The most that one transfer moves (MAX_RW_COUNT): above it the system calls move less than asked for, which would be "short".
  static let transferMax: UInt64 = 0x7fff_f000
}

extension UInt32 {
  /// A poll mask as the SQE has it: 32 bits, half-words swapped on big-endian machines.
  fileprivate var pollWord: UInt32 {
    #if _endian(big)
      (self << 16) | (self >> 16)
    #else
      self
    #endif
  }
}

extension OperationForm {
  /// Whether there is a length at `pointer` that an address can have. Of one that cannot be the call tells when it has taken a connection, and the ring
  /// waits for another one.
  @inline(never)
  fileprivate static func isLength(_ pointer: UInt64) -> Bool { UserMemory.load(pointer, as: Int32.self).map { $0 >= 0 } ?? false }
}

// What looks at memory is kept out of `encode`: with it there every call paid for the room that it takes on the stack, 7 instructions.
extension syslet_sqe {
  @inline(never)
  fileprivate mutating func openAt2(_ a: Arguments) -> RingObstacle? {
    guard let how = UserMemory.load(a[2], as: (flags: UInt64, mode: UInt64, resolve: UInt64).self) else { return .unreadable }
    guard how.flags & UInt64(OpenFlags.creating) == 0 else { return .creation }
    // Of a structure with a mistake in it the ring may say something else.
    guard a[3] == 24, how.mode == 0, how.flags & ~UInt64(KnownFlags.opening) == 0, how.flags & UInt64(OpenFlags.pathOnly) == 0,
      how.resolve & ~OpenFlags.resolving == 0, how.resolve & OpenFlags.scoping != OpenFlags.scoping
    else { return .flags }
    path(directory: a.descriptor(0), a[1], mode: 24, flags: 0)
    off = a[2]
    return nil
  }

  @inline(never)
  fileprivate mutating func poll(_ a: Arguments) -> RingObstacle? {
    guard a[1] == 1 else { return .pollSet }
    guard Int32(truncatingIfNeeded: a[2]) == -1 else { return .timeout }
    guard let entry = UserMemory.load(a[0], as: pollfd.self) else { return .unreadable }
    guard entry.fd >= 0 else { return .pollSet }
    fd = entry.fd
    op_flags = UInt32(UInt16(bitPattern: entry.events)).pollWord
    return nil
  }

  fileprivate mutating func transfer(_ a: Arguments, offset: UInt64) {
    fd = a.descriptor(0)
    addr = a[1]
    len = a.low(2)
    off = offset
  }

  fileprivate mutating func path(directory: Int32, _ path: UInt64, mode: UInt32, flags: UInt32) {
    fd = directory
    addr = path
    len = mode
    op_flags = flags
  }

  fileprivate mutating func paths(_ fromDirectory: Int32, _ from: UInt64, _ toDirectory: Int32, _ to: UInt64, flags: UInt32) {
    fd = fromDirectory
    addr = from
    len = UInt32(bitPattern: toDirectory)
    off = to
    op_flags = flags
  }

  @inline(never)
  fileprivate mutating func sleep(until pointer: UInt64, clock: Int32, isAbsolute: Bool) -> RingObstacle? {
    guard let time = UserMemory.load(pointer, as: timespec.self) else { return .unreadable }
    // The ring takes any number of nanoseconds; the system call refuses these.
    guard time.tv_sec >= 0, time.tv_nsec >= 0, time.tv_nsec < 1_000_000_000 else { return .clock }
    // Of a time of these clocks a time namespace has an offset that the ring does not know.
    if isAbsolute, clock != CLOCK_REALTIME { return .clock }
    switch clock {
    case CLOCK_MONOTONIC: break
    // A relative sleep on CLOCK_REALTIME is not moved by setting the clock: it is one on CLOCK_MONOTONIC (clock_nanosleep(2)).
    case CLOCK_REALTIME: op_flags = isAbsolute ? UInt32(SYSLET_TIMEOUT_REALTIME) : 0
    case CLOCK_BOOTTIME: op_flags = UInt32(SYSLET_TIMEOUT_BOOTTIME)
    default: return .clock
    }
    if isAbsolute { op_flags |= UInt32(SYSLET_TIMEOUT_ABS) }
    // Without it an expired timeout, which is this call's success, would sever the link behind it.
    op_flags |= UInt32(SYSLET_TIMEOUT_ETIME_SUCCESS)
    fd = -1
    addr = pointer
    len = 1
    return nil
  }

  @inline(never)
  fileprivate mutating func futex(_ a: Arguments) -> RingObstacle? {
    let command = a.low(1) & ~UInt32(FutexOperation.isPrivate)
    addr = a[0]
    off = UInt64(a.low(2))
    fd = Int32(SYSLET_FUTEX2_SIZE_U32) | (a.low(1) & FutexOperation.isPrivate != 0 ? Int32(SYSLET_FUTEX2_PRIVATE) : 0)
    addr3 = 0xFFFF_FFFF
    switch command {
    case FutexOperation.wait where a[3] == 0:
      opcode = UInt8(SYSLET_OP_FUTEX_WAIT)
    case FutexOperation.waitBitset where a[3] == 0 && a.low(5) != 0:
      opcode = UInt8(SYSLET_OP_FUTEX_WAIT)
      addr3 = UInt64(a.low(5))
    // futex(2) wakes one waiter when it is asked to wake none; the ring wakes none.
    case FutexOperation.wake where Int32(truncatingIfNeeded: a[2]) > 0:
      opcode = UInt8(SYSLET_OP_FUTEX_WAKE)
    default:
      return .futexOperation
    }
    return nil
  }
}

/// The commands of futex(2) that io_uring has.
enum FutexOperation {
  static let wait: UInt32 = 0
  static let wake: UInt32 = 1
  static let waitBitset: UInt32 = 9
  static let isPrivate: UInt32 = 128
}
