// The report as JSON, schema 1. Field names are fixed; more may be added.

internal import CSysletBench
internal import SysletRing

enum JSONReport {
  static func text(_ report: Report) -> String { value(report).text }

  static func value(_ report: Report) -> JSON {
    .object([
      ("schema", .integer(1)),
      ("command", .string(report.command)),
      ("started", .string(report.started)),
      ("environment", environment(report)),
      ("results", .array(report.rows.map { row($0, subject: report.subject(of: $0)) })),
      ("ratios", .array(report.ratios.map(ratio))),
      ("ratio_spread", .string("95 % bootstrap interval of the median of paired repeats")),
      ("skipped", .array(report.skips.map(skip))),
      ("notices", .array(report.notices.map(JSON.string))),
    ])
  }

  private static func skip(_ skip: Skip) -> JSON {
    .object(
      [("workload", .string(skip.workload)), ("reason", .string(skip.reason))]
        + (skip.backend.map { [("backend", .string($0.rawValue))] } ?? []))
  }

  static func environment(_ report: Report) -> JSON {
    let environment = report.environment
    return .object([
      ("kernel", .string(environment.kernel)), ("cpu", .string(environment.cpu)), ("cpus", .integer(environment.cpus)),
      ("swift", .string(environment.swift)), ("liburing", .string(environment.liburing)),
      ("filesystem", .string(environment.filesystem)), ("io_uring", .string(environment.ioUring)),
      ("commit", .string(environment.commit)), ("build", .string(environment.build)), ("quick", .bool(report.isQuick)),
      ("seed", .integer(Int(truncatingIfNeeded: report.seed))),
    ])
  }

  private static func row(_ row: Row, subject: String) -> JSON {
    let time = row.time
    let latency = row.latency
    var members: [(String, JSON)] = [
      ("workload", .string(row.workload)), ("variant", .string(row.variant)), ("backend", .string(row.backend.rawValue)),
      ("depth", .integer(row.depth)), ("atoms", .integer(row.atoms)), ("bytes", .integer(row.bytes)),
      ("on", .string(subject)), ("syslets", .integer(row.syslets)),
      ("repeats_ns_per_syslet", .array(row.repeats.map(JSON.number))),
    ]
    members.append(
      ("ns_per_syslet", numbers([("median", time.median), ("min", time.min), ("max", time.max)])))
    members.append(("cpu_ns_per_syslet", .number(row.cpuPerSyslet)))
    members.append(
      (
        "latency_ns",
        integers([
          ("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p999", latency.p999), ("max", latency.max),
        ])
      ))
    members.append(("per_syslet", .object(Proof.fields.map { ($0.name, count($0.path, of: row)) })))
    members.append(("checked", .bool(row.isChecked)))
    if let problem = row.problem { members.append(("problem", .string(problem))) }
    return .object(members)
  }

  private static func numbers(_ values: [(String, Double)]) -> JSON { .object(values.map { ($0.0, .number($0.1)) }) }

  private static func integers(_ values: [(String, UInt64)]) -> JSON {
    .object(values.map { ($0.0, .integer(Int(clamping: $0.1))) })
  }

  private static func count(_ path: KeyPath<Proof, Int>, of row: Row) -> JSON {
    // Not counted is not the same as none.
    path == \Proof.allocations && !syslet_bench_counts_allocations() ? .null : .number(row.perSyslet(path))
  }

  private static func ratio(_ ratio: Ratio) -> JSON {
    .object([
      ("workload", .string(ratio.workload)), ("variant", .string(ratio.variant)), ("depth", .integer(ratio.depth)),
      ("backend", .string(ratio.backend.rawValue)), ("to", .string(ratio.to.rawValue)), ("median", .number(ratio.median)),
      ("low", .number(ratio.low)), ("high", .number(ratio.high)),
    ])
  }
}
