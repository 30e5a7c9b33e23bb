// Which filesystem a path is on.

enum Mounts {
  /// Its type, such as "ext4"; "unknown" where /proc does not say.
  static func filesystem(of path: String) -> String {
    filesystem(of: resolvedPath(path) ?? path, mounts: textOfFile("/proc/self/mounts") ?? "")
  }

  /// The type of the mount with the longest point that contains `path`; of several at one point, the last one hides the others.
  static func filesystem(of path: String, mounts: String) -> String {
    var best = (length: -1, type: "unknown")
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 2 else { continue }
      let point = fields[1] == "/" ? "" : fields[1]
      let contains = path == point || path.hasPrefix(point + "/")
      if contains, point.count >= best.length { best = (point.count, String(fields[2])) }
    }
    return best.type
  }
}
