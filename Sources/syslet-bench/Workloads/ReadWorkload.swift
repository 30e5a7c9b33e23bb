// read-cached and read-direct: blocks of a file at random offsets.

internal import SysletRing

final class ReadWorkload: Workload {
  static let blockBytes = 4096

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted = 1
  let itemCount: Int
  private let file: PatternFile
  /// O_DIRECT needs a description of its own; owned here.
  private let direct: Descriptor?
  private let order: Pattern

  convenience init(cached inputs: Inputs, depth: Int) throws(Failure) {
    self.init(try inputs.readFile(), direct: nil, inputs, depth: depth)
  }

  convenience init(direct inputs: Inputs, depth: Int) throws(Failure) {
    let file = try inputs.directFile()
    self.init(file, direct: try file.openDirect(), inputs, depth: depth)
  }

  private init(_ file: PatternFile, direct: Descriptor?, _ inputs: Inputs, depth: Int) {
    self.file = file
    self.direct = direct
    itemCount = file.byteCount / Self.blockBytes
    variant = Text.bytes(file.byteCount)
    subject =
      "blocks of 4 KiB of a file of \(variant) on \(file.filesystem)"
      + (direct == nil ? ", in the page cache" : ", past the page cache")
    // Another stream than the file's contents, so that an offset is never its own content.
    order = Pattern(seed: ~inputs.seed)
    slots = SlotMemory(count: depth, atoms: 1, bufferBytes: Self.blockBytes)
    let descriptor = direct?.number ?? file.descriptor.number
    for slot in 0..<depth {
      unsafe slots.atom(slot, 0).initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: descriptor), UInt64(argument: slots.buffer(slot)),
          UInt64(argument: Self.blockBytes), 0))
    }
  }

  private func offset(of item: Int) -> Int {
    Int(truncatingIfNeeded: order.word(at: item) % UInt64(itemCount)) * Self.blockBytes
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    slots.set(slot, 0, argument: 3, UInt64(argument: offset(of: item)))
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    guard completion.result == Self.blockBytes, completion.executed == 1 else { return false }
    let offset = offset(of: item)
    let last = Self.blockBytes - 8
    return unsafe slots.buffer(slot).load(as: UInt64.self) == file.pattern.word(at: offset)
      && slots.buffer(slot).load(fromByteOffset: last, as: UInt64.self) == file.pattern.word(at: offset + last)
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    guard completion.result == Self.blockBytes else { return "the read \(completion.account)" }
    let bytes = unsafe UnsafeRawBufferPointer(start: slots.buffer(slot), count: Self.blockBytes)
    return unsafe file.pattern.mismatch(in: bytes, at: offset(of: item)).map { "the file's byte \($0) was read wrong" }
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * Self.blockBytes }
}
