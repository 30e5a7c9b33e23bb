// The calls that are with the kernel: one record per SQE. A record's index and generation are the SQE's user_data, so a CQE finds
// its call with one load, and a stale one is recognised (docs/decisions/0002).
//
// Unsafe fence: the memory belongs to the slab, which the engine frees after the ring is closed.

internal import CLiburing
internal import Glibc

/// What `advance` needs of a call after the kernel has answered: the atom may have changed by then.
@safe struct StagedCall {
  var atom: AtomAddress
  var result: UInt
  /// The call's first argument, for results that are made from it (poll).
  var firstArgument: UInt64
  var encoding: Encoding
  var flags: AtomFlags
  var nature: OperationForm.Nature
  /// How it is linked to the next call, and for listings on what grounds.
  var link: Link
  var stops: ResultClasses
  var severs: ResultClasses

  static let none = StagedCall(
    atom: .nowhere, result: 0, firstArgument: 0, encoding: .none, flags: [], nature: [], link: .cut, stops: [],
    severs: [])
}

extension StagedCall {
  /// A call that no link follows yet.
  @inline(__always)
  init(_ call: Reference<Call>) {
    self.init(
      atom: call.pointee.atom, result: call.pointee.result, firstArgument: call.pointee.arguments.words.0,
      encoding: call.pointee.form.encoding,
      flags: call.pointee.flags, nature: call.pointee.form.nature, link: .cut, stops: [], severs: [])
    if nature.contains(.open), !call.pointee.form.mayOpenAndHaveToWait(call.pointee.arguments) { nature.remove(.open) }
  }
}

@safe struct CallRecord {
  var call: StagedCall
  var value: Int32
  var runSlot: UInt32
  var next: UInt32
  var generation: UInt32
  var isOut: Bool
}

@safe struct CallSlab: ~Copyable {
  static let end = UInt32.max

  private let records: UnsafeMutablePointer<CallRecord>
  private var free: UInt32
  private(set) var freeCount: Int
  let capacity: Int

  init(capacity: Int) throws(EngineError) {
    self.capacity = capacity
    freeCount = capacity
    unsafe records = try Allocation.make(capacity, of: CallRecord.self, for: "completionEntries")
    for index in 0..<capacity {
      unsafe (records + index).initialize(
        to: CallRecord(
          call: .none, value: 0, runSlot: RunSlab.end, next: index + 1 < capacity ? UInt32(index + 1) : Self.end, generation: 0,
          isOut: false))
    }
    free = capacity > 0 ? 0 : Self.end
  }

  deinit { unsafe Glibc.free(records) }

  subscript(index: UInt32) -> Reference<CallRecord> { unsafe Reference(records + Int(index)) }

  /// A free record's index; the caller has looked at `freeCount`.
  mutating func take() -> UInt32 {
    precondition(free != Self.end, "L7: a record was taken although none is free")
    let index = free
    free = unsafe records[Int(index)].next
    freeCount -= 1
    unsafe records[Int(index)].next = Self.end
    unsafe records[Int(index)].isOut = true
    return index
  }

  mutating func release(_ index: UInt32) {
    // A CQE that names an older generation belongs to nobody any more.
    unsafe records[Int(index)].generation &+= 1
    unsafe records[Int(index)].next = free
    free = index
    freeCount += 1
  }
}

/// The user_data of an SQE: what it is for, and whose.
enum UserData {
  static let doorbell: UInt64 = 1 << 62
  /// The poller's epoll has become ready.
  static let poller: UInt64 = doorbell | 1
  static let cancellation: UInt64 = 2 << 62
  /// Set on a call whose SQE was turned into a nop before the kernel took it: both kind bits, and the rest is the call's.
  static let withdrawn: UInt64 = 3 << 62

  static func call(_ index: UInt32, _ generation: UInt32) -> UInt64 {
    UInt64(generation & 0x3FFF_FFFF) << 32 | UInt64(index)
  }
  static func kind(_ word: UInt64) -> UInt64 { word & (3 << 62) }
  static func index(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
  static func isCurrent(_ word: UInt64, _ generation: UInt32) -> Bool {
    UInt32(truncatingIfNeeded: word >> 32) & 0x3FFF_FFFF == generation & 0x3FFF_FFFF
  }
}
