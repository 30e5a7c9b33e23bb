// A server of files: static-http ROOT [--port 8080] [--backend automatic|ring|threads] [--shards 1] [--timeout 30]
//
// Nothing outside the folder is reached, and a client that is slow costs a task and no thread.

import Glibc
import SysletRing
import SystemPackage

@main
struct StaticHTTP {
  static func main() async throws {
    let backends: [String: SysletEngine.Backend] = ["automatic": .automatic, "ring": .ring, "threads": .threads]
    var arguments = CommandLine.arguments.dropFirst()
    var (folder, port, shards, timeout): (FilePath?, UInt16?, Int?, Int?) = (nil, 8080, 1, 30)
    var options = SysletRuntime.Options()
    (options.shards, options.maxPending) = (1, 65_536)
    while let argument = arguments.popFirst() {
      switch argument {
      case "--port": port = arguments.popFirst().flatMap { UInt16($0) }
      case "--shards": shards = arguments.popFirst().flatMap { Int($0) }
      case "--timeout": timeout = arguments.popFirst().flatMap { Int($0) }
      case "--backend":
        guard let backend = arguments.popFirst().flatMap({ backends[$0] }) else { usage() }
        options.engine.backend = backend
      default: folder = argument.hasPrefix("-") ? nil : FilePath(argument)
      }
    }
    guard let folder, let port, let shards, let timeout, shards > 0, timeout > 0 else { usage() }
    let root = try FileDescriptor.open(folder, .readOnly, options: .directory)
    // A thread with an engine each: connections stay where they were accepted.
    let servers = try (0..<shards).map { _ in Server(try SysletRuntime(options), root: root, timeout: .seconds(timeout)) }
    let listener = try await servers[0].runtime.listen(on: SysletSocketAddress("127.0.0.1", port: port))
    let address = SysletSocketAddress.local(of: listener)!
    // Not by `print`, which keeps what it has for a file until there is more.
    try FileDescriptor.standardOutput.writeAll("static-http: \(folder) at http://\(address), backend \(servers[0].runtime.backend)\n".utf8)
    try await withThrowingDiscardingTaskGroup { group in
      for server in servers {
        group.addTask(executorPreference: server.runtime.executor) { try await server.run(listener) }
      }
    }
  }

  private static func usage() -> Never {
    let text = "usage: static-http ROOT [--port 8080] [--backend automatic|ring|threads] [--shards 1] [--timeout 30]\n"
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
    exit(64)
  }
}
