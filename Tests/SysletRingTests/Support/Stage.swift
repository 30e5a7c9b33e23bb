// The world of one system call: files, descriptors and memory that two runs of the same call can each have for themselves, and a
// description of it that must be the same afterwards.

import CTestSupport
import Foundation
import Glibc
import SysletRing

@safe final class Stage {
  let arena = Arena()
  let descriptors = Descriptors()
  let scratch = Scratch()
  private var comparedBuffers: [(String, Buffer)] = []
  private var comparedFiles: [(String, Int32)] = []

  // MARK: memory

  /// A buffer whose content belongs to the description.
  func buffer(_ name: String, _ count: Int) -> Buffer {
    let buffer = arena.buffer(count)
    comparedBuffers.append((name, buffer))
    return buffer
  }

  func text(_ text: String) -> Buffer { arena.path(text) }

  /// The path of a name in the scratch directory.
  func path(_ name: String) -> UInt64 { arena.path(scratch.path(name)).address }

  /// A page of its own, or several, aligned as one.
  func page(_ name: String, _ byteCount: Int = 4096) -> Buffer {
    let memory = arena.buffer(byteCount + 2 * 4096)
    let offset = Int((4096 - memory.address % 4096) % 4096)
    let page = unsafe Buffer(base: memory.base + offset, count: byteCount)
    comparedBuffers.append((name, page))
    return page
  }

  /// An array of `struct iovec`.
  func vector(_ buffers: Buffer...) -> UInt64 { vector(buffers).address }

  private func vector(_ buffers: [Buffer]) -> Buffer {
    let vector = arena.buffer(16 * buffers.count)
    for (index, buffer) in buffers.enumerated() {
      vector.store(buffer.address, at: 16 * index)
      vector.store(UInt64(buffer.count), at: 16 * index + 8)
    }
    return vector
  }

  /// An array of one `struct iovec` whose buffer cannot be touched.
  func wildVector() -> UInt64 {
    let vector = arena.buffer(16)
    vector.store(Wild.inaccessible, at: 0)
    vector.store(UInt64(4), at: 8)
    return vector.address
  }

  /// An array of one `struct iovec` whose buffer cannot be touched from its middle on.
  func tornVector() -> UInt64 {
    let vector = arena.buffer(16)
    vector.store(Wild.torn, at: 0)
    vector.store(UInt64(8192), at: 8)
    return vector.address
  }

  /// A `struct msghdr` without an address.
  func message(_ buffers: Buffer...) -> Buffer {
    let header = arena.buffer(56)
    header.store(vector(buffers).address, at: 16)
    header.store(UInt64(buffers.count), at: 24)
    return header
  }

  /// A `struct timespec`.
  func time(seconds: Int = 0, nanoseconds: Int) -> Buffer {
    let time = arena.buffer(16)
    time.store(Int64(seconds), at: 0)
    time.store(Int64(nanoseconds), at: 8)
    return time
  }

  /// An array of `struct pollfd`.
  func pollSet(_ name: String, _ entries: (descriptor: Int32, events: Int16)...) -> Buffer {
    let set = arena.buffer(8 * entries.count)
    for (index, entry) in entries.enumerated() {
      set.store(entry.descriptor, at: 8 * index)
      set.store(entry.events, at: 8 * index + 4)
    }
    return set
  }

  /// The address of a Unix socket in the scratch directory.
  func socketAddress(_ name: String) -> Buffer {
    let path = scratch.path(name)
    precondition(path.utf8.count < 108, "TMPDIR is too long for the address of a socket: \(path)")
    return arena.buffer(bytes: [UInt8(AF_UNIX), 0] + Array(path.utf8) + [0])
  }

  // MARK: descriptors

  /// A file with content, open, whose position belongs to the description.
  func file(_ name: String, _ content: String, _ flags: Int32 = O_RDWR) -> UInt64 {
    let descriptor = descriptors.open(scratch.file(name, content), flags)
    comparedFiles.append((name, descriptor))
    return .int(descriptor)
  }

  /// The scratch directory, open.
  func directory() -> UInt64 { .int(descriptors.open(scratch.path, O_RDONLY | O_DIRECTORY)) }

  /// A pipe with bytes in it.
  func pipe(_ content: String = "") -> (read: UInt64, write: UInt64) {
    let ends = descriptors.pipe()
    if !content.isEmpty {
      let written = plainCall(SystemCall.write, .int(ends.write), text(content).address, .int(content.utf8.count))
      precondition(written == content.utf8.count)
    }
    return (.int(ends.read), .int(ends.write))
  }

  /// The reading end of an empty pipe that nobody writes to any more.
  func endedPipe() -> UInt64 {
    let ends = descriptors.pipe()
    close(ends.write)
    descriptors.forget(ends.write)
    awaitEvents(.int(ends.read), 0)
    return .int(ends.read)
  }

  func socketPair(_ type: __socket_type = SOCK_STREAM) -> (UInt64, UInt64) {
    let (near, far) = descriptors.socketPair(type)
    return (.int(near), .int(far))
  }

  /// A new socket.
  func socket(_ type: __socket_type = SOCK_STREAM) -> UInt64 {
    .int(descriptors.adopt(Glibc.socket(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)))
  }

  /// A socket that listens at `name`.
  func listener(_ name: String) -> UInt64 {
    let (socket, address) = (socket(), socketAddress(name))
    precondition(plainCall(SystemCall.bind, socket, address.address, .int(address.count)) == 0)
    precondition(plainCall(SystemCall.listen, socket, 8) == 0)
    return socket
  }

  /// A socket that has connected to the listener at `name`.
  func connected(_ name: String) -> UInt64 {
    let (socket, address) = (socket(), socketAddress(name))
    precondition(plainCall(SystemCall.connect, socket, address.address, .int(address.count)) == 0)
    return socket
  }

  /// What can be read from a descriptor. Something must come, if only its end: a process that is being started elsewhere in the test process
  /// may hold the other end open for a moment.
  func drained(_ descriptor: UInt64) -> String {
    let buffer = arena.buffer(256)
    _ = fcntl(Int32(descriptor), F_SETFL, O_NONBLOCK)
    awaitEvents(descriptor, Int16(POLLIN))
    let count = plainCall(SystemCall.read, descriptor, buffer.address, 256)
    return count < 0 ? "read \(count)" : "read \(buffer.bytes.prefix(count))"
  }

  /// Waits for events on a descriptor, or for its other end to be closed everywhere.
  func awaitEvents(_ descriptor: UInt64, _ events: Int16) {
    var entry = pollfd(fd: Int32(descriptor), events: events, revents: 0)
    _ = unsafe poll(&entry, 1, 30_000)
  }

  /// What a descriptor is, without its number.
  func facts(_ descriptor: Int) -> String {
    var facts = stat()
    guard descriptor >= 0, unsafe fstat(Int32(descriptor), &facts) == 0 else { return "no descriptor" }
    let close = fcntl(Int32(descriptor), F_GETFD)
    let flags = fcntl(Int32(descriptor), F_GETFL)
    return "mode \(String(facts.st_mode, radix: 8)) size \(facts.st_size) close-on-exec \(close) flags \(String(flags, radix: 8))"
  }

  // MARK: the description

  func description() -> [String] {
    scratch.listing() + comparedBuffers.map { "\($0): \($1.bytes)" }
      + comparedFiles.map { "\($0) is at \(lseek($1, 0, SEEK_CUR))" }
  }
}
