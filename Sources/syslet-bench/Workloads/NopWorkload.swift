// nop: atoms that do nothing, so that only the cost of running them is left.

internal import SysletRing

final class NopWorkload: Workload {
  let slots: SlotMemory
  let atomsExecuted: Int
  let itemCount = Int.max
  var variant: String { "\(atomsExecuted)" }
  var subject: String { atomsExecuted == 1 ? "1 atom" : "\(atomsExecuted) atoms, none of which can stop the syslet" }

  init(atomCount: Int, depth: Int) {
    atomsExecuted = atomCount
    slots = SlotMemory(count: depth, atoms: atomCount)
    for slot in 0..<depth {
      for index in 0..<atomCount {
        let next = unsafe index + 1 < atomCount ? slots.atom(slot, index + 1) : nil
        unsafe slots.atom(slot, index).initialize(to: Atom(noOperation, next: next))
      }
    }
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> { unsafe slots.atom(slot, 0) }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    completion.result == 0 && completion.executed == atomsExecuted && completion.reason == .ended
  }
}
