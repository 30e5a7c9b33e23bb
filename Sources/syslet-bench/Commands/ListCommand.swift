// `syslet-bench list`: the workloads, one line each, with the syslet that each runs.

internal import ArgumentParser

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the workloads, one line each, with the syslet they run.")

  func run() {
    for line in Self.lines { print(line) }
  }

  static var lines: [String] {
    let all = WorkloadCatalog.all
    let nameWidth = all.map(\.name.count).max() ?? 0
    let sysletWidth = all.map(\.syslet.count).max() ?? 0
    return all.map { $0.name.padded(nameWidth) + "  " + $0.syslet.padded(sysletWidth) + "  " + $0.on }
  }
}
