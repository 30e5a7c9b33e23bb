// What the ring's results mean, where they are not the system call's own (law L9).

internal import Glibc

extension Encoding {
  /// The system call's result for a result of the ring; `first` is the call's first argument. nil: only the system call can tell.
  func systemCallResult(_ result: Int, _ first: UInt64) -> Int? {
    switch self {
    case .nanosleep, .clockNanosleep:
      return result == -Int(ETIME) ? 0 : result
    case .poll:
      // poll(2) answers a closed descriptor with POLLNVAL in revents, not with an error.
      guard result >= 0 || result == -Int(EBADF) else { return result }
      guard let entry = UserMemory.load(first, as: pollfd.self) else { return -Int(EFAULT) }
      // The ring also reports, and ends on, POLLRDHUP, for which nobody has asked.
      let asked = Int(UInt16(bitPattern: entry.events)) | Int(POLLERR) | Int(POLLHUP)
      let revents = result >= 0 ? result & asked : Int(POLLNVAL)
      guard revents != 0 else { return nil }
      let field = first &+ UInt64(MemoryLayout<pollfd>.offset(of: \pollfd.revents)!)
      return UserMemory.store(Int16(truncatingIfNeeded: revents), field) ? 1 : -Int(EFAULT)
    case .sendMessage, .receiveMessage:
      // Linux 6.1 looks at the vectors itself, and has another error for too many of them.
      return result == -Int(EINVAL) && Self.hasTooManyVectors(first) ? -Int(EMSGSIZE) : result
    default:
      return result
    }
  }

  var isMessage: Bool { self == .sendMessage || self == .receiveMessage }

  /// Whether that is what sendmsg(2) and recvmsg(2) find wrong with a header.
  private static func hasTooManyVectors(_ header: UInt64) -> Bool {
    func field<T: BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T? { UserMemory.load(header &+ UInt64(offset), as: type) }
    guard let name = field(0, as: UInt.self), let nameBytes = field(8, as: Int32.self), let count = field(24, as: UInt.self) else {
      return false
    }
    return count > OperationForm.vectorsMax && (name == 0 || nameBytes >= 0)
  }
}

extension OperationForm {
  /// `Encoding.systemCallResult`.
  func systemCallResult(_ result: Int, _ first: UInt64) -> Int? { encoding.systemCallResult(result, first) }
}
