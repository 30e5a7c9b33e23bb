// Two builds, measured in pairs: is one slower?

internal import ArgumentParser
internal import Measuring

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Judges pairs of reports: BASE HEAD BASE HEAD … Exit 1 where HEAD is slower by more than the margin.")

  @Argument(help: "Reports of both builds, each pair taken side by side.")
  var reports: [String]

  @Option(help: ArgumentHelp("What is still the same.", valueName: "percent"))
  var margin = 5.0

  func validate() throws {
    guard reports.count >= 2, reports.count % 2 == 0 else { throw ValidationError("reports come in pairs: BASE HEAD BASE HEAD …") }
    guard margin >= 0, margin < 100 else { throw ValidationError("--margin is \(margin), and it must be from 0 to below 100") }
  }

  func run() throws {
    var keys: [String] = []
    var ratios: [String: [Double]] = [:]
    for pair in stride(from: 0, to: reports.count, by: 2) {
      let head = try BenchReport.read(reports[pair + 1])
      for base in try BenchReport.read(reports[pair]).results {
        guard let other = head.results.first(where: { $0.key == base.key }) else { continue }
        if ratios[base.key] == nil { keys.append(base.key) }
        ratios[base.key, default: []].append(other.median / base.median)
      }
    }
    guard !keys.isEmpty else { throw Failure("the two builds have no row in common") }
    let table = TextTable([
      .text("row", max(20, keys.map(\.count).max()!)), .number("pairs", 5), .text("HEAD / BASE (95 %)", 23), .text("verdict", 7),
    ])
    Program.show(table.heading)
    var slower: [String] = []
    for key in keys {
      let estimate = Estimate.bootstrap(ratios[key]!)
      let verdict = Verdict(estimate, margin: margin / 100)
      Program.show(table.row([key, "\(ratios[key]!.count)", Text.ratio(estimate), verdict.rawValue]))
      if verdict == .slower { slower.append("\(key): \(Text.ratio(estimate))") }
    }
    if !slower.isEmpty { throw Failure("slower by more than \(Text.fixed(margin, 1)) %:\n  " + slower.joined(separator: "\n  ")) }
  }
}

/// What an interval of time ratios says, given that a change within `margin` is none.
enum Verdict: String {
  case slower, faster, same, unsure

  init(_ ratio: Estimate, margin: Double) {
    if ratio.low > 1 + margin {
      self = .slower
    } else if ratio.high < 1 - margin {
      self = .faster
    } else if ratio.low >= 1 - margin, ratio.high <= 1 + margin {
      self = .same
    } else {
      self = .unsure
    }
  }
}
