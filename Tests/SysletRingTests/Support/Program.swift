// One description of a syslet, laid out in either layout: each test is written once and runs in all forms.

import CTestSupport
import SysletRing

/// How a program's atoms lie in memory.
enum Form: String, CaseIterable, Sendable {
  /// Davide's layout, arguments direct unless the program says that they are pointed to.
  case direct
  /// Davide's layout, every argument behind a pointer.
  case pointers
  /// Ingo's layout.
  case indirect
  /// As `direct`, prepared before it is run.
  case prepared
  /// As `indirect`, prepared before it is run.
  case preparedIndirect

  /// Whether the atoms are Ingo's.
  var isIndirect: Bool { self == .indirect || self == .preparedIndirect }
  var isPrepared: Bool { self == .prepared || self == .preparedIndirect }
  fileprivate var hasValues: Bool { self == .direct || self == .prepared }
  var layout: Oracle.Layout { isIndirect ? .indirect : .direct }
}

/// Atoms in one array, so that a skip has a neighbour, with the memory that they work on.
@safe final class Program {
  enum Argument: ExpressibleByIntegerLiteral {
    /// An integer or an address.
    case value(UInt64)
    /// Behind a pointer to this variable, which may change before the atom is reached.
    case pointed(Word)
    /// Behind a pointer to this address.
    case wild(UInt64)

    init(integerLiteral value: Int) { self = .value(.int(value)) }
    static func int(_ value: some BinaryInteger) -> Argument { .value(.int(value)) }
    static func to(_ buffer: Buffer) -> Argument { .value(buffer.address) }
    static func to(_ word: Word) -> Argument { .value(word.address) }
  }

  enum Edge {
    /// The atom that is added next; the end, if none is.
    case following
    case end
    /// The atom with this index, which may not have been added yet.
    case atom(Int)
    case wild(UInt64)
  }

  static let atomSize = 80
  /// What a result holds before its atom has run.
  static let untouched = -7
  /// Atom N's user word is this plus N.
  static let userWordBase = 1000

  let form: Form
  let arena = Arena()
  let descriptors = Descriptors()
  private(set) lazy var scratch = Scratch()
  /// Variables and buffers whose content must be the same whoever runs the program.
  private(set) var comparedWords: [Word] = []
  private(set) var comparedBuffers: [Buffer] = []

  private let atoms: Buffer
  private(set) var count = 0
  private var isLastOpen = false

  init(_ form: Form, capacity: Int = 64) {
    self.form = form
    atoms = arena.buffer(capacity * Self.atomSize)
  }

  // MARK: memory

  /// A variable. One whose value differs between two runs, such as a descriptor's, is not `compared`.
  func word(_ value: Int = Program.untouched, compared: Bool = true) -> Word {
    let word = arena.word(value)
    if compared { comparedWords.append(word) }
    return word
  }

  func buffer(_ count: Int, compared: Bool = true) -> Buffer {
    let buffer = arena.buffer(count)
    if compared { comparedBuffers.append(buffer) }
    return buffer
  }

  func path(_ path: String) -> Buffer { arena.path(path) }

  // MARK: atoms

  /// The address of atom `index`, whether or not it has been added yet.
  func address(_ index: Int) -> UInt64 { atoms.address + UInt64(index * Self.atomSize) }

  /// The index of the atom at `address`; nil if none of this program lies there.
  func index(_ address: UInt64) -> Int? {
    guard address >= atoms.address, address < atoms.address + UInt64(count * Self.atomSize) else { return nil }
    let (index, rest) = (address - atoms.address).quotientAndRemainder(dividingBy: UInt64(Self.atomSize))
    return rest == 0 ? Int(index) : nil
  }

  /// Adds an atom and gives its index.
  @discardableResult
  func atom(
    _ number: Int, _ arguments: Argument..., flags: AtomFlags = [], result: Word? = nil, next: Edge = .following
  ) -> Int {
    atom(number, list: arguments, flags: flags, result: result, next: next)
  }

  @discardableResult
  func atom(
    _ number: Int, list arguments: [Argument], flags: AtomFlags = [], result: Word? = nil, next: Edge = .following
  ) -> Int {
    precondition(arguments.count <= 6)
    let index = count
    let start = index * Self.atomSize
    precondition(start + Self.atomSize <= atoms.count, "the program's capacity is too small")
    count += 1
    if isLastOpen { atoms.store(address(index), at: start - Self.atomSize + Offset.next) }
    isLastOpen = false

    atoms.store(flags.rawValue, at: start + Offset.flags)
    atoms.store(result?.address ?? 0, at: start + Offset.result)
    switch next {
    case .following: isLastOpen = true
    case .end: break
    case .atom(let target): atoms.store(address(target), at: start + Offset.next)
    case .wild(let target): atoms.store(target, at: start + Offset.next)
    }
    atoms.store(UInt64(Self.userWordBase + index), at: start + Offset.userWord)

    var pointers: UInt8 = 0
    for (position, argument) in arguments.enumerated() {
      let word: UInt64
      var isPointer = true
      switch argument {
      case .value(let value) where form.hasValues: (word, isPointer) = (value, false)
      case .value(let value): word = arena.word(Int(Int64(bitPattern: value))).address
      case .pointed(let variable): word = variable.address
      case .wild(let address): word = address
      }
      if isPointer { pointers |= 1 << UInt8(position) }
      atoms.store(word, at: start + Offset.arguments + 8 * position)
    }
    if form.isIndirect {
      atoms.store(UInt32(truncatingIfNeeded: number), at: start + Offset.number)
    } else {
      atoms.store(UInt16(truncatingIfNeeded: number), at: start + Offset.number)
      atoms.store(UInt8(arguments.count), at: start + Offset.argumentCount)
      atoms.store(pointers, at: start + Offset.pointers)
    }
    return index
  }

  /// The offsets of an atom's fields, which AtomTests checks against the C structs.
  enum Offset {
    static let flags = 0
    static let number = 4
    static let argumentCount = 6
    static let pointers = 7
    static let result = 8
    static let next = 16
    static let arguments = 24
    static let userWord = 72
  }

  // MARK: changes after an atom was added

  func addFlags(_ flags: AtomFlags, to index: Int) {
    let offset = index * Self.atomSize + Offset.flags
    atoms.store(atoms.load(offset, as: UInt32.self) | flags.rawValue, at: offset)
  }

  /// Writes over all of it.
  func wipe(_ index: Int) {
    for offset in stride(from: 0, to: Self.atomSize, by: 8) { atoms.store(UInt64.max, at: index * Self.atomSize + offset) }
  }

  func setResult(of index: Int, to address: UInt64) {
    atoms.store(address, at: index * Self.atomSize + Offset.result)
  }

  func setNext(of index: Int, to address: UInt64) {
    atoms.store(address, at: index * Self.atomSize + Offset.next)
  }

  /// Davide's layout only: how many arguments the atom says it has.
  func setArgumentCount(of index: Int, to count: UInt8) {
    precondition(!form.isIndirect)
    atoms.store(count, at: index * Self.atomSize + Offset.argumentCount)
  }

  /// Where the value of an argument lies: in the atom itself, or in the variable that it points to.
  func argumentAddress(of index: Int, _ position: Int) -> UInt64 {
    let offset = index * Self.atomSize + Offset.arguments + 8 * position
    guard !form.isIndirect, atoms.load(index * Self.atomSize + Offset.pointers, as: UInt8.self) & (1 << position) == 0
    else { return atoms.load(offset, as: UInt64.self) }
    return atoms.address + UInt64(offset)
  }

  func setArgument(of index: Int, _ position: Int, to value: UInt64) {
    let error = test_store(argumentAddress(of: index, position), value)
    precondition(error == 0)
  }

  /// Stores an argument behind the end of the atom's list of arguments, which is not to be looked at.
  func store(_ value: UInt64, behindListOf index: Int, _ position: Int) {
    let word = form.hasValues ? value : arena.word(Int(Int64(bitPattern: value))).address
    atoms.store(word, at: index * Self.atomSize + Offset.arguments + 8 * position)
  }

  // MARK: as the library sees it

  /// The program from atom `index` on, prepared by whoever wants to run it, once for as long as its atoms stay as they are.
  func prepared(_ index: Int, _ prepare: (Program) throws -> PreparedSyslet) rethrows -> PreparedSyslet {
    let content = atoms.bytes
    if let known = preparations[index], known.content == content { return known.syslet }
    let syslet = try prepare(self)
    preparations[index] = (content, syslet)
    return syslet
  }
  private var preparations: [Int: (content: [UInt8], syslet: PreparedSyslet)] = [:]

  func directAtom(_ index: Int) -> UnsafeMutablePointer<Atom> {
    unsafe (atoms.base + index * Self.atomSize).assumingMemoryBound(to: Atom.self)
  }

  func indirectAtom(_ index: Int) -> UnsafeMutablePointer<IndirectAtom> {
    unsafe (atoms.base + index * Self.atomSize).assumingMemoryBound(to: IndirectAtom.self)
  }
}
