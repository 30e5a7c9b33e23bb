// An echo server, a client that loads it and checks every byte, and both in one process.

import Glibc
import SysletRing
import SystemPackage

@main
struct Echo {
  /// A connection's whole life is one program: a message wakes no task.
  private static let echo = Syslet(FileDescriptor.self) { s, connection in
    let buffer = s.buffer(count: 8 * 1024)
    s.loop {
      let count = connection.receive(into: buffer)
      s.exit(if: count == 0)
      connection.sendAll(buffer, count: count)
    }
  }

  private static let connect = Syslet(SysletSocketAddress.self) { s, address in
    let socket = s.socket(.internet)
    s.connect(socket, to: address)
    return socket
  }

  let runtime: SysletRuntime

  /// Serves whoever connects, until the task is cancelled.
  private func serve(_ listener: FileDescriptor) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for try await connection in runtime.accept(on: listener) {
        group.addTask {
          // A client that is gone ends its connection, not the server.
          try? await runtime.run(Self.echo, connection)
          try? connection.close()
        }
      }
    }
  }

  /// Opens all connections, then sends through all of them at once, and checks what comes back.
  private func load(_ address: SysletSocketAddress, _ options: Options) async throws {
    var sockets: [FileDescriptor] = []
    // So few at a time because without io_uring a connect holds a worker, of which there are 64, and accepting needs one now and then.
    for try await (_, socket) in runtime.results(of: Self.connect, over: repeatElement(address, count: options.connections), width: 32) {
      sockets.append(try socket.get())
    }
    let start = ContinuousClock.now
    try await withThrowingDiscardingTaskGroup { group in
      for (number, socket) in sockets.enumerated() {
        group.addTask { try await converse(socket, number, options) }
      }
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let count = options.connections * options.messages
    Options.tell(
      "\(options.connections) connections at once on \(runtime.backend), \(count) messages of \(options.bytes) bytes: all came back as sent"
    )
    Options.say("\(Int(seconds * 1000)) ms, \(Int(Double(count) / seconds)) messages a second")
    for socket in sockets { try await runtime.close(socket) }
  }

  private func converse(_ socket: FileDescriptor, _ connection: Int, _ options: Options) async throws {
    for message in 0..<options.messages {
      let sent = (0..<options.bytes).map { UInt8(truncatingIfNeeded: connection &* 31 &+ message &* 7 &+ $0) }
      // At the same time: a long message comes back before all of it is sent, and the server waits until somebody takes it.
      async let received = runtime.receive(exactly: sent.count, from: socket)
      try await runtime.sendAll(sent.span, to: socket)
      guard try await received == sent else {
        throw Mismatch(description: "connection \(connection), message \(message): not what was sent")
      }
    }
  }

  struct Mismatch: Error, CustomStringConvertible { var description: String }

  static func main() async {
    var options = Options(CommandLine.arguments.dropFirst())
    do {
      try await options.raiseLimits()
      let echo = Echo(runtime: try SysletRuntime(options.runtime))
      // Where the runtime's threads make the calls, its tasks need no way to another thread and back.
      try await withTaskExecutorPreference(echo.runtime.executor) { [options] in try await echo.run(options) }
      await echo.runtime.shutDown()
    } catch {
      Options.say("echo: \(error)")
      exit(1)
    }
  }

  private func run(_ options: Options) async throws {
    let address = try SysletSocketAddress("127.0.0.1", port: options.port)
    if options.command == .load { return try await load(address, options) }
    let listener = try await runtime.listen(on: address, backlog: 4096)
    guard let local = SysletSocketAddress.local(of: listener) else { return }
    if options.command == .serve {
      Options.tell("port \(local.port ?? 0), on \(runtime.backend)")
      return try await serve(listener)
    }
    try await withThrowingTaskGroup { group in
      group.addTask { try await serve(listener) }
      try await load(local, options)
      group.cancelAll()
    }
  }
}
