// Findings as text for a terminal, as Markdown to be pasted into a document, and as JSON.

/// The form on standard output.
enum FindingForm {
  case text
  case markdown

  /// Where and how the figures were taken.
  func heading(_ header: Report) -> [String] {
    switch self {
    case .text: return TableReport.heading(header)
    case .markdown:
      let environment = header.environment
      return Self.wrapped(
        "Taken by `\(header.command)` on \(environment.kernel), \(environment.cpus) × \(environment.cpu), Swift \(environment.swift) "
          + "(\(environment.build)), io_uring \(environment.ioUringShort), scratch on \(environment.filesystem), \(header.started).",
        width: 130)
    }
  }

  func lines(_ finding: Finding) -> [String] {
    var lines = [""] + (self == .text ? [finding.title, finding.asked] : ["## \(finding.title)", "", "*Asked:* \(finding.asked)"])
    for table in finding.tables { lines += [""] + self.lines(table) }
    let words = finding.obstacle.map { ["This machine cannot answer it: \($0)"] } ?? finding.words
    switch self {
    case .text: lines += [""] + words.flatMap { Self.wrapped($0, width: 120) }
    case .markdown: for sentence in words { lines += [""] + Self.wrapped(sentence, width: 130) }
    }
    return lines
  }

  private func lines(_ table: FindingTable) -> [String] {
    switch self {
    case .text:
      let all = [table.columns] + table.rows
      let widths = table.columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
      return ["  " + table.caption]
        + all.map { row in
          let cells = row.enumerated().map { $0.offset == 0 ? $0.element.padded(widths[0]) : $0.element.leftPadded(widths[$0.offset]) }
          return ("  " + cells.joined(separator: "  ")).withoutTrailing { $0 == " " }
        }
    case .markdown:
      func line(_ cells: [String]) -> String {
        "| " + cells.map { $0.map { $0 == "|" ? "\\|" : String($0) }.joined() }.joined(separator: " | ") + " |"
      }
      let rule = table.columns.indices.map { $0 == 0 ? ":--" : "--:" }
      return [table.caption + ":", "", line(table.columns), line(rule)] + table.rows.map(line)
    }
  }

  /// `text` in lines of at most `width` characters, broken between words.
  static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? lines : lines + [line]
  }
}

enum FindingJSON {
  static func text(_ findings: [Finding], _ header: Report) -> String {
    JSON.object([
      ("schema", .integer(1)), ("command", .string(header.command)), ("started", .string(header.started)),
      ("environment", JSONReport.environment(header)),
      ("findings", .array(findings.map(value))),
    ]).text
  }

  private static func value(_ finding: Finding) -> JSON {
    .object([
      ("title", .string(finding.title)), ("asked", .string(finding.asked)), ("answer", .array(finding.words.map(JSON.string))),
      ("obstacle", finding.obstacle.map(JSON.string) ?? .null), ("figures", .array(finding.figures.map(value))),
    ])
  }

  private static func value(_ figure: Figure) -> JSON {
    .object([
      ("name", .string(figure.name)), ("unit", .string(figure.unit)), ("median", .number(figure.summary.median)),
      ("min", .number(figure.summary.min)), ("max", .number(figure.summary.max)),
    ])
  }
}
