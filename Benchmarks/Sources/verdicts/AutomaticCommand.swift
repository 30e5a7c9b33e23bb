// Does the backend automatic choose well? Its time against that of the best of the others, in every row.

internal import ArgumentParser
internal import Foundation
internal import Measuring

struct AutomaticCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "automatic",
    abstract: "Prints a Markdown table of automatic against the best of the others. Exit 1 where it is surely slower.")

  @Argument(help: "Reports with the backends ring, threads, inline and automatic. The repeats of a row count in whichever they are.")
  var reports: [String]

  @Option(help: ArgumentHelp("How much of the best backend's speed automatic must reach.", valueName: "ratio"))
  var least = 0.95

  @Flag(help: "Print only the workload and the depth of each row whose median is below that, and judge nothing.")
  var below = false

  private static let others = ["ring", "threads", "inline"]

  private struct Row {
    let automatic: BenchReport.Result
    let rivals: [BenchReport.Result]
    let best: BenchReport.Result
    let estimate: Estimate

    /// nil without rivals.
    init?(_ automatic: BenchReport.Result, among results: [BenchReport.Result]) {
      rivals = results.filter {
        $0.backend != "automatic" && $0.workload == automatic.workload && $0.variant == automatic.variant && $0.depth == automatic.depth
      }
      guard let best = rivals.min(by: { $0.median < $1.median }) else { return nil }
      self.automatic = automatic
      self.best = best
      estimate = Estimate.bootstrap(zip(best.nanoseconds, automatic.nanoseconds).map { $0 / $1 })
    }

    func isBelow(_ least: Double) -> Bool { estimate.median < least }
    func isSlow(_ least: Double) -> Bool { estimate.high < least }
  }

  func run() throws {
    let results = BenchReport.Result.pooled(try reports.flatMap { try BenchReport.read($0).results })
    let rows = results.filter { $0.backend == "automatic" }.compactMap { Row($0, among: results) }
    guard !rows.isEmpty else {
      throw Failure("\(reports.joined(separator: ", ")): no row of automatic beside another backend", exitCode: 2)
    }
    if below {
      for row in rows where row.isBelow(least) { Program.show("\(row.automatic.workload) \(row.automatic.depth)") }
      return
    }
    Program.show(
      "| workload | variant | depth | \(Self.others.joined(separator: " | ")) | automatic | best ÷ automatic (95 %) | repeats | |")
    Program.show("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | --- |")
    for row in rows { show(row) }
    let slow = rows.filter { $0.isSlow(least) }
    if !slow.isEmpty {
      throw Failure(
        "automatic is surely below \(Text.fixed(least, 2)) of the best in \(slow.count) of \(rows.count) rows:\n  "
          + slow.map { "\($0.automatic.name), depth \($0.automatic.depth): \(Text.ratio($0.estimate)) of \($0.best.backend)" }
          .joined(separator: "\n  "))
    }
  }

  private func show(_ row: Row) {
    let times = Self.others.map { name in
      guard let rival = row.rivals.first(where: { $0.backend == name }) else { return "–" }
      let time = Text.nanoseconds(rival.median)
      return name == row.best.backend ? "**\(time)**" : time
    }
    let verdict = row.isSlow(least) ? "too slow: \(row.best.backend) is better" : row.isBelow(least) ? "unsure" : ""
    let automatic = row.automatic
    Program.show(
      "| \(automatic.workload) | \(automatic.variant) | \(automatic.depth) | \(times.joined(separator: " | ")) | "
        + "\(Text.nanoseconds(automatic.median)) | \(Text.ratio(row.estimate)) | \(automatic.nanoseconds.count) | \(verdict) |")
  }
}
