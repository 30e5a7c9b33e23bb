// One fixture per row of the operation table: calls that succeed and calls that fail, on real files, pipes, sockets and processes.

import CTestSupport
import Glibc
import SysletRing

/// A system call in a world of its own.
struct Scenario: Sendable, CustomStringConvertible {
  enum Expectation: Sendable, Equatable {
    case success
    case failure(Int32)
  }

  let title: String
  let expectation: Expectation
  /// Whether the result is a descriptor, which is compared by what it is, and closed.
  var givesDescriptor = false
  /// Sets the stage and gives the call's arguments, and what else to look at afterwards.
  let set: @Sendable (Stage) -> Scene

  var description: String { title }
}

struct Scene {
  var arguments: [UInt64]
  var observe: (Int) -> [String]

  init(_ arguments: UInt64..., observe: @escaping (Int) -> [String] = { _ in [] }) {
    self.arguments = arguments
    self.observe = observe
  }
}

private func works(
  _ title: String, givesDescriptor: Bool = false, _ set: @escaping @Sendable (Stage) -> Scene
) -> Scenario {
  Scenario(title: title, expectation: .success, givesDescriptor: givesDescriptor, set: set)
}

private func fails(_ errno: Int32, _ title: String, _ set: @escaping @Sendable (Stage) -> Scene) -> Scenario {
  Scenario(title: title, expectation: .failure(errno), set: set)
}

private let here = UInt64.int(AT_FDCWD)
private let noDescriptor = UInt64.int(-1)
private let content = "0123456789"

enum OperationFixtures {
  /// The scenarios of each row, by the row's name.
  static let scenarios: [String: [Scenario]] = reading.merging(writing) { first, _ in first }
    .merging(opening) { first, _ in first }.merging(wholeFiles) { first, _ in first }
    .merging(names) { first, _ in first }.merging(attributes) { first, _ in first }
    .merging(pipes) { first, _ in first }.merging(sockets) { first, _ in first }
    .merging(waiting) { first, _ in first }

  private static let reading: [String: [Scenario]] = [
    "read": [
      works("all that was asked for") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 4) },
      works("less than was asked for") { s in Scene(s.file("f", content), s.buffer("b", 32).address, 32) },
      works("the end of the file") { s in Scene(s.file("f", ""), s.buffer("b", 4).address, 4) },
      works("nothing asked for") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 0) },
      works("from a pipe") { s in Scene(s.pipe("abc").read, s.buffer("b", 4).address, 4) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.buffer("b", 4).address, 4) },
      fails(EBADF, "open for writing only") { s in Scene(s.file("f", content, O_WRONLY), s.buffer("b", 4).address, 4) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), Wild.inaccessible, 4) },
      fails(EISDIR, "a directory") { s in Scene(s.directory(), s.buffer("b", 4).address, 4) },
    ],
    "pread64": [
      fails(ESPIPE, "a pipe, whose bytes stay") { s in
        let pipe = s.pipe("abc")
        return Scene(pipe.read, s.buffer("b", 4).address, 4, 0) { _ in [s.drained(pipe.read)] }
      },
      works("in the middle") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 4, 3) },
      works("beyond the end") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 4, 100) },
      works("across the end") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 4, 8) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), Wild.inaccessible, 4, 0) },
      fails(EINVAL, "a negative offset") { s in Scene(s.file("f", content), s.buffer("b", 4).address, 4, .int(-1)) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.buffer("b", 4).address, 4, 0) },
    ],
    "readv": [
      works("into two buffers") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 5)), 2) },
      works("into more than there is") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 50)), 2) },
      works("into none") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 0) },
      works("the end of the file") { s in Scene(s.file("f", ""), s.vector(s.buffer("a", 3)), 1) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), s.wildVector(), 1) },
      fails(EINVAL, "too many buffers") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 5000) },
      fails(EFAULT, "a bad vector") { s in Scene(s.file("f", content), Wild.inaccessible, 2) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1) },
    ],
    "preadv": [
      fails(ESPIPE, "a pipe") { s in Scene(s.pipe("abc").read, s.vector(s.buffer("a", 3)), 1, 0, 0) },
      works("into two buffers") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 5)), 2, 1, 0) },
      works("with a sixth argument, which it does not have") { s in
        Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, 1, 0, 0x10)
      },
      works("across the end") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 5)), 2, 6, 0) },
      works("beyond the end") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, 100, 0) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), s.wildVector(), 1, 0, 0) },
      fails(EINVAL, "a negative offset") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, .int(-1), 0) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1, 0, 0) },
    ],
    "preadv2": [
      fails(ESPIPE, "a pipe") { s in Scene(s.pipe("abc").read, s.vector(s.buffer("a", 3)), 1, 0, 0, 0) },
      works("into two buffers") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 5)), 2, 1, 0, 0) },
      works("at the file's position") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, .int(-1), 0, 0) },
      works("across the end") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3), s.buffer("b", 5)), 2, 6, 0, 0) },
      works("beyond the end") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, 100, 0, 0) },
      fails(EOPNOTSUPP, "unknown flags") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, 0, 0, 0x4000_0000) },
      fails(EINVAL, "an offset of -2") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, .int(-2), 0, 0) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1, 0, 0, 0) },
    ],
  ]

  private static let writing: [String: [Scenario]] = [
    "write": [
      works("to a file") { s in Scene(s.file("f", content), s.text("abcd").address, 4) },
      works("to a file that appends") { s in Scene(s.file("f", content, O_WRONLY | O_APPEND), s.text("abcd").address, 4) },
      works("to a pipe") { s in
        let pipe = s.pipe()
        return Scene(pipe.write, s.text("abcd").address, 4) { _ in [s.drained(pipe.read)] }
      },
      works("nothing") { s in Scene(s.file("f", content), s.text("abcd").address, 0) },
      works("what can be read of the buffer") { s in Scene(s.file("f", content), Wild.torn, 8192) },
      fails(EBADF, "open for reading only") { s in Scene(s.file("f", content, O_RDONLY), s.text("abcd").address, 4) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.text("abcd").address, 4) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), Wild.inaccessible, 4) },
      fails(EPIPE, "a pipe that nobody reads") { s in
        let pipe = s.pipe()
        plainCall(SystemCall.close, pipe.read)
        s.descriptors.forget(Int32(pipe.read))
        s.awaitEvents(pipe.write, 0)
        return Scene(pipe.write, s.text("abcd").address, 4)
      },
    ],
    "pwrite64": [
      fails(ESPIPE, "a pipe, which stays empty") { s in
        let pipe = s.pipe("abc")
        return Scene(pipe.write, s.text("abcd").address, 4, 0) { _ in [s.drained(pipe.read)] }
      },
      works("in the middle") { s in Scene(s.file("f", content), s.text("abcd").address, 4, 3) },
      works("beyond the end") { s in Scene(s.file("f", content), s.text("abcd").address, 4, 20) },
      works("what can be read of the buffer") { s in Scene(s.file("f", content), Wild.torn, 8192, 0) },
      works("nothing") { s in Scene(s.file("f", content), s.text("abcd").address, 0, 3) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), Wild.inaccessible, 4, 0) },
      fails(EINVAL, "a negative offset") { s in Scene(s.file("f", content), s.text("abcd").address, 4, .int(-1)) },
      fails(EBADF, "open for reading only") { s in Scene(s.file("f", content, O_RDONLY), s.text("abcd").address, 4, 0) },
    ],
    "writev": [
      works("what can be read of the buffer") { s in
        Scene(s.file("f", content), s.tornVector(), 1)
      },
      works("from none") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 0) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), s.wildVector(), 1) },
      works("from two buffers") { s in
        Scene(s.file("f", content), s.vector(s.arena.buffer(bytes: [65, 66]), s.arena.buffer(bytes: [67])), 2)
      },
      fails(EINVAL, "too many buffers") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 5000) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1) },
    ],
    "pwritev": [
      works("what can be read of the buffer") { s in
        Scene(s.file("f", content), s.tornVector(), 1, 0, 0)
      },
      works("from none") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 0, 0, 0) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), s.wildVector(), 1, 0, 0) },
      works("from two buffers") { s in
        Scene(s.file("f", content), s.vector(s.arena.buffer(bytes: [65, 66]), s.arena.buffer(bytes: [67])), 2, 4, 0)
      },
      fails(EINVAL, "a negative offset") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, .int(-1), 0) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1, 0, 0) },
    ],
    "pwritev2": [
      works("what can be read of the buffer") { s in
        Scene(s.file("f", content), s.tornVector(), 1, 0, 0, 0)
      },
      works("from none") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 0, 0, 0, 0) },
      fails(EFAULT, "a bad buffer") { s in Scene(s.file("f", content), s.wildVector(), 1, 0, 0, 0) },
      works("from two buffers") { s in
        Scene(s.file("f", content), s.vector(s.arena.buffer(bytes: [65, 66]), s.arena.buffer(bytes: [67])), 2, 4, 0, 0)
      },
      works("at the end (RWF_APPEND)") { s in
        Scene(s.file("f", content), s.vector(s.arena.buffer(bytes: [65, 66])), 1, 0, 0, 0x10)
      },
      works("at the file's position") { s in
        Scene(s.file("f", content), s.vector(s.arena.buffer(bytes: [65, 66])), 1, .int(-1), 0, 0)
      },
      fails(EOPNOTSUPP, "unknown flags") { s in Scene(s.file("f", content), s.vector(s.buffer("a", 3)), 1, 0, 0, 0x4000_0000) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.vector(s.buffer("a", 3)), 1, 0, 0, 0) },
    ],
  ]

  private static let opening: [String: [Scenario]] = [
    "open": [
      works("for reading", givesDescriptor: true) { s in
        s.scratch.file("f", content)
        return Scene(s.path("f"), .int(O_RDONLY), 0)
      },
      works("a new file", givesDescriptor: true) { s in Scene(s.path("f"), .int(O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC), 0o640) },
      works("an existing file, emptied", givesDescriptor: true) { s in
        s.scratch.file("f", content)
        return Scene(s.path("f"), .int(O_RDWR | O_TRUNC | O_APPEND), 0)
      },
      fails(ENOENT, "a missing file") { s in Scene(s.path("f"), .int(O_RDONLY), 0) },
      fails(EEXIST, "a new file that exists") { s in
        s.scratch.file("f", content)
        return Scene(s.path("f"), .int(O_WRONLY | O_CREAT | O_EXCL), 0o640)
      },
      fails(EFAULT, "a bad path") { _ in Scene(Wild.inaccessible, .int(O_RDONLY), 0) },
    ],
    "openat": [
      works("in a directory that is open", givesDescriptor: true) { s in
        s.scratch.file("f", content)
        return Scene(s.directory(), s.text("f").address, .int(O_RDONLY | O_NONBLOCK), 0)
      },
      works("a new file", givesDescriptor: true) { s in
        Scene(s.directory(), s.text("f").address, .int(O_RDWR | O_CREAT | O_CLOEXEC), 0o600)
      },
      works("a directory", givesDescriptor: true) { s in Scene(here, s.path("."), .int(O_RDONLY | O_DIRECTORY), 0) },
      fails(ENOENT, "a missing file") { s in Scene(here, s.path("f"), .int(O_RDONLY), 0) },
      fails(EBADF, "in no directory") { s in Scene(noDescriptor, s.text("f").address, .int(O_RDONLY), 0) },
      fails(EISDIR, "a directory for writing") { s in Scene(here, s.path("."), .int(O_WRONLY), 0) },
    ],
    "openat2": [
      works("for reading", givesDescriptor: true) { s in
        s.scratch.file("f", content)
        return Scene(s.directory(), s.text("f").address, s.openHow(O_RDONLY).address, 24)
      },
      works("a new file", givesDescriptor: true) { s in
        Scene(s.directory(), s.text("f").address, s.openHow(O_WRONLY | O_CREAT, mode: 0o604).address, 24)
      },
      fails(EINVAL, "too small a structure") { s in Scene(here, s.path("f"), s.openHow(O_RDONLY).address, 8) },
      fails(EXDEV, "a path that leaves the directory") { s in
        // RESOLVE_BENEATH
        Scene(s.directory(), s.text("..").address, s.openHow(O_RDONLY, resolve: 8).address, 24)
      },
      fails(EINVAL, "unknown flags") { s in Scene(here, s.path("f"), s.openHow(O_RDONLY, resolve: 1 << 40).address, 24) },
    ],
    "creat": [
      works("a new file", givesDescriptor: true) { s in Scene(s.path("f"), 0o640) },
      works("an existing file, emptied", givesDescriptor: true) { s in
        s.scratch.file("f", content)
        return Scene(s.path("f"), 0o640)
      },
      fails(ENOENT, "in a missing directory") { s in Scene(s.path("missing/f"), 0o640) },
      fails(EISDIR, "a directory") { s in Scene(s.path("."), 0o640) },
    ],
    "close": [
      works("an end of a pipe") { s in
        let pipe = s.pipe()
        s.descriptors.forget(Int32(pipe.write))
        // Once the only writer is closed the reader sees the end of the pipe.
        return Scene(pipe.write) { _ in [s.drained(pipe.read)] }
      },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor) },
    ],
  ]

  private static let wholeFiles: [String: [Scenario]] = [
    "fsync": [
      works("a file") { s in Scene(s.file("f", content)) },
      fails(EINVAL, "a pipe") { s in Scene(s.pipe().write) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor) },
    ],
    "fdatasync": [
      works("a file") { s in Scene(s.file("f", content)) },
      fails(EINVAL, "a pipe") { s in Scene(s.pipe().write) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor) },
    ],
    "sync_file_range": [
      works("part of a file") { s in Scene(s.file("f", content), 0, 4, 2) },
      fails(EINVAL, "unknown flags") { s in Scene(s.file("f", content), 0, 4, 0x80) },
      fails(ESPIPE, "a pipe") { s in Scene(s.pipe().write, 0, 4, 2) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor, 0, 4, 2) },
    ],
    "fallocate": [
      works("a longer file") { s in Scene(s.file("f", content), 0, 0, 100) },
      fails(EINVAL, "no length") { s in Scene(s.file("f", content), 0, 0, 0) },
      fails(EBADF, "open for reading only") { s in Scene(s.file("f", content, O_RDONLY), 0, 0, 100) },
      fails(ESPIPE, "a pipe") { s in Scene(s.pipe().write, 0, 0, 100) },
    ],
    "ftruncate": [
      works("a shorter file") { s in Scene(s.file("f", content), 4) },
      works("a longer file") { s in Scene(s.file("f", content), 20) },
      fails(EINVAL, "open for reading only") { s in Scene(s.file("f", content, O_RDONLY), 4) },
      fails(EINVAL, "a negative length") { s in Scene(s.file("f", content), .int(-1)) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor, 4) },
    ],
    "statx": [
      works("a file") { s in
        s.scratch.file("f", content)
        let buffer = s.arena.buffer(256)
        return Scene(here, s.path("f"), 0, 0x7ff, buffer.address) { _ in Stage.facts(statx: buffer) }
      },
      works("a descriptor (AT_EMPTY_PATH)") { s in
        let buffer = s.arena.buffer(256)
        return Scene(s.file("f", content), s.text("").address, 0x1000, 0x7ff, buffer.address) { _ in Stage.facts(statx: buffer) }
      },
      fails(ENOENT, "a missing file") { s in Scene(here, s.path("f"), 0, 0x7ff, s.buffer("b", 256).address) },
      fails(EINVAL, "a reserved bit in the mask") { s in
        s.scratch.file("f", content)
        return Scene(here, s.path("f"), 0, 0x8000_0000, s.buffer("b", 256).address)
      },
      fails(EFAULT, "a bad buffer") { s in Scene(here, s.path("."), 0, 0x7ff, Wild.inaccessible) },
    ],
    "fadvise64": [
      works("part of a file") { s in Scene(s.file("f", content), 0, 4, .int(POSIX_FADV_WILLNEED)) },
      fails(EINVAL, "unknown advice") { s in Scene(s.file("f", content), 0, 4, 99) },
      fails(ESPIPE, "a pipe") { s in Scene(s.pipe().read, 0, 4, .int(POSIX_FADV_WILLNEED)) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor, 0, 4, .int(POSIX_FADV_WILLNEED)) },
    ],
    "madvise": [
      works("a page that is not needed") { s in
        let page = s.page("page")
        page.bytes = [UInt8](repeating: 7, count: page.count)
        return Scene(page.address, 4096, .int(MADV_DONTNEED))
      },
      fails(EINVAL, "half a page") { s in Scene(s.page("page").address + 8, 4096, .int(MADV_DONTNEED)) },
      fails(EINVAL, "unknown advice") { s in Scene(s.page("page").address, 4096, 9999) },
      fails(ENOMEM, "memory that is not mapped") { _ in Scene(4096, 4096, .int(MADV_DONTNEED)) },
    ],
  ]

  private static let names: [String: [Scenario]] = [
    "unlink": [
      works("a file") { s in
        s.scratch.file("f")
        return Scene(s.path("f"))
      },
      fails(ENOENT, "a missing file") { s in Scene(s.path("f")) },
      fails(EISDIR, "a directory") { s in
        s.scratch.directory("d")
        return Scene(s.path("d"))
      },
    ],
    "unlinkat": [
      works("a file") { s in
        s.scratch.file("f")
        return Scene(s.directory(), s.text("f").address, 0)
      },
      works("a directory (AT_REMOVEDIR)") { s in
        s.scratch.directory("d")
        return Scene(here, s.path("d"), 0x200)
      },
      fails(ENOENT, "a missing file") { s in Scene(here, s.path("f"), 0) },
      fails(EINVAL, "unknown flags") { s in
        s.scratch.file("f")
        return Scene(here, s.path("f"), 0x4000_0000)
      },
      fails(ENOTDIR, "a file as a directory") { s in
        s.scratch.file("f")
        return Scene(here, s.path("f"), 0x200)
      },
    ],
    "rmdir": [
      works("an empty directory") { s in
        s.scratch.directory("d")
        return Scene(s.path("d"))
      },
      fails(ENOTEMPTY, "a directory with a file") { s in
        s.scratch.directory("d")
        s.scratch.file("d/f")
        return Scene(s.path("d"))
      },
      fails(ENOTDIR, "a file") { s in
        s.scratch.file("f")
        return Scene(s.path("f"))
      },
    ],
    "rename": [
      works("over another file") { s in
        s.scratch.file("a", "a")
        s.scratch.file("b", "b")
        return Scene(s.path("a"), s.path("b"))
      },
      fails(ENOENT, "a missing file") { s in Scene(s.path("a"), s.path("b")) },
      fails(EISDIR, "over a directory") { s in
        s.scratch.file("a")
        s.scratch.directory("b")
        return Scene(s.path("a"), s.path("b"))
      },
    ],
    "renameat": [
      works("in a directory that is open") { s in
        s.scratch.file("a", "a")
        return Scene(s.directory(), s.text("a").address, s.directory(), s.text("b").address)
      },
      fails(ENOENT, "a missing file") { s in Scene(here, s.path("a"), here, s.path("b")) },
      fails(EBADF, "into no directory") { s in
        s.scratch.file("a", "a")
        return Scene(here, s.path("a"), noDescriptor, s.text("b").address)
      },
    ],
    "renameat2": [
      works("exchange") { s in
        s.scratch.file("a", "a")
        s.scratch.file("b", "b")
        return Scene(here, s.path("a"), here, s.path("b"), 2)
      },
      works("no replacement") { s in
        s.scratch.file("a", "a")
        return Scene(here, s.path("a"), here, s.path("b"), 1)
      },
      fails(EEXIST, "a replacement that is not wanted") { s in
        s.scratch.file("a", "a")
        s.scratch.file("b", "b")
        return Scene(here, s.path("a"), here, s.path("b"), 1)
      },
      fails(EINVAL, "unknown flags") { s in
        s.scratch.file("a", "a")
        return Scene(here, s.path("a"), here, s.path("b"), 0x100)
      },
    ],
    "mkdir": [
      works("a directory") { s in Scene(s.path("d"), 0o750) },
      fails(EEXIST, "one that exists") { s in
        s.scratch.directory("d")
        return Scene(s.path("d"), 0o750)
      },
      fails(ENOENT, "in a missing directory") { s in Scene(s.path("missing/d"), 0o750) },
    ],
    "mkdirat": [
      works("in a directory that is open") { s in Scene(s.directory(), s.text("d").address, 0o700) },
      fails(EEXIST, "one that exists") { s in
        s.scratch.directory("d")
        return Scene(here, s.path("d"), 0o750)
      },
      fails(EBADF, "in no directory") { s in Scene(noDescriptor, s.text("d").address, 0o750) },
    ],
    "symlink": [
      works("a link") { s in Scene(s.text("target").address, s.path("l")) },
      fails(EEXIST, "one that exists") { s in
        s.scratch.file("l")
        return Scene(s.text("target").address, s.path("l"))
      },
      fails(ENOENT, "an empty target") { s in Scene(s.text("").address, s.path("l")) },
    ],
    "symlinkat": [
      works("in a directory that is open") { s in Scene(s.text("target").address, s.directory(), s.text("l").address) },
      fails(EEXIST, "one that exists") { s in
        s.scratch.file("l")
        return Scene(s.text("target").address, here, s.path("l"))
      },
      fails(EBADF, "in no directory") { s in Scene(s.text("target").address, noDescriptor, s.text("l").address) },
    ],
    "link": [
      works("a second name") { s in
        s.scratch.file("f", content)
        return Scene(s.path("f"), s.path("g"))
      },
      fails(ENOENT, "of a missing file") { s in Scene(s.path("f"), s.path("g")) },
      fails(EEXIST, "one that exists") { s in
        s.scratch.file("f")
        s.scratch.file("g")
        return Scene(s.path("f"), s.path("g"))
      },
    ],
    "linkat": [
      works("a second name") { s in
        s.scratch.file("f", content)
        return Scene(s.directory(), s.text("f").address, s.directory(), s.text("g").address, 0)
      },
      fails(EEXIST, "one that exists") { s in
        s.scratch.file("f")
        s.scratch.file("g")
        return Scene(here, s.path("f"), here, s.path("g"), 0)
      },
      fails(EINVAL, "unknown flags") { s in
        s.scratch.file("f")
        return Scene(here, s.path("f"), here, s.path("g"), 1)
      },
    ],
  ]

  /// The value of attribute user.a of file f, and its length.
  private static func attribute(_ stage: Stage) -> (Int) -> [String] {
    { _ in
      let buffer = stage.arena.buffer(32)
      let length = plainCall(SystemCall.getxattr, stage.path("f"), stage.text("user.a").address, buffer.address, 32)
      return ["user.a: \(length) \(buffer.text)"]
    }
  }

  private static func attributed(_ stage: Stage, _ value: String) {
    let result = plainCall(
      SystemCall.setxattr, stage.path("f"), stage.text("user.a").address, stage.text(value).address, .int(value.utf8.count), 0)
    precondition(result == 0 || result == -Int(EOPNOTSUPP))
  }

  private static let attributes: [String: [Scenario]] = [
    "setxattr": [
      works("a value") { s in
        s.scratch.file("f")
        return Scene(s.path("f"), s.text("user.a").address, s.text("abc").address, 3, 0, observe: attribute(s))
      },
      fails(EEXIST, "a new one that exists") { s in
        s.scratch.file("f")
        attributed(s, "old")
        return Scene(s.path("f"), s.text("user.a").address, s.text("abc").address, 3, 1, observe: attribute(s))
      },
      fails(ENOENT, "of a missing file") { s in Scene(s.path("f"), s.text("user.a").address, s.text("abc").address, 3, 0) },
      fails(EOPNOTSUPP, "an unknown namespace") { s in
        s.scratch.file("f")
        return Scene(s.path("f"), s.text("nonsense.a").address, s.text("abc").address, 3, 0)
      },
    ],
    "fsetxattr": [
      works("a value") { s in
        Scene(s.file("f", ""), s.text("user.a").address, s.text("abc").address, 3, 0, observe: attribute(s))
      },
      fails(ENODATA, "a replacement of none") { s in
        Scene(s.file("f", ""), s.text("user.a").address, s.text("abc").address, 3, 2, observe: attribute(s))
      },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.text("user.a").address, s.text("abc").address, 3, 0) },
    ],
    "getxattr": [
      works("a value") { s in
        s.scratch.file("f")
        attributed(s, "value")
        return Scene(s.path("f"), s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      works("its length") { s in
        s.scratch.file("f")
        attributed(s, "value")
        return Scene(s.path("f"), s.text("user.a").address, 0, 0)
      },
      works("as much as there is room for") { s in
        s.scratch.file("f")
        attributed(s, "value")
        return Scene(s.path("f"), s.text("user.a").address, s.buffer("b", 32).address, 5)
      },
      works("an empty value") { s in
        s.scratch.file("f")
        attributed(s, "")
        return Scene(s.path("f"), s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      fails(ENODATA, "a missing attribute") { s in
        s.scratch.file("f")
        return Scene(s.path("f"), s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      fails(ERANGE, "too small a buffer") { s in
        s.scratch.file("f")
        attributed(s, "value")
        return Scene(s.path("f"), s.text("user.a").address, s.buffer("b", 32).address, 2)
      },
    ],
    "fgetxattr": [
      works("a value") { s in
        let file = s.file("f", "")
        attributed(s, "value")
        return Scene(file, s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      works("as much as there is room for") { s in
        let file = s.file("f", "")
        attributed(s, "value")
        return Scene(file, s.text("user.a").address, s.buffer("b", 32).address, 5)
      },
      works("an empty value") { s in
        let file = s.file("f", "")
        attributed(s, "")
        return Scene(file, s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      fails(ENODATA, "a missing attribute") { s in
        Scene(s.file("f", ""), s.text("user.a").address, s.buffer("b", 32).address, 32)
      },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.text("user.a").address, s.buffer("b", 32).address, 32) },
    ],
  ]

  private static let pipes: [String: [Scenario]] = [
    "pipe2": [
      works("a pipe") { s in
        let ends = s.arena.buffer(8)
        return Scene(ends.address, .int(O_CLOEXEC | O_NONBLOCK)) { _ in s.pair(ends) }
      },
      fails(EINVAL, "unknown flags") { s in Scene(s.buffer("b", 8).address, 1) },
      fails(EFAULT, "a bad buffer") { _ in Scene(Wild.inaccessible, 0) },
    ]
  ]

  private static let noSignal = UInt64.int(MSG_NOSIGNAL)
  private static let noWaiting = UInt64.int(MSG_DONTWAIT)

  private static let sockets: [String: [Scenario]] = [
    "sendto": [
      works("nothing") { s in Scene(s.socketPair().0, s.text("abcd").address, 0, noSignal, 0, 0) },
      works("what fits without waiting") { s in
        Scene(s.socketPair().0, s.arena.buffer(1 << 20).address, 1 << 20, noSignal | noWaiting, 0, 0)
      },
      works("to a connected socket") { s in
        let (near, far) = s.socketPair()
        return Scene(near, s.text("abcd").address, 4, noSignal, 0, 0) { _ in [s.drained(far)] }
      },
      works("to an address") { s in
        let (receiver, address) = (s.socket(SOCK_DGRAM), s.socketAddress("r"))
        precondition(plainCall(SystemCall.bind, receiver, address.address, .int(address.count)) == 0)
        return Scene(s.socket(SOCK_DGRAM), s.text("abcd").address, 4, 0, address.address, .int(address.count)) { _ in
          [s.drained(receiver)]
        }
      },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), s.text("abcd").address, 4, 0, 0, 0) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.text("abcd").address, 4, 0, 0, 0) },
      fails(EPIPE, "to a socket that is shut down") { s in
        let (near, _) = s.socketPair()
        precondition(plainCall(SystemCall.shutdown, near, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.text("abcd").address, 4, noSignal, 0, 0)
      },
    ],
    "recvfrom": [
      works("from a connected socket") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("abcd").address, 4) == 4)
        return Scene(near, s.buffer("b", 32).address, 32, 0, 0, 0)
      },
      works("all of it (MSG_WAITALL)") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("abcd").address, 4) == 4)
        return Scene(near, s.buffer("b", 32).address, 4, .int(MSG_WAITALL), 0, 0)
      },
      works("all that comes before the end (MSG_WAITALL)") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("ab").address, 2) == 2)
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.buffer("b", 32).address, 4, .int(MSG_WAITALL), 0, 0)
      },
      works("the end (MSG_WAITALL)") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.buffer("b", 32).address, 4, .int(MSG_WAITALL), 0, 0)
      },
      works("as much as there is room for") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("abcd").address, 4) == 4)
        return Scene(near, s.buffer("b", 32).address, 4, 0, 0, 0)
      },
      works("with the sender's address") { s in
        let (receiver, address) = (s.socket(SOCK_DGRAM), s.socketAddress("r"))
        precondition(plainCall(SystemCall.bind, receiver, address.address, .int(address.count)) == 0)
        let sent = plainCall(
          SystemCall.sendto, s.socket(SOCK_DGRAM), s.text("abcd").address, 4, 0, address.address, .int(address.count))
        precondition(sent == 4)
        let length = s.buffer("length", 4)
        length.store(Int32(128), at: 0)
        return Scene(receiver, s.buffer("b", 32).address, 32, 0, s.buffer("address", 128).address, length.address)
      },
      works("from a socket whose peer is gone") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.buffer("b", 32).address, 32, 0, 0, 0)
      },
      fails(EAGAIN, "from a socket with nothing in it") { s in
        Scene(s.socketPair().0, s.buffer("b", 32).address, 32, noWaiting, 0, 0)
      },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), s.buffer("b", 32).address, 32, 0, 0, 0) },
    ],
    "sendmsg": [
      works("nothing") { s in Scene(s.socketPair().0, s.message().address, noSignal) },
      works("what fits without waiting") { s in
        Scene(s.socketPair().0, s.message(s.arena.buffer(1 << 20)).address, noSignal | noWaiting)
      },
      works("from two buffers") { s in
        let (near, far) = s.socketPair()
        return Scene(near, s.message(s.arena.buffer(bytes: [65, 66]), s.arena.buffer(bytes: [67])).address, noSignal) { _ in
          [s.drained(far)]
        }
      },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), s.message(s.buffer("b", 2)).address, 0) },
      fails(EFAULT, "a bad header") { s in Scene(s.socketPair().0, Wild.inaccessible, 0) },
    ],
    "recvmsg": [
      works("from a socket whose peer is gone") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.message(s.buffer("a", 2)).address, 0)
      },
      works("all that comes before the end (MSG_WAITALL)") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("ab").address, 2) == 2)
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.message(s.buffer("a", 4)).address, .int(MSG_WAITALL))
      },
      works("the end (MSG_WAITALL)") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.shutdown, far, .int(Int32(SHUT_WR))) == 0)
        return Scene(near, s.message(s.buffer("a", 4)).address, .int(MSG_WAITALL))
      },
      works("into two buffers") { s in
        let (near, far) = s.socketPair()
        precondition(plainCall(SystemCall.write, far, s.text("abcd").address, 4) == 4)
        return Scene(near, s.message(s.buffer("a", 2), s.buffer("b", 8)).address, 0)
      },
      works("a datagram that does not fit") { s in
        let (near, far) = s.socketPair(SOCK_DGRAM)
        precondition(plainCall(SystemCall.write, far, s.text("abcd").address, 4) == 4)
        let header = s.message(s.buffer("a", 2))
        return Scene(near, header.address, 0) { _ in ["flags \(header.load(48, as: UInt32.self))"] }
      },
      fails(EAGAIN, "from a socket with nothing in it") { s in
        Scene(s.socketPair().0, s.message(s.buffer("a", 2)).address, noWaiting)
      },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), s.message(s.buffer("a", 2)).address, 0) },
    ],
    "accept": [
      works("a connection", givesDescriptor: true) { s in
        let listener = s.listener("l")
        _ = s.connected("l")
        return Scene(listener, 0, 0)
      },
      works("a connection and its address", givesDescriptor: true) { s in
        let listener = s.listener("l")
        _ = s.connected("l")
        let length = s.buffer("length", 4)
        length.store(Int32(128), at: 0)
        return Scene(listener, s.buffer("address", 128).address, length.address)
      },
      fails(EINVAL, "a socket that does not listen") { s in Scene(s.socket(), 0, 0) },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), 0, 0) },
    ],
    "accept4": [
      works("a connection", givesDescriptor: true) { s in
        let listener = s.listener("l")
        _ = s.connected("l")
        return Scene(listener, 0, 0, .int(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
      },
      fails(EINVAL, "unknown flags") { s in
        let listener = s.listener("l")
        _ = s.connected("l")
        return Scene(listener, 0, 0, 1)
      },
      fails(EINVAL, "a socket that does not listen") { s in Scene(s.socket(), 0, 0, 0) },
      fails(EBADF, "no descriptor") { _ in Scene(noDescriptor, 0, 0, 0) },
    ],
    "connect": [
      works("to a listener") { s in
        _ = s.listener("l")
        let address = s.socketAddress("l")
        return Scene(s.socket(), address.address, .int(address.count))
      },
      fails(ENOENT, "to nobody") { s in
        let address = s.socketAddress("l")
        return Scene(s.socket(), address.address, .int(address.count))
      },
      fails(EINVAL, "an address of no length") { s in Scene(s.socket(), s.socketAddress("l").address, 0) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.socketAddress("l").address, 20) },
    ],
    "socket": [
      works("a stream", givesDescriptor: true) { _ in
        Scene(.int(AF_UNIX), .int(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      },
      works("datagrams without waiting", givesDescriptor: true) { _ in
        Scene(.int(AF_UNIX), .int(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      },
      fails(EAFNOSUPPORT, "an unknown family") { _ in Scene(999, .int(SOCK_STREAM.rawValue), 0) },
      fails(EINVAL, "an unknown type") { _ in Scene(.int(AF_UNIX), 999, 0) },
    ],
    "bind": [
      works("to a name") { s in
        let address = s.socketAddress("l")
        return Scene(s.socket(), address.address, .int(address.count))
      },
      fails(EADDRINUSE, "to a name that is taken") { s in
        _ = s.listener("l")
        let address = s.socketAddress("l")
        return Scene(s.socket(), address.address, .int(address.count))
      },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), s.socketAddress("l").address, 20) },
    ],
    "listen": [
      works("on a bound socket") { s in
        let (socket, address) = (s.socket(), s.socketAddress("l"))
        precondition(plainCall(SystemCall.bind, socket, address.address, .int(address.count)) == 0)
        return Scene(socket, 8) { _ in
          ["connect \(plainCall(SystemCall.connect, s.socket(), address.address, .int(address.count)))"]
        }
      },
      fails(EOPNOTSUPP, "on datagrams") { s in Scene(s.socket(SOCK_DGRAM), 8) },
      fails(ENOTSOCK, "a file") { s in Scene(s.file("f", content), 8) },
    ],
    "shutdown": [
      works("of writing") { s in
        let (near, far) = s.socketPair()
        return Scene(near, .int(Int32(SHUT_WR))) { _ in [s.drained(far)] }
      },
      fails(EINVAL, "of nothing known") { s in Scene(s.socketPair().0, 9) },
      fails(ENOTCONN, "of a socket without a peer") { s in Scene(s.socket(), .int(Int32(SHUT_WR))) },
    ],
  ]

  /// The size of `struct epoll_event`, which is packed on one architecture.
  private static var epollEventSize: Int {
    #if arch(x86_64)
      12
    #else
      16
    #endif
  }

  private static func epoll(_ stage: Stage, watching descriptor: UInt64? = nil) -> UInt64 {
    let epoll = UInt64.int(stage.descriptors.adopt(Int32(plainCall(SystemCall.epoll_create1, .int(O_CLOEXEC)))))
    if let descriptor {
      precondition(plainCall(SystemCall.epoll_ctl, epoll, 1, descriptor, event(stage).address) == 0)
    }
    return epoll
  }

  /// An event that asks for input, with 5 as the user's data.
  private static func event(_ stage: Stage) -> Buffer {
    let event = stage.arena.buffer(16)
    event.store(UInt32(1), at: 0)
    event.store(UInt8(5), at: epollEventSize - 8)
    return event
  }

  private static func ready(_ stage: Stage, _ epoll: UInt64) -> (Int) -> [String] {
    { _ in
      let events = stage.arena.buffer(64)
      let mask: UInt64 = 0
      let count = plainCall(SystemCall.epoll_pwait, epoll, events.address, 4, 0, mask, 8)
      return ["ready \(count) \(events.bytes)"]
    }
  }

  private static let wakeUp: UInt64 = 1

  private static let waiting: [String: [Scenario]] = [
    "epoll_ctl": [
      works("add") { s in
        let (epoll, event) = (epoll(s), UInt64.int(s.descriptors.event(1)))
        return Scene(epoll, 1, event, Self.event(s).address, observe: ready(s, epoll))
      },
      works("remove") { s in
        let event = UInt64.int(s.descriptors.event(1))
        let epoll = epoll(s, watching: event)
        return Scene(epoll, 2, event, 0, observe: ready(s, epoll))
      },
      fails(EEXIST, "add twice") { s in
        let event = UInt64.int(s.descriptors.event(1))
        return Scene(epoll(s, watching: event), 1, event, Self.event(s).address)
      },
      fails(ENOENT, "modify what is not there") { s in
        Scene(epoll(s), 3, .int(s.descriptors.event(1)), event(s).address)
      },
      fails(EPERM, "add a file") { s in Scene(epoll(s), 1, s.file("f", content), event(s).address) },
    ],
    "epoll_wait": [
      works("for as many events as there are") { s in
        Scene(epoll(s, watching: .int(s.descriptors.event(1))), s.buffer("events", 64).address, 1, .int(-1))
      },
      works("for an event that is there") { s in
        Scene(epoll(s, watching: .int(s.descriptors.event(1))), s.buffer("events", 64).address, 4, .int(-1))
      },
      works("no time at all") { s in
        Scene(epoll(s, watching: .int(s.descriptors.event(0))), s.buffer("events", 64).address, 4, 0)
      },
      works("a short time") { s in
        Scene(epoll(s, watching: .int(s.descriptors.event(0))), s.buffer("events", 64).address, 4, 2)
      },
      fails(EINVAL, "for no events") { s in Scene(epoll(s), s.buffer("events", 64).address, 0, .int(-1)) },
      fails(EBADF, "no descriptor") { s in Scene(noDescriptor, s.buffer("events", 64).address, 4, .int(-1)) },
      fails(EINVAL, "a file") { s in Scene(s.file("f", content), s.buffer("events", 64).address, 4, .int(-1)) },
    ],
    "poll": [
      works("a descriptor that is ready") { s in
        let set = s.pollSet("set", (s.descriptors.event(1), 1 | 4))
        return Scene(set.address, 1, .int(-1)) { _ in ["\(set.bytes.dropFirst(4))"] }
      },
      works("a closed descriptor") { s in
        // No process may have so many.
        let set = s.pollSet("set", (Int32.max, 1))
        return Scene(set.address, 1, .int(-1)) { _ in ["\(set.bytes.dropFirst(4))"] }
      },
      works("an ignored descriptor, for a short time") { s in
        let set = s.pollSet("set", (-1, 1))
        return Scene(set.address, 1, 2) { _ in ["\(set.bytes.dropFirst(4))"] }
      },
      works("no time at all") { s in
        let set = s.pollSet("set", (s.descriptors.event(0), 1))
        return Scene(set.address, 1, 0) { _ in ["\(set.bytes.dropFirst(4))"] }
      },
      works("two descriptors") { s in
        let set = s.pollSet("set", (s.descriptors.event(1), 1), (s.descriptors.event(0), 1 | 4))
        return Scene(set.address, 2, .int(-1)) { _ in ["\(set.bytes[4..<8]) \(set.bytes[12...])"] }
      },
      works("the other end's hang-up") { s in
        let pipe = s.pipe()
        plainCall(SystemCall.close, pipe.write)
        s.descriptors.forget(Int32(pipe.write))
        let set = s.pollSet("set", (Int32(pipe.read), 1))
        return Scene(set.address, 1, .int(-1)) { _ in ["\(set.bytes.dropFirst(4))"] }
      },
      fails(EFAULT, "a bad set") { _ in Scene(Wild.inaccessible, 1, .int(-1)) },
      fails(EINVAL, "too many descriptors") { s in Scene(s.pollSet("set", (-1, 1)).address, 1 << 31, .int(-1)) },
    ],
    "nanosleep": [
      works("a millisecond") { s in Scene(s.time(nanoseconds: 1_000_000).address, 0) },
      works("not at all") { s in Scene(s.time(nanoseconds: 0).address, 0) },
      fails(EINVAL, "too many nanoseconds") { s in Scene(s.time(nanoseconds: 1_000_000_000).address, 0) },
      fails(EINVAL, "a negative time") { s in Scene(s.time(seconds: -1, nanoseconds: 0).address, 0) },
      fails(EFAULT, "a bad time") { _ in Scene(Wild.inaccessible, 0) },
    ],
    "clock_nanosleep": [
      works("a millisecond") { s in Scene(.int(CLOCK_MONOTONIC), 0, s.time(nanoseconds: 1_000_000).address, 0) },
      works("until a time that is past") { s in
        Scene(.int(CLOCK_REALTIME), .int(TIMER_ABSTIME), s.time(seconds: 1, nanoseconds: 0).address, 0)
      },
      works("on the clock that counts suspension") { s in
        Scene(.int(CLOCK_BOOTTIME), 0, s.time(nanoseconds: 1_000_000).address, 0)
      },
      fails(EINVAL, "an unknown clock") { s in Scene(99, 0, s.time(nanoseconds: 1_000_000).address, 0) },
      fails(EINVAL, "too many nanoseconds") { s in
        Scene(.int(CLOCK_MONOTONIC), 0, s.time(nanoseconds: 1_000_000_000).address, 0)
      },
    ],
    "futex": [
      works("wait for another thread") { s in
        let word = s.buffer("word", 64)
        precondition(test_wake_one_waiter(word.address) == 0)
        return Scene(word.address, 0, 0, 0, 0, 0)
      },
      works("wake nobody") { s in Scene(s.buffer("word", 64).address, wakeUp, 1, 0, 0, 0) },
      works("wake another thread") { s in
        let word = s.buffer("word", 64)
        precondition(test_one_waiter(word.address) == 0)
        return Scene(word.address, wakeUp, 5, 0, 0, 0)
      },
      fails(EAGAIN, "wait on a word that has changed") { s in Scene(s.buffer("word", 64).address, 0, 7, 0, 0, 0) },
      fails(EAGAIN, "wait on a private word that has changed") { s in Scene(s.buffer("word", 64).address, 128, 7, 0, 0, 0) },
      fails(ETIMEDOUT, "wait for a short time") { s in
        Scene(s.buffer("word", 64).address, 0, 0, s.time(nanoseconds: 1_000_000).address, 0, 0)
      },
      fails(ENOSYS, "an unknown operation") { s in Scene(s.buffer("word", 64).address, 77, 0, 0, 0, 0) },
      fails(EINVAL, "a word that is not aligned") { s in Scene(s.buffer("word", 64).address + 1, 0, 0, 0, 0, 0) },
      fails(EFAULT, "a bad word") { _ in Scene(Wild.inaccessible, 0, 0, 0, 0, 0) },
    ],
    "waitid": [
      works("a child that has exited") { s in
        let child = test_exited_child(23)
        precondition(child > 0)
        let info = s.arena.buffer(128)
        return Scene(1, .int(child), info.address, 4, 0) { _ in
          // signal, code and status; the process differs
          ["\(info.load(0, as: Int32.self)) \(info.load(8, as: Int32.self)) \(info.load(24, as: Int32.self))"]
        }
      },
      works("a child and its resource usage") { s in
        let child = test_exited_child(0)
        precondition(child > 0)
        let (info, usage) = (s.arena.buffer(128), s.arena.buffer(144))
        return Scene(1, .int(child), info.address, 4, usage.address) { _ in ["\(info.load(24, as: Int32.self))"] }
      },
      fails(ECHILD, "no child") { s in Scene(1, .int(Int32.max), s.buffer("info", 128).address, 4, 0) },
      fails(EINVAL, "nothing to wait for") { s in Scene(1, 1, s.buffer("info", 128).address, 0, 0) },
    ],
    "nop": [works("nothing") { _ in Scene() }],
  ]
}

extension Stage {
  /// A `struct open_how`.
  fileprivate func openHow(_ flags: Int32, mode: UInt64 = 0, resolve: UInt64 = 0) -> Buffer {
    let how = arena.buffer(24)
    how.store(UInt64(UInt32(bitPattern: flags)), at: 0)
    how.store(mode, at: 8)
    how.store(resolve, at: 16)
    return how
  }

  /// The fields of a `struct statx` that are the same for the same file made twice: links, owner, mode and size.
  fileprivate static func facts(statx buffer: Buffer) -> [String] {
    [
      "links \(buffer.load(16, as: UInt32.self)) owner \(buffer.load(20, as: UInt32.self)) "
        + "mode \(buffer.load(28, as: UInt16.self)) size \(buffer.load(40, as: UInt64.self))"
    ]
  }

  /// The two descriptors that a call stored, which are closed with the stage.
  fileprivate func pair(_ ends: Buffer) -> [String] {
    (0..<2).map { index in facts(Int(descriptors.adopt(ends.load(4 * index, as: Int32.self)))) }
  }
}
