// Every call that can wait, cancelled and closed: it ends soon, nothing runs behind it, and nobody spins meanwhile (inputs 7 and 18 of the
// parity review).

import CTestSupport
import Foundation
import Glibc
import SysletRing
import Testing

@Suite("Parity: cancelling and closing", .leavesNothingBehind)
struct CancelParityTests {
  enum Place: String, CaseIterable, Sendable { case alone, hardChain, softChain }
  enum End: String, CaseIterable, Sendable { case cancel, close }

  /// Waiting may cost this many enters.
  private static func entersMax(_ milliseconds: Int64) -> Int { Int(milliseconds) / 10 + 5 }

  /// Lets a call wait a while, and ends it. What was not as it should be; nil where there is no such call here.
  private static func failure(_ row: EndlessCall, _ place: Place, _ end: End, on backend: SysletEngine.Backend) throws -> String? {
    let stage = Stage()
    guard let (call, finish) = row.make(stage) else { return "skipped" }
    defer { finish() }
    // Not every architecture has every call.
    if call.number < 0 { return "skipped" }
    let program = Program(.direct)
    let behind = stage.descriptors.file([])
    let flags: AtomFlags = place == .softChain ? .stopOnNegative : []
    if place != .alone { program.atom(noOperation, flags: flags) }
    program.atom(call.number, list: call.arguments.map { .value($0) }, flags: flags)
    if place != .alone { program.atom(SystemCall.pwrite64, .int(behind), .to(program.path("x")), 1, 0, next: .end) }

    let engine = try Parity.engine(backend)
    try engine.enqueue(program)
    try engine.flush()
    let (enters, start) = (engine.statistics.enters, test_milliseconds())
    let early = try engine.take(timeout: .milliseconds(200))
    if let early = early.first { return "did not wait: \(early.result), \(early.reason)" }
    let spent = engine.statistics.enters - enters
    if spent > entersMax(test_milliseconds() - start) { return "\(spent) enters in \(test_milliseconds() - start) ms of waiting" }

    let ended = test_milliseconds()
    if end == .cancel {
      try engine.cancel(program)
      let taken = try engine.take()
      // Alone it has come to its end, with the part.
      let part = row.hasPart && taken.first.map { $0.result > 0 } == true ? 1 : 0
      if taken.map(\.reason) != [part == 1 && place == .alone ? .ended : .cancelled] { return "cancelled: \(taken)" }
      if taken[0].executed > part + (place == .alone ? 0 : 1) { return "cancelled after \(taken[0].executed) atoms" }
    }
    try engine.close()
    if engine.pending != 0 { return "closed with \(engine.pending) pending" }
    let milliseconds = test_milliseconds() - ended
    var facts = stat()
    if unsafe fstat(behind, &facts) != 0 || facts.st_size != 0 { return "what stands behind it was run" }
    return milliseconds > 1000 ? "slow: \(milliseconds) ms" : nil
  }

  @Test(
    "A call that waits ends within a second when it is cancelled or its engine closed, and nothing runs behind it",
    arguments: LifeRegressionTests.asynchronous, EndlessCall.all)
  func ends(backend: SysletEngine.Backend, row: EndlessCall) {
    ProcessSettings.apply()
    let ways = Place.allCases.flatMap { place in End.allCases.map { (place, $0) } }
    var failures: [String] = []
    // What is merely slow, on a busy machine, has another chance.
    for _ in 0..<3 {
      let bodies = ways.map { place, end -> @Sendable () -> String? in
        { do { return try Self.failure(row, place, end, on: backend) } catch { return "\(error)" } }
      }
      failures = zip(ways, Parity.onThreads(bodies, deadline: Deadline.usual + .seconds(5))).compactMap { way, failure in
        switch failure {
        case nil: "\(way.0), \(way.1): does not return"
        case .some(let text): text.map { "\(way.0), \(way.1): \($0)" }
        }
      }
      if !failures.contains(where: { $0.contains("slow") }) { break }
    }
    if failures.contains(where: { $0.hasSuffix("skipped") }) { return reportSkipped("\(row)", "there is none here") }
    #expect(failures == [])
  }
}
