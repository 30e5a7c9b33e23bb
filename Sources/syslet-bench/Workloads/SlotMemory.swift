// The memory of the syslets in flight: per slot some atoms, some words, and a buffer. Allocated once, before anything is timed.

internal import CLiburing
internal import SysletRing

/// Owns it until no engine can touch it any more: a measurement closes its engines before it lets go of the workload (L4).
@safe final class SlotMemory {
  let count: Int
  private let base: UnsafeMutableRawPointer
  private let shift: Int
  private let wordsOffset: Int
  private let buffers: UnsafeMutableRawPointer
  let bufferBytes: Int

  init(count: Int, atoms: Int, words: Int = 0, bufferBytes: Int = 0) {
    self.count = count
    // A slot's index is a shift of its address, hence a power of two. The buffers lie apart: a slot as large as its buffer would put
    // the atoms of all slots into the same cache sets.
    let byteCount = unsafe atoms * MemoryLayout<Atom>.stride + words * MemoryLayout<Int>.stride
    var shift = 6
    while 1 << shift < byteCount { shift += 1 }
    self.shift = shift
    wordsOffset = unsafe atoms * MemoryLayout<Atom>.stride
    unsafe base = .allocate(byteCount: count << shift, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: count << shift)
    // Whole pages, because O_DIRECT wants aligned buffers.
    self.bufferBytes = (bufferBytes + 4095) & ~4095
    unsafe buffers = .allocate(byteCount: max(count * self.bufferBytes, 1), alignment: 4096)
    unsafe buffers.initializeMemory(as: UInt8.self, repeating: 0, count: count * self.bufferBytes)
  }

  deinit {
    unsafe base.deallocate()
    unsafe buffers.deallocate()
  }

  func atom(_ slot: Int, _ index: Int) -> UnsafeMutablePointer<Atom> {
    unsafe (base + (slot << shift) + index * MemoryLayout<Atom>.stride).assumingMemoryBound(to: Atom.self)
  }

  func word(_ slot: Int, _ index: Int) -> UnsafeMutablePointer<Int> {
    unsafe (base + (slot << shift) + wordsOffset + index * MemoryLayout<Int>.stride).assumingMemoryBound(to: Int.self)
  }

  /// The word as an argument of Molnar's layout, whose type is C's `unsigned long`.
  func argument(_ slot: Int, _ index: Int) -> UnsafeMutablePointer<UInt> {
    unsafe UnsafeMutableRawPointer(word(slot, index)).assumingMemoryBound(to: UInt.self)
  }

  func buffer(_ slot: Int) -> UnsafeMutableRawPointer { unsafe buffers + slot * bufferBytes }

  /// The slot in which `atom` lies, or nil if it lies in none.
  func slot(of atom: UnsafeMutableRawPointer) -> Int? {
    let distance = unsafe UInt(bitPattern: atom) &- UInt(bitPattern: base)
    let slot = Int(truncatingIfNeeded: distance >> UInt(shift))
    return slot >= 0 && slot < count ? slot : nil
  }

  /// Replaces one of an atom's direct arguments.
  func set(_ slot: Int, _ index: Int, argument: Int, _ value: UInt64) {
    let arguments = unsafe UnsafeMutableRawPointer(atom(slot, index)) + Self.argumentsOffset
    unsafe arguments.storeBytes(of: value, toByteOffset: argument * 8, as: UInt64.self)
  }

  private static let argumentsOffset = unsafe MemoryLayout<Atom>.offset(of: \.args)!
}
