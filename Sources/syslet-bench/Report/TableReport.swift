// The report for a terminal, 120 columns wide, written as the measurement goes on.

internal import SysletRing

enum TableReport {
  static func heading(_ report: Report) -> [String] {
    let environment = report.environment
    return [
      "syslet-bench: \(environment.kernel), \(environment.cpus) × \(environment.cpu)",
      "Swift \(environment.swift) (\(environment.build)), liburing \(environment.liburing), io_uring \(environment.ioUringShort), "
        + "scratch on \(environment.filesystem)" + (report.isQuick ? "; quick: smaller files, shorter repeats" : ""),
    ]
  }

  /// The rows of one workload and variant.
  static func group(_ rows: [Row], in report: Report) -> [String] {
    guard let first = rows.first else { return [] }
    let baseline = report.baseline
    let columns = TableLine.columns(baseline: baseline)
    let name = [first.workload, first.variant].filter { !$0.isEmpty }.joined(separator: " ")
    var lines = ["", "\(name): \(report.subject(of: first))", line(columns.map(\.title), columns)]
    var depth = first.depth
    for row in rows {
      if row.depth != depth { lines.append("") }
      depth = row.depth
      lines.append(line(TableLine(row, in: report, baseline: baseline).cells, columns) + (row.isChecked ? "" : "  WRONG"))
    }
    return lines
  }

  static func footing(_ report: Report) -> [String] {
    var lines: [String] = [""]
    for skip in report.skips { lines.append("\(skip.name) was skipped: \(skip.reason)") }
    guard !report.rows.isEmpty else { return report.skips.isEmpty ? [] : lines }
    let wrong = report.rows.filter { !$0.isChecked }.count
    let total = Text.grouped(report.rows.reduce(0) { $0 + $1.syslets })
    lines.append(
      wrong == 0
        ? "The results of all \(total) syslets were verified." : "\(wrong) of \(report.rows.count) rows have WRONG results.")
    lines += [
      "per syslet: median of the repeats. p50, p99: latency of one syslet. CPU: of the whole process, workers included.",
      "Per syslet: enters of the kernel for the ring, SQEs, links between them, calls on the caller's thread, hops to a worker.",
    ]
    if let baseline = report.baseline {
      lines.append("× \(baseline.rawValue): times as fast, median of paired repeats and its 95 % interval; above 1 is faster.")
    }
    return lines
  }

  private static func line(_ cells: [String], _ columns: [(title: String, width: Int, isLeft: Bool)]) -> String {
    let padded = zip(cells, columns).map { cell, column in
      column.isLeft ? cell.padded(column.width) : cell.leftPadded(column.width)
    }
    return padded.joined(separator: "  ").withoutTrailing { $0 == " " }
  }
}
