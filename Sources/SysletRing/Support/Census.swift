// How many engines, rings, worker threads and prepared syslets this process has: what a leak leaves behind and nothing else shows, such as an engine on the
// backend `inline`, which has neither a descriptor nor a thread.

internal import Synchronization

/// Reads and writes: any thread. Relaxed, because a count orders nothing; one addition in the life of an engine, a ring, a thread or a
/// prepared syslet, none for an activation.
enum Census {
  private static let engines = Atomic<Int>(0)
  private static let rings = Atomic<Int>(0)
  private static let workers = Atomic<Int>(0)
  private static let syslets = Atomic<Int>(0)

  static func countEngine(_ change: Int) { engines.wrappingAdd(change, ordering: .relaxed) }
  static func countRing(_ change: Int) { rings.wrappingAdd(change, ordering: .relaxed) }
  static func countWorker(_ change: Int) { workers.wrappingAdd(change, ordering: .relaxed) }
  static func countSyslet(_ change: Int) { syslets.wrappingAdd(change, ordering: .relaxed) }

  static var current: (engines: Int, rings: Int, workers: Int, syslets: Int) {
    (
      engines.load(ordering: .relaxed), rings.load(ordering: .relaxed), workers.load(ordering: .relaxed), syslets.load(ordering: .relaxed)
    )
  }
}
