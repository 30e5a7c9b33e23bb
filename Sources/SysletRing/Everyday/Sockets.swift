// Connections: made, accepted, and what goes through them.

internal import CLiburing
internal import Glibc
public import SystemPackage

extension SysletRuntime {
  /// Connects to an address, with a socket of its own. On the Internet it sends without delay (`TCP_NODELAY`). The corresponding C functions
  /// are `socket` and `connect`.
  ///
  /// - Parameters:
  ///   - address: Of the other side.
  ///   - deadline: When it is given up if it is not done by then.
  /// - Returns: The connection, which the caller closes.
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func connect(
    to address: SysletSocketAddress, deadline: ContinuousClock.Instant? = nil
  ) async throws -> FileDescriptor {
    let syslet =
      switch address.family {
      case .unix: Everyday.connectUnix
      case .internet: Everyday.connectInternet
      case .internet6: Everyday.connectInternet6
      }
    do { return try await run(syslet, address, deadline: deadline) } catch { throw Everyday.naming(address, error) }
  }

  /// Listens for connections. An address of the Internet can be used again at once (`SO_REUSEADDR`), and what is accepted sends without delay
  /// (`TCP_NODELAY`). The corresponding C functions are `socket`, `bind` and `listen`.
  ///
  /// - Parameters:
  ///   - address: With port 0 the kernel chooses one: `SysletSocketAddress.local(of:)` tells which.
  ///   - backlog: So many may have connected and not been accepted, at the most what `net.core.somaxconn` says.
  /// - Returns: The socket, which the caller closes. A path (`SysletSocketAddress.init(path:)`) stays until it is removed.
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func listen(on address: SysletSocketAddress, backlog: Int = 1024) async throws -> FileDescriptor {
    let syslet =
      switch address.family {
      case .unix: Everyday.listenUnix
      case .internet: Everyday.listenInternet
      case .internet6: Everyday.listenInternet6
      }
    do { return try await run(syslet, address, backlog) } catch { throw Everyday.naming(address, error) }
  }

  /// Accepts connections, one after the other, for as long as they are asked for. The corresponding C function is `accept`.
  ///
  /// ```swift
  /// for try await connection in runtime.accept(on: listener) { group.addTask { try await serve(connection) } }
  /// ```
  ///
  /// A program that serves a connection, or waits for it, runs for as long as that takes, and counts. With as many as `SysletRuntime.Options.maxPending`
  /// (4,096) all else on this runtime waits, other operations too: raise it, or give connections a runtime of their own.
  ///
  /// A connection that was given up before it was accepted is passed over. Where the process or the system has no descriptor or memory for one more, it tries
  /// again 20 times a second, and who connects waits meanwhile. Leave the process some: without any for a second Swift's own threads end it.
  ///
  /// - Parameter listener: A socket that listens. It is not closed.
  public func accept(on listener: FileDescriptor) -> SysletConnections { SysletConnections(runtime: self, listener: listener) }

  /// Sends bytes, all of them. The corresponding C function is `send`.
  ///
  /// - Parameters:
  ///   - bytes: They are not copied.
  ///   - socket: The connection.
  ///   - deadline: When it is given up if it is not done by then.
  /// - Throws: `SysletError`, with EPIPE where the other side takes no more: there is no signal; `CancellationError`, by which some may have been sent.
  public nonisolated(nonsending) func sendAll(
    _ bytes: borrowing Span<UInt8>, to socket: FileDescriptor, deadline: ContinuousClock.Instant? = nil
  ) async throws {
    try await run(Everyday.sendAll, socket, from: bytes, deadline: deadline)
  }

  /// Receives what has come, in place; waits until something has. The corresponding C function is `recv`.
  ///
  /// - Parameters:
  ///   - socket: The connection.
  ///   - bytes: Where it goes.
  ///   - deadline: When it is given up if it is not done by then.
  /// - Returns: How many bytes; 0 when the other side has closed.
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func receive(
    from socket: FileDescriptor, into bytes: inout MutableSpan<UInt8>, deadline: ContinuousClock.Instant? = nil
  ) async throws -> Int {
    try await run(Everyday.receive, socket, into: &bytes, deadline: deadline)
  }

  /// Receives so many bytes, no more and no fewer.
  ///
  /// - Parameters:
  ///   - count: How many: they have memory at once, so what another has sent as a number is to be looked at before.
  ///   - socket: The connection.
  ///   - deadline: When it is given up if it is not done by then.
  /// - Returns: nil when the other side has closed before the first of them.
  /// - Throws: `SysletError`, with the reason `endOfStream` when it has closed behind the first of them; `CancellationError`.
  public nonisolated(nonsending) func receive(
    exactly count: Int, from socket: FileDescriptor, deadline: ContinuousClock.Instant? = nil
  ) async throws -> [UInt8]? {
    guard count > 0 else {
      if count == 0 { return [] }
      throw Everyday.error("receive", socket, .failed(.invalidArgument))
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let received = try await run(Everyday.receiveAll, socket, into: &span, deadline: deadline)
    if received == 0 { return nil }
    if received < count { throw Everyday.error("receive", socket, .endOfStream) }
    return bytes
  }

  /// Sends bytes of a file, without a copy in between. The corresponding C function is `sendfile`.
  ///
  /// While it sends, the socket is set not to wait (`O_NONBLOCK`), so that a receiver that takes nothing keeps no thread: nobody else may use it meanwhile.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - offset: Where they begin. The file's own position is neither used nor moved.
  ///   - count: How many.
  ///   - socket: The connection.
  ///   - deadline: When it is given up if it is not done by then.
  /// - Returns: How many were sent: fewer than `count` only where the file ends before.
  /// - Throws: `SysletError`; `CancellationError`, by which some may have been sent.
  @discardableResult
  public nonisolated(nonsending) func sendFile(
    _ file: FileDescriptor, offset: Int = 0, count: Int, to socket: FileDescriptor, deadline: ContinuousClock.Instant? = nil
  ) async throws -> Int {
    try await run(Everyday.sendFile, file, socket, offset, count, deadline: deadline)
  }
}

/// The connections that a socket accepts. Each is to be closed by whoever gets it.
public struct SysletConnections: AsyncSequence, Sendable {
  /// A connection.
  public typealias Element = FileDescriptor

  let runtime: SysletRuntime
  let listener: FileDescriptor

  /// Accepts from now on.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connections: self) }

  /// Gives the connections as they come.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let connections: SysletConnections

    /// The next connection; it never ends by itself.
    ///
    /// - Throws: `SysletError` where the socket cannot accept any more; `CancellationError`.
    public mutating func next() async throws -> FileDescriptor? {
      while true {
        do { return try await connections.runtime.run(Everyday.accept, connections.listener) } catch let error as SysletError {
          switch error.reason.errno?.rawValue {
          // accept(2): errors of the connection, not of the socket.
          case ECONNABORTED, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, ENETDOWN: continue
          case EMFILE, ENFILE, ENOBUFS, ENOMEM:  // Without a descriptor a `Task.sleep` may find no timer.
            try await connections.runtime.run(Everyday.pause)
          default: throw error
          }
        }
      }
    }
  }
}

extension Everyday {
  static let connectUnix = connect(.unix)
  static let connectInternet = connect(.internet)
  static let connectInternet6 = connect(.internet6)
  static let listenUnix = listen(.unix)
  static let listenInternet = listen(.internet)
  static let listenInternet6 = listen(.internet6)
  /// 50 ms.
  static let pause: Syslet<Void> = Syslet(function: "accept") { s in s.pause(nanoseconds: 50_000_000) }
  static let accept = Syslet(FileDescriptor.self, function: "accept") { s, listener in listener.accept() }
  static let sendAll = Syslet(FileDescriptor.self, Bytes.self, function: "sendAll") { s, socket, bytes in socket.sendAll(bytes) }
  static let receive = Syslet(FileDescriptor.self, MutableBytes.self, function: "receive") { s, socket, bytes in socket.receive(into: bytes)
  }
  static let receiveAll = Syslet(FileDescriptor.self, MutableBytes.self, function: "receive") { s, socket, bytes in
    socket.receive(filling: bytes)
  }
  static let sendFile = Syslet(FileDescriptor.self, FileDescriptor.self, Int.self, Int.self, function: "sendFile") {
    s, file, socket, offset, count in
    socket.sendFile(file, fromAbsoluteOffset: offset, count: count)
  }

  private static func connect(_ family: SysletSocketFamily) -> Syslet<SysletSocketAddress, FileDescriptor> {
    Syslet(SysletSocketAddress.self, function: "connect") { s, address in
      let socket = s.socket(family)
      if family != .unix { socket.set(Int32(IPPROTO_TCP), TCP_NODELAY) }
      s.connect(socket, to: address)
      return socket
    }
  }

  private static func listen(_ family: SysletSocketFamily) -> Syslet<SysletSocketAddress, Int, FileDescriptor> {
    Syslet(SysletSocketAddress.self, Int.self, function: "listen") { s, address, backlog in
      let socket = s.socket(family)
      if family != .unix {
        socket.set(SOL_SOCKET, SO_REUSEADDR)
        // Connections have it from here.
        socket.set(Int32(IPPROTO_TCP), TCP_NODELAY)
      }
      socket.bind(to: address)
      socket.step(SystemCall.listen, "listen") { [s.operand(backlog, "listen", SourcePlace(fileID: #fileID, line: #line))] }
      return socket
    }
  }
}

extension SysletBuilder {
  /// clock_nanosleep(2), which ends early for nobody.
  fileprivate func pause(nanoseconds: Int) {
    let time = words([nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000])
    call(
      SystemCall.clock_nanosleep, [.integer(CLOCK_MONOTONIC), .zero, .address(region: time), .zero], "accept",
      SourcePlace(fileID: #fileID, line: #line))
  }
}

extension SysletValue where Wrapped == FileDescriptor {
  /// Sets an option of a socket to 1. setsockopt(2).
  fileprivate func set(_ level: Int32, _ option: Int32) {
    guard let builder = origin?.builder else { fatalError("a descriptor is never a literal") }
    let one = builder.words([1])
    step(SystemCall.setsockopt, "setOption") { [.integer(level), .integer(option), .address(region: one), .integer(4)] }
  }
}
