// In what a syslet may differ from its calls: docs/SEMANTICS.md, "Differences that remain". The parity fuzzer fails on every other
// difference, and on an entry that no case meets any more.

@testable import SysletRing

struct KnownDifference: Sendable {
  /// The line of docs/SEMANTICS.md, shortened.
  let name: String
  let includes: @Sendable (ParityCase, ParityDifference, SysletEngine.Backend) -> Bool

  /// At most eight.
  static let all: [KnownDifference] = []

  /// The entry that a difference belongs to.
  static func index(_ tried: ParityCase, _ difference: ParityDifference, _ backend: SysletEngine.Backend) -> Int? {
    all.firstIndex { $0.includes(tried, difference, backend) }
  }
}
