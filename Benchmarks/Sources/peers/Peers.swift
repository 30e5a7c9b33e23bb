// Ours and other ways to read files from Swift, in one run: each repeat runs all of them in turn, on the same items.

internal import ArgumentParser
internal import Measuring

@main
struct Peers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers",
    abstract: "Measures the engine beside plain calls, IORing, SwiftNIO, DispatchIO and POSIX AIO.",
    discussion: """
      The rows are \(RowName.allCases.map(\.rawValue).joined(separator: ", ")). The peers are \
      \(Peers.all.map(\.name).joined(separator: ", ")). `÷ ring` is how many times as long a peer takes as the syslets on the ring, \
      from repeats taken side by side.
      """)

  @Argument(help: "The rows to measure (default: all).")
  var rows: [RowName] = []

  @Option(help: ArgumentHelp("How many pieces of work are in flight, separated by commas.", valueName: "list"))
  var depth = "1,32"

  @Option(help: ArgumentHelp("How often each peer has its turn, at least 5.", valueName: "count"))
  var repeats = 15

  @Option(help: ArgumentHelp("How long one turn should take.", valueName: "ms"))
  var milliseconds = 40

  @Option(help: ArgumentHelp("The tree whose files are opened.", valueName: "tree"))
  var dir = "/usr/include"

  @Option(help: ArgumentHelp("Write the figures to this file as JSON.", valueName: "file"))
  var json: String?

  static let all: [(name: String, type: any Peer.Type)] = [
    ("syslets, ring", RingPeer.self), ("syslets, threads", ThreadsPeer.self), ("syslets, automatic", EnginePeer.self),
    ("syslets, awaited", AwaitPeer.self), ("typed, ring", TypedPeer.self), ("typed, automatic", TypedAutomaticPeer.self),
    ("plain calls", PlainPeer.self), ("IORing", IORingPeer.self),
    ("IORing, awaited", IORingAwaitPeer.self), ("SwiftNIO", NIOPeer.self), ("DispatchIO", DispatchPeer.self), ("POSIX AIO", AIOPeer.self),
  ]

  static func main() { Program.run(Self.self) }

  func validate() throws {
    guard repeats >= 5 else { throw ValidationError("--repeats is \(repeats), and it must be at least 5") }
    guard milliseconds >= 1 else { throw ValidationError("--milliseconds is \(milliseconds), and it must be at least 1") }
    _ = try depths()
  }

  /// The queues of the rings hold two requests for each piece of work.
  private func depths() throws -> [Int] {
    try depth.split(separator: ",").map {
      guard let depth = Int($0), (1...64).contains(depth) else { throw ValidationError("--depth has '\($0)': a depth is from 1 to 64") }
      return depth
    }
  }

  func run() throws {
    let file = try CachedFile(bytes: 64 << 20)
    let tree = try TreeFiles(dir, maximum: 4000)
    let table = TextTable([
      .text("row", 15), .number("depth", 5), .text("peer", 18), .number("median", 8), .text("min–max", 20), .text("÷ ring (95 %)", 23),
    ])
    Program.show(table.heading)
    var figures: [Figure] = []
    for row in rows.isEmpty ? RowName.allCases : rows {
      for depth in try depths() {
        let job = Job(subject: row == .readCached ? .reads(file) : .files(tree), depth: depth)
        for figure in try measure(row, job) {
          Program.show(
            table.row([
              row.rawValue, "\(depth)", figure.peer, Text.nanoseconds(figure.nanoseconds.median),
              "\(Text.nanoseconds(figure.nanoseconds.low))–\(Text.nanoseconds(figure.nanoseconds.high))",
              figure.toRing.map(Text.ratio) ?? "",
            ]))
          figures.append(figure)
        }
      }
    }
    if let json { try Program.write(figures, to: json) }
  }

  private func measure(_ row: RowName, _ job: Job) throws -> [Figure] {
    var contestants: [Contestant] = []
    for (name, type) in Self.all {
      do {
        contestants.append(try Contestant(name, type.init(job), job, milliseconds: milliseconds))
      } catch let failure as Failure where failure.exitCode == 3 {
        Program.complain("\(name) is left out: \(failure)")
      }
    }
    for repetition in 0..<repeats {
      // Each goes first once in a while, so that none is always behind the same one.
      for index in contestants.indices { try contestants[(index + repetition) % contestants.count].takeTurn() }
    }
    let ring = contestants.first { $0.name == Self.all[0].name }
    return contestants.map { contestant in
      let ratios = ring.map { ring in zip(contestant.nanoseconds, ring.nanoseconds).map { $0 / $1 } }
      return Figure(
        row: row.rawValue, depth: job.depth, peer: contestant.name, nanoseconds: .range(of: contestant.nanoseconds),
        toRing: contestant === ring ? nil : ratios.map(Estimate.bootstrap))
    }
  }
}

enum RowName: String, CaseIterable, ExpressibleByArgument {
  /// Reads of 4 KiB at random of a file in the page cache.
  case readCached = "read-cached"
  /// Open, one read of up to 4 KiB, close, of the files of a tree.
  case openReadClose = "open-read-close"
}

/// One peer in one row, with its repeats so far.
final class Contestant {
  let name: String
  private(set) var nanoseconds: [Double] = []
  private let peer: any Peer
  private let job: Job
  private var item = 0
  private var count = 16

  /// Warms up, until it is known how many items fill a turn.
  init(_ name: String, _ peer: any Peer, _ job: Job, milliseconds: Int) throws {
    self.name = name
    self.peer = peer
    self.job = job
    while true {
      let elapsed = try run()
      if elapsed >= Int64(milliseconds) * 500_000 {
        count = max(job.depth, Int(Double(count) * Double(milliseconds) * 1e6 / Double(elapsed)))
        break
      }
      count *= 2
    }
    item = 0
  }

  func takeTurn() throws { nanoseconds.append(Double(try run()) / Double(count)) }

  private func run() throws -> Int64 {
    let begin = Program.now()
    let bytes = try peer.run(first: item, count: count)
    let elapsed = Program.now() - begin
    let expected = job.byteCount(first: item, count: count)
    guard bytes == expected else { throw Failure("\(name) has read \(bytes) bytes, and not \(expected)") }
    item = (item + count) % job.itemCount
    return elapsed
  }
}

/// Nanoseconds per piece of work, with the fastest and the slowest repeat.
struct Figure: Encodable {
  let row: String
  let depth: Int
  let peer: String
  let nanoseconds: Estimate
  let toRing: Estimate?
}
