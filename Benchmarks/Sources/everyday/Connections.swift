// A server of thousands of connections: what each message costs it of the processor's time. The server is a process of its own.

internal import ArgumentParser
internal import CPeers
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

enum Connections {
  static let rounds: UInt32 = 30
  static let bytes: UInt32 = 64

  static func ways(_ count: Int) -> [Way] {
    ServerKind.allCases.map { kind in
      Way(kind.rawValue) {
        var (cpu, elapsed) = (0.0, 0.0)
        let result = unsafe peer_measure_server(kind.rawValue, UInt32(count), rounds, bytes, &cpu, &elapsed)
        guard result == 0 else { throw Failure("\(kind.rawValue), \(count) connections: errno \(-result)") }
        return cpu
      }
    }
  }
}

enum ServerKind: String, CaseIterable, ExpressibleByArgument {
  case epoll, automatic, ring, threads
}

struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Echoes, on a port that it prints, until it is killed.", shouldDisplay: false)

  @Argument var kind: ServerKind

  func run() throws {
    var port: UInt16 = 0
    let listener = unsafe peer_listen(&port)
    guard listener >= 0 else { throw Failure("it cannot listen: errno \(-listener)") }
    Program.show("\(port)")
    guard let backend = SysletEngine.Backend(kind) else { throw Failure("epoll: errno \(-peer_serve_epoll(listener))") }
    let runtime = try Ours.make { options in
      options.shards = 1
      options.maxPending = 1 << 15
      options.engine.backend = backend
    }
    let echo = Syslet(FileDescriptor.self) { s, connection in
      let buffer = s.buffer(count: 4096)
      s.loop {
        let count = connection.receive(into: buffer)
        s.exit(if: count == 0)
        connection.sendAll(buffer, count: count)
      }
    }
    _ = try Blocking.run(on: runtime.executor) {
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in runtime.accept(on: FileDescriptor(rawValue: listener)) {
          group.addTask(executorPreference: runtime.executor) {
            defer { try? connection.close() }
            try await runtime.run(echo, connection)
          }
        }
      }
      return 0
    }
  }
}

extension SysletEngine.Backend {
  fileprivate init?(_ kind: ServerKind) {
    switch kind {
    case .epoll: return nil
    case .automatic: self = .automatic
    case .ring: self = .ring
    case .threads: self = .threads
    }
  }
}
