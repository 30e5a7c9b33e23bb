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

  /// Whether it needs the tree of `--dir`.
  var usesTree: Bool {
    variants.contains {
      switch $0 {
      case .openReadClose, .statWalk: true
      default: false
      }
    }
  }
}

/// A workload that can be made.
enum WorkloadVariant: Sendable {
  case nop(atoms: Int)
  case arguments(ArgumentsWorkload.Form)
  case readCached
  case readDirect
  case mixedDirect
  case openReadClose(isExamining: Bool)
  case statWalk
  case logAppend
  case atomicReplace
  case copy
  case echo(connections: Int, over: EchoWorkload.Transport)
  case countLoop
  case cancel

  /// Prepares the workload's files and its syslets, `depth` of them. `Failure.skipped`: this machine cannot run it.
  func make(_ inputs: Inputs, depth: Int) throws(Failure) -> any Workload {
    switch self {
    case .nop(let atoms): return NopWorkload(atomCount: atoms, depth: depth)
    case .arguments(let form): return ArgumentsWorkload(form, depth: depth)
    case .readCached: return try ReadWorkload(cached: inputs, depth: depth)
    case .readDirect: return try ReadWorkload(direct: inputs, depth: depth)
    case .mixedDirect: return try MixedWorkload(inputs, depth: depth)
    case .openReadClose(let isExamining): return try OpenReadCloseWorkload(inputs, isExamining: isExamining, depth: depth)
    case .statWalk: return try StatWalkWorkload(inputs, depth: depth)
    case .logAppend: return try LogAppendWorkload(inputs, depth: depth)
    case .atomicReplace: return try AtomicReplaceWorkload(inputs, depth: depth)
    case .copy: return try CopyWorkload(inputs, depth: depth)
    case .echo(let connections, let transport):
      return try EchoWorkload(inputs, connections: connections, over: transport, depth: depth)
    case .countLoop: return CountLoopWorkload(depth: depth)
    case .cancel: return CancelWorkload(depth: depth)
    }
  }
}

enum WorkloadCatalog {
  static let all: [WorkloadDescription] = [
    WorkloadDescription(
      "nop", "1, 4 or 32 atoms that do nothing", on: "nothing", .nop(atoms: 1), .nop(atoms: 4), .nop(atoms: 32)),
    WorkloadDescription(
      "arguments", "31 × getppid with 6 arguments, umem_add", on: "arguments that are direct, behind pmap's pointers, or indirect",
      .arguments(.direct), .arguments(.pmap), .arguments(.indirect)),
    WorkloadDescription("read-cached", "pread64 of 4 KiB at random", on: "a file in the page cache", .readCached),
    WorkloadDescription(
      "read-direct", "pread64 of 4 KiB at random, O_DIRECT", on: "the same file, past the page cache", .readDirect),
    WorkloadDescription(
      "mixed-direct", "pread64 or, 3 in 10, pwrite64 of 4 KiB at random, O_DIRECT", on: "the same file, past the page cache",
      .mixedDirect),
    WorkloadDescription(
      "open-read-close", "openat, stop on negative → read → close", on: "every regular file of a real tree",
      .openReadClose(isExamining: false)),
    WorkloadDescription(
      "open-fstat-read-close", "openat, stop on negative → statx → read → close", on: "every regular file of the same tree",
      .openReadClose(isExamining: true)),
    WorkloadDescription("stat-walk", "statx", on: "every regular file of the same tree", .statWalk),
    WorkloadDescription(
      "log-append", "write → fdatasync, stop on negative", on: "a log per syslet in flight, in the scratch folder", .logAppend),
    WorkloadDescription(
      "atomic-replace", "openat(CREAT) → write → fsync → close → renameat, stop on negative",
      on: "a file per syslet in flight, in the scratch folder", .atomicReplace),
    WorkloadDescription(
      "copy", "loop: read → write of what was read, until 0", on: "a large file, to the scratch folder", .copy),
    WorkloadDescription(
      "echo", "recv, stop on non-positive → send", on: "messages of 64 B over 1 or 64 socket pairs, 200 TCP connections",
      .echo(connections: 1, over: .pairs), .echo(connections: 64, over: .pairs), .echo(connections: 200, over: .tcp)),
    WorkloadDescription(
      "count-loop", "loop: umem_add −1 until 0, umem_add +1", on: "two counters in memory, 100 turns", .countLoop),
    WorkloadDescription("cancel", "nanosleep, cancelled → umem_add", on: "sleeps of an hour", .cancel),
  ]

  static var names: [String] { all.map(\.name) }

  static func find(_ name: String) throws(Failure) -> WorkloadDescription {
    guard let found = all.first(where: { $0.name == name }) else {
      throw Failure.usage("there is no workload '\(name)'. The workloads are \(names.joined(separator: ", "))")
    }
    return found
  }
}
