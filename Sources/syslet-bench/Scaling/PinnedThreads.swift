// Threads that do the same thing at the same time, each on a processor of its own.

internal import CSysletBench
internal import Glibc
internal import Synchronization

/// Where threads wait until all of them are ready.
final class StartingLine: Sendable {
  private let total: Int
  private let arrived = Atomic<Int>(0)

  init(_ total: Int) { self.total = total }

  /// Returns when the last one has arrived.
  ///
  /// Each addition publishes what its thread prepared; the load that ends the spin meets all of them.
  func wait() {
    arrived.add(1, ordering: .acquiringAndReleasing)
    while arrived.load(ordering: .acquiring) < total { sched_yield() }
  }

  /// Counts one that will never come.
  fileprivate func excuse() { arrived.add(1, ordering: .acquiringAndReleasing) }
}

/// What one thread did.
struct Turn: Sendable {
  var operations = 0
  var nanoseconds: UInt64 = 0
  /// The processor that the thread was kept on; nil if it could not be.
  var processor: Int?
  var failure: Failure?

  var perSecond: Double { nanoseconds == 0 ? 0 : Double(operations) * 1e9 / Double(nanoseconds) }
}

enum PinnedThreads {
  /// Runs `body` on `count` threads and gives what each did.
  ///
  /// - Parameter body: Prepares, waits at the line, and measures. It must reach the line even when it fails, or the others wait for ever.
  static func run(_ count: Int, _ body: @escaping @Sendable (StartingLine) -> Turn) throws(Failure) -> [Turn] {
    let line = StartingLine(count)
    var threads: [pthread_t] = []
    let works = (0..<count).map { position in
      Work {
        let processor = Int(syslet_bench_pin(Int32(position)))
        var turn = body(line)
        turn.processor = processor < 0 ? nil : processor
        return turn
      }
    }
    var obstacle: Int32 = 0
    for work in works {
      var thread = pthread_t()
      // Balanced by the thread, which takes the reference over.
      let reference = unsafe Unmanaged.passRetained(work).toOpaque()
      obstacle = unsafe pthread_create(&thread, nil, { unsafe Unmanaged<Work>.fromOpaque($0!).takeRetainedValue().perform() }, reference)
      guard obstacle == 0 else {
        unsafe Unmanaged<Work>.fromOpaque(reference).release()
        break
      }
      threads.append(thread)
    }
    // Whoever has started waits for all of them, also for those that could not start.
    for _ in threads.count..<count { line.excuse() }
    for thread in threads { pthread_join(thread, nil) }
    guard obstacle == 0 else { throw Failure.machine("a thread cannot be started: \(Errno.meaning(obstacle))") }
    return works.map(\.turn)
  }

  /// Writes: its thread. Reads: the starter, after joining it.
  private final class Work: @unchecked Sendable {
    private let body: @Sendable () -> Turn
    private(set) var turn = Turn()

    init(_ body: @escaping @Sendable () -> Turn) { self.body = body }

    func perform() -> UnsafeMutableRawPointer? {
      turn = body()
      return nil
    }
  }
}
