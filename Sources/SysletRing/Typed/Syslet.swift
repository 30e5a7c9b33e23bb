// A typed program of system calls.

internal import Glibc
public import SystemPackage

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

  /// A program with one result.
  public init(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> SysletValue<Output>
  ) where Output: SysletResult {
    let recorder = SysletRecorder(fileID, line)
    let result = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operand = recorder.result(result)
    self.init(recorder.finish(function)) { Output.decode(SysletReader(frame: $0, operand: operand)) }
  }

  /// A program without a result.
  public init(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> Void
  ) where Output == Void {
    let recorder = SysletRecorder(fileID, line)
    body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    self.init(recorder.finish(function)) { _ in }
  }

  /// A program with two results.
  public init<A: SysletResult, B: SysletResult>(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>)
  ) where Output == (A, B) {
    let recorder = SysletRecorder(fileID, line)
    let (first, second) = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = (recorder.result(first), recorder.result(second))
    self.init(recorder.finish(function)) {
      (A.decode(SysletReader(frame: $0, operand: operands.0)), B.decode(SysletReader(frame: $0, operand: operands.1)))
    }
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

  func lent<T>(_ name: String) -> SysletValue<T> {
    let (address, count) = (builder.newWord(), builder.newWord())
    slots.append((address, count))
    return SysletValue(.word(address), ValueOrigin(builder, builder.root, name, place), count: .word(count))
  }

  /// What the program gives.
  func result<T>(_ value: SysletValue<T>) -> Operand {
    value.origin?.descriptor?.isReturned = true
    return builder.operand(value, "the result", place)
  }

  func finish(_ function: StaticString) -> TypedProgram {
    builder.finish()
    if !builder.problems.isEmpty {
      fatalError("this syslet is wrong:\n" + builder.problems.map { "  \($0)" }.joined(separator: "\n"))
    }
    return TypedProgram(CompiledProgram(ProgramCompiler(builder.root, builder.layout), name: "\(function)"), slots)
  }
}

// MARK: Parameters

/// What a program can be given: `FilePath`, `FileDescriptor`, `Int`, `Bytes` and `MutableBytes`.
public protocol SysletParameter: Sendable {
  /// The library's own: the value of it in a program.
  static func declare(in recorder: SysletRecorder) -> SysletValue<Self>
  /// The library's own: puts it into an activation.
  func bind(_ slot: SysletSlot)
}

/// Where a parameter goes. The library's own.
public struct SysletSlot {
  let frame: SysletFrame
  let word: Int
  let region: Int
}

extension FilePath: SysletParameter {
  /// So many bytes of a path need no memory of their own.
  private static let inlineBytes = 256

  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<FilePath> { recorder.parameter("a path", inline: inlineBytes) }

  /// The library's own.
  public func bind(_ slot: SysletSlot) {
    slot.frame[slot.word] = unsafe withPlatformString {
      unsafe slot.frame.keep($0, strlen($0), inlineRegion: slot.region, inlineMax: Self.inlineBytes)
    }
  }
}

extension FileDescriptor: SysletParameter {
  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<FileDescriptor> { recorder.parameter("a descriptor") }
  /// The library's own.
  public func bind(_ slot: SysletSlot) { slot.frame[slot.word] = Int(rawValue) }
}

extension Int: SysletParameter {
  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<Int> { recorder.parameter("a number") }
  /// The library's own.
  public func bind(_ slot: SysletSlot) { slot.frame[slot.word] = self }
}

extension Bytes: SysletParameter {
  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<Bytes> { recorder.lent("lent bytes") }
  /// The library's own: it is lent by `from:`.
  public func bind(_ slot: SysletSlot) {}
}

extension MutableBytes: SysletParameter {
  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<MutableBytes> { recorder.lent("lent bytes") }
  /// The library's own: it is lent by `into:`.
  public func bind(_ slot: SysletSlot) {}
}

// MARK: Results

/// What a program can give: `Int`, `FileDescriptor` and `SysletStatus`, and pairs of these.
public protocol SysletResult: Sendable {
  /// The library's own: takes it out of an activation.
  static func decode(_ reader: SysletReader) -> Self
}

/// Where a result is. The library's own.
public struct SysletReader {
  let frame: SysletFrame
  let operand: Operand
}

extension Int: SysletResult {
  /// The library's own.
  public static func decode(_ reader: SysletReader) -> Int { reader.frame.value(reader.operand) }
}

extension FileDescriptor: SysletResult {
  /// The library's own.
  public static func decode(_ reader: SysletReader) -> FileDescriptor {
    FileDescriptor(rawValue: CInt(truncatingIfNeeded: reader.frame.value(reader.operand)))
  }
}

extension SysletStatus: SysletResult {
  /// The library's own.
  public static func decode(_ reader: SysletReader) -> SysletStatus {
    func field<T: BitwiseCopyable & BinaryInteger, U: BinaryInteger>(_ offset: Int, as type: T.Type) -> U {
      U(truncatingIfNeeded: reader.frame.load(reader.operand, offset, as: type))
    }
    return SysletStatus(
      size: field(sizeOffset, as: UInt64.self), mode: field(modeOffset, as: UInt16.self), links: field(linksOffset, as: UInt32.self),
      user: field(userOffset, as: UInt32.self), group: field(groupOffset, as: UInt32.self), inode: field(inodeOffset, as: UInt64.self),
      blocks: field(blocksOffset, as: UInt64.self), modifiedSeconds: field(modifiedOffset, as: Int64.self),
      modifiedNanoseconds: field(modifiedOffset + 8, as: UInt32.self))
  }
}
