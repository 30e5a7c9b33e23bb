// The files of a tree as the workloads use them: paths as C strings, and what reading them must give.

internal import Glibc

/// One file of a tree. The path belongs to the `TreeFiles`.
@unsafe struct TreeFile {
  let path: UnsafePointer<CChar>
  let byteCount: Int
}

@safe final class TreeFiles {
  let count: Int
  /// "7,915 files of /usr/include (61.2 MiB)", and what was left out.
  let summary: String
  private let files: UnsafeMutablePointer<TreeFile>

  /// Reads each file once: that is what a syslet's result is compared with, and it brings the files into the page cache, so that the
  /// first backend has no colder files than the others.
  init(_ root: String, walk: TreeWalk, seed: UInt64) throws(Failure) {
    var buffer = [UInt8](repeating: 0, count: OpenReadCloseWorkload.readBytes)
    var usable: [(path: String, byteCount: Int)] = []
    var unreadable = 0
    var changing = 0
    for path in walk.paths {
      try Interrupt.check()
      switch Self.examine(path, &buffer) {
      case .usable(let byteCount): usable.append((path, byteCount))
      case .unreadable: unreadable += 1
      case .changing: changing += 1
      }
    }
    guard !usable.isEmpty else {
      throw Failure.usage("the tree \(root) has no regular file that can be read (\(walk.paths.count) found). Name another with --dir")
    }
    // In random order any part of the tree is a fair sample of it, and a pass may be shorter than the tree.
    var random = SeededGenerator(seed: seed)
    usable.shuffle(using: &random)
    unsafe files = .allocate(capacity: usable.count)
    for (index, file) in usable.enumerated() {
      unsafe (files + index).initialize(to: TreeFile(path: UnsafePointer(strdup(file.path)), byteCount: file.byteCount))
    }
    count = usable.count
    let byteCount = usable.reduce(0) { $0 + $1.byteCount }
    let left = [
      walk.isCutOff ? "cut off there" : nil,
      unreadable > 0 ? "\(Text.grouped(unreadable)) unreadable left out" : nil,
      walk.unreadableFolders > 0 ? "\(Text.grouped(walk.unreadableFolders)) unreadable folders left out" : nil,
      changing > 0 ? "\(Text.grouped(changing)) that do not have the size they claim left out" : nil,
    ].compactMap { $0 }
    summary =
      "\(Text.grouped(count)) files of \(root) (\(Text.bytes(byteCount))\(left.map { "; " + $0 }.joined()))"
  }

  deinit {
    for index in 0..<count { unsafe free(UnsafeMutablePointer(mutating: files[index].path)) }
    unsafe files.deallocate()
  }

  /// `index` must be below `count`; the loop that calls this is being timed.
  subscript(index: Int) -> TreeFile {
    assert(index < count)
    return unsafe files[index]
  }

  /// Whether a plain read of the file gives `bytes`.
  func compare(_ index: Int, with bytes: UnsafeRawBufferPointer) -> Bool {
    guard let descriptor = unsafe Descriptor.open(String(cString: self[index].path), O_RDONLY) else { return false }
    var buffer = [UInt8](repeating: 0, count: OpenReadCloseWorkload.readBytes)
    let count = unsafe read(descriptor.number, &buffer, buffer.count)
    return unsafe count == bytes.count && buffer.prefix(count).elementsEqual(bytes)
  }

  private enum Finding {
    case usable(byteCount: Int)
    case unreadable
    /// Its size is not what a read gives, as in /proc: there is nothing to verify a syslet's read with.
    case changing
  }

  private static func examine(_ path: String, _ buffer: inout [UInt8]) -> Finding {
    guard let descriptor = Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) else { return .unreadable }
    var status = stat()
    guard unsafe fstat(descriptor.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .unreadable }
    let got = unsafe read(descriptor.number, &buffer, buffer.count)
    if got < 0 { return .unreadable }
    return got == min(Int(status.st_size), buffer.count) ? .usable(byteCount: Int(status.st_size)) : .changing
  }
}
