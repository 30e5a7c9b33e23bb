// Judges what syslet-bench has measured: the scripts of this folder run it, and this reads the JSON files that it wrote.

internal import ArgumentParser
internal import Foundation
internal import Measuring

@main
struct Verdicts: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verdicts", abstract: "Judges the figures of syslet-bench; Benchmarks/compare, automatic-table and fio run it.",
    subcommands: [CompareCommand.self, AutomaticCommand.self, FioCommand.self])

  static func main() { Program.run(Self.self) }
}

/// What this package reads of syslet-bench's JSON.
struct BenchReport: Decodable {
  let schema: Int
  let results: [Result]

  struct Result: Decodable {
    let workload: String
    let variant: String
    let backend: String
    let depth: Int
    var nanoseconds: [Double]
    let checked: Bool

    enum CodingKeys: String, CodingKey {
      case workload, variant, backend, depth, checked
      case nanoseconds = "repeats_ns_per_syslet"
    }

    var median: Double { Estimate.range(of: nanoseconds).median }
    var name: String { variant.isEmpty ? workload : "\(workload) \(variant)" }
    /// What is the same in two runs of the same measurement.
    var key: String { "\(name), \(backend), depth \(depth)" }

    /// The rows of several runs, each once, with all its repeats.
    static func pooled(_ results: [Result]) -> [Result] {
      var pooled: [Result] = []
      var positions: [String: Int] = [:]
      for result in results {
        if let position = positions[result.key] {
          pooled[position].nanoseconds += result.nanoseconds
        } else {
          positions[result.key] = pooled.count
          pooled.append(result)
        }
      }
      return pooled
    }
  }

  /// The report at `path`. A run with wrong results is not worth judging.
  static func read(_ path: String) throws -> BenchReport {
    let report: BenchReport
    do {
      report = try JSONDecoder().decode(BenchReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw Failure("\(path) is no report of syslet-bench: \(error)", exitCode: 2)
    }
    guard report.schema == 1 else { throw Failure("\(path) has schema \(report.schema), and this program reads 1", exitCode: 2) }
    if let wrong = report.results.first(where: { !$0.checked }) { throw Failure("\(path): \(wrong.key) has wrong results") }
    return report
  }
}
