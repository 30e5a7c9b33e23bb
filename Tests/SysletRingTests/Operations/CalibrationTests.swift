// The operation table against the kernel at hand: where the engine counts on a link to sever, it severs.

import CLiburing
import CTestSupport
import Glibc
import Testing

@testable import SysletRing
@testable import struct SysletRing.Operation

@Suite(
  "Calibration of the operation table", .leavesNothingBehind,
  .enabled(if: ringObstacle == nil, "io_uring cannot be used here: nothing can be calibrated"))
struct CalibrationTests {
  @Test("L1: where a soft link is believed to sever, it has severed", arguments: OperationTests.rows)
  func believed(row: String) {
    for seen in Calibration.soft(row) {
      #expect(seen.before != nil && seen.raw != nil && seen.after != nil, "no answer: \(seen)")
      if seen.believed.contains(seen.kind) { #expect(seen.hasSevered, "L1: the next call ran past \(seen)") }
    }
  }

  @Test("L1: a call gives no kind of result that its row leaves out", arguments: OperationTests.rows)
  func reachable(row: String) {
    for seen in Calibration.soft(row) {
      // A stop on a kind of result that is left out would become a hard link.
      #expect(seen.form.reachableResults(seen.arguments).contains(seen.kind), "L1: \(seen)")
    }
  }

  /// Why a kind of result that a row can give is not provoked here.
  static let unprovoked: [String: [(kind: ResultClasses, reason: String)]] = {
    let zeroDescriptor = (ResultClasses.zero, "only with descriptor 0 closed: a test of its own")
    let sleeping = (ResultClasses.negative, "only when it is cancelled: a test of its own")
    var reasons: [String: [(kind: ResultClasses, reason: String)]] = [
      "nanosleep": [sleeping], "clock_nanosleep": [sleeping],
      "poll": [
        (.negative, "only when it is cancelled: a test of its own"), (.zero, "only with a timeout"), (.short, "one descriptor is all"),
      ],
      "epoll_wait": [(.zero, "only with a timeout")],
    ]
    for row in ["open", "openat", "openat2", "accept", "accept4", "socket"] { reasons[row] = [zeroDescriptor] }
    return reasons
  }()

  @Test("Each kind of result that a row can give has been provoked inside its operation", arguments: OperationTests.rows)
  func provoked(row: String) throws {
    let operation = try #require(Operation.ringRows.first { "\($0.name)" == row })
    let seen = Calibration.soft(row)
    guard !seen.isEmpty else {
      print("\(row): not calibrated, because this kernel's ring lacks the operation")
      return
    }
    var kinds: ResultClasses = []
    for observation in seen where observation.isInside { kinds.formUnion(observation.kind) }
    for (kind, _) in Self.unprovoked[row] ?? [] { kinds.formUnion(kind) }
    let missing = operation.results.subtracting(kinds)
    if operation.name.description.hasSuffix("xattr"), !Self.hasAttributes {
      print("\(row): \(missing) not calibrated, because this file system has no attributes of users")
    } else if ReferenceKernel.isHere {
      #expect(missing == [], "no fixture of \(row) gives a result of this kind")
    } else if missing != [] {
      print("\(row): \(missing) not calibrated: this kernel gives no such result with the fixtures")
    }
  }

  private static let hasAttributes: Bool = {
    let stage = Stage()
    stage.scratch.file("f")
    return plainCall(SystemCall.setxattr, stage.path("f"), stage.text("user.a").address, stage.text("b").address, 1, 0) == 0
  }()

  /// What severs on the reference kernel without being counted on: an optimisation lost, each with what it would take to have it.
  static let lostOnReference: Set<String> = [
    // Zero bytes asked for would run on, and only the iovecs tell.
    "readv: zero", "preadv: zero", "preadv2: zero",
    // With MSG_WAITALL; the length is behind the msghdr.
    "recvmsg: zero", "recvmsg: short",
    // Its failures sever, its cancellation does not: nothing is counted on.
    "futex: negative",
    // The ring's own -EBADF, of which the engine makes POLLNVAL.
    "poll: complete",
  ]

  @Test("Links sever as on the reference kernel, or the test's output says where this kernel differs")
  func comparedWithReference() {
    var lost: Set<String> = []
    for seen in Calibration.soft() where seen.isInside && seen.hasSevered != seen.byReference.contains(seen.kind) {
      if seen.hasSevered { lost.insert("\(seen.row): \(seen.kind)") }
      if ReferenceKernel.isHere {
        #expect(seen.hasSevered, "the reference is wrong: \(seen)")
      } else {
        print("this kernel differs from the reference: \(seen)")
      }
    }
    if ReferenceKernel.isHere { #expect(lost == Self.lostOnReference) }
    for line in lost.subtracting(Self.lostOnReference).sorted() { print("this kernel severs without being counted on: \(line)") }
  }

  @Test("L1: a descriptor 0 runs on, though a 0 severs elsewhere")
  func descriptorZero() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let rows = ["open", "openat", "openat2", "accept", "accept4", "socket"]
      // Descriptor 0 is free for the call under test alone.
      let seen = try onRingThread { try Calibration.observe($0, rows: rows, freeing: 0) }
      for row in rows where Operation.ringRows.contains(where: { "\($0.name)" == row }) {
        let zeros = seen.filter { $0.row == row && $0.kind == .zero && $0.link == .soft }
        if !ReferenceKernel.isHere, zeros.isEmpty { continue }
        #expect(!zeros.isEmpty, "\(row) never gave descriptor 0")
        for zero in zeros {
          #expect(!zero.believed.contains(.zero), "L1: \(zero)")
          #expect(!zero.hasSevered, "\(zero)")
        }
      }
    }
  }

  @Test("L1: a wait that is cancelled severs, where a soft link keeps what follows from running", arguments: WaitingCall.all)
  func cancelled(wait: WaitingCall) throws {
    let severing = try SelfTest.severing()
    let operation = try #require(Operation.ringRows.first { "\($0.name)" == wait.row })
    guard severing.isSupported(operation.opcode) else {
      print("\(wait): not calibrated, because this kernel's ring lacks the operation")
      return
    }
    ProcessSettings.apply()
    let seen: (results: [Int?], believed: ResultClasses, asked: UInt64?)? = try onRingThread { ring in
      let stage = Stage()
      let arguments = Calibration.arguments(wait.set(stage))
      defer { wait.end(arguments) }
      guard let sqe = try Calibration.engineSQE(operation, arguments, severing) else { return nil }
      let results = ring.cancelled(sqe)
      if results.contains(nil) { _ = unsafe Unmanaged.passRetained(stage) }
      return (results, severing.results(operation.form, arguments), Calibration.asked(operation.form, arguments))
    }
    guard let (results, believed, asked) = seen else {
      // Messages are not whole on the ring before Linux 6.0.
      LinkFactTests.fact(false, "\(wait): the engine would not give it to the ring")
      return
    }
    let result = try #require(results[0], "no answer to the cancellation")
    // A send that has begun gives what it has sent.
    #expect(result < 0 || UInt64(result) < asked ?? 0, "\(wait) did not wait")
    let hasSevered = results[1] == -Int(ECANCELED)
    if believed.contains(.negative) { #expect(hasSevered, "L1: the next call ran past \(wait), cancelled with \(result)") }
    // On Linux 6.18 the cancellation of a futex's wait alone does not count as a failure.
    LinkFactTests.fact(hasSevered == (wait.row != "futex"), "\(wait), cancelled: \(results)")
  }
}
