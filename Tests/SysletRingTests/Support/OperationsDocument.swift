// docs/OPERATIONS.md, generated from the operation table.

import CLiburing
import Foundation
import Glibc

@testable import SysletRing
@testable import struct SysletRing.Operation

enum OperationsDocument {
  /// The package's root, from where this file lies in it.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  static let url = root.appendingPathComponent("docs/OPERATIONS.md")

  static func generated() -> String {
    let rows = Operation.ringRows
    return """
      # Operations

      Generated from `OperationTable.swift` and `PlainRows.swift` in `Sources/SysletRing/Operations` by `UPDATE_DOCS=1 scripts/test --filter
      OperationsDocument`; a test holds both equal. `syslet-bench doctor` prints what the machine at hand really does.

      Every system call can be an atom. This page has those of which the engine knows more than their number: which of them io_uring can do, which run
      inline because they never block, which may wait or are about the thread that makes them, and which are refused. A call that is not here runs on
      a worker, or inline on the backend `inline`. Where the ring would do something else than
      the system call, the call is made plainly: the ring never changes a result.

      ## Calls that io_uring has (\(rows.count))

      - *severs*: the results on which a soft link behind the call severs, by the reference behaviour; the self-test at start-up may take
        classes away, for a failing fsync takes nothing with it on current kernels. A stop on any other result cuts the chain.
      - *results*: the kinds of result that the call can give: "complete" is a positive result that is not short.
      - *on the ring for*: what the call's descriptor names, and what it must not have set, for the ring to be known to answer as the system call
        does. "any" means that the descriptor does not matter, "–" that the call never goes to the ring. Everything else is made plainly: tried
        without waiting and parked in an epoll where it waits for another party, else in place or by a worker; `explain` says why.
      - *place*: "ring"; "punted" when io_uring always hands the call to a kernel worker, which costs more than a plain call; "plain" when the call
        never goes to the ring, though io_uring has it; "inline" when it never blocks, so that it is made where it is met.

      | system call | io_uring operation | on the ring for | place | results | severs | notes |
      | --- | --- | --- | --- | --- | --- | --- |
      \(rows.map(ringLine).joined(separator: "\n"))

      ## Calls that run inline (\(Operation.inlineRows.count))

      They have no operation and never block for long, so handing them anywhere would cost more than making them.

      \(list(Operation.inlineRows))

      \(notes(Operation.inlineRows))

      ## Calls that may wait for another party (\(Operation.waitingRows.count))

      They have no operation. At most `Options.maxWorkers` workers are at calls that wait at the same time, and others serve the rest meanwhile.

      \(list(Operation.waitingRows))

      \(notes(Operation.waitingRows))

      ## Calls that wait with a signal mask (\(Operation.signalMaskRows.count))

      Given a mask they are refused with `-EPERM`: on a worker it would shut out the signal that interrupts the call. Without one they wait for another
      party as those above do.

      \(list(Operation.signalMaskRows))

      ## Calls about the thread that makes them (\(Operation.ownThreadRows.count))

      The owner's thread makes them where they are met, on every backend, if their arguments make them such calls; `clock_gettime` with the
      thread's own clock, `wait4` and `waitid` with `__WNOTHREAD` and `futex` on a PI lock too. What would have to wait there is refused.

      | system call | notes |
      | --- | --- |
      \(Operation.ownThreadRows.map { "| `\($0.name)` | \($0.note) |" }.joined(separator: "\n"))

      ## Calls that are refused (\(Operation.refusedRows.count))

      They give `-EPERM` before they run: they end, copy or replace the process, or only make sense on the thread that makes them.

      \(list(Operation.refusedRows))

      ## Pseudo calls

      | call | number | meaning |
      | --- | --- | --- |
      | `umem_add(long *ptr, long inc)` | \(umemAdd) | adds `inc` to the word at `ptr`, stores and returns the new value; a bad pointer gives `-EFAULT` |
      | `nop()` | \(noOperation) | does nothing and gives 0: `IORING_OP_NOP` on the ring, `getppid` elsewhere |

      ## Where it runs

      `io_uring_setup` fails for different reasons with different cures. The backend `ring` throws them, `automatic` runs on threads and keeps
      the reason in `ringUnavailability`.

      \([EPERM, ENOSYS, ENOMEM].map(refusal).joined(separator: "\n"))

      """
  }

  private static func ringLine(_ row: Operation) -> String {
    let operation = row.encoding == .futex ? "FUTEX_WAIT, FUTEX_WAKE" : names[Int(row.opcode)] ?? "operation \(row.opcode)"
    let isInline = row.traits.contains(.neverBlocks)
    let kinds = isInline ? "–" : known(row.knowledge)
    let place = isInline ? "inline" : kinds == "–" ? "plain" : row.traits.contains(.punted) ? "punted" : "ring"
    return "| `\(row.name)` | \(operation) | \(kinds) | \(place) | \(row.results) | \(severs(row)) | \(row.note) |"
  }

  private static func known(_ knowledge: RingKnowledge) -> String {
    guard knowledge.dependsOnDescriptor else { return "any" }
    guard !knowledge.kinds.isEmpty else { return "–" }
    let kinds = knowledge.kinds.list.map(\.word).joined(separator: ", ")
    return knowledge.states.isEmpty ? kinds : "\(kinds); not with \(knowledge.states)"
  }

  private static func severs(_ row: Operation) -> String {
    switch row.links {
    case .failure: "negative"
    case .transfer: "negative; zero and short if the length is not 0"
    case .vectorTransfer: "negative and short"
    case .message: "negative; zero and short with `MSG_WAITALL`"
    }
  }

  private static func list(_ rows: [Operation]) -> String {
    var lines: [String] = []
    var line = ""
    for (position, row) in rows.enumerated() {
      let word = "`\(row.name)`" + (position + 1 < rows.count ? "," : "")
      if !line.isEmpty, line.count + 1 + word.count > 120 {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? word : " \(word)"
    }
    return (lines + [line]).joined(separator: "\n")
  }

  private static func notes(_ rows: [Operation]) -> String {
    rows.filter { !"\($0.note)".isEmpty }.map { "- `\($0.name)`: \($0.note)" }.joined(separator: "\n")
  }

  private static func refusal(_ errno: Int32) -> String {
    "- \(EngineError.ringUnavailable(call: "io_uring_setup", errno: errno).description)."
  }

  /// The names of io_uring's operations, without `IORING_OP_`.
  private static let names: [Int: String] = [
    SYSLET_OP_NOP: "NOP", SYSLET_OP_READV: "READV", SYSLET_OP_WRITEV: "WRITEV", SYSLET_OP_FSYNC: "FSYNC",
    SYSLET_OP_POLL_ADD: "POLL_ADD", SYSLET_OP_SYNC_FILE_RANGE: "SYNC_FILE_RANGE", SYSLET_OP_SENDMSG: "SENDMSG",
    SYSLET_OP_RECVMSG: "RECVMSG", SYSLET_OP_TIMEOUT: "TIMEOUT", SYSLET_OP_ACCEPT: "ACCEPT", SYSLET_OP_CONNECT: "CONNECT",
    SYSLET_OP_FALLOCATE: "FALLOCATE", SYSLET_OP_OPENAT: "OPENAT", SYSLET_OP_CLOSE: "CLOSE", SYSLET_OP_STATX: "STATX",
    SYSLET_OP_READ: "READ", SYSLET_OP_WRITE: "WRITE", SYSLET_OP_FADVISE: "FADVISE", SYSLET_OP_MADVISE: "MADVISE",
    SYSLET_OP_SEND: "SEND", SYSLET_OP_RECV: "RECV", SYSLET_OP_OPENAT2: "OPENAT2", SYSLET_OP_EPOLL_CTL: "EPOLL_CTL",
    SYSLET_OP_SPLICE: "SPLICE", SYSLET_OP_TEE: "TEE", SYSLET_OP_SHUTDOWN: "SHUTDOWN", SYSLET_OP_RENAMEAT: "RENAMEAT",
    SYSLET_OP_UNLINKAT: "UNLINKAT", SYSLET_OP_MKDIRAT: "MKDIRAT", SYSLET_OP_SYMLINKAT: "SYMLINKAT", SYSLET_OP_LINKAT: "LINKAT",
    SYSLET_OP_FSETXATTR: "FSETXATTR", SYSLET_OP_SETXATTR: "SETXATTR", SYSLET_OP_FGETXATTR: "FGETXATTR",
    SYSLET_OP_GETXATTR: "GETXATTR", SYSLET_OP_SOCKET: "SOCKET", SYSLET_OP_WAITID: "WAITID", SYSLET_OP_FUTEX_WAIT: "FUTEX_WAIT",
    SYSLET_OP_FUTEX_WAKE: "FUTEX_WAKE", SYSLET_OP_FTRUNCATE: "FTRUNCATE", SYSLET_OP_BIND: "BIND", SYSLET_OP_LISTEN: "LISTEN",
    SYSLET_OP_EPOLL_WAIT: "EPOLL_WAIT", SYSLET_OP_PIPE: "PIPE",
  ]
}
