// Data that can be verified anywhere without a copy of it: every word is a function of its offset and a seed.

struct Pattern: Sendable {
  let seed: UInt64

  /// The eight bytes at `offset`, which is a multiple of 8 (or any number, where the pattern is a source of random numbers).
  func word(at offset: Int) -> UInt64 {
    // splitmix64: neighbouring offsets give unrelated words, so a read of the wrong block cannot pass.
    var value = seed &+ UInt64(truncatingIfNeeded: offset) &* 0x9E37_79B9_7F4A_7C15
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// Fills `bytes`, a multiple of 8, with what belongs at `offset`.
  func fill(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
    for position in stride(from: 0, to: bytes.count, by: 8) {
      unsafe bytes.storeBytes(of: word(at: offset + position), toByteOffset: position, as: UInt64.self)
    }
  }

  /// The offset of the first word that does not belong there; nil if all do.
  func mismatch(in bytes: UnsafeRawBufferPointer, at offset: Int) -> Int? {
    for position in stride(from: 0, to: bytes.count, by: 8)
    where unsafe bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) != word(at: offset + position) {
      return offset + position
    }
    return nil
  }
}

/// Random numbers that are the same for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private let pattern: Pattern
  private var position = 0

  init(seed: UInt64) { pattern = Pattern(seed: seed) }

  mutating func next() -> UInt64 {
    position += 1
    return pattern.word(at: position)
  }
}
