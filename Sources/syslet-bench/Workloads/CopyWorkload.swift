// copy: one syslet copies a whole file.

internal import Glibc
internal import SysletRing

/// `read → length, stop on zero and on failure → write(*length), stop on negative → read`.
///
/// Every slot has descriptors of its own (they carry the file positions) and a destination of its own. `arm` rewinds them with two
/// plain lseeks, the same for every backend and some thousandth of a copy; truncating and comparing the copies is not timed.
@safe final class CopyWorkload: Workload {
  static let bufferBytes = 64 << 10

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted: Int
  /// The length of a write is the result of the read before it: no two atoms of the loop can go to the kernel together.
  let segmentMax = 1
  let itemCount = Int.max
  /// One copy per destination and pass, so that every copy of a pass is still there to be compared.
  var passMax: Int { slots.count }
  private let source: PatternFile
  private let sources: [Descriptor]
  private let copies: [ScratchFile]
  /// Whether the slot has been armed in this pass.
  private let isUsed: UnsafeMutablePointer<Bool>

  init(_ inputs: Inputs, depth: Int) throws(Failure) {
    source = try inputs.copySource()
    try inputs.scratch.requireSpace(source.byteCount * depth, for: "\(depth) copies of \(Text.bytes(source.byteCount))")
    var sources: [Descriptor] = []
    var copies: [ScratchFile] = []
    for slot in 0..<depth {
      sources.append(try source.reopen())
      copies.append(try inputs.scratch.create("copy-\(slot)", flags: O_RDWR))
    }
    self.sources = sources
    self.copies = copies
    let chunks = (source.byteCount + Self.bufferBytes - 1) / Self.bufferBytes
    atomsExecuted = 2 * chunks + 1
    variant = Text.bytes(source.byteCount)
    subject = "a file of \(variant) through a buffer of \(Text.bytes(Self.bufferBytes)), on \(inputs.scratch.filesystem)"
    slots = SlotMemory(count: depth, atoms: 2, words: 1, bufferBytes: Self.bufferBytes)
    unsafe isUsed = .allocate(capacity: depth)
    unsafe isUsed.initialize(repeating: false, count: depth)
    for slot in 0..<depth {
      let (read, write, length) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1), slots.word(slot, 0))
      unsafe read.initialize(
        to: Atom(
          SystemCall.read, UInt64(argument: sources[slot].number), UInt64(argument: slots.buffer(slot)),
          UInt64(argument: Self.bufferBytes), flags: .stopOnNonPositive, result: length, next: write))
      unsafe write.initialize(
        to: Atom(
          SystemCall.write, UInt64(argument: copies[slot].descriptor.number), UInt64(argument: slots.buffer(slot)),
          UInt64(argument: length), flags: .stopOnNegative, pointers: 0b100, next: read))
    }
  }

  deinit { unsafe isUsed.deallocate() }

  func beginPass() throws(Failure) {
    for (slot, copy) in copies.enumerated() {
      try copy.truncate()
      unsafe isUsed[slot] = false
    }
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    _ = lseek(sources[slot].number, 0, SEEK_SET)
    _ = lseek(copies[slot].descriptor.number, 0, SEEK_SET)
    unsafe isUsed[slot] = true
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    completion.result == 0 && completion.reason == .stopped && completion.executed == atomsExecuted
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion) ? nil : "\(copies[slot].path): it \(completion.account), not after \(atomsExecuted)"
  }

  func endPass(isThorough: Bool) -> String? {
    for (slot, copy) in copies.enumerated() where unsafe isUsed[slot] {
      guard copy.byteCount() == source.byteCount else {
        return "\(copy.path) has \(copy.byteCount() ?? -1) bytes, not \(source.byteCount)"
      }
      guard isThorough else { continue }
      guard let content = copy.content() else { return "\(copy.path) cannot be read back" }
      let wrong = unsafe content.withUnsafeBytes { unsafe source.pattern.mismatch(in: $0, at: 0) }
      if let wrong { return "\(copy.path): byte \(wrong) differs from the original" }
    }
    return nil
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * source.byteCount }
}
