// Trees of folders.

import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Everyday operations: trees of folders", .leavesNothingBehind, .timeLimit(.minutes(10)))
struct DirectoryTreeTests {
  static let backends = TypedProgramTests.backends

  /// Folders three deep, with files in each, a name that is no UTF-8, and links: one to nothing, one to a folder, in a circle.
  static func makeTree(_ scratch: Scratch) -> Set<[UInt8]> {
    var names: Set<[UInt8]> = []
    func add(_ name: String) { names.insert(Array(name.utf8)) }
    for first in 0..<5 {
      unsafe mkdir(scratch.path("\(first)"), 0o755)
      add("\(first)")
      for second in 0..<30 {
        scratch.file("\(first)/file-\(second)", [UInt8](repeating: 0, count: second))
        add("\(first)/file-\(second)")
      }
      unsafe mkdir(scratch.path("\(first)/inner"), 0o755)
      add("\(first)/inner")
      scratch.file("\(first)/inner/last", [1])
      add("\(first)/inner/last")
    }
    unsafe symlink("nowhere", scratch.path("dangling"))
    unsafe symlink("..", scratch.path("0/circle"))
    add("dangling")
    add("0/circle")
    let odd = Array("odd-".utf8) + [0xFF]
    let path = Array(scratch.path.utf8) + [0x2F] + odd + [0]
    unsafe path.withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { _ = unsafe close(open($0.baseAddress!, O_CREAT | O_WRONLY, 0o644)) }
    }
    names.insert(odd)
    return names
  }

  @Test("Everything is there once, whatever the width", arguments: backends, [1, 3, 64])
  func everything(backend: SysletEngine.Backend, width: Int) async throws {
    let scratch = Scratch()
    let expected = Self.makeTree(scratch)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      var seen: Set<[UInt8]> = []
      for try await entry in runtime.walk(FilePath(scratch.path), width: width) {
        let name = unsafe entry.path.withPlatformString { unsafe Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
        let (isNew, _) = seen.insert(Array(name.dropFirst(scratch.path.utf8.count + 1)))
        #expect(isNew)
        let status = try entry.status.get()
        if entry.path.lastComponent?.string.hasPrefix("file-") == true {
          #expect(status.isRegularFile && "file-\(status.size)" == entry.path.lastComponent?.string)
        }
      }
      #expect(seen == expected)
    }
  }

  @Test("A folder that one buffer of names does not hold", arguments: backends)
  func large(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let suffix = String(repeating: "x", count: 200)
    for number in 0..<250 { scratch.file("\(number)-\(suffix)") }
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let names = try await FileOperationTests.names(below: FilePath(scratch.path), runtime)
      #expect(names == Set((0..<250).map { "\($0)-\(suffix)" }))
    }
  }

  @Test("What cannot be listed is an entry with the error, and so is a root that is not there", arguments: backends)
  func errors(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    scratch.file("file")
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for (root, error) in [("missing", Errno.noSuchFileOrDirectory), ("file", .notDirectory)] {
        let path = FilePath(scratch.path(root))
        var entries: [DirectoryEntry] = []
        for try await entry in runtime.walk(path) { entries.append(entry) }
        #expect(entries.count == 1 && entries.first?.path == path)
        let seen = #expect(throws: SysletError.self) { try entries.first?.status.get() }
        #expect(seen?.reason == .failed(error) && seen?.operation == "open")
      }
    }
  }

  @Test("Who stops looking leaves nothing behind", arguments: backends)
  func stops(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    _ = Self.makeTree(scratch)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for count in [0, 1, 40] {
        var seen = 0
        for try await _ in runtime.walk(FilePath(scratch.path), width: 4) {
          seen += 1
          if seen > count { break }
        }
        #expect(seen == count + 1)
      }
      let task = Task {
        for try await _ in runtime.walk("/usr", width: 2) { unsafe withUnsafeCurrentTask { unsafe $0?.cancel() } }
      }
      await #expect(throws: CancellationError.self) { try await task.value }
    }
  }

  @Test("A runtime that is shut down meanwhile ends it with an error", arguments: backends)
  func shutDown(backend: SysletEngine.Backend) async throws {
    for width in [1, 8, 64] {
      var options = SysletRuntime.Options()
      options.engine.backend = backend
      let runtime = try SysletRuntime(options)
      let seen = Locked(0)
      let walk = Task { for try await _ in runtime.walk("/usr", width: width) { seen.withLock { $0 += 1 } } }
      while seen.withLock({ $0 }) == 0 { await Task.yield() }
      await runtime.shutDown()
      let error = await #expect(throws: SysletError.self) { try await walk.value }
      #expect(error?.reason == .closed)
    }
  }

  @Test("Records are taken apart, and those that are cut short end them")
  func records() {
    func record(_ name: String, length: Int? = nil) -> [UInt8] {
      let size = (19 + name.utf8.count + 1 + 7) / 8 * 8
      let length = length ?? size
      var bytes = [UInt8](repeating: 0, count: 16) + [UInt8(length & 0xFF), UInt8(length >> 8), UInt8(DT_REG)] + Array(name.utf8)
      bytes += [UInt8](repeating: 0, count: size - bytes.count)
      return bytes
    }
    func names(_ bytes: [UInt8]) -> [String] { DirectoryRecords(bytes).map(\.name.string) }
    #expect(names(record(".") + record("a") + record("..") + record("bcdefghij")) == ["a", "bcdefghij"])
    #expect(names(record("a") + record("b", length: 0)) == ["a"])
    #expect(names(record("a") + record("b", length: 4096)) == ["a"])
    #expect(names(Array(record("a").dropLast())) == [])
    #expect(names([]) == [])
  }
}
