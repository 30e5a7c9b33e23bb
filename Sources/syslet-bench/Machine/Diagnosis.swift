// What the doctor finds, as text and as JSON.

internal import SysletRing

struct Diagnosis {
  let kernel: String
  let cpus: Int
  let limits: [Limits.Limit]
  /// /proc/sys/kernel/io_uring_disabled: 0 allowed, 1 for privileged processes only, 2 for nobody. nil on kernels without it.
  let disabledSysctl: String?
  /// The `Seccomp` line of /proc/self/status: 0 none, 1 strict, 2 a filter.
  let seccomp: String?
  let ring: RingReport

  var isRingAvailable: Bool { ring.unavailability == nil }

  static func current() -> Diagnosis {
    Diagnosis(
      kernel: Environment.kernel(), cpus: Limits.cpus(), limits: Limits.all(),
      disabledSysctl: textOfFile("/proc/sys/kernel/io_uring_disabled").map { String($0.prefix { $0 != "\n" }) },
      seccomp: seccompMode(status: textOfFile("/proc/self/status") ?? ""), ring: RingReport.current())
  }

  static func seccompMode(status: String) -> String? {
    for line in status.split(separator: "\n") where line.hasPrefix("Seccomp:") {
      return String(line.dropFirst("Seccomp:".count).drop(while: \.isWhitespace))
    }
    return nil
  }

  // MARK: text

  var lines: [String] {
    var lines = [
      "io_uring   " + (ring.unavailability.map { "not available. \($0)" } ?? "available"),
      "kernel     \(kernel), \(cpus) processors",
      "liburing   \(ring.liburing)",
      "sysctl     kernel.io_uring_disabled " + (disabledSysctl.map { "\($0) (\(Self.meaning(sysctl: $0)))" } ?? "does not exist here"),
      "seccomp    " + (seccomp.map { "\($0) (\(Self.meaning(seccomp: $0)))" } ?? "unknown"),
    ]
    for limit in limits {
      lines.append("limit      \(limit.name) \(Limits.Limit.text(limit.soft)), at most \(Limits.Limit.text(limit.hard))")
    }
    guard isRingAvailable else { return lines }
    lines += [
      "ring       \(ring.sqEntries) submission entries, \(ring.cqEntries) completion entries",
      "batches    from \(ring.breakEvenCalls) calls at a time on, an enter of the ring costs less than as many system calls",
      "set-up     " + ring.setupFlags.joined(separator: " "),
    ]
    lines += Self.wrapped("features   ", ring.features, width: 100)
    lines.append("links      " + linkSummary)
    let lacking = ring.operations.filter { !$0.isSupported }.map(\.name)
    if !lacking.isEmpty { lines += Self.wrapped("lacking    ", lacking, width: 100) }
    return lines + [""] + operationLines
  }

  /// The operations after which this kernel's links sever otherwise than the reference kernel's.
  private var differences: [String] { ring.operations.filter(\.differsFromReference).map(\.name) }

  private var linkSummary: String {
    differences.isEmpty
      ? "sever as on the reference kernel (\(RingReport.referenceKernel))"
      : "sever otherwise than on the reference kernel (\(RingReport.referenceKernel)) after \(differences.count) operations, marked ≠ below"
  }

  private var operationLines: [String] {
    let nameWidth = max(9, ring.operations.map(\.name.count).max() ?? 0)
    let severWidth = max(22, ring.operations.map(\.severs.description.count).max() ?? 0)
    var lines = [
      "operation".padded(nameWidth) + "  opcode  supported  punted  " + "severs a soft link on".padded(severWidth) + "  note"
    ]
    for operation in ring.operations {
      let difference = operation.differsFromReference ? "≠ the reference's \(operation.reference)" : ""
      let note = [difference, operation.note].filter { !$0.isEmpty }
      lines.append(
        [
          operation.name.padded(nameWidth), "\(operation.opcode)".leftPadded(6), (operation.isSupported ? "yes" : "no").padded(9),
          (operation.isPunted ? "yes" : "").padded(6),
          (operation.isSupported ? operation.severs.description : "").padded(severWidth), note.joined(separator: "; "),
        ].joined(separator: "  "))
    }
    return lines.map { $0.withoutTrailing { $0 == " " } }
      + [
        "", "punted: always done by a kernel worker thread, at several times the cost of a plain call.",
        "zero and short: if more than 0 bytes were asked for; of recvfrom only with MSG_WAITALL.",
        "≠: this kernel severs otherwise than \(RingReport.referenceKernel), which docs/TRANSLATION.md describes; the engine goes by what it saw.",
      ]
  }

  private static func wrapped(_ label: String, _ words: [String], width: Int) -> [String] {
    var lines = [label]
    for word in words {
      if lines[lines.count - 1].count + word.count >= width { lines.append(String(repeating: " ", count: label.count)) }
      lines[lines.count - 1] += (lines[lines.count - 1].count > label.count ? " " : "") + word
    }
    return lines
  }

  private static func meaning(sysctl value: String) -> String {
    switch value {
    case "0": "everybody may use it"
    case "1": "only privileged processes and the group kernel.io_uring_group"
    case "2": "nobody may use it"
    default: "unknown"
    }
  }

  private static func meaning(seccomp value: String) -> String {
    switch value {
    case "0": "no filter"
    case "1": "strict"
    case "2": "a filter is installed, as in containers"
    default: "unknown"
    }
  }

  // MARK: JSON

  var json: JSON {
    .object([
      ("schema", .integer(1)),
      ("available", .bool(isRingAvailable)),
      ("reason", ring.unavailability.map { .string($0.description) } ?? .null),
      ("kernel", .string(kernel)), ("cpus", .integer(cpus)), ("liburing", .string(ring.liburing)),
      ("io_uring_disabled", disabledSysctl.map(JSON.string) ?? .null), ("seccomp", seccomp.map(JSON.string) ?? .null),
      (
        "limits",
        .object(limits.map { ($0.name, .object([("soft", Self.json($0.soft)), ("hard", Self.json($0.hard))])) })
      ),
      ("sq_entries", .integer(ring.sqEntries)), ("cq_entries", .integer(ring.cqEntries)),
      ("break_even_calls", .integer(ring.breakEvenCalls)),
      ("setup_flags", .array(ring.setupFlags.map(JSON.string))), ("features", .array(ring.features.map(JSON.string))),
      ("reference_kernel", .string(RingReport.referenceKernel)), ("differences", .array(differences.map(JSON.string))),
      ("operations", .array(ring.operations.map(Self.json))),
    ])
  }

  /// null: unlimited.
  private static func json(_ limit: UInt64) -> JSON { limit == .max ? .null : .integer(Int(clamping: limit)) }

  private static func json(_ operation: OperationReport) -> JSON {
    .object([
      ("name", .string(operation.name)), ("opcode", .integer(operation.opcode)), ("supported", .bool(operation.isSupported)),
      ("punted", .bool(operation.isPunted)), ("severs", .string(operation.severs.description)),
      ("reference", .string(operation.reference.description)),
      ("as_expected", .bool(!operation.differsFromReference)), ("note", .string(operation.note)),
    ])
  }
}
