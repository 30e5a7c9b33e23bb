// Steps on names.

internal import CLiburing
internal import Glibc
public import SystemPackage

extension SysletBuilder {
  /// Opens a file. The end of the block closes it, unless the program returns it. openat(2).
  public func open(
    _ path: SysletValue<FilePath>, _ mode: FileDescriptor.AccessMode, options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions? = nil, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<FileDescriptor> {
    let place = SourcePlace(fileID: fileID, line: line)
    if options.contains(.create), permissions == nil {
      complain("open creates a file and is given no permissions", place, "say which it is to have: permissions: .ownerReadWrite")
    }
    let path = operand(path, "open", place)
    let flags = mode.rawValue | options.rawValue | O_CLOEXEC
    return open(
      SystemCall.openat, [.integer(AT_FDCWD), path, .integer(flags), .integer(permissions?.rawValue ?? 0)], "open", place, path: path)
  }

  /// Gives a file another name, in place of what has it. renameat2(2).
  public func rename(
    _ path: SysletValue<FilePath>, to other: SysletValue<FilePath>, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    let (from, to) = (operand(path, "rename", place), operand(other, "rename", place))
    call(SystemCall.renameat, [.integer(AT_FDCWD), from, .integer(AT_FDCWD), to], "rename", place, path: from)
  }

  /// Takes a file's name away. unlinkat(2).
  public func unlink(_ path: SysletValue<FilePath>, fileID: StaticString = #fileID, line: UInt = #line) {
    let place = SourcePlace(fileID: fileID, line: line)
    let path = operand(path, "unlink", place)
    call(SystemCall.unlinkat, [.integer(AT_FDCWD), path, .zero], "unlink", place, path: path)
  }

  /// Makes a folder. mkdirat(2).
  public func makeDirectory(
    _ path: SysletValue<FilePath>, permissions: FilePermissions = [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute],
    fileID: StaticString = #fileID, line: UInt = #line
  ) {
    makeDirectory(path, permissions: constant(Int(permissions.rawValue)), fileID: fileID, line: line)
  }

  /// The same with permissions that are known when the program runs.
  func makeDirectory(
    _ path: SysletValue<FilePath>, permissions: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    let (path, permissions) = (operand(path, "makeDirectory", place), operand(permissions, "makeDirectory", place))
    call(SystemCall.mkdirat, [.integer(AT_FDCWD), path, permissions], "makeDirectory", place, path: path)
  }

  /// Takes an empty folder away. unlinkat(2).
  public func removeDirectory(_ path: SysletValue<FilePath>, fileID: StaticString = #fileID, line: UInt = #line) {
    let place = SourcePlace(fileID: fileID, line: line)
    let path = operand(path, "removeDirectory", place)
    call(SystemCall.unlinkat, [.integer(AT_FDCWD), path, .integer(AT_REMOVEDIR)], "removeDirectory", place, path: path)
  }

  /// What a name stands for, of a symbolic link what it points to unless told otherwise. statx(2).
  public func status(
    of path: SysletValue<FilePath>, followSymlink: Bool = true, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<SysletStatus> {
    let place = SourcePlace(fileID: fileID, line: line)
    let path = operand(path, "status", place)
    return status(.integer(AT_FDCWD), path, followSymlink ? 0 : AT_SYMLINK_NOFOLLOW, "status", place, path: path, descriptor: nil)
  }

  func status(
    _ folder: Operand, _ path: Operand, _ flags: Int32, _ name: String, _ place: SourcePlace, path named: Operand?, descriptor: Operand?
  ) -> SysletValue<SysletStatus> {
    let region = newRegion(SysletStatus.byteCount)
    call(
      SystemCall.statx, [folder, path, .integer(flags), .integer(SysletStatus.mask), .address(region: region)], name, place, path: named,
      descriptor: descriptor)
    return SysletValue(.address(region: region), ValueOrigin(self, block, name, place))
  }

  /// The path that stands in a buffer, up to its first zero byte or its end.
  ///
  /// What an earlier run has left in the buffer is still there: a sender that sends no zero byte needs `path(in:count:)`.
  public func path(in buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<FilePath> {
    let place = SourcePlace(fileID: fileID, line: line)
    check(buffer.origin, "path(in:)", place)
    return SysletValue(.address(region: buffer.region), ValueOrigin(self, block, "path(in:)", place))
  }

  /// The path that stands in the first `count` bytes of a buffer, up to a zero byte. A count that is not one of the buffer's bytes is EINVAL.
  public func path(
    in buffer: SysletBuffer, count: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<FilePath> {
    let place = SourcePlace(fileID: fileID, line: line)
    let (address, count) = memory(buffer, count, "path(in:count:)", place, descriptor: nil)
    let end = word(.add, address, count, place)
    word(.store1, .word(end), .zero, place)
    return SysletValue(.address(region: buffer.region), ValueOrigin(self, block, "path(in:count:)", place))
  }

  /// The address of a buffer, and how many of its bytes are meant: what is not known to be so few is looked at when the program runs, and fails with EINVAL.
  func memory(
    _ buffer: SysletBuffer, _ count: SysletValue<Int>, _ name: String, _ place: SourcePlace, descriptor: Operand?
  ) -> (Operand, Operand) {
    check(buffer.origin, name, place)
    let (address, operand) = (Operand.address(region: buffer.region), operand(count, name, place))
    if let bound = count.bound, bound <= buffer.count { return (address, operand) }
    if case .constant(let value) = operand {
      complain(
        "\(name) is to take \(Int(truncatingIfNeeded: value)) bytes of a buffer of \(buffer.count)", place, because: buffer.origin.place,
        "give it a count from 0 to \(buffer.count)")
    }
    for (limit, isLess) in [(Operand.zero, true), (.integer(buffer.count), false)] {
      let comparison = Comparison(left: operand, right: limit, holdsForLess: isLess, holdsForEqual: false, holdsForGreater: !isLess)
      append(.when(comparison, failing(.integer(-EINVAL), name, place, descriptor), record(.branch, place) {}), place)
    }
    return (address, operand)
  }

  /// A block that fails as a step does whose result is `error`.
  func failing(_ error: Operand, _ name: String, _ place: SourcePlace, _ descriptor: Operand?) -> Block {
    record(.branch, place) {
      let node = CallNode(number: 0, arguments: [], result: newWord(), name: name, place: place, descriptor: descriptor)
      append(.raise(error, node), place)
    }
  }

  /// Any system call: `SystemCall` has the numbers, and words are values, variables, buffers and integers.
  ///
  /// What is given as an integer is not looked at: an address in it is the caller's affair.
  public func call(
    _ number: Int, _ words: any SysletWord..., fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let place = SourcePlace(fileID: fileID, line: line)
    if words.count > 6 {
      complain("call is given \(words.count) words", place, "a system call has at most 6")
    }
    return value(call(number, operands(Array(words.prefix(6)), place), "call(\(number))", place), "call", place)
  }

  /// What words of any kind are to a step.
  func operands(_ words: [any SysletWord], _ place: SourcePlace) -> [Operand] {
    words.map { word in
      let recorder = SysletWordRecorder(self, place)
      word.record(in: recorder)
      return recorder.operand
    }
  }
}

/// What can be a word of `SysletBuilder.call`: integers, values, variables and buffers.
public protocol SysletWord {
  /// The library's own: what this is to a step of the builder's.
  func record(in recorder: SysletWordRecorder)
}

/// Takes a word of `SysletBuilder.call`. The library's own.
public final class SysletWordRecorder {
  let builder: SysletBuilder
  let place: SourcePlace
  var operand = Operand.zero

  init(_ builder: SysletBuilder, _ place: SourcePlace) { (self.builder, self.place) = (builder, place) }
}

extension SysletValue: SysletWord {
  /// The library's own.
  public func record(in recorder: SysletWordRecorder) { recorder.operand = recorder.builder.operand(self, "call", recorder.place) }
}

extension SysletVariable: SysletWord {
  /// The library's own.
  public func record(in recorder: SysletWordRecorder) { value.record(in: recorder) }
}

extension SysletBuffer: SysletWord {
  /// The library's own.
  public func record(in recorder: SysletWordRecorder) {
    recorder.builder.check(origin, "call", recorder.place)
    recorder.operand = .address(region: region)
  }
}

extension SysletWord where Self: FixedWidthInteger {
  /// The library's own.
  public func record(in recorder: SysletWordRecorder) { recorder.operand = .integer(self) }
}

extension Int: SysletWord {}
extension Int32: SysletWord {}
extension UInt32: SysletWord {}
extension UInt64: SysletWord {}

extension SysletStatus {
  static let byteCount = 256
  /// AT_EMPTY_PATH.
  static let emptyPath: Int32 = 0x1000
  /// STATX_BASIC_STATS.
  static let mask = 0x7FF
  // Where struct statx has them.
  static let (linksOffset, userOffset, groupOffset, modeOffset, inodeOffset, sizeOffset) = (16, 20, 24, 28, 32, 40)
  static let (blocksOffset, modifiedOffset, deviceOffset) = (48, 112, 136)
}
