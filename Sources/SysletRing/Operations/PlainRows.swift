// The rows of system calls that io_uring does not have and of which the engine has to know something all the same.

internal import CLiburing

extension Operation {
  /// Calls without an operation that may wait for another party: they must not keep all workers from others. What sends is not among them
  /// (msgsnd, mq_timedsend): receivers that have all workers wait for it.
  static let waitingRows: [Operation] = [
    waiting(SystemCall.flock, "flock"),
    waiting(SystemCall.fcntl, "fcntl", .any),
    Operation(
      SystemCall.wait4, "wait4", [.waits, .ownThread], results: .descriptor, note: "Waiting with __WNOTHREAD: -EPERM."),
    waiting(SystemCall.msgrcv, "msgrcv", .any),
    waiting(SystemCall.semop, "semop"),
    waiting(SystemCall.semtimedop, "semtimedop"),
    waiting(SystemCall.mq_timedreceive, "mq_timedreceive", .any),
    waiting(SystemCall.select, "select", .any),
    waiting(SystemCall.sendmmsg, "sendmmsg", .any),
    waiting(SystemCall.recvmmsg, "recvmmsg", .any),
    waiting(SystemCall.sendfile, "sendfile", .any),
    waiting(SystemCall.splice, "splice", .any),
    waiting(SystemCall.tee, "tee", .any),
    waiting(SystemCall.vmsplice, "vmsplice", .any),
    waiting(SystemCall.futex_waitv, "futex_waitv", .any),
    waiting(SystemCall.io_getevents, "io_getevents", .any),
    Operation(SystemCall.io_pgetevents, "io_pgetevents", [.waits, .signalMask], results: .any, note: "With a signal mask -EPERM."),
  ]

  /// Calls about the thread that makes them, at least with some arguments: the owner makes them where they are met.
  static let ownThreadRows: [Operation] = [
    ownThread(SystemCall.getpriority, "getpriority", note: "Of the thread itself (0)."),
    ownThread(SystemCall.ioprio_get, "ioprio_get", note: "Of the thread itself (0)."),
    ownThread(SystemCall.sched_getaffinity, "sched_getaffinity", note: "Of the thread itself (0)."),
    ownThread(SystemCall.sched_getscheduler, "sched_getscheduler", note: "Of the thread itself (0)."),
    ownThread(SystemCall.sched_getparam, "sched_getparam", note: "Of the thread itself (0)."),
    ownThread(SystemCall.sched_getattr, "sched_getattr", note: "Of the thread itself (0)."),
    ownThread(SystemCall.sched_rr_get_interval, "sched_rr_get_interval", note: "Of the thread itself (0)."),
    ownThread(SystemCall.getrusage, "getrusage", note: "With RUSAGE_THREAD."),
    ownThread(SystemCall.timer_create, "timer_create", note: "With the thread's own processor time."),
    ownThread(SystemCall.perf_event_open, "perf_event_open", note: "Of the thread itself (0)."),
    ownThread(SystemCall.add_key, "add_key", note: "Its keyrings are the thread's."),
    ownThread(SystemCall.request_key, "request_key", note: "Its keyrings are the thread's. It may have to wait for a helper program."),
    ownThread(SystemCall.keyctl, "keyctl", note: "Its keyrings are the thread's."),
    ownThread(SystemCall.io_uring_setup, "io_uring_setup", note: "A ring may be for the thread that made it."),
    ownThread(SystemCall.io_uring_register, "io_uring_register", note: "A ring may be for the thread that made it."),
    ownThread(
      SystemCall.io_uring_enter, "io_uring_enter", note: "What a thread has submitted ends with it. Waiting for completions: -EPERM."),
  ]

  private static func waiting(
    _ number: Int, _ name: StaticString, _ results: ResultClasses = [.negative, .zero]
  ) -> Operation {
    Operation(number, name, .waits, results: results)
  }

  private static func ownThread(_ number: Int, _ name: StaticString, note: StaticString) -> Operation {
    Operation(number, name, .ownThread, results: .any, note: note)
  }
}
