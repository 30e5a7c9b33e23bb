// What docs/TRANSLATION.md says about links, sentence by sentence, on the kernel at hand. The engine does not rest on these: it goes by its
// self-test, which CalibrationTests holds to what really happens. They are required of the kernel that the page was written from, and
// elsewhere the test's output says which of them do not hold.

import CLiburing
import CTestSupport
import Glibc
import Testing

@testable import SysletRing
@testable import struct SysletRing.Operation

@Suite(
  "Facts about links", .leavesNothingBehind,
  .enabled(if: ringObstacle == nil, "io_uring cannot be used here: there are no links"))
struct LinkFactTests {
  /// Requires a fact of the reference kernel, and reports it elsewhere.
  static func fact(_ holds: Bool, _ details: @autoclosure () -> String, location: SourceLocation = #_sourceLocation) {
    if ReferenceKernel.isHere {
      #expect(holds, "\(details())", sourceLocation: location)
    } else if !holds {
      print("this kernel differs from docs/TRANSLATION.md: \(details())")
    }
  }

  /// Requires that what was seen severed, or ran on, and that something was seen at all.
  static func check(_ seen: [Calibration.Observation], severs: Bool, _ what: String, location: SourceLocation = #_sourceLocation) {
    fact(!seen.isEmpty, "no fixture shows \(what)", location: location)
    for observation in seen { fact(observation.hasSevered == severs, "\(observation)", location: location) }
  }

  // MARK: which failures sever

  // On Linux 6.18 SHUTDOWN is one of them.
  @Test(
    "After a call of this operation that fails, what is softly linked behind it runs",
    arguments: [
      "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate", "statx", "unlink", "unlinkat", "rmdir", "rename", "renameat",
      "renameat2", "mkdir", "mkdirat", "symlink", "symlinkat", "link", "linkat", "setxattr", "fsetxattr", "getxattr", "fgetxattr",
      "madvise", "shutdown",
    ].filter(OperationTests.rows.contains))
  func failureRunsOn(row: String) {
    Self.check(Calibration.soft(row).filter { $0.isInside && $0.kind == .negative }, severs: false, "a failing \(row)")
  }

  @Test(
    "After a call of this operation that fails, what is softly linked behind it does not run",
    arguments: [
      "open", "openat", "openat2", "close", "read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev",
      "pwritev", "pwritev2", "sendto", "sendmsg", "recvfrom", "recvmsg", "connect", "accept", "accept4", "socket", "bind",
      "listen", "epoll_ctl", "epoll_wait", "fadvise64", "futex", "waitid", "pipe2",
    ].filter(OperationTests.rows.contains))
  func failureSevers(row: String) {
    Self.check(Calibration.soft(row).filter { $0.isInside && $0.kind == .negative }, severs: true, "a failing \(row)")
  }

  /// Operations that no row of the table stands for, made to fail: what is searched for is not there.
  static let others: [String: syslet_sqe] = [
    "POLL_REMOVE": syslet_sqe(7, addr: 12_345),
    "TIMEOUT_REMOVE": syslet_sqe(12, addr: 12_345),
    "ASYNC_CANCEL": syslet_sqe(Int(SYSLET_OP_ASYNC_CANCEL), addr: 12_345),
    // There are no registered files.
    "FILES_UPDATE": syslet_sqe(20, addr: Wild.readOnly, len: 1),
    // Standard input is no ring.
    "MSG_RING": syslet_sqe(40, fd: 0),
  ]

  @Test("After removals, ASYNC_CANCEL, FILES_UPDATE and MSG_RING that fail, a soft link severs", arguments: others.keys.sorted())
  func otherFailureSevers(name: String) throws {
    let results = try onRingThread { $0.results([.nop.hard, Self.others[name]!.soft, .nop]) }
    Self.fact(results[0] == 0 && results[1] ?? 0 < 0, "\(name) came to its operation and failed: \(results)")
    Self.fact(results[2] == -Int(ECANCELED), "\(name): \(results)")
  }

  // MARK: what severs

  /// What was seen inside operations with a length above 0, or of 0.
  private static func transfers(_ rows: [String], isEmpty: Bool = false) -> [Calibration.Observation] {
    Calibration.soft().filter { rows.contains($0.row) && $0.isInside && ($0.asked == 0) == isEmpty }
  }

  private static let reads = ["read", "pread64", "readv", "preadv", "preadv2"]
  private static let writes = ["write", "pwrite64", "writev", "pwritev", "pwritev2"]

  @Test("Behind a read or a write of more than 0 bytes a soft link severs on negative")
  func transferNegative() {
    for row in Self.reads + Self.writes {
      Self.check(Self.transfers([row]).filter { $0.kind == .negative }, severs: true, "a failing \(row)")
    }
  }

  // A write of more than 0 bytes never gives 0 here.
  @Test("Behind a read of more than 0 bytes a soft link severs on zero")
  func transferZero() {
    for row in Self.reads {
      Self.check(Self.transfers([row]).filter { $0.kind == .zero }, severs: true, "a \(row) that gives 0")
    }
    for seen in Self.transfers(Self.writes) { #expect(seen.kind != .zero, "\(seen)") }
  }

  @Test("Behind a read or a write of more than 0 bytes a soft link severs on short")
  func transferShort() {
    for row in Self.reads + Self.writes {
      Self.check(Self.transfers([row]).filter { $0.kind == .short }, severs: true, "a short \(row)")
    }
  }

  @Test("Behind a read or a write that is complete a soft link runs on")
  func transferComplete() {
    for row in Self.reads + Self.writes {
      Self.check(Self.transfers([row]).filter { $0.kind == .complete }, severs: false, "a complete \(row)")
    }
  }

  @Test("Behind a read or a write of 0 bytes a soft link runs on")
  func emptyTransfer() {
    for row in ["read", "readv", "write", "writev"] {
      Self.check(Self.transfers([row], isEmpty: true).filter { $0.kind == .zero }, severs: false, "an empty \(row)")
    }
  }

  private static func messages(_ kind: ResultClasses, waitsForAll: Bool) -> [(String, [Calibration.Observation])] {
    ["sendto", "sendmsg", "recvfrom", "recvmsg"].map { row in
      let seen = Calibration.soft(row).filter { $0.isInside && $0.kind == kind }
      return (row, seen.filter { ($0.sqe.op_flags & UInt32(MSG_WAITALL) != 0) == waitsForAll })
    }
  }

  @Test("Behind recv and send without MSG_WAITALL a soft link severs on negative, and runs on on zero, short and complete")
  func messageWithoutWaiting() {
    for (kind, severs) in [(ResultClasses.negative, true), (.zero, false), (.short, false), (.complete, false)] {
      for (row, seen) in Self.messages(kind, waitsForAll: false) { Self.check(seen, severs: severs, "a \(row), \(kind)") }
    }
  }

  @Test("Behind a recv with MSG_WAITALL a soft link severs on negative, zero and short, and runs on when complete")
  func messageWithWaiting() throws {
    for (kind, severs) in [(ResultClasses.zero, true), (.short, true), (.complete, false)] {
      for (row, seen) in Self.messages(kind, waitsForAll: true) where row == "recvfrom" {
        Self.check(seen, severs: severs, "\(row), \(kind)")
      }
    }
    let results = try onRingThread { ring in
      let stage = Stage()
      let flags = UInt32(MSG_WAITALL) | UInt32(MSG_DONTWAIT)
      let recv = syslet_sqe(
        Int(SYSLET_OP_RECV), fd: Int32(stage.socketPair().0), addr: stage.buffer("b", 4).address, len: 4, flags: flags)
      return ring.results([.nop.hard, recv.soft, .nop])
    }
    Self.fact(results == [0, -Int(EAGAIN), -Int(ECANCELED)], "a recv with MSG_WAITALL that fails: \(results)")
  }

  @Test("Behind an openat and a poll a soft link severs on negative, and runs on when complete")
  func openAndPoll() {
    for row in ["openat", "poll"] {
      let seen = Calibration.soft(row).filter(\.isInside)
      Self.check(seen.filter { $0.raw ?? 0 < 0 }, severs: true, "a failing \(row)")
      Self.check(seen.filter { $0.raw ?? 0 > 0 }, severs: false, "a complete \(row)")
    }
  }

  // IORING_NOP_INJECT_RESULT (Linux 6.12) lets a nop fail; the kernel takes the result from the length.
  @Test("Behind a nop a soft link runs on on zero and complete, and severs on negative")
  func nop() throws {
    for (injected, severs) in [(Int32(0), false), (5, false), (-EIO, true)] {
      let nop = syslet_sqe(Int(SYSLET_OP_NOP), len: UInt32(bitPattern: injected), flags: 1)
      let results = try onRingThread { $0.results([.nop.hard, nop.soft, .nop]) }
      Self.fact(results == [0, Int(injected), severs ? -Int(ECANCELED) : 0], "a nop that gives \(injected): \(results)")
    }
  }

  @Test("Behind a timeout that expires a soft link severs, but not with ETIME_SUCCESS")
  func timeout() throws {
    for (flags, after) in [(UInt32(0), -Int(ECANCELED)), (UInt32(SYSLET_TIMEOUT_ETIME_SUCCESS), 0)] {
      let results = try onRingThread { ring in
        let stage = Stage()
        let timeout = syslet_sqe(Int(SYSLET_OP_TIMEOUT), addr: stage.time(nanoseconds: 1).address, len: 1, flags: flags)
        return ring.results([.nop.hard, timeout.soft, .nop])
      }
      Self.fact(results == [0, -Int(ETIME), after], "flags \(flags): \(results)")
    }
  }

  // MARK: hard links

  @Test("A hard link severs on no result of any operation")
  func hardLink() {
    let seen = Calibration.observations.filter { $0.link == .hard && $0.isInside }
    for kind in [ResultClasses.negative, .zero, .short, .complete] {
      Self.check(seen.filter { $0.kind == kind }, severs: false, "\(kind) behind a hard link")
    }
  }

  /// A read that fails inside its operation.
  private static func failingRead(_ stage: Stage) -> syslet_sqe {
    syslet_sqe(Int(SYSLET_OP_READ), fd: Int32(stage.file("f", "0123")), addr: Wild.inaccessible, len: 4)
  }

  @Test("A hard link does not stop a cancellation that comes from further up")
  func hardLinkBehindSoftLink() throws {
    let results = try onRingThread { ring in
      let stage = Stage()
      return ring.results([Self.failingRead(stage).soft, .nop.hard, .nop])
    }
    Self.fact(results == [-Int(EFAULT), -Int(ECANCELED), -Int(ECANCELED)], "fails —soft→ nop —hard→ nop: \(results)")
  }

  // MARK: chains as a whole

  @Test("An SQE that fails at preparation cancels its chain as a whole, the head and hard links included")
  func preparation() throws {
    var badFlags = syslet_sqe.nop
    badFlags.flags = 0x80
    // A fixed file, where none is allowed.
    var badFile = syslet_sqe(Int(SYSLET_OP_EPOLL_CTL), fd: 0)
    badFile.flags = 1
    for (name, bad) in [("an unknown operation", syslet_sqe(250)), ("unknown flags", badFlags), ("a fixed file", badFile)] {
      for position in 0..<4 {
        for link in [SYSLET_SQE_LINK, SYSLET_SQE_HARDLINK] {
          var chain = [syslet_sqe](repeating: .nop, count: 4)
          chain[position] = bad
          for index in 0..<3 { chain[index] = chain[index].linked(Int(link)) }
          let results = try onRingThread { $0.results(chain) }
          let isCancelled = results.enumerated().allSatisfy { $0.offset == position || $0.element == -Int(ECANCELED) }
          Self.fact(isCancelled && results[position] ?? 0 < 0, "\(name) at \(position): \(results)")
        }
      }
    }
  }

  @Test("A link flag on the last SQE of a submission does nothing for the next submission")
  func splitChain() throws {
    for isSplit in [false, true] {
      let results = try onRingThread { ring in
        let stage = Stage()
        let read = Self.failingRead(stage)
        return isSplit ? ring.results([[.nop.soft, read.soft], [.nop, .nop]]) : ring.results([.nop.soft, read.soft, .nop.soft, .nop])
      }
      let rest = isSplit ? 0 : -Int(ECANCELED)
      Self.fact(results == [0, -Int(EFAULT), rest, rest], "\(isSplit ? "two submissions" : "one"): \(results)")
    }
  }
}
