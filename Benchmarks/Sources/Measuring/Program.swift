// What the programs of this package have in common: how they end, and how they tell the time.

public import ArgumentParser
internal import Foundation

/// Why a program cannot go on.
public struct Failure: Error, CustomStringConvertible {
  public let description: String
  /// 1 a figure is wrong or cannot be taken, 2 wrong usage, 3 this machine cannot.
  public let exitCode: Int32

  public init(_ description: String, exitCode: Int32 = 1) {
    self.description = description
    self.exitCode = exitCode
  }
}

public enum Program {
  /// Runs `command` with the process's arguments and ends the process. The exit codes are those of `Failure`.
  public static func run<Command: ParsableCommand>(_ command: Command.Type) -> Never {
    do {
      var parsed = try command.parseAsRoot()
      try parsed.run()
      exit(0)
    } catch let failure as Failure {
      complain(failure.description)
      exit(failure.exitCode)
    } catch {
      let message = command.fullMessage(for: error)
      let isWrongUsage = command.exitCode(for: error) != .success
      if isWrongUsage { complain(message) } else { print(message) }
      exit(isWrongUsage ? 2 : 0)
    }
  }

  /// Prints a line at once: a table is read while it grows, in a pipe too.
  public static func show(_ line: String) {
    print(line)
    fflush(nil)
  }

  public static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

  /// Writes `value` to `path` as JSON.
  public static func write(_ value: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try (encoder.encode(value) + Data("\n".utf8)).write(to: URL(fileURLWithPath: path))
  }

  /// Nanoseconds of the monotonic clock.
  public static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
