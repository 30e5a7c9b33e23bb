// A log that loses nothing that it has acknowledged: writers that append at the same time share a sync.

import Glibc
import SysletRing
import SystemPackage

@main
struct DurableLog {
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    var (writers, records) = (128, 10_000)
    let options = Array(arguments.dropFirst(2))
    for index in stride(from: 0, to: options.count, by: 2) {
      guard index + 1 < options.count, let number = Int(options[index + 1]), number > 0 else { usage() }
      switch options[index] {
      case "--writers": writers = number
      case "--records": records = number
      default: usage()
      }
    }
    guard arguments.count >= 2, let command = arguments.first else { usage() }
    do {
      let log = DurableLog(runtime: try SysletRuntime(), path: FilePath(arguments[2]))
      try await withTaskExecutorPreference(log.runtime.executor) {
        switch command {
        case "write": try await log.write(writers: writers, records: records)
        case "read": try await log.read()
        default: usage()
        }
      }
      await log.runtime.shutDown()
    } catch {
      say("durable-log: \(error)")
      exit(1)
    }
  }

  private static func usage() -> Never {
    say(
      """
      usage: durable-log write FILE [--writers 128] [--records 10000]   prints the number of each record when it is durable
             durable-log read FILE                                      prints the payload of each record
      """)
    exit(2)
  }

  private static func say(_ line: String) { _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8) }

  let runtime: SysletRuntime
  let path: FilePath

  /// What is printed is out when this is done: the C library's buffer would die with the process.
  private static let print = Syslet(FileDescriptor.self, Bytes.self) { s, output, line in output.writeAll(line) }

  /// The file ends here, and both it and its name are durable.
  private static let settle = Syslet(FileDescriptor.self, Int.self, FilePath.self) { s, file, end, folder in
    file.resize(to: end)
    file.sync()
    s.open(folder, .readOnly, options: .directory).sync()
  }

  /// What is in the file, which is open. What a crash has left of a commit that was never acknowledged is cut off.
  private func recover(_ file: FileDescriptor) async throws -> Contents {
    let bytes = try await runtime.readFile(path, limit: 1 << 30)
    let contents = try Contents(bytes)
    if contents.end < bytes.count { Self.say("\(bytes.count - contents.end) bytes of a commit that did not come to its end are cut off") }
    let folder = path.removingLastComponent()
    // A process that was killed may have left whole records that were never synced: they are from here on.
    try await runtime.run(Self.settle, file, contents.end, folder.isEmpty ? "." : folder)
    return contents
  }

  private func write(writers: Int, records: Int) async throws {
    try await runtime.withFile(path, .readWrite, options: .create, permissions: .sysletDefault) { file in
      let start = ContinuousClock.now
      let log = Log(file, end: try await recover(file).end, on: runtime)
      try await withThrowingDiscardingTaskGroup { group in
        for writer in 0..<writers {
          group.addTask {
            for number in stride(from: writer, to: records, by: writers) {
              _ = try await log.append(Array("record \(number)".utf8))
              try await runtime.run(Self.print, .standardOutput, from: Array("\(number)\n".utf8).span)
            }
          }
        }
      }
      Self.say("\(records) records in \(await log.commitCount) commits, \(ContinuousClock.now - start)")
    }
  }

  private func read() async throws {
    let lines = try await runtime.withFile(path, .readWrite) { file in
      try await recover(file).records.map { String(decoding: $0.payload, as: UTF8.self) + "\n" }
    }
    try FileDescriptor.standardOutput.writeAll(lines.joined().utf8)
  }
}
