// Where completions wait: the engine's own queue, and the user's completion ring.
//
// Unsafe fence: the queue's memory is its own, freed in deinit. The ring's slots are the user's, from register to unregister.

internal import CLiburing
internal import Glibc

/// Completions that nobody has taken yet, in the order in which they came. Its capacity is the engine's limit on syslets, which is
/// enough because a syslet is accepted only while there is room for its completion (law L7).
@safe struct CompletionQueue: ~Copyable {
  private let slots: UnsafeMutablePointer<Completion>
  private let capacity: Int
  private var head = 0
  private(set) var count = 0

  init(capacity: Int) throws(EngineError) {
    self.capacity = capacity
    unsafe slots = try Allocation.make(capacity, of: Completion.self, for: "maxPending")
  }

  deinit { unsafe free(slots) }

  @inline(__always)
  mutating func append(_ completion: Completion) {
    precondition(count < capacity, "L5: there is no room for a completion")
    var index = head &+ count
    if index >= capacity { index &-= capacity }
    unsafe (slots + index).initialize(to: completion)
    count &+= 1
  }

  var first: Completion? { unsafe count > 0 ? slots[head] : nil }

  mutating func removeFirst() {
    head += 1
    if head == capacity { head = 0 }
    count -= 1
  }

  /// Moves up to `buffer.count` completions into `buffer`: how many.
  mutating func take(into buffer: UnsafeMutableBufferPointer<Completion>) -> Int {
    let taken = min(count, buffer.count)
    guard taken > 0, let base = buffer.baseAddress else { return 0 }
    guard taken > 1 else {
      unsafe base.initialize(to: slots[head])
      removeFirst()
      return 1
    }
    let beforeEnd = min(taken, capacity &- head)
    unsafe base.initialize(from: slots + head, count: beforeEnd)
    unsafe (base + beforeEnd).initialize(from: slots, count: taken &- beforeEnd)
    head &+= taken
    if head >= capacity { head &-= capacity }
    count &-= taken
    return taken
  }
}

/// The one way out for completions: a queue that is copied from, and the ring of 2007 while one is registered.
@safe struct Delivery: ~Copyable {
  var queue: CompletionQueue
  private(set) var ring: CompletionRing?
  /// `Options.strictRing`.
  private let isStrict: Bool
  /// Completions that found their slot taken: kept for later, and dropped.
  private(set) var overflowed = 0
  private(set) var lost = 0

  init(_ queue: consuming CompletionQueue, isStrict: Bool) {
    self.queue = queue
    self.isStrict = isStrict
  }

  mutating func register(_ slots: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>) throws(EngineError) {
    guard ring == nil else { throw .ringRegistered }
    guard slots.count > 0, unsafe slots.baseAddress != nil else { throw .invalidRing(rule: "it has no slots; give it at least one") }
    if let taken = unsafe slots.firstIndex(where: { unsafe $0 != nil }) {
      throw .invalidRing(rule: "slot \(taken) is not nil; clear all slots first, the engine never overwrites one that is taken")
    }
    ring = unsafe CompletionRing(slots)
    postKept()
  }

  mutating func unregister() throws(EngineError) {
    guard ring != nil else { throw .noRingRegistered }
    ring = nil
  }

  /// The engine ends: nobody clears slots for it any more.
  mutating func close() { ring = nil }

  @inline(__always)
  mutating func post(
    _ atom: UnsafeMutableRawPointer, _ privateData: UnsafeMutableRawPointer?, _ result: Int, _ executed: Int,
    _ reason: Completion.Reason, _ waiter: UInt32
  ) {
    guard ring == nil else { return unsafe postToRing(atom, privateData, result, executed, reason, waiter) }
    unsafe queue.append(
      Completion(atom: atom, privateData: privateData, result: result, executed: executed, reason: reason, waiter: waiter))
  }

  @inline(never)
  private mutating func postToRing(
    _ atom: UnsafeMutableRawPointer, _ privateData: UnsafeMutableRawPointer?, _ result: Int, _ executed: Int,
    _ reason: Completion.Reason, _ waiter: UInt32
  ) {
    let completion = unsafe Completion(
      atom: atom, privateData: privateData, result: result, executed: executed, reason: reason, waiter: waiter)
    // Order is kept: nothing overtakes a completion that waits for a slot.
    postKept()
    if queue.count == 0, unsafe ring!.post(completion.atom) { return }
    if isStrict {
      lost += 1
    } else {
      overflowed += 1
      queue.append(completion)
    }
  }

  /// Posts completions that waited for a slot, as far as slots have been cleared.
  private mutating func postKept() {
    guard ring != nil else { return }
    while let completion = queue.first, unsafe ring!.post(completion.atom) { queue.removeFirst() }
  }

  /// Completions that the user can see without another call.
  mutating func visible() -> Int {
    guard ring != nil else { return queue.count }
    postKept()
    return ring!.visible()
  }
}

/// The ring of 2007: an array of atom pointers that the engine fills from index 0 on and the user clears.
///
/// A slot is written only while it is NULL (law L5). The store is a release and pairs with the acquire of whoever reads slots on another
/// thread; on the owner's thread program order is enough.
@safe struct CompletionRing {
  private let slots: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
  /// The next slot to fill, and the oldest one that has not been seen cleared; both count without wrapping.
  private var filled = 0
  private var cleared = 0

  init(_ slots: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>) { unsafe self.slots = unsafe slots }

  /// Writes `atom` into the next slot; false if the slot is taken.
  mutating func post(_ atom: UnsafeMutableRawPointer) -> Bool {
    let slot = unsafe slots.baseAddress! + filled % slots.count
    guard unsafe syslet_slot_load(slot) == nil else { return false }
    unsafe syslet_slot_store(slot, atom)
    filled += 1
    return true
  }

  /// How many slots hold a completion that has not been cleared.
  mutating func visible() -> Int {
    // A slot is filled again only after it was cleared, so at most one turn of the ring can be outstanding.
    cleared = unsafe max(cleared, filled - slots.count)
    while cleared < filled, unsafe syslet_slot_load(slots.baseAddress! + cleared % slots.count) == nil { cleared += 1 }
    var count = 0
    for position in cleared..<filled where unsafe syslet_slot_load(slots.baseAddress! + position % slots.count) != nil { count += 1 }
    return count
  }
}
