// The folder for what a run writes. It is new, and it is removed at the end, however the run ends.

internal import Glibc

final class Scratch {
  let path: String
  let filesystem: String
  private var isRemoved = false

  /// Makes a new folder in `folder`, or in $TMPDIR or /tmp.
  init(in folder: String?) throws(Failure) {
    let parent = folder ?? environmentVariable("TMPDIR") ?? "/tmp"
    let origin = folder != nil ? "the scratch folder \(parent)" : "the scratch folder \(parent) (of $TMPDIR, or /tmp)"
    var status = stat()
    guard unsafe stat(parent, &status) == 0 else {
      let reason = Errno.meaning(errno)
      // One that the user named wrongly is the command line's fault, one that the system lacks is the machine's.
      if folder != nil { throw Failure.usage("\(origin) cannot be used: \(reason). Name an existing folder with --scratch") }
      throw Failure.machine("\(origin) cannot be used: \(reason). Name another with --scratch")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure.usage("\(origin) is not a folder") }
    var template = Array("\(parent)/syslet-bench.XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else {
      throw Failure.machine("\(origin) cannot be written to: \(Errno.meaning(errno)). Name another with --scratch")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    filesystem = Mounts.filesystem(of: path)
  }

  deinit { remove() }

  /// Removes the folder and everything in it.
  func remove() {
    if isRemoved { return }
    isRemoved = true
    Self.removeTree(path)
  }

  private static func removeTree(_ path: String) {
    for entry in FolderListing.entries(of: path, followingLink: false) ?? [] {
      let child = path + "/" + entry.name
      if entry.kind == .folder { removeTree(child) } else { _ = unsafe unlink(child) }
    }
    if unsafe rmdir(path) != 0, errno != ENOENT {
      Console.complain("the scratch folder \(path) could not be removed: \(Errno.meaning(errno))")
    }
  }

  /// Makes the file `name`, which must not exist. It is removed when the value goes.
  func create(_ name: String, flags: Int32) throws(Failure) -> ScratchFile {
    let file = path + "/" + name
    guard let descriptor = Descriptor.open(file, flags | O_CREAT | O_EXCL) else { throw refusal("\(file) cannot be made", errno) }
    return ScratchFile(file, descriptor)
  }

  /// Refuses before anything is written, instead of in the middle of a measurement.
  func requireSpace(_ byteCount: Int, for purpose: String) throws(Failure) {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return }
    let free = Int(clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    guard free < byteCount else { return }
    throw Failure.machine(
      "the scratch folder \(path) has no space for \(purpose): \(Text.bytes(byteCount)) are needed and \(Text.bytes(free)) are free. "
        + "Name a folder on another filesystem with --scratch")
  }

  func refusal(_ what: String, _ errno: Int32) -> Failure {
    let cure =
      switch errno {
      case EMFILE, ENFILE: "Raise `ulimit -n`, or use a smaller --depth"
      case EFBIG: "Raise `ulimit -f`"
      default: "Name another folder with --scratch"
      }
    return .machine("\(what) in the scratch folder \(path): \(Errno.meaning(errno)). \(cure)")
  }
}

/// A file in the scratch folder, removed with its value.
final class ScratchFile {
  let path: String
  let descriptor: Descriptor

  init(_ path: String, _ descriptor: Descriptor) {
    self.path = path
    self.descriptor = descriptor
  }

  deinit { _ = unsafe unlink(path) }

  func truncate() throws(Failure) {
    guard ftruncate(descriptor.number, 0) == 0 else {
      throw Failure.machine("\(path) cannot be truncated: \(Errno.meaning(errno))")
    }
  }

  func byteCount() -> Int? {
    var status = stat()
    return unsafe fstat(descriptor.number, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Everything in it from `start` on; nil if it cannot be read.
  func content(from start: Int = 0) -> [UInt8]? {
    guard let end = byteCount(), end >= start else { return nil }
    let byteCount = end - start
    var isComplete = true
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      while count < byteCount {
        let got = unsafe pread(descriptor.number, buffer.baseAddress! + count, byteCount - count, off_t(start + count))
        guard got > 0 else {
          isComplete = false
          return
        }
        count += got
      }
    }
    return isComplete ? bytes : nil
  }
}
