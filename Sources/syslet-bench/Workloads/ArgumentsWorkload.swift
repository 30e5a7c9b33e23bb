// arguments: what it costs to bring six arguments to a call, in each of the three forms that an atom can name them.

internal import Glibc
internal import SysletRing

/// 31 × `getppid(a, b, c, d, e, f)`, which takes no notice of them, and `umem_add(&sum, f)`, whose sum shows that arguments arrive.
///
/// Many atoms, so that what a syslet costs does not hide what an argument does.
final class ArgumentsWorkload: Workload {
  enum Form: String {
    /// In the atom itself.
    case direct
    /// In Libenzi's layout with every bit of `pmap` set: behind a pointer each.
    case pmap
    /// In Molnar's layout, which has no other way.
    case indirect
  }

  static let argumentCount = 6
  /// What the last argument is.
  private static let increment = 7

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted = 32
  /// The ring never takes such an atom.
  let segmentMax = 1
  let itemCount = Int.max
  let layout: AtomLayoutTag
  private let parent = Int(getppid())

  init(_ form: Form, depth: Int) {
    variant = form.rawValue
    layout = form == .indirect ? .indirect : .direct
    let place =
      switch form {
      case .direct: "in the atom"
      case .pmap: "behind pointers that pmap names"
      case .indirect: "behind the pointers of a syslet_uatom"
      }
    subject = "\(atomsExecuted) atoms, getppid with \(Self.argumentCount) arguments \(place), then umem_add"
    slots = SlotMemory(count: depth, atoms: atomsExecuted, words: Word.count)
    for slot in 0..<depth {
      for position in 0..<Self.argumentCount { unsafe slots.word(slot, position).pointee = position + 1 }
      unsafe slots.word(slot, Word.increment).pointee = Self.increment
      unsafe slots.word(slot, Word.sumAddress).pointee = Int(bitPattern: slots.word(slot, Word.sum))
      for index in 0..<atomsExecuted - 1 { write(form, slot, index) }
      writeLast(form, slot)
    }
  }

  /// The words of a slot: getppid's arguments, those of umem_add, the sum, and getppid's result.
  private enum Word {
    static let sumAddress = 6
    static let increment = 7
    static let sum = 8
    static let result = 9
    static let count = 10
  }

  private func write(_ form: Form, _ slot: Int, _ index: Int) {
    func at(_ position: Int) -> UInt64 { unsafe UInt64(argument: slots.word(slot, position)) }
    func pointer(_ position: Int) -> UnsafeMutablePointer<UInt> { unsafe slots.argument(slot, position) }
    let (atom, next, result) = unsafe (slots.atom(slot, index), slots.atom(slot, index + 1), slots.word(slot, Word.result))
    switch form {
    case .direct:
      unsafe atom.initialize(to: Atom(SystemCall.getppid, 1, 2, 3, 4, 5, 6, flags: .stopOnNegative, result: result, next: next))
    case .pmap:
      unsafe atom.initialize(
        to: Atom(
          SystemCall.getppid, at(0), at(1), at(2), at(3), at(4), at(5), flags: .stopOnNegative, pointers: 0b11_1111, result: result,
          next: next))
    case .indirect:
      unsafe atom.indirect.initialize(
        to: IndirectAtom(
          SystemCall.getppid, pointer(0), pointer(1), pointer(2), pointer(3), pointer(4), pointer(5), flags: .stopOnNegative,
          result: result, next: next.indirect))
    }
  }

  private func writeLast(_ form: Form, _ slot: Int) {
    let last = unsafe slots.atom(slot, atomsExecuted - 1)
    switch form {
    case .direct:
      unsafe last.initialize(to: Atom(umemAdd, UInt64(argument: slots.word(slot, Word.sum)), UInt64(argument: Self.increment)))
    case .pmap:
      unsafe last.initialize(
        to: Atom(
          umemAdd, UInt64(argument: slots.word(slot, Word.sumAddress)), UInt64(argument: slots.word(slot, Word.increment)),
          pointers: 0b11))
    case .indirect:
      unsafe last.indirect.initialize(
        to: IndirectAtom(umemAdd, slots.argument(slot, Word.sumAddress), slots.argument(slot, Word.increment)))
    }
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.word(slot, Word.sum).pointee = item
    unsafe slots.word(slot, Word.result).pointee = -1
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.result == item &+ Self.increment && slots.word(slot, Word.sum).pointee == completion.result
      && slots.word(slot, Word.result).pointee == parent && completion.executed == atomsExecuted && completion.reason == .ended
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion)
      ? nil
      : unsafe "it \(completion.account); getppid gave \(slots.word(slot, Word.result).pointee), not \(parent), and the sum is \(slots.word(slot, Word.sum).pointee), not \(item &+ Self.increment)"
  }
}
