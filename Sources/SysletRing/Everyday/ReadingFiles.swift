// Whole files, read.

internal import Glibc
public import SystemPackage

extension SysletRuntime {
  /// Reads a file to its end.
  ///
  /// A small file takes one program, with the memory that it has: open, read and close. The corresponding C functions are `open`, `read` and `close`.
  ///
  /// - Parameters:
  ///   - path: Which file.
  ///   - limit: How many bytes it may have: what has more is an error, and is not read to its end. A file that grows, or that is no
  ///     file but a device, has no end that could be relied on. Memory for what the file says to have is taken at once: where there is not so much, the process
  ///     ends.
  /// - Throws: `SysletError`, with the reason `limitExceeded` for more than `limit` bytes; `CancellationError`.
  public nonisolated(nonsending) func readFile(_ path: FilePath, limit: Int) async throws -> [UInt8] {
    let beginning: Everyday.Beginning
    do { beginning = try await run(Everyday.readBeginning, path) } catch { throw Everyday.naming(path, error) }
    guard let file = beginning.file else { return try whole(beginning.bytes) }
    return try await closing(file) {
      _ = try whole(beginning.bytes)
      var count = beginning.bytes.count
      // A byte more than there should be, which tells that this is the end.
      let size = max(try await run(Everyday.size, file), beginning.bytes.count)
      if size > limit { throw Everyday.error("readFile", path, .limitExceeded(limit)) }
      // More than addresses reach.
      if size >= 1 << 46 { throw Everyday.error("readFile", path, .failed(.noMemory)) }
      var bytes = [UInt8](repeating: 0, count: size + 1)
      bytes.replaceSubrange(..<count, with: beginning.bytes)
      while true {
        count += try await fill(&bytes, from: count, of: file, beginning.isStream ? Everyday.fill : Everyday.fillAtOffset)
        if count < bytes.count { break }
        if count > limit { throw Everyday.error("readFile", path, .limitExceeded(limit)) }
        // It has grown meanwhile, or has not said how much it has.
        bytes += [UInt8](repeating: 0, count: min(bytes.count, limit - count + 1))
      }
      bytes.removeSubrange(count...)
      return bytes
    }
    func whole(_ bytes: [UInt8]) throws -> [UInt8] {
      if bytes.count > limit { throw Everyday.error("readFile", path, .limitExceeded(limit)) }
      return bytes
    }
  }

  private nonisolated(nonsending) func fill(
    _ bytes: inout [UInt8], from first: Int, of file: FileDescriptor, _ syslet: Syslet<FileDescriptor, Int, MutableBytes, Int>
  ) async throws -> Int {
    var span = bytes.mutableSpan
    return try await run(syslet, file, first, into: &span)
  }

  /// Reads a file of UTF-8 to its end.
  ///
  /// - Parameters:
  ///   - path: Which file.
  ///   - limit: How many bytes it may have.
  /// - Throws: As `readFile(_:limit:)`; `SysletError` with EILSEQ for what is not UTF-8.
  public nonisolated(nonsending) func readString(_ path: FilePath, limit: Int) async throws -> String {
    let bytes = try await readFile(path, limit: limit)
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw Everyday.error("readString", path, .failed(Errno(rawValue: EILSEQ)))
    }
    return string
  }

  /// Reads a file from its beginning until `bytes` is full or the file ends, in place.
  ///
  /// - Returns: How many bytes were read: fewer than there is room for only where the file has no more.
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func readFile(_ path: FilePath, into bytes: inout MutableSpan<UInt8>) async throws -> Int {
    do { return try await run(Everyday.readInto, path, into: &bytes) } catch { throw Everyday.naming(path, error) }
  }

  /// What a name stands for, of a symbolic link what it points to unless told otherwise. The corresponding C function is `statx`.
  ///
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func status(of path: FilePath, followSymlink: Bool = true) async throws -> SysletStatus {
    try await run(followSymlink ? Everyday.status : Everyday.statusOfLink, path)
  }

  /// Opens a file for as long as `body` runs. It is closed on every road, also when the task is cancelled.
  ///
  /// - Parameters:
  ///   - path: Which file.
  ///   - mode: What it is opened for.
  ///   - options: `create` and `exclusiveCreate` need `permissions`.
  ///   - permissions: What a file that is made may be used for, less the process's mask (umask).
  ///   - body: What is done with it. The descriptor is not valid behind it.
  /// - Throws: What `body` throws; `SysletError` of opening, and of closing when `body` has not thrown; `CancellationError`.
  public nonisolated(nonsending) func withFile<R>(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode, options: FileDescriptor.OpenOptions = [], permissions: FilePermissions? = nil,
    _ body: nonisolated(nonsending) (FileDescriptor) async throws -> R
  ) async throws -> R {
    if options.contains(.create), permissions == nil { throw Everyday.error("open", path, .failed(.invalidArgument)) }
    let flags = Int(mode.rawValue | options.rawValue | O_CLOEXEC)
    let file = try await run(Everyday.open, path, flags, Int(permissions?.rawValue ?? 0))
    return try await closing(file) { try await body(file) }
  }

  /// What is opened is closed behind `body`, on every road.
  private nonisolated(nonsending) func closing<R>(
    _ file: FileDescriptor, _ body: nonisolated(nonsending) () async throws -> R
  ) async throws -> R {
    let result: R
    do { result = try await body() } catch {
      try? await close(file)
      throw error
    }
    try await close(file)
    return result
  }

  /// Closes a descriptor, also when the task is cancelled. The corresponding C function is `close`.
  ///
  /// What is written may be refused only now, by some file systems: an error counts, and the descriptor is closed all the same.
  ///
  /// - Throws: `SysletError`.
  public nonisolated(nonsending) func close(_ descriptor: FileDescriptor) async throws {
    let outcome = await outcome(of: Everyday.close, descriptor)
    switch outcome.result {
    case .failure where outcome.isUntouched:
      // Cancelled, or shut down: it is closed here then, since nobody else would do it.
      do { try descriptor.close() } catch { throw Everyday.error("close", descriptor, .failed(error as? Errno ?? .ioError)) }
    case .failure(let error as SysletError) where error.reason.errno != nil: throw error
    // What was cut short behind the close is closed.
    case .failure, .success: break
    }
  }
}
