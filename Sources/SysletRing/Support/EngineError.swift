// What an engine can refuse, and what the user can do about it. A system call's failure is not here: it is data, a negative result.

internal import Glibc

/// Why an engine refused. Every case's `description` names what was wrong, where, and what to do.
public enum EngineError: Error, Equatable, Sendable {
  /// io_uring cannot be used here. `call` failed with `errno`.
  case ringUnavailable(call: String, errno: Int32)
  /// An option has a value that cannot work.
  case invalidOption(name: String, value: String, rule: String)
  /// The memory at `address` is not a well-formed atom.
  case malformedAtom(address: UInt, rule: String)
  /// The atom at `address` cannot be read (checked engines only).
  case unreadableAtom(address: UInt)
  /// A completion ring that cannot be registered.
  case invalidRing(rule: String)
  /// A completion ring is registered already.
  case ringRegistered
  /// No completion ring is registered.
  case noRingRegistered
  /// No syslet with this head is pending.
  case notPending(address: UInt)
  /// As many syslets as the engine can hold are pending or completed and not yet taken.
  case full(limit: Int)
  /// The engine was called from a thread that does not own it.
  case wrongThread
  /// The engine was called in a forked child.
  case forked
  /// The engine is closed.
  case closed
  /// The kernel refused something that the engine cannot go on without.
  case kernel(call: String, errno: Int32)
  /// The kernel ran `operation` of a syslet that had stopped before it, though the start-up self-test saw such links hold.
  case stopOverrun(operation: String, result: Int)
}

extension EngineError: CustomStringConvertible {
  /// What was wrong, and what to do.
  public var description: String {
    switch self {
    case .ringUnavailable(let call, let errno):
      return "io_uring cannot be used here: \(call) failed with \(ErrorNumber.name(errno)). \(Self.cure(call, errno))"
    case .invalidOption(let name, let value, let rule):
      return "the option \(name) is \(value): \(rule)"
    case .malformedAtom(let address, let rule):
      return "the atom at \(hex(address)) is malformed: \(rule)"
    case .unreadableAtom(let address):
      return "the atom at \(hex(address)) cannot be read: the address is not mapped. Keep atoms alive until their syslet has completed"
    case .invalidRing(let rule):
      return "the completion ring cannot be registered: \(rule)"
    case .ringRegistered:
      return "a completion ring is registered, so completions go there: unregister() it first, or read the ring's slots"
    case .noRingRegistered:
      return "no completion ring is registered: register(_:) one first"
    case .notPending(let address):
      return "no syslet with the head \(hex(address)) is pending: it has completed, or was never submitted to this engine"
    case .full(let limit):
      return "the engine holds \(limit) syslets, which is its limit: take completions with wait, or raise Options.maxPending"
    case .wrongThread:
      return "the engine was called from a thread that does not own it: use an engine on the thread that made it, one engine per thread"
    case .forked:
      return "the engine was inherited by a forked child, where its ring and workers do not exist: make a new engine after the fork"
    case .closed:
      return "the engine is closed: make a new one"
    case .kernel(let call, let errno):
      let cure = Self.limit(call, errno).map { ". " + $0 } ?? ""
      return "\(call) failed with \(ErrorNumber.name(errno)), and the engine cannot go on without it\(cure)"
    case .stopOverrun(let operation, let result):
      return
        "the kernel ran \(operation), with the result \(result), although its syslet had stopped before it: links do not hold on this kernel as they did when the engine was started. Nothing further was given to it; use the backend threads, and report the kernel's version"
    }
  }

  /// The limit that is reached where `call` fails with `errno`, and how it is raised; nil for none.
  private static func limit(_ call: String, _ errno: Int32) -> String? {
    switch errno {
    case EAGAIN where call.hasPrefix("pthread_create"):
      return
        "No more threads may be started: the user's processes and threads are as many as `ulimit -u` allows (or the control group's pids.max). Raise the limit, or end some; Options.maxWorkers bounds an engine's own"
    case ENOMEM where call.contains("Options."):
      return "There is not so much address space (`ulimit -v`) or memory. Set the option lower, or raise the limit"
    case ENOMEM: return "There is too little memory or address space (`ulimit -v`)"
    case EMFILE, ENFILE: return "Too many files are open: raise `ulimit -n`, or close engines that are no longer used"
    default: return nil
    }
  }

  /// What to do about a ring that cannot be had: three causes, three different cures (docs/OPERATIONS.md, "Where it runs").
  private static func cure(_ call: String, _ errno: Int32) -> String {
    switch errno {
    case ENOMEM where !call.hasPrefix("io_uring"), EAGAIN, EMFILE, ENFILE:
      return limit(call, errno) ?? "Use the backend automatic or threads"
    case EPERM:
      return
        "It is forbidden: by the sysctl kernel.io_uring_disabled (see /proc/sys/kernel/io_uring_disabled; 0 allows it) or by a seccomp filter, as containers have by default (Docker: run with --security-opt seccomp=PROFILE, where PROFILE allows io_uring_setup, io_uring_enter and io_uring_register). Until then use the backend automatic or threads"
    case ENOSYS:
      return
        "The call does not exist here: the kernel is older than Linux 5.1 or built without io_uring, or a sandbox (gVisor, a seccomp filter that answers ENOSYS) hides it. Run on a stock kernel or outside the sandbox, or use the backend automatic or threads"
    case ENOMEM:
      return
        "There is not enough memory that may be locked, not even for a small ring: without CAP_IPC_LOCK the rings of all of a user's processes count together against RLIMIT_MEMLOCK (see `ulimit -l`), on Linux 6.18 as on those before 5.12, and a closed one counts for a moment longer. A ring takes 80 KiB with the default options. Raise the limit, close engines, use fewer Options.entries and completionEntries, or the backend automatic or threads. A control group without memory gives the same error"
    case EOPNOTSUPP:
      return
        "This kernel's io_uring lacks features that the engine needs (EXT_ARG, NODROP, RW_CUR_POS, SUBMIT_STABLE): Linux 5.11 or newer has them. Use the backend automatic or threads"
    default:
      return "Use the backend automatic or threads"
    }
  }
}

func hex(_ address: UInt) -> String { "0x" + String(address, radix: 16) }

/// Symbolic names of errno values.
enum ErrorNumber {
  /// The name and the meaning of `errno`, such as "EPERM (Operation not permitted)".
  static func name(_ errno: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    unsafe strerror_r(errno, &buffer, buffer.count)
    let meaning = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let symbol = symbols[errno] else { return "errno \(errno) (\(meaning))" }
    return "\(symbol) (\(meaning))"
  }

  private static let symbols: [Int32: String] = [
    EPERM: "EPERM", ENOENT: "ENOENT", EINTR: "EINTR", EIO: "EIO", EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM",
    EACCES: "EACCES", EFAULT: "EFAULT", EBUSY: "EBUSY", EEXIST: "EEXIST", ENODEV: "ENODEV", ENOTDIR: "ENOTDIR", EISDIR: "EISDIR",
    EINVAL: "EINVAL", ENFILE: "ENFILE", EMFILE: "EMFILE", ENOSPC: "ENOSPC", EROFS: "EROFS", ENOSYS: "ENOSYS", EBADR: "EBADR",
    EOPNOTSUPP: "EOPNOTSUPP", EOWNERDEAD: "EOWNERDEAD", ECANCELED: "ECANCELED", ETIME: "ETIME", EBADFD: "EBADFD", ENXIO: "ENXIO",
    E2BIG: "E2BIG", ESRCH: "ESRCH", ENOEXEC: "ENOEXEC", ECHILD: "ECHILD", EXDEV: "EXDEV", ENOTTY: "ENOTTY", ETXTBSY: "ETXTBSY",
    EFBIG: "EFBIG", ESPIPE: "ESPIPE", EMLINK: "EMLINK", EPIPE: "EPIPE", EDOM: "EDOM", ERANGE: "ERANGE", EDEADLK: "EDEADLK",
    ENAMETOOLONG: "ENAMETOOLONG", ENOLCK: "ENOLCK", ENOTEMPTY: "ENOTEMPTY", ELOOP: "ELOOP", ENODATA: "ENODATA", EOVERFLOW: "EOVERFLOW",
    EILSEQ: "EILSEQ", EUSERS: "EUSERS", ENOTSOCK: "ENOTSOCK", EDESTADDRREQ: "EDESTADDRREQ", EMSGSIZE: "EMSGSIZE", EPROTOTYPE: "EPROTOTYPE",
    ENOPROTOOPT: "ENOPROTOOPT", EPROTONOSUPPORT: "EPROTONOSUPPORT", EAFNOSUPPORT: "EAFNOSUPPORT", EADDRINUSE: "EADDRINUSE",
    EADDRNOTAVAIL: "EADDRNOTAVAIL", ENETDOWN: "ENETDOWN", ENETUNREACH: "ENETUNREACH", ENETRESET: "ENETRESET", ECONNABORTED: "ECONNABORTED",
    ECONNRESET: "ECONNRESET", ENOBUFS: "ENOBUFS", EISCONN: "EISCONN", ENOTCONN: "ENOTCONN", ETIMEDOUT: "ETIMEDOUT",
    ECONNREFUSED: "ECONNREFUSED", EHOSTDOWN: "EHOSTDOWN", EHOSTUNREACH: "EHOSTUNREACH", EALREADY: "EALREADY", EINPROGRESS: "EINPROGRESS",
    ESTALE: "ESTALE", EDQUOT: "EDQUOT", EPROTO: "EPROTO",
  ]
}
