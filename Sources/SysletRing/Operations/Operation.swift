// One row of the operation table: everything that the translator, the encoder, the router, the calibration, `explain` and
// docs/OPERATIONS.md know about a system call.

internal import Glibc

/// What the kernel does with one argument of a system call, and when.
///
/// "Captured" is read when the SQE is *submitted*, "read" and "filled" when it is *issued*. Inside one segment bytes may therefore flow
/// from an earlier call's filled memory to a later call's read memory, and nowhere else.
struct ArgumentRole: Sendable {
  enum Kind: UInt8, Sendable {
    /// A number that the kernel takes as it is.
    case value
    /// A string, captured: up to PATH_MAX bytes.
    case path
    /// Memory of known size, captured.
    case captured
    /// Memory of known size, read.
    case read
    /// Memory of known size, filled.
    case filled
    /// Memory of known size, captured and then filled.
    case exchanged
    /// An array of `struct iovec`, captured, whose buffers are read, or filled.
    case vectorRead
    case vectorFilled
    /// A `struct msghdr`, captured, whose buffers are read, or filled (then the header is filled too).
    case messageRead
    case messageFilled
    /// Memory whose size the table cannot tell, filled.
    case filledUnbounded
    /// Memory of known size, captured, and filled by the engine when the whole segment has been reaped: `poll`'s revents.
    case deferred
  }

  let kind: Kind
  /// Bytes, if not negative; otherwise the bytes are in argument `-(byteCount + 1)`.
  let byteCount: Int32

  static let value = ArgumentRole(kind: .value, byteCount: 0)
  static let path = ArgumentRole(kind: .path, byteCount: 4096)
  static func captured(_ byteCount: Int32) -> ArgumentRole { ArgumentRole(kind: .captured, byteCount: byteCount) }
  static func captured(countIn argument: Int32) -> ArgumentRole { ArgumentRole(kind: .captured, byteCount: -(argument + 1)) }
  static func read(_ byteCount: Int32) -> ArgumentRole { ArgumentRole(kind: .read, byteCount: byteCount) }
  static func deferred(_ byteCount: Int32) -> ArgumentRole { ArgumentRole(kind: .deferred, byteCount: byteCount) }
  static let filledUnbounded = ArgumentRole(kind: .filledUnbounded, byteCount: 0)
  static func read(countIn argument: Int32) -> ArgumentRole { ArgumentRole(kind: .read, byteCount: -(argument + 1)) }
  static func filled(_ byteCount: Int32) -> ArgumentRole { ArgumentRole(kind: .filled, byteCount: byteCount) }
  static func filled(countIn argument: Int32) -> ArgumentRole { ArgumentRole(kind: .filled, byteCount: -(argument + 1)) }
  static func exchanged(_ byteCount: Int32) -> ArgumentRole { ArgumentRole(kind: .exchanged, byteCount: byteCount) }
  /// The count in `argument` is of iovecs, of 16 bytes each.
  static func vectorRead(countIn argument: Int32) -> ArgumentRole { ArgumentRole(kind: .vectorRead, byteCount: -(argument + 1)) }
  static func vectorFilled(countIn argument: Int32) -> ArgumentRole { ArgumentRole(kind: .vectorFilled, byteCount: -(argument + 1)) }
  static let messageRead = ArgumentRole(kind: .messageRead, byteCount: 56)
  static let messageFilled = ArgumentRole(kind: .messageFilled, byteCount: 56)
}

/// On which results the kernel's reference behaviour severs a soft link after a call. The start-up self-test may take classes away,
/// never add any (`Severing`).
enum LinkBehaviour: UInt8, Sendable, CaseIterable {
  /// Severs on negative results.
  case failure
  /// A transfer: severs on negative, and with a length above 0 on zero and short.
  case transfer
  /// A transfer whose length only its iovecs know, so that a zero cannot be told from an empty one: negative and short.
  case vectorTransfer
  /// recv and send: negative; with `MSG_WAITALL` and a length above 0 also zero and short.
  case message
}

/// What the ring needs to know of a system call: few bytes, because a method's self is copied on the way to every call (a whole
/// `Operation` is 145 bytes, and was 3 % of a nop syslet).
struct OperationForm: Sendable {
  /// The io_uring operation that does the same; -1 without one.
  let opcode: Int16
  let encoding: Encoding
  let links: LinkBehaviour
  /// The classes of results that the call can produce.
  let results: ResultClasses
  /// What the engine has to know of it at every step, in one byte.
  let nature: Nature

  struct Nature: OptionSet, Sendable {
    let rawValue: UInt8
    /// It may wait for another party.
    static let waits = Nature(rawValue: 1)
    /// When it has been made, what `DescriptorFacts` keeps may not hold any more: a descriptor names something else than before, or has another option.
    static let descriptors = Nature(rawValue: 2)
    /// It opens a name, which may be a FIFO's.
    static let open = Nature(rawValue: 4)
    /// It looks names up, or depends otherwise on the rights of the thread that makes it.
    static let names = Nature(rawValue: 8)
    /// It reads or writes by descriptor, so that it may wait for what the descriptor names.
    static let transfer = Nature(rawValue: 16)
    /// `RingKnowledge.isRepeatable`.
    static let repeatable = Nature(rawValue: 32)
    /// What its descriptor names, or its flags, decide whether the ring does what the system call does.
    static let conditional = Nature(rawValue: 64)
    /// What it does depends on what its first argument names as a descriptor.
    static let ofDescriptor = Nature(rawValue: 128)
    /// What is to be looked after when it has been made.
    static let aftermath: Nature = [.waits, .descriptors, .open]
  }

  var hasOpcode: Bool { opcode >= 0 }
}

/// One system call.
struct Operation: Sendable {
  struct Traits: OptionSet, Sendable {
    let rawValue: UInt16
    /// Never blocks, and costs less than handing it anywhere: runs inline where it is met.
    static let neverBlocks = Traits(rawValue: 1)
    /// io_uring always hands it to a kernel worker, at several times the cost of the plain call.
    static let punted = Traits(rawValue: 2)
    /// Refused with -EPERM: it changes the process, or makes sense on the caller's own thread only.
    static let refused = Traits(rawValue: 4)
    /// May wait for another party for any length of time.
    static let waits = Traits(rawValue: 8)
    /// A pseudo call of ours, not a system call.
    static let pseudo = Traits(rawValue: 16)
    /// Takes a signal mask for the time of the call, which on a worker would shut out the signal that interrupts it.
    static let signalMask = Traits(rawValue: 64)
    /// Punted with some arguments: an open that creates or truncates, the close of a file that has something to flush.
    static let mayPunt = Traits(rawValue: 128)
    /// Not in the table: some other system call, which runs on a worker or inline.
    static let unlisted = Traits(rawValue: 32)
    /// With some arguments it reads or changes what the kernel keeps for the thread that makes it: see `threadNeed`.
    static let ownThread = Traits(rawValue: 256)
    /// Never blocks but on what a file server has (FUSE, NFS), which it may ask.
    static let asksServer = Traits(rawValue: 512)
  }

  let number: Int
  /// The kernel's name, as in `man 2 syscalls`.
  let name: StaticString
  let form: OperationForm
  let traits: Traits
  let roles: (ArgumentRole, ArgumentRole, ArgumentRole, ArgumentRole, ArgumentRole, ArgumentRole)
  /// When the ring is known to do what the system call does.
  let knowledge: RingKnowledge
  /// When the ring is not used although there is an operation, and what else a user should know; empty for nothing.
  let note: StaticString

  /// Whether the kernel reads or fills user memory for this call: most need no look at hazards.
  let hasMemory: Bool

  var opcode: Int16 { form.opcode }
  var encoding: Encoding { form.encoding }
  var links: LinkBehaviour { form.links }
  var results: ResultClasses { form.results }
  var hasOpcode: Bool { form.hasOpcode }

  init(
    _ number: Int, _ name: StaticString, opcode: Int = -1, _ encoding: Encoding = .none, links: LinkBehaviour = .failure,
    _ traits: Traits = [], results: ResultClasses = [.negative, .zero], known: RingKnowledge = .always, _ roles: [ArgumentRole] = [],
    note: StaticString = ""
  ) {
    self.number = number
    self.name = name
    knowledge = known
    form = OperationForm(
      opcode: Int16(opcode), encoding: encoding, links: links, results: results,
      nature: encoding.nature
        .union(traits.contains(.waits) ? .waits : [])
        .union(known.isRepeatable ? .repeatable : [])
        .union(known.dependsOnDescriptor || known.flagsArgument >= 0 ? .conditional : [])
        .union(number == SystemCall.setsockopt ? .descriptors : []))
    self.traits = traits
    func role(_ index: Int) -> ArgumentRole { index < roles.count ? roles[index] : .value }
    self.roles = (role(0), role(1), role(2), role(3), role(4), role(5))
    self.note = note
    hasMemory = roles.contains { $0.kind != .value }
  }

  /// The same row with other knowledge, right or wrong: for tests.
  func knowing(_ knowledge: RingKnowledge) -> Operation {
    Operation(
      number, name, opcode: Int(opcode), encoding, links: links, traits, results: results, known: knowledge, (0..<6).map { role($0) },
      note: note)
  }

  func role(_ index: Int) -> ArgumentRole {
    switch index {
    case 0: roles.0
    case 1: roles.1
    case 2: roles.2
    case 3: roles.3
    case 4: roles.4
    default: roles.5
    }
  }
}

extension OperationForm {
  /// Whether the call needs a timer and nothing else.
  var isSleep: Bool { encoding == .nanosleep || encoding == .clockNanosleep }

  /// Whether the call is a sleep whose end the engine's own clock knows: it goes as CLOCK_MONOTONIC does, and nobody sets it.
  func isTimer(_ arguments: Arguments) -> Bool {
    guard encoding == .clockNanosleep else { return encoding == .nanosleep }
    let clock = Int32(bitPattern: arguments.low(0))
    return clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME && arguments.low(1) & UInt32(TIMER_ABSTIME) == 0
  }

  /// Whether the call writes from a buffer or from iovecs.
  var isWrite: Bool {
    switch encoding {
    case .write, .writeAt, .writeVector, .writeVectorAt, .writeVectorFlags: true
    default: false
    }
  }

  /// Whether the call reads into one buffer.
  var isPlainRead: Bool { encoding == .read || encoding == .readAt }

  /// Whether the call does the same to a file with O_NONBLOCK as without.
  var ignoresNonblocking: Bool {
    switch encoding {
    case .read, .readAt, .statx, .close: true
    default: false
    }
  }

  /// Whether the bytes are in memory that only iovecs name.
  var hasVectors: Bool {
    switch encoding {
    case .readVector, .readVectorAt, .readVectorFlags, .writeVector, .writeVectorAt, .writeVectorFlags: true
    default: false
    }
  }

  /// Whether the call reads or writes by descriptor, so that it may wait for what the descriptor names.
  var isTransfer: Bool { nature.contains(.transfer) }

  /// Whether what the call does depends on what its first argument names as a descriptor.
  var dependsOnDescriptor: Bool { nature.contains(.ofDescriptor) }

  /// Whether the call opens a name.
  var isOpen: Bool { nature.contains(.open) }

  /// Whether the call sends something, by a descriptor that must be a socket's.
  var isSend: Bool { encoding == .sendTo || encoding == .sendMessage }

  /// Whether the call waits for what was written to be where the file is kept.
  var writesBack: Bool { encoding == .fsync || encoding == .fdatasync || encoding == .syncFileRange }

  /// Whether the call names a place in the file, instead of the file's position.
  func takesOffset(_ arguments: Arguments) -> Bool {
    switch encoding {
    case .readAt, .writeAt, .readVectorAt, .writeVectorAt: true
    case .readVectorFlags, .writeVectorFlags: arguments[3] != UInt64.max
    default: false
    }
  }

  /// The argument that is a transfer's length in bytes, as `LinkBehaviour` means it; nil where links do not depend on one.
  var lengthArgument: Int? {
    switch encoding {
    case .read, .readAt, .write, .writeAt, .sendTo, .receiveFrom: 2
    default: nil
    }
  }

  /// The results that make a soft link after this call sever by the reference, for these arguments.
  func severingResults(_ arguments: Arguments) -> ResultClasses {
    switch links {
    case .failure: return .negative
    case .vectorTransfer: return [.negative, .short]
    case .transfer:
      guard let lengthArgument, arguments[lengthArgument] > 0 else { return .negative }
      return [.negative, .zero, .short]
    case .message:
      let waitAll: UInt64 = 0x100  // MSG_WAITALL
      guard arguments[2] > 0, arguments[3] & waitAll != 0 else { return .negative }
      return [.negative, .zero, .short]
    }
  }

  /// The results that this call can produce with these arguments.
  func reachableResults(_ arguments: Arguments) -> ResultClasses {
    // With MSG_TRUNC a recv of length 0 gives the datagram's size.
    if encoding != .receiveFrom, let lengthArgument, arguments[lengthArgument] == 0 { return results.intersection([.negative, .zero]) }
    return results
  }
}

/// The six argument words of a call.
struct Arguments: Sendable {
  var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

  init() { words = (0, 0, 0, 0, 0, 0) }
  init(_ words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// Sets the words from `index` on to 0.
  @inline(__always)
  mutating func clear(from index: Int) {
    if index <= 0 { words.0 = 0 }
    if index <= 1 { words.1 = 0 }
    if index <= 2 { words.2 = 0 }
    if index <= 3 { words.3 = 0 }
    if index <= 4 { words.4 = 0 }
    if index <= 5 { words.5 = 0 }
  }

  subscript(index: Int) -> UInt64 {
    get {
      switch index {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      case 3: words.3
      case 4: words.4
      default: words.5
      }
    }
    set {
      switch index {
      case 0: words.0 = newValue
      case 1: words.1 = newValue
      case 2: words.2 = newValue
      case 3: words.3 = newValue
      case 4: words.4 = newValue
      default: words.5 = newValue
      }
    }
  }
}

extension OperationForm {
  /// The results that can sever a soft link after this call with some arguments.
  var severingResultsMax: ResultClasses {
    switch links {
    case .failure: .negative
    case .vectorTransfer: [.negative, .short]
    case .transfer, .message: [.negative, .zero, .short]
    }
  }
}

extension Arguments {
  func low(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index]) }
  func descriptor(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: self[index]) }
}
