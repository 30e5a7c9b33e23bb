// What the engine says it did for a row, and what the process allocated: the proof beside the time.

internal import SysletRing

/// Counts over some syslets.
struct Proof: Equatable {
  var enters = 0
  var sqes = 0
  var cqes = 0
  var segments = 0
  var softLinks = 0
  var hardLinks = 0
  var auxiliarySQEs = 0
  var resumed = 0
  var inlineCalls = 0
  var workerHops = 0
  var workerCalls = 0
  var refused = 0
  /// Heap allocations of the whole process; 0 where they cannot be counted.
  var allocations = 0

  init() {}

  init(_ statistics: Statistics, allocations: Int) {
    enters = statistics.enters
    sqes = statistics.sqes
    cqes = statistics.cqes
    segments = statistics.segments
    softLinks = statistics.softLinks
    hardLinks = statistics.hardLinks
    auxiliarySQEs = statistics.auxiliarySQEs
    resumed = statistics.resumed
    inlineCalls = statistics.inlineCalls
    workerHops = statistics.workerHops
    workerCalls = statistics.workerCalls
    refused = statistics.refused
    self.allocations = allocations
  }

  /// Every count with its name in the JSON, in the order in which it is written.
  static let fields: [(name: String, path: any WritableKeyPath<Proof, Int> & Sendable)] = [
    ("enters", \.enters), ("sqes", \.sqes), ("cqes", \.cqes), ("segments", \.segments), ("inline_calls", \.inlineCalls),
    ("worker_hops", \.workerHops), ("resumed", \.resumed), ("allocations", \.allocations), ("soft_links", \.softLinks),
    ("hard_links", \.hardLinks), ("worker_calls", \.workerCalls), ("auxiliary_sqes", \.auxiliarySQEs), ("refused", \.refused),
  ]

  mutating func add(_ later: Proof, since earlier: Proof) {
    for (_, path) in Self.fields { self[keyPath: path] += later[keyPath: path] - earlier[keyPath: path] }
  }
}
