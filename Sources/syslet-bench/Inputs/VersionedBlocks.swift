// Blocks that are written again and again, and of which every version can be told from every other.

/// The words of a block depend on whose it is, the first and the last also on a tag: a number that the writer never uses twice. So a new
/// version costs two stores, and a block that is old, torn, or another's is found out.
struct VersionedBlocks {
  let byteCount: Int
  private let body: Pattern
  private let tags: Pattern

  /// `byteCount`: a multiple of 8, at least 16.
  init(byteCount: Int, seed: UInt64) {
    self.byteCount = byteCount
    body = Pattern(seed: seed)
    tags = Pattern(seed: ~seed)
  }

  /// Fills `block` with what all versions of `owner`'s blocks share.
  func fill(_ block: UnsafeMutableRawPointer, owner: Int) {
    unsafe body.fill(UnsafeMutableRawBufferPointer(start: block, count: byteCount), at: owner * byteCount)
  }

  func stamp(_ block: UnsafeMutableRawPointer, tag: Int) {
    unsafe block.storeBytes(of: tags.word(at: tag), as: UInt64.self)
    unsafe block.storeBytes(of: ~tags.word(at: tag), toByteOffset: byteCount - 8, as: UInt64.self)
  }

  /// Whether both ends of `block` have `tag`.
  func isStamped(_ block: UnsafeRawPointer, tag: Int) -> Bool {
    unsafe block.loadUnaligned(as: UInt64.self) == tags.word(at: tag)
      && block.loadUnaligned(fromByteOffset: byteCount - 8, as: UInt64.self) == ~tags.word(at: tag)
  }

  /// Whether `bytes` are `owner`'s block with `tag`, and nothing else.
  func matches(_ bytes: UnsafeRawBufferPointer, owner: Int, tag: Int) -> Bool {
    guard bytes.count == byteCount, unsafe isStamped(bytes.baseAddress!, tag: tag) else { return false }
    let inner = unsafe UnsafeRawBufferPointer(rebasing: bytes[8..<byteCount - 8])
    return unsafe body.mismatch(in: inner, at: owner * byteCount + 8) == nil
  }
}
