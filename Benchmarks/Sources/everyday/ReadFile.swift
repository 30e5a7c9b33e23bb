// Small files, read whole: open, read to the end, close.

internal import CPeers
internal import Glibc
internal import Measuring
internal import NIOCore
internal import NIOPosix
internal import Programs
internal import SysletRing
internal import SystemPackage
internal import _NIOFileSystem

enum ReadFile {
  static let tasks = 32
  static let limit = 1 << 24
  static let filesMax = 2000
  /// How often in a turn: one that takes 20 ms tells more of how a way begins than of how it goes on.
  static let passes = 8

  static func ways(_ tree: TreeFiles) throws -> [Way] {
    let names = unsafe (0..<min(tree.count, filesMax)).map { unsafe String(cString: tree.paths[$0]!) }
    let paths = names.map { SystemPackage.FilePath($0) }
    let runtime = try Ours.make()
    let whole = try read(names)
    func way(_ name: String, on executor: (any TaskExecutor)? = nil, _ read: @escaping @Sendable (Int) async throws -> Int) -> Way {
      .timed(name, pieces: names.count * passes) {
        let bytes = try Blocking.run(on: executor) { try await inTasks(names.count * passes) { try await read($0 % names.count) } }
        guard bytes == whole * passes else { throw Failure("\(name) has read \(bytes) bytes, and not \(whole * passes)") }
      }
    }
    let pool = NIOThreadPool.singleton
    let io = NonBlockingFileIO(threadPool: pool)
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    return [
      way("readFile", on: runtime.executor) { try await runtime.readFile(paths[$0], limit: limit).count },
      way("readFile, tasks of their own") { try await runtime.readFile(paths[$0], limit: limit).count },
      way("_NIOFileSystem") {
        try await ByteBuffer(contentsOf: _NIOFileSystem.FilePath(names[$0]), maximumSizeAllowed: .bytes(Int64(limit))).readableBytes
      },
      way("NonBlockingFileIO") { index in
        let handle = try await io.openFile(_deprecatedPath: names[index], mode: .read, eventLoop: loop).get()
        defer { try? handle.close() }
        let size = try await io.readFileSize(fileHandle: handle, eventLoop: loop).get()
        return try await io.read(fileHandle: handle, byteCount: Int(size), allocator: ByteBufferAllocator(), eventLoop: loop).get()
          .readableBytes
      },
      way("a task per blocking read") { index in try await Task { try read([names[index]]) }.value },
      .timed("plain calls, one thread", pieces: names.count * passes) { for _ in 0..<passes { _ = try read(names) } },
    ]
  }

  /// The indices 0 to `count`, by so many tasks, and the sum of what they give.
  static func inTasks(_ count: Int, _ body: @escaping @Sendable (Int) async throws -> Int) async throws -> Int {
    try await withThrowingTaskGroup { group in
      for first in 0..<tasks {
        group.addTask {
          var sum = 0
          for index in stride(from: first, to: count, by: tasks) { sum += try await body(index) }
          return sum
        }
      }
      return try await group.reduce(0, +)
    }
  }

  /// With the system's calls: how many bytes.
  static func read(_ names: [String], _ each: (UnsafeRawBufferPointer) -> Void = { _ in }) throws -> Int {
    var bytes = 0
    for name in names {
      let descriptor = unsafe open(name, O_RDONLY)
      guard descriptor >= 0 else { throw Failure("\(name) cannot be opened: errno \(errno)") }
      defer { close(descriptor) }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(peer_file_size(descriptor)) + 1, alignment: 16)
      defer { unsafe buffer.deallocate() }
      var count = 0
      while true {
        let more = unsafe Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
        guard more > 0 else { break }
        count += more
      }
      unsafe each(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      bytes += count
    }
    return bytes
  }
}

/// Our runtime, as a program gets it that says nothing.
enum Ours {
  static func make(_ change: (inout SysletRuntime.Options) -> Void = { _ in }) throws -> SysletRuntime {
    var options = SysletRuntime.Options()
    change(&options)
    do { return try SysletRuntime(options) } catch { throw Failure("\(error)", exitCode: 3) }
  }
}
