// Where a measurement was taken: without it a figure means nothing.

internal import Glibc
internal import SysletRing

struct Environment: Sendable {
  var kernel: String
  var cpu: String
  var cpus: Int
  var swift: String
  var liburing: String
  var filesystem: String
  /// "available", or why not.
  var ioUring: String
  var commit: String
  var build: String

  var ioUringShort: String { ioUring == "available" ? ioUring : "not available" }

  static func current(scratch: Scratch) -> Environment {
    let ring = RingReport.current()
    return Environment(
      kernel: kernel(), cpu: cpuName(), cpus: Limits.cpus(), swift: swiftVersion, liburing: ring.liburing,
      filesystem: scratch.filesystem, ioUring: ring.unavailability?.description ?? "available", commit: Commit.current(),
      build: isDebugBuild ? "debug" : "release")
  }

  #if DEBUG
    static let isDebugBuild = true
  #else
    static let isDebugBuild = false
  #endif

  /// Of the compiler; the language offers no more of it than comparisons.
  static var swiftVersion: String {
    #if compiler(>=6.5)
      "6.5 or newer"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  /// "Linux 6.18.0 x86_64".
  static func kernel() -> String {
    var names = utsname()
    guard unsafe uname(&names) == 0 else { return "unknown" }
    return [text(&names.sysname), text(&names.release), text(&names.machine)].joined(separator: " ")
  }

  private static func text<Field>(_ field: inout Field) -> String {
    unsafe withUnsafeBytes(of: &field) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func cpuName() -> String {
    for line in (textOfFile("/proc/cpuinfo") ?? "").split(separator: "\n") where line.hasPrefix("model name") {
      return String(line.drop { $0 != ":" }.dropFirst(2))
    }
    return "unknown processor"
  }

  /// The command line, quoted so that a shell would take it.
  static var command: String {
    (["syslet-bench"] + CommandLine.arguments.dropFirst()).map { argument in
      argument.allSatisfy { $0.isLetter || $0.isNumber || "-_./,=".contains($0) } && !argument.isEmpty
        ? argument : "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }.joined(separator: " ")
  }

  /// The current time as ISO 8601, in UTC.
  static func now() -> String {
    var seconds = time(nil)
    var parts = unsafe tm()
    _ = unsafe gmtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let length = unsafe strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
