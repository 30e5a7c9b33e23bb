// The tree that is used when none is named: something real that every machine has.

internal import Glibc

enum SystemTree {
  /// A smaller tree says little about opening files.
  private static let filesMin = 1000

  /// The first candidate of a decent size, or else the largest.
  static func walk(filesMax: Int) throws(Failure) -> (root: String, walk: TreeWalk) {
    var largest: (root: String, walk: TreeWalk)?
    for root in candidates() {
      try Interrupt.check()
      guard let walk = try? TreeWalk(root, filesMax: filesMax) else { continue }
      if walk.paths.count >= filesMin { return (root, walk) }
      if walk.paths.count > largest?.walk.paths.count ?? 0 { largest = (root, walk) }
    }
    guard let largest else {
      throw Failure.machine("this machine has neither system headers nor a toolchain to read: name a tree with --dir")
    }
    return largest
  }

  /// The system's headers, the toolchain that runs this program, the one in $PATH, and what every Unix has.
  static func candidates() -> [String] {
    ["/usr/include"] + loadedRuntime() + toolchainInPath() + ["/usr/share", "/usr/lib"]
  }

  /// The folder of the Swift libraries in this process (`…/lib/swift/linux/libswiftCore.so` is in `…/lib/swift`).
  private static func loadedRuntime() -> [String] {
    guard let maps = textOfFile("/proc/self/maps") else { return [] }
    for line in maps.split(separator: "\n") where line.hasSuffix("/libswiftCore.so") {
      guard let start = line.firstIndex(of: "/") else { continue }
      return [line[start...].split(separator: "/").dropLast(2).map { "/" + $0 }.joined()]
    }
    return []
  }

  private static func toolchainInPath() -> [String] {
    for folder in (environmentVariable("PATH") ?? "").split(separator: ":") {
      guard let compiler = resolvedPath(folder + "/swiftc") else { continue }
      let toolchain = compiler.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
      return [toolchain + "/include", toolchain + "/lib/swift"]
    }
    return []
  }
}
