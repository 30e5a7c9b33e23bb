// What Benchmarks/gates counts: one row, so many syslets, and what the engine says it did.
//
// Usage: gate-probe list            the rows, with the number of syslets to begin with and whether one thread does everything
//        gate-probe ROW COUNT       runs the row; prints the engine's statistics, a name and a number on each line
//
// Exit codes: 0 well, 1 a result was wrong, 2 wrong usage, 3 this machine cannot.
//
// Nothing but the engine and the C library is used here: the program runs under valgrind, where every library that starts costs seconds.

internal import Glibc
internal import SysletRing

@main
enum GateProbe {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    do throws(Failure) {
      if arguments.first == "list" {
        for row in Row.allCases { print("\(row.rawValue)\t\(row.count)\t\(row.isThreaded ? "threads" : "thread")") }
      } else if arguments.count == 2, let row = Row(rawValue: arguments.first!), let count = Int(arguments.last!), count > 0 {
        try run(row, count)
      } else {
        throw .usage
      }
    } catch {
      complain(error.description)
      exit(error.exitCode)
    }
  }

  private static func run(_ row: Row, _ count: Int) throws(Failure) {
    guard row != .allocation else { return allocate(count) }
    guard !row.isTyped else { return try TypedProbe.run(row, count) }
    let probe = try Probe(row)
    try probe.run(count)
    let statistics = probe.statistics
    let counts = [
      ("completed", statistics.completed), ("enters", statistics.enters), ("sqes", statistics.sqes), ("cqes", statistics.cqes),
      ("segments", statistics.segments), ("resumed", statistics.resumed), ("auxiliary-sqes", statistics.auxiliarySQEs),
      ("inline-calls", statistics.inlineCalls), ("worker-hops", statistics.workerHops), ("refused", statistics.refused),
    ]
    for (name, value) in counts { print("\(name)\t\(value)") }
  }

  /// Allocates twice per turn, in the two ways that there are: what shows the gates that allocations are seen.
  private static func allocate(_ count: Int) {
    for _ in 0..<count {
      let memory = UnsafeMutablePointer<Int>.allocate(capacity: 1000)
      unsafe memory.initialize(to: count)
      unsafe memory.deallocate()
      unsafe free(malloc(1000))
    }
  }

  private static func complain(_ text: String) {
    let line = Array("gate-probe: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
  }
}

enum Failure: Error {
  case usage
  case wrong(String)
  case machine(String)

  var description: String {
    switch self {
    case .usage: "usage: gate-probe list | gate-probe ROW COUNT"
    case .wrong(let what), .machine(let what): what
    }
  }

  var exitCode: Int32 {
    switch self {
    case .wrong: 1
    case .usage: 2
    case .machine: 3
    }
  }
}

enum Row: String, CaseIterable {
  /// No engine at all: the check of the counter of allocations.
  case allocation
  /// A nop, 32 enqueued and waited for at a time.
  case nop32 = "nop-32"
  /// A nop, one by one.
  case nopAlone = "nop-alone"
  /// 32 nops in a chain, 16 chains at a time.
  case nopChain16 = "nop-chain-16"
  /// A read of 4 KiB from the page cache.
  case readCached32 = "read-cached-32"
  /// Open, read, close.
  case openReadClose32 = "open-read-close-32"
  /// The same nops and reads, prepared; where the read begins stands behind a pointer.
  case preparedNop32 = "prepared-nop-32"
  case preparedNopAlone = "prepared-nop-alone"
  case preparedNopChain16 = "prepared-nop-chain-16"
  case preparedReadCached32 = "prepared-read-cached-32"
  case preparedReadCachedAlone = "prepared-read-cached-alone"
  /// A loop of 100 turns in memory, in place.
  case countLoop = "count-loop"
  /// A read and a file's open, read and close as typed programs, each run by one of 32 tasks.
  case typedRead32 = "typed-read-32"
  case typedReadFile32 = "typed-read-file-32"
  /// A nop on worker threads.
  case threadsNop32 = "threads-nop-32"

  var depth: Int {
    switch self {
    case .allocation, .nopAlone, .preparedNopAlone, .preparedReadCachedAlone, .countLoop: 1
    case .nopChain16, .preparedNopChain16: 16
    case .nop32, .readCached32, .openReadClose32, .threadsNop32, .preparedNop32, .preparedReadCached32, .typedRead32, .typedReadFile32: 32
    }
  }

  var atoms: Int {
    switch self {
    case .allocation, .nop32, .nopAlone, .typedRead32, .typedReadFile32, .preparedNopAlone, .readCached32, .threadsNop32, .preparedNop32,
      .preparedReadCached32,
      .preparedReadCachedAlone:
      1
    case .countLoop: 2
    case .openReadClose32: 3
    case .nopChain16, .preparedNopChain16: 32
    }
  }

  var isTyped: Bool { self == .typedRead32 || self == .typedReadFile32 }

  var isPrepared: Bool {
    self == .preparedNop32 || self == .preparedNopAlone || self == .preparedNopChain16 || self == .preparedReadCached32
      || self == .preparedReadCachedAlone
  }

  var backend: SysletEngine.Backend {
    switch self {
    case .threadsNop32: .threads
    case .countLoop: .inline
    default: .ring
    }
  }

  /// What other threads do is not the same in every run: only some counts are.
  var isThreaded: Bool { self == .threadsNop32 || self == .typedReadFile32 }

  /// Syslets enough that what is counted once in a while shows, and few enough for valgrind.
  var count: Int {
    switch self {
    case .countLoop: 400
    case .nopChain16, .preparedNopChain16: 640
    default: 9600
    }
  }
}
