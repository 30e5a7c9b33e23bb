// cancel: what it takes to get a syslet back that would never end by itself.

internal import CSysletBench
internal import SysletRing

/// `umem_add(&begun, 1) → nanosleep(an hour) → umem_add(&woken, 1)`, cancelled once it has begun: what nobody has begun costs nothing to cancel.
/// Nothing may run behind the sleep.
final class CancelWorkload: Workload {
  private static let seconds = 3600

  let slots: SlotMemory
  let variant = ""
  let subject = "sleeps of an hour, each cancelled once it has started"
  /// A sleep that was cancelled counts as not executed.
  let atomsExecuted = 1
  /// The ring takes the sleep, never what is behind it.
  let segmentMax = 1
  let itemCount = Int.max
  let isProvoked = true

  init(depth: Int) {
    // The words: a timespec, whether the syslet has begun, and how often a sleep came to its end.
    slots = SlotMemory(count: depth, atoms: 3, words: 4)
    for slot in 0..<depth {
      let (begin, sleep, wake) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1), slots.atom(slot, 2))
      unsafe slots.word(slot, 0).pointee = Self.seconds
      unsafe begin.initialize(to: Atom(umemAdd, UInt64(argument: slots.word(slot, 2)), 1, next: sleep))
      unsafe sleep.initialize(to: Atom(SystemCall.nanosleep, UInt64(argument: slots.word(slot, 0)), 0, next: wake))
      unsafe wake.initialize(to: Atom(umemAdd, UInt64(argument: slots.word(slot, 3)), 1))
    }
  }

  func obstacle(on backend: Backend) -> String? {
    backend == .inline ? "a sleep would hold the thread that has yet to cancel it" : nil
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.word(slot, 2).pointee = 0
    return unsafe slots.atom(slot, 0)
  }

  func hasBegun(_ slot: Int) -> Bool { unsafe syslet_bench_load(slots.word(slot, 2)) != 0 }

  func provoke(_ slot: Int, on engine: SysletEngine) throws(EngineError) { try unsafe engine.cancel(slots.atom(slot, 0)) }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.reason == .cancelled && completion.result == 1 && completion.executed == 1 && slots.word(slot, 3).pointee == 0
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion)
      ? nil : unsafe "it \(completion.account), and \(slots.word(slot, 3).pointee) atoms ran behind the sleep"
  }
}
