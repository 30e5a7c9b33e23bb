// Everyday operations beside the ways in which people do them: each repeat has every way in turn.

internal import ArgumentParser
internal import CPeers
internal import Glibc
internal import Measuring

/// One way to do the work of a row.
struct Way {
  let name: String
  /// Does the work once and gives what it took, in nanoseconds for each piece of it.
  let measure: () throws -> Double

  init(_ name: String, _ measure: @escaping () throws -> Double) { (self.name, self.measure) = (name, measure) }

  /// Of work that takes as long as it takes.
  static func timed(_ name: String, pieces: Int, _ work: @escaping () throws -> Void) -> Way {
    Way(name) {
      let begin = Program.now()
      try work()
      return Double(Program.now() - begin) / Double(pieces)
    }
  }
}

enum RowName: String, CaseIterable, ExpressibleByArgument {
  /// Small files read whole, by 32 tasks.
  case readFile = "read-file"
  /// Files of a tree that are not in the page cache, read and hashed.
  case coldTree = "cold-tree"
  /// Records of 128 writers, each synced before it is acknowledged.
  case groupCommit = "group-commit"
  /// A file of 1 GiB with 64 MiB of bytes in it.
  case sparseCopy = "sparse-copy"
  /// Processor time of a server for each message of 10,000 connections.
  case connections
}

@main
struct Everyday: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "everyday",
    abstract: "Measures the everyday operations beside other ways to do the same.",
    discussion: """
      The rows are \(RowName.allCases.map(\.rawValue).joined(separator: ", ")). `÷ first` is how many times as long a way takes as the first one \
      of its row, from repeats taken side by side.
      """,
    subcommands: [Measure.self, Serve.self], defaultSubcommand: Measure.self)

  static func main() {
    peer_raise_descriptors()
    Program.run(Self.self)
  }
}

struct Measure: ParsableCommand {
  @Argument(help: "The rows to measure (default: all).")
  var rows: [RowName] = []

  @Option(help: ArgumentHelp("How often each way has its turn, at least 3.", valueName: "count"))
  var repeats = 11

  @Option(help: ArgumentHelp("Only the ways whose names begin so.", valueName: "name"))
  var way = ""

  @Option(help: ArgumentHelp("The tree whose files are read.", valueName: "tree"))
  var dir = "/usr/include"

  @Option(help: ArgumentHelp("A folder on a file system of a disk, for what is synced and copied.", valueName: "folder"))
  var scratch = "/var/tmp"

  @Option(help: ArgumentHelp("Connections of the row `connections`.", valueName: "count"))
  var connections = 10_000

  func validate() throws {
    guard repeats >= 3 else { throw ValidationError("--repeats is \(repeats), and it must be at least 3") }
    guard (1...15_000).contains(connections) else { throw ValidationError("--connections is from 1 to 15000") }
  }

  func run() throws {
    let table = TextTable([
      .text("row", 13), .text("way", 30), .number("median", 9), .text("min–max", 22), .text("÷ first (95 %)", 23),
    ])
    Program.show(table.heading)
    for row in rows.isEmpty ? RowName.allCases : rows {
      let ways = try self.ways(row).filter { $0.name.hasPrefix(way) }
      guard !ways.isEmpty else { throw Failure("no way of \(row.rawValue) begins with '\(way)'", exitCode: 2) }
      var figures = ways.map { _ in [Double]() }
      for repetition in 0..<repeats {
        // Each goes first once in a while, so that none is always behind the same one.
        for index in ways.indices {
          let index = (index + repetition) % ways.count
          figures[index].append(try ways[index].measure())
        }
      }
      for (way, nanoseconds) in zip(ways, figures) {
        let range = Estimate.range(of: nanoseconds)
        let ratio = Estimate.bootstrap(zip(nanoseconds, figures[0]).map { $0 / $1 })
        Program.show(
          table.row([
            row.rawValue, way.name, Text.nanoseconds(range.median), "\(Text.nanoseconds(range.low))–\(Text.nanoseconds(range.high))",
            way.name == ways[0].name ? "" : Text.ratio(ratio),
          ]))
      }
    }
  }

  private func ways(_ row: RowName) throws -> [Way] {
    switch row {
    case .readFile: try ReadFile.ways(TreeFiles(dir, maximum: 4000))
    case .coldTree: try ColdTree.ways(TreeFiles(dir, maximum: 8000))
    case .groupCommit: try GroupCommit.ways(scratch)
    case .sparseCopy: try SparseCopy.ways(scratch)
    case .connections: Connections.ways(connections)
    }
  }
}
