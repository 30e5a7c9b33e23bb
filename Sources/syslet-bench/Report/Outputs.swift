// The files that a run writes besides its table.

internal import Glibc

struct Outputs {
  var json: String?
  var csv: String?
  var markdown: String?

  private var named: [(option: String, path: String)] {
    [("--json", json), ("--csv", csv), ("--markdown", markdown)].compactMap { option, path in path.map { (option, $0) } }
  }

  /// Finds out before the measurement, not after it, that a file cannot be written. Changes nothing.
  func check() throws(Failure) {
    for (option, path) in named {
      let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
      let isThere = unsafe access(path, F_OK) == 0
      guard unsafe access(isThere ? path : folder, W_OK) == 0, !path.isEmpty else {
        throw Failure.usage("\(option) \(path) cannot be written: \(Errno.meaning(path.isEmpty ? ENOENT : errno))")
      }
      var status = stat()
      if isThere, unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
        throw Failure.usage("\(option) \(path) cannot be written: \(Errno.meaning(EISDIR))")
      }
    }
  }

  func write(_ report: Report) throws(Failure) {
    if let json { try Self.write(JSONReport.text(report), to: json) }
    if let csv { try Self.write(CSVReport.text(report), to: csv) }
    if let markdown { try Self.write(MarkdownReport.text(report), to: markdown) }
  }

  static func write(_ text: String, to path: String) throws(Failure) {
    guard let file = Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644) else {
      throw Failure.machine("\(path) cannot be written: \(Errno.meaning(errno))")
    }
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let wrote = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(file.number, $0.baseAddress! + done, bytes.count - done) }
      guard wrote > 0 else { throw Failure.machine("\(path) cannot be written: \(Errno.meaning(errno))") }
      done += wrote
    }
  }
}
