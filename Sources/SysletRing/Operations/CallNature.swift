// What a call's row and its arguments tell together: whether it may wait for another party, and whether it is about the thread that makes it.

internal import CLiburing
internal import Glibc

/// Where a call may be made, as far as it reads or changes what the kernel keeps for each thread.
enum ThreadNeed {
  /// On any thread.
  case none
  /// On the owner's only. Such a call does not wait.
  case inPlace
  /// Nowhere: -EPERM. It would have to be made on the owner's thread, and would hold it.
  case refused
}

extension Operation.Traits {
  /// Whether a call of `number` may wait for another party for any length of time, so that it keeps a worker which others may need.
  func mayWait(_ number: Int, _ arguments: Arguments) -> Bool {
    guard contains(.waits) else { return false }
    switch number {
    case SystemCall.flock: return arguments.low(1) & UInt32(LOCK_NB | LOCK_UN) == 0
    case SystemCall.fcntl:
      guard arguments.low(1) == UInt32(F_SETLKW) || arguments.low(1) == Self.setOpenLockAndWait else { return false }
      return UserMemory.load(arguments[2], as: Int16.self) != Int16(F_UNLCK)
    // One that only adds lets go of others, which must not keep it from that.
    case SystemCall.semop, SystemCall.semtimedop: return (UserMemory.load(arguments[1] &+ 2, as: Int16.self) ?? 0) <= 0
    case SystemCall.futex:
      switch arguments.low(1) & Self.futexCommands {
      case Self.futexWait, Self.futexWaitBits, Self.futexLockPI, Self.futexWaitRequeuePI, Self.futexLockPI2: return true
      default: return false
      }
    case SystemCall.wait4: return arguments.low(2) & UInt32(WNOHANG) == 0
    case SystemCall.waitid: return arguments.low(3) & UInt32(WNOHANG) == 0
    case SystemCall.msgrcv: return arguments.low(4) & Self.ipcNoWait == 0
    case SystemCall.sendto, SystemCall.recvfrom, SystemCall.sendmmsg, SystemCall.recvmmsg: return arguments.low(3) & Self.dontWait == 0
    case SystemCall.sendmsg, SystemCall.recvmsg: return arguments.low(2) & Self.dontWait == 0
    case SystemCall.poll: return arguments.low(2) != 0
    // Of a file, which is there. To a socket that waits for nobody.
    case SystemCall.sendfile:
      let flags = syslet_call(SystemCall.fcntl, arguments[0], UInt64(F_GETFL), 0, 0, 0, 0)
      return flags >= 0 && flags & Int(O_NONBLOCK) == 0
    case SystemCall.epoll_wait, SystemCall.epoll_pwait: return arguments.low(3) != 0
    default: return true
    }
  }

  /// Where a call of `number` may be made.
  func threadNeed(_ number: Int, _ arguments: Arguments) -> ThreadNeed {
    guard contains(.ownThread) else { return .none }
    switch number {
    case SystemCall.getpriority: return arguments.low(0) == 0 && arguments.low(1) == 0 ? .inPlace : .none
    case SystemCall.ioprio_get: return arguments.low(0) == Self.ioprioOfProcess && arguments.low(1) == 0 ? .inPlace : .none
    case SystemCall.sched_getaffinity, SystemCall.sched_getscheduler, SystemCall.sched_getparam, SystemCall.sched_getattr,
      SystemCall.sched_rr_get_interval:
      return arguments.low(0) == 0 ? .inPlace : .none
    case SystemCall.getrusage: return arguments.low(0) == Self.usageOfThread ? .inPlace : .none
    case SystemCall.clock_gettime, SystemCall.timer_create:
      return Self.isOwnThreadsClock(Int32(bitPattern: arguments.low(0))) ? .inPlace : .none
    case SystemCall.perf_event_open: return arguments.low(1) == 0 ? .inPlace : .none
    case SystemCall.wait4: return childrenOfThread(arguments.low(2))
    case SystemCall.waitid: return childrenOfThread(arguments.low(3))
    case SystemCall.futex:
      switch arguments.low(1) & Self.futexCommands {
      // The kernel notes which thread has such a lock.
      case Self.futexLockPI, Self.futexLockPI2, Self.futexWaitRequeuePI: return .refused
      case Self.futexUnlockPI, Self.futexTryLockPI: return .inPlace
      default: return .none
      }
    case SystemCall.io_uring_enter:
      // What a thread has submitted is cancelled when it ends, as idle workers do.
      return arguments.low(3) & Self.enterGetEvents != 0 && arguments.low(2) > 0 ? .refused : .inPlace
    default: return .inPlace
    }
  }

  private func childrenOfThread(_ options: UInt32) -> ThreadNeed {
    guard options & Self.noThread != 0 else { return .none }
    return options & UInt32(WNOHANG) != 0 ? .inPlace : .refused
  }

  /// CLOCK_THREAD_CPUTIME_ID, and the clock of thread 0, which is the calling one (`pthread_getcpuclockid`).
  private static func isOwnThreadsClock(_ clock: Int32) -> Bool {
    clock == 3 || clock < 0 && clock & 4 != 0 && ~clock >> 3 == 0
  }

  private static let setOpenLockAndWait: UInt32 = 38  // F_OFD_SETLKW
  private static let ipcNoWait: UInt32 = 0o4000  // IPC_NOWAIT
  private static let dontWait: UInt32 = 0x40  // MSG_DONTWAIT
  private static let noThread: UInt32 = 0x2000_0000  // __WNOTHREAD
  private static let usageOfThread: UInt32 = 1  // RUSAGE_THREAD
  private static let ioprioOfProcess: UInt32 = 1  // IOPRIO_WHO_PROCESS
  private static let enterGetEvents: UInt32 = 1  // IORING_ENTER_GETEVENTS
  /// Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
  private static let futexCommands: UInt32 = 0x7F
  private static let futexWait: UInt32 = 0
  private static let futexWaitBits: UInt32 = 9
  private static let futexLockPI: UInt32 = 6
  private static let futexUnlockPI: UInt32 = 7
  private static let futexTryLockPI: UInt32 = 8
  private static let futexWaitRequeuePI: UInt32 = 11
  private static let futexLockPI2: UInt32 = 13
}
