// Copies a file, or with -r a folder and all that is in it.

import Glibc
import SysletRing
import SystemPackage

@main
struct Copy {
  static func main() async throws {
    let options = Set(CommandLine.arguments.dropFirst().filter { $0.hasPrefix("-") })
    let paths = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("-") }.map { FilePath($0) }
    guard paths.count == 2, options.isSubset(of: ["-r", "--explain"]) else {
      say("usage: cp [-r] FROM TO\n       cp --explain FROM TO   copies, and tells where each step runs")
      exit(2)
    }
    let copy = Copy(runtime: try SysletRuntime())
    do {
      if options.contains("--explain") {
        print(written.explain(on: copy.runtime))
        print("\(try await copy.runtime.run(written, paths[0], paths[1])) bytes")
      } else if options.contains("-r") {
        print("\(try await copy.copyFolder(paths[0], paths[1])) bytes")
      } else {
        print("\(try await copy.runtime.copyFile(from: paths[0], to: paths[1])) bytes")
      }
    } catch let error as SysletError {
      say("cp: \(error)")
      exit(1)
    }
    await copy.runtime.shutDown()
  }

  static func say(_ line: String) { _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8) }

  let runtime: SysletRuntime

  /// What is inside a copy of a file: `copyFile` does more (holes stay holes, and the kernel copies by itself where it can).
  private static let written = Syslet(FilePath.self, FilePath.self, function: "copy") { s, from, to in
    let buffer = s.buffer(count: 256 * 1024)
    let total = s.variable(0)
    let input = s.open(from, .readOnly)
    let output = s.open(to, .writeOnly, options: [.create, .truncate], permissions: .sysletDefault)
    s.loop {
      let count = input.read(into: buffer)
      s.exit(if: count == 0)
      output.writeAll(buffer, count: count)
      s.add(count, to: total)
    }
    return total.value
  }

  /// Makes a symbolic link that leads where another one does. There is no step of these names: any system call can be one, and what one gives is
  /// given to the next.
  private static let copyLink = Syslet(FilePath.self, FilePath.self) { s, from, to in
    let target = s.buffer(count: 4096)
    let count = s.call(SystemCall.readlinkat, AT_FDCWD, from, target, target.count)
    _ = s.call(SystemCall.symlinkat, s.path(in: target, count: count), AT_FDCWD, to)
  }

  /// Copies what is below a folder, 32 files at a time: how many bytes. The first error ends it.
  private func copyFolder(_ from: FilePath, _ to: FilePath) async throws -> Int {
    // The order of a walk is not promised, and a folder must be there before what is in it.
    var entries: [(path: FilePath, status: SysletStatus)] = [(from, try await runtime.status(of: from))]
    for try await entry in runtime.walk(from) { entries.append((entry.path, try entry.status.get())) }
    func target(_ path: FilePath) -> FilePath {
      var path = path
      _ = path.removePrefix(from)
      return to.pushing(path)
    }
    let folders = entries.filter { $0.status.isDirectory }.sorted { $0.path.components.count < $1.path.components.count }
    for folder in folders {
      let permissions = FilePermissions(rawValue: folder.status.mode & 0o777).union(.ownerReadWriteExecute)
      do { try await runtime.makeDirectory(target(folder.path), permissions: permissions) } catch let error as SysletError
        where error.reason.errno == .fileExists
      {}
    }
    return try await withThrowingTaskGroup(of: Int.self) { group in
      var (total, running) = (0, 0)
      for entry in entries where !entry.status.isDirectory {
        if running == 32 { total += try await group.next() ?? 0 } else { running += 1 }
        let target = target(entry.path)
        group.addTask {
          if entry.status.isRegularFile { return try await runtime.copyFile(from: entry.path, to: target) }
          if entry.status.isSymbolicLink {
            try await runtime.run(Self.copyLink, entry.path, target)
          } else {
            Self.say("cp: \(entry.path) is neither a file nor a link, and is left out")
          }
          return 0
        }
      }
      for try await count in group { total += count }
      return total
    }
  }
}
