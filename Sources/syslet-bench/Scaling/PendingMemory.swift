// What a syslet costs in memory while it is pending: many of them wait at once, and the process is weighed at each step.

internal import CSysletBench
internal import Glibc
internal import SysletRing

enum PendingMemory {
  /// Bytes of the library's for one pending syslet.
  static let goal = 512
  private static let completionEntriesMax = 65_536
  private static let entries = 4096

  enum Kind: String {
    case sleep = "sleeps of an hour"
    case receive = "receives on socket pairs"
  }

  /// The process and the kernel after each step.
  struct Weights {
    /// The program's own atoms, buffers and sockets are there and touched.
    let before: MemoryUse
    /// The engine is made, with room for all.
    let made: MemoryUse
    /// All syslets are accepted, nothing is submitted.
    let accepted: MemoryUse
    /// All are pending: as many as may be are with the kernel.
    let pending: MemoryUse
    /// All have completed, and no completion has been taken.
    let completed: MemoryUse
    /// Syslets that are with the kernel while all are pending.
    let withKernel: Int
  }

  static func measure(_ kind: Kind, count: Int) throws(Failure) -> Finding {
    // Otherwise the second measurement would find the first one's memory still resident.
    syslet_bench_keep_no_free_memory()
    let crowd: any Crowd = kind == .sleep ? Sleepers() : try Receivers(count: count)
    var options = SysletEngine.Options()
    options.backend = .ring
    options.maxPending = count
    options.entries = entries
    options.completionEntries = max(entries, min(completionEntriesMax, count))
    let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 4096)
    defer { unsafe completions.deallocate() }
    unsafe completions.withMemoryRebound(to: UInt8.self) { unsafe $0.update(repeating: 0) }
    let weights = try unsafe weigh(crowd, count, options, completions)
    return report(kind, count, weights, completionEntries: options.completionEntries, crowd: crowd.description)
  }

  private static func weigh(
    _ crowd: any Crowd, _ count: Int, _ options: SysletEngine.Options, _ completions: UnsafeMutableBufferPointer<Completion>
  ) throws(Failure) -> Weights {
    let before = try MemoryUse.current()
    let engine = try EngineMaker.make(options)
    // Also when something goes wrong: what is pending names the crowd's memory (L4).
    defer { EngineMaker.close(engine) }
    let made = try MemoryUse.current()
    for index in 0..<count { try asking { () throws(EngineError) in try unsafe engine.enqueue(crowd.head(index)) } }
    let accepted = try MemoryUse.current()
    try asking { () throws(EngineError) in try engine.flush() }
    let pending = try MemoryUse.current()
    let withKernel = engine.statistics.sqes - engine.statistics.cqes
    guard engine.pending == count else { throw Failure.wrongResult("\(engine.pending) of \(count) syslets are pending") }

    try asking { () throws(EngineError) in try crowd.end(on: engine) }
    let visible = try asking { () throws(EngineError) in try engine.wait(atLeast: count, timeout: patience) }
    guard visible == count else { throw Failure.wrongResult("\(visible) of \(count) syslets have completed") }
    let completed = try MemoryUse.current()
    var taken = 0
    while taken < count {
      let got = try asking { () throws(EngineError) in try unsafe engine.wait(into: completions) }
      guard got > 0 else { throw Failure.wrongResult("\(taken) of \(count) completions came") }
      for index in 0..<got {
        let completion = unsafe completions[index]
        guard crowd.isRight(completion) else { throw Failure.wrongResult("a syslet \(completion.account)") }
      }
      taken += got
    }
    return Weights(before: before, made: made, accepted: accepted, pending: pending, completed: completed, withKernel: withKernel)
  }

  private static let patience = Duration.seconds(120)

  private static func asking<Answer>(_ body: () throws(EngineError) -> Answer) throws(Failure) -> Answer {
    do throws(EngineError) { return try body() } catch { throw Failure(error) }
  }

  static func report(_ kind: Kind, _ count: Int, _ weights: Weights, completionEntries: Int, crowd: String) -> Finding {
    var finding = Finding(
      "Memory per pending syslet: \(kind.rawValue)",
      asked: "What do \(Text.grouped(count)) syslets that are pending at once cost beside the program's own atoms and buffers? (\(crowd))")
    let (n, inKernel) = (Double(count), Double(max(weights.withKernel, 1)))
    var table = FindingTable(
      "growth since the program's own memory was there and touched",
      ["step", "resident", "B per syslet", "kernel slabs and stacks, about", "B per syslet with the kernel"])
    func grown(_ use: MemoryUse) -> (own: Int, kernel: Int) {
      (use.resident - weights.before.resident, use.slab + use.kernelStacks - weights.before.slab - weights.before.kernelStacks)
    }
    let steps = [
      ("the engine is made", weights.made), ("all are accepted", weights.accepted), ("all are pending", weights.pending),
      ("all have completed, none is taken", weights.completed),
    ]
    for (name, use) in steps {
      let (own, kernel) = grown(use)
      table.add(
        name, Text.bytes(own), Text.significant(Double(own) / n), Text.bytes(kernel), Text.significant(Double(kernel) / inKernel))
      finding.figures += [
        Figure("\(name): resident", "B per syslet", Summary([Double(own) / n])),
        Figure("\(name): kernel slabs and stacks", "B per syslet with the kernel", Summary([Double(kernel) / inKernel])),
      ]
    }
    finding.tables = [table]
    let (own, kernel) = grown(weights.pending)
    let each = Double(own) / n
    let (made, accepted) = (grown(weights.made).own, grown(weights.accepted).own)
    finding.words = [
      "The library has \(Text.significant(each)) B per pending syslet; the goal of \(goal) B is "
        + "\(each <= Double(goal) ? "reached" : "missed by \(Text.significant(each - Double(goal))) B"). Of these \(Text.significant(Double(made) / n)) "
        + "came with the engine (a record for each of \(Text.grouped(completionEntries)) calls, the kernel's rings), "
        + "\(Text.significant(Double(accepted - made) / n)) with accepting (a run each), \(Text.significant(Double(own - accepted) / n)) with "
        + "submitting. Their completions, until they are taken, add \(Text.significant(Double(grown(weights.completed).own - own) / n)).",
      "\(Text.grouped(weights.withKernel)) of them are with the kernel, which has about \(Text.significant(Double(kernel) / inKernel)) B for each; "
        + (weights.withKernel < count
          ? "the others wait their turn in the engine, because a completion queue has at most \(Text.grouped(completionEntries)) entries."
          : "that is all of them."),
    ]
    return finding
  }
}
