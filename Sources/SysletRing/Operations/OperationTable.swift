// The operation table: one row per system call that the engine knows something about. Every other system call runs too, on a
// worker, by the row `unlisted`. docs/OPERATIONS.md is generated from here.

internal import CLiburing

extension Operation {
  /// Calls that io_uring can do. The encoding, the kernel's behaviour on links and what it does with memory are in one place.
  static let ringRows: [Operation] = [
    // Reading and writing.
    Operation(
      SystemCall.read, "read", opcode: SYSLET_OP_READ, .read, links: .transfer, results: .any, known: .receivingStream,
      [.value, .filled(countIn: 2)], note: "On the ring for pipes and sockets: at a file's own position the call is plain."),
    Operation(
      SystemCall.pread64, "pread64", opcode: SYSLET_OP_READ, .readAt, links: .transfer, results: .any, known: .readingFile,
      [.value, .filled(countIn: 2)]),
    Operation(
      SystemCall.readv, "readv", opcode: SYSLET_OP_READV, .readVector, links: .vectorTransfer, results: .any,
      known: .receivingStreamVectors,
      [.value, .vectorFilled(countIn: 2)], note: "On the ring for pipes and sockets: at a file's own position the call is plain."),
    Operation(
      SystemCall.preadv, "preadv", opcode: SYSLET_OP_READV, .readVectorAt, links: .vectorTransfer, results: .any, known: .readingVectors,
      [.value, .vectorFilled(countIn: 2)]),
    Operation(
      SystemCall.preadv2, "preadv2", opcode: SYSLET_OP_READV, .readVectorFlags, links: .vectorTransfer, results: .any,
      known: .readingVectorsWithFlags,
      [.value, .vectorFilled(countIn: 2)], note: "With an offset, and without flags."),
    Operation(
      SystemCall.write, "write", opcode: SYSLET_OP_WRITE, .write, links: .transfer, results: .any, known: .never,
      [.value, .read(countIn: 2)],
      note: "Never on the ring: at a file's own position, to a pipe or to a socket it is not known to be the same."),
    Operation(
      SystemCall.pwrite64, "pwrite64", opcode: SYSLET_OP_WRITE, .writeAt, links: .transfer, results: .any, known: .writingFile,
      [.value, .read(countIn: 2)], note: "On the ring below the limit of a file's size (RLIMIT_FSIZE)."),
    Operation(
      SystemCall.writev, "writev", opcode: SYSLET_OP_WRITEV, .writeVector, links: .vectorTransfer, results: .any, known: .never,
      [.value, .vectorRead(countIn: 2)],
      note: "Never on the ring: at a file's own position, to a pipe or to a socket it is not known to be the same."),
    Operation(
      SystemCall.pwritev, "pwritev", opcode: SYSLET_OP_WRITEV, .writeVectorAt, links: .vectorTransfer, results: .any, known: .writingFile,
      [.value, .vectorRead(countIn: 2)], note: "On the ring below the limit of a file's size (RLIMIT_FSIZE)."),
    Operation(
      SystemCall.pwritev2, "pwritev2", opcode: SYSLET_OP_WRITEV, .writeVectorFlags, links: .vectorTransfer, results: .any,
      known: .writingFileWithFlags,
      [.value, .vectorRead(countIn: 2)], note: "With an offset, and without flags, below the limit of a file's size (RLIMIT_FSIZE)."),

    // Opening and closing. A descriptor is a positive result; 0 is one too.
    Operation(
      SystemCall.open, "open", opcode: SYSLET_OP_OPENAT, .open, .mayPunt, results: .descriptor,
      known: RingKnowledge(.all, flags: (1, KnownFlags.opening)), [.path],
      note: "Plain with O_CREAT, O_TRUNC or O_TMPFILE. A FIFO is waited for by a worker."),
    Operation(
      SystemCall.openat, "openat", opcode: SYSLET_OP_OPENAT, .openAt, .mayPunt, results: .descriptor,
      known: RingKnowledge(.all, flags: (2, KnownFlags.opening)), [.value, .path],
      note: "Plain with O_CREAT, O_TRUNC or O_TMPFILE. A FIFO is waited for by a worker."),
    Operation(
      SystemCall.openat2, "openat2", opcode: SYSLET_OP_OPENAT2, .openAt2, results: .descriptor, known: .always,
      [.value, .path, .captured(countIn: 3)], note: "A FIFO is waited for by a worker."),
    Operation(
      SystemCall.creat, "creat", opcode: SYSLET_OP_OPENAT, .create, .punted, results: .descriptor, known: .never, [.path],
      note: "Never on the ring, as every creation: a failed one may have had its effect."),
    Operation(SystemCall.close, "close", opcode: SYSLET_OP_CLOSE, .close, .mayPunt, known: .closing),

    // Files as a whole.
    Operation(SystemCall.fsync, "fsync", opcode: SYSLET_OP_FSYNC, .fsync, .punted, known: .wholeFile),
    Operation(SystemCall.fdatasync, "fdatasync", opcode: SYSLET_OP_FSYNC, .fdatasync, .punted, known: .wholeFile),
    Operation(
      SystemCall.sync_file_range, "sync_file_range", opcode: SYSLET_OP_SYNC_FILE_RANGE, .syncFileRange, .punted, known: .wholeFile,
      note: "On the ring for up to 4 GiB - 1 bytes."),
    Operation(
      SystemCall.fallocate, "fallocate", opcode: SYSLET_OP_FALLOCATE, .fallocate, .punted, known: .wholeFile,
      note: "On the ring where a file's size has no limit (RLIMIT_FSIZE)."),
    Operation(
      SystemCall.ftruncate, "ftruncate", opcode: SYSLET_OP_FTRUNCATE, .ftruncate, .punted, known: .wholeFile,
      note: "On the ring where a file's size has no limit (RLIMIT_FSIZE)."),
    Operation(
      SystemCall.statx, "statx", opcode: SYSLET_OP_STATX, .statx, .punted, known: RingKnowledge(.all, flags: (2, KnownFlags.examining)),
      [.value, .path, .value, .value, .filled(256)], note: "On the ring with the flags of Linux 6.18."),
    Operation(
      SystemCall.fadvise64, "fadvise64", opcode: SYSLET_OP_FADVISE, .fadvise, known: .wholeFile,
      note: "On the ring for up to 4 GiB - 1 bytes."),
    Operation(
      SystemCall.madvise, "madvise", opcode: SYSLET_OP_MADVISE, .madvise, .punted, known: .alwaysRepeatable, [.filled(countIn: 1)],
      note: "On the ring for up to 4 GiB - 1 bytes."),

    // Names.
    Operation(SystemCall.unlink, "unlink", opcode: SYSLET_OP_UNLINKAT, .unlink, .punted, [.path]),
    Operation(
      SystemCall.unlinkat, "unlinkat", opcode: SYSLET_OP_UNLINKAT, .unlinkAt, .punted,
      known: RingKnowledge(.all, flags: (2, KnownFlags.removing)), [.value, .path]),
    Operation(SystemCall.rmdir, "rmdir", opcode: SYSLET_OP_UNLINKAT, .rmdir, .punted, [.path]),
    Operation(
      SystemCall.rename, "rename", opcode: SYSLET_OP_RENAMEAT, .rename, .punted, known: .never, [.path, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(
      SystemCall.renameat, "renameat", opcode: SYSLET_OP_RENAMEAT, .renameAt, .punted, known: .never, [.value, .path, .value, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(
      SystemCall.renameat2, "renameat2", opcode: SYSLET_OP_RENAMEAT, .renameAt2, .punted, known: .never, [.value, .path, .value, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(SystemCall.mkdir, "mkdir", opcode: SYSLET_OP_MKDIRAT, .mkdir, .punted, [.path]),
    Operation(SystemCall.mkdirat, "mkdirat", opcode: SYSLET_OP_MKDIRAT, .mkdirAt, .punted, [.value, .path]),
    Operation(
      SystemCall.symlink, "symlink", opcode: SYSLET_OP_SYMLINKAT, .symlink, .punted, known: .never, [.path, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(
      SystemCall.symlinkat, "symlinkat", opcode: SYSLET_OP_SYMLINKAT, .symlinkAt, .punted, known: .never, [.path, .value, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(
      SystemCall.link, "link", opcode: SYSLET_OP_LINKAT, .link, .punted, known: .never, [.path, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),
    Operation(
      SystemCall.linkat, "linkat", opcode: SYSLET_OP_LINKAT, .linkAt, .punted, known: .never, [.value, .path, .value, .path],
      note: "Never on the ring, which reads both names before it looks the first one up."),

    // Extended attributes. A value that is set is copied when the SQE is submitted.
    Operation(
      SystemCall.setxattr, "setxattr", opcode: SYSLET_OP_SETXATTR, .setxattr, .punted, known: .never,
      [.path, .captured(256), .captured(countIn: 3)],
      note: "Never on the ring, which reads the attribute's name before it looks at the file."),
    Operation(
      SystemCall.fsetxattr, "fsetxattr", opcode: SYSLET_OP_FSETXATTR, .fsetxattr, .punted, known: .never,
      [.value, .captured(256), .captured(countIn: 3)],
      note: "Never on the ring, which reads the attribute's name before it looks at the file."),
    Operation(
      SystemCall.getxattr, "getxattr", opcode: SYSLET_OP_GETXATTR, .getxattr, .punted, results: .any, known: .never,
      [.path, .captured(256), .filled(countIn: 3)], note: "Never on the ring, which reads the attribute's name before it looks at the file."
    ),
    Operation(
      SystemCall.fgetxattr, "fgetxattr", opcode: SYSLET_OP_FGETXATTR, .fgetxattr, .punted, results: .any, known: .never,
      [.value, .captured(256), .filled(countIn: 3)],
      note: "Never on the ring, which reads the attribute's name before it looks at the file."),

    // Pipes.
    Operation(
      SystemCall.pipe2, "pipe2", opcode: SYSLET_OP_PIPE, .pipe2, .neverBlocks, known: .always, [.filled(8)]),

    // Sockets.
    Operation(
      SystemCall.sendto, "sendto", opcode: SYSLET_OP_SEND, .sendTo, .waits, results: .any, known: .sending(flagsIn: 3),
      [.value, .read(countIn: 2), .value, .value, .captured(countIn: 5)],
      note: "On the ring without an address, on datagram sockets and streams of the network without SO_SNDTIMEO."),
    Operation(
      SystemCall.recvfrom, "recvfrom", opcode: SYSLET_OP_RECV, .receiveFrom, links: .message, .waits, results: .any,
      known: .receiving(flagsIn: 3),
      [.value, .filled(countIn: 2), .value, .value, .filled(128), .exchanged(4)],
      note:
        "On the ring without an address, MSG_ERRQUEUE and MSG_OOB, on sockets without SO_RCVLOWAT and SO_RCVTIMEO; with MSG_WAITALL on AF_UNIX alone."
    ),
    Operation(
      SystemCall.sendmsg, "sendmsg", opcode: SYSLET_OP_SENDMSG, .sendMessage, .waits, results: .any, known: .sending(flagsIn: 2),
      [.value, .messageRead], note: "On the ring as sendto."),
    Operation(
      SystemCall.recvmsg, "recvmsg", opcode: SYSLET_OP_RECVMSG, .receiveMessage, .waits, results: .any, known: .receiving(flagsIn: 2),
      [.value, .messageFilled], note: "On the ring as recvfrom, without MSG_WAITALL."),
    Operation(
      SystemCall.accept, "accept", opcode: SYSLET_OP_ACCEPT, .accept, .waits, results: .descriptor, known: .accepting,
      [.value, .filled(128), .exchanged(4)]),
    Operation(
      SystemCall.accept4, "accept4", opcode: SYSLET_OP_ACCEPT, .accept4, .waits, results: .descriptor, known: .acceptingWithFlags,
      [.value, .filled(128), .exchanged(4)]),
    Operation(
      SystemCall.connect, "connect", opcode: SYSLET_OP_CONNECT, .connect, .waits, known: .connecting, [.value, .captured(countIn: 2)]),
    Operation(SystemCall.socket, "socket", opcode: SYSLET_OP_SOCKET, .socket, .neverBlocks, results: .descriptor, known: .always),
    Operation(SystemCall.bind, "bind", opcode: SYSLET_OP_BIND, .bind, .neverBlocks, known: .always, [.value, .captured(countIn: 2)]),
    Operation(SystemCall.listen, "listen", opcode: SYSLET_OP_LISTEN, .listen, .neverBlocks, known: .always),
    Operation(SystemCall.shutdown, "shutdown", opcode: SYSLET_OP_SHUTDOWN, .shutdown, .neverBlocks, known: .always),

    // Waiting.
    Operation(
      SystemCall.epoll_ctl, "epoll_ctl", opcode: SYSLET_OP_EPOLL_CTL, .epollControl, .neverBlocks, known: .alwaysRepeatable,
      [.value, .value, .value, .captured(16)]),
    Operation(
      SystemCall.epoll_wait, "epoll_wait", opcode: SYSLET_OP_EPOLL_WAIT, .epollWait, .waits, results: .any, known: .waitingForEvents,
      [.value, .filledUnbounded], note: "On the ring without a timeout."),
    Operation(
      SystemCall.poll, "poll", opcode: SYSLET_OP_POLL_ADD, .poll, .waits, results: .any, known: .alwaysRepeatable, [.deferred(8)],
      note: "On the ring for one descriptor, without a timeout."),
    Operation(
      SystemCall.nanosleep, "nanosleep", opcode: SYSLET_OP_TIMEOUT, .nanosleep, .waits, known: .alwaysRepeatable,
      [.captured(16), .filled(16)],
      note: "The remaining time is not written: signals do not interrupt the ring's sleep."),
    Operation(
      SystemCall.clock_nanosleep, "clock_nanosleep", opcode: SYSLET_OP_TIMEOUT, .clockNanosleep, .waits, known: .alwaysRepeatable,
      [.value, .value, .captured(16), .filled(16)],
      note:
        "On the ring for CLOCK_MONOTONIC, CLOCK_REALTIME and CLOCK_BOOTTIME; until a time, for CLOCK_REALTIME alone: the ring knows no time namespace."
    ),
    Operation(
      SystemCall.futex, "futex", opcode: SYSLET_OP_FUTEX_WAIT, .futex, [.waits, .ownThread], results: [.negative, .zero, .complete],
      known: .alwaysRepeatable, [.read(4)],
      note: "On the ring for FUTEX_WAIT and FUTEX_WAIT_BITSET without a timeout, and FUTEX_WAKE. Waiting for a PI lock: -EPERM."),
    Operation(
      SystemCall.waitid, "waitid", opcode: SYSLET_OP_WAITID, .waitid, [.waits, .ownThread],
      known: RingKnowledge(.all, flags: (3, KnownFlags.waiting), repeatable: true),
      [.value, .value, .filled(128), .value, .filled(144)],
      note: "On the ring without resource usage, and not for a pidfd. Waiting with __WNOTHREAD: -EPERM."),

    // The pseudo call that does nothing.
    Operation(
      noOperationNumber, "nop", opcode: SYSLET_OP_NOP, .nop, .pseudo, results: .zero,
      note: "A pseudo call: IORING_OP_NOP on the ring, getppid elsewhere."),
  ]

  /// Calls without an operation that never block for long: handing them anywhere costs more than making them.
  ///
  /// fstat looks at an inode that the descriptor holds in memory; on a network file system it may ask the server, as lseek may for where a file ends.
  static let inlineRows: [Operation] = [
    Operation(
      umemAddNumber, "umem_add", [.pseudo, .neverBlocks], results: .any, [.exchanged(8)], note: "A pseudo call; it never enters the kernel."
    ),
    inline(SystemCall.getpid, "getpid", .descriptor),
    inline(SystemCall.getppid, "getppid", .descriptor),
    inline(SystemCall.getpgrp, "getpgrp", .descriptor),
    inline(SystemCall.getpgid, "getpgid", .descriptor),
    inline(SystemCall.getsid, "getsid", .descriptor),
    inline(SystemCall.getuid, "getuid", .descriptor),
    inline(SystemCall.geteuid, "geteuid", .descriptor),
    inline(SystemCall.getgid, "getgid", .descriptor),
    inline(SystemCall.getegid, "getegid", .descriptor),
    inline(SystemCall.umask, "umask", .descriptor),
    Operation(SystemCall.lseek, "lseek", [.neverBlocks, .asksServer], results: .any),
    Operation(SystemCall.fstat, "fstat", [.neverBlocks, .asksServer], results: [.negative, .zero]),
    inline(SystemCall.dup, "dup", .descriptor),
    inline(SystemCall.pipe, "pipe"),
    inline(SystemCall.eventfd, "eventfd", .descriptor),
    inline(SystemCall.eventfd2, "eventfd2", .descriptor),
    inline(SystemCall.epoll_create1, "epoll_create1", .descriptor),
    inline(SystemCall.timerfd_create, "timerfd_create", .descriptor),
    inline(SystemCall.timerfd_settime, "timerfd_settime"),
    inline(SystemCall.timerfd_gettime, "timerfd_gettime"),
    inline(SystemCall.memfd_create, "memfd_create", .descriptor),
    inline(SystemCall.socketpair, "socketpair"),
    inline(SystemCall.getsockname, "getsockname"),
    inline(SystemCall.getpeername, "getpeername"),
    inline(SystemCall.getsockopt, "getsockopt"),
    inline(SystemCall.setsockopt, "setsockopt"),
    inline(SystemCall.uname, "uname"),
    inline(SystemCall.sysinfo, "sysinfo"),
    inline(SystemCall.times, "times", .any),
    inline(SystemCall.time, "time", .any),
    inline(SystemCall.getrlimit, "getrlimit"),
    inline(SystemCall.gettimeofday, "gettimeofday"),
    Operation(SystemCall.clock_gettime, "clock_gettime", [.neverBlocks, .ownThread], results: [.negative, .zero]),
    inline(SystemCall.clock_getres, "clock_getres"),
    inline(SystemCall.getcpu, "getcpu"),
    inline(SystemCall.kill, "kill"),
  ]

  /// Calls that are refused with -EPERM before they run: they change the process as a whole, or only make sense on the thread that
  /// makes them, and on a worker they would change a worker (the kernel keeps credentials and signal masks per thread).
  static let refusedRows: [Operation] = [
    refused(SystemCall.fork, "fork"),
    refused(SystemCall.vfork, "vfork"),
    refused(SystemCall.clone, "clone"),
    refused(SystemCall.clone3, "clone3"),
    refused(SystemCall.execve, "execve"),
    refused(SystemCall.execveat, "execveat"),
    refused(SystemCall.exit, "exit"),
    refused(SystemCall.exit_group, "exit_group"),
    refused(SystemCall.rt_sigreturn, "rt_sigreturn"),
    refused(SystemCall.rt_sigprocmask, "rt_sigprocmask"),
    refused(SystemCall.rt_sigsuspend, "rt_sigsuspend"),
    refused(SystemCall.rt_sigpending, "rt_sigpending"),
    refused(SystemCall.rt_sigtimedwait, "rt_sigtimedwait"),
    refused(SystemCall.landlock_restrict_self, "landlock_restrict_self"),
    refused(SystemCall.sched_setaffinity, "sched_setaffinity"),
    refused(SystemCall.sched_setscheduler, "sched_setscheduler"),
    refused(SystemCall.sched_setparam, "sched_setparam"),
    refused(SystemCall.sched_setattr, "sched_setattr"),
    refused(SystemCall.setpriority, "setpriority"),
    refused(SystemCall.ioprio_set, "ioprio_set"),
    refused(SystemCall.sigaltstack, "sigaltstack"),
    refused(SystemCall.pause, "pause"),
    refused(SystemCall.gettid, "gettid"),
    refused(SystemCall.set_tid_address, "set_tid_address"),
    refused(SystemCall.set_robust_list, "set_robust_list"),
    refused(SystemCall.get_robust_list, "get_robust_list"),
    refused(SystemCall.rseq, "rseq"),
    refused(SystemCall.arch_prctl, "arch_prctl"),
    refused(SystemCall.prctl, "prctl"),
    refused(SystemCall.seccomp, "seccomp"),
    refused(SystemCall.ptrace, "ptrace"),
    refused(SystemCall.restart_syscall, "restart_syscall"),
    refused(SystemCall.unshare, "unshare"),
    refused(SystemCall.setns, "setns"),
    refused(SystemCall.setuid, "setuid"),
    refused(SystemCall.setgid, "setgid"),
    refused(SystemCall.setreuid, "setreuid"),
    refused(SystemCall.setregid, "setregid"),
    refused(SystemCall.setresuid, "setresuid"),
    refused(SystemCall.setresgid, "setresgid"),
    refused(SystemCall.setfsuid, "setfsuid"),
    refused(SystemCall.setfsgid, "setfsgid"),
    refused(SystemCall.setgroups, "setgroups"),
    refused(SystemCall.capget, "capget"),
    refused(SystemCall.capset, "capset"),
    refused(SystemCall.personality, "personality"),
    refused(SystemCall.iopl, "iopl"),
    refused(SystemCall.ioperm, "ioperm"),
    refused(SystemCall.modify_ldt, "modify_ldt"),
    refused(SystemCall.set_thread_area, "set_thread_area"),
    refused(SystemCall.get_thread_area, "get_thread_area"),
    refused(SystemCall.set_mempolicy, "set_mempolicy"),
    refused(SystemCall.get_mempolicy, "get_mempolicy"),
  ]

  /// Calls that wait with a signal mask: refused with -EPERM if they are given one.
  static let signalMaskRows: [Operation] = [
    Operation(SystemCall.ppoll, "ppoll", [.waits, .signalMask], results: .any, note: "With a signal mask -EPERM."),
    Operation(SystemCall.pselect6, "pselect6", [.waits, .signalMask], results: .any, note: "With a signal mask -EPERM."),
    Operation(
      SystemCall.epoll_pwait, "epoll_pwait", .epollPwait, [.waits, .signalMask], results: .any, note: "With a signal mask -EPERM."),
    Operation(SystemCall.epoll_pwait2, "epoll_pwait2", [.waits, .signalMask], results: .any, note: "With a signal mask -EPERM."),
  ]

  /// Every system call that has no row.
  static let unlistedRow = Operation(-1, "unlisted", .unlisted, results: .any)

  /// All rows that this architecture has.
  static let rows: [Operation] = (ringRows + inlineRows + waitingRows + ownThreadRows + signalMaskRows + refusedRows).filter {
    $0.number >= 0
  }

  static let umemAddNumber = Int(SYSLET_NR_umem_add)
  static let noOperationNumber = Int(SYSLET_NR_nop)

  init(
    _ number: Int, _ name: StaticString, _ traits: Traits, results: ResultClasses, _ roles: [ArgumentRole] = [], note: StaticString = ""
  ) {
    self.init(number, name, opcode: -1, .none, traits, results: results, roles, note: note)
  }

  private static func inline(
    _ number: Int, _ name: StaticString, _ results: ResultClasses = [.negative, .zero]
  ) -> Operation {
    Operation(number, name, .neverBlocks, results: results)
  }

  private static func refused(_ number: Int, _ name: StaticString) -> Operation {
    Operation(number, name, .refused, results: .negative)
  }
}

extension ResultClasses {
  static let any: ResultClasses = [.negative, .zero, .short, .complete]
  /// A descriptor, a process or another number that is not a count of something asked for.
  static let descriptor: ResultClasses = [.negative, .zero, .complete]
}

/// The rows by number, as the engine looks them up: two loads, no hashing.
///
/// The memory is filled once per process and never freed or changed, so every thread may read it.
@safe struct OperationTable: @unchecked Sendable {
  /// Position in `rows` by system call number, for numbers below `numbersMax`; the last row is the unlisted one.
  private let positions: UnsafePointer<UInt16>
  private let rows: UnsafeMutablePointer<Operation>
  let rowCount: Int
  private static let numbersMax = 1 << 16

  static let shared = OperationTable(Operation.rows)

  /// The memory is kept for good: the process's one table, and what tests make.
  init(_ listed: [Operation]) {
    let rows = UnsafeMutablePointer<Operation>.allocate(capacity: listed.count + 1)
    let positions = UnsafeMutablePointer<UInt16>.allocate(capacity: Self.numbersMax)
    unsafe positions.initialize(repeating: UInt16(listed.count), count: Self.numbersMax)
    for (position, operation) in listed.enumerated() {
      unsafe (rows + position).initialize(to: operation)
      unsafe positions[operation.number] = UInt16(position)
    }
    unsafe (rows + listed.count).initialize(to: Operation.unlistedRow)
    unsafe self.rows = unsafe rows
    unsafe self.positions = unsafe UnsafePointer(positions)
    rowCount = listed.count + 1
  }

  /// The position of the row of system call `number`; the unlisted one's for a number that has none.
  @inline(__always)
  func row(_ number: Int) -> UInt16 {
    guard number >= 0, number < Self.numbersMax else { return UInt16(truncatingIfNeeded: rowCount - 1) }
    return unsafe positions[number]
  }

  subscript(row: UInt16) -> Reference<Operation> { unsafe Reference(rows + Int(row)) }

  /// The row of system call `number`.
  func operation(_ number: Int) -> Reference<Operation> { self[row(number)] }
}
