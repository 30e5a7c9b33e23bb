// The start-up self-test: which results sever a soft link on *this* kernel. Once per process, on a ring of its own.
//
// Each probe is a call that is made to fail (or to transfer less than asked) *inside its operation*, between two nops: hard-linked to the one
// before it, softly to the one behind it. What became of the second nop is the finding. The first tells whether the probe came to its
// operation at all: a failure while the SQE is prepared cancels the whole chain, the first nop included, and proves nothing; nor does a bad
// descriptor, which fails before the operation. Such failures sever on every kernel, while the operation's own may not
// (docs/TRANSLATION.md).
//
// Then waits are cancelled, each with a nop softly linked behind it: a cancellation goes other ways in the kernel than a failure, and the one
// of a futex severs nothing there.
//
// Unsafe fence: buffers and descriptors belong to the test. They are released once every CQE has been reaped; if one stays out past the
// deadline, they are left alone for good rather than freed under the kernel (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

enum SelfTest {
  /// What this process found. Made at the first use and kept; a test that could not be made is made again at the next.
  ///
  /// Reads and writes of `found`: any thread. Two threads may both make the test, and then one table of equal content is left unused.
  static func severing() throws(KernelError) -> Severing {
    if let table = Severing(kept: found.load(ordering: .acquiring)) { return table }
    let table = try runApart()
    // The release publishes the table's content to the acquire above.
    found.store(table.kept, ordering: .releasing)
    return table
  }

  private static let found = Atomic<UInt>(0)

  struct Probe {
    let opcode: Int
    let expected: ResultClasses
    let asked: Int
    let sqe: syslet_sqe
    /// The kernel may know the operation and not a flag that it is always made with: before 5.16, a time-out that severs nothing.
    var provesSupport: Bool { opcode == SYSLET_OP_TIMEOUT && sqe.op_flags & UInt32(SYSLET_TIMEOUT_ETIME_SUCCESS) != 0 }
    /// A bad descriptor is what this operation itself looks for.
    var isAboutDescriptors: Bool { opcode == SYSLET_OP_CLOSE || opcode == SYSLET_OP_POLL_ADD }
  }

  /// What became of a probe and of the nops around it; nil for what did not answer in time.
  private struct Finding {
    var before: Int?
    var result: Int?
    var after: Int?
  }

  private static let deadlineNanoseconds: Int64 = 1_000_000_000

  private final class Answer { var result: Result<Severing, KernelError> = .failure(KernelError(errno: EAGAIN)) }

  /// On a thread of its own: taking a ring down interrupts, with -EINTR, what its thread does next, and that may be a call of the program's. Where
  /// no thread can be started (RLIMIT_NPROC), that is the lesser evil.
  private static func runApart() throws(KernelError) -> Severing {
    let answer = Answer()
    let started = unsafe syslet_thread_run(
      { context in
        let answer = unsafe Unmanaged<Answer>.fromOpaque(context!).takeUnretainedValue()
        do throws(KernelError) { answer.result = .success(try SelfTest.run()) } catch { answer.result = .failure(error) }
        return nil
      }, Unmanaged.passUnretained(answer).toOpaque())
    if started == -EAGAIN { return try run() }
    guard started == 0 else { throw KernelError(call: "pthread_create", errno: -started) }
    return try answer.result.get()
  }

  /// The kernel may run the probes in any order: those that it passes to its workers come in the reverse one on Linux 6.1. So no probe may
  /// need another to come first; with `backwards`, a test sees to it.
  static func run(backwards: Bool = false) throws(KernelError) -> Severing {
    // Without its objects every probe would fail for a bad descriptor, and prove what is not so.
    let fixture = try Fixture()
    let ring = try Ring.largest(entries: 256, completionEntries: 512, entriesMin: 32)
    defer { ring.close() }
    let supported = ring.supportedOperations()
    let probes = fixture.probes().filter { supported[$0.opcode] }
    var results = [Int?](repeating: nil, count: probes.count * 3)
    var errno: Int32?
    var left = (backwards ? probes.indices.reversed() : Array(probes.indices))[...]
    // A ring that is small for want of memory takes them in several submissions.
    while !left.isEmpty, errno == nil {
      let batch = left.prefix(Int(ring.facts.sq_entries) / 3)
      left = left.dropFirst(batch.count)
      for index in batch {
        var chain = [syslet_sqe(), probes[index].sqe, syslet_sqe()]
        chain[0].opcode = UInt8(SYSLET_OP_NOP)
        chain[0].flags = UInt8(SYSLET_SQE_HARDLINK)
        chain[1].flags = UInt8(SYSLET_SQE_LINK)
        chain[2].opcode = UInt8(SYSLET_OP_NOP)
        for position in 0..<3 { chain[position].user_data = UInt64(index * 3 + position) }
        let isIssued = unsafe ring.issue(chain, 3)
        precondition(isIssued, "L2: the self-test's ring has no room for its probes")
      }
      errno = collect(ring, batch.count * 3, into: &results)
      // What has not answered may answer later, to whom it does not concern.
      if batch.contains(where: { results[$0 * 3..<$0 * 3 + 3].contains(nil) }) { break }
    }
    // Something did not answer: its memory must stay.
    if results.contains(nil) { _ = unsafe Unmanaged.passRetained(fixture) }
    // A ring that cannot be entered is none.
    if let errno { throw KernelError(call: "io_uring_enter", errno: errno) }

    let severing = Severing.empty()
    for operation in Operation.ringRows where supported[Int(operation.opcode)] { severing.support(operation.opcode) }
    for extra in Severing.extras where supported[Int(extra)] { severing.support(Int16(extra)) }
    for (index, probe) in probes.enumerated() {
      let finding = Finding(before: results[index * 3], result: results[index * 3 + 1], after: results[index * 3 + 2])
      note(finding, of: probe, in: severing)
      if probe.provesSupport, finding.result != -Int(ETIME) { severing.support(Int16(probe.opcode), false) }
    }
    let waits = fixture.waits().filter { supported[$0.opcode] }
    if !cancel(waits, on: ring, severing) { _ = unsafe Unmanaged.passRetained(fixture) }
    // A nop cannot fail, and a futex has two operations of which the table names the first.
    severing.confirm(.negative, for: Int16(SYSLET_OP_NOP))
    let futex = severing.confirmedResults(Int16(SYSLET_OP_FUTEX_WAIT))
      .intersection(severing.confirmedResults(Int16(SYSLET_OP_FUTEX_WAKE)))
    severing.confirm(futex, for: Int16(SYSLET_OP_FUTEX_WAIT))
    severing.confirm(futex, for: Int16(SYSLET_OP_FUTEX_WAKE))
    PlainCosts.noteBreakEven(breakEven(on: ring))
    return severing
  }

  /// So many calls at a time, and entering the ring once costs less than as many system calls. Some 100 µs.
  private static func breakEven(on ring: Ring) -> Int {
    func shortest(_ body: () -> Void) -> Int64 {
      (0..<8).map { _ in
        let begin = syslet_now()
        body()
        return syslet_now() - begin
      }.min()!
    }
    let calls: Int64 = 32
    let plain = shortest { for _ in 0..<calls { _ = syslet_call(SystemCall.getppid, 0, 0, 0, 0, 0, 0) } } / calls
    var nop = syslet_sqe()
    nop.opcode = UInt8(SYSLET_OP_NOP)
    for count in [4, 8, 16, 32] {
      let time = shortest {
        for _ in 0..<count { _ = unsafe ring.issue(&nop, 1) }
        _ = ring.enter(waitFor: count, nanoseconds: deadlineNanoseconds)
        ring.advance(ring.ready)
      }
      // What the engine does for a call on the ring takes that much longer than what it does for a plain one.
      if time + Int64(count) * 30 <= plain * Int64(count) { return count }
    }
    return 64
  }

  /// Adds what a probe proved to the table. The probes of an operation come in the order negative, short, zero.
  private static func note(_ finding: Finding, of probe: Probe, in severing: Severing) {
    let opcode = Int16(probe.opcode)
    let known = severing.confirmedResults(opcode)
    guard let before = finding.before, let result = finding.result, let after = finding.after else { return }
    let hasRun = before == 0 && (result != -Int(EBADF) || probe.isAboutDescriptors)
    let seen: ResultClasses = result < 0 ? .negative : result == 0 ? .zero : result < probe.asked ? .short : .complete
    let hasSevered = hasRun && seen == probe.expected && after == -Int(ECANCELED)
    // The kernel compares a transfer's result with its length: what severs on short severs on zero, which no write can be made to give.
    // Reads and recvs are probed for zero all the same, and one that does not hold takes both away.
    if probe.expected == .zero {
      if !hasSevered { severing.confirm(known.subtracting([.zero, .short]), for: opcode) }
    } else if hasSevered {
      severing.confirm(known.union(probe.expected == .short ? [.short, .zero] : probe.expected), for: opcode)
    }
  }

  /// Takes everything from an operation whose cancelled wait lets the next request run: a syslet that is cancelled stops there. False if
  /// something has not answered.
  private static func cancel(_ waits: [Probe], on ring: Ring, _ severing: Severing) -> Bool {
    for (index, wait) in waits.enumerated() {
      var chain = [wait.sqe, syslet_sqe()]
      chain[0].flags = UInt8(SYSLET_SQE_LINK)
      chain[0].user_data = UInt64(index * 2)
      chain[1].opcode = UInt8(SYSLET_OP_NOP)
      chain[1].user_data = UInt64(index * 2 + 1)
      let isIssued = unsafe ring.issue(chain, 2)
      precondition(isIssued, "L2: the self-test's ring has no room for its waits")
    }
    // A submission of its own: what is to be cancelled must wait by then.
    _ = ring.enter(waitFor: 0, nanoseconds: nil)
    for index in waits.indices {
      var sqe = syslet_sqe()
      sqe.opcode = UInt8(SYSLET_OP_ASYNC_CANCEL)
      sqe.fd = -1
      sqe.addr = UInt64(index * 2)
      sqe.user_data = UInt64(waits.count * 2 + index)
      let isIssued = unsafe ring.issue(&sqe, 1)
      precondition(isIssued, "L2: the self-test's ring has no room for its cancellations")
    }
    var results = [Int?](repeating: nil, count: waits.count * 3)
    _ = collect(ring, results.count, into: &results)
    for (index, wait) in waits.enumerated() {
      let hasSevered = results[index * 2] ?? 0 < 0 && results[index * 2 + 1] == -Int(ECANCELED)
      if !hasSevered { severing.confirm([], for: Int16(wait.opcode)) }
    }
    return !results.contains(nil)
  }

  /// Stores `count` results by position, those that answer in time, and gives the errno with which the ring failed.
  private static func collect(_ ring: Ring, _ count: Int, into results: inout [Int?]) -> Int32? {
    var missing = count
    let end = syslet_now() + deadlineNanoseconds
    var cqes = [syslet_cqe](repeating: syslet_cqe(), count: 64)
    while missing > 0 {
      let left = end - syslet_now()
      guard left > 0 else { break }
      let entered = ring.enter(waitFor: missing, nanoseconds: left)
      if entered < 0, ![-Int(EINTR), -Int(EAGAIN), -Int(EBUSY), -Int(ETIME)].contains(entered) {
        return Int32(-entered)
      }
      while case let reaped = unsafe ring.reap(into: &cqes, 64), reaped > 0 {
        for cqe in cqes[..<reaped] {
          results[Int(cqe.user_data)] = Int(cqe.res)
          missing -= 1
        }
      }
    }
    return nil
  }
}
