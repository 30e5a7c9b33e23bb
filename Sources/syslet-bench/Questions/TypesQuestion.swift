// Question 2: variables of type long and pointers to pointers. The answer is the interface itself; what can be counted is counted on two
// syslets that do the same work.

internal import Glibc
internal import SysletRing

/// open → read → close of one file, in one of the two layouts, with everything that it needs in memory.
@safe final class TypedSyslet {
  let layout: AtomLayoutTag
  let slots: SlotMemory
  private let path: UnsafeMutablePointer<CChar>
  static let readBytes = 4096

  /// The words that Molnar's layout needs besides the results; Libenzi's uses the first two only.
  private enum Word {
    static let descriptor = 0
    static let bytes = 1
    static let folder = 2
    static let path = 3
    static let flags = 4
    static let buffer = 5
    static let length = 6
    static let count = 7
  }

  init(_ layout: AtomLayoutTag, path text: String) {
    self.layout = layout
    slots = SlotMemory(count: 1, atoms: 3, words: Word.count, bufferBytes: Self.readBytes)
    unsafe path = strdup(text)
    let (open, read, close) = unsafe (slots.atom(0, 0), slots.atom(0, 1), slots.atom(0, 2))
    let (descriptor, bytes) = unsafe (slots.word(0, Word.descriptor), slots.word(0, Word.bytes))
    switch layout {
    case .direct:
      unsafe open.initialize(
        to: Atom(
          SystemCall.openat, UInt64(argument: AT_FDCWD), UInt64(argument: path), UInt64(argument: O_RDONLY), flags: .stopOnNegative,
          result: descriptor, next: read))
      unsafe read.initialize(
        to: Atom(
          SystemCall.read, UInt64(argument: descriptor), UInt64(argument: slots.buffer(0)), UInt64(argument: Self.readBytes),
          pointers: 0b001, result: bytes, next: close))
      unsafe close.initialize(to: Atom(SystemCall.close, UInt64(argument: descriptor), pointers: 0b001))
    case .indirect:
      unsafe slots.word(0, Word.folder).pointee = Int(AT_FDCWD)
      unsafe slots.word(0, Word.path).pointee = Int(bitPattern: path)
      unsafe slots.word(0, Word.flags).pointee = Int(O_RDONLY)
      unsafe slots.word(0, Word.buffer).pointee = Int(bitPattern: slots.buffer(0))
      unsafe slots.word(0, Word.length).pointee = Self.readBytes
      func argument(_ word: Int) -> UnsafeMutablePointer<UInt> { unsafe slots.argument(0, word) }
      unsafe open.indirect.initialize(
        to: IndirectAtom(
          SystemCall.openat, argument(Word.folder), argument(Word.path), argument(Word.flags), flags: .stopOnNegative,
          result: descriptor, next: read.indirect))
      unsafe read.indirect.initialize(
        to: IndirectAtom(
          SystemCall.read, argument(Word.descriptor), argument(Word.buffer), argument(Word.length), result: bytes, next: close.indirect))
      unsafe close.indirect.initialize(to: IndirectAtom(SystemCall.close, argument(Word.descriptor)))
    }
  }

  deinit { unsafe free(path) }

  /// The different words of memory that the atoms name, as arguments or for results: each must stay alive and in place.
  func words() -> Set<UInt> {
    var found: Set<UInt> = []
    for index in 0..<3 {
      switch layout {
      case .direct:
        let atom = unsafe slots.atom(0, index).pointee
        if let result = unsafe atom.ret_ptr { found.insert(UInt(bitPattern: result)) }
        let arguments = unsafe [atom.args.0, atom.args.1, atom.args.2, atom.args.3, atom.args.4, atom.args.5]
        for (position, argument) in arguments.enumerated() where unsafe atom.pmap & (1 << UInt8(position)) != 0 {
          found.insert(UInt(argument))
        }
      case .indirect:
        let atom = unsafe slots.atom(0, index).indirect.pointee
        if let result = unsafe atom.ret_ptr { found.insert(UInt(bitPattern: result)) }
        let pointers = unsafe [atom.arg_ptr.0, atom.arg_ptr.1, atom.arg_ptr.2, atom.arg_ptr.3, atom.arg_ptr.4, atom.arg_ptr.5]
        // The first NULL ends the list.
        found.formUnion(unsafe pointers.map { UInt(bitPattern: $0) }.prefix { $0 != 0 })
      }
    }
    return found
  }

  /// Runs it on the calling thread and gives what was read, or what went wrong.
  func run() throws(Failure) -> [UInt8] {
    let engine = try EngineMaker.make(.inline, sqes: 1)
    defer { EngineMaker.close(engine) }
    let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 1)
    defer { unsafe completions.deallocate() }
    let count: Int
    do throws(EngineError) {
      try unsafe engine.enqueue(slots.atom(0, 0), as: layout)
      count = try unsafe engine.wait(into: completions)
    } catch {
      throw Failure(error)
    }
    let bytes = unsafe slots.word(0, Word.bytes).pointee
    guard count == 1, case let completion = unsafe completions[0], completion.executed == 3, completion.result == 0, bytes >= 0 else {
      throw Failure.wrongResult("open-read-close in the layout \(layout) failed, and its read gave \(bytes)")
    }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: slots.buffer(0), count: bytes))
  }
}

enum TypesQuestion {
  static let title = "2. Natural types"

  static func answer(_ inputs: Inputs) throws(Failure) -> Finding {
    var finding = Finding(
      title, asked: "Must arguments live in `long` variables, and arrays behind pointers to pointers to them?")
    let file = try inputs.scratch.create("typed", flags: O_RDWR)
    let text = Array("what both syslets must read\n".utf8)
    guard unsafe write(file.descriptor.number, text, text.count) == text.count else {
      throw inputs.scratch.refusal("\(file.path) cannot be written", errno)
    }
    let syslets = [TypedSyslet(.direct, path: file.path), TypedSyslet(.indirect, path: file.path)]
    for syslet in syslets where try syslet.run() != text {
      throw Failure.wrongResult("open-read-close in the layout \(syslet.layout) did not read what the file holds")
    }
    let counts = syslets.map { $0.words().count }
    var table = FindingTable(
      "open → read → close, both run and compared: what must stay alive beside the path and the buffer",
      ["", "atoms", "words in memory", "words per atom", "of these results"])
    for (name, count) in zip(["Libenzi, pmap for the descriptor alone", "Molnar, every argument behind a pointer"], counts) {
      table.add(name, "3", "\(count)", Text.significant(Double(count) / 3), "2")
      finding.figures.append(Figure("words in memory, \(name)", "words", Summary([Double(count)])))
    }
    finding.tables = [table]
    finding.words = [
      "No. An argument is a literal in the atom: `UInt64(argument:)` takes an integer of any type, with C's sign extension, or a pointer, so a "
        + "descriptor stays an Int32, a flag a UInt32, and a buffer or a `struct stat` is named by its own address. Only a value that an "
        + "earlier call produces is named by a pointer, and its bit in `pointers:` says so.",
      "One `long` remains: the word that a result is stored in, an Int, because that is what every call returns. An argument that comes from "
        + "it is read as that word, so a result can be used as it is.",
      "For this syslet the direct layout keeps \(counts[0]) words alive, the two results; Molnar's keeps \(counts[1]), \(counts[1] - counts[0]) "
        + "of them only in order to be pointed at. Constants (AT_FDCWD, flags, a length) can be shared by many syslets, the pointer to the path "
        + "and the pointer to the buffer cannot.",
    ]
    return finding
  }
}
