// In what a syslet may differ from its calls: docs/SEMANTICS.md, "Differences that remain". The parity fuzzer fails on every other
// difference, and, when it runs for long, on an entry that no case meets any more.

@testable import SysletRing

struct KnownDifference: Sendable {
  /// The line of docs/SEMANTICS.md, shortened.
  let name: String
  /// Where it is to be met.
  let backends: Set<SysletEngine.Backend>
  let includes: @Sendable (FuzzCase, ParityDifference) -> Bool

  /// At most eight.
  static let all: [KnownDifference] = [
    KnownDifference(name: "what a socket whose connect has failed says next", backends: [.ring, .automatic]) { tried, difference in
      switch difference.nature {
      case .world: difference.story.hasPrefix("what is left in") && tried.calls.contains { $0.name == "connect" }
      // Told by the call behind it.
      case .result: tried.calls.first?.name == "connect" && difference.story.contains("-ENOTCONN by plain calls")
      default: false
      }
    }
  ]

  /// The entry that a difference belongs to.
  static func index(_ tried: FuzzCase, _ difference: ParityDifference, _ backend: SysletEngine.Backend) -> Int? {
    all.firstIndex { $0.backends.contains(backend) && $0.includes(tried, difference) }
  }
}
