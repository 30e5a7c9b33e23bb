// The commit that the program was built from, as far as its repository can be found.

/// Read from git's files, because git itself may be missing where the program runs.
enum Commit {
  /// Of the repository in which the program lies; "unknown" outside of one. A change that is not committed does not show.
  static func current() -> String {
    guard var folder = resolvedPath("/proc/self/exe") else { return "unknown" }
    while let slash = folder.lastIndex(of: "/") {
      folder = String(folder[..<slash])
      if let commit = head(of: folder + "/.git") { return commit }
    }
    return "unknown"
  }

  /// What HEAD of the repository `git` is; nil if there is none.
  static func head(of git: String) -> String? {
    guard let head = textOfFile(git + "/HEAD")?.firstLine else { return nil }
    guard head.hasPrefix("ref: ") else { return head }
    let reference = head.dropFirst(5)
    if let commit = textOfFile(git + "/" + reference)?.firstLine { return commit }
    for line in (textOfFile(git + "/packed-refs") ?? "").split(separator: "\n") where line.hasSuffix(" " + reference) {
      return String(line.prefix { $0 != " " })
    }
    return nil
  }
}

extension String {
  fileprivate var firstLine: String? { split(separator: "\n").first.map(String.init) }
}
