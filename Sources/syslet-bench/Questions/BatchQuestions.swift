// Questions 5 and 6: how completions reach the program, and whether saving system calls is worth anything.

internal import CLiburing
internal import Glibc
internal import SysletRing

enum BatchQuestions {
  static let batches = [1, 2, 4, 8, 16, 32, 64, 128, 256]

  static let transferTitle = "5. A shared completion ring against `async_wait(r, n)`"
  static let transferAsked =
    "Did anybody bench the ring against a call that copies completions out? The transfer should be 0.01 % of an operation."
  static let savingTitle = "6. System calls are cheap"
  static let savingAsked = "Is the saving of system calls moot? From which batch on is the ring faster than plain calls?"

  // MARK: 5

  /// One kind of operation at every batch, with both transfers.
  private typealias Operations = (name: String, rows: [(batch: Int, ring: Measured, copy: Measured)])

  /// The operations whose cost the transfer is compared with.
  private static func transfers<W: Workload>(
    _ name: String, _ shape: Contest.Shape, _ make: () throws(Failure) -> W
  ) throws(Failure) -> Operations {
    var contestants: [any Contestant] = []
    for batch in batches {
      // A workload each: a runner makes its atoms store their results with it.
      contestants.append(try BatchRunner(try make(), batch: batch, .ring))
      contestants.append(try BatchRunner(try make(), batch: batch, .copy))
    }
    let measured = try Contest(title: name, shape: shape).measure(contestants)
    return (name, batches.indices.map { (batches[$0], measured[2 * $0], measured[2 * $0 + 1]) })
  }

  static func transfer(_ inputs: Inputs, _ shape: Contest.Shape) throws(Failure) -> Finding {
    var finding = Finding(transferTitle, asked: transferAsked)
    let deepest = batches.last!
    var operations: [Operations] = []
    operations.append(try transfers("nop", shape) { NopWorkload(atomCount: 1, depth: deepest) })
    operations.append(
      try transfers("cached 4 KiB read", shape) { () throws(Failure) in try ReadWorkload(cached: inputs, depth: deepest) })
    do throws(Failure) {
      operations.append(
        try transfers("direct 4 KiB read", shape) { () throws(Failure) in try ReadWorkload(direct: inputs, depth: deepest) })
    } catch {
      guard case .skipped(let reason) = error else { throw error }
      finding.words.append("Direct reads are left out: \(reason).")
    }
    for operation in operations {
      var table = FindingTable(
        "\(operation.name), ns per operation", ["batch", "ring", "copy", "copy − ring", "copy / ring"])
      for row in operation.rows {
        let (difference, ratio) = (row.copy.difference(to: row.ring), row.copy.ratio(to: row.ring))
        table.add(
          "\(row.batch)", Text.spread(row.ring.summary), Text.spread(row.copy.summary), Text.spread(difference), Text.spread(ratio))
        finding.figures += [
          Figure("\(operation.name), batch \(row.batch): ring", "ns", row.ring.summary),
          Figure("\(operation.name), batch \(row.batch): copy", "ns", row.copy.summary),
          Figure("\(operation.name), batch \(row.batch): copy / ring", "×", ratio),
        ]
      }
      finding.tables.append(table)
    }

    // Much shorter: all but a few nanoseconds of each operation are preparation, and not timed.
    let brief = Contest.Shape(seconds: shape.seconds / 40, repeats: shape.repeats)
    var contestants: [any Contestant] = []
    for batch in batches { contestants.append(try TransferRunner(.copy(batch: batch))) }
    contestants += [try TransferRunner(.slots), try TransferRunner(.pointers)]
    let alone = try Contest(title: "transfer alone", shape: brief).measure(contestants)
    var table = FindingTable(
      "the transfer alone, and its share of an operation", ["", "ns per completion"] + operations.map { "of " + $0.name })
    for (index, measured) in alone.enumerated() {
      // The single transfers are compared with operations at the deepest batch, where they are cheapest.
      let row = min(index, batches.count - 1)
      table.rows.append(
        [measured.name, Text.spread(measured.summary)] + operations.map { Text.percent(measured.ratio(to: $0.rows[row].copy).median) })
      finding.figures.append(Figure("transfer alone: \(measured.name)", "ns", measured.summary))
    }
    finding.tables.append(table)

    finding.words = words(operations, alone) + finding.words
    return finding
  }

  private static func words(_ operations: [Operations], _ alone: [Measured]) -> [String] {
    let (middle, last) = (batches.firstIndex(of: 32)!, batches.count - 1)
    let shares = operations.map { "\(Text.percent(alone[middle].ratio(to: $0.rows[middle].copy).median)) of a \($0.name)" }
    let rows = operations.flatMap(\.rows)
    let undecided = rows.count { row in
      let ratio = row.copy.ratio(to: row.ring)
      return ratio.min < 1 && ratio.max > 1
    }
    let ratios = rows.map { $0.copy.ratio(to: $0.ring).median }
    let bare = alone[alone.count - 1]
    let least = operations.map { (name: $0.name, share: bare.ratio(to: $0.rows[last].copy).median) }
    return [
      "Now somebody did. Whole operations take \(Text.significant(ratios.min()!)) to \(Text.significant(ratios.max()!)) times as long with "
        + "the copy as with the ring (medians of \(rows.count) rows); in \(undecided) of these the repeats lie on both sides of 1, so that no "
        + "difference can be told from chance.",
      "The transfer alone, the call included, costs \(Text.significant(alone[middle].summary.median)) ns per completion at 32 per wait "
        + "(40 bytes: atom, user's word, result, count, reason), which is \(shares.joined(separator: ", ")); one completion per call costs "
        + "\(Text.significant(alone[0].summary.median)) ns.",
      "The 8 bytes that he speaks of take \(Text.significant(bare.summary.median)) ns: "
        + least.map { "\(Text.percent($0.share)) of a \($0.name), \($0.share > guess ? "above" : "within") his guess" }.joined(
          separator: "; ")
        + ". A copy out of the kernel costs more than this copy inside a process, so these are lower bounds for his design.",
      "Neither form makes a system call of its own: a wait enters the kernel only when what it wants is not there yet, and submits in the "
        + "same call.",
    ]
  }

  /// 0.01 %.
  private static let guess = 0.0001

  // MARK: 6

  /// The first batch from which on plain calls never win; nil if there is none.
  static func breakEven(_ ratios: [(batch: Int, plainToRing: Double)]) -> Int? {
    var found: Int?
    for (batch, ratio) in ratios.reversed() {
      guard ratio >= 1 else { break }
      found = batch
    }
    return found
  }

  /// One kind of call at every batch: plain calls into one buffer, the ring, and plain calls into as many buffers as the batch has.
  private typealias Comparison = (plain: Measured, rows: [(batch: Int, ring: Measured, spread: Measured)])

  private static func compare<W: Workload>(
    _ name: String, _ shape: Contest.Shape, _ make: () throws(Failure) -> W, _ call: @escaping (UnsafeMutablePointer<Atom>) -> Int
  ) throws(Failure) -> Comparison {
    var contestants: [any Contestant] = unsafe [PlainRunner(try make(), call)]
    for batch in batches {
      contestants.append(try BatchRunner(try make(), batch: batch, .copy))
      contestants.append(unsafe PlainRunner(try make(), buffers: batch, call))
    }
    let measured = try Contest(title: name, shape: shape).measure(contestants)
    return (measured[0], batches.indices.map { (batches[$0], measured[2 * $0 + 1], measured[2 * $0 + 2]) })
  }

  private static func place(_ breakEven: Int?) -> String {
    breakEven.map { $0 == 1 ? "from the first one on" : "from batches of \($0) on" } ?? "at no batch up to \(batches.last!)"
  }

  static func saving(_ inputs: Inputs, _ shape: Contest.Shape) throws(Failure) -> Finding {
    var finding = Finding(savingTitle, asked: savingAsked)
    let deepest = batches.last!
    let parent = getppid()
    let nothing = try unsafe compare("getppid or nop", shape) {
      NopWorkload(atomCount: 1, depth: deepest)
    } _: { _ in
      getppid() == parent ? 0 : -1
    }
    let reads = try unsafe compare("cached read", shape) { () throws(Failure) in
      try ReadWorkload(cached: inputs, depth: deepest)
    } _: { atom in
      let words = unsafe atom.pointee.args
      let count = unsafe pread(
        Int32(truncatingIfNeeded: words.0), UnsafeMutableRawPointer(bitPattern: UInt(words.1))!, Int(words.2),
        off_t(truncatingIfNeeded: words.3))
      return count < 0 ? -Int(errno) : count
    }
    var words: [String] = []
    for (name, plainName, measured) in [("nop", "getppid", nothing), ("cached 4 KiB read", "pread", reads)] {
      var table = FindingTable(
        "\(name), ns per operation; plain \(plainName) calls: \(Text.spread(measured.plain.summary))",
        ["batch", "ring", "plain / ring", "plain, as many buffers / ring"])
      finding.figures.append(Figure("\(name): plain \(plainName)", "ns", measured.plain.summary))
      var ratios: [(batch: Int, plainToRing: Double)] = []
      var spreadRatios = ratios
      for (batch, ring, spread) in measured.rows {
        let (ratio, spreadRatio) = (measured.plain.ratio(to: ring), spread.ratio(to: ring))
        ratios.append((batch, ratio.median))
        spreadRatios.append((batch, spreadRatio.median))
        table.add("\(batch)", Text.spread(ring.summary), Text.spread(ratio), Text.spread(spreadRatio))
        finding.figures += [
          Figure("\(name), batch \(batch): ring", "ns", ring.summary), Figure("\(name), batch \(batch): plain / ring", "×", ratio),
          Figure("\(name), batch \(batch): plain, as many buffers / ring", "×", spreadRatio),
        ]
      }
      finding.tables.append(table)
      let best = ratios.max { $0.plainToRing < $1.plainToRing }!
      let alone = Text.significant(1 / ratios[0].plainToRing)
      words.append(
        "\(name): the ring beats plain \(plainName) calls \(place(breakEven(ratios))). At its best, in batches of \(best.batch), it is "
          + "\(Text.significant(best.plainToRing)) times as fast; alone it takes \(alone) times as long as the plain call."
          + (plainName == "pread"
            ? " Against calls that read into as many buffers as the batch has, as a program must that keeps what it has read, it wins "
              + "\(place(breakEven(spreadRatios)))." : ""))
    }
    let (call, read) = (nothing.plain.summary.median, reads.plain.summary.median)
    words.append(
      "A system call costs \(Text.significant(call)) ns here and a cached read \(Text.significant(read)) ns, so saving the call altogether "
        + "could save \(Text.percent(min(1, call / read))) of the read. For work that does not wait there is little to be had, as he says. "
        + "What the ring is for is work that waits: many such calls at once, with neither a thread nor a switch for each "
        + "(`syslet-bench run read-direct echo`).")
    finding.words = words
    return finding
  }
}
