// Connections, and what goes through them, on every backend.

import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Everyday operations: sockets", .leavesNothingBehind, .timeLimit(.minutes(10)))
struct SocketOperationTests {
  static let backends = TypedProgramTests.backends

  static func addresses(_ scratch: Scratch) throws -> [SysletSocketAddress] {
    var addresses = [try SysletSocketAddress("127.0.0.1", port: 0), try SysletSocketAddress(path: FilePath(scratch.path("socket")))]
    if unsafe access("/proc/net/if_inet6", F_OK) == 0 { addresses.append(try SysletSocketAddress("::1", port: 0)) }
    return addresses
  }

  /// A connection of the family, both ends of it: the one that has connected, and the one that was accepted.
  static func withConnection(
    _ runtime: SysletRuntime, _ address: SysletSocketAddress,
    _ body: (_ client: FileDescriptor, _ server: FileDescriptor) async throws -> Void
  ) async throws {
    let listener = try await runtime.listen(on: address)
    defer { try? listener.close() }
    let local = try #require(SysletSocketAddress.local(of: listener))
    #expect(local.family == address.family && local.port.map { $0 != 0 } ?? true)
    let client = try await runtime.connect(to: local)
    defer { try? client.close() }
    var connections = runtime.accept(on: listener).makeAsyncIterator()
    let server = try #require(try await connections.next())
    defer { try? server.close() }
    try await body(client, server)
  }

  @Test("What is sent is received, in both directions, of each family", arguments: backends)
  func sendsAndReceives(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for address in try Self.addresses(scratch) {
        try await Self.withConnection(runtime, address) { client, server in
          let bytes = FileOperationTests.bytes(2_000_000)
          async let sent: Void = runtime.sendAll(bytes.span, to: client)
          let received = try await runtime.receive(exactly: bytes.count, from: server)
          try await sent
          #expect(received == bytes)
          try await runtime.sendAll([1, 2, 3].span, to: server)
          var buffer = [UInt8](repeating: 0, count: 16)
          var span = buffer.mutableSpan
          let count = try await runtime.receive(from: client, into: &span)
          #expect(count == 3 && buffer.prefix(3) == [1, 2, 3])
          let none = try await runtime.receive(exactly: 0, from: client)
          #expect(none == [])
          if address.family != .unix {
            #expect(SysletSocketAddress.remote(of: client) == SysletSocketAddress.local(of: server))
            for end in [client, server] {
              #expect(DescriptorFacts.socketOption(end.rawValue, level: Int32(IPPROTO_TCP), TCP_NODELAY, into: Int32(0)) == 1)
            }
          }
        }
      }
    }
  }

  @Test("The end of what comes is told, before the first byte and behind it", arguments: backends)
  func ends(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for address in try Self.addresses(scratch) {
        try await Self.withConnection(runtime, address) { client, server in
          try await runtime.sendAll([1, 2, 3, 4, 5].span, to: client)
          shutdown(client.rawValue, Int32(SHUT_WR))
          let whole = try await runtime.receive(exactly: 3, from: server)
          #expect(whole == [1, 2, 3])
          let error = await #expect(throws: SysletError.self) { try await runtime.receive(exactly: 3, from: server) }
          #expect(error?.reason == .endOfStream && error?.descriptor == server)
          let end = try await runtime.receive(exactly: 3, from: server)
          #expect(end == nil)
        }
        unsafe unlink(scratch.path("socket"))
      }
    }
  }

  @Test("A connection that is refused says so", arguments: backends)
  func refused(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for address in try Self.addresses(scratch) {
        let listener = try await runtime.listen(on: address)
        let local = try #require(SysletSocketAddress.local(of: listener))
        try listener.close()
        let error = await #expect(throws: SysletError.self) { try await runtime.connect(to: local) }
        #expect(error?.reason == .failed(.connectionRefused) && error?.operation == "connect")
        #expect(error?.description.hasPrefix("connect \(local): ECONNREFUSED (Connection refused), step ") == true)
      }
    }
  }

  @Test("Hosts that do not answer keep no thread: others are connected to, and accepted", arguments: backends)
  func silentHosts(backend: SysletEngine.Backend) async throws {
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let loopback = try SysletSocketAddress("127.0.0.1", port: 0)
      // It accepts nobody, and has room for one or two: whoever else knocks hears nothing.
      let silent = try await runtime.listen(on: loopback, backlog: 0)
      defer { try? silent.close() }
      let address = try #require(SysletSocketAddress.local(of: silent))
      try await withThrowingTaskGroup { group in
        for _ in 0..<100 {
          group.addTask {
            let client = try await runtime.connect(to: address, deadline: .now + .seconds(60))
            try? client.close()
          }
        }
        try await Task.sleep(for: .milliseconds(50))
        try await Self.withConnection(runtime, loopback) { client, server in
          try await runtime.sendAll([7].span, to: client)
          let received = try await runtime.receive(exactly: 1, from: server)
          #expect(received == [7])
          #expect(fcntl(client.rawValue, F_GETFL) & O_NONBLOCK == 0)
        }
        group.cancelAll()
        while let result = await group.nextResult() {
          do { try result.get() } catch { #expect(error is CancellationError) }
        }
      }
    }
  }

  @Test("A socket waits again behind a connection that failed, and was handled", arguments: backends)
  func failedConnect(backend: SysletEngine.Backend) async throws {
    let failing = Syslet(SysletSocketAddress.self) { s, address in
      let socket = s.socket(.internet)
      s.attempt {
        s.within(.milliseconds(20)) { s.connect(socket, to: address) }
      } onFailure: { _ in
      }
      return socket
    }
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let listener = try await runtime.listen(on: try SysletSocketAddress("127.0.0.1", port: 0), backlog: 0)
      let address = try #require(SysletSocketAddress.local(of: listener))
      var sockets: [FileDescriptor] = []
      // Those that nobody answers end by the time limit, and then there is nobody.
      for _ in 0..<4 { sockets.append(try await runtime.run(failing, address)) }
      try listener.close()
      sockets.append(try await runtime.run(failing, address))
      for socket in sockets {
        #expect(fcntl(socket.rawValue, F_GETFL) & O_NONBLOCK == 0)
        try socket.close()
      }
    }
  }

  // Not with a process that has no descriptor left: Swift's own threads end it then.
  @Test("What waits for a descriptor waits 50 ms, without one of its own", arguments: backends)
  func pauses(backend: SysletEngine.Backend) async throws {
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let begin = ContinuousClock.now
      try await runtime.run(Everyday.pause)
      let took = ContinuousClock.now - begin
      #expect(took >= .milliseconds(50) && took < .seconds(20))
    }
  }

  @Test("What waits for the other side is given up at its deadline", arguments: backends)
  func deadlines(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", [UInt8](repeating: 1, count: 8 << 20)))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for address in try Self.addresses(scratch) {
        try await Self.withConnection(runtime, address) { client, server in
          var buffer: [UInt8] = [0]
          var span = buffer.mutableSpan
          func expectTimedOut(_ error: SysletError?) { #expect(error?.reason == .timedOut) }
          expectTimedOut(
            await #expect(throws: SysletError.self) {
              try await runtime.receive(exactly: 1, from: server, deadline: .now + .milliseconds(10))
            })
          do {
            _ = try await runtime.receive(from: server, into: &span, deadline: .now + .milliseconds(10))
            Issue.record("nothing was sent")
          } catch { expectTimedOut(error as? SysletError) }
          let bytes = [UInt8](repeating: 1, count: 8 << 20)
          expectTimedOut(
            await #expect(throws: SysletError.self) {
              try await runtime.sendAll(bytes.span, to: client, deadline: .now + .milliseconds(10))
            })
          try await runtime.withFile(path, .readOnly) { file in
            expectTimedOut(
              await #expect(throws: SysletError.self) {
                try await runtime.sendFile(file, count: 8 << 20, to: server, deadline: .now + .milliseconds(10))
              })
          }
          #expect(fcntl(server.rawValue, F_GETFL) & O_NONBLOCK == 0)
        }
        unsafe unlink(scratch.path("socket"))
      }
    }
  }

  @Test("Who sends to a side that has closed has EPIPE or ECONNRESET, and no signal", arguments: backends)
  func closedPeer(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let file = scratch.file("file", FileOperationTests.bytes(300_000))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for isFile in [false, true] {
        for address in try Self.addresses(scratch) {
          try await Self.withConnection(runtime, address) { client, server in
            shutdown(client.rawValue, Int32(SHUT_RDWR))
            let error = await #expect(throws: SysletError.self) {
              for _ in 0..<100 {
                if isFile {
                  _ = try await runtime.withFile(FilePath(file), .readOnly) { try await runtime.sendFile($0, count: 300_000, to: server) }
                } else {
                  try await runtime.sendAll(FileOperationTests.bytes(100_000).span, to: server)
                }
              }
            }
            #expect(error?.reason == .failed(.brokenPipe) || error?.reason == .failed(.connectionReset))
            #expect(error?.operation == (isFile ? "sendFile" : "sendAll") && error?.descriptor == server)
          }
          unsafe unlink(scratch.path("socket"))
        }
      }
    }
  }

  @Test("A file goes to a socket, whole or a part of it, past a receiver that is slow", arguments: backends)
  func sendsFiles(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let bytes = FileOperationTests.bytes(3_000_001)
    let path = FilePath(scratch.file("file", bytes))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for address in try Self.addresses(scratch) {
        try await Self.withConnection(runtime, address) { client, server in
          try await runtime.withFile(path, .readOnly) { file in
            for (offset, count) in [
              (0, bytes.count), (1_000_003, 1_500_000), (17, 0), (bytes.count - 5, 100), (bytes.count + 5, 100), (5, .max),
            ] {
              let there = max(0, min(count, bytes.count - offset))
              async let sent = runtime.sendFile(file, offset: offset, count: count, to: server)
              if there > 1_000_000 { try await Task.sleep(for: .milliseconds(20)) }
              let received = try await runtime.receive(exactly: there, from: client)
              #expect(received == Array(bytes.dropFirst(offset).prefix(there)))
              let count = try await sent
              #expect(count == there)
              // It waits again, as before.
              #expect(fcntl(server.rawValue, F_GETFL) & O_NONBLOCK == 0)
            }
            #expect(lseek(file.rawValue, 0, SEEK_CUR) == 0)
            // One that does not wait stays so.
            #expect(fcntl(server.rawValue, F_SETFL, fcntl(server.rawValue, F_GETFL) | O_NONBLOCK) == 0)
            async let sent = runtime.sendFile(file, count: bytes.count, to: server)
            let received = try await runtime.receive(exactly: bytes.count, from: client)
            let count = try await sent
            #expect(received == bytes && count == bytes.count)
            #expect(fcntl(server.rawValue, F_GETFL) & O_NONBLOCK != 0)
          }
        }
        unsafe unlink(scratch.path("socket"))
      }
    }
  }

  @Test(
    "A receiver that takes nothing keeps no thread: hundreds of them, and others are served", arguments: backends.filter { $0 != .inline })
  func slowReceivers(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", FileOperationTests.bytes(4 << 20)))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      try await runtime.withFile(path, .readOnly) { file in
        var pairs: [(FileDescriptor, FileDescriptor)] = []
        defer { for (first, second) in pairs { for end in [first, second] { try? end.close() } } }
        for _ in 0..<300 {
          var ends: [Int32] = [0, 0]
          try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
          pairs.append((FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1])))
        }
        try await withThrowingTaskGroup { group in
          for (sender, _) in pairs { group.addTask { try await runtime.sendFile(file, count: 4 << 20, to: sender) } }
          let bytes = try await runtime.readFile(path, limit: 4 << 20)
          #expect(bytes.count == 4 << 20)
          // One of them takes it after all.
          let received = try await runtime.receive(exactly: 4 << 20, from: pairs[299].1)
          #expect(received == bytes)
          let count = try await group.next()
          #expect(count == 4 << 20)
          group.cancelAll()
          while let result = await group.nextResult() {
            #expect(throws: CancellationError.self) { try result.get() }
          }
        }
        for (sender, _) in pairs { #expect(fcntl(sender.rawValue, F_GETFL) & O_NONBLOCK == 0) }
      }
    }
  }

  @Test("Accepting goes on past connections that were given up, and ends with the task", arguments: backends)
  func accepts(backend: SysletEngine.Backend) async throws {
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let listener = try await runtime.listen(on: try SysletSocketAddress("127.0.0.1", port: 0))
      defer { try? listener.close() }
      let address = try #require(SysletSocketAddress.local(of: listener))
      let counted = Locked(0)
      let server = Task {
        for try await connection in runtime.accept(on: listener) {
          try connection.close()
          counted.withLock { $0 += 1 }
        }
      }
      for _ in 0..<5 {
        let client = try await runtime.connect(to: address)
        // Its end is a reset.
        var none = linger(l_onoff: 1, l_linger: 0)
        #expect(unsafe setsockopt(client.rawValue, SOL_SOCKET, SO_LINGER, &none, socklen_t(MemoryLayout<linger>.size)) == 0)
        try client.close()
      }
      for _ in 0..<20 {
        let client = try await runtime.connect(to: address)
        var byte: [UInt8] = [0]
        var span = byte.mutableSpan
        let count = try await runtime.receive(from: client, into: &span)
        #expect(count == 0)
        try client.close()
      }
      #expect(counted.withLock { $0 } >= 19)
      server.cancel()
      await #expect(throws: CancellationError.self) { try await server.value }
      let refused = await #expect(throws: SysletError.self) {
        for try await _ in runtime.accept(on: FileDescriptor.standardInput) {}
      }
      #expect(refused?.operation == "accept")
    }
  }

  @Test("Addresses say what they are")
  func descriptions() throws {
    let four = try SysletSocketAddress("127.0.0.1", port: 80)
    #expect("\(four)" == "127.0.0.1:80" && four.port == 80)
    let six = try SysletSocketAddress("::1", port: 8080)
    #expect("\(six)" == "[::1]:8080" && six.port == 8080)
    let path = try SysletSocketAddress(path: "/run/x")
    #expect("\(path)" == "/run/x" && path.port == nil)
    #expect(SysletSocketAddress.local(of: FileDescriptor(rawValue: -1)) == nil)
    // As long as a path can be: the kernel tells it with a zero more than there is room for.
    let scratch = Scratch()
    let name = scratch.path(String(repeating: "x", count: 106 - scratch.path.utf8.count))
    let long = try SysletSocketAddress(path: FilePath(name))
    #expect(long.description.utf8.count == 107)
  }
}
