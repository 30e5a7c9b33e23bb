// The report in each of its forms.

import Foundation
import SysletRing
import Testing

@testable import syslet_bench

@Suite struct ReportTests {
  private let rows = [
    row(.ring, nanoseconds: [100, 110, 105]), row(.threads, nanoseconds: [210, 220, 200]),
    row(.ring, depth: 32, nanoseconds: [10, 11, 12]),
  ]

  private func parsed(_ report: Report) throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(JSONReport.text(report).utf8))
    return try #require(object as? [String: Any])
  }

  @Test("JSON has the fields of schema 1")
  func schema() throws {
    let json = try parsed(report(rows))
    #expect(json["schema"] as? Int == 1)
    #expect(json["command"] is String)
    #expect(json["started"] is String)
    let environment = try #require(json["environment"] as? [String: Any])
    for key in ["kernel", "cpu", "swift", "liburing", "filesystem", "io_uring", "commit"] { #expect(environment[key] is String) }
    #expect(environment["cpus"] is Int)

    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results.count == rows.count)
    for result in results {
      for key in ["workload", "variant", "backend"] { #expect(result[key] is String, "\(key)") }
      for key in ["depth", "atoms", "bytes"] { #expect(result[key] is Int, "\(key)") }
      #expect((result["repeats_ns_per_syslet"] as? [Double])?.count == 3)
      let time = try #require(result["ns_per_syslet"] as? [String: Double])
      #expect(Set(time.keys) == ["median", "min", "max"])
      #expect(result["cpu_ns_per_syslet"] is Double)
      let latency = try #require(result["latency_ns"] as? [String: Int])
      #expect(Set(latency.keys) == ["p50", "p90", "p99", "p999", "max"])
      let counts = try #require(result["per_syslet"] as? [String: Any])
      for key in [
        "enters", "sqes", "cqes", "segments", "inline_calls", "worker_hops", "resumed", "allocations", "soft_links", "hard_links",
        "worker_calls",
      ] {
        #expect(counts[key] != nil, "\(key)")
      }
      #expect(result["checked"] as? Bool == true)
    }

    let ratios = try #require(json["ratios"] as? [[String: Any]])
    #expect(!ratios.isEmpty)
    for ratio in ratios {
      for key in ["workload", "variant", "backend", "to"] { #expect(ratio[key] is String, "\(key)") }
      #expect(ratio["depth"] is Int)
      for key in ["median", "low", "high"] { #expect(ratio[key] is Double, "\(key)") }
    }
  }

  @Test("A wrong result is `checked` false, with the problem")
  func wrongResult() throws {
    let json = try parsed(report([row(.inline, nanoseconds: [1], problem: "a \"bad\"\nthing")]))
    let results = try #require(json["results"] as? [[String: Any]])
    #expect(results[0]["checked"] as? Bool == false)
    #expect(results[0]["problem"] as? String == "a \"bad\"\nthing")
  }

  @Test("JSON text survives a parser, whatever is in it")
  func jsonText() throws {
    let strings = ["", "\"", "\\", "\n\t\u{01}\u{1F}", "µs – × é", "/"]
    let json = JSON.object([
      ("strings", .array(strings.map(JSON.string))), ("nothing", .null), ("small", .number(0.03125)), ("big", .number(1e15)),
      ("infinite", .number(.infinity)), ("empty", .array([])), ("nested", .object([("a", .array([.object([]), .bool(true)]))])),
    ])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
    #expect(object["strings"] as? [String] == strings)
    #expect(object["small"] as? Double == 0.03125)
    #expect(object["big"] as? Double == 1e15)
    #expect(object["infinite"] is NSNull)
    #expect((object["empty"] as? [Any])?.isEmpty == true)
  }

  @Test("The table's lines fit 120 columns and name every backend")
  func table() {
    let wide = [
      row(.automatic, workload: "open-read-close", variant: "", depth: 4096, nanoseconds: [99_949, 99_940, 9_949_940]),
      row(.threads, workload: "open-read-close", variant: "", depth: 4096, nanoseconds: [99_949, 9_940, 9_949_940]),
    ]
    let report = report(wide)
    let lines = TableReport.group(wide, in: report)
    for line in lines { #expect(line.count <= 120, "\(line.count): \(line)") }
    #expect(lines.contains { $0.contains("automatic") })
    #expect(lines.contains { $0.contains("threads") })
    #expect(lines[1] == "open-read-close: something real")
    for line in TableReport.footing(report) { #expect(line.count <= 120, "\(line.count): \(line)") }
  }

  @Test("The table compares with threads, and with another backend where threads did not run")
  func baseline() {
    #expect(report(rows).baseline == .threads)
    #expect(report([row(.ring, nanoseconds: [1]), row(.inline, nanoseconds: [1])]).baseline == .inline)
    #expect(report([row(.ring, nanoseconds: [1])]).baseline == nil)
    #expect(report([]).baseline == nil)
  }

  @Test("CSV has as many fields in each line as in its header")
  func csv() {
    let lines = CSVReport.text(report(rows)).split(separator: "\r\n")
    #expect(lines.count == rows.count + 1)
    let widths = Set(lines.map { $0.split(separator: ",", omittingEmptySubsequences: false).count })
    #expect(widths.count == 1)
    #expect(CSVReport.field("a,\"b\"") == "\"a,\"\"b\"\"\"")
    #expect(CSVReport.field("plain") == "plain")
  }

  @Test("Markdown has a table per workload")
  func markdown() {
    let text = MarkdownReport.text(report(rows + [row(.ring, workload: "copy", variant: "1 MiB", nanoseconds: [1])]))
    #expect(text.contains("## nop 1"))
    #expect(text.contains("## copy 1 MiB"))
    #expect(text.contains("| 32 | ring |"))
  }

  @Test("What was skipped is told in the table and in the JSON")
  func skipped() throws {
    var report = report(rows)
    report.skips = [Skip(workload: "read-direct", reason: "no O_DIRECT here")]
    #expect(TableReport.footing(report).contains { $0.contains("no O_DIRECT here") })
    let skipped = try #require(try parsed(report)["skipped"] as? [[String: String]])
    #expect(skipped == [["workload": "read-direct", "reason": "no O_DIRECT here"]])
  }

  @Test("The start is ISO 8601")
  func started() { #expect(Environment.now().wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil) }
}
