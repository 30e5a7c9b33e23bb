// What a measurement that answers a question found out: figures, tables of them, and words, independent of how they are written.

/// A question and its answer, or why there is none.
struct Finding {
  let title: String
  /// What was asked, in one line.
  let asked: String
  var tables: [FindingTable] = []
  /// The answer. The sentences are made from the figures, so that they cannot contradict them.
  var words: [String] = []
  var figures: [Figure] = []
  /// Why this machine cannot answer; nil if it can.
  var obstacle: String?

  init(_ title: String, asked: String) {
    self.title = title
    self.asked = asked
  }
}

struct FindingTable {
  let caption: String
  let columns: [String]
  var rows: [[String]] = []

  init(_ caption: String, _ columns: [String]) {
    self.caption = caption
    self.columns = columns
  }

  mutating func add(_ cells: String...) { rows.append(cells) }
}

/// A number with its spread over the repeats; what the JSON carries.
struct Figure {
  let name: String
  let unit: String
  let summary: Summary

  init(_ name: String, _ unit: String, _ summary: Summary) {
    self.name = name
    self.unit = unit
    self.summary = summary
  }
}

extension Text {
  /// "1.23 (1.20–1.31)".
  static func spread(_ summary: Summary) -> String {
    "\(significant(summary.median)) (\(significant(summary.min))–\(significant(summary.max)))"
  }

  /// A share in percent, with as many digits as it needs to be told from nothing.
  static func percent(_ share: Double) -> String {
    let percent = share * 100
    return (percent.magnitude < 0.1 ? fixed(percent, 4) : percent.magnitude < 1 ? fixed(percent, 3) : significant(percent)) + " %"
  }
}
