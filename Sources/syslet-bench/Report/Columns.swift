// The columns of the tables for people: the same on the terminal and in Markdown.

internal import SysletRing

/// A row of a table as text.
struct TableLine {
  let cells: [String]

  /// Titles and widths. Together they fill 120 columns of a terminal.
  static func columns(baseline: Backend?) -> [(title: String, width: Int, isLeft: Bool)] {
    [
      ("depth", 5, false), ("backend", 9, true), ("per syslet (min–max)", 20, false), ("p50", 7, false), ("p99", 7, false),
      ("CPU", 7, false), ("enters", 6, false), ("SQEs", 5, false), ("links", 5, false), ("inline", 6, false), ("hops", 5, false),
      (baseline.map { "× \($0.rawValue) (95 %)" } ?? "", 16, false),
    ]
  }

  init(_ row: Row, in report: Report, baseline: Backend?) {
    let ratio = baseline.flatMap { report.ratio(of: row, to: $0) }
    let comparison =
      ratio.map { "\(Text.significant($0.median)) (\(Text.significant($0.low))–\(Text.significant($0.high)))" }
      ?? (row.backend == baseline ? "1" : "")
    cells =
      [
        "\(row.depth)", row.backend.rawValue, Text.time(row.time), Text.time(Double(row.latency.p50)),
        Text.time(Double(row.latency.p99)), Text.time(row.cpuPerSyslet), Text.perSyslet(row.perSyslet(\.enters)),
        Text.perSyslet(row.perSyslet(\.sqes)), Text.perSyslet(row.perSyslet(\.softLinks) + row.perSyslet(\.hardLinks)),
        Text.perSyslet(row.perSyslet(\.inlineCalls)), Text.perSyslet(row.perSyslet(\.workerHops)), comparison,
      ]
  }
}
