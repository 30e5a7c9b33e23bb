// When parked runs are due, the next one first.

/// Numbers with moments, in a binary heap. Every number is in it once at the most, and `placed` hears where it is, so that it can be taken out.
///
/// Unsafe fence: the memory is the heap's own, and grows; nothing points into it between two calls.
@safe struct TimerHeap: ~Copyable {
  private struct Entry {
    var moment: Int64
    var number: UInt32
  }

  private var entries: UnsafeMutablePointer<Entry>
  private var capacity = 64
  private(set) var count = 0

  init() { unsafe entries = .allocate(capacity: 64) }

  deinit { unsafe entries.deallocate() }

  /// The next moment; nil when there is none.
  var next: Int64? { count > 0 ? unsafe entries[0].moment : nil }

  mutating func insert(_ number: UInt32, at moment: Int64, placed: (UInt32, Int32) -> Void) {
    if count == capacity {
      let larger = UnsafeMutablePointer<Entry>.allocate(capacity: capacity * 2)
      unsafe larger.moveInitialize(from: entries, count: count)
      unsafe entries.deallocate()
      unsafe entries = larger
      capacity *= 2
    }
    count += 1
    rise(Entry(moment: moment, number: number), from: count - 1, placed)
  }

  /// The number that is due at `now`, taken out; nil when none is.
  mutating func popDue(_ now: Int64, placed: (UInt32, Int32) -> Void) -> UInt32? {
    guard count > 0, unsafe entries[0].moment <= now else { return nil }
    let number = unsafe entries[0].number
    remove(at: 0, placed: placed)
    return number
  }

  mutating func remove(at position: Int32, placed: (UInt32, Int32) -> Void) {
    let position = Int(position)
    unsafe placed(entries[position].number, -1)
    count -= 1
    guard position < count else { return }
    let last = unsafe entries[count]
    if position > 0, unsafe last.moment < entries[(position - 1) / 2].moment {
      rise(last, from: position, placed)
    } else {
      sink(last, from: position, placed)
    }
  }

  private func rise(_ entry: Entry, from position: Int, _ placed: (UInt32, Int32) -> Void) {
    var position = position
    while position > 0 {
      let parent = (position - 1) / 2
      guard unsafe entry.moment < entries[parent].moment else { break }
      unsafe entries[position] = entries[parent]
      unsafe placed(entries[position].number, Int32(position))
      position = parent
    }
    unsafe entries[position] = entry
    placed(entry.number, Int32(position))
  }

  private func sink(_ entry: Entry, from position: Int, _ placed: (UInt32, Int32) -> Void) {
    var position = position
    while case var child = position * 2 + 1, child < count {
      if child + 1 < count, unsafe entries[child + 1].moment < entries[child].moment { child += 1 }
      guard unsafe entries[child].moment < entry.moment else { break }
      unsafe entries[position] = entries[child]
      unsafe placed(entries[position].number, Int32(position))
      position = child
    }
    unsafe entries[position] = entry
    placed(entry.number, Int32(position))
  }
}
