// The head of an HTTP request: RFC 9112, and what of RFC 9110 a server of files needs.

import SystemPackage

/// How a request is answered.
enum Status: Error {
  case ok, partial, badRequest, forbidden, notFound, notAllowed, tooMuch, notSatisfiable, headTooLarge, failed, unavailable, otherVersion

  /// Its number and what that means.
  var line: String {
    switch self {
    case .ok: "200 OK\r\n"
    case .partial: "206 Partial Content\r\n"
    case .badRequest: "400 Bad Request\r\n"
    case .forbidden: "403 Forbidden\r\n"
    case .notFound: "404 Not Found\r\n"
    case .notAllowed: "405 Method Not Allowed\r\n"
    case .tooMuch: "413 Content Too Large\r\n"
    case .notSatisfiable: "416 Range Not Satisfiable\r\n"
    case .headTooLarge: "431 Request Header Fields Too Large\r\n"
    case .failed: "500 Internal Server Error\r\n"
    case .unavailable: "503 Service Unavailable\r\n"
    case .otherVersion: "505 HTTP Version Not Supported\r\n"
    }
  }
}

/// What a client asks for.
struct Request {
  var isHead = false
  /// Whether the connection is kept for another one.
  var isKept = true
  /// Below the root: never empty, and without a slash in front. It may have `..` in it, which the kernel judges.
  var path = FilePath(".")
  /// The first byte and the last one; without a first one, so many at the end.
  var range: (first: Int?, last: Int?)?

  /// - Parameter head: With the empty line at its end.
  init(_ head: borrowing Span<UInt8>) throws(Status) {
    guard let end = head.endOfLine(from: 0), let first = head.index(of: UInt8(ascii: " "), in: 0..<end),
      let second = head.index(of: UInt8(ascii: " "), in: first + 1..<end), head.isEqual(second + 1..<max(second + 1, end - 3), "http/"),
      (0..<first).allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(head[$0]) })
    else { throw .badRequest }
    let isLatest = head.isEqual(end - 3..<end, "1.1")
    guard isLatest || head.isEqual(end - 3..<end, "1.0") else { throw .otherVersion }
    isHead = head.isEqual(0..<first, "head")
    guard isHead || head.isEqual(0..<first, "get") else { throw .notAllowed }
    path = try Self.path(head, first + 1..<second)
    isKept = isLatest
    var (hosts, isConditional) = (0, false)
    var start = end + 2
    while let end = head.endOfLine(from: start), end > start {
      guard let colon = head.index(of: UInt8(ascii: ":"), in: start..<end), colon > start,
        (start..<colon).allSatisfy({ head[$0] > UInt8(ascii: " ") && head[$0] < 0x7F })
      else { throw .badRequest }
      let value = head.trimmed(colon + 1..<end)
      switch colon - start {
      case 4 where head.isEqual(start..<colon, "host"): hosts += 1
      case 5 where head.isEqual(start..<colon, "range"): range = Self.range(head, value)
      case 8 where head.isEqual(start..<colon, "if-range"): isConditional = true
      case 10 where head.isEqual(start..<colon, "connection"):
        if head.isEqual(value, "close") { isKept = false } else if head.isEqual(value, "keep-alive") { isKept = true }
      // What comes behind it would be taken for a request.
      case 14 where head.isEqual(start..<colon, "content-length"): if !head.isEqual(value, "0") { throw .tooMuch }
      case 17 where head.isEqual(start..<colon, "transfer-encoding"): throw .tooMuch
      default: break
      }
      start = end + 2
    }
    if isLatest ? hosts != 1 : hosts > 1 { throw .badRequest }
    // There are no validators that a condition could name.
    if isConditional || isHead { range = nil }
  }

  private static func path(_ head: borrowing Span<UInt8>, _ target: Range<Int>) throws(Status) -> FilePath {
    guard let first = target.first, head[first] == UInt8(ascii: "/") else { throw .badRequest }
    var (bytes, position) = ([UInt8](), first)
    while position < target.upperBound, head[position] != UInt8(ascii: "?") {
      var byte = head[position]
      if byte == UInt8(ascii: "%") {
        guard position + 2 < target.upperBound, let high = head.digit(position + 1), let low = head.digit(position + 2) else {
          throw .badRequest
        }
        (byte, position) = (high << 4 | low, position + 2)
      }
      if byte == 0 { throw .badRequest }
      if !bytes.isEmpty || byte != UInt8(ascii: "/") { bytes.append(byte) }
      position += 1
    }
    return bytes.isEmpty ? "." : FilePath(String(decoding: bytes, as: UTF8.self))
  }

  /// nil for what is no range of bytes, or more than one: all of it is sent then.
  private static func range(_ head: borrowing Span<UInt8>, _ value: Range<Int>) -> (first: Int?, last: Int?)? {
    guard value.count > 6, head.isEqual(value.prefix(6), "bytes="), let dash = head.index(of: UInt8(ascii: "-"), in: value.dropFirst(6))
    else { return nil }
    let (before, behind) = (value.lowerBound + 6..<dash, dash + 1..<value.upperBound)
    let (first, last) = (head.number(before), head.number(behind))
    guard first != nil || before.isEmpty, last != nil || behind.isEmpty, first != nil || last != nil else { return nil }
    if let first, let last, last < first { return nil }
    return (first, last)
  }
}
