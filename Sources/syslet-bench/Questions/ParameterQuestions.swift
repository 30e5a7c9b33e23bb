// Questions 1, 3 and 4: what it costs that an argument lies behind a pointer, that atoms count their parameters, and that a bitmap says
// which is which. One set of contests answers all three.

internal import SysletRing

/// How long it takes to bring arguments to calls, in every form. Nanoseconds per atom.
struct ParameterTimes {
  /// Without an engine, by form.
  let fetch: [FetchRunner.Form: Measured]
  /// On the engine: direct with 2 and with 6 parameters, then with 1 to 6 of the six behind pointers, and Molnar's layout with 2 and 6.
  let direct2, direct6, indirect2, indirect6: Measured
  /// `mapped[k - 1]`: k of six behind pointers.
  let mapped: [Measured]
  /// Variables that are in no cache near the processor.
  let coldDirect, coldMapped, coldIndirect: Measured
  /// Atoms that call getppid with six arguments.
  let callDirect, callMapped, callIndirect: Measured

  /// Syslets whose variables fill 48 MiB.
  static let coldDepth = 4096

  /// - Parameter coldDepth: Fewer for tests, whose caches then are not cold.
  static func measure(_ shape: Contest.Shape, coldDepth: Int = ParameterTimes.coldDepth) throws(Failure) -> ParameterTimes {
    let forms = FetchRunner.Form.allCases
    let fetched = try Contest(title: "fetch alone", shape: shape).measure(forms.map { FetchRunner($0) })

    func contestant(_ form: ParametersWorkload.Form, _ parameters: Int) throws(Failure) -> any Contestant {
      let workload = ParametersWorkload(form, parameters: parameters, depth: 1)
      return try WorkloadContestant(workload.variant, workload, on: .inline, depth: 1)
    }
    var hot = [try contestant(.direct(pointers: 0), 2), try contestant(.direct(pointers: 0), 6)]
    for pointers in 1...ParametersWorkload.parametersMax { hot.append(try contestant(.direct(pointers: pointers), 6)) }
    hot += [try contestant(.indirect, 2), try contestant(.indirect, 6)]
    let warm = perAtom(try Contest(title: "parameters", shape: shape).measure(hot))

    var cold: [any Contestant] = []
    for form in [ParametersWorkload.Form.direct(pointers: 0), .direct(pointers: 6), .indirect] {
      let workload = ParametersWorkload(form, parameters: 6, depth: coldDepth, isScattered: true)
      cold.append(try WorkloadContestant(workload.variant, workload, on: .inline, depth: coldDepth))
    }
    let scattered = perAtom(try Contest(title: "scattered parameters", shape: shape).measure(cold))

    var calling: [any Contestant] = []
    for form in [ArgumentsWorkload.Form.direct, .pmap, .indirect] {
      calling.append(try WorkloadContestant(form.rawValue, ArgumentsWorkload(form, depth: 1), on: .inline, depth: 1))
    }
    let calls = perAtom(try Contest(title: "getppid", shape: shape).measure(calling))

    return ParameterTimes(
      fetch: Dictionary(uniqueKeysWithValues: zip(forms, fetched)), direct2: warm[0], direct6: warm[1], indirect2: warm[8],
      indirect6: warm[9], mapped: Array(warm[2...7]), coldDirect: scattered[0], coldMapped: scattered[1], coldIndirect: scattered[2],
      callDirect: calls[0], callMapped: calls[1], callIndirect: calls[2])
  }

  /// Both workloads have 32 atoms.
  private static func perAtom(_ syslets: [Measured]) -> [Measured] {
    syslets.map { measured in
      Measured(name: measured.name, repeats: measured.repeats.map { $0 / Double(ParametersWorkload.atomCount) })
    }
  }
}

enum ParameterQuestions {
  static let indirectionTitle = "1. An indirection for every parameter"
  static let layoutTitle = "3. A count of parameters, and arguments in the atom"
  static let mapTitle = "4. A bitmap of what is indirect"

  private static let six = ParametersWorkload.parametersMax

  static func indirection(_ times: ParameterTimes) -> Finding {
    var finding = Finding(
      indirectionTitle,
      asked: "Why does an atom hold pointers to its arguments? What does the extra load cost, and what does copying direct ones cost?")
    var table = FindingTable(
      "ns per atom with six parameters: median (min–max); differences are paired",
      ["", "direct", "pmap, all six", "syslet_uatom", "per indirection, pmap", "per indirection, uatom"])
    let fetch = times.fetch
    let rows: [(String, Measured, Measured, Measured)] = [
      ("the fetch alone", fetch[.parameters]!, fetch[.mapped]!, fetch[.indirect]!),
      ("engine, umem_add, variables in the L1 cache", times.direct6, times.mapped[5], times.indirect6),
      ("engine, umem_add, variables beyond the L2 cache", times.coldDirect, times.coldMapped, times.coldIndirect),
      ("engine, getppid, variables in the L1 cache", times.callDirect, times.callMapped, times.callIndirect),
    ]
    for (name, direct, mapped, indirect) in rows {
      table.add(
        name, Text.spread(direct.summary), Text.spread(mapped.summary), Text.spread(indirect.summary),
        Text.spread(mapped.difference(to: direct, per: six)), Text.spread(indirect.difference(to: direct, per: six)))
      finding.figures += [
        Figure("\(name): direct", "ns per atom", direct.summary), Figure("\(name): pmap", "ns per atom", mapped.summary),
        Figure("\(name): indirect", "ns per atom", indirect.summary),
        Figure("\(name): one indirection, pmap", "ns", mapped.difference(to: direct, per: six)),
        Figure("\(name): one indirection, indirect", "ns", indirect.difference(to: direct, per: six)),
      ]
    }
    finding.tables = [table]
    let hot = times.indirect6.difference(to: times.direct6, per: six).median
    let cold = times.coldIndirect.difference(to: times.coldDirect, per: six).median
    let copy = times.direct6.difference(to: times.direct2, per: 4)
    let share = times.callIndirect.ratio(to: times.callDirect).median - 1
    finding.figures.append(Figure("copying one direct argument", "ns", copy))
    finding.words = [
      "An indirection costs \(Text.significant(hot)) ns per argument when the variable is in the L1 cache, and \(Text.significant(cold)) ns "
        + "when it is beyond the L2 (a cache line of its own in \(Text.bytes(ParametersWorkload.scatteredBytes(depth: ParameterTimes.coldDepth)))"
        + "). Six of them change the time of the cheapest real call, getppid, by \(Text.percent(share)). Copying a direct argument costs "
        + "\(Text.significant(copy.median)) ns (\(Text.significant(copy.min)) to \(Text.significant(copy.max))): it lies in the atom, which is "
        + "fetched anyway.",
      "Only what one call gives to the next needs a variable. For everything else the indirection buys nothing, and it costs most where "
        + "many syslets are in flight and none of their variables is warm.",
    ]
    return finding
  }

  static func layout(_ times: ParameterTimes) -> Finding {
    var finding = Finding(
      layoutTitle,
      asked: "With `nparams` and direct `args`, is the atom larger, or slower?")
    var sizes = FindingTable(
      "bytes on this machine", ["", "atom", "head, result, next", "arguments", "user's word"])
    let (direct, indirect) = unsafe (MemoryLayout<Atom>.stride, MemoryLayout<IndirectAtom>.stride)
    let (directArguments, indirectArguments) = unsafe (
      MemoryLayout<Atom>.offset(of: \.args)!, MemoryLayout<IndirectAtom>.offset(of: \.arg_ptr)!
    )
    sizes.add("syslet_atom (nparams, pmap, args)", "\(direct)", "\(directArguments)", "48", "8")
    sizes.add("syslet_uatom (arg_ptr)", "\(indirect)", "\(indirectArguments)", "48", "8")
    var table = FindingTable("ns per atom on the engine, umem_add", ["parameters", "direct", "syslet_uatom", "direct / uatom"])
    for (count, direct, indirect) in [("2", times.direct2, times.indirect2), ("6", times.direct6, times.indirect6)] {
      table.add(count, Text.spread(direct.summary), Text.spread(indirect.summary), Text.spread(direct.ratio(to: indirect)))
      finding.figures += [
        Figure("direct, \(count) parameters", "ns per atom", direct.summary),
        Figure("indirect, \(count) parameters", "ns per atom", indirect.summary),
        Figure("direct / indirect, \(count) parameters", "×", direct.ratio(to: indirect)),
      ]
    }
    finding.tables = [sizes, table]
    let (six, counted) = (times.fetch[.six]!, times.fetch[.parameters]!)
    let counting = counted.difference(to: six)
    finding.figures.append(Figure("looking at nparams, fetch alone", "ns per atom", counting))
    let ratio = times.direct6.ratio(to: times.indirect6).median
    finding.words = [
      "\(direct == indirect ? "Not larger: both are \(direct) bytes" : "The sizes differ: \(direct) and \(indirect) bytes"). A count and a "
        + "bitmap of one byte each fit where the call's number has bits to spare, and six words are as long as six pointers. (On 32 bits "
        + "it would be larger, for args is u64 there too.)",
      "\(ratio <= 1.02 ? "Not slower" : "Slower here"): with six parameters a direct atom takes \(Text.significant(ratio)) of the time of "
        + "an indirect one. Looking at nparams instead of copying all six words costs \(Text.significant(counting.median)) ns per atom. "
        + "Molnar's list saves work when it ends early, and so does the count.",
    ]
    return finding
  }

  static func map(_ times: ParameterTimes) -> Finding {
    var finding = Finding(
      mapTitle,
      asked: "Does `pmap` cost anything over a purely direct form when it is 0, and how much per pointer?")
    var table = FindingTable(
      "ns per atom with six parameters, umem_add on the engine",
      ["pointers among them", "ns per atom", "more than with none", "per pointer"])
    let none = times.direct6
    table.add("0", Text.spread(none.summary), "", "")
    for (index, mapped) in times.mapped.enumerated() {
      let (more, each) = (mapped.difference(to: none), mapped.difference(to: none, per: index + 1))
      table.add("\(index + 1)", Text.spread(mapped.summary), Text.spread(more), Text.spread(each))
      finding.figures.append(Figure("\(index + 1) of 6 behind pointers, more than with none", "ns per atom", more))
    }
    var alone = FindingTable("ns per atom, the fetch alone", ["", "ns per atom"])
    for form in FetchRunner.Form.allCases {
      alone.add(form.rawValue, Text.spread(times.fetch[form]!.summary))
      finding.figures.append(Figure("fetch alone: \(form.rawValue)", "ns per atom", times.fetch[form]!.summary))
    }
    finding.tables = [table, alone]
    let unused = times.fetch[.map]!.difference(to: times.fetch[.parameters]!)
    finding.figures.append(Figure("looking at a pmap that is 0, fetch alone", "ns per atom", unused))
    let first = times.mapped[0].difference(to: none).median
    let further = times.mapped[5].difference(to: times.mapped[0], per: 5).median
    finding.words = [
      "A `pmap` of 0 costs \(Text.significant(unused.median)) ns per atom over code that does not know it (\(Text.significant(unused.min)) to "
        + "\(Text.significant(unused.max))): one comparison that is always predicted. The first bit that is set costs "
        + "\(Text.significant(first)) ns on the engine, which then notes where arguments came from, each further one \(Text.significant(further)) ns.",
      "So the cost falls only on those who ask for it, which is what Libenzi wanted.",
    ]
    return finding
  }
}
