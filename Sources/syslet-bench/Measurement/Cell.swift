// One workload at one depth on every backend, interleaved.

internal import SysletRing

struct Cell {
  /// The name as in the catalog.
  let name: String
  let workload: any Workload
  let depth: Int
  let backends: [Backend]
  /// Wall time that one repeat of one backend should take.
  let repeatNanoseconds: Double
  let repeats: Int

  /// How the passes of one repeat are shaped. Every backend makes passes over the same items; a fast one makes more of them, so that all
  /// measure for about the same time.
  struct Shape: Equatable {
    let items: Int
    let passes: [Int]

    init(nanosecondsPerSyslet estimates: [Double], target: Double, depth: Int, itemCount: Int, passMax: Int) {
      let slowest = max(estimates.max() ?? 1, 1)
      // More than the depth, or filling and draining would be all of a pass.
      let wanted = max(Int(min(target / slowest, 1e9)), depth * 2)
      let items = max(1, min(wanted, min(itemCount, passMax)))
      self.items = items
      passes = estimates.map { max(1, Int((target / (max($0, 1) * Double(items))).rounded())) }
    }
  }

  /// One backend's part. The engine is closed when the value goes, before the workload's memory does (L4).
  private final class Contestant {
    let backend: Backend
    let engine: SysletEngine
    let runner: PassRunner
    var samples: [Sample] = []
    var problem: String?

    init(_ backend: Backend, _ cell: Cell) throws(Failure) {
      self.backend = backend
      engine = try EngineMaker.make(backend, sqes: cell.workload.segmentMax * cell.depth)
      runner = PassRunner(engine: engine, workload: cell.workload, depth: cell.depth)
    }

    deinit { EngineMaker.close(engine) }
  }

  /// Measures, and appends a row per backend to `report` even if it is interrupted, provided that every backend has one repeat.
  func measure(into report: inout Report, progress: Progress) throws(Failure) {
    var contestants: [Contestant] = []
    for backend in backends { contestants.append(try Contestant(backend, self)) }
    defer { append(contestants, to: &report) }
    var estimates: [Double] = []
    for contestant in contestants {
      progress.show("\(name) \(workload.variant) depth \(depth): \(contestant.backend.rawValue) warms up")
      estimates.append(try warmUp(contestant))
    }
    let shape = Shape(
      nanosecondsPerSyslet: estimates, target: repeatNanoseconds, depth: depth, itemCount: workload.itemCount,
      passMax: workload.passMax)
    for turn in 0..<repeats {
      let order = Array(zip(contestants, shape.passes))
      // A B C D, then D C B A: what the one before has left behind (journals to commit, a busy machine) is not always the same one's burden.
      for (contestant, passes) in turn % 2 == 0 ? order : order.reversed() {
        progress.show("\(name) \(workload.variant) depth \(depth): repeat \(turn + 1) of \(repeats), \(contestant.backend.rawValue)")
        var sample = Sample()
        for pass in 0..<passes {
          // The files of the last pass are compared byte by byte, those of the others by their size.
          let isLast = turn + 1 == repeats && pass + 1 == passes
          sample.add(
            try contestant.runner.pass(first: turn * shape.items, count: shape.items, checkingAllFiles: isLast))
        }
        contestant.samples.append(sample)
      }
    }
  }

  /// Verifies all data of a few syslets, then runs long enough for an estimate; returns nanoseconds per syslet.
  private func warmUp(_ contestant: Contestant) throws(Failure) -> Double {
    let few = min(depth * 2, workload.itemCount, workload.passMax)
    let thorough = try contestant.runner.pass(first: 0, count: few, isThorough: true)
    contestant.problem = thorough.problem
    var count = few
    while true {
      let sample = try contestant.runner.pass(first: 0, count: count)
      contestant.problem = contestant.problem ?? sample.problem
      let isLongEnough = Double(sample.wallNanoseconds) >= repeatNanoseconds / 4
      let next = min(count * 4, workload.itemCount, workload.passMax)
      if isLongEnough || next == count {
        contestant.runner.forgetLatencies()
        return sample.nanosecondsPerSyslet
      }
      count = next
    }
  }

  private func append(_ contestants: [Contestant], to report: inout Report) {
    // Paired ratios need as many repeats of each.
    let complete = contestants.map(\.samples.count).min() ?? 0
    guard complete > 0 else { return }
    for contestant in contestants {
      let row = Row(
        workload: name, variant: workload.variant, backend: contestant.backend, depth: depth, atoms: workload.atomsExecuted,
        samples: Array(contestant.samples.prefix(complete)), latencies: contestant.runner.latencies, problem: contestant.problem)
      report.rows.append(row)
    }
    report.ratios += Ratio.all(among: Array(report.rows.suffix(contestants.count)))
  }
}
