// Which runs have which head, for whoever cancels one of very many. It is made when it is asked for, and forgotten when nobody has asked for long: a
// program that cancels nothing has none.

/// Runs by their heads, in buckets by a hash.
struct RunIndex {
  /// The first run of each bucket; the others follow it by `nextOfHead`. Twice as many as there were runs when it was made, a power of two.
  private var first: [UInt32] = []
  private(set) var isKept = false
  private var count = 0
  /// So many more syslets are entered before it is forgotten.
  private var entriesLeft = 0

  /// Fewer runs than this are looked at one by one: making the index costs more.
  private static let scannedMax = 256
  private static let entriesMax = 1 << 16

  /// The runs with this head that there are, whatever place they are in.
  mutating func slots(_ head: AtomAddress, in slab: borrowing RunSlab) -> [UInt32] {
    guard isKept || slab.usedMax > Self.scannedMax else {
      return (0..<UInt32(slab.usedMax)).filter { slab[$0].pointee.place != .none && slab[$0].pointee.head == head }
    }
    // By the library's own hash, since a dictionary's took 7 ms for 65,536 runs, and this takes less than one.
    if !isKept || count > first.count { make(slab) }
    entriesLeft = Self.entriesMax
    var found: [UInt32] = []
    var slot = first[bucket(head)]
    while slot != RunSlab.end {
      if slab[slot].pointee.head == head { found.append(slot) }
      slot = slab[slot].pointee.links.nextOfHead
    }
    return found
  }

  private mutating func make(_ slab: borrowing RunSlab) {
    var size = 2 * Self.scannedMax
    while size < 2 * slab.usedMax { size *= 2 }
    self = RunIndex()
    first = Array(repeating: RunSlab.end, count: size)
    isKept = true
    entriesLeft = .max
    for slot in 0..<UInt32(slab.usedMax) where slab[slot].pointee.place != .none { enter(slab[slot], slab.memory) }
  }

  /// The high bits of a product with 2^64 by the golden ratio: heads stand behind one another, a multiple of 16 apart.
  private func bucket(_ head: AtomAddress) -> Int {
    Int(truncatingIfNeeded: (UInt64(head.word) &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - first.count.trailingZeroBitCount))
  }

  /// A run has begun. Only while the index is kept.
  mutating func enter(_ run: Reference<Run>, _ memory: RunMemory) {
    guard entriesLeft > 0 else {
      self = RunIndex()
      return
    }
    entriesLeft -= 1
    count += 1
    let bucket = bucket(run.pointee.head)
    let next = first[bucket]
    first[bucket] = run.pointee.slot
    run.pointee.links.previousOfHead = RunSlab.end
    run.pointee.links.nextOfHead = next
    if next != RunSlab.end { memory[next].pointee.links.previousOfHead = run.pointee.slot }
  }

  /// A run ends. Only while the index is kept.
  mutating func leave(_ run: Reference<Run>, _ memory: RunMemory) {
    count -= 1
    let (previous, next) = (run.pointee.links.previousOfHead, run.pointee.links.nextOfHead)
    if next != RunSlab.end { memory[next].pointee.links.previousOfHead = previous }
    if previous != RunSlab.end { memory[previous].pointee.links.nextOfHead = next } else { first[bucket(run.pointee.head)] = next }
  }
}
