// What some passes took, added up.

internal import Histogram

/// Latencies of single syslets, in nanoseconds, from the moment their slot was armed to the moment their completion was read.
typealias Latencies = Histogram<UInt32>

extension Latencies {
  /// A minute; what takes longer counts as a minute.
  static let longest: UInt64 = 60_000_000_000

  static func empty() -> Latencies {
    Latencies(highestTrackableValue: longest, numberOfSignificantValueDigits: .three)
  }
}

struct Sample {
  var syslets = 0
  var wallNanoseconds: UInt64 = 0
  var cpuNanoseconds: UInt64 = 0
  var byteCount = 0
  var proof = Proof()
  /// The first result that was not what it must be.
  var problem: String?

  var nanosecondsPerSyslet: Double { syslets == 0 ? 0 : Double(wallNanoseconds) / Double(syslets) }

  mutating func add(_ other: Sample) {
    syslets += other.syslets
    wallNanoseconds += other.wallNanoseconds
    cpuNanoseconds += other.cpuNanoseconds
    byteCount += other.byteCount
    proof.add(other.proof, since: Proof())
    problem = problem ?? other.problem
  }
}
