// A ring of the test's own: chains of SQEs as a test wants them, and what became of each. The library's `Ring` without its engine.

import CLiburing
import Glibc

@testable import SysletRing

/// Belongs to the thread that makes it, which closes it with `close`; `onRingThread` sees to both.
final class TestRing {
  private let ring: Ring
  /// The next SQE's user data: no two SQEs share one, so that a late answer is nobody else's.
  private var marked: UInt64 = 0
  private var answers: [UInt64: Int] = [:]

  init() throws {
    do {
      ring = try Ring(entries: 64, completionEntries: 256)
    } catch {
      throw EngineError.ringUnavailable(call: "io_uring_setup", errno: error.errno)
    }
  }

  func close() { ring.close() }

  let deadlineNanoseconds: Int64 = 10_000_000_000

  /// The results of `chain` by position, submitted at once; nil for what has not answered by the deadline. Its memory must then be kept.
  func results(_ chain: [syslet_sqe]) -> [Int?] { results([chain]) }

  /// The same for chains of which each is a submission of its own.
  func results(_ submissions: [[syslet_sqe]]) -> [Int?] {
    let first = issue(submissions[0])
    for submission in submissions.dropFirst() {
      submit()
      _ = issue(submission)
    }
    return collect(from: first, submissions.reduce(0) { $0 + $1.count })
  }

  /// The results of `waiting —soft→ nop`, cancelled once it is with the kernel. Repeated while the kernel does not find it, as for a moment on
  /// its way to a kernel thread.
  func cancelled(_ waiting: syslet_sqe) -> [Int?] {
    let first = issue([waiting.soft, .nop])
    submit()
    let end = syslet_now() + deadlineNanoseconds
    var found: Int?
    repeat {
      found = collect(from: issue([syslet_sqe(Int(SYSLET_OP_ASYNC_CANCEL), addr: first)]), 1)[0]
    } while found == -Int(ENOENT) && answers[first] == nil && syslet_now() < end
    return collect(from: first, 2)
  }

  /// Fills `chain` into the queue, and gives the user data of its first SQE; the others' follow it.
  func issue(_ chain: [syslet_sqe]) -> UInt64 {
    let first = marked
    var chain = chain
    for position in chain.indices {
      chain[position].user_data = marked
      marked += 1
    }
    let isIssued = unsafe ring.issue(chain, chain.count)
    precondition(isIssued, "the test's ring is too small for the chain")
    return first
  }

  func submit() { enter(waitFor: 0, 0) }

  /// The results of the `count` SQEs from user data `first` on.
  func collect(from first: UInt64, _ count: Int) -> [Int?] {
    let wanted = first..<first + UInt64(count)
    var cqes = [syslet_cqe](repeating: syslet_cqe(), count: 64)
    let end = syslet_now() + deadlineNanoseconds
    while wanted.contains(where: { answers[$0] == nil }), case let left = end - syslet_now(), left > 0 {
      enter(waitFor: 1, left)
      while case let reaped = unsafe ring.reap(into: &cqes, cqes.count), reaped > 0 {
        for cqe in cqes[..<reaped] { answers[cqe.user_data] = Int(cqe.res) }
      }
    }
    return wanted.map { answers[$0] }
  }

  private func enter(waitFor count: Int, _ nanoseconds: Int64) {
    let result = ring.enter(waitFor: count, nanoseconds: nanoseconds)
    precondition(
      result >= 0 || [EINTR, ETIME, EAGAIN, EBUSY].contains(Int32(-result)), "io_uring_enter gave \(result) to a test's own ring")
  }
}

/// What `body` gives, with a ring of its own on a thread of its own: taking a ring down interrupts what its thread does next, which must not be a
/// call of another test's.
func onRingThread<Value>(_ body: (TestRing) throws -> Value) throws -> Value {
  try onAnotherThread {
    Result {
      let ring = try TestRing()
      defer { ring.close() }
      return try body(ring)
    }
  }.get()
}

extension syslet_sqe {
  /// An SQE for tests: what an operation that no row of the table stands for needs.
  init(
    _ opcode: Int, fd: Int32 = -1, off: UInt64 = 0, addr: UInt64 = 0, len: UInt32 = 0, flags: UInt32 = 0
  ) {
    self.init()
    self.opcode = UInt8(opcode)
    self.fd = fd
    self.off = off
    self.addr = addr
    self.len = len
    op_flags = flags
  }

  static var nop: syslet_sqe { syslet_sqe(Int(SYSLET_OP_NOP)) }

  /// This request, linked to the next one.
  func linked(_ flag: Int) -> syslet_sqe {
    var sqe = self
    sqe.flags |= UInt8(flag)
    return sqe
  }

  var soft: syslet_sqe { linked(Int(SYSLET_SQE_LINK)) }
  var hard: syslet_sqe { linked(Int(SYSLET_SQE_HARDLINK)) }

  /// The fields in words, for a failure's message.
  var text: String {
    "SQE opcode \(opcode) flags \(flags) fd \(fd) off \(off) addr \(addr) len \(len) op_flags \(op_flags) file_index \(file_index) addr3 \(addr3)"
  }
}

/// The kernel that docs/TRANSLATION.md was written from.
enum ReferenceKernel {
  /// Whether this is it. Where it is not, its behaviours are reported and not required: the self-test decides.
  static let isHere = version == (6, 18)

  /// Of the kernel here.
  static let version: (major: Int, minor: Int) = {
    var name = utsname()
    guard unsafe uname(&name) == 0 else { return (0, 0) }
    let release = unsafe withUnsafeBytes(of: &name.release) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1]) : (0, 0)
  }()
}
