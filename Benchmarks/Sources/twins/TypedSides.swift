// The six programs of the typed API, and the same system calls in C.

internal import CTwins
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

/// The files and sockets that both sides of a pair work on, gone with the value.
@safe final class TypedScratch {
  static let readBytes = 16 << 10
  static let copyBytes = 1 << 20
  static let recordBytes = 512
  static let blockBytes = 4096

  let folder: String
  let log: Int32
  let root: Int32
  let server: Int32
  let client: Int32
  let buffer: UnsafeMutableRawBufferPointer

  /// In `TMPDIR`, or in `/tmp`.
  init() throws {
    let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var name = Array("\(parent)/syslet-typed-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&name) != nil else { throw Failure("no folder can be made in \(parent)", exitCode: 3) }
    folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    unsafe buffer = .allocate(byteCount: 256 << 10, alignment: 4096)
    unsafe buffer.initializeMemory(as: UInt8.self, repeating: 7)
    for (file, count) in [("read", Self.readBytes), ("copy", Self.copyBytes)] {
      let descriptor = unsafe open("\(folder)/\(file)", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      var left = count
      while left > 0 {
        let put = unsafe write(descriptor, buffer.baseAddress, min(left, buffer.count))
        guard put > 0 else { throw Failure("\(folder)/\(file) cannot be written", exitCode: 3) }
        left -= put
      }
      close(descriptor)
    }
    log = unsafe open("\(folder)/log", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    root = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    var ends: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Failure("no sockets can be made: errno \(errno)", exitCode: 3)
    }
    (server, client) = (ends[0], ends[1])
  }

  deinit {
    for descriptor in [log, root, server, client] { close(descriptor) }
    for file in ["read", "copy", "log", "target", "temporary"] { unsafe unlink("\(folder)/\(file)") }
    unsafe rmdir(folder)
    unsafe buffer.deallocate()
  }

  func source(_ name: RowName) -> String { "\(folder)/\(name == .typedCopy ? "copy" : "read")" }
}

/// C's side.
@safe final class TypedTwinSide: Side {
  private let name: RowName
  private let scratch: TypedScratch
  private(set) var bytes: UInt64 = 0

  init(_ name: RowName, _ scratch: TypedScratch) throws { (self.name, self.scratch) = (name, scratch) }

  func run(batches: Int) throws -> Int64 {
    let rounds = UInt32(batches)
    let buffer = unsafe scratch.buffer.baseAddress!.assumingMemoryBound(to: CChar.self)
    let elapsed = unsafe withPaths { paths -> Int64 in
      switch name {
      case .typedStatus: unsafe twin_status(paths, rounds, &bytes)
      case .typedRead: unsafe twin_read(paths, buffer, UInt32(TypedScratch.readBytes), rounds, &bytes)
      case .typedCopy: unsafe twin_copy(paths, buffer, UInt32(scratch.buffer.count), rounds, &bytes)
      case .typedReplace: unsafe twin_replace(paths, buffer, UInt32(TypedScratch.blockBytes), rounds, &bytes)
      case .typedAppend: unsafe twin_append(scratch.log, buffer, UInt32(TypedScratch.recordBytes), rounds, &bytes)
      case .typedRespond:
        unsafe twin_respond(scratch.server, scratch.client, scratch.root, "read", buffer, 64 << 10, rounds, &bytes)
      default: preconditionFailure("\(name) is no typed row")
      }
    }
    guard elapsed > 0 else { throw Failure("\(name.rawValue): C's run failed with errno \(-elapsed)") }
    return elapsed
  }

  private func withPaths<Result>(_ body: (UnsafePointer<twin_paths>) -> Result) -> Result {
    let folder = scratch.folder
    return unsafe folder.withCString { folder in
      unsafe scratch.source(name).withCString { source in
        unsafe "\(scratch.folder)/target".withCString { target in
          unsafe "\(scratch.folder)/temporary".withCString { temporary in
            unsafe withUnsafePointer(to: twin_paths(folder: folder, source: source, target: target, temporary: temporary), body)
          }
        }
      }
    }
  }
}

/// Ours, on what a program gets that says nothing.
@safe final class TypedSide: Side {
  private let name: RowName
  private let scratch: TypedScratch
  private let runtime: SysletRuntime
  private(set) var bytes: UInt64 = 0

  init(_ name: RowName, _ scratch: TypedScratch) throws {
    (self.name, self.scratch) = (name, scratch)
    var options = SysletRuntime.Options()
    options.shards = 1
    do { runtime = try SysletRuntime(options) } catch { throw Failure("\(error)", exitCode: 3) }
  }

  func run(batches: Int) throws -> Int64 {
    let begin = Program.now()
    bytes += UInt64(try Blocking.run(on: runtime.executor, work(batches)))
    return Program.now() - begin
  }

  /// What runs the program so often.
  private func work(_ batches: Int) -> sending () async throws -> Int {
    let (runtime, folder) = (runtime, FilePath(scratch.folder))
    let (source, target) = (FilePath(scratch.source(name)), folder.appending("target"))
    switch name {
    case .typedStatus:
      return { try await repeated(batches) { try await runtime.run(Files.status, source).size } }
    case .typedRead:
      return {
        var memory = [UInt8](repeating: 0, count: TypedScratch.readBytes)
        return try await repeated(batches) {
          var span = memory.mutableSpan
          return try await runtime.run(Files.read, source, into: &span)
        }
      }
    case .typedCopy:
      return { try await repeated(batches) { try await runtime.run(Files.copy, source, target) } }
    case .typedReplace:
      let temporary = folder.appending("temporary")
      return {
        let block = [UInt8](repeating: 7, count: TypedScratch.blockBytes)
        return try await repeated(batches) {
          try await runtime.run(Files.replace, temporary, target, folder, from: block.span)
          return block.count
        }
      }
    case .typedAppend:
      let log = FileDescriptor(rawValue: scratch.log)
      return {
        let record = [UInt8](repeating: 7, count: TypedScratch.recordBytes)
        return try await repeated(batches) {
          _ = try await runtime.run(Files.append, log, from: record.span)
          return record.count
        }
      }
    case .typedRespond:
      let (server, root, client) = (FileDescriptor(rawValue: scratch.server), FileDescriptor(rawValue: scratch.root), scratch.client)
      return {
        var answer = [CChar](repeating: 0, count: 64 << 10)
        return try await repeated(batches) {
          guard unsafe twin_ask(client, "read") == 0 else { throw Failure("a request cannot be sent") }
          let sent = try await runtime.run(Files.respond, server, root).1
          return Int(unsafe twin_take(client, &answer, UInt32(answer.count), Int64(sent)))
        }
      }
    default: preconditionFailure("\(name) is no typed row")
    }
  }
}

private nonisolated(nonsending) func repeated(
  _ count: Int, _ body: nonisolated(nonsending) () async throws -> Int
) async throws -> Int {
  var sum = 0
  for _ in 0..<count { sum += try await body() }
  return sum
}

/// The programs of the API's description.
private enum Files {
  static let read = Syslet(FilePath.self, MutableBytes.self) { s, path, bytes in
    let file = s.open(path, .readOnly)
    return file.read(filling: bytes)
  }
  static let copy = Syslet(FilePath.self, FilePath.self) { s, from, to in
    let buffer = s.buffer(count: 256 * 1024)
    let total = s.variable(0)
    let input = s.open(from, .readOnly)
    let output = s.open(to, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    s.loop {
      let count = input.read(into: buffer)
      s.exit(if: count == 0)
      output.writeAll(buffer, count: count)
      s.add(count, to: total)
    }
    output.sync()
    return total.value
  }
  static let replace = Syslet(FilePath.self, FilePath.self, FilePath.self, Bytes.self) {
    s, temporary, target, folder, bytes in
    let directory = s.open(folder, .readOnly, options: .directory)
    let file = s.open(temporary, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    s.onFailure { s.unlink(temporary) }
    file.writeAll(bytes)
    file.sync()
    file.close()
    s.rename(temporary, to: target)
    directory.sync()
  }
  static let respond = Syslet(FileDescriptor.self, FileDescriptor.self) { s, connection, root in
    let request = s.buffer(count: 4096)
    s.within(.seconds(5)) { connection.receive(into: request) }
    let file = root.open(s.path(in: request), .readOnly, resolve: .beneath)
    let size = file.status().size
    let chunk = s.buffer(count: 64 * 1024)
    let sent = s.variable(0)
    s.loop {
      let count = file.read(into: chunk)
      s.exit(if: count == 0)
      connection.sendAll(chunk, count: count)
      s.add(count, to: sent)
    }
    return (size, sent.value)
  }
  static let status = Syslet(FilePath.self) { s, path in s.status(of: path) }
  static let append = Syslet(FileDescriptor.self, Bytes.self) { s, log, record in
    let end = log.seek(offset: 0, from: .end)
    s.attempt {
      log.writeAll(record, toAbsoluteOffset: end)
      log.sync(dataOnly: true)
    } onFailure: { failure in
      log.resize(to: end)
      s.fail(failure)
    }
    return end
  }
}
