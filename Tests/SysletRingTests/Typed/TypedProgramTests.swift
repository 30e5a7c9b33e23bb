// Typed programs, run by tasks.

import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Typed programs", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct TypedProgramTests {
  static let backends = SysletEngine.Backend.available.filter { $0 != .inline }

  static func withRuntime(
    _ backend: SysletEngine.Backend, isPrepared: Bool = false, _ adjust: (inout SysletRuntime.Options) -> Void = { _ in },
    _ body: (SysletRuntime) async throws -> Void
  ) async throws {
    var options = SysletRuntime.Options()
    options.engine.backend = backend
    options.shards = 1
    adjust(&options)
    let runtime = try SysletRuntime(options)
    if isPrepared {
      runtime.prepare(Files.read)
      runtime.prepare(Files.copy)
      runtime.prepare(Files.replace)
      runtime.prepare(Files.respond)
      runtime.prepare(Files.append)
    }
    do { try await body(runtime) } catch {
      await runtime.shutDown()
      throw error
    }
    await runtime.shutDown()
  }

  private static func content(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) } }

  @Test("A whole file is read into lent memory, which may be larger or smaller", arguments: backends, [false, true])
  func read(backend: SysletEngine.Backend, isPrepared: Bool) async throws {
    let scratch = Scratch()
    try await Self.withRuntime(backend, isPrepared: isPrepared) { runtime in
      for size in [0, 1, 4096, 100_000] {
        let expected = Self.content(size)
        let path = FilePath(scratch.file("file", expected))
        for room in [1, 4096, 100_000, 100_001] {
          var memory = [UInt8](repeating: 0xEE, count: room)
          var span = memory.mutableSpan
          let count = try await runtime.run(Files.read, path, into: &span)
          #expect(count == min(size, room))
          #expect(memory.prefix(count).elementsEqual(expected.prefix(room)))
          #expect(memory.dropFirst(count).allSatisfy { $0 == 0xEE })
        }
      }
    }
  }

  @Test("A step that fails names itself, the path and the error", arguments: backends)
  func failure(backend: SysletEngine.Backend) async throws {
    try await Self.withRuntime(backend) { runtime in
      var memory: [UInt8] = [0]
      var span = memory.mutableSpan
      do {
        _ = try await runtime.run(Files.read, "/nowhere/at all", into: &span)
        Issue.record("there is no such file")
      } catch let error as SysletError {
        #expect(error.reason == .failed(.noSuchFileOrDirectory))
        #expect(error.operation == "open" && error.path == "/nowhere/at all" && error.descriptor == nil)
        #expect(error.step?.fileID == "SysletRingTests/SixPrograms.swift")
        #expect(
          "\(error)".hasPrefix("open \"/nowhere/at all\": ENOENT (No such file or directory), step 1 of Files at SixPrograms.swift:8"))
      }
    }
  }

  @Test("A copy is the same file, and a failure leaves no descriptor open", arguments: backends, [false, true])
  func copy(backend: SysletEngine.Backend, isPrepared: Bool) async throws {
    let scratch = Scratch()
    try await Self.withRuntime(backend, isPrepared: isPrepared) { runtime in
      for size in [0, 1, 262_144, 700_000] {
        let expected = Self.content(size)
        let from = FilePath(scratch.file("from", expected))
        let copied = try await runtime.run(Files.copy, from, FilePath(scratch.path("to")))
        #expect(copied == size)
        #expect(scratch.content("to") == expected)
        do {
          _ = try await runtime.run(Files.copy, from, FilePath(scratch.path("no such folder/to")))
          Issue.record("there is no such folder")
        } catch let error as SysletError {
          #expect(error.reason == .failed(.noSuchFileOrDirectory) && error.path == FilePath(scratch.path("no such folder/to")))
        }
      }
    }
  }

  @Test("A file is replaced, or nothing is left of the attempt", arguments: backends, [false, true])
  func replace(backend: SysletEngine.Backend, isPrepared: Bool) async throws {
    let scratch = Scratch()
    let (temporary, target) = (FilePath(scratch.path("temporary")), FilePath(scratch.file("target", "old")))
    try await Self.withRuntime(backend, isPrepared: isPrepared) { runtime in
      let bytes = Array("new content".utf8)
      try await runtime.run(Files.replace, temporary, target, FilePath(scratch.path), from: bytes.span)
      #expect(scratch.content("target") == bytes && scratch.content("temporary") == nil)
      // The rename fails: the target is a folder that is not empty.
      _ = scratch.file("target", "old")
      do {
        try await runtime.run(Files.replace, temporary, "/", FilePath(scratch.path), from: bytes.span)
        Issue.record("a file does not replace a folder")
      } catch let error as SysletError {
        #expect(error.operation == "rename")
      }
      #expect(scratch.content("target") == Array("old".utf8) && scratch.content("temporary") == nil)
      // Somebody has the temporary name: it is not this program's to take away.
      scratch.file("temporary", "another's")
      await #expect(throws: SysletError.self) {
        try await runtime.run(Files.replace, temporary, target, FilePath(scratch.path), from: bytes.span)
      }
      #expect(scratch.content("temporary") == Array("another's".utf8))
    }
  }

  // What is cut short behind so many steps cleans up in runs that are cut short behind so many steps, too.
  @Test("Cut short behind each step, a program leaves no descriptor open and no temporary file", arguments: backends)
  func cutShort(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let (temporary, target) = (FilePath(scratch.path("temporary")), FilePath(scratch.path("target")))
    let (from, to) = (FilePath(scratch.file("from", Self.content(300_000))), FilePath(scratch.path("to")))
    let bytes = Array("new content".utf8)
    var (replaced, copied) = (0, 0)
    for steps in 1...40 {
      try await Self.withRuntime(backend) {
        $0.engine.maxSteps = steps
      } _: { runtime in
        scratch.file("target", "old")
        do {
          try await runtime.run(Files.replace, temporary, target, FilePath(scratch.path), from: bytes.span)
          replaced += 1
          #expect(scratch.content("target") == bytes)
        } catch let error as SysletError {
          #expect(error.reason.kind == .stepLimit && error.executed >= steps)
          // The rename may have been made, and the folder not been written back.
          let content = scratch.content("target")
          #expect(content == Array("old".utf8) || content == bytes, "\(steps)")
        }
        #expect(scratch.content("temporary") == nil, "\(steps)")
        do {
          #expect(try await runtime.run(Files.copy, from, to) == 300_000)
          copied += 1
          #expect(scratch.content("to") == Self.content(300_000))
        } catch let error as SysletError {
          #expect(error.reason.kind == .stepLimit)
        }
        #expect(scratch.openFiles() == 0, "\(steps)")
      }
    }
    #expect((1..<40).contains(replaced) && (1..<40).contains(copied))
  }

  // A pipe nobody writes to: the read waits until it is cancelled.
  static let wait = Syslet(FilePath.self, FileDescriptor.self) { s, path, pipe in
    let buffer = s.buffer(count: 8)
    let file = s.open(path, .readOnly)
    s.loop {
      let count = pipe.read(into: buffer)
      s.exit(if: count == 0)
    }
    file.sync()
  }

  @Test("A task that is cancelled, and a deadline, end a program that waits: what it has opened is closed", arguments: backends)
  func waiting(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file"))
    try await Self.withRuntime(backend) { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      for pause in [0, 1, 20] {
        let task = Task { try await runtime.run(Self.wait, path, reading) }
        try await Task.sleep(for: .milliseconds(pause))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(scratch.openFiles() == 0)
        do {
          try await runtime.run(Self.wait, path, reading, deadline: .now + .milliseconds(pause))
          Issue.record("nothing was written")
        } catch let error as SysletError {
          #expect(error.reason == .timedOut)
        }
        #expect(scratch.openFiles() == 0)
      }
      try writing.close()
      try await runtime.run(Self.wait, path, reading)
      try reading.close()
    }
  }

  @Test("As many run at a time as are allowed: the others wait for their turn, or are refused", arguments: [true, false])
  func overload(waits: Bool) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "abc"))
    try await Self.withRuntime(.automatic) {
      $0.maxPending = 4
      $0.overload = waits ? .wait : .refuse
    } _: { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      let waiting = (0..<4).map { _ in Task { try await runtime.run(Self.wait, path, reading) } }
      // Each has opened the file when it waits; before that a fifth one could take its place.
      for _ in 0..<5000 {
        if scratch.openFiles() == 4 { break }
        try await Task.sleep(for: .milliseconds(2))
      }
      #expect(scratch.openFiles() == 4)
      let fifth = Task { try await runtime.run(Files.status, path) }
      if waits {
        try await Task.sleep(for: .milliseconds(20))
        fifth.cancel()
        await #expect(throws: CancellationError.self) { try await fifth.value }
      } else {
        do {
          _ = try await fifth.value
          Issue.record("there was no place")
        } catch let error as SysletError {
          #expect(error.reason == .full)
        }
      }
      let late = (0..<20).map { _ in Task { try await runtime.run(Files.status, path) } }
      try writing.close()
      for task in waiting { try await task.value }
      for task in late where waits { #expect(try await task.value.size == 3) }
      for task in late where !waits { _ = try? await task.value }
      try reading.close()
    }
  }

  private actor Copier {
    private(set) var copied = 0

    func copy(_ runtime: SysletRuntime, _ from: FilePath, _ to: FilePath) async throws {
      copied += try await runtime.run(Files.copy, from, to)
    }

    func respond(_ runtime: SysletRuntime, _ connection: FileDescriptor, _ folder: FileDescriptor) async throws -> Int {
      try await runtime.run(Files.respond, connection, folder).1
    }
  }

  // The programs have several runs of the engine each, between which an actor's task would be on the actor's thread.
  @Test("Actors run programs, from wherever they are", arguments: backends)
  func actors(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let from = FilePath(scratch.file("from", Self.content(600_000)))
    try await Self.withRuntime(backend) {
      $0.shards = 2
    } _: { runtime in
      let copiers = (0..<4).map { _ in Copier() }
      try await withThrowingTaskGroup { group in
        for (number, copier) in copiers.enumerated() {
          let to = FilePath(scratch.path("to\(number)"))
          for _ in 0..<4 { group.addTask { try await copier.copy(runtime, from, to) } }
          group.addTask(executorPreference: runtime.executor) { try await copier.copy(runtime, from, to) }
        }
        try await group.waitForAll()
      }
      for copier in copiers { #expect(await copier.copied == 5 * 600_000) }
      let folder = try FileDescriptor.open(FilePath(scratch.path), .readOnly, options: .directory)
      defer { try? folder.close() }
      var pair: [Int32] = [0, 0]
      #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
      let (here, there) = (FileDescriptor(rawValue: pair[0]), FileDescriptor(rawValue: pair[1]))
      scratch.file("short", "abc")
      #expect(try here.writeAll(Array("short\0".utf8)) == 6)
      #expect(try await copiers[0].respond(runtime, there, folder) == 3)
      try here.close()
      try there.close()
    }
  }

  @Test("A runtime that was shut down refuses, and what it was running is cancelled", arguments: backends)
  func shutDown(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "abc"))
    let (reading, writing) = try FileDescriptor.pipe()
    try await Self.withRuntime(backend) { runtime in
      let waiting = (0..<4).map { _ in Task { try await runtime.run(Self.wait, path, reading) } }
      try await Task.sleep(for: .milliseconds(50))
      await runtime.shutDown()
      for task in waiting { await #expect(throws: (any Error).self) { try await task.value } }
      do {
        _ = try await runtime.run(Files.status, path)
        Issue.record("it was shut down")
      } catch let error as SysletError {
        #expect(error.reason == .closed)
      }
      #expect(scratch.openFiles() == 0)
    }
    try writing.close()
    try reading.close()
  }

  @Test("What a request names is sent", arguments: backends, [false, true])
  func respond(backend: SysletEngine.Backend, isPrepared: Bool) async throws {
    let scratch = Scratch()
    let expected = Self.content(200_000)
    scratch.file("answer", expected)
    try await Self.withRuntime(backend, isPrepared: isPrepared) { runtime in
      let folder = try FileDescriptor.open(FilePath(scratch.path), .readOnly, options: .directory)
      defer { try? folder.close() }
      var pair: [Int32] = [0, 0]
      unsafe #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
      let (here, there) = (FileDescriptor(rawValue: pair[0]), FileDescriptor(rawValue: pair[1]))
      let request = Array("answer\0".utf8)
      #expect(try here.writeAll(request) == 7)
      async let sending = runtime.run(Files.respond, there, folder)
      var received: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65536)
      while received.count < expected.count {
        let count = unsafe try chunk.withUnsafeMutableBytes { try unsafe here.read(into: $0) }
        if count == 0 { break }
        received += chunk.prefix(count)
      }
      let (size, sent) = try await sending
      #expect(size == expected.count && sent == expected.count)
      #expect(received == expected)
      try here.close()
      try there.close()
    }
  }

  private enum Sockets {
    static let serve = Syslet(FileDescriptor.self) { s, listener in
      let connection = listener.accept()
      let buffer = s.buffer(count: 64)
      connection.sendAll(buffer, count: connection.receive(into: buffer))
    }
    static func ask(_ family: SysletSocketFamily) -> Syslet<SysletSocketAddress, Int> {
      Syslet(SysletSocketAddress.self) { s, address in
        let socket = s.socket(family)
        s.connect(socket, to: address)
        let buffer = s.buffer(count: 64)
        socket.sendAll(buffer, count: 5)
        return socket.receive(into: buffer)
      }
    }
    static let nobody = Syslet { s in
      let socket = s.socket(.internet, .stream)
      s.connect(socket, to: try! SysletSocketAddress("127.0.0.1", port: 1))
    }
    static let listen = Syslet(SysletSocketAddress.self) { s, address in
      let socket = s.socket(.unix)
      socket.bind(to: address)
      socket.listen(backlog: 4)
      return socket
    }
  }

  @Test("Sockets are made, named, listened at and connected, by path and by number", arguments: backends)
  func sockets(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await Self.withRuntime(backend) { runtime in
      let path = FilePath(scratch.path("socket"))
      let address = try SysletSocketAddress(path: path)
      let listener = try await runtime.run(Sockets.listen, address)
      defer { try? listener.close() }
      async let served: Void = runtime.run(Sockets.serve, listener)
      #expect(try await runtime.run(Sockets.ask(.unix), address) == 5)
      try await served
      // It is taken, and nobody listens at the other one.
      for (program, operation, reason) in [("listen", "bind", Errno.addressInUse), ("nobody", "connect", .connectionRefused)] {
        do {
          if program == "listen" { try await runtime.run(Sockets.listen, address).close() } else { try await runtime.run(Sockets.nobody) }
          Issue.record("\(operation) should have failed")
        } catch let error as SysletError {
          #expect(error.operation == operation && error.reason == .failed(reason), "\(error)")
        }
      }
      for (digits, family) in [("127.0.0.1", AF_INET), ("::1", AF_INET6)] {
        let listener = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var name = sockaddr_storage()
        var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let port = unsafe withUnsafeMutablePointer(to: &name) { name in
          unsafe name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
            guard Glibc.listen(listener, 4) == 0, unsafe getsockname(listener, name, &count) == 0 else { return UInt16(0) }
            // The same place in both.
            return unsafe UnsafeRawPointer(name).load(fromByteOffset: 2, as: UInt16.self).bigEndian
          }
        }
        // Without IPv6.
        guard port > 0 else { continue }
        async let served: Void = runtime.run(Sockets.serve, FileDescriptor(rawValue: listener))
        let address = try SysletSocketAddress(digits, port: port)
        #expect(try await runtime.run(Sockets.ask(address.family), address) == 5)
        try await served
      }
    }
    #expect(throws: SysletSocketAddress.Problem.self) { _ = try SysletSocketAddress("localhost", port: 80) }
    #expect(throws: SysletSocketAddress.Problem.self) { _ = try SysletSocketAddress(path: FilePath(String(repeating: "a", count: 108))) }
    #expect(throws: SysletSocketAddress.Problem.self) { _ = try SysletSocketAddress(path: "") }
    #expect(scratch.openFiles() == 0)
  }

  @Test("A record is appended, all of it or nothing", arguments: backends, [false, true])
  func append(backend: SysletEngine.Backend, isPrepared: Bool) async throws {
    let scratch = Scratch()
    try await Self.withRuntime(backend, isPrepared: isPrepared) { runtime in
      let log = try FileDescriptor.open(FilePath(scratch.file("log", "abc")), .readWrite)
      defer { try? log.close() }
      let record = Array("defg".utf8)
      #expect(try await runtime.run(Files.append, log, from: record.span) == 3)
      #expect(try await runtime.run(Files.append, log, from: record.span) == 7)
      #expect(scratch.content("log") == Array("abcdefgdefg".utf8))
      let status = try await runtime.run(Files.status, FilePath(scratch.path("log")))
      #expect(status.size == 11 && status.isRegularFile && status.links == 1)
      // Not for writing: the write fails, and then so does the step that would undo it, which is the one that is told.
      let reading = try FileDescriptor.open(FilePath(scratch.path("log")), .readOnly)
      defer { try? reading.close() }
      do {
        _ = try await runtime.run(Files.append, reading, from: record.span)
        Issue.record("it was not opened for writing")
      } catch let error as SysletError {
        #expect(error.operation == "resize" && error.reason == .failed(.invalidArgument))
      }
      #expect(scratch.content("log") == Array("abcdefgdefg".utf8))
    }
  }
}
