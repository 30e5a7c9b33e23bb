// count-loop: a loop that touches memory only. It shows what the engine itself costs per atom.

internal import SysletRing

/// `down: umem_add(&left, -1), stop on zero → up: umem_add(&turns, 1) → down`.
final class CountLoopWorkload: Workload {
  static let turns = 100

  let slots: SlotMemory
  let variant = ""
  let subject = "\(turns) turns"
  /// The last turn ends at `down`.
  let atomsExecuted = 2 * turns - 1
  /// The ring never takes such an atom.
  let segmentMax = 1
  let itemCount = Int.max

  init(depth: Int) {
    slots = SlotMemory(count: depth, atoms: 2, words: 2)
    for slot in 0..<depth {
      let down = unsafe slots.atom(slot, 0)
      let up = unsafe slots.atom(slot, 1)
      unsafe down.initialize(
        to: Atom(
          umemAdd, UInt64(argument: slots.word(slot, 0)), UInt64(argument: -1), flags: .stopOnZero, next: up))
      unsafe up.initialize(to: Atom(umemAdd, UInt64(argument: slots.word(slot, 1)), 1, next: down))
    }
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.word(slot, 0).pointee = Self.turns
    unsafe slots.word(slot, 1).pointee = 0
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe slots.word(slot, 0).pointee == 0 && slots.word(slot, 1).pointee == Self.turns - 1
      && completion.executed == atomsExecuted && completion.reason == .stopped
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion)
      ? nil : unsafe "the counters are \(slots.word(slot, 0).pointee) and \(slots.word(slot, 1).pointee), not 0 and \(Self.turns - 1)"
  }
}
