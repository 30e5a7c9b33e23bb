// A kernel at the system call's seam for tests of listings: it writes down what it is given, and says that each call has failed that can.

internal import CLiburing
internal import Glibc

final class RecordingKernel {
  private(set) var ring: Ring!
  /// The calls of the first enter that had any, since this was last emptied: each request's operation and its link flag.
  var submitted: [String] = []

  init(entries: Int) {
    // Unretained: whoever made the kernel keeps it until its engine is closed.
    let simulation = unsafe syslet_simulation(
      context: Unmanaged.passUnretained(self).toOpaque(),
      enter: { context, submit, _, _ in
        unsafe Int32(Unmanaged<RecordingKernel>.fromOpaque(context!).takeUnretainedValue().enter(Int(submit)))
      })
    ring = unsafe Ring(entries: entries, completionEntries: entries, simulation: simulation)
  }

  private func enter(_ count: Int) -> Int {
    let sqes = (0..<count).compactMap { _ in ring.takeSubmitted() }
    if submitted.isEmpty { submitted = sqes.filter { UserData.kind($0.user_data) == 0 }.map(Self.text) }
    var isSevered = false
    for sqe in sqes {
      // A no-op cannot fail, and its links count on that.
      let mayFail = Self.row(sqe)?.form.results.contains(.negative) ?? true
      let result = UserData.kind(sqe.user_data) != 0 || isSevered ? -ECANCELED : mayFail ? -EIO : 0
      precondition(ring.post(syslet_cqe(user_data: sqe.user_data, res: result, flags: 0)))
      isSevered = Int(sqe.flags) & SYSLET_SQE_LINK != 0 && result < 0 || Int(sqe.flags) & SYSLET_SQE_HARDLINK != 0 && isSevered
    }
    return count
  }

  private static func row(_ sqe: syslet_sqe) -> Operation? { Operation.ringRows.first { Int($0.form.opcode) == Int(sqe.opcode) } }

  private static func text(_ sqe: syslet_sqe) -> String {
    let flags = Int(sqe.flags)
    let link = flags & SYSLET_SQE_HARDLINK != 0 ? " IOSQE_IO_HARDLINK" : flags & SYSLET_SQE_LINK != 0 ? " IOSQE_IO_LINK" : ""
    return "\(row(sqe).map { Int($0.form.opcode) } ?? -1)\(link)"
  }

  /// The same of each atom of the submission that the head is in, by the listing; empty if the head is not the ring's.
  static func listed(_ explanation: Explanation) -> [String] {
    guard let head = explanation.lines.first, head.place == "ring" else { return [] }
    return explanation.lines.filter { $0.segment == head.segment }.map { line in
      let row = Operation.ringRows.first { "\($0.name)" == line.call }
      return "\(row.map { Int($0.form.opcode) } ?? -2)" + (line.sqeFlag.map { " \($0)" } ?? "")
    }
  }
}
