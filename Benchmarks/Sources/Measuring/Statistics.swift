// Small statistics: medians, and how sure the median of paired ratios is.

/// The median of some values, with the interval that holds it.
public struct Estimate: Sendable, Encodable {
  public let median: Double
  public let low: Double
  public let high: Double

  public init(median: Double, low: Double, high: Double) {
    self.median = median
    self.low = low
    self.high = high
  }

  /// The middle and the ends of `values`, of which there must be some.
  public static func range(of values: [Double]) -> Estimate {
    let sorted = values.sorted()
    return Estimate(median: median(ofSorted: sorted), low: sorted.first!, high: sorted.last!)
  }

  /// The median of `values` with its 95 % bootstrap interval: the one that holds 95 % of the medians of resampled values. The random numbers
  /// are the same each time, so that the same values give the same interval.
  public static func bootstrap(_ values: [Double]) -> Estimate {
    precondition(!values.isEmpty, "an interval of no values")
    let resamples = 4000
    var random = Generator(seed: 95)
    var medians: [Double] = []
    medians.reserveCapacity(resamples)
    for _ in 0..<resamples {
      let resample = values.map { _ in values.randomElement(using: &random)! }
      medians.append(median(ofSorted: resample.sorted()))
    }
    medians.sort()
    return Estimate(
      median: median(ofSorted: values.sorted()), low: medians[resamples / 40], high: medians[resamples - 1 - resamples / 40])
  }

  static func median(ofSorted sorted: [Double]) -> Double {
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// SplitMix64: the same numbers on every machine.
public struct Generator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
