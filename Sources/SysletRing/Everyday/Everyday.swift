// The programs of the everyday operations: each is made when it is first used.

internal import CLiburing
internal import Glibc
internal import SystemPackage

enum Everyday {
  /// A file of fewer bytes takes one program.
  static let smallMax = 32 * 1024

  // MARK: Reading

  /// The first bytes of a file, and if there may be more the file, which is not closed then: it may be one that cannot be opened twice.
  struct Beginning {
    let bytes: [UInt8]
    let file: FileDescriptor?
    /// It has no offsets, and its own position is behind these bytes.
    let isStream: Bool
  }

  /// By offset, which asks nothing about the descriptor: a read at its own position costs a question whether it may wait, 0.4 µs each.
  static let readBeginning: Syslet<FilePath, Beginning> = {
    let recorder = SysletRecorder(#fileID, #line)
    let s = recorder.builder
    let path = FilePath.declare(in: recorder)
    let (buffer, count, isStream) = (s.buffer(count: smallMax), s.variable(0), s.variable(0))
    let file = s.open(path, .readOnly)
    s.attempt {
      s.set(count, to: file.read(fromAbsoluteOffset: 0, filling: buffer))
    } onFailure: { _ in
      s.set(isStream, to: 1)
      s.set(count, to: file.read(filling: buffer))
    }
    let left = recorder.result(file)
    s.when(count.value < s.constant(smallMax)) { file.close() }
    let content = Content(buffer, count: recorder.result(count.value))
    let stream = recorder.result(isStream.value)
    return Syslet(recorder, "readFile") { frame in
      let file = FileDescriptor(rawValue: CInt(truncatingIfNeeded: frame.value(left)))
      return Beginning(bytes: content.bytes(frame), file: file.rawValue < 0 ? nil : file, isStream: frame.value(stream) != 0)
    }
  }()
  static let readInto = Syslet(FilePath.self, MutableBytes.self, function: "readFile") { s, path, bytes in
    let (file, count) = (s.open(path, .readOnly), s.variable(0))
    s.attempt {
      s.set(count, to: file.read(fromAbsoluteOffset: 0, filling: bytes))
    } onFailure: { _ in
      s.set(count, to: file.read(filling: bytes))
    }
    return count.value
  }
  static let fill = Syslet(FileDescriptor.self, Int.self, MutableBytes.self, function: "readFile") { s, file, first, bytes in
    file.read(filling: s.dropping(first, of: bytes))
  }
  static let fillAtOffset = Syslet(FileDescriptor.self, Int.self, MutableBytes.self, function: "readFile") { s, file, first, bytes in
    file.read(fromAbsoluteOffset: first, filling: s.dropping(first, of: bytes))
  }
  static let size = Syslet(FileDescriptor.self, function: "readFile") { s, file in file.status().size }
  static let status = Syslet(FilePath.self, function: "status") { s, path in s.status(of: path) }
  static let statusOfLink = Syslet(FilePath.self, function: "status") { s, path in s.status(of: path, followSymlink: false) }
  static let statusOfFile = Syslet(FileDescriptor.self, function: "copyFile") { s, file in file.status() }

  // MARK: Descriptors

  /// Flags and permissions as open(2) has them.
  static let open = Syslet(FilePath.self, Int.self, Int.self, function: "withFile") { s, path, flags, permissions in
    s.open(path, flags: flags, permissions: permissions)
  }
  static let close = Syslet(FileDescriptor.self, function: "close") { s, file in file.close() }

  // MARK: Writing

  static let write = Syslet(FilePath.self, Int.self, Bytes.self, function: "writeFile") { s, path, permissions, bytes in
    let flags = s.constant(Int(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC))
    let file = s.open(path, flags: flags, permissions: permissions)
    file.writeAll(bytes)
    file.close()
  }
  static let replace = Syslet(FilePath.self, FilePath.self, FilePath.self, Int.self, Bytes.self, function: "replaceFile") {
    s, temporary, target, folder, permissions, bytes in
    let directory = s.open(folder, .readOnly, options: .directory)
    let file = s.open(
      temporary, flags: s.constant(Int(O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)), permissions: permissions)
    s.onFailure { s.unlink(temporary) }
    file.writeAll(bytes)
    file.sync()
    file.close()
    s.rename(temporary, to: target)
    directory.sync()
  }
  static let append = Syslet(FileDescriptor.self, Bytes.self, function: "append") { s, file, bytes in
    let end = file.seek(offset: 0, from: .end)
    s.onFailure { file.resize(to: end) }
    file.writeAll(bytes, toAbsoluteOffset: end)
    file.sync(dataOnly: true)
    return end
  }
  static let remove = Syslet(FilePath.self, function: "removeFile") { s, path in s.unlink(path) }
  static let makeDirectory = Syslet(FilePath.self, Int.self, function: "makeDirectory") { s, path, permissions in
    s.makeDirectory(path, permissions: permissions)
  }

  // MARK: Folders

  static let openFolder = Syslet(FilePath.self, function: "walk") { s, path in s.open(path, .readOnly, options: [.directory, .noFollow]) }
  static let openRoot = Syslet(FilePath.self, function: "walk") { s, path in s.open(path, .readOnly, options: .directory) }
  /// Some entries of a folder, as getdents64(2) has them: how many bytes, 0 at the end.
  static let entries: Syslet<FileDescriptor, [UInt8]> = {
    let recorder = SysletRecorder(#fileID, #line)
    let s = recorder.builder
    let folder = FileDescriptor.declare(in: recorder)
    let buffer = s.buffer(count: smallMax)
    let count = folder.step(SystemCall.getdents64, "walk") { [.address(region: buffer.region), .integer(buffer.count)] }
    let content = Content(buffer, count: recorder.result(count))
    return Syslet(recorder, "walk") { content.bytes($0) }
  }()

  /// The first bytes of a buffer, as the result of a program.
  private struct Content: Sendable {
    let region: Int
    let count: Operand

    init(_ buffer: SysletBuffer, count: Operand) { (region, self.count) = (buffer.region, count) }

    /// Those of a program that has ended, which nobody but it has.
    func bytes(_ frame: SysletFrame) -> [UInt8] {
      unsafe Array(UnsafeRawBufferPointer(start: frame.record(.address(region: region)), count: frame.value(count)))
    }
  }

  /// An error that no step has met.
  static func error(_ operation: String, _ path: FilePath, _ reason: SysletError.Reason) -> SysletError {
    SysletError(reason: reason, operation: operation, path: path, descriptor: nil, step: nil, executed: 0)
  }

  /// The same error, with the path where the step that failed had a descriptor alone.
  static func naming(_ path: FilePath, _ error: any Error) -> any Error {
    guard var error = error as? SysletError, error.path == nil, error.step != nil else { return error }
    error.path = path
    return error
  }

  static func naming(_ address: SysletSocketAddress, _ error: any Error) -> any Error {
    guard var error = error as? SysletError else { return error }
    error.address = address
    return error
  }

  static func error(_ operation: String, _ descriptor: FileDescriptor, _ reason: SysletError.Reason) -> SysletError {
    SysletError(reason: reason, operation: operation, path: nil, descriptor: descriptor, step: nil, executed: 0)
  }
}

extension SysletBuilder {
  /// Opens a file with flags and permissions that are known when the program runs.
  func open(
    _ path: SysletValue<FilePath>, flags: SysletValue<Int>, permissions: SysletValue<Int>, fileID: StaticString = #fileID,
    line: UInt = #line
  ) -> SysletValue<FileDescriptor> {
    let place = SourcePlace(fileID: fileID, line: line)
    let path = operand(path, "open", place)
    return open(
      SystemCall.openat, [.integer(AT_FDCWD), path, operand(flags, "open", place), operand(permissions, "open", place)], "open", place,
      path: path)
  }

  /// What was lent, without its first `count` bytes, which it has.
  func dropping(_ count: SysletValue<Int>, of bytes: SysletValue<MutableBytes>) -> SysletValue<MutableBytes> {
    let place = SourcePlace(fileID: #fileID, line: #line)
    let (address, count) = (operand(bytes, "read", place), operand(count, "read", place))
    let rest = word(.subtract, bytes.count ?? .zero, count, place)
    return SysletValue(.word(word(.add, address, count, place)), bytes.origin, count: .word(rest))
  }
}

extension SysletValue where Wrapped == FileDescriptor {
  /// A call on a descriptor, with these arguments behind it.
  @discardableResult
  func step(
    _ number: Int, _ name: String, fileID: StaticString = #fileID, line: UInt = #line, _ arguments: () -> [Operand]
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, name, fileID, line)
    return step.builder.value(
      step.builder.call(number, [step.descriptor] + arguments(), name, step.place, descriptor: step.descriptor), name, step.place)
  }
}
