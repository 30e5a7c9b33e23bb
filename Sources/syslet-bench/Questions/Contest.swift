// Variants of one question, measured side by side: A B C A B C …, after a warm-up of each, so that a disturbance meets all of them.

internal import SysletRing

/// One variant. It makes operations, checks their results, and says how long they took.
protocol Contestant: AnyObject {
  var name: String { get }
  /// Makes `count` operations, or somewhat more to fill a batch; the sample tells how many, and the first result that was wrong.
  func run(_ count: Int) throws(Failure) -> Sample
}

/// What a contest found out about one variant: nanoseconds per operation, one for each repeat.
struct Measured {
  let name: String
  let repeats: [Double]

  var summary: Summary { Summary(repeats) }

  /// How many times as long as `other`, repeat by repeat.
  func ratio(to other: Measured) -> Summary { Summary(zip(repeats, other.repeats).map { $0 / max($1, .leastNonzeroMagnitude) }) }

  /// How many nanoseconds longer than `other`, repeat by repeat, for each of `parts`.
  func difference(to other: Measured, per parts: Int = 1) -> Summary {
    Summary(zip(repeats, other.repeats).map { ($0 - $1) / Double(parts) })
  }
}

struct Contest {
  let title: String
  let shape: Shape

  struct Shape {
    /// Seconds measured for each variant, all its repeats together.
    var seconds: Double
    var repeats: Int
  }

  /// - Throws: `Failure.wrongResult` if a result was not what it must be: such a time means nothing.
  func measure(_ contestants: [any Contestant]) throws(Failure) -> [Measured] {
    let progress = Progress(total: 0)
    defer { progress.clear() }
    let target = shape.seconds / Double(shape.repeats) * 1e9
    var counts: [Int] = []
    for contestant in contestants {
      progress.show("\(title): \(contestant.name) warms up")
      counts.append(try warmUp(contestant, target: target))
    }
    var repeats = contestants.map { _ in [Double]() }
    for turn in 0..<shape.repeats {
      for (index, contestant) in contestants.enumerated() {
        progress.show("\(title): repeat \(turn + 1) of \(shape.repeats), \(contestant.name)")
        repeats[index].append(try time(contestant, counts[index]).nanosecondsPerSyslet)
      }
    }
    return zip(contestants, repeats).map { Measured(name: $0.name, repeats: $1) }
  }

  /// Runs for at least a quarter of a repeat and gives the operations that fill one.
  private func warmUp(_ contestant: any Contestant, target: Double) throws(Failure) -> Int {
    var count = 1
    while true {
      let sample = try time(contestant, count)
      let elapsed = Double(sample.wallNanoseconds)
      if elapsed >= target / 4 { return max(1, Int(target / max(sample.nanosecondsPerSyslet, 1e-3))) }
      // A first operation may be slow, so the estimate counts only once it is long enough; it grows by no more than 16 at once.
      count = sample.syslets * (elapsed < target / 64 ? 16 : 4)
    }
  }

  private func time(_ contestant: any Contestant, _ count: Int) throws(Failure) -> Sample {
    try Interrupt.check()
    let sample = try contestant.run(count)
    if let problem = sample.problem { throw Failure.wrongResult("\(title), \(contestant.name): \(problem)") }
    return sample
  }
}

/// A workload on one backend, measured by the loop that `syslet-bench run` uses.
final class WorkloadContestant: Contestant {
  let name: String
  private let runner: PassRunner
  private let engine: SysletEngine
  /// Held here, because it must outlive the engine (L4).
  private let workload: any Workload

  init(_ name: String, _ workload: any Workload, on backend: Backend, depth: Int) throws(Failure) {
    self.name = name
    self.workload = workload
    engine = try EngineMaker.make(backend, sqes: workload.segmentMax * depth)
    runner = PassRunner(engine: engine, workload: workload, depth: depth)
  }

  deinit { EngineMaker.close(engine) }

  func run(_ count: Int) throws(Failure) -> Sample { try runner.pass(first: 0, count: count) }
}
