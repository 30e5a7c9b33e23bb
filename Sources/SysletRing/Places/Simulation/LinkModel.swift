// Which results sever a link, as several kernels do it. Written for the simulation alone, from docs/TRANSLATION.md: it shares nothing with
// the tables by which the engine links, so that a mistake has to be made twice to go unnoticed.

internal import CLiburing

/// How a simulated kernel's links behave.
enum LinkModel: String, CaseIterable {
  /// Before Linux 6.0: every failure severs.
  case old
  /// Linux 6.x: a failing fsync, rename, statx and others let the next call run.
  case modern
  /// Severs whenever something is less than asked for. No kernel does, and an engine that obeys L1 must live with it.
  case strict

  /// Whether a soft link behind `sqe` severs on `result`.
  func severs(_ sqe: syslet_sqe, _ result: Int) -> Bool {
    let opcode = Int(sqe.opcode)
    if opcode == SYSLET_OP_TIMEOUT {
      return result != -Self.timedOut || sqe.op_flags & UInt32(SYSLET_TIMEOUT_ETIME_SUCCESS) == 0
    }
    if result < 0 { return self != .modern || !Self.runOn.contains(opcode) }
    guard sqe.len > 0 else { return false }
    switch opcode {
    case SYSLET_OP_READ, SYSLET_OP_WRITE, SYSLET_OP_SPLICE, SYSLET_OP_TEE: return result != Int(sqe.len)
    case SYSLET_OP_RECV, SYSLET_OP_SEND:
      let waitsForAll = sqe.op_flags & 0x100 != 0
      return (waitsForAll || self == .strict) && result != Int(sqe.len)
    default: return false
    }
  }

  /// What a self-test would find on this kernel.
  var findings: Severing { Self.allFindings[self]! }

  /// Made once: tables are never freed.
  private static let allFindings = Dictionary(uniqueKeysWithValues: allCases.map { ($0, $0.makeFindings()) })

  private func makeFindings() -> Severing {
    let severing = Severing.empty()
    severing.support(Int16(SYSLET_OP_SEND_ZC))
    for row in Operation.ringRows {
      severing.support(row.opcode)
      let isFound = self != .modern || !Self.runOn.contains(Int(row.opcode))
      severing.confirm(isFound ? row.form.severingResultsMax : [], for: row.opcode)
    }
    return severing
  }

  private static let timedOut = 62

  private static let runOn: Set<Int> = [
    SYSLET_OP_FSYNC, SYSLET_OP_SYNC_FILE_RANGE, SYSLET_OP_FALLOCATE, SYSLET_OP_FTRUNCATE, SYSLET_OP_STATX, SYSLET_OP_UNLINKAT,
    SYSLET_OP_RENAMEAT, SYSLET_OP_MKDIRAT, SYSLET_OP_SYMLINKAT, SYSLET_OP_LINKAT, SYSLET_OP_SETXATTR, SYSLET_OP_FSETXATTR,
    SYSLET_OP_GETXATTR, SYSLET_OP_FGETXATTR, SYSLET_OP_MADVISE, SYSLET_OP_SHUTDOWN,
  ]
}
