// Scratch folders, trees and files with a pattern.

import Glibc
import SysletRing
import Testing

@testable import syslet_bench

@Suite struct InputTests {
  private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private func makeFile(_ path: String, _ text: String = "x") throws {
    let file = try #require(Descriptor.open(path, O_WRONLY | O_CREAT))
    #expect(unsafe write(file.number, text, text.utf8.count) == text.utf8.count)
  }

  // MARK: scratch

  @Test("A scratch folder is new, and removing it removes all that is in it")
  func scratchIsRemoved() throws {
    let scratch = try Scratch(in: nil)
    let other = try Scratch(in: nil)
    #expect(scratch.path != other.path)
    let file = try scratch.create("kept", flags: O_RDWR)
    #expect(unsafe mkdir(scratch.path + "/folder", 0o700) == 0)
    try makeFile(scratch.path + "/folder/file")
    #expect(unsafe symlink("/", scratch.path + "/link") == 0)
    scratch.remove()
    #expect(!exists(scratch.path))
    #expect(exists("/usr"))
    withExtendedLifetime(file) {}
    other.remove()
    #expect(!exists(other.path))
  }

  @Test("A scratch folder that is forgotten is removed as well")
  func scratchIsRemovedByItself() throws {
    let path: String
    do {
      let scratch = try Scratch(in: nil)
      path = scratch.path
      #expect(exists(path))
    }
    #expect(!exists(path))
  }

  @Test("A file in the scratch folder goes with its value")
  func fileIsRemoved() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let path: String
    do {
      let file = try scratch.create("file", flags: O_RDWR)
      path = file.path
      #expect(file.byteCount() == 0)
      #expect(file.content() == [])
    }
    #expect(!exists(path))
  }

  @Test("A scratch folder that does not exist, or is a file, is wrong usage")
  func scratchMissing() throws {
    let missing = try #require(throws: Failure.self) { _ = try Scratch(in: "/no/such/folder") }
    #expect(missing.exitCode == 2)
    #expect(missing.description.contains("/no/such/folder"))
    #expect(try #require(throws: Failure.self) { _ = try Scratch(in: "/proc/self/status") }.exitCode == 2)
  }

  @Test("A scratch folder in which nothing can be made is the machine's fault")
  func scratchRefused() throws {
    let failure = try #require(throws: Failure.self) { _ = try Scratch(in: "/proc") }
    #expect(failure.exitCode == 3)
    #expect(failure.description.contains("/proc"))
  }

  @Test("Too little space is told with the folder and the need")
  func noSpace() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let failure = try #require(throws: Failure.self) { try scratch.requireSpace(1 << 60, for: "a test") }
    #expect(failure.exitCode == 3)
    #expect(failure.description.contains(scratch.path))
    #expect(failure.description.contains("a test"))
    try scratch.requireSpace(1, for: "a byte")
  }

  // MARK: trees

  @Test("A walk finds regular files in all folders and follows no link")
  func walk() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let root = scratch.path
    #expect(unsafe mkdir(root + "/b", 0o700) == 0 && mkdir(root + "/b/c", 0o700) == 0 && mkdir(root + "/empty", 0o700) == 0)
    try makeFile(root + "/z")
    try makeFile(root + "/b/c/deep")
    #expect(unsafe symlink(root, root + "/b/loop") == 0 && symlink(root + "/z", root + "/b/link") == 0)
    #expect(unsafe mkfifo(root + "/fifo", 0o600) == 0)
    let walk = try TreeWalk(root, filesMax: 100)
    #expect(walk.paths == [root + "/b/c/deep", root + "/z"])
    #expect(!walk.isCutOff)
    // The root itself may be a link.
    #expect(unsafe symlink(root, root + "/b/root") == 0)
    #expect(try TreeWalk(root + "/b/root", filesMax: 100).paths.count == 2)
  }

  @Test("A walk is cut off at its limit and says so")
  func cutOff() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    for name in ["a", "b", "c"] { try makeFile(scratch.path + "/" + name) }
    let walk = try TreeWalk(scratch.path, filesMax: 2)
    #expect(walk.paths.count == 2)
    #expect(walk.isCutOff)
    #expect(try TreeFiles(scratch.path, walk: walk, seed: 1).summary.contains("cut off"))
  }

  @Test("A tree that is missing, a file, or empty is wrong usage")
  func unusableTrees() throws {
    for path in ["/no/such/tree", "/proc/self/status"] {
      let failure = try #require(throws: Failure.self) { _ = try TreeWalk(path, filesMax: 10) }
      #expect(failure.exitCode == 2)
      #expect(failure.description.contains(path))
    }
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let walk = try TreeWalk(scratch.path, filesMax: 10)
    #expect(try #require(throws: Failure.self) { _ = try TreeFiles(scratch.path, walk: walk, seed: 1) }.exitCode == 2)
  }

  @Test("Files that do not have the size they claim are left out and counted")
  func changingFiles() throws {
    let walk = try TreeWalk("/proc/sys/kernel/random", filesMax: 100)
    let failure = try #require(throws: Failure.self) { _ = try TreeFiles("/proc/sys/kernel/random", walk: walk, seed: 1) }
    #expect(failure.description.contains("no regular file that can be read"))
  }

  @Test("The same seed gives the same order, another one another")
  func order() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    for number in 0..<20 { try makeFile(scratch.path + "/\(number)", String(repeating: "x", count: number)) }
    let walk = try TreeWalk(scratch.path, filesMax: 100)
    func sizes(_ seed: UInt64) throws -> [Int] {
      let files = try TreeFiles(scratch.path, walk: walk, seed: seed)
      return (0..<files.count).map { unsafe files[$0].byteCount }
    }
    #expect(try sizes(1) == sizes(1))
    #expect(try sizes(1) != sizes(2))
    #expect(try sizes(1).sorted() == Array(0..<20))
  }

  @Test("Every machine that can run this has a tree to read")
  func systemTree() throws {
    let (root, walk) = try SystemTree.walk(filesMax: 2000)
    #expect(!walk.paths.isEmpty, "\(root)")
  }

  // MARK: patterns

  @Test("A pattern recognises itself, and any change")
  func pattern() {
    let pattern = Pattern(seed: 3)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { unsafe bytes.deallocate() }
    unsafe pattern.fill(bytes, at: 8192)
    #expect(unsafe pattern.mismatch(in: UnsafeRawBufferPointer(bytes), at: 8192) == nil)
    #expect(unsafe pattern.mismatch(in: UnsafeRawBufferPointer(bytes), at: 4096) == 4096)
    #expect(unsafe Pattern(seed: 4).mismatch(in: UnsafeRawBufferPointer(bytes), at: 8192) == 8192)
    unsafe bytes[100] ^= 1
    #expect(unsafe pattern.mismatch(in: UnsafeRawBufferPointer(bytes), at: 8192) == 8192 + 96)
  }

  // MARK: the machine

  @Test("A path's filesystem is that of the longest mount that contains it")
  func mounts() {
    let mounts = "a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmp/x xfs rw 0 0\nd /tmpfoo btrfs rw 0 0\ne /tmp overlay rw 0 0\n"
    #expect(Mounts.filesystem(of: "/home", mounts: mounts) == "ext4")
    #expect(Mounts.filesystem(of: "/tmp/y", mounts: mounts) == "overlay")
    #expect(Mounts.filesystem(of: "/tmp/x/y", mounts: mounts) == "xfs")
    #expect(Mounts.filesystem(of: "/tmpfoo", mounts: mounts) == "btrfs")
    #expect(Mounts.filesystem(of: "/", mounts: "") == "unknown")
  }

  @Test("A commit is read from a repository's files")
  func commit() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    #expect(Commit.head(of: scratch.path) == nil)
    try makeFile(scratch.path + "/HEAD", "ref: refs/heads/main\n")
    #expect(Commit.head(of: scratch.path) == nil)
    try makeFile(scratch.path + "/packed-refs", "# pack-refs\nabc123 refs/heads/main\n")
    #expect(Commit.head(of: scratch.path) == "abc123")
    #expect(unsafe mkdir(scratch.path + "/refs", 0o700) == 0 && mkdir(scratch.path + "/refs/heads", 0o700) == 0)
    try makeFile(scratch.path + "/refs/heads/main", "def456\n")
    #expect(Commit.head(of: scratch.path) == "def456")
  }

  @Test("An output that cannot be written is found out before the measurement, and nothing is made")
  func outputs() throws {
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    try Outputs(json: scratch.path + "/new").check()
    #expect(!exists(scratch.path + "/new"))
    #expect(throws: Failure.self) { try Outputs(csv: scratch.path).check() }
    #expect(throws: Failure.self) { try Outputs(markdown: scratch.path + "/no/file").check() }
    #expect(throws: Failure.self) { try Outputs(json: "").check() }
    try Outputs(json: scratch.path + "/new").write(report([row(.inline, nanoseconds: [1])]))
    #expect(textOfFile(scratch.path + "/new")?.hasPrefix("{") == true)
  }
}

@Suite struct VersionedBlockTests {
  @Test("A block matches its own owner and tag only, and any changed word shows")
  func matches() {
    let blocks = VersionedBlocks(byteCount: 64, seed: 7)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
    defer { unsafe memory.deallocate() }
    let block = memory.baseAddress!
    unsafe blocks.fill(block, owner: 3)
    unsafe blocks.stamp(block, tag: 5)
    func matches(_ owner: Int, _ tag: Int) -> Bool { unsafe blocks.matches(UnsafeRawBufferPointer(memory), owner: owner, tag: tag) }
    #expect(matches(3, 5))
    #expect(!matches(3, 4))
    #expect(!matches(2, 5))
    #expect(unsafe !blocks.matches(UnsafeRawBufferPointer(rebasing: memory[..<56]), owner: 3, tag: 5))
    for position in 0..<64 {
      unsafe memory[position] ^= 1
      #expect(!matches(3, 5))
      unsafe memory[position] ^= 1
    }
    unsafe blocks.stamp(block, tag: 6)
    #expect(matches(3, 6))
  }
}
