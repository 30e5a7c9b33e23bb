// Whether io_uring can be used here, and that its absence never goes unnoticed.

import Foundation
import Glibc
import SysletRing
import Testing

/// Why io_uring cannot be used here; nil if it can.
let ringObstacle: EngineError? = RingReport.current().unavailability

@Suite("Presence of the ring", .leavesNothingBehind)
struct RingPresenceTests {
  @Test("A continuous integration job has io_uring, or says that it goes without (SYSLETRING_NO_RING)")
  func continuousIntegrationHasRing() {
    let environment = ProcessInfo.processInfo.environment
    guard environment["CI"] != nil, environment["SYSLETRING_NO_RING"] == nil else { return }
    #expect(ringObstacle == nil, "every test of the ring would be skipped in silence")
  }

  @Test(
    "SYSLETRING_NO_RING=deny takes io_uring away", .enabled(if: ProcessInfo.processInfo.environment["SYSLETRING_NO_RING"] == "deny"))
  func ringIsDenied() {
    #expect(ringObstacle == .ringUnavailable(call: "io_uring_setup", errno: EPERM))
  }

  @Test(
    "An engine on the ring is one, and automatic finds the ring",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the tests of the backend `ring` are skipped"))
  func ringIsUsed() throws {
    for backend in [SysletEngine.Backend.ring, .automatic] {
      var options = SysletEngine.Options()
      options.backend = backend
      let engine = try SysletEngine(options)
      #expect(engine.backend == backend)
      #expect(engine.ringUnavailability == nil)

      let program = Program(.direct)
      let file = program.descriptors.open(program.scratch.file("file", "0123456789"), 0)
      program.atom(SystemCall.pread64, .int(file), .to(program.buffer(4)), 4, 0, flags: .async)
      #expect(try engine.exec(program) == nil)
      #expect(try engine.take().map(\.result) == [4])
      #expect(engine.statistics.sqes == 1, "the read went to the ring")
      #expect(engine.statistics.cqes == 1)
      try engine.close()
    }
  }

  @Test("The other backends open no ring", arguments: [SysletEngine.Backend.threads, .inline])
  func othersUseNoRing(backend: SysletEngine.Backend) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    #expect(engine.backend == backend)
    let program = Program(.direct)
    let file = program.descriptors.open(program.scratch.file("file", "0123456789"), 0)
    program.atom(SystemCall.pread64, .int(file), .to(program.buffer(4)), 4, 0, flags: .async)
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take().map(\.result) == [4])
    #expect(engine.statistics.sqes == 0)
    #expect(engine.statistics.enters == 0)
    try engine.close()
  }
}
