// Which runs have which head, for whoever cancels one of very many. It is made when it is asked for, and forgotten when nobody has asked for long: a
// program that cancels nothing has none.

/// Runs by their heads.
struct RunIndex {
  /// The first run of each head; the others follow it by `nextOfHead`.
  private var first: [AtomAddress: UInt32] = [:]
  private(set) var isKept = false
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
    if !isKept {
      isKept = true
      entriesLeft = .max
      for slot in 0..<UInt32(slab.usedMax) where slab[slot].pointee.place != .none { enter(slab[slot], slab.memory) }
    }
    entriesLeft = Self.entriesMax
    var found: [UInt32] = []
    var slot = first[head] ?? RunSlab.end
    while slot != RunSlab.end {
      found.append(slot)
      slot = slab[slot].pointee.links.nextOfHead
    }
    return found
  }

  /// A run has begun. Only while the index is kept.
  mutating func enter(_ run: Reference<Run>, _ memory: RunMemory) {
    guard entriesLeft > 0 else {
      self = RunIndex()
      return
    }
    entriesLeft -= 1
    let head = run.pointee.head
    let next = first.updateValue(run.pointee.slot, forKey: head) ?? RunSlab.end
    run.pointee.links.previousOfHead = RunSlab.end
    run.pointee.links.nextOfHead = next
    if next != RunSlab.end { memory[next].pointee.links.previousOfHead = run.pointee.slot }
  }

  /// A run ends. Only while the index is kept.
  mutating func leave(_ run: Reference<Run>, _ memory: RunMemory) {
    let (previous, next) = (run.pointee.links.previousOfHead, run.pointee.links.nextOfHead)
    if next != RunSlab.end { memory[next].pointee.links.previousOfHead = previous }
    if previous != RunSlab.end {
      memory[previous].pointee.links.nextOfHead = next
    } else {
      first[run.pointee.head] = next == RunSlab.end ? nil : next
    }
  }
}
