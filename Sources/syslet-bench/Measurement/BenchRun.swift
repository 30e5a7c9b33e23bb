// A whole run: prepares, measures cell after cell, prints as it goes, writes the files, and leaves nothing behind.

internal import Glibc
internal import SysletRing

enum BenchRun {
  static func perform(_ asked: RunPlan) throws(Failure) {
    var plan = asked
    try plan.outputs.check()
    let notices = try EngineMaker.adapt(&plan)
    for notice in notices { Console.complain(notice) }
    if Environment.isDebugBuild { Console.complain("this is a debug build: its figures mean little. Build with -c release") }
    Limits.raiseDescriptors()
    // A reader that goes away (`| head`) must not end the process before its scratch folder is removed.
    signal(SIGPIPE, SIG_IGN)
    // Nor must a limit on file sizes: without the signal it is an error like a full disk.
    signal(SIGXFSZ, SIG_IGN)
    try Interrupt.note()

    let scratch = try Scratch(in: plan.scratch)
    defer { scratch.remove() }
    let inputs = Inputs(
      scratch: scratch, isScratchExplicit: plan.scratch != nil, tree: plan.tree, seed: plan.seed, scale: plan.scale)
    var report = Report(
      command: Environment.command, started: Environment.now(), environment: Environment.current(scratch: scratch),
      isQuick: plan.isQuick, seed: plan.seed)
    report.notices = notices
    // A tree that does not exist is better refused now than after half of the workloads.
    if plan.tree != nil, plan.workloads.contains(where: \.usesTree) {
      _ = try inputs.tree()
    }
    show(TableReport.heading(report))

    var failure: Failure?
    do throws(Failure) {
      try measure(plan, inputs, into: &report)
    } catch {
      failure = error
      report.notices.append(error.description)
    }
    show(TableReport.footing(report))
    try plan.outputs.write(report)
    try conclude(report, failure)
  }

  private static func measure(_ plan: RunPlan, _ inputs: Inputs, into report: inout Report) throws(Failure) {
    var progress = Progress(total: plan.workloads.reduce(0) { $0 + $1.variants.count } * plan.depths.count)
    defer { progress.clear() }
    for description in plan.workloads {
      for variant in description.variants {
        let firstRow = report.rows.count
        // Also when it is interrupted: what has been measured is shown.
        defer {
          progress.clear()
          show(TableReport.group(Array(report.rows[firstRow...]), in: report))
        }
        for depth in plan.depths {
          progress.begin("\(description.name) depth \(depth): prepares")
          do throws(Failure) {
            let workload = try variant.make(inputs, depth: depth)
            report.subjects[Report.subjectKey(description.name, workload.variant)] = workload.subject
            let obstacles = plan.backends.map { (backend: $0, reason: workload.obstacle(on: $0)) }
            for case (let backend, let reason?) in obstacles {
              note(Skip(workload: description.name, backend: backend, reason: reason), in: &report, progress)
            }
            let cell = Cell(
              name: description.name, workload: workload, depth: depth, backends: obstacles.filter { $0.reason == nil }.map(\.backend),
              repeatNanoseconds: plan.seconds / Double(plan.repeats) * 1e9, repeats: plan.repeats)
            try cell.measure(into: &report, progress: progress)
          } catch {
            guard case .skipped(let reason) = error else { throw error }
            note(Skip(workload: description.name, reason: reason), in: &report, progress)
          }
        }
      }
    }
  }

  private static func note(_ skip: Skip, in report: inout Report, _ progress: borrowing Progress) {
    guard !report.skips.contains(skip) else { return }
    report.skips.append(skip)
    progress.clear()
    Console.complain("\(skip.name) is skipped: \(skip.reason)")
  }

  /// The exit code's reason, the gravest first.
  static func conclude(_ report: Report, _ failure: Failure?) throws(Failure) {
    let wrong = report.rows.compactMap { row in
      row.problem.map { "\(row.workload) \(row.variant) on \(row.backend.rawValue), depth \(row.depth): \($0)" }
    }
    for problem in wrong { Console.complain(problem) }
    if let failure { throw failure }
    if !wrong.isEmpty { throw Failure.wrongResult("\(wrong.count) of \(report.rows.count) rows have wrong results") }
    if report.rows.isEmpty, let skip = report.skips.first { throw Failure.machine("\(skip.name) cannot run here: \(skip.reason)") }
  }

  private static func show(_ lines: [String]) {
    for line in lines { print(line) }
    // A terminal shows lines at once; a pipe would show nothing before the end.
    fflush(nil)
  }
}
