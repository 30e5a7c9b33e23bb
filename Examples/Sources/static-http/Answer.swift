// What is in front of a file's bytes, and answers without a file.

import SystemPackage

extension Connection {
  /// - Parameter fields: With CR and LF behind each.
  static func head(_ status: Status, _ fields: String..., type: String, count: Int, isKept: Bool) -> [UInt8] {
    var head: [UInt8] = []
    head.reserveCapacity(256)
    // Piece by piece: an interpolation makes strings of strings.
    func append(_ texts: String...) { for text in texts { head.append(contentsOf: text.utf8) } }
    append("HTTP/1.1 ", status.line)
    for field in fields { head.append(contentsOf: field.utf8) }
    append("Content-Type: ", type, "\r\nContent-Length: ", String(count), "\r\nConnection: ", isKept ? "keep-alive" : "close", "\r\n\r\n")
    return head
  }

  /// False where the connection has come to its end.
  func refuse(_ status: Status, _ fields: String = "", isHead: Bool = false, isKept: Bool) async -> Bool {
    let text = status.line
    let fields = status == .notAllowed ? "Allow: GET, HEAD\r\n" : fields
    let head = Self.head(status, fields, type: "text/plain", count: text.utf8.count, isKept: isKept)
    let bytes = isHead ? head : head + Array(text.utf8)
    return await send(bytes.span)
  }

  /// Those of a file of `size` bytes that were asked for; nil if it has none of them.
  static func bytes(_ range: (first: Int?, last: Int?), of size: Int) -> Range<Int>? {
    let first = range.first ?? max(0, size - (range.last ?? 0))
    guard first < size else { return nil }
    return first..<(range.first == nil ? size : min(range.last ?? size, size - 1) + 1)
  }
}

extension FilePath {
  /// By its name alone.
  var contentType: String {
    switch self.extension {
    case "html", "htm": "text/html; charset=utf-8"
    case "txt", "md": "text/plain; charset=utf-8"
    case "css": "text/css"
    case "js": "text/javascript"
    case "json": "application/json"
    case "svg": "image/svg+xml"
    case "png": "image/png"
    case "jpg", "jpeg": "image/jpeg"
    case "webp": "image/webp"
    case "pdf": "application/pdf"
    case "wasm": "application/wasm"
    default: "application/octet-stream"
    }
  }
}
