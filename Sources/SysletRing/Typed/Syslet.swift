// A typed program of system calls.

internal import Glibc
internal import SystemPackage

/// A program of system calls: built once, run as often as wanted, by several tasks at once too.
///
/// ```swift
/// enum Files {
///   static let read = Syslet(FilePath.self, MutableBytes.self) { s, path, bytes in
///     let file = s.open(path, .readOnly)
///     return file.read(filling: bytes)
///   }
/// }
/// let count = try await runtime.run(Files.read, "/etc/hosts", into: &span)
/// ```
///
/// A step that fails ends the program, unless it stands in an `attempt`; what a block has opened is closed at its end, on every road. A program that is wrong
/// ends the process when it is built, with all that is wrong with it.
public struct Syslet<each Parameter: SysletParameter, Output: Sendable>: Sendable {
  let program: TypedProgram
  let decode: @Sendable (SysletFrame) -> Output

  private init(_ program: TypedProgram, _ decode: @escaping @Sendable (SysletFrame) -> Output) {
    self.program = program
    self.decode = decode
  }

  init(_ recorder: SysletRecorder, _ function: StaticString, _ decode: @escaping @Sendable (SysletFrame) -> Output) {
    if let problems = recorder.finish() { fatalError("this syslet is wrong:\n" + problems.description) }
    self.init(recorder.compile(function), decode)
  }

  init(
    validating recorder: SysletRecorder, _ function: StaticString, _ decode: @escaping @Sendable (SysletFrame) -> Output
  ) throws(SysletProblems) {
    if let problems = recorder.finish() { throw problems }
    self.init(recorder.compile(function), decode)
  }

  /// Puts the arguments into a frame. Synchronous: a parameter pack that goes from one async function to another is miscompiled in Swift 6.3.1.
  func bind(_ arguments: repeat each Parameter, to frame: SysletFrame) {
    var index = 0
    func bind<T: SysletParameter>(_ argument: T) {
      argument.bind(SysletSlot(frame: frame, word: program.slots[index].word, region: program.slots[index].region))
      index += 1
    }
    repeat bind(each arguments)
  }
}

/// A compiled program with its frames.
final class TypedProgram: Sendable {
  let compiled: CompiledProgram
  let pool: FramePool
  /// Where its parameters go.
  let slots: [(word: Int, region: Int)]

  init(_ compiled: CompiledProgram, _ slots: [(word: Int, region: Int)]) {
    self.compiled = compiled
    pool = FramePool(compiled)
    self.slots = slots
  }

  /// Gives the last parameter, which is of lent memory, this memory.
  func lend(_ memory: UnsafeRawBufferPointer, to frame: SysletFrame) {
    let slot = slots.last!
    (frame[slot.word], frame[slot.region]) = (Int(bitPattern: memory.baseAddress), memory.count)
  }
}

/// Records a program's parameters and results. The library's own.
public final class SysletRecorder {
  let builder: SysletBuilder
  private let place: SourcePlace
  private(set) var slots: [(word: Int, region: Int)] = []

  init(_ fileID: StaticString, _ line: UInt) {
    place = SourcePlace(fileID: fileID, line: line)
    builder = SysletBuilder(place)
  }

  func parameter<T>(_ name: String, inline byteCount: Int = 0) -> SysletValue<T> {
    let word = builder.newWord()
    slots.append((word, byteCount > 0 ? builder.newRegion(byteCount, alignment: 1) : 0))
    return SysletValue(.word(word), ValueOrigin(builder, builder.root, name, place))
  }

  /// A descriptor of the caller's: it is not closed at the end, but the program may close it.
  func descriptor() -> SysletValue<FileDescriptor> {
    let word = builder.newWord()
    slots.append((word, 0))
    let descriptor = OwnedDescriptor(word: word, block: builder.root, place: place)
    return SysletValue(.word(word), ValueOrigin(builder, builder.root, "a parameter", place, descriptor))
  }

  /// Bytes that are copied into the frame, and how many they are, in the word behind that of their address.
  func address<T>(_ byteCount: Int) -> SysletValue<T> {
    let (address, count) = (builder.newWord(), builder.newWord())
    slots.append((address, builder.newRegion(byteCount)))
    return SysletValue(.word(address), ValueOrigin(builder, builder.root, "an address", place), count: .word(count))
  }

  func lent<T>(_ name: String) -> SysletValue<T> {
    let (address, count) = (builder.newWord(), builder.newWord())
    slots.append((address, count))
    return SysletValue(.word(address), ValueOrigin(builder, builder.root, name, place), count: .word(count))
  }

  /// What the program gives.
  func result<T>(_ value: SysletValue<T>) -> Operand {
    value.origin?.descriptor?.isReturned = true
    if value.origin?.isChosen == true {
      builder.complain(
        "the result is what choose gives, and is closed at the end", place, because: value.origin?.place,
        "return one of the descriptors that it was chosen from")
    }
    return builder.operand(value, "the result", place)
  }

  /// The closure has returned: what is wrong.
  func finish() -> SysletProblems? {
    builder.finish()
    return builder.problems.isEmpty ? nil : SysletProblems(problems: builder.problems)
  }

  func compile(_ function: StaticString) -> TypedProgram {
    TypedProgram(CompiledProgram(ProgramCompiler(builder.root, builder.layout), name: "\(function)"), slots)
  }
}
