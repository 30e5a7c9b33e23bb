// A segment: calls that go to the kernel as one chain of linked SQEs, and why it ends where it ends.
//
// Unsafe fence: a segment's buffers are its own, and are filled and read within one turn of the owner's thread.

internal import CLiburing
internal import Glibc

/// Why a segment ends where it ends.
enum Cut: Equatable {
  /// The syslet has no further atom.
  case end
  /// The segment is as long as it may be.
  case limit
  /// A stop continues at the linear neighbour: which atom follows is known only when the result is.
  case branch
  /// The kernel would run past a stop: the syslet stops on `stops`, a link severs on `severs` at the most.
  case severing(stops: ResultClasses, severs: ResultClasses)
  /// What the stop conditions test is known only to the engine, when it has stored or made the result: no link sees it.
  case uncheckedResult
  /// The next atom is in the segment already.
  case loop
  case hazard(Hazard)
  /// It opens a name, which may be a FIFO's.
  case open
  /// The next call looks names up, or what depends on rights: by the time that it is made the owner's thread may have others.
  case rights
  /// The next atom or an argument cannot be read, or is malformed; it will be told when it is reached.
  case unreadable
  /// The next call runs elsewhere.
  case placement(Placement)
}

/// Slots for SQEs, one behind the other in a ring of a power of two: the submission queue's, or a buffer's.
@safe struct SQESlots {
  private let base: UnsafeMutablePointer<syslet_sqe>
  private let first: UInt32
  private let mask: UInt32

  /// - Parameter base: Memory that outlives the value: the queue's until the ring is closed, or the translator's.
  @unsafe init(base: UnsafeMutablePointer<syslet_sqe>, first: UInt32, mask: UInt32) {
    unsafe self.base = unsafe base
    self.first = first
    self.mask = mask
  }

  subscript(position: Int) -> Reference<syslet_sqe> {
    unsafe Reference(base + Int((first &+ UInt32(truncatingIfNeeded: position)) & mask))
  }
}

/// The calls that go to the kernel in one linked submission. Filled by `Translator.gather`, the SQEs where the ring will find them.
@safe struct Segment: ~Copyable {
  private let stagedCalls: UnsafeMutablePointer<StagedCall>
  let capacity: Int
  private(set) var sqes: SQESlots
  private(set) var count = 0
  /// The atom after the last call, if that call does not stop the syslet.
  private(set) var after: AtomAddress?
  var cut = Cut.end
  /// No link severs on anything but a stop.
  private(set) var isExact = true
  /// Calls that may wait for another party.
  private(set) var waits = 0
  var hasWaits: Bool { waits > 0 }
  private(set) var hasOpens = false
  private(set) var hasCloses = false
  private(set) var softLinks = 0
  private(set) var hardLinks = 0

  init(capacity: Int, sqes: SQESlots) throws(EngineError) {
    self.capacity = capacity
    self.sqes = sqes
    unsafe stagedCalls = try Allocation.make(capacity, of: StagedCall.self, for: "entries")
    unsafe stagedCalls.initialize(repeating: .none, count: capacity)
  }

  deinit { unsafe free(stagedCalls) }

  func call(_ position: Int) -> Reference<StagedCall> { unsafe Reference(stagedCalls + position) }

  /// Begins a segment in `sqes`. Before it is gathered only the first SQE is anybody's.
  mutating func begin(_ sqes: SQESlots) {
    self.sqes = sqes
    count = 0
    hasOpens = false
    hasCloses = false
  }

  mutating func clear() {
    after = nil
    cut = .end
    isExact = true
    waits = 0
    softLinks = 0
    hardLinks = 0
  }

  @inline(__always)
  mutating func append(_ call: Reference<Call>) {
    unsafe stagedCalls[count] = StagedCall(call)
    count &+= 1
    after = call.pointee.next
    if call.pointee.form.nature.contains(.waits) { waits &+= 1 }
    if call.pointee.form.nature.contains(.descriptors) {
      if call.pointee.form.encoding == .close { hasCloses = true } else { hasOpens = true }
    }
  }

  /// Links the last call to the one that will follow.
  @inline(__always)
  mutating func link(_ link: Link, stops: ResultClasses, severs: ResultClasses) {
    let last = count - 1
    let staged = call(last)
    staged.pointee.link = link
    staged.pointee.stops = stops
    staged.pointee.severs = severs
    switch link {
    case .hard:
      sqes[last].pointee.flags = UInt8(SYSLET_SQE_HARDLINK)
      hardLinks &+= 1
    case .soft:
      sqes[last].pointee.flags = UInt8(SYSLET_SQE_LINK)
      softLinks &+= 1
      if stops != severs { isExact = false }
    case .cut: break
    }
  }

  func closes(_ descriptor: Int32) -> Bool {
    for index in 0..<count {
      let staged = call(index)
      if staged.pointee.encoding == .close, Int32(truncatingIfNeeded: staged.pointee.firstArgument) == descriptor { return true }
    }
    return false
  }

  func contains(atom: AtomAddress) -> Bool {
    for index in 0..<count where call(index).pointee.atom == atom { return true }
    return false
  }
}
