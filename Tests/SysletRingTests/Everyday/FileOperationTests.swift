// Whole files: read, written, replaced, added to and copied, on every backend.

import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Everyday operations: files", .leavesNothingBehind, .timeLimit(.minutes(10)))
struct FileOperationTests {
  static let backends = TypedProgramTests.backends
  /// Around the size up to which one program reads a file.
  static let sizes = [0, 1, 4096, Everyday.smallMax - 1, Everyday.smallMax, Everyday.smallMax + 1, 100_000, 3_000_000]

  static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 ^ $0 >> 16) } }

  @Test("What was written is read again, of any size", arguments: backends)
  func readsAndWrites(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.path("file"))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for size in Self.sizes.reversed() {
        let bytes = Self.bytes(size)
        try await runtime.writeFile(path, from: bytes.span)
        let status = try await runtime.status(of: path)
        #expect(status.size == size && status.isRegularFile)
        let whole = try await runtime.readFile(path, limit: size)
        #expect(whole == bytes)
        var part = [UInt8](repeating: 0xFF, count: 1000)
        var span = part.mutableSpan
        let count = try await runtime.readFile(path, into: &span)
        #expect(count == min(size, 1000) && part.prefix(count) == bytes.prefix(count))
      }
      let permissions = try await runtime.status(of: path).mode & 0o777
      #expect(permissions == 0o644 & ~Self.mask)
    }
  }

  @Test("A file with more than the limit is an error that says so, whatever its size", arguments: backends)
  func limit(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for size in Self.sizes where size > 0 {
        let path = FilePath(scratch.file("\(size)", Self.bytes(size)))
        let error = await #expect(throws: SysletError.self) { try await runtime.readFile(path, limit: size - 1) }
        #expect(error?.reason == .limitExceeded(size - 1) && error?.path == path)
        #expect(error.map { "\($0)" } == "readFile \"\(path)\": it has more than the \(size - 1) bytes that the limit allows")
      }
      // It says so much, and reading it would take long.
      let huge = FilePath(scratch.path("huge"))
      let file = try FileDescriptor.open(huge, .readWrite, options: .create, permissions: .ownerReadWrite)
      try file.resize(to: 1 << 42)
      try file.close()
      let tooLarge = await #expect(throws: SysletError.self) { try await runtime.readFile(huge, limit: 1 << 40) }
      #expect(tooLarge?.reason == .limitExceeded(1 << 40))
      // It never ends.
      let endless = await #expect(throws: SysletError.self) { try await runtime.readFile("/dev/zero", limit: 1_000_000) }
      #expect(endless?.reason == .limitExceeded(1_000_000))
      // Its size is 0, and it has bytes.
      let version = try await runtime.readString("/proc/version", limit: 4096)
      #expect(version.hasPrefix("Linux"))
      let negative = await #expect(throws: SysletError.self) { try await runtime.readFile("/proc/version", limit: -1) }
      #expect(negative?.reason == .limitExceeded(-1))
    }
  }

  @Test("What has no offsets is read once, from its beginning to its end", arguments: backends)
  func streams(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.path("fifo"))
    try #require(unsafe mkfifo(path.string, 0o600) == 0)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for size in [0, 10, Everyday.smallMax + 1, 300_000] {
        let bytes = Self.bytes(size)
        let writer = Task.detached {
          try await runtime.withFile(path, .writeOnly) { try await runtime.run(Self.writeAll, $0, from: bytes.span) }
        }
        if size == 10 {
          var part = [UInt8](repeating: 0, count: 100)
          var span = part.mutableSpan
          let count = try await runtime.readFile(path, into: &span)
          #expect(count == 10 && part.prefix(10) == bytes[...])
        } else {
          let read = try await runtime.readFile(path, limit: size)
          #expect(read == bytes)
        }
        try await writer.value
      }
    }
  }

  private static let writeAll = Syslet(FileDescriptor.self, Bytes.self) { s, file, bytes in file.writeAll(bytes) }

  @Test("What fails names operation, path and error", arguments: backends)
  func failures(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let broken = FilePath(scratch.file("broken", [0x41, 0xC3]))
    let missing = FilePath(scratch.path("missing"))
    let folder = FilePath(scratch.path)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let notText = await #expect(throws: SysletError.self) { try await runtime.readString(broken, limit: 10) }
      #expect(notText?.reason == .failed(Errno(rawValue: EILSEQ)) && notText?.path == broken)
      let none = await #expect(throws: SysletError.self) { try await runtime.readFile(missing, limit: 10) }
      #expect(none?.reason == .failed(.noSuchFileOrDirectory) && none?.operation == "open" && none?.path == missing)
      let isFolder = await #expect(throws: SysletError.self) { try await runtime.readFile(folder, limit: 10) }
      #expect(isFolder?.reason == .failed(.isDirectory) && isFolder?.path == folder)
      let unmade = await #expect(throws: SysletError.self) {
        try await runtime.withFile(missing, .writeOnly, options: .create) { _ in }
      }
      #expect(unmade?.reason == .failed(.invalidArgument))
      let removed = await #expect(throws: SysletError.self) { try await runtime.removeFile(missing) }
      #expect(removed?.reason == .failed(.noSuchFileOrDirectory) && removed?.operation == "unlink")
      try await runtime.makeDirectory(folder.appending("new"), permissions: [.ownerReadWriteExecute])
      let mode = try await runtime.status(of: folder.appending("new")).mode
      #expect(mode & 0o777 == 0o700)
      let again = await #expect(throws: SysletError.self) { try await runtime.makeDirectory(folder.appending("new")) }
      #expect(again?.reason == .failed(.fileExists) && again?.operation == "makeDirectory")
    }
  }

  @Test("withFile closes on every road, also when the task is cancelled", arguments: backends)
  func closes(backend: SysletEngine.Backend) async throws {
    struct Mine: Error {}
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", [1, 2, 3]))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let kept = try await runtime.withFile(path, .readOnly) { $0 }
      #expect(fcntl(kept.rawValue, F_GETFD) == -1)
      let seen = Locked(FileDescriptor(rawValue: -1))
      await #expect(throws: Mine.self) {
        try await runtime.withFile(path, .readOnly) { file in
          seen.withLock { $0 = file }
          throw Mine()
        }
      }
      #expect(fcntl(seen.withLock { $0 }.rawValue, F_GETFD) == -1)
      let task = Task {
        try await runtime.withFile(path, .readOnly) { file in
          seen.withLock { $0 = file }
          unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        }
      }
      try await task.value
      #expect(fcntl(seen.withLock { $0 }.rawValue, F_GETFD) == -1)
    }
  }

  @Test("A file is replaced whole, and nothing is left beside it, also on failure", arguments: backends)
  func replaces(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let folder = FilePath(scratch.path)
    let path = FilePath(scratch.file("file", [9, 9, 9]))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let old = try await runtime.status(of: path).inode
      let bytes = Self.bytes(100_000)
      try await runtime.replaceFile(at: path, from: bytes.span, permissions: [.ownerReadWrite])
      let new = try await runtime.status(of: path)
      #expect(new.inode != old && new.mode & 0o777 == 0o600)
      let whole = try await runtime.readFile(path, limit: 100_000)
      #expect(whole == bytes)
      // A folder that is not empty has the name.
      try await runtime.makeDirectory(folder.appending("taken"))
      scratch.file("taken/inside")
      let error = await #expect(throws: SysletError.self) { try await runtime.replaceFile(at: folder.appending("taken"), from: bytes.span) }
      #expect(error?.operation == "rename")
      let names = try await Self.names(below: folder, runtime)
      #expect(names == ["file", "taken", "taken/inside"])
      for (path, errno) in [("/", Errno.isDirectory), ("", .noSuchFileOrDirectory)] as [(FilePath, Errno)] {
        let error = await #expect(throws: SysletError.self) { try await runtime.replaceFile(at: path, from: bytes.span) }
        #expect(error?.reason == .failed(errno))
      }
    }
  }

  @Test("Appends by many tasks are all there, whole, where they say", arguments: backends)
  func appends(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("log", [1, 2, 3]))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let offsets = try await runtime.withFile(path, .readWrite) { file in
        try await withThrowingTaskGroup(of: (UInt8, Int).self) { group in
          for number in UInt8(1)...40 {
            group.addTask {
              let record = [UInt8](repeating: number, count: Int(number))
              return (number, try await runtime.append(record.span, to: file))
            }
          }
          return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
      }
      let bytes = try await runtime.readFile(path, limit: 10_000)
      #expect(bytes.count == 3 + (1...40).reduce(0, +))
      for (number, offset) in offsets { #expect(bytes[offset..<offset + Int(number)].allSatisfy { $0 == number }) }
    }
  }

  @Test("An append that fails leaves the old size, and the next has its turn", arguments: backends)
  func appendFails(backend: SysletEngine.Backend) async throws {
    guard let disk = SmallDisk() else { return }
    try await TypedProgramTests.withRuntime(backend) { runtime in
      try await runtime.withFile(disk.path.appending("log"), .readWrite, options: .create, permissions: .ownerReadWrite) { file in
        let small = Self.bytes(1000)
        let first = try await runtime.append(small.span, to: file)
        #expect(first == 0)
        let large = [UInt8](repeating: 7, count: 1 << 20)
        let error = await #expect(throws: SysletError.self) { try await runtime.append(large.span, to: file) }
        #expect(error?.reason == .failed(.noSpace) && error?.operation == "writeAll")
        let second = try await runtime.append(small.span, to: file)
        #expect(second == 1000)
        let size = try await runtime.status(of: disk.path.appending("log")).size
        #expect(size == 2000)
      }
    }
  }

  @Test("An append that is cancelled while it waits for its turn gives it up")
  func appendCancelled() async throws {
    let turns = Turns()
    try await turns.begin(7)
    let waiting = Task { try await turns.begin(7) }
    while turns.waiterCount(7) < 1 { await Task.yield() }
    let next = Task {
      try await turns.begin(7)
      turns.end(7)
    }
    while turns.waiterCount(7) < 2 { await Task.yield() }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    turns.end(7)
    try await next.value
    try await turns.begin(7)
    turns.end(7)
  }

  @Test("A copy has the same bytes, holes and permissions", arguments: backends)
  func copies(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for size in Self.sizes {
        let source = FilePath(scratch.file("source", Self.bytes(size)))
        unsafe chmod(scratch.path("source"), 0o750)
        let target = FilePath(scratch.path("target-\(size)"))
        let count = try await runtime.copyFile(from: source, to: target)
        let copy = try await runtime.readFile(target, limit: size)
        #expect(count == size && copy == Self.bytes(size))
        let mode = try await runtime.status(of: target).mode & 0o777
        #expect(mode == 0o750 & ~Self.mask)
      }
      // Over what is there, which is longer.
      let count = try await runtime.copyFile(from: FilePath(scratch.file("short", [1, 2])), to: FilePath(scratch.path("target-100000")))
      let copy = try await runtime.readFile(FilePath(scratch.path("target-100000")), limit: 10)
      #expect(count == 2 && copy == [1, 2])
    }
  }

  @Test("What says that it has no size, or has no holes to tell of, is copied all the same", arguments: backends)
  func copiesOddities(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let target = FilePath(scratch.path("target"))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for source in ["/proc/version", "/proc/self/cmdline", "/proc/sys/kernel/ostype", "/dev/null"] as [FilePath] {
        let count = try await runtime.copyFile(from: source, to: target)
        let (copy, original) = (try await runtime.readFile(target, limit: 65536), try await runtime.readFile(source, limit: 65536))
        #expect(copy == original && count == copy.count)
      }
      // Holes of the source are zeros in a FIFO.
      let sparse = try FileDescriptor.open(FilePath(scratch.path("sparse")), .readWrite, options: .create, permissions: .ownerReadWrite)
      try sparse.resize(to: 200_000)
      _ = try sparse.writeAll(toAbsoluteOffset: 100_000, [1, 2, 3])
      try sparse.close()
      let fifo = FilePath(scratch.path("fifo"))
      try #require(unsafe mkfifo(fifo.string, 0o600) == 0)
      async let received = runtime.readFile(fifo, limit: 1 << 20)
      let count = try await runtime.copyFile(from: FilePath(scratch.path("sparse")), to: fifo)
      let bytes = try await received
      let original = try await runtime.readFile(FilePath(scratch.path("sparse")), limit: 1 << 20)
      #expect(count == 200_000 && bytes == original)
    }
  }

  @Test("A source that becomes shorter while it is copied gives no more than it had", arguments: backends)
  func shrinks(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let (source, target) = (FilePath(scratch.path("source")), FilePath(scratch.path("target")))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for round in 0..<12 {
        let file = try FileDescriptor.open(source, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
        for megabyte in 0..<64 { _ = try file.writeAll(toAbsoluteOffset: Int64(megabyte << 20), [UInt8](repeating: 1, count: 65536)) }
        async let copied = runtime.copyFile(from: source, to: target)
        try await Task.sleep(for: .microseconds(200 * round))
        try file.resize(to: 0)
        try file.close()
        let count = try await copied
        let size = try await runtime.status(of: target).size
        #expect(size == count && (count == 63 << 20 | 65536 || count < 63 << 20 | 65536))
      }
    }
  }

  @Test("A sparse file stays sparse", arguments: backends)
  func sparse(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let (source, target) = (FilePath(scratch.path("source")), FilePath(scratch.path("target")))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for ending in [64 << 20, 64 << 20 | 5] {
        let file = try FileDescriptor.open(source, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
        for offset in [1 << 20, 33 << 20, (33 << 20) + 4096] { _ = try file.writeAll(toAbsoluteOffset: Int64(offset), Self.bytes(4096)) }
        try file.resize(to: Int64(ending))
        try file.close()
        let count = try await runtime.copyFile(from: source, to: target)
        #expect(count == ending)
        let (old, new) = (try await runtime.status(of: source), try await runtime.status(of: target))
        #expect(new.size == ending && new.blocks <= old.blocks + 16)
        let (first, second) = (
          try await runtime.readFile(source, limit: ending), try await runtime.readFile(target, limit: ending)
        )
        #expect(first == second)
      }
    }
  }

  @Test("A copy between file systems, where the kernel may refuse to copy by itself", arguments: backends)
  func copiesBetween(backend: SysletEngine.Backend) async throws {
    guard let disk = SmallDisk() else { return }
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let source = FilePath(scratch.file("source", Self.bytes(300_000)))
      try await runtime.copyFile(from: source, to: disk.path.appending("target"))
      let copy = try await runtime.readFile(disk.path.appending("target"), limit: 300_000)
      #expect(copy == Self.bytes(300_000))
      let large = FilePath(scratch.file("large", Self.bytes(2 << 20)))
      let full = await #expect(throws: SysletError.self) { try await runtime.copyFile(from: large, to: disk.path.appending("target")) }
      #expect(full?.reason == .failed(.noSpace))
    }
  }

  @Test("A file is not copied over itself, by any of its names, nor a folder", arguments: backends)
  func copiesNotOverItself(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", [1, 2, 3]))
    let other = FilePath(scratch.path("other"))
    try #require(unsafe link(path.string, other.string) == 0)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for target in [path, other] {
        let error = await #expect(throws: SysletError.self) { try await runtime.copyFile(from: path, to: target) }
        #expect(error?.reason == .failed(.invalidArgument))
      }
      let bytes = try await runtime.readFile(path, limit: 10)
      #expect(bytes == [1, 2, 3])
      let folder = await #expect(throws: SysletError.self) {
        try await runtime.copyFile(from: FilePath(scratch.path), to: FilePath(scratch.path("copy")))
      }
      #expect(folder?.reason == .failed(.isDirectory))
      #expect(unsafe access(scratch.path("copy"), F_OK) == -1)
    }
  }

  static func names(below root: FilePath, _ runtime: SysletRuntime) async throws -> Set<String> {
    var names: Set<String> = []
    for try await entry in runtime.walk(root) { names.insert(String(entry.path.string.dropFirst(root.string.utf8.count + 1))) }
    return names
  }

  static let mask: UInt32 = {
    let mask = umask(0o022)
    umask(mask)
    return mask
  }()
}

/// A file system of 512 KiB; nil where it cannot be made, for want of rights.
final class SmallDisk {
  private let scratch = Scratch()
  let path: FilePath

  init?() {
    path = FilePath(scratch.path)
    guard unsafe mount("tmpfs", scratch.path, "tmpfs", 0, "size=512k") == 0 else { return nil }
  }

  deinit { unsafe umount2(path.string, Int32(MNT_DETACH)) }
}
