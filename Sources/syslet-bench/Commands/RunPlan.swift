// What a run is to do: the checked form of its command line. Pure, so that tests need no command line.

internal import SysletRing

typealias Backend = SysletEngine.Backend

struct RunPlan {
  /// Long enough for a ratio whose spread is below its size, short enough for all workloads in under 30 seconds on two slow
  /// processors.
  static let quickSeconds = 0.1

  var workloads = WorkloadCatalog.all
  /// In the order of the rows, and of the turns within a repeat.
  private(set) var backends: [Backend] = [.ring, .threads, .inline, .automatic]
  /// The user named the backends: one that is missing then ends the run instead of being left out.
  private(set) var isBackendExplicit = false
  var depths = [1, 32]
  var seconds = 1.0
  var repeats = 5
  var tree: String?
  var scratch: String?
  var seed: UInt64 = 2007
  var outputs = Outputs()
  let isQuick: Bool

  init(isQuick: Bool) {
    self.isQuick = isQuick
    if isQuick { seconds = Self.quickSeconds }
  }

  var scale: Scale { isQuick ? .quick : .full }

  mutating func choose(backends: [Backend]) {
    self.backends = backends
    isBackendExplicit = true
  }

  mutating func drop(_ backend: Backend) { backends.removeAll { $0 == backend } }

  // MARK: names and numbers

  static func workloads(named names: [String]) throws(Failure) -> [WorkloadDescription] {
    if names.isEmpty { return WorkloadCatalog.all }
    var found: [WorkloadDescription] = []
    for name in names where !found.contains(where: { $0.name == name }) { found.append(try WorkloadCatalog.find(name)) }
    return found
  }

  static func backend(named name: String) throws(Failure) -> Backend {
    guard let backend = Backend(rawValue: name) else {
      let known = Backend.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure.usage("there is no backend '\(name)'. The backends are \(known)")
    }
    return backend
  }

  static func backends(named list: String) throws(Failure) -> [Backend] {
    var found: [Backend] = []
    for name in list.commaSeparated {
      let backend = try backend(named: name)
      if !found.contains(backend) { found.append(backend) }
    }
    if found.isEmpty { throw Failure.usage("--backend names no backend") }
    return found
  }

  /// Beyond this, completions would not fit the completion queue at once.
  static let depthMax = 4096

  static func depths(_ list: String) throws(Failure) -> [Int] {
    var found: [Int] = []
    for text in list.commaSeparated {
      guard let depth = Int(text), (1...depthMax).contains(depth) else {
        throw Failure.usage("--depth has '\(text)', and a depth is a whole number from 1 to \(depthMax)")
      }
      if !found.contains(depth) { found.append(depth) }
    }
    if found.isEmpty { throw Failure.usage("--depth names no depth") }
    return found
  }

  static func checked(seconds: Double) throws(Failure) -> Double {
    guard seconds > 0, seconds <= 3600 else {
      throw Failure.usage("--seconds is \(seconds), and it must be above 0 and at most 3600")
    }
    return seconds
  }

  static func checked(repeats: Int) throws(Failure) -> Int {
    guard (1...1000).contains(repeats) else {
      throw Failure.usage("--repeats is \(repeats), and it must be from 1 to 1000")
    }
    return repeats
  }
}

/// How much data the workloads work on.
struct Scale {
  /// The file of the read workloads; a power of two.
  let readFileBytes: Int
  /// The file that is copied.
  let copyFileBytes: Int
  /// A tree is cut off after this many files.
  let treeFilesMax: Int

  static let full = Scale(readFileBytes: 256 << 20, copyFileBytes: 16 << 20, treeFilesMax: 200_000)
  static let quick = Scale(readFileBytes: 64 << 20, copyFileBytes: 1 << 20, treeFilesMax: 20_000)
  static let miniature = Scale(readFileBytes: 64 << 10, copyFileBytes: 128 << 10, treeFilesMax: 100)
}
