// What keeps a call off the ring, in words that `explain` says.

/// Why a call that io_uring could do in general is not given to the ring with these arguments.
///
/// In one byte, so that a placement is a word: each kind of descriptor and each state is a case of its own.
enum RingObstacle: UInt8, Sendable, Equatable {
  case noOperation
  /// Nothing is known of the operation.
  case isNeverKnown
  case length, offset, position, address, resourceUsage, timeout, clock, futexOperation, pollSet, unreadable
  /// A flag that is not known to mean the same.
  case flags
  /// An open that creates or truncates: a failed one may have had its effect.
  case creation
  /// It could reach the limit of a file's size, which the kernel tells with a signal.
  case sizeLimit
  /// The process's threads may see other names than the ring's (`renewWorkers`).
  case staleNames
  // What the descriptor names, in the order of `DescriptorKind`.
  case isUnknown, isClosed, isFile, isForeignFile, isBlock, isDirectory, isPipe, isFIFO, isStream, isDatagram, isPacket, isLocalStream,
    isForeignSocket,
    isCharacter, isAnonymous
  // The state in which it is, in the order of `DescriptorStates`.
  case isNonblocking, hasLowWater, hasReceiveTimeout, hasSendTimeout, appends, isUnreadable, isUnwritable, lingers

  /// What the descriptor names is not known to be the same.
  static func kind(_ kind: DescriptorKind) -> RingObstacle { RingObstacle(rawValue: isUnknown.rawValue + kind.rawValue)! }
  /// Nor is a state in which it is: the first of these.
  static func states(_ states: DescriptorStates) -> RingObstacle {
    RingObstacle(rawValue: isNonblocking.rawValue + UInt8(states.rawValue.trailingZeroBitCount))!
  }
}

extension RingObstacle: CustomStringConvertible {
  var description: String {
    if rawValue >= Self.isNonblocking.rawValue {
      return "the ring is not known to do the same with \(DescriptorStates(rawValue: 1 << (rawValue - Self.isNonblocking.rawValue)))"
    }
    if rawValue >= Self.isUnknown.rawValue, let kind = DescriptorKind(rawValue: rawValue - Self.isUnknown.rawValue) {
      if kind == .closed { return "the descriptor names nothing yet: what it names when the atom is reached decides where it is made" }
      return "the descriptor names \(kind), for which the ring is not known to do the same"
    }
    return switch self {
    case .noOperation: "io_uring has no such operation"
    case .isNeverKnown: "the ring's operation is not known to do the same, or to have done nothing where it refuses"
    case .length: "the ring does not take this length as the system call does"
    case .offset: "a negative offset means the file's position to the ring"
    case .position: "it is at the file's own position, which the ring does not move as the system call does"
    case .address: "the ring does not take this address as the system call does"
    case .resourceUsage: "the ring's waitid reports no resource usage"
    case .timeout: "the ring's operation takes no timeout"
    case .clock: "the ring has no such clock, or reads its times otherwise"
    case .futexOperation: "the ring has only wait and wake, without a timeout"
    case .pollSet: "the ring polls one descriptor at a time"
    case .unreadable: "a structure behind a pointer cannot be read"
    case .flags: "it has a flag that the ring is not known to take as the system call does"
    case .creation: "it creates or truncates, and a try on the ring that fails may have done so"
    case .sizeLimit: "the file could reach the limit of its size, which the ring tells with a signal"
    default: "the workers were renewed, and the ring's own threads may still see the names of before"
    }
  }
}
