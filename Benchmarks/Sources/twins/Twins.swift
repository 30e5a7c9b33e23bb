// Ours against the same work in C, A B B A, in one process: paired ratios with their median and its 95 % interval.

internal import ArgumentParser
internal import CTwins
internal import Measuring

@main
struct Twins: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twins",
    abstract: "Measures the engine against the same work written by hand in C with liburing.",
    discussion: "The rows are \(RowName.allCases.map(\.rawValue).joined(separator: ", ")). A ratio above 1 says that C is faster.")

  @Argument(help: "The rows to measure (default: all).")
  var rows: [RowName] = []

  @Option(help: ArgumentHelp("Pairs of runs for each row, at least 15.", valueName: "count"))
  var pairs = 31

  @Option(help: ArgumentHelp("How long one run of one side should take.", valueName: "ms"))
  var milliseconds = 25

  @Option(help: ArgumentHelp("The tree whose files are opened.", valueName: "tree"))
  var dir = "/usr/include"

  @Option(help: ArgumentHelp("Write the figures to this file as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard pairs >= 15 else { throw ValidationError("--pairs is \(pairs): fewer than 15 give no interval worth the name") }
    guard milliseconds >= 1 else { throw ValidationError("--milliseconds is \(milliseconds), and it must be at least 1") }
  }

  static func main() { Program.run(Self.self) }

  func run() throws {
    let inputs = try Inputs(tree: dir)
    let table = TextTable([
      .text("row", 20), .number("depth", 5), .number("ours", 8), .number("C", 8), .text("ours / C (95 %)", 24), .number("pairs", 5),
    ])
    Program.show(table.heading)
    var figures: [Figure] = []
    for name in rows.isEmpty ? RowName.allCases : rows {
      for depth in name.depths {
        let figure = try measure(name, depth, inputs)
        Program.show(
          table.row([
            name.rawValue, "\(depth)", Text.nanoseconds(figure.ours.median), Text.nanoseconds(figure.c.median), Text.ratio(figure.ratio),
            "\(figure.pairs)",
          ]))
        figures.append(figure)
      }
    }
    if let json { try Program.write(figures, to: json) }
  }

  private func sides(_ name: RowName, _ depth: Int, _ inputs: Inputs) throws -> (ours: any Side, c: any Side) {
    if name.isTyped {
      let scratch = try TypedScratch()
      return (try TypedSide(name, scratch), try TypedTwinSide(name, scratch))
    }
    guard name.isEcho else { return (try EngineSide(name, depth: depth, inputs), try TwinSide(name, depth: depth, inputs)) }
    let clients = try EchoClients(count: depth)
    return (try EchoEngineSide(name, clients), try EchoTwinSide(name, clients))
  }

  private func measure(_ name: RowName, _ depth: Int, _ inputs: Inputs) throws -> Figure {
    let (ours, theirs) = try sides(name, depth, inputs)
    // The slower side decides how much a run is, so that both do the same; the first runs warm up.
    var batches = 1
    while true {
      let slowest = try max(ours.run(batches: batches), theirs.run(batches: batches))
      if slowest >= Int64(milliseconds) * 500_000 {
        batches = max(1, batches * milliseconds * 1_000_000 / Int(slowest))
        break
      }
      batches *= 2
    }
    var (ratios, oursTimes, theirTimes): ([Double], [Double], [Double]) = ([], [], [])
    let pieces = Double(batches * depth)
    for pair in 0..<pairs {
      // A B, then B A: drift of the machine falls on both sides alike.
      let a: Int64
      let b: Int64
      if pair % 2 == 0 {
        a = try ours.run(batches: batches)
        b = try theirs.run(batches: batches)
      } else {
        b = try theirs.run(batches: batches)
        a = try ours.run(batches: batches)
      }
      guard ours.bytes == theirs.bytes else {
        throw Failure("\(name.rawValue) at \(depth): ours has read \(ours.bytes) bytes, C \(theirs.bytes), of the same work")
      }
      ratios.append(Double(a) / Double(b))
      oursTimes.append(Double(a) / pieces)
      theirTimes.append(Double(b) / pieces)
    }
    return Figure(
      row: name.rawValue, depth: depth, pairs: pairs, ours: .range(of: oursTimes), c: .range(of: theirTimes),
      ratio: .bootstrap(ratios))
  }
}

/// What is done. A piece of work is one syslet, or what C does in its stead.
enum RowName: String, CaseIterable, ExpressibleByArgument {
  /// One nop.
  case nop
  /// Four linked nops.
  case nopChain = "nop-chain"
  /// A read of 4 KiB at random from the page cache.
  case readCached = "read-cached"
  /// Open, read up to 4 KiB, close.
  case openReadClose = "open-read-close"
  /// The same of ours prepared: what C does is the same as in the row without the word.
  case preparedNop = "prepared-nop"
  case preparedNopChain = "prepared-nop-chain"
  /// The offset stands behind a pointer.
  case preparedReadCached = "prepared-read-cached"
  /// The path stands behind a pointer.
  case preparedOpenReadClose = "prepared-open-read-close"
  /// A message of 64 bytes over TCP, and its answer: what a server with one thread computes for it, by C with io_uring.
  case echo = "tcp-echo"
  case preparedEcho = "prepared-tcp-echo"
  /// The same with 2 µs of work for each message: how long it takes until all have been answered, by C with epoll.
  case workingEcho = "tcp-echo-work"
  case preparedWorkingEcho = "prepared-tcp-echo-work"
  /// The six programs of the typed API, one at a time in a task on the runtime's executor, by the same system calls in C, one after the other: a file's status,
  /// a file of 16 KiB read, a copy of 1 MiB, a file of 4 KiB replaced durably, 512 bytes appended durably, a request answered with a file of 16 KiB.
  case typedStatus = "typed-status"
  case typedRead = "typed-read"
  case typedCopy = "typed-copy"
  case typedReplace = "typed-replace"
  case typedAppend = "typed-append"
  case typedRespond = "typed-respond"

  var isPrepared: Bool {
    switch self {
    case .preparedNop, .preparedNopChain, .preparedReadCached, .preparedOpenReadClose, .preparedEcho, .preparedWorkingEcho: true
    default: false
    }
  }

  var isTyped: Bool { rawValue.hasPrefix("typed-") }
  var isWorking: Bool { self == .workingEcho || self == .preparedWorkingEcho }
  var isEcho: Bool { self == .echo || self == .preparedEcho || isWorking }

  /// How many pieces of work are submitted and waited for at once.
  var depths: [Int] {
    switch self {
    case .nop, .readCached, .preparedNop, .preparedReadCached: [1, 32]
    case .openReadClose, .preparedOpenReadClose: [1, 64]
    case .echo, .preparedEcho, .workingEcho, .preparedWorkingEcho: [64]
    default: [1]
    }
  }

  static let chainLength = 4
}

/// What both sides work on.
struct Inputs {
  let file: CachedFile
  let tree: TreeFiles

  init(tree root: String) throws {
    file = try CachedFile(bytes: 64 << 20)
    tree = try TreeFiles(root, maximum: 4000)
  }
}

/// One row of the table. Times are nanoseconds per piece of work, with the fastest and the slowest run.
struct Figure: Encodable {
  let row: String
  let depth: Int
  let pairs: Int
  let ours: Estimate
  let c: Estimate
  let ratio: Estimate
}
