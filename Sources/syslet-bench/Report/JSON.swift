// Just enough JSON: values in the order in which they are given, so that two reports can be compared line by line.

enum JSON {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([(String, JSON)])

  /// Indented by two spaces; arrays and objects of plain values stay on one line.
  var text: String {
    var text = ""
    write(to: &text, indent: 0)
    return text + "\n"
  }

  private var isPlain: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private func write(to text: inout String, indent: Int) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += Self.number(value)
    case .string(let value): text += Self.quoted(value)
    case .array(let values):
      Self.write("[", "]", values.map { (nil, $0) }, to: &text, indent: indent)
    case .object(let members):
      Self.write("{", "}", members.map { (Self.quoted($0.0) + ": ", $0.1) }, to: &text, indent: indent)
    }
  }

  private static func write(
    _ open: String, _ close: String, _ members: [(key: String?, value: JSON)], to text: inout String, indent: Int
  ) {
    let isOneLine = members.allSatisfy(\.value.isPlain)
    text += open
    for (index, member) in members.enumerated() {
      if index > 0 { text += isOneLine ? ", " : "," }
      if !isOneLine { text += "\n" + String(repeating: " ", count: indent + 2) }
      text += member.key ?? ""
      member.value.write(to: &text, indent: indent + 2)
    }
    if !isOneLine { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }

  /// At most three decimals: more would claim a precision that no measurement here has. JSON has no infinity.
  private static func number(_ value: Double) -> String {
    guard value.isFinite else { return "null" }
    guard value.magnitude < 1e12 else { return "\(value)" }
    let rounded = (value * 1000).rounded() / 1000
    // Small counts per syslet (one enter for thousands) keep their digits.
    return value.magnitude > 0 && value.magnitude < 0.1 ? "\(Double(Float(value)))" : "\(rounded)"
  }

  private static func quoted(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        text += "\\u" + String(scalar.value, radix: 16).leftPadded(4).map { $0 == " " ? "0" : String($0) }.joined()
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
