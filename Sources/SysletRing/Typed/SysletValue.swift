// Values that exist only when the program runs.

public import SystemPackage

/// What a step will give, or an argument of the program, when it runs.
///
/// It can be given to later steps, compared (`==`, `<` and the like give a `SysletCondition`) and returned; it cannot be looked at while the program
/// is built.
public struct SysletValue<Wrapped> {
  enum Content {
    case operand(Operand)
    /// A path that stands in the program.
    case path(FilePath)
  }

  let content: Content
  /// Who has made it, in which block and where; nil for a literal.
  let origin: ValueOrigin?
  /// The number of bytes of what was lent.
  var count: Operand?
  /// What it is at most, where that is known while the program is built; it is not negative then.
  var bound: Int?

  init(_ operand: Operand, _ origin: ValueOrigin?, count: Operand? = nil) {
    content = .operand(operand)
    self.origin = origin
    self.count = count
  }

  init(literal content: Content) {
    self.content = content
    origin = nil
    if case .operand(.constant(let value)) = content { bound = Int(exactly: value) }
  }
}

/// Where a value comes from.
final class ValueOrigin {
  let builder: SysletBuilder
  let block: Block
  let name: String
  let place: SourcePlace
  /// The descriptor that it is, if the program has opened it.
  let descriptor: OwnedDescriptor?
  /// A descriptor that `choose` gives, which is another one's.
  var isChosen = false

  init(_ builder: SysletBuilder, _ block: Block, _ name: String, _ place: SourcePlace, _ descriptor: OwnedDescriptor? = nil) {
    (self.builder, self.block, self.name, self.place, self.descriptor) = (builder, block, name, place, descriptor)
  }
}

extension SysletValue: ExpressibleByIntegerLiteral where Wrapped == Int {
  /// A number that stands in the program.
  public init(integerLiteral value: Int) { self.init(literal: .operand(.integer(value))) }
}

extension SysletValue: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral, ExpressibleByStringLiteral
where Wrapped == FilePath {
  /// A path that stands in the program.
  public init(stringLiteral value: String) { self.init(literal: .path(FilePath(value))) }
}

/// Bytes that the caller of `run` lends for reading: `from:`.
public struct Bytes: Sendable {}

/// Bytes that the caller of `run` lends for filling: `into:`.
public struct MutableBytes: Sendable {}

/// What `status` tells of a file, as statx(2) does.
public struct SysletStatus: Sendable, Hashable {
  /// Bytes.
  public var size: Int
  /// Type and permissions, as `st_mode`.
  public var mode: UInt32
  /// The number of hard links.
  public var links: Int
  /// The owner: a user.
  public var user: UInt32
  /// The group that it belongs to.
  public var group: UInt32
  /// The inode's number.
  public var inode: UInt64
  /// The device that has the file, as `st_dev`: an inode's number is one of its.
  public var device: UInt64
  /// Blocks of 512 bytes that it has on its device.
  public var blocks: Int
  /// The last change of its bytes: seconds since 1970, and nanoseconds.
  public var modified: (seconds: Int64, nanoseconds: UInt32) { (modifiedSeconds, modifiedNanoseconds) }
  var modifiedSeconds: Int64
  var modifiedNanoseconds: UInt32

  /// What it may be used for: the lowest twelve bits of `mode`.
  public var permissions: FilePermissions { FilePermissions(rawValue: CModeT(mode & 0o7777)) }
  /// Whether it is a folder.
  public var isDirectory: Bool { mode & 0o170000 == 0o040000 }
  /// Whether it is a file with bytes of its own.
  public var isRegularFile: Bool { mode & 0o170000 == 0o100000 }
  /// Whether it is a symbolic link.
  public var isSymbolicLink: Bool { mode & 0o170000 == 0o120000 }
}

/// Whether something holds, when the program runs: what comparing values gives.
public struct SysletCondition {
  let comparison: Comparison
  let origins: [ValueOrigin]

  /// Whether it does not hold.
  public static prefix func ! (condition: SysletCondition) -> SysletCondition {
    SysletCondition(comparison: condition.comparison.inverted, origins: condition.origins)
  }
}

extension SysletValue where Wrapped == Int {
  private func compared(_ other: SysletValue<Int>, _ less: Bool, _ equal: Bool, _ greater: Bool) -> SysletCondition {
    guard case .operand(let left) = content, case .operand(let right) = other.content else { fatalError("an integer is an operand") }
    return SysletCondition(
      comparison: Comparison(left: left, right: right, holdsForLess: less, holdsForEqual: equal, holdsForGreater: greater),
      origins: [origin, other.origin].compactMap { $0 })
  }

  /// Whether the two are equal.
  public static func == (left: Self, right: Self) -> SysletCondition { left.compared(right, false, true, false) }
  /// Whether the two differ.
  public static func != (left: Self, right: Self) -> SysletCondition { left.compared(right, true, false, true) }
  /// Whether the first is less.
  public static func < (left: Self, right: Self) -> SysletCondition { left.compared(right, true, false, false) }
  /// Whether the first is not greater.
  public static func <= (left: Self, right: Self) -> SysletCondition { left.compared(right, true, true, false) }
  /// Whether the first is greater.
  public static func > (left: Self, right: Self) -> SysletCondition { left.compared(right, false, false, true) }
  /// Whether the first is not less.
  public static func >= (left: Self, right: Self) -> SysletCondition { left.compared(right, false, true, true) }
}

extension SysletValue where Wrapped == Int {
  /// The sum, when the program runs. Overflow is not looked at.
  public static func + (left: Self, right: Self) -> Self { left.combined(.add, right) }
  /// The difference, when the program runs. Overflow is not looked at.
  public static func - (left: Self, right: Self) -> Self { left.combined(.subtract, right) }

  private func combined(_ operation: WordOperation, _ other: Self) -> Self {
    guard let origin = origin ?? other.origin else {
      guard case .operand(.constant(let left)) = content, case .operand(.constant(let right)) = other.content else {
        fatalError("a literal is a constant")
      }
      return Self(literal: .operand(.integer(operation.make(left, right))))
    }
    let (builder, place, name) = (origin.builder, origin.place, "\(operation.name)")
    return builder.value(
      builder.word(operation, builder.operand(self, name, place), builder.operand(other, name, place), place), name, place)
  }
}

// Their twins that give a Bool say what to do instead.
extension SysletValue where Wrapped == Int {
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func == (left: Self, right: Self) -> Bool { fatalError() }
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func != (left: Self, right: Self) -> Bool { fatalError() }
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func < (left: Self, right: Self) -> Bool { fatalError() }
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func <= (left: Self, right: Self) -> Bool { fatalError() }
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func > (left: Self, right: Self) -> Bool { fatalError() }
  @available(*, unavailable, message: "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)")
  public static func >= (left: Self, right: Self) -> Bool { fatalError() }
}

/// A cell of the program's whose content changes.
public struct SysletVariable<Wrapped> {
  let word: Int
  let origin: ValueOrigin

  init(_ word: Int, _ origin: ValueOrigin) { (self.word, self.origin) = (word, origin) }

  /// What is in it where a step, a condition or the result uses this.
  public var value: SysletValue<Wrapped> { SysletValue(.word(word), origin) }
}

/// Memory of the program's own, one for each time that it runs.
public struct SysletBuffer {
  let region: Int
  /// How many bytes it has.
  public let count: Int
  let origin: ValueOrigin
}

/// What failed in an `attempt`.
public struct SysletFailure {
  let word: Int
  let origin: ValueOrigin
}
