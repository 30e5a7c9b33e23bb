// The report as Markdown: a table per workload.

enum MarkdownReport {
  static func text(_ report: Report) -> String {
    var lines = ["# syslet-bench", ""]
    lines += TableReport.heading(report).map { $0 + "  " }
    lines.append("Started \(report.started): `\(report.command)`")
    let baseline = report.baseline
    let columns = TableLine.columns(baseline: baseline)
    for group in report.groups {
      guard let first = group.first else { continue }
      let name = [first.workload, first.variant].filter { !$0.isEmpty }.joined(separator: " ")
      lines += ["", "## \(name)", "", escaped(report.subject(of: first)), ""]
      lines.append(line(columns.map(\.title)))
      lines.append(line(columns.map { $0.isLeft ? ":--" : "--:" }))
      lines += group.map { line(TableLine($0, in: report, baseline: baseline).cells) + ($0.isChecked ? "" : " **wrong**") }
    }
    lines += TableReport.footing(report).map { $0 + ($0.isEmpty ? "" : "  ") }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ cells: [String]) -> String { "| " + cells.map(escaped).joined(separator: " | ") + " |" }

  private static func escaped(_ text: String) -> String {
    text.map { $0 == "|" ? "\\|" : String($0) }.joined()
  }
}
