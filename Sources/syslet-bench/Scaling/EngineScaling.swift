// How the throughput grows with engines: one engine per thread, one thread per processor, nothing shared.

internal import Glibc
internal import SysletRing

enum EngineScaling {
  /// What two engines should do of what one does, for each: 1.8 at two.
  static let goalPerEngine = 0.9
  private static let depth = 32
  /// Operations between two looks at the clock: under a millisecond.
  private static let chunk = 4096

  /// 1, 2, 4, … and the number of processors.
  static func defaultCounts(cpus: Int) -> [Int] {
    var counts: [Int] = []
    var count = 1
    while count < cpus {
      counts.append(count)
      count *= 2
    }
    return counts + [cpus]
  }

  static func measure(_ counts: [Int], _ shape: Contest.Shape) throws(Failure) -> Finding {
    var finding = Finding(
      "Throughput over engines",
      asked: "How many syslets does each of several engines do, one per thread and processor? (nop, \(depth) in flight, on the ring)")
    let nanoseconds = UInt64(shape.seconds / Double(shape.repeats) * 1e9)
    var rings = counts.map { _ in [[Turn]]() }
    var plains = rings
    let progress = Progress(total: 0)
    defer { progress.clear() }
    for turn in 0..<shape.repeats {
      for (index, count) in counts.enumerated() {
        progress.show("engines: repeat \(turn + 1) of \(shape.repeats), \(count)")
        rings[index].append(try together(count) { ring(nanoseconds, $0) })
        plains[index].append(try together(count) { plain(nanoseconds, $0) })
      }
    }
    report(counts, rings, plains, in: &finding)
    return finding
  }

  private static func together(_ count: Int, _ body: @escaping @Sendable (StartingLine) -> Turn) throws(Failure) -> [Turn] {
    try Interrupt.check()
    let turns = try PinnedThreads.run(count, body)
    if let failure = turns.compactMap(\.failure).first { throw failure }
    return turns
  }

  /// An engine of the calling thread at work for `nanoseconds`.
  private static func ring(_ nanoseconds: UInt64, _ line: StartingLine) -> Turn {
    do throws(Failure) {
      let workload = NopWorkload(atomCount: 1, depth: depth)
      let contestant = try WorkloadContestant("nop", workload, on: .ring, depth: depth)
      return time(nanoseconds, line, contestant)
    } catch {
      line.wait()
      return Turn(failure: error)
    }
  }

  /// The yardstick: system calls that share nothing either. What it loses, the machine takes.
  private static func plain(_ nanoseconds: UInt64, _ line: StartingLine) -> Turn {
    let parent = getppid()
    return time(nanoseconds, line, unsafe PlainRunner(NopWorkload(atomCount: 1, depth: 1)) { _ in getppid() == parent ? 0 : -1 })
  }

  private static func time(_ nanoseconds: UInt64, _ line: StartingLine, _ contestant: any Contestant) -> Turn {
    var turn = Turn()
    do throws(Failure) {
      _ = try contestant.run(chunk)
      line.wait()
      let begin = Clock.wall()
      repeat {
        let sample = try contestant.run(chunk)
        if let problem = sample.problem { throw Failure.wrongResult("\(contestant.name): \(problem)") }
        turn.operations += sample.syslets
        turn.nanoseconds = Clock.wall() - begin
      } while turn.nanoseconds < nanoseconds
    } catch {
      // Only the first run can fail before the line.
      if turn.operations == 0 { line.wait() }
      turn.failure = error
    }
    return turn
  }

  private static func report(_ counts: [Int], _ rings: [[[Turn]]], _ plains: [[[Turn]]], in finding: inout Finding) {
    func totals(_ repeats: [[Turn]]) -> [Double] { repeats.map { $0.reduce(0) { $0 + $1.perSecond } } }
    func ratio(_ totals: [Double], _ first: [Double]) -> Summary { Summary(zip(totals, first).map { $0 / max($1, 1) }) }
    func millions(_ values: [Double]) -> Summary { Summary(values.map { $0 / 1e6 }) }
    var table = FindingTable(
      "millions per second: median (min–max)",
      ["engines", "each engine", "all together", "× \(counts[0])", "plain getppid, all together", "× \(counts[0])"])
    let (firstRing, firstPlain) = (totals(rings[0]), totals(plains[0]))
    for (index, count) in counts.enumerated() {
      let (ring, plain) = (totals(rings[index]), totals(plains[index]))
      let (rise, yardstick) = (ratio(ring, firstRing), ratio(plain, firstPlain))
      table.add(
        "\(count)", Text.spread(millions(rings[index].flatMap { $0.map(\.perSecond) })), Text.spread(millions(ring)), Text.spread(rise),
        Text.spread(millions(plain)), Text.spread(yardstick))
      finding.figures += [
        Figure("\(count) engines", "million syslets per second", millions(ring)),
        Figure("\(count) engines / \(counts[0])", "×", rise), Figure("\(count) threads of plain calls / \(counts[0])", "×", yardstick),
      ]
      guard index > 0 else { continue }
      let goal = goalPerEngine * Double(count) / Double(counts[0])
      // To the digits that are shown: more would claim a precision that the repeats do not have.
      let isReached = (rise.median * 100).rounded() >= (goal * 100).rounded()
      finding.words.append(
        "\(count) engines do \(Text.spread(rise)) times as much as \(counts[0]); the goal of \(Text.significant(goal)) is "
          + "\(isReached ? "reached" : "missed by \(Text.percent(1 - rise.median / goal))"). Plain system calls on as many threads: "
          + "\(Text.spread(yardstick)) times.")
    }
    finding.tables = [table]
    if counts.count == 1 { finding.words.append("One count of engines has nothing to be compared with.") }
    if rings.joined().joined().contains(where: { $0.processor == nil }) {
      finding.words.append("The threads could not be pinned to processors of their own, so the kernel may have moved them.")
    }
  }
}
