// What a run found out, independent of how it is written.

internal import Histogram
internal import SysletRing

struct Row {
  let workload: String
  let variant: String
  let backend: Backend
  let depth: Int
  /// Atoms that one syslet executes.
  let atoms: Int
  /// Data bytes that one syslet moves, on average.
  let bytes: Int
  let repeats: [Double]
  let time: Summary
  let cpuPerSyslet: Double
  let latency: Latency
  let syslets: Int
  private let proof: Proof
  /// What was wrong, if a result was.
  let problem: String?

  struct Latency: Equatable {
    let p50, p90, p99, p999, max: UInt64
  }

  var isChecked: Bool { problem == nil }

  /// `samples`: at least one.
  init(
    workload: String, variant: String, backend: Backend, depth: Int, atoms: Int, samples: [Sample], latencies: Latencies,
    problem: String?
  ) {
    self.workload = workload
    self.variant = variant
    self.backend = backend
    self.depth = depth
    self.atoms = atoms
    repeats = samples.map(\.nanosecondsPerSyslet)
    time = Summary(repeats)
    var all = Sample()
    for sample in samples { all.add(sample) }
    syslets = all.syslets
    bytes = all.byteCount / max(all.syslets, 1)
    cpuPerSyslet = Double(all.cpuNanoseconds) / Double(max(all.syslets, 1))
    proof = all.proof
    self.problem = problem ?? all.problem
    latency = Latency(
      p50: latencies.valueAtPercentile(50), p90: latencies.valueAtPercentile(90), p99: latencies.valueAtPercentile(99),
      p999: latencies.valueAtPercentile(99.9), max: latencies.max)
  }

  /// One of the engine's counts, per syslet.
  func perSyslet(_ count: KeyPath<Proof, Int>) -> Double { Double(proof[keyPath: count]) / Double(max(syslets, 1)) }
}

/// How many times as fast one backend is as another, from repeats taken side by side.
struct Ratio {
  let workload: String
  let variant: String
  let depth: Int
  let backend: Backend
  let to: Backend
  let median: Double
  /// The 95 % interval of the median.
  let low: Double
  let high: Double

  init(_ row: Row, to other: Row) {
    workload = row.workload
    variant = row.variant
    depth = row.depth
    backend = row.backend
    to = other.backend
    let paired = zip(row.repeats, other.repeats).map { $1 / max($0, .leastNonzeroMagnitude) }
    median = Summary(paired).median
    (low, high) = Bootstrap.interval95(ofMedian: paired)
  }

  /// What a reader wants to be compared first, then what it is compared with.
  private static let order: [Backend] = [.automatic, .ring, .inline, .threads]

  /// The ratios of all pairs of `rows`, which are one workload at one depth.
  static func all(among rows: [Row]) -> [Ratio] {
    let sorted = order.compactMap { backend in rows.first { $0.backend == backend } }
    return sorted.indices.flatMap { first in sorted[(first + 1)...].map { Ratio(sorted[first], to: $0) } }
  }
}

/// A workload that this machine cannot run, or that has no sense on a backend.
struct Skip: Equatable {
  let workload: String
  /// nil: all of them.
  var backend: Backend?
  let reason: String

  /// "read-direct", or "cancel on inline".
  var name: String { backend.map { "\(workload) on \($0.rawValue)" } ?? workload }
}

struct Report {
  let command: String
  let started: String
  let environment: Environment
  let isQuick: Bool
  let seed: UInt64
  var rows: [Row] = []
  var ratios: [Ratio] = []
  var skips: [Skip] = []
  /// What each workload and variant works on.
  var subjects: [String: String] = [:]
  /// What differs from what was asked for.
  var notices: [String] = []

  /// How `backend` does against `baseline` in the same cell as `row`.
  func ratio(of row: Row, to baseline: Backend) -> Ratio? {
    ratios.first {
      $0.workload == row.workload && $0.variant == row.variant && $0.depth == row.depth && $0.backend == row.backend
        && $0.to == baseline
    }
  }

  /// The backend that the tables compare with: threads, the emulation, if they ran.
  var baseline: Backend? {
    let ran = Set(rows.map(\.backend))
    return ran.count < 2 ? nil : [.threads, .inline, .ring].first { ran.contains($0) }
  }

  /// Rows by workload and variant, in the order in which they were measured.
  var groups: [[Row]] {
    var groups: [[Row]] = []
    for row in rows {
      if let last = groups.last?.last, last.workload == row.workload, last.variant == row.variant {
        groups[groups.count - 1].append(row)
      } else {
        groups.append([row])
      }
    }
    return groups
  }

  func subject(of row: Row) -> String { subjects[Self.subjectKey(row.workload, row.variant)] ?? "" }

  static func subjectKey(_ workload: String, _ variant: String) -> String { workload + "\n" + variant }
}
