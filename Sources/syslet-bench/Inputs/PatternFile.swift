// A file in the scratch folder whose content is a pattern, on the disk and in the page cache.

internal import CSysletBench
internal import Glibc

final class PatternFile {
  let byteCount: Int
  let pattern: Pattern
  let filesystem: String
  private let scratch: Scratch
  private let file: ScratchFile

  var descriptor: Descriptor { file.descriptor }
  var path: String { file.path }

  init(_ name: String, byteCount: Int, seed: UInt64, in scratch: Scratch) throws(Failure) {
    try scratch.requireSpace(byteCount, for: "a file of \(Text.bytes(byteCount))")
    self.byteCount = byteCount
    self.scratch = scratch
    filesystem = scratch.filesystem
    pattern = Pattern(seed: seed)
    file = try scratch.create(name, flags: O_RDWR)
    let chunkBytes = min(1 << 20, byteCount)
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 4096)
    defer { unsafe chunk.deallocate() }
    var offset = 0
    while offset < byteCount {
      try Interrupt.check()
      unsafe pattern.fill(chunk, at: offset)
      try unsafe Self.write(UnsafeRawBufferPointer(chunk), to: file, at: offset, scratch)
      offset += chunkBytes
    }
    // Direct reads of pages that are not on the disk yet would first write them out, in the middle of a measurement.
    guard flush() else { throw scratch.refusal("\(file.path) cannot be written", errno) }
  }

  @discardableResult
  func flush() -> Bool { fsync(file.descriptor.number) == 0 }

  /// Writes the pattern again where it was overwritten, through the page cache: other workloads want it there. False: `errno` says why.
  func rewrite(at offset: Int, byteCount: Int) -> Bool {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
    defer { unsafe bytes.deallocate() }
    unsafe pattern.fill(bytes, at: offset)
    return unsafe pwrite(file.descriptor.number, bytes.baseAddress!, byteCount, off_t(offset)) == byteCount
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to file: ScratchFile, at offset: Int, _ scratch: Scratch) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let wrote = unsafe pwrite(file.descriptor.number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      guard wrote > 0 else { throw scratch.refusal("\(file.path) cannot be written", wrote == 0 ? ENOSPC : errno) }
      done += wrote
    }
  }

  /// Another descriptor, with a position of its own.
  func reopen() throws(Failure) -> Descriptor {
    guard let descriptor = Descriptor.open(file.path, O_RDONLY) else { throw scratch.refusal("\(file.path) cannot be opened", errno) }
    return descriptor
  }

  /// A descriptor that bypasses the page cache. `Failure.skipped` where the filesystem cannot.
  func openDirect(_ access: Int32 = O_RDONLY) throws(Failure) -> Descriptor {
    guard let descriptor = Descriptor.open(file.path, access | syslet_bench_o_direct()) else { throw noDirect(errno) }
    // Some filesystems take the flag and refuse the reads.
    let block = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { unsafe block.deallocate() }
    let got = unsafe pread(descriptor.number, block, 4096, 0)
    guard got == 4096 else { throw noDirect(got < 0 ? errno : EIO) }
    return descriptor
  }

  private func noDirect(_ errno: Int32) -> Failure {
    .skipped(
      "the filesystem of \(scratch.path) (\(filesystem)) has no O_DIRECT: \(Errno.meaning(errno)). Name a folder on a disk with --scratch")
  }
}
