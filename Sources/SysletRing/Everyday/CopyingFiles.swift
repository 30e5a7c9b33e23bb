// A file copied: holes stay holes, and where the kernel can copy by itself it does.

internal import CLiburing
internal import Glibc
public import SystemPackage

extension SysletRuntime {
  /// Copies a file: makes the other one, or empties it first. The corresponding C function is `copy_file_range`.
  ///
  /// Holes are not copied but left out, as `cp` does. File systems that can share the bytes do; where the kernel cannot copy by itself they are read and
  /// written. The new file has the permissions of the old one, less the process's mask (umask), without its set-user-ID, set-group-ID and sticky bits. It is not synced,
  /// and after a failure there is a part of it.
  ///
  /// - Returns: How many bytes the file has, holes included.
  /// - Throws: `SysletError`, for a folder with EISDIR, for a file and itself with EINVAL; `CancellationError`.
  @discardableResult
  public nonisolated(nonsending) func copyFile(from source: FilePath, to target: FilePath) async throws -> Int {
    try await withFile(source, .readOnly) { input in
      let status = try await run(Everyday.statusOfFile, input)
      if status.isDirectory { throw Everyday.error("copyFile", source, .failed(.isDirectory)) }
      let permissions = FilePermissions(rawValue: CModeT(status.mode & 0o777))
      return try await withFile(target, .writeOnly, options: .create, permissions: permissions) { output in
        let other = try await run(Everyday.statusOfFile, output)
        // Emptying it would empty what is to be read.
        if other.inode == status.inode, other.device == status.device {
          throw Everyday.error("copyFile", target, .failed(.invalidArgument))
        }
        if other.isRegularFile, other.size > 0 { try await run(Everyday.empty, output) }
        // A device or a FIFO has no holes to leave out, and keeps what a hole would pass over; of files that the kernel makes up the size is 0.
        let hasRanges = status.isRegularFile && other.isRegularFile && status.size > 0
        return try await run(hasRanges ? Everyday.copy : Everyday.copyWhole, input, output)
      }
    }
  }
}

extension Everyday {
  static let empty = Syslet(FileDescriptor.self, function: "copyFile") { s, file in file.resize(to: 0) }

  /// So many bytes are copied by one call: a call is not interrupted.
  private static let stretchMax = 16 << 20

  static let copyWhole = Syslet(FileDescriptor.self, FileDescriptor.self, function: "copyFile") { s, input, output in
    let done = s.variable(0)
    copyPlainly(s, input, output, done, limit: nil)
    return done.value
  }

  /// From the beginning of one file to that of another, which is empty.
  static let copy = Syslet(FileDescriptor.self, FileDescriptor.self, function: "copyFile") { s, input, output in
    let done = s.variable(0)
    s.loop {
      let data = input.attempted(SystemCall.lseek, done.value, seekData)
      s.when(data == s.constant(-Int(ENXIO))) {
        // Nothing but a hole is left, if it has not become shorter meanwhile.
        let size = input.status().size
        s.when(size > done.value) {
          output.resize(to: size)
          s.set(done, to: size)
        }
      } otherwise: {
        // What has no holes to tell of, and may not even have a position.
        s.when(data < 0) { copyPlainly(s, input, output, done, limit: nil) }
      }
      s.exit(if: data < 0)
      let hole = input.attempted(SystemCall.lseek, data, seekHole)
      // It has become shorter meanwhile.
      s.exit(if: hole <= data)
      input.seek(offset: data, from: .start)
      output.seek(offset: data, from: .start)
      s.set(done, to: data)
      copyRange(s, input, output, done, limit: hole)
      // As above: there is what has been copied, and no hole behind it.
      s.when(done.value < hole) { output.resize(to: done.value) }
      s.exit(if: done.value < hole)
    }
    return done.value
  }

  // SEEK_DATA and SEEK_HOLE.
  private static let (seekData, seekHole) = (3, 4)

  /// From where both files are, `done` bytes from their beginnings, up to `limit`; `done` is how far that has come.
  private static func copyRange(
    _ s: SysletBuilder, _ input: SysletValue<FileDescriptor>, _ output: SysletValue<FileDescriptor>, _ done: SysletVariable<Int>,
    limit: SysletValue<Int>
  ) {
    let isPlain = s.variable(0)
    s.loop {
      s.exit(if: done.value >= limit)
      let count = input.attempted(SystemCall.copy_file_range, 0, output, 0, s.minimum(limit - done.value, stretchMax), 0)
      s.when(count > 0) {
        s.add(count, to: done)
      } otherwise: {
        // Between file systems, and of special files, it is refused. Whatever it was, reading and writing tell.
        s.set(isPlain, to: 1)
      }
      s.exit(if: isPlain.value == 1)
    }
    s.when(isPlain.value == 1) { copyPlainly(s, input, output, done, limit: limit) }
  }

  private static func copyPlainly(
    _ s: SysletBuilder, _ input: SysletValue<FileDescriptor>, _ output: SysletValue<FileDescriptor>, _ done: SysletVariable<Int>,
    limit: SysletValue<Int>?
  ) {
    let buffer = s.buffer(count: 256 * 1024)
    s.loop {
      let count = s.variable(buffer.count)
      if let limit {
        s.exit(if: done.value >= limit)
        s.set(count, to: s.minimum(limit - done.value, buffer.count))
      }
      let read = input.read(upTo: count.value, into: buffer)
      s.exit(if: read == 0)
      output.writeAll(buffer, count: read)
      s.add(read, to: done)
    }
  }
}

extension SysletBuilder {
  func minimum(_ first: SysletValue<Int>, _ second: Int, line: UInt = #line) -> SysletValue<Int> {
    let place = SourcePlace(fileID: #fileID, line: line)
    return value(word(.minimum, operand(first, "minimum", place), .integer(second), place), "minimum", place)
  }
}

extension SysletValue where Wrapped == FileDescriptor {
  /// A call whose failure is a result like any other.
  fileprivate func attempted(_ number: Int, _ words: any SysletWord..., line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "copyFile", #fileID, line)
    let result = step.builder.newWord()
    step.callUnchecked(number, [step.descriptor] + step.builder.operands(words, step.place), into: result)
    return step.builder.value(result, step.name, step.place)
  }

  /// Reads at the file's own position, up to `count` bytes, which the buffer has room for.
  fileprivate func read(upTo count: SysletValue<Int>, into buffer: SysletBuffer, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", #fileID, line)
    let (address, count) = (Operand.address(region: buffer.region), step.operand(count))
    return step.builder.value(
      step.builder.call(SystemCall.read, [step.descriptor, address, count], step.name, step.place, descriptor: step.descriptor), step.name,
      step.place
    ).bounded(buffer.count)
  }
}
