// cancel: what it takes to get a syslet back that would never end by itself.

internal import Glibc
internal import SysletRing

/// `nanosleep(an hour) → umem_add(&woken, 1)`, started and then cancelled. Nothing may run behind the sleep.
final class CancelWorkload: Workload {
  private static let seconds = 3600

  let slots: SlotMemory
  let variant = ""
  let subject = "sleeps of an hour, each cancelled once it has started"
  /// An atom that was cancelled before it had an effect counts as not executed.
  let atomsExecuted = 0
  /// The ring takes the sleep, never what is behind it.
  let segmentMax = 1
  let itemCount = Int.max
  let isProvoked = true

  init(depth: Int) {
    // The words: a timespec, and how often a sleep came to its end.
    slots = SlotMemory(count: depth, atoms: 2, words: 3)
    for slot in 0..<depth {
      let (sleep, add) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1))
      unsafe slots.word(slot, 0).pointee = Self.seconds
      unsafe sleep.initialize(to: Atom(SystemCall.nanosleep, UInt64(argument: slots.word(slot, 0)), 0, next: add))
      unsafe add.initialize(to: Atom(umemAdd, UInt64(argument: slots.word(slot, 2)), 1))
    }
  }

  func obstacle(on backend: Backend) -> String? {
    backend == .inline ? "a sleep would hold the thread that has yet to cancel it" : nil
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> { unsafe slots.atom(slot, 0) }

  func provoke(_ slot: Int, on engine: SysletEngine) throws(EngineError) { try unsafe engine.cancel(slots.atom(slot, 0)) }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.reason == .cancelled && completion.result == -Int(ECANCELED) && completion.executed == 0
      && slots.word(slot, 2).pointee == 0
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion)
      ? nil : unsafe "it \(completion.account), and \(slots.word(slot, 2).pointee) atoms ran behind the sleep"
  }
}
