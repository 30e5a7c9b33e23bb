// Hashes all files below a folder, many at a time. The listing is what `sha256sum` prints: `treehash FOLDER | sha256sum --check`.

import Glibc
import SysletRing
import SystemPackage

@main
struct TreeHash {
  static func main() async throws {
    var arguments = CommandLine.arguments.dropFirst()
    let isDigest = arguments.first == "--digest"
    if isDigest { arguments.removeFirst() }
    guard arguments.count == 1, let folder = arguments.first, !folder.hasPrefix("-") else {
      say("usage: treehash [--digest] FOLDER\n  --digest  one hash, of the listing, instead of the listing")
      exit(2)
    }
    let tree = TreeHash(runtime: try SysletRuntime())
    let (files, errorCount) = try await tree.hash(FilePath(folder))
    // By bytes, as `LC_ALL=C sort` does: the order does not depend on the machine.
    let listing = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }.map { "\($0.hash)  \($0.path)\n" }.joined()
    var all = SHA256()
    try FileDescriptor.standardOutput.writeAll((isDigest ? all.finish(Array(listing.utf8).span) + "\n" : listing).utf8)
    await tree.runtime.shutDown()
    if errorCount > 0 {
      say("treehash: \(errorCount) errors")
      exit(1)
    }
  }

  static func say(_ line: String) { _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8) }

  typealias HashedFile = (path: String, hash: String)

  let runtime: SysletRuntime
  /// So many files are open at a time, each with memory of its own.
  private let width = 64
  /// A multiple of 64, as the hash wants it.
  private let chunkSize = 256 * 1024

  /// The hashes of all files below a folder, and how many errors there were, which have been told.
  private func hash(_ folder: FilePath) async throws -> (files: [HashedFile], errorCount: Int) {
    try await withThrowingTaskGroup(of: HashedFile?.self) { group in
      var files: [HashedFile] = []
      var (errorCount, running) = (0, 0)
      func take(_ file: HashedFile?) {
        running -= 1
        if let file { files.append(file) } else { errorCount += 1 }
      }
      for try await entry in runtime.walk(folder) {
        switch entry.status {
        case .success(let status) where status.isRegularFile:
          if running == width, let file = try await group.next() { take(file) }
          running += 1
          group.addTask { try await hash(entry.path, size: status.size) }
        // Folders, which have entries of their own, symbolic links and what is special.
        case .success: continue
        case .failure(let error):
          Self.say("treehash: \(error)")
          errorCount += 1
        }
      }
      while let file = try await group.next() { take(file) }
      return (files, errorCount)
    }
  }

  /// A file and its hash; nil if it could not be read, which has been told.
  private func hash(_ path: FilePath, size: Int) async throws -> HashedFile? {
    do {
      // A byte more than there should be: when it stays free, this was all of the file.
      var bytes = [UInt8](repeating: 0, count: min(size + 1, chunkSize))
      var span = bytes.mutableSpan
      let count = try await runtime.run(Self.beginning, path, into: &span)
      var hash = SHA256()
      if count < bytes.count { return (path.string, hash.finish(bytes.span.extracting(0..<count))) }
      return (path.string, try await hashInChunks(path))
    } catch let error as SysletError {
      Self.say("treehash: \(error)")
      return nil
    }
  }

  private func hashInChunks(_ path: FilePath) async throws -> String {
    try await runtime.withFile(path, .readOnly, options: .noFollow) { file in
      var bytes = [UInt8](repeating: 0, count: chunkSize)
      var hash = SHA256()
      while true {
        var span = bytes.mutableSpan
        let count = try await runtime.run(Self.next, file, into: &span)
        if count < bytes.count { return hash.finish(bytes.span.extracting(0..<count)) }
        hash.update(bytes.span)
      }
    }
  }

  /// Opens a file and reads until the memory is full or the file ends: for most files one program is all.
  private static let beginning = Syslet(FilePath.self, MutableBytes.self) { s, path, bytes in
    s.open(path, .readOnly, options: .noFollow).read(filling: bytes)
  }
  private static let next = Syslet(FileDescriptor.self, MutableBytes.self) { s, file, bytes in file.read(filling: bytes) }
}
