// mixed-direct: reads and writes of a file's blocks at random offsets, past the page cache.

internal import Glibc
internal import SysletRing

/// `pread64` or, three times in ten, `pwrite64`.
///
/// Each slot has blocks of its own: a read then gives exactly what the slot wrote last, which could not be said of a read that
/// overtakes a write. The file is the read workloads' and becomes again what it was when the value goes.
@safe final class MixedWorkload: Workload {
  static let blockBytes = 4096
  static let writesInTen = 3

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted = 1
  let itemCount: Int
  private let file: PatternFile
  private let direct: Descriptor
  private let order: Pattern
  private let blocks: VersionedBlocks
  private let depth: Int
  /// How often each block has been written, and how often it had been when it was last verified.
  private let versions: UnsafeMutablePointer<Int>
  private let verified: UnsafeMutablePointer<Int>

  init(_ inputs: Inputs, depth: Int) throws(Failure) {
    file = try inputs.directFile()
    direct = try file.openDirect(O_RDWR)
    itemCount = file.byteCount / Self.blockBytes
    precondition(depth <= itemCount, "each syslet in flight has blocks of its own")
    self.depth = depth
    variant = Text.bytes(file.byteCount)
    subject =
      "blocks of 4 KiB of a file of \(variant) on \(file.filesystem), \(10 - Self.writesInTen) reads to \(Self.writesInTen) writes, "
      + "past the page cache"
    order = Pattern(seed: ~inputs.seed)
    blocks = VersionedBlocks(byteCount: Self.blockBytes, seed: inputs.seed &+ 1)
    // The first half of a slot's buffer is read into, the second half is written.
    slots = SlotMemory(count: depth, atoms: 2, bufferBytes: 2 * Self.blockBytes)
    unsafe versions = .allocate(capacity: itemCount)
    unsafe versions.initialize(repeating: 0, count: itemCount)
    unsafe verified = .allocate(capacity: itemCount)
    unsafe verified.initialize(repeating: 0, count: itemCount)
    for slot in 0..<depth {
      let written = unsafe slots.buffer(slot) + Self.blockBytes
      unsafe blocks.fill(written, owner: slot)
      unsafe slots.atom(slot, 0).initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: direct.number), UInt64(argument: slots.buffer(slot)),
          UInt64(argument: Self.blockBytes), 0))
      unsafe slots.atom(slot, 1).initialize(
        to: Atom(
          SystemCall.pwrite64, UInt64(argument: direct.number), UInt64(argument: written), UInt64(argument: Self.blockBytes), 0))
    }
  }

  deinit {
    for block in 0..<itemCount where unsafe versions[block] > 0 {
      if file.rewrite(at: block * Self.blockBytes, byteCount: Self.blockBytes) { continue }
      Console.complain("\(file.path) could not be restored: what reads it next will be wrong")
      break
    }
    file.flush()
    unsafe versions.deallocate()
    unsafe verified.deallocate()
  }

  private func isWrite(_ item: Int) -> Bool { (order.word(at: item) >> 32) % 10 < UInt64(Self.writesInTen) }

  private func block(_ slot: Int, _ item: Int) -> Int {
    Int(truncatingIfNeeded: order.word(at: item) & 0xFFFF_FFFF) % (itemCount / depth) * depth + slot
  }

  /// No two writes have the same.
  private func tag(_ block: Int) -> Int { unsafe versions[block] * itemCount + block }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    let block = block(slot, item)
    let index = isWrite(item) ? 1 : 0
    if index == 1 {
      unsafe versions[block] += 1
      unsafe blocks.stamp(slots.buffer(slot) + Self.blockBytes, tag: tag(block))
    }
    slots.set(slot, index, argument: 3, UInt64(argument: block * Self.blockBytes))
    return unsafe slots.atom(slot, index)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    guard completion.result == Self.blockBytes, completion.executed == 1 else { return false }
    if isWrite(item) { return true }
    let block = block(slot, item)
    if unsafe versions[block] > 0 { return unsafe blocks.isStamped(slots.buffer(slot), tag: tag(block)) }
    let (offset, last) = (block * Self.blockBytes, Self.blockBytes - 8)
    return unsafe slots.buffer(slot).load(as: UInt64.self) == file.pattern.word(at: offset)
      && slots.buffer(slot).load(fromByteOffset: last, as: UInt64.self) == file.pattern.word(at: offset + last)
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    guard completion.result == Self.blockBytes else { return "the \(isWrite(item) ? "write" : "read") \(completion.account)" }
    if isWrite(item) { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: slots.buffer(slot), count: Self.blockBytes)
    let block = block(slot, item)
    return unsafe isRight(bytes, block) ? nil : "block \(block) was read wrong"
  }

  private func isRight(_ bytes: UnsafeRawBufferPointer, _ block: Int) -> Bool {
    unsafe versions[block] == 0
      ? file.pattern.mismatch(in: bytes, at: block * Self.blockBytes) == nil
      : blocks.matches(bytes, owner: block % depth, tag: tag(block))
  }

  /// Reads back every byte that the pass wrote, whatever `isThorough` says: there is no other way to see a write.
  func endPass(isThorough: Bool) -> String? {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockBytes, alignment: Self.blockBytes)
    defer { unsafe bytes.deallocate() }
    for block in 0..<itemCount where unsafe versions[block] != verified[block] {
      unsafe verified[block] = versions[block]
      guard unsafe pread(direct.number, bytes.baseAddress!, bytes.count, off_t(block * Self.blockBytes)) == bytes.count else {
        return "block \(block) cannot be read back"
      }
      guard unsafe isRight(UnsafeRawBufferPointer(bytes), block) else { return "block \(block) is not what was written last" }
    }
    return nil
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * Self.blockBytes }
}
