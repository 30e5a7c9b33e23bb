// The workloads by name: the one list that run, list, explain and the error messages read.

/// One line of `syslet-bench list`, and the workloads behind it.
struct WorkloadDescription: Sendable {
  let name: String
  let syslet: String
  let on: String
  let variants: [WorkloadVariant]

  init(_ name: String, _ syslet: String, on: String, _ variants: WorkloadVariant...) {
    self.name = name
    self.syslet = syslet
    self.on = on
    self.variants = variants
  }
}

/// A workload that can be made.
enum WorkloadVariant: Sendable {
  case nop(atoms: Int)
  case readCached
  case readDirect
  case openReadClose
  case statWalk
  case logAppend
  case copy
  case countLoop

  /// Prepares the workload's files and its syslets, `depth` of them. `Failure.skipped`: this machine cannot run it.
  func make(_ inputs: Inputs, depth: Int) throws(Failure) -> any Workload {
    switch self {
    case .nop(let atoms): return NopWorkload(atomCount: atoms, depth: depth)
    case .readCached: return try ReadWorkload(cached: inputs, depth: depth)
    case .readDirect: return try ReadWorkload(direct: inputs, depth: depth)
    case .openReadClose: return try OpenReadCloseWorkload(inputs, depth: depth)
    case .statWalk: return try StatWalkWorkload(inputs, depth: depth)
    case .logAppend: return try LogAppendWorkload(inputs, depth: depth)
    case .copy: return try CopyWorkload(inputs, depth: depth)
    case .countLoop: return CountLoopWorkload(depth: depth)
    }
  }
}

enum WorkloadCatalog {
  static let all: [WorkloadDescription] = [
    WorkloadDescription(
      "nop", "1, 4 or 32 atoms that do nothing", on: "nothing", .nop(atoms: 1), .nop(atoms: 4), .nop(atoms: 32)),
    WorkloadDescription("read-cached", "pread64 of 4 KiB at random", on: "a file in the page cache", .readCached),
    WorkloadDescription(
      "read-direct", "pread64 of 4 KiB at random, O_DIRECT", on: "the same file, past the page cache", .readDirect),
    WorkloadDescription(
      "open-read-close", "openat, stop on negative → read → close", on: "every regular file of a real tree", .openReadClose),
    WorkloadDescription("stat-walk", "statx", on: "every regular file of the same tree", .statWalk),
    WorkloadDescription(
      "log-append", "write → fdatasync, stop on negative", on: "a log per syslet in flight, in the scratch folder", .logAppend),
    WorkloadDescription(
      "copy", "loop: read → write of what was read, until 0", on: "a large file, to the scratch folder", .copy),
    WorkloadDescription(
      "count-loop", "loop: umem_add −1 until 0, umem_add +1", on: "two counters in memory, 100 turns", .countLoop),
  ]

  static var names: [String] { all.map(\.name) }

  static func find(_ name: String) throws(Failure) -> WorkloadDescription {
    guard let found = all.first(where: { $0.name == name }) else {
      throw Failure.usage("there is no workload '\(name)'. The workloads are \(names.joined(separator: ", "))")
    }
    return found
  }
}
