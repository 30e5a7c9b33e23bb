// The programs of the server, and who runs them.

import SysletRing
import SystemPackage

/// One thread with an engine, the tasks of its connections, and the programs that they run.
struct Server: Sendable {
  /// Files of so many bytes are read, and sent with their heads; of longer ones the kernel sends what it has.
  static let smallMax = 64 * 1024
  static let piece = 1 << 20

  let runtime: SysletRuntime
  let root: FileDescriptor
  /// What a client may take for a head, and for taking 1 MiB.
  let timeout: Duration
  /// Sends the head of an answer and bytes of a file, from an offset on so many whole pieces and a rest: up to where it has come.
  let sendFile: Syslet<FileDescriptor, FilePath, FileDescriptor, Int, Int, Int, Bytes, Int>

  static let receive = Syslet(FileDescriptor.self, MutableBytes.self) { s, socket, bytes in socket.receive(into: bytes) }
  static let send = Syslet(FileDescriptor.self, Bytes.self) { s, socket, bytes in socket.sendAll(bytes) }

  /// What a name below the root stands for, and the bytes of a small file: one read gives all of a regular one. Without `nonBlocking` a named
  /// pipe would have it wait.
  static let load = Syslet(FileDescriptor.self, FilePath.self, MutableBytes.self) { s, root, path, bytes in
    let file = root.open(path, .readOnly, options: .nonBlocking, resolve: .beneath)
    let status = file.status()
    let count = s.variable(0)
    // A regular file's mode.
    s.when(status.mode < 0o120000) {
      s.when(status.mode >= 0o100000) {
        s.when(status.size <= s.constant(smallMax)) { s.set(count, to: file.read(fromAbsoluteOffset: 0, into: bytes)) }
      }
    }
    return (status, count.value)
  }

  /// Lets the client read what was sent, and throws away what it goes on sending.
  static let linger = Syslet(FileDescriptor.self) { s, socket in
    let buffer = s.buffer(count: 4096)
    socket.shutdown(.sending)
    s.loop { s.exit(if: socket.receive(into: buffer) == 0) }
  }

  init(_ runtime: SysletRuntime, root: FileDescriptor, timeout: Duration) {
    (self.runtime, self.root, self.timeout) = (runtime, root, timeout)
    sendFile = Syslet(
      FileDescriptor.self, FilePath.self, FileDescriptor.self, Int.self, Int.self, Int.self, Bytes.self, function: "sendFile"
    ) { s, root, path, socket, first, pieces, rest, head in
      let (offset, left) = (s.variable(0), s.variable(0))
      s.set(offset, to: first)
      s.set(left, to: pieces)
      let file = root.open(path, .readOnly, options: .nonBlocking, resolve: .beneath)
      s.within(timeout) { socket.sendAll(head) }
      s.loop {
        s.exit(if: left.value == 0)
        let sent = s.variable(0)
        s.within(timeout) { s.set(sent, to: socket.sendFile(file, fromAbsoluteOffset: offset.value, count: s.constant(Self.piece))) }
        s.add(sent.value, to: offset)
        s.exit(if: sent.value < s.constant(Self.piece))
        s.add(-1, to: left)
      }
      s.when(rest > 0) {
        s.within(timeout) { s.add(socket.sendFile(file, fromAbsoluteOffset: offset.value, count: rest), to: offset) }
      }
      return offset.value
    }
  }

  /// Accepts connections until the task is cancelled.
  func run(_ listener: FileDescriptor) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for try await socket in runtime.accept(on: listener) {
        group.addTask(executorPreference: runtime.executor) {
          defer { try? socket.close() }
          var connection = Connection(self, socket)
          try? await connection.serve()
        }
      }
    }
  }
}
