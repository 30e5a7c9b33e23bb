// Standard error: complaints, notices, and a progress line where somebody watches. Standard output carries the figures alone.

internal import Glibc

enum Console {
  static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while unsafe !rest.isEmpty {
        let written = unsafe Glibc.write(STDERR_FILENO, rest.baseAddress, rest.count)
        // A stderr that cannot be written to leaves nobody to tell.
        guard written > 0 else { return }
        unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
      }
    }
  }

  static func complain(_ text: String) { write("syslet-bench: \(text)\n") }
}

/// One line on a terminal's stderr that says what is being measured; nothing in a pipe or a file.
struct Progress {
  private let isShown: Bool
  private let total: Int
  private var done = 0

  init(total: Int, isShown: Bool = isatty(STDERR_FILENO) == 1) {
    self.total = total
    self.isShown = isShown
  }

  mutating func begin(_ text: String) {
    done += 1
    show("[\(done)/\(total)] \(text)")
  }

  func show(_ text: String) {
    // Erase the line first: the text before may have been longer.
    if isShown { Console.write("\r\u{1B}[2K\(text)") }
  }

  func clear() {
    if isShown { Console.write("\r\u{1B}[2K") }
  }
}
