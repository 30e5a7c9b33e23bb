// The calls that are with the kernel: one record per SQE, but for flights. A record's index and generation are the SQE's user_data, so a CQE finds
// its call with one load, and a stale one is recognised (docs/decisions/0002).
//
// Unsafe fence: the memory belongs to the slab, which the engine frees after the ring is closed.

internal import CLiburing
internal import Glibc

/// What `advance` needs of a call after the kernel has answered: the atom may have changed by then.
@safe struct StagedCall {
  var atom: AtomAddress
  var result: UInt
  /// The call's first argument, for results that are made from it (poll); of a message its header.
  var firstArgument: UInt64
  var encoding: Encoding
  var flags: AtomFlags
  var nature: OperationForm.Nature
  /// How it is linked to the next call, and for listings on what grounds.
  var link: Link
  var stops: ResultClasses
  var severs: ResultClasses
  /// In a flight: another call follows, and all that a success means is that it has been made.
  var isQuiet = false
  /// A flight of its own, whose success ends the syslet and means nothing else but its result.
  var isLone = false

  static let none = StagedCall(
    atom: .nowhere, result: 0, firstArgument: 0, encoding: .none, flags: [], nature: [], link: .cut, stops: [],
    severs: [])
}

extension StagedCall {
  /// Whether all that the success of such a call can mean, if nothing follows it, is the end of the syslet.
  @inline(__always)
  static func canBeLone(_ flags: AtomFlags, _ nature: OperationForm.Nature, _ encoding: Encoding) -> Bool {
    flags.isDisjoint(with: [.stopOnNonzero, .stopOnZero, .stopOnNonPositive, .noComplete])
      && nature.isDisjoint(with: .aftermath) && encoding != .poll
  }

  /// A call that no link follows yet.
  @inline(__always)
  init(_ call: Reference<Call>) {
    self.init(
      atom: call.pointee.atom, result: call.pointee.result, firstArgument: call.pointee.arguments.words.0,
      encoding: call.pointee.form.encoding,
      flags: call.pointee.flags, nature: call.pointee.form.nature, link: .cut, stops: [], severs: [])
    guard !nature.isDisjoint(with: [.open, .waits]) else { return }
    if nature.contains(.open), !call.pointee.form.mayOpenAndHaveToWait(call.pointee.arguments) { nature.remove(.open) }
    if encoding.isMessage { firstArgument = call.pointee.arguments.words.1 }
  }
}

@safe struct CallRecord {
  /// The slab's own, a plan's, which is the same for all of its activations, or the run's lone one.
  var call: Reference<StagedCall>
  var value: Int32
  var runSlot: UInt32
  var next: UInt32
  var generation: UInt32
  var isOut: Bool

  /// Takes the record into use. A CQE that names an older generation belongs to nobody any more.
  @inline(__always)
  fileprivate mutating func begin() {
    generation &+= 1
    isOut = true
  }
}

@safe struct CallSlab: ~Copyable {
  static let end = UInt32.max

  private let records: UnsafeMutablePointer<CallRecord>
  /// One for each record, for a call that no plan has.
  private let staged: UnsafeMutablePointer<StagedCall>
  private var free: UInt32
  private(set) var freeCount: Int
  let capacity: Int

  init(capacity: Int) throws(EngineError) {
    let records = unsafe try Allocation.make(capacity, of: CallRecord.self, for: "completionEntries")
    let staged: UnsafeMutablePointer<StagedCall>
    do { unsafe staged = try Allocation.make(capacity, of: StagedCall.self, for: "completionEntries") } catch {
      unsafe Glibc.free(records)
      throw error
    }
    self.capacity = capacity
    freeCount = capacity
    unsafe self.records = unsafe records
    unsafe self.staged = unsafe staged
    unsafe staged.initialize(repeating: .none, count: capacity)
    for index in 0..<capacity {
      unsafe (records + index).initialize(
        to: CallRecord(
          call: Reference(staged + index), value: 0, runSlot: RunSlab.end, next: index + 1 < capacity ? UInt32(index + 1) : Self.end,
          generation: 0,
          isOut: false))
    }
    free = capacity > 0 ? 0 : Self.end
  }

  deinit {
    unsafe Glibc.free(records)
    unsafe Glibc.free(staged)
  }

  subscript(index: UInt32) -> Reference<CallRecord> { unsafe Reference(records + Int(index)) }

  /// A free record's index; the caller has looked at `freeCount`.
  mutating func take() -> UInt32 {
    precondition(free != Self.end, "L7: a record was taken although none is free")
    let index = free
    free = unsafe records[Int(index)].next
    freeCount -= 1
    let record = self[index]
    record.pointee.next = Self.end
    record.pointee.begin()
    return index
  }

  /// The same with room for a call that no plan has.
  @inline(__always)
  mutating func takeStaging() -> (index: UInt32, call: Reference<StagedCall>) {
    let index = take()
    let call = unsafe Reference(staged + Int(index))
    self[index].pointee.call = call
    return (index, call)
  }

  /// Keeps `count` records for a flight, which needs them if it has to be unfolded. The caller has looked at `freeCount`.
  @inline(__always)
  mutating func reserve(_ count: Int) { freeCount &-= count }

  /// They are not needed.
  @inline(__always)
  mutating func giveBack(_ count: Int) { freeCount &+= count }

  /// Gives a record a copy of a plan's call of its own, with another first argument.
  func stage(_ index: UInt32, _ call: Reference<StagedCall>, firstArgument: UInt64) {
    let copy = unsafe Reference(staged + Int(index))
    copy.pointee = call.pointee
    copy.pointee.firstArgument = firstArgument
    self[index].pointee.call = copy
  }

  mutating func release(_ index: UInt32) {
    unsafe records[Int(index)].next = free
    free = index
    freeCount += 1
  }
}

/// The user_data of an SQE: what it is for, and whose. A call's names its record, or, of a flight, the run and the call's position.
enum UserData {
  /// As many calls as a flight can have.
  static let flightMax = 64
  private static let flight: UInt64 = 1 << 31
  /// `StagedCall.isQuiet`.
  private static let quiet: UInt64 = 1 << 30
  /// `StagedCall.isLone`.
  private static let lone: UInt64 = 1 << 61
  private static let positionBit: UInt64 = 24
  /// From one call of a flight to the next.
  static let step: UInt64 = 1 << positionBit

  static let doorbell: UInt64 = 1 << 62
  /// The poller's epoll has become ready.
  static let poller: UInt64 = doorbell | 1
  static let cancellation: UInt64 = 2 << 62
  /// Set on a call whose SQE was turned into a nop before the kernel took it: both kind bits, and the rest is the call's.
  static let withdrawn: UInt64 = 3 << 62

  static func call(_ index: UInt32, _ generation: UInt32) -> UInt64 {
    UInt64(generation & generationMask) << 32 | UInt64(index)
  }
  @inline(__always)
  static func flight(_ run: UInt32, _ flights: UInt32) -> UInt64 { call(run, flights) | flight }
  /// What is added to it for one of its calls.
  static func position(_ position: Int, of call: Reference<StagedCall>) -> UInt64 {
    UInt64(truncatingIfNeeded: position) << positionBit | (call.pointee.isQuiet ? quiet : 0) | (call.pointee.isLone ? lone : 0)
  }
  static func isOfFlight(_ word: UInt64) -> Bool { word & flight != 0 }
  /// Of a call that was not withdrawn.
  static func isQuiet(_ word: UInt64) -> Bool { word & (3 << 62 | quiet) == quiet }
  static func quieted(_ word: UInt64) -> UInt64 { word | quiet }
  /// Of a call that was not withdrawn.
  static func isLone(_ word: UInt64) -> Bool { word >> 61 == 1 }
  static func run(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word & (1 << positionBit - 1)) }
  static func position(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> positionBit) & UInt32(flightMax - 1) }
  static func kind(_ word: UInt64) -> UInt64 { word & (3 << 62) }
  static func index(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
  static func isCurrent(_ word: UInt64, _ generation: UInt32) -> Bool {
    UInt32(truncatingIfNeeded: word >> 32) & generationMask == generation & generationMask
  }
  private static let generationMask: UInt32 = 0x1FFF_FFFF
}
