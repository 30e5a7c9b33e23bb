// The report as CSV: one line per row of the results, numbers as in the JSON.

internal import SysletRing

enum CSVReport {
  static func text(_ report: Report) -> String {
    let baseline = report.baseline
    let header =
      [
        "workload", "variant", "backend", "depth", "atoms", "bytes", "ns_per_syslet_median", "ns_per_syslet_min",
        "ns_per_syslet_max", "cpu_ns_per_syslet", "latency_ns_p50", "latency_ns_p90", "latency_ns_p99", "latency_ns_p999",
        "latency_ns_max",
      ] + Proof.fields.map(\.name) + ["compared_with", "ratio_median", "ratio_low", "ratio_high", "checked"]
    let lines = report.rows.map { row in
      let ratio = baseline.flatMap { report.ratio(of: row, to: $0) }
      let latency = row.latency
      let names = [row.workload, row.variant, row.backend.rawValue].map(field)
      let counts = [row.depth, row.atoms, row.bytes].map(String.init)
      let times = [row.time.median, row.time.min, row.time.max, row.cpuPerSyslet].map { "\($0)" }
      let latencies = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(String.init)
      let proof = Proof.fields.map { "\(row.perSyslet($0.path))" }
      let comparison = ratio.map { [$0.to.rawValue, "\($0.median)", "\($0.low)", "\($0.high)"] } ?? ["", "", "", ""]
      return names + counts + times + latencies + proof + comparison + ["\(row.isChecked)"]
    }
    return ([header] + lines).map { $0.joined(separator: ",") + "\r\n" }.joined()
  }

  /// RFC 4180: quoted where it must be.
  static func field(_ text: String) -> String {
    guard text.contains(where: { ",\"\r\n".contains($0) }) else { return text }
    return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}
