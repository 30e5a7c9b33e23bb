// `syslet-bench run`: the command line of a measurement.

internal import ArgumentParser

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Measures workloads on every backend, interleaved, and checks every result.")

  @Argument(help: "The workloads (default: all); `syslet-bench list` shows them.")
  var workloads: [String] = []

  @Option(help: "Backends, separated by commas: ring, threads, inline, automatic (default: all that this machine has).")
  var backend: String?

  @Option(help: "How many syslets are kept in flight, separated by commas (default: 1,32).")
  var depth: String?

  @Option(help: "Seconds that are measured for each row, all its repeats together (default: 1; quick: \(RunPlan.quickSeconds)).")
  var seconds: Double?

  @Option(help: "Into how many repeats those seconds are divided (default: 5).")
  var repeats: Int?

  @Option(
    help: ArgumentHelp(
      "The tree whose regular files are opened and examined (default: the system's headers, or the toolchain's files).",
      valueName: "tree"))
  var dir: String?

  @Option(
    help: ArgumentHelp(
      "A folder in which to make, and at the end remove, a folder for the files that are written (default: $TMPDIR or /tmp).",
      valueName: "dir"))
  var scratch: String?

  @Option(help: "What file contents and random offsets are derived from.")
  var seed: UInt64 = 2007

  @Option(help: ArgumentHelp("Write the results to this file as JSON.", valueName: "file"))
  var json: String?

  @Option(help: ArgumentHelp("Write the results to this file as CSV.", valueName: "file"))
  var csv: String?

  @Option(help: ArgumentHelp("Write the results to this file as Markdown.", valueName: "file"))
  var markdown: String?

  @Flag(help: "Smaller files and shorter repeats: everything in under 30 seconds.")
  var quick = false

  func run() throws {
    try BenchRun.perform(plan())
  }

  /// What was asked for, with every name and number checked.
  func plan() throws(Failure) -> RunPlan {
    var plan = RunPlan(isQuick: quick)
    plan.workloads = try RunPlan.workloads(named: workloads)
    if let backend { plan.choose(backends: try RunPlan.backends(named: backend)) }
    if let depth { plan.depths = try RunPlan.depths(depth) }
    if let seconds { plan.seconds = try RunPlan.checked(seconds: seconds) }
    if let repeats { plan.repeats = try RunPlan.checked(repeats: repeats) }
    plan.tree = dir
    plan.scratch = scratch
    plan.seed = seed
    plan.outputs = Outputs(json: json, csv: csv, markdown: markdown)
    return plan
  }
}
