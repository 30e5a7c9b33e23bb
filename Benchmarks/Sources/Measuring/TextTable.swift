// Tables whose columns are aligned, for terminals.

/// A table that is printed row by row as the figures come; so the widths are given beforehand.
public struct TextTable {
  public struct Column {
    let title: String
    let width: Int
    let isNumeric: Bool

    public static func text(_ title: String, _ width: Int) -> Column { Column(title: title, width: width, isNumeric: false) }
    public static func number(_ title: String, _ width: Int) -> Column { Column(title: title, width: width, isNumeric: true) }
  }

  private let columns: [Column]

  public init(_ columns: [Column]) { self.columns = columns }

  public var heading: String { row(columns.map(\.title)) }

  public func row(_ cells: [String]) -> String {
    var line = ""
    for (cell, column) in zip(cells, columns) {
      let blanks = String(repeating: " ", count: max(0, column.width - cell.count))
      line += (line.isEmpty ? "" : "  ") + (column.isNumeric ? blanks + cell : cell + blanks)
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}

/// Numbers as people read them.
public enum Text {
  /// With `digits` behind the point.
  public static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return sign + "\(scaled)" }
    let fraction = "\(scaled % Int(scale))"
    return sign + "\(scaled / Int(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  /// Three digits that matter.
  public static func nanoseconds(_ value: Double) -> String {
    switch abs(value) {
    case ..<999.5: fixed(value, 0) + " ns"
    case ..<9_995: fixed(value / 1000, 2) + " µs"
    case ..<99_950: fixed(value / 1000, 1) + " µs"
    case ..<999_500: fixed(value / 1000, 0) + " µs"
    default: fixed(value / 1_000_000, 2) + " ms"
    }
  }

  public static func ratio(_ estimate: Estimate) -> String {
    "\(fixed(estimate.median, 3)) (\(fixed(estimate.low, 3))–\(fixed(estimate.high, 3)))"
  }
}
