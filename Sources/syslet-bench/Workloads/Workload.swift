// What a workload is to the measurement: slots whose syslets it arms, and results that it checks.

internal import SysletRing

/// One syslet, prepared in as many slots as are kept in flight.
///
/// The measuring loop arms a slot for an item (a file of the tree, a block of the file, …), submits the head, and checks the slot when
/// its completion arrives. Items of one pass are the same for every backend. `arm` and `check` are inside the timed section: they
/// allocate nothing and take nanoseconds.
protocol Workload: AnyObject {
  /// What distinguishes rows of one workload: a size, a count of atoms; "" if there is nothing.
  var variant: String { get }
  /// What it works on, for people.
  var subject: String { get }
  /// Atoms that one syslet executes.
  var atomsExecuted: Int { get }
  /// SQEs that one syslet takes if every atom goes to the ring: the measurement sizes the submission queue with it.
  var segmentMax: Int { get }
  /// How many different items there are.
  var itemCount: Int { get }
  /// The most items that one pass may have.
  var passMax: Int { get }
  /// Where the syslets of the slots lie.
  var slots: SlotMemory { get }
  /// How the heads that `arm` returns are to be read: atoms of both layouts are as long.
  var layout: AtomLayoutTag { get }
  /// Whether a syslet, once it has started, waits for `provoke`.
  var isProvoked: Bool { get }

  /// Why the workload has no sense on `backend`; nil if it has.
  func obstacle(on backend: Backend) -> String?
  /// Brings files back to where a pass starts. Not timed.
  func beginPass() throws(Failure)
  /// Writes what `item` needs into `slot` and returns the syslet's head.
  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom>
  /// Whether the started syslet of `slot` has come to what it waits in. Where it has not after a flush, a worker has it, from whom the engine gets it back.
  func hasBegun(_ slot: Int) -> Bool
  /// Does what the started syslet of `slot` waits for. Timed.
  func provoke(_ slot: Int, on engine: SysletEngine) throws(EngineError)
  /// Whether `completion` is what `item` must give. Timed, therefore cheap: counts, and a sample of the data.
  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool
  /// Compares all data of `item` and says what is wrong. Not timed: it runs in the passes that only verify.
  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String?
  /// Checks what the pass left in files, and says what is wrong. Not timed. `isThorough`: every byte.
  func endPass(isThorough: Bool) -> String?
  /// Data bytes that the syslets of `items` (modulo `itemCount`) moved.
  func byteCount(of items: Range<Int>) -> Int
}

extension Workload {
  var passMax: Int { .max }
  var segmentMax: Int { atomsExecuted }
  var layout: AtomLayoutTag { .direct }
  var isProvoked: Bool { false }
  func obstacle(on backend: Backend) -> String? { nil }
  func beginPass() throws(Failure) {}
  func hasBegun(_ slot: Int) -> Bool { true }
  func provoke(_ slot: Int, on engine: SysletEngine) throws(EngineError) {}
  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? { nil }
  func endPass(isThorough: Bool) -> String? { nil }
  func byteCount(of items: Range<Int>) -> Int { 0 }
}

extension Completion {
  /// "ended after 3 atoms with result 0", for messages about what was not expected.
  var account: String {
    let meaning = result < 0 && result > -4096 ? " (\(Errno.meaning(Int32(-result))))" : ""
    return "\(reason) after \(executed) atoms with result \(result)\(meaning)"
  }
}

extension UnsafeMutablePointer<Atom> {
  /// The same memory as an atom of Molnar's layout, which is as long.
  var indirect: UnsafeMutablePointer<IndirectAtom> { unsafe UnsafeMutableRawPointer(self).assumingMemoryBound(to: IndirectAtom.self) }
}

extension SysletEngine {
  func enqueue(_ head: UnsafeMutablePointer<Atom>, as layout: AtomLayoutTag) throws(EngineError) {
    switch layout {
    case .direct: try unsafe enqueue(head)
    case .indirect: try unsafe enqueue(head.indirect)
    }
  }

  func explain(_ head: UnsafeMutablePointer<Atom>, as layout: AtomLayoutTag) -> Explanation {
    switch layout {
    case .direct: unsafe explain(head)
    case .indirect: unsafe explain(head.indirect)
    }
  }
}
