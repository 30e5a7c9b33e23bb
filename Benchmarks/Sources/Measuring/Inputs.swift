// What the programs work on: a file in the page cache, and the files of a real tree.

internal import Foundation

/// A file in the page cache, unlinked as soon as it is open, and random offsets of whole blocks in it.
@safe public final class CachedFile: Sendable {
  public static let block = 4096

  public let descriptor: Int32
  public let offsets: [UInt64]
  /// Where it was; gone by now.
  public let folder: String

  /// In `folder`, or in `TMPDIR`, or in `/tmp`.
  public init(bytes: Int, in folder: String? = nil) throws {
    self.folder = folder ?? ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var name = Array((self.folder + "/syslet-benchmark-XXXXXX").utf8CString)
    descriptor = unsafe mkstemp(&name)
    guard descriptor >= 0 else { throw Failure("no temporary file can be made in \(self.folder)", exitCode: 3) }
    unsafe unlink(&name)
    let megabyte = [UInt8](repeating: 7, count: 1 << 20)
    for _ in 0..<(bytes >> 20) {
      guard unsafe write(descriptor, megabyte, megabyte.count) == megabyte.count else {
        throw Failure("a temporary file of \(bytes >> 20) MiB cannot be written in \(self.folder)", exitCode: 3)
      }
    }
    // Written back now rather than in the middle of a measurement.
    fsync(descriptor)
    // DispatchIO counts offsets from where the file stands.
    lseek(descriptor, 0, SEEK_SET)
    var generator = Generator(seed: 2007)
    offsets = (0..<65_536).map { _ in UInt64(Int.random(in: 0..<(bytes / Self.block), using: &generator) * Self.block) }
  }

  deinit { close(descriptor) }
}

/// Regular files of a tree, in random order, none of which changes: their paths as C strings, and what a read of one block of each must give.
@safe public final class TreeFiles: @unchecked Sendable {
  public let root: String
  public let count: Int
  public let paths: UnsafeBufferPointer<UnsafePointer<CChar>?>
  public let byteCounts: [Int]

  /// The first `maximum` files of `root`. Each is read once, so that nobody has colder files than the others.
  public init(_ root: String, maximum: Int) throws {
    self.root = root
    var found: [(path: String, byteCount: Int)] = []
    var buffer = [UInt8](repeating: 0, count: CachedFile.block)
    let folder = URL(fileURLWithPath: root, isDirectory: true)
    let entries = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    while found.count < maximum, let url = entries?.nextObject() as? URL {
      let descriptor = unsafe open(url.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      let byteCount = unsafe read(descriptor, &buffer, buffer.count)
      // Files that do not have the size they claim, as in /proc, cannot be verified.
      if byteCount == min(Int(status.st_size), buffer.count) { found.append((url.path, byteCount)) }
    }
    guard !found.isEmpty else { throw Failure("the tree \(root) has no regular file that can be read", exitCode: 2) }
    // Neighbours share a folder; in random order any part of the list is like the rest.
    var generator = Generator(seed: 2007)
    found.sort { $0.path < $1.path }
    found.shuffle(using: &generator)
    count = found.count
    byteCounts = found.map(\.byteCount)
    let strings = UnsafeMutableBufferPointer<UnsafePointer<CChar>?>.allocate(capacity: found.count)
    for (index, file) in found.enumerated() { unsafe strings.initializeElement(at: index, to: UnsafePointer(strdup(file.path))) }
    unsafe paths = UnsafeBufferPointer(strings)
  }

  deinit {
    for index in 0..<count { unsafe free(UnsafeMutablePointer(mutating: paths[index])) }
    unsafe paths.deallocate()
  }
}
