// Does the backend automatic choose well? Its time against that of the best of the others, in every row.

internal import ArgumentParser
internal import Foundation
internal import Measuring

struct AutomaticCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "automatic",
    abstract: "Prints a Markdown table of automatic against the best of the others. Exit 1 where it is surely slower.")

  @Argument(help: "A report with the backends ring, threads, inline and automatic.")
  var report: String

  @Option(help: ArgumentHelp("How much of the best backend's speed automatic must reach.", valueName: "ratio"))
  var least = 0.95

  private static let others = ["ring", "threads", "inline"]

  func run() throws {
    let results = try BenchReport.read(report).results
    Program.show("| workload | variant | depth | \(Self.others.joined(separator: " | ")) | automatic | best ÷ automatic (95 %) | |")
    Program.show("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |")
    var slow: [String] = []
    var count = 0
    for automatic in results where automatic.backend == "automatic" {
      let rivals = results.filter {
        $0.backend != "automatic" && $0.workload == automatic.workload && $0.variant == automatic.variant && $0.depth == automatic.depth
      }
      guard let best = rivals.min(by: { $0.median < $1.median }) else { continue }
      count += 1
      let estimate = Estimate.bootstrap(zip(best.nanoseconds, automatic.nanoseconds).map { $0 / $1 })
      let verdict: String
      if estimate.high < least {
        verdict = "too slow: \(best.backend) is better"
        slow.append("\(automatic.name), depth \(automatic.depth): \(Text.ratio(estimate)) of \(best.backend)")
      } else if estimate.low < least, estimate.median < least {
        verdict = "unsure"
      } else {
        verdict = ""
      }
      let times = Self.others.map { name in
        guard let rival = rivals.first(where: { $0.backend == name }) else { return "–" }
        let time = Text.nanoseconds(rival.median)
        return name == best.backend ? "**\(time)**" : time
      }
      Program.show(
        "| \(automatic.workload) | \(automatic.variant) | \(automatic.depth) | \(times.joined(separator: " | ")) | "
          + "\(Text.nanoseconds(automatic.median)) | \(Text.ratio(estimate)) | \(verdict) |")
    }
    guard count > 0 else { throw Failure("\(report) has no row of automatic beside another backend", exitCode: 2) }
    if !slow.isEmpty {
      throw Failure(
        "automatic is surely below \(Text.fixed(least, 2)) of the best in \(slow.count) of \(count) rows:\n  "
          + slow.joined(separator: "\n  "))
    }
  }
}
