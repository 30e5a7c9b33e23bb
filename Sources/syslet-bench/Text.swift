// Numbers and columns as people read them.

extension String {
  func padded(_ width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
  func leftPadded(_ width: Int) -> String { String(repeating: " ", count: Swift.max(0, width - count)) + self }

  func withoutTrailing(_ isUnwanted: (Character) -> Bool) -> String {
    var rest = self[...]
    while let last = rest.last, isUnwanted(last) { rest.removeLast() }
    return String(rest)
  }

  /// The parts between commas, without spaces around them; empty ones are left out.
  var commaSeparated: [String] {
    split(separator: ",").map { String($0.drop(while: \.isWhitespace)).withoutTrailing(\.isWhitespace) }.filter { !$0.isEmpty }
  }
}

enum Text {
  /// 1234567 as "1,234,567".
  static func grouped(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var text = value < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// `value` with `decimals` digits after the point.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return value.isNaN ? "–" : "∞" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int((value.magnitude * scale).rounded())
    let sign = value < 0 && scaled != 0 ? "-" : ""
    guard decimals > 0 else { return sign + grouped(scaled) }
    let fraction = String(scaled % Int(scale)).reversed()
    let padding = String(repeating: "0", count: decimals - fraction.count)
    return sign + grouped(scaled / Int(scale)) + "." + padding + String(fraction.reversed())
  }

  /// `value` with three significant digits, so that figures of any size take the same room.
  static func significant(_ value: Double) -> String {
    fixed(value, value.magnitude < 9.995 ? 2 : value.magnitude < 99.95 ? 1 : 0)
  }

  /// A unit of time in which `nanoseconds` is a short number.
  static func timeUnit(_ nanoseconds: Double) -> (name: String, nanoseconds: Double) {
    switch nanoseconds {
    case ..<999.5: ("ns", 1)
    case ..<999_500: ("µs", 1e3)
    case ..<999_500_000: ("ms", 1e6)
    default: ("s", 1e9)
    }
  }

  /// "1.87 µs".
  static func time(_ nanoseconds: Double) -> String {
    let unit = timeUnit(nanoseconds)
    return significant(nanoseconds / unit.nanoseconds) + " " + unit.name
  }

  /// "1.87 µs (1.80–1.99)", all in the median's unit.
  static func time(_ summary: Summary) -> String {
    let unit = timeUnit(summary.median)
    func number(_ value: Double) -> String { significant(value / unit.nanoseconds) }
    return "\(number(summary.median)) \(unit.name) (\(number(summary.min))–\(number(summary.max)))"
  }

  /// A count per syslet: "0", "0.031", "3.00", "1,024".
  static func perSyslet(_ value: Double) -> String {
    if value == 0 { return "0" }
    if value < 0.0005 { return "<.001" }
    return value < 0.995 ? fixed(value, 3) : significant(value)
  }

  /// "64 MiB", "61.2 MiB", "512 B".
  static func bytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit + 1 < units.count {
      value /= 1024
      unit += 1
    }
    return (value == value.rounded() ? fixed(value, 0) : significant(value)) + " " + units[unit]
  }
}
