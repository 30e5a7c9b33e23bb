// What a typed program can be given, and what it can give.

internal import Glibc
public import SystemPackage

// MARK: Parameters

/// What a program can be given: `FilePath`, `FileDescriptor`, `SysletSocketAddress`, `Int`, `Bytes` and `MutableBytes`.
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
  public static func declare(in recorder: SysletRecorder) -> SysletValue<FileDescriptor> { recorder.descriptor() }
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
    let record = unsafe reader.frame.record(reader.operand)
    func field<T: BitwiseCopyable & BinaryInteger, U: BinaryInteger>(_ offset: Int, as type: T.Type) -> U {
      U(truncatingIfNeeded: unsafe record.loadUnaligned(fromByteOffset: offset, as: type))
    }
    return SysletStatus(
      size: field(sizeOffset, as: UInt64.self), mode: field(modeOffset, as: UInt16.self), links: field(linksOffset, as: UInt32.self),
      user: field(userOffset, as: UInt32.self), group: field(groupOffset, as: UInt32.self), inode: field(inodeOffset, as: UInt64.self),
      device: device(major: field(deviceOffset, as: UInt32.self), minor: field(deviceOffset + 4, as: UInt32.self)),
      blocks: field(blocksOffset, as: UInt64.self), modifiedSeconds: field(modifiedOffset, as: Int64.self),
      modifiedNanoseconds: field(modifiedOffset + 8, as: UInt32.self))
  }

  /// As makedev(3).
  private static func device(major: UInt64, minor: UInt64) -> UInt64 {
    (major & ~0xFFF) << 32 | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | minor & 0xFF
  }
}
