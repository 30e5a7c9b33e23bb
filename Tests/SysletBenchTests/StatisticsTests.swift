// Medians, intervals, ratios, and how repeats are shaped.

import SysletRing
import Testing

@testable import syslet_bench

@Suite struct StatisticsTests {
  @Test("A summary has the middle and both ends")
  func summary() {
    #expect(Summary([3, 1, 2]) == Summary([1, 2, 3]))
    #expect(Summary([3, 1, 2]).median == 2)
    #expect(Summary([4, 1, 2, 3]).median == 2.5)
    #expect(Summary([7]).min == 7)
    #expect(Summary([9, 8, 10]).max == 10)
  }

  @Test("The interval of five repeats is their range, and the same each time")
  func smallInterval() {
    let interval = Bootstrap.interval95(ofMedian: [1.0, 1.2, 1.1, 0.9, 1.05])
    #expect(interval == (0.9, 1.2))
    #expect(Bootstrap.interval95(ofMedian: [1.0, 1.2, 1.1, 0.9, 1.05]) == interval)
    #expect(Bootstrap.interval95(ofMedian: [3]) == (3, 3))
  }

  @Test("With many repeats a single outlier does not reach the interval")
  func outlier() {
    let interval = Bootstrap.interval95(ofMedian: (0..<30).map { 1 + Double($0) / 100 } + [100])
    #expect(interval.high < 2)
    #expect(interval.low >= 1)
  }

  @Test("A ratio pairs the repeats, so that a disturbance of both does not count")
  func pairedRatio() {
    let slow = row(.threads, nanoseconds: [200, 400, 220])
    let fast = row(.ring, nanoseconds: [100, 200, 110])
    let ratio = Ratio(fast, to: slow)
    #expect(ratio.median == 2)
    #expect(ratio.low == 2)
    #expect(ratio.high == 2)
    #expect(ratio.backend == .ring)
    #expect(ratio.to == .threads)
  }

  @Test("Every pair of backends has one ratio")
  func allRatios() {
    let rows = Backend.allCases.map { row($0, nanoseconds: [1]) }
    let pairs = Ratio.all(among: rows).map { "\($0.backend)/\($0.to)" }
    #expect(
      pairs == [
        "automatic/ring", "automatic/inline", "automatic/threads", "ring/inline", "ring/threads", "inline/threads",
      ])
  }

  @Test("Every backend makes passes over the same items, a fast one more of them")
  func shape() {
    let shape = Cell.Shape(nanosecondsPerSyslet: [100, 10_000], target: 10_000_000, depth: 1, itemCount: .max, passMax: .max)
    #expect(shape.items == 1000)
    #expect(shape.passes == [100, 1])
  }

  @Test("A pass has no more items than there are, and twice the depth otherwise")
  func shapeLimits() {
    let few = Cell.Shape(nanosecondsPerSyslet: [100], target: 10_000_000, depth: 32, itemCount: 7, passMax: .max)
    #expect(few.items == 7)
    let copies = Cell.Shape(nanosecondsPerSyslet: [1e6], target: 1e6, depth: 32, itemCount: .max, passMax: 32)
    #expect(copies.items == 32)
    #expect(copies.passes == [1])
    let slow = Cell.Shape(nanosecondsPerSyslet: [1e9], target: 1e6, depth: 32, itemCount: .max, passMax: .max)
    #expect(slow.items == 64)
    #expect(Cell.Shape(nanosecondsPerSyslet: [0], target: 1e6, depth: 1, itemCount: .max, passMax: .max).items >= 1)
  }

  @Test("Samples add up, and the first problem stays")
  func samples() {
    var sum = sample(nanosecondsEach: 10, count: 100)
    var other = sample(nanosecondsEach: 30, count: 100)
    other.problem = "wrong"
    sum.add(other)
    #expect(sum.syslets == 200)
    #expect(sum.nanosecondsPerSyslet == 20)
    #expect(sum.proof.sqes == 600)
    #expect(sum.problem == "wrong")
  }
}
