// `syslet-bench scale`: several engines at once, and very many syslets at once.

internal import ArgumentParser

struct ScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Measures throughput over engines, and memory over pending syslets.",
    discussion: """
      Engines: one per thread, each thread on a processor of its own, in turn with as many threads of plain system calls. Memory: as many \
      sleeps, then as many receives on sockets, are pending at once and then ended; what the kernel has for them is read from \
      /proc/meminfo, which is the whole machine's, so it is approximate. All results are checked. Needs io_uring: without it the exit \
      code is 3.
      """)

  @Option(help: "How many engines, separated by commas (default: 1, 2, 4, … and as many as there are processors).")
  var engines: String?

  @Option(help: "Seconds that are measured for each count of engines, all its repeats together.")
  var seconds: Double = 2

  @Option(help: "Into how many repeats those seconds are divided.")
  var repeats: Int = 9

  @Option(help: "How many syslets are pending at once; beyond 65,536 they wait their turn in the engine.")
  var pending: Int = 100_000

  @Option(help: ArgumentHelp("Write all figures to this file as JSON.", valueName: "file"))
  var json: String?

  @Flag(help: "Write Markdown instead of text, as in docs/SCALING.md.")
  var markdown = false

  func run() throws { try plan(cpus: Limits.cpus()).perform() }

  static let pendingMax = 1 << 24

  /// What was asked for, with every number checked.
  func plan(cpus: Int) throws(Failure) -> ScaleRun {
    let shape = Contest.Shape(seconds: try RunPlan.checked(seconds: seconds), repeats: try RunPlan.checked(repeats: repeats))
    guard (1...Self.pendingMax).contains(pending) else {
      throw Failure.usage("--pending is \(pending), and it must be from 1 to \(Text.grouped(Self.pendingMax))")
    }
    let counts = try engines.map { text throws(Failure) in try Self.counts(text, cpus: cpus) } ?? EngineScaling.defaultCounts(cpus: cpus)
    return ScaleRun(engines: counts, shape: shape, pending: pending, form: markdown ? .markdown : .text, json: json)
  }

  private static func counts(_ list: String, cpus: Int) throws(Failure) -> [Int] {
    var found: [Int] = []
    for text in list.commaSeparated {
      guard let count = Int(text), count >= 1 else {
        throw Failure.usage("--engines has '\(text)', and a count of engines is a whole number from 1 on")
      }
      guard count <= cpus else {
        throw Failure.machine("--engines asks for \(count) engines on processors of their own, and this process may use \(cpus)")
      }
      if !found.contains(count) { found.append(count) }
    }
    if found.isEmpty { throw Failure.usage("--engines names no count") }
    return found
  }
}
