// Single calls at random, on every kind of descriptor, compared with plain calls (law L10).
//
// `scripts/fuzz --parity --seconds N [--seed S]` runs them for longer: SYSLETRING_PARITY_SECONDS and SYSLETRING_SEED.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

/// For how long, and which seeds.
struct ParityBudget {
  /// Where to begin, and until when to go on from there.
  var legs: [(seed: UInt64, end: ContinuousClock.Instant)]
  /// So many cases in each leg at the most.
  var casesMax = Int.max
  /// One case, whatever the time.
  var isSingle = false
  /// Whether it is long enough to meet all that is known.
  var isLong = false
  /// The first difference is all that is wanted.
  var endsWithFirst = false

  /// All that are there, or the one that SYSLETRING_PARITY_BACKEND names.
  static var backends: [SysletEngine.Backend] {
    let wanted = ProcessInfo.processInfo.environment["SYSLETRING_PARITY_BACKEND"]
    return SysletEngine.Backend.available.filter { wanted == nil || $0.rawValue == wanted }
  }

  /// `share` of the seconds that were asked for, from the seed that was asked for; or `seconds`, half of them with seeds that are the same
  /// in each run, half of them with others. Where CI is set there are no others, and no more than 1,500 cases: what nobody has met yet is for whoever
  /// looks for it, not for a change that has nothing to do with it.
  init(seconds: Double, share: Double) {
    let environment = ProcessInfo.processInfo.environment
    let asked = environment["SYSLETRING_PARITY_SECONDS"].flatMap(Double.init)
    let seed = environment["SYSLETRING_SEED"].flatMap { UInt64($0) }
    func after(_ seconds: Double) -> ContinuousClock.Instant { ContinuousClock.now + .milliseconds(Int(1000 * seconds)) }
    if let asked {
      legs = [(seed ?? 1, after(asked * share))]
      isLong = asked * share >= 300
    } else if let seed {
      legs = [(seed, after(0))]
      isSingle = true
    } else if environment["CI"] != nil {
      legs = [(1, after(seconds / 2))]
      casesMax = 1500
    } else {
      legs = [(1, after(seconds / 2)), (UInt64.random(in: 1 << 32..<1 << 48), after(seconds))]
    }
  }
}

/// Differences of one kind.
struct ParityFinding {
  var count = 0
  var seed: UInt64
  var smallest: FuzzCase
  var difference: ParityDifference
}

/// What a run has met.
struct ParityReport {
  var cases = 0
  var skipped = 0
  var unsteady = 0
  var findings: [String: ParityFinding] = [:]
  var known = [Int](repeating: 0, count: KnownDifference.all.count)

  static func signature(_ tried: FuzzCase, _ difference: ParityDifference) -> String {
    "\(tried.calls.map(\.name).joined(separator: "+")) \(tried.kind) \(difference.outline)"
  }

  /// One line for each kind of difference.
  func table(_ backend: SysletEngine.Backend) -> String {
    findings.values.sorted { $0.smallest.calls[0].name < $1.smallest.calls[0].name }.map { Self.line($0, backend) }.joined(separator: "\n")
  }

  static func line(_ finding: ParityFinding, _ backend: SysletEngine.Backend) -> String {
    "| \(backend) | \(finding.count) | \(finding.seed) | \(finding.difference.nature) | \(finding.smallest.description) | \(finding.difference.story) |"
  }
}

enum ParityFuzz {
  /// A table that claims of `row` that the ring does the same with every kind of descriptor, whatever its state.
  static func widened(_ row: String) -> OperationTable {
    OperationTable(Operation.rows.map { "\($0.name)" == row ? $0.knowing(.always) : $0 })
  }

  /// Runs cases until the time is over.
  static func run(
    _ backend: SysletEngine.Backend, _ budget: ParityBudget, folders: [String], table: OperationTable = .shared
  ) throws -> ParityReport {
    let runner = try ParityRunner(backend, folders: folders, table: table)
    var report = ParityReport()
    for (first, end) in budget.legs {
      let before = report
      var seed = first
      repeat {
        let tried = FuzzCase(seed: seed)
        unsafe test_alarm_story("parity: SYSLETRING_SEED=\(seed) on \(backend) does not come back\n")
        report.cases += 1
        switch try runner.judge(tried) {
        case .same: break
        case .skipped: report.skipped += 1
        case .unsteady: report.unsteady += 1
        case .different(let difference): try look(tried, difference, seed, runner, &report)
        }
        seed += 1
      } while !budget.isSingle && seed - first < budget.casesMax && ContinuousClock.now < end
        && !(budget.endsWithFirst && !report.findings.isEmpty)
      print(
        "parity: \(backend): \(report.cases - before.cases) cases, seeds \(first)..<\(seed), \(report.skipped - before.skipped) skipped, "
          + "\(report.unsteady - before.unsteady) not twice the same, \(report.findings.count - before.findings.count) new kinds of difference"
      )
    }
    print("parity: \(backend): \(runner.waitingCases) cases waited")
    for (known, count) in zip(KnownDifference.all, report.known) where known.backends.contains(backend) {
      print("parity: \(backend): \(count) times: \(known.name)")
      if count == 0, budget.isLong { print("| \(backend) | nothing meets any more what is known: \(known.name)") }
    }
    try runner.end()
    return report
  }

  /// Looks at a difference again, and makes it smaller if there was none like it.
  private static func look(
    _ tried: FuzzCase, _ difference: ParityDifference, _ seed: UInt64, _ runner: ParityRunner, _ report: inout ParityReport
  ) throws {
    if let known = KnownDifference.index(tried, difference, runner.backend) {
      report.known[known] += 1
      return
    }
    if report.findings[ParityReport.signature(tried, difference)] != nil {
      report.findings[ParityReport.signature(tried, difference)]!.count += 1
      return
    }
    guard case .different(var story) = try runner.judge(tried, isPatient: true) else {
      report.unsteady += 1
      return
    }
    if let known = KnownDifference.index(tried, story, runner.backend) {
      report.known[known] += 1
      return
    }
    let original = ParityReport.signature(tried, story)
    var smallest = tried
    var hasChanged = true
    // Of what hangs each try takes long.
    var triesLeft = [.hangs, .held, .notCancelled, .doesNotWait].contains(story.nature) ? 4 : 100
    while hasChanged {
      hasChanged = false
      for candidate in smallest.smaller where triesLeft > 0 {
        triesLeft -= 1
        unsafe test_alarm_story(
          "parity: SYSLETRING_SEED=\(seed) on \(runner.backend) does not come back, shrunk: \(candidate.description)\n")
        guard case .different(let other) = try runner.judge(candidate), other.resembles(story) else { continue }
        (smallest, story, hasChanged) = (candidate, other, true)
        break
      }
    }
    let signature = ParityReport.signature(smallest, story)
    if report.findings[signature] == nil {
      report.findings[signature] = ParityFinding(seed: seed, smallest: smallest, difference: story)
      if let path = ProcessInfo.processInfo.environment["SYSLETRING_PARITY_FINDINGS"] {
        let line = ParityReport.line(report.findings[signature]!, runner.backend) + "\n"
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        let bytes = Array(line.utf8)
        _ = unsafe write(file, bytes, bytes.count)
        close(file)
      }
    }
    report.findings[signature]!.count += 1
    // Others like it are not looked at again.
    if original != signature, report.findings[original] == nil {
      report.findings[original] = ParityFinding(count: 1, seed: seed, smallest: smallest, difference: story)
    }
  }
}

@Suite("Parity with plain calls, at random", .leavesNothingBehind)
struct ParityFuzzTests {
  /// What a run prints, in a process for itself: it opens and closes descriptors, and is interrupted by signals.
  ///
  /// - Parameter widened: A row of which the engine's table claims too much; "" for none.
  private static func lines(_ backend: SysletEngine.Backend, widened row: String = "") async throws -> [Substring] {
    let scratch = Scratch()
    let shared = "/dev/shm/parity-\(getpid())-\(backend)"
    try FileManager.default.createDirectory(atPath: shared, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: shared) }
    let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
      [name = backend.rawValue as String, path = scratch.path as String, shared = shared as String, row = row as String] in
      precondition(test_alarm_make() == 0)
      let backend = SysletEngine.Backend(rawValue: name)!
      var budget = ParityBudget(seconds: 10, share: 0.25)
      budget.endsWithFirst = !row.isEmpty
      if !row.isEmpty { budget.casesMax = .max }
      let report = try ParityFuzz.run(backend, budget, folders: [path, shared], table: row.isEmpty ? .shared : ParityFuzz.widened(row))
      if !report.findings.isEmpty { print(report.table(backend)) }
      // Past what engines that did not let go have kept.
      ProcessSettings.endNow(0)
    }
    let lines = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self).split(separator: "\n")
    for line in lines where line.hasPrefix("parity: ") { print(line) }
    #expect(lines.contains { $0.hasPrefix("parity: ") }, "it did not come to its end")
    return lines
  }

  @Test("A row that claims to know more than is known is found", arguments: ["pread64", "recvfrom"])
  func canary(row: String) async throws {
    guard SysletEngine.Backend.available.contains(.ring), ParityBudget.backends.contains(.ring) else { return }
    let lines = try await Self.lines(.ring, widened: row)
    #expect(lines.contains { $0.hasPrefix("| ") && $0.contains(row) }, "nothing was found although the ring was given every \(row)")
  }

  @Test("A call comes to the same in a syslet as plainly", arguments: ParityBudget.backends)
  func cases(backend: SysletEngine.Backend) async throws {
    let lines = try await Self.lines(backend)
    let differences = lines.filter { $0.hasPrefix("| ") }
    if !differences.isEmpty { Issue.record("\(differences.count) kinds of difference:\n\(differences.joined(separator: "\n"))") }
  }
}
