// What the command line says, and what the process and the runtime need for it.

import Glibc
import SysletRing
import SystemPackage

struct Options: Sendable {
  enum Command: String { case serve, load, selftest }

  var command = Command.serve
  var port: UInt16 = 0
  var connections = 10_000
  var messages = 10
  var bytes = 64
  var backend = SysletEngine.Backend.automatic

  /// Past the C library's buffer, which a pipe would make it fill first.
  static func tell(_ line: String) { _ = try? FileDescriptor.standardOutput.writeAll((line + "\n").utf8) }
  static func say(_ line: String) { _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8) }

  private static func usage() -> Never {
    say(
      """
      usage: echo serve PORT     serves whoever connects to 127.0.0.1
             echo load PORT      connects to it, and checks all that comes back
             echo selftest       both in one process
        --connections N   10000; what `serve` is ready for too
        --messages M      10, through each connection
        --bytes B         64, in each message
        --backend B       automatic, ring or threads
      """)
    exit(2)
  }

  /// Ends the process where the line is wrong.
  init(_ arguments: ArraySlice<String>) {
    var words = arguments.makeIterator()
    guard let command = words.next().flatMap(Command.init) else { Self.usage() }
    self.command = command
    if command != .selftest {
      guard let port = words.next().flatMap({ UInt16($0) }) else { Self.usage() }
      self.port = port
    }
    while let name = words.next() {
      guard let value = words.next() else { Self.usage() }
      let number = Int(value).flatMap { $0 > 0 ? $0 : nil }
      switch (name, number) {
      case ("--connections", let number?): connections = number
      case ("--messages", let number?): messages = number
      case ("--bytes", let number?): bytes = number
      case ("--backend", nil):
        guard let backend = SysletEngine.Backend(rawValue: value), backend != .inline else { Self.usage() }
        self.backend = backend
      default: Self.usage()
      }
    }
  }

  /// For so many connections at once.
  var runtime: SysletRuntime.Options {
    var options = SysletRuntime.Options()
    options.engine.backend = backend
    // A connection is a program that runs for as long as it is there, on both sides in a self-test, where a client's message is two: one that sends and one
    // that receives. With the 4096 of the defaults the first 4096 connections would keep the others waiting.
    options.maxPending = 3 * connections + 64
    options.onFallback = { Self.say("echo: without io_uring: \($0)") }
    return options
  }

  /// Sees to it that the process may have so many descriptors, or goes on with fewer connections and says so. A runtime looks at the limit when it is made: this
  /// comes first, on a runtime of its own.
  mutating func raiseLimits() async throws {
    var inline = SysletRuntime.Options()
    inline.engine.backend = .inline
    let runtime = try SysletRuntime(inline)
    let spare = 128
    let ends = command == .selftest ? 2 : 1
    let wanted = connections * ends + spare
    var limits = try await limit(runtime)
    if limits.soft < wanted {
      // Who may raise the hard limit as well does.
      do { try await setLimit((wanted, max(wanted, limits.hard)), runtime) } catch is SysletError {
        try await setLimit((min(wanted, limits.hard), limits.hard), runtime)
      }
      limits = try await limit(runtime)
    }
    await runtime.shutDown()
    guard limits.soft < wanted else { return }
    let fewer = max(1, (limits.soft - spare) / ends)
    Self.say(
      "echo: \(limits.soft) descriptors are allowed (ulimit -Hn), \(wanted) would be needed: \(fewer) connections instead of \(connections)"
    )
    connections = fewer
  }

  // struct rlimit64 is two words: the soft limit and the hard one. Without a pointer this is a program with a call by its number.
  private typealias Limit = (soft: Int, hard: Int)

  private func limit(_ runtime: SysletRuntime) async throws -> Limit {
    let get = Syslet(MutableBytes.self) { s, old in _ = s.call(SystemCall.prlimit64, 0, RLIMIT_NOFILE.rawValue, 0, old) }
    var bytes = [UInt8](repeating: 0, count: 16)
    var span = bytes.mutableSpan
    try await runtime.run(get, into: &span)
    func word(_ first: Int) -> Int {
      let value = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[first + $1]) << UInt64(8 * $1) }
      return Int(clamping: value)
    }
    return (word(0), word(8))
  }

  private func setLimit(_ limit: Limit, _ runtime: SysletRuntime) async throws {
    let set = Syslet(Bytes.self) { s, new in _ = s.call(SystemCall.prlimit64, 0, RLIMIT_NOFILE.rawValue, new, 0) }
    let bytes = [limit.soft, limit.hard].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    try await runtime.run(set, from: bytes.span)
  }
}
