// Small statistics: medians, and how sure a median is.

/// The middle and the ends of some repeats.
struct Summary: Equatable {
  let median: Double
  let min: Double
  let max: Double

  /// Of at least one value.
  init(_ values: [Double]) {
    precondition(!values.isEmpty, "a summary of no repeats")
    let sorted = values.sorted()
    median = Self.median(ofSorted: sorted)
    min = sorted.first!
    max = sorted.last!
  }

  static func median(ofSorted sorted: [Double]) -> Double {
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// How a median would have varied with other repeats of the same kind.
enum Bootstrap {
  private static let resamples = 2000

  /// The interval that holds 95 % of the medians of resampled `values`. With five repeats it is their minimum and maximum. The
  /// random numbers are the same each time, so the same repeats give the same interval.
  static func interval95(ofMedian values: [Double]) -> (low: Double, high: Double) {
    precondition(!values.isEmpty, "an interval of no repeats")
    var random = SeededGenerator(seed: 95)
    var medians: [Double] = []
    medians.reserveCapacity(resamples)
    for _ in 0..<resamples {
      let resample = values.map { _ in values.randomElement(using: &random)! }
      medians.append(Summary.median(ofSorted: resample.sorted()))
    }
    medians.sort()
    return (medians[resamples / 40], medians[resamples - 1 - resamples / 40])
  }
}
