// fio's reads against ours, in pairs.

internal import ArgumentParser
internal import Foundation
internal import Measuring

struct FioCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fio", abstract: "Prints reads per second of ours and of fio from pairs of reports: FIO OURS FIO OURS …")

  @Argument(help: "Reports of fio and of syslet-bench with the one workload read-direct.")
  var reports: [String]

  func validate() throws {
    guard reports.count >= 2, reports.count % 2 == 0 else { throw ValidationError("reports come in pairs: FIO OURS FIO OURS …") }
  }

  /// What is read of fio's JSON.
  private struct FioReport: Decodable {
    let jobs: [Job]

    struct Job: Decodable {
      let read: Read
    }

    struct Read: Decodable {
      let iops: Double
    }
  }

  func run() throws {
    var ours: [Double] = []
    var theirs: [Double] = []
    for pair in stride(from: 0, to: reports.count, by: 2) {
      theirs.append(try Self.readsPerSecond(reports[pair]))
      guard let result = try BenchReport.read(reports[pair + 1]).results.first(where: { $0.workload == "read-direct" }) else {
        throw Failure("\(reports[pair + 1]) has no row of read-direct", exitCode: 2)
      }
      ours.append(1e9 / result.median)
    }
    func show(_ name: String, _ values: [Double]) {
      let range = Estimate.range(of: values)
      Program.show("\(name): \(Text.fixed(range.median, 0)) reads per second (\(Text.fixed(range.low, 0))–\(Text.fixed(range.high, 0)))")
    }
    show("fio ", theirs)
    show("ours", ours)
    Program.show("ours / fio: \(Text.ratio(.bootstrap(zip(ours, theirs).map { $0 / $1 }))), 95 % interval of \(ours.count) pairs")
  }

  private static func readsPerSecond(_ path: String) throws -> Double {
    // fio may put notes in front of its JSON.
    guard let text = try? String(contentsOfFile: path, encoding: .utf8), let start = text.firstIndex(of: "{") else {
      throw Failure("\(path) is no report of fio", exitCode: 2)
    }
    do {
      let report = try JSONDecoder().decode(FioReport.self, from: Data(text[start...].utf8))
      guard let job = report.jobs.first, job.read.iops > 0 else { throw Failure("\(path): fio has read nothing") }
      return job.read.iops
    } catch let error as DecodingError {
      throw Failure("\(path) is no report of fio: \(error)", exitCode: 2)
    }
  }
}
