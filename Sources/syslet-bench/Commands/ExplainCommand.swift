// `syslet-bench explain`: where the atoms of a workload's syslet run, and why.

internal import ArgumentParser
internal import SysletRing

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Shows a workload's atoms, where each runs, and each link and cut with its reason.")

  @Argument(help: "The workload; `syslet-bench list` shows them.")
  var workload: String

  @Option(help: "The backend: automatic, ring, threads or inline.")
  var backend: String = "automatic"

  func run() throws {
    let description = try WorkloadCatalog.find(workload)
    let backend = try RunPlan.backend(named: backend)
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try EngineMaker.make(options)
    defer { EngineMaker.close(engine) }
    // The same syslet as in a run, on files of a few bytes.
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let inputs = try Inputs.miniature(in: scratch)
    for (index, variant) in description.variants.enumerated() {
      let prepared = try variant.make(inputs, depth: 1)
      if index > 0 { print("") }
      // A size is that of the files made here, which says nothing; a count of atoms tells the variants apart.
      let title = description.variants.count > 1 ? "\(description.name) \(prepared.variant)" : description.name
      print("\(title) on \(backend.rawValue): \(description.syslet)")
      try prepared.beginPass()
      let head = unsafe prepared.arm(0, item: 0)
      let explanation = unsafe engine.explain(head, as: prepared.layout)
      print(explanation.description.withoutTrailing(\.isNewline))
    }
  }
}
