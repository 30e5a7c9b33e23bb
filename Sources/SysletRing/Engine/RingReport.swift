// What this machine's io_uring can do, for `syslet-bench doctor` and for programs that want to know beforehand.

internal import CLiburing

/// What one operation of the table is on this machine.
public struct OperationReport: Sendable {
  /// The system call's name.
  public var name: String
  /// The io_uring operation code that does the same.
  public var opcode: Int
  /// This kernel's ring takes the operation.
  public var isSupported: Bool
  /// The ring always hands it to a kernel worker.
  public var isPunted: Bool
  /// The results on which the start-up self-test saw a soft link sever.
  public var severs: ResultClasses
  /// The results on which a soft link severs on the reference kernel (`RingReport.referenceKernel`), as far as a test can provoke them.
  public var reference: ResultClasses
  /// When the ring is not used although the operation exists, and what else is worth knowing.
  public var note: String

  /// This kernel has the operation, and its links sever otherwise than the reference kernel's.
  public var differsFromReference: Bool { isSupported && severs != reference }
}

/// What this machine's io_uring can do.
public struct RingReport: Sendable {
  /// Why io_uring cannot be used; nil when it can.
  public var unavailability: EngineError?
  /// The set-up flags that the kernel granted, such as "DEFER_TASKRUN".
  public var setupFlags: [String]
  /// The kernel's io_uring features, such as "EXT_ARG".
  public var features: [String]
  /// How many SQEs a ring with the default options has.
  public var sqEntries: Int
  /// The same, of CQEs.
  public var cqEntries: Int
  /// From so many calls at a time on, one enter of the ring costs less than as many system calls: measured at start-up.
  public var breakEvenCalls: Int
  /// The version of liburing that this was built with.
  public var liburing: String
  /// One report per system call that has an io_uring operation.
  public var operations: [OperationReport]

  /// The kernel whose behaviour `OperationReport.reference` is.
  public static let referenceKernel = "Linux 6.18"

  /// Opens a ring for a moment and looks.
  public static func current() -> RingReport {
    var report = unsafe RingReport(
      unavailability: nil, setupFlags: [], features: [], sqEntries: 0, cqEntries: 0, breakEvenCalls: 0,
      liburing: String(cString: syslet_liburing_version()), operations: [])
    var severing = Severing.none
    do {
      let options = SysletEngine.Options()
      let ring = try Ring.largest(entries: options.entries, completionEntries: options.completionEntries)
      defer { ring.close() }
      report.setupFlags = names(ring.facts.setup_flags, setupFlagNames)
      report.features = names(ring.facts.features, featureNames)
      report.sqEntries = Int(ring.facts.sq_entries)
      report.cqEntries = Int(ring.facts.cq_entries)
      severing = try SelfTest.severing()
      report.breakEvenCalls = PlainCosts.ringCallsMin
    } catch {
      report.unavailability = .ringUnavailable(call: error.call, errno: error.errno)
    }
    report.operations = Operation.ringRows.filter { $0.number >= 0 }.map { row in
      OperationReport(
        name: "\(row.name)", opcode: Int(row.opcode), isSupported: severing.isSupported(row.opcode),
        isPunted: row.traits.contains(.punted),
        severs: severing.confirmedResults(row.opcode).intersection(row.form.severingResultsMax),
        reference: Severing.reference.confirmedResults(row.opcode).intersection(row.form.severingResultsMax), note: "\(row.note)")
    }
    return report
  }

  private static func names(_ bits: UInt32, _ names: [String]) -> [String] {
    (0..<32).filter { bits & (1 << $0) != 0 }.map { $0 < names.count ? names[$0] : "bit \($0)" }
  }

  // By bit, as <linux/io_uring.h> has them.
  private static let setupFlagNames = [
    "IOPOLL", "SQPOLL", "SQ_AFF", "CQSIZE", "CLAMP", "ATTACH_WQ", "R_DISABLED", "SUBMIT_ALL", "COOP_TASKRUN", "TASKRUN_FLAG", "SQE128",
    "CQE32", "SINGLE_ISSUER", "DEFER_TASKRUN", "NO_MMAP", "REGISTERED_FD_ONLY", "NO_SQARRAY", "HYBRID_IOPOLL", "CQE_MIXED",
  ]
  private static let featureNames = [
    "SINGLE_MMAP", "NODROP", "SUBMIT_STABLE", "RW_CUR_POS", "CUR_PERSONALITY", "FAST_POLL", "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG",
    "NATIVE_WORKERS", "RSRC_TAGS", "CQE_SKIP", "LINKED_FILE", "REG_REG_RING", "RECVSEND_BUNDLE", "MIN_TIMEOUT", "RW_ATTR", "NO_IOWAIT",
  ]
}
