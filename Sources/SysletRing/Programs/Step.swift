// The step of a program: a decoded call with its edges, in memory of the library's.
//
// Unsafe fence: the steps, and the count of who uses them in front of them, go with the last who keeps them; they are written before anybody else has them.

internal import Glibc
internal import Synchronization

/// An atom that has been read, and what of it may still change is read each time that it is reached.
@safe struct Step {
  /// As `AtomMemory.fetch` leaves it, with steps where an atom has atoms, and with the pointers where arguments are behind some. In front of all else, where
  /// `stepCall` has it.
  let call: Call
  /// Bit N set: argument N is behind a pointer.
  let pointers: UInt8
  /// What reading the atom came to.
  let reading: Fetch
  /// There is a call, and nothing of it is behind a pointer: it is as it will be.
  let isSettled: Bool
  /// Where a stop goes on, with SKIP_TO_NEXT_ON_STOP.
  let skips: Skips
  /// The user's atom.
  let atom: AtomAddress
  let privateData: UnsafeMutableRawPointer?
  /// Its position in the syslet, and how many there are.
  let number: Int
  let count: Int
  /// The syslet's number.
  let syslet: UInt64
}

/// The edges of a step that leave the straight way, by the sign of the result: those whose classes its flags stop on. `nowhere` ends the syslet.
struct Skips {
  var negative: AtomAddress
  var zero: AtomAddress
  var positive: AtomAddress

  /// An atom's: its linear neighbour, whatever the result.
  init(_ neighbour: AtomAddress) { self.init(negative: neighbour, zero: neighbour, positive: neighbour) }

  init(negative: AtomAddress, zero: AtomAddress, positive: AtomAddress) {
    (self.negative, self.zero, self.positive) = (negative, zero, positive)
  }

  func target(of result: Int) -> AtomAddress { result < 0 ? negative : result == 0 ? zero : positive }
}

extension Step {
  /// A number for a syslet that is made of steps. It is never given twice, as an address is.
  ///
  /// - Parameter isFrame: The steps are a frame's, which are kept for the next activation, and of which `Census` knows nothing.
  static func nextSyslet(isFrame: Bool = false) -> UInt64 { syslets.add(1, ordering: .relaxed).newValue | (isFrame ? frame : 0) }

  private static let frame: UInt64 = 1 << 63

  private static let syslets = Atomic<UInt64>(0)

  /// Who keeps a syslet's steps, in front of them: its owner (`PreparedSyslet`, a typed program's frame), a bit, and the engines that have a plan or activations
  /// of it, a number. Reads and writes: any thread; the last one to let go acquires what the others have released. Counted here because swift_retain and
  /// swift_release of the object are 40 instructions.
  fileprivate typealias Keepers = Atomic<Int>
  private static let offset = max(MemoryLayout<Step>.alignment, MemoryLayout<Keepers>.stride)

  static func allocate(_ count: Int, isFrame: Bool = false) -> UnsafeMutablePointer<Step> {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: offset + count * MemoryLayout<Step>.stride, alignment: max(MemoryLayout<Step>.alignment, MemoryLayout<Keepers>.alignment))
    unsafe memory.bindMemory(to: Keepers.self, capacity: 1).initialize(to: Keepers(owner))
    if !isFrame { Census.countSyslet(1) }
    return unsafe (memory + offset).bindMemory(to: Step.self, capacity: count)
  }

  fileprivate static let owner = 1 << 62

  /// How many owners have let go of theirs while an engine kept it. Writes: any thread, released after that. Reads: engines, to let go too.
  fileprivate static let ended = Atomic<Int>(0)
  static var endedCount: Int { ended.load(ordering: .acquiring) }

  @inline(__always)
  fileprivate static func keepers(_ head: AtomAddress) -> UnsafeMutablePointer<Keepers> {
    unsafe (head.pointer - offset).assumingMemoryBound(to: Keepers.self)
  }

  @inline(never)
  fileprivate static func free(_ head: AtomAddress) {
    if head.step.pointee.syslet & frame == 0 { Census.countSyslet(-1) }
    unsafe keepers(head).deinitialize(count: 1)
    unsafe (head.pointer - offset).deallocate()
  }
}

extension AtomAddress {
  /// The step that is there, in a prepared syslet.
  var step: Reference<Step> { unsafe Reference(pointer.assumingMemoryBound(to: Step.self)) }

  /// The step so many behind the syslet's first one, which this is.
  func step(_ number: Int) -> AtomAddress { unsafe AtomAddress(pointer + number * MemoryLayout<Step>.stride) }

  /// The step's call, of which what is behind pointers has not been read.
  var stepCall: Reference<Call> { unsafe Reference(pointer.assumingMemoryBound(to: Call.self)) }

  /// Whether the prepared syslet that has this head may be begun again.
  @inline(__always)
  var isOwned: Bool { unsafe Step.keepers(self).pointee.load(ordering: .relaxed) & Step.owner != 0 }

  /// Its owner lets go of its steps.
  func disown() {
    if unsafe Step.keepers(self).pointee.wrappingSubtract(Step.owner, ordering: .acquiringAndReleasing).newValue == 0 {
      Step.free(self)
    } else {
      Step.ended.wrappingAdd(1, ordering: .releasing)
    }
  }

  /// Keeps the steps of the prepared syslet that has this head, until `letGo`.
  @inline(__always)
  func keep() { unsafe Step.keepers(self).pointee.wrappingAdd(1, ordering: .relaxed) }

  @inline(__always)
  func letGo() {
    if unsafe Step.keepers(self).pointee.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { Step.free(self) }
  }
}
