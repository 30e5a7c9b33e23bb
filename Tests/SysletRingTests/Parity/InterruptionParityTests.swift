// What -EINTR says of a call of a syslet that is cancelled: that it was not made, but for those that have had their effect all the same.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("Parity: what is interrupted", .leavesNothingBehind)
struct InterruptionParityTests {
  // A sum of -4 was taken for -EINTR: the variable was changed, and the atom did not count as executed (found by the fuzzer, one run in some forty).
  @Test("A sum that looks like -EINTR is a result", arguments: LifeRegressionTests.asynchronous)
  func sums(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.direct)
    let sum = program.word(0)
    // A worker makes the first call and, having the syslet already, those behind it, without end: the sum is -4 and 0 in turn.
    program.atom(SystemCall.renameat2, .int(-1), .to(program.path("a")), .int(-1), .to(program.path("b")), 0, flags: .async)
    let loop = program.atom(umemAdd, .to(sum), .int(-Int(EINTR)))
    program.atom(umemAdd, .to(sum), .int(Int(EINTR)), next: .atom(loop))
    var interrupted = 0
    for pause in 0..<200 {
      sum.value = 0
      try engine.enqueue(program)
      try engine.flush()
      for _ in 0..<(pause % 20) * 20 { _ = plainCall(SystemCall.getppid) }
      try engine.cancel(program)
      let taken = try #require(try engine.take().first)
      let expected = taken.executed >= 2 && taken.executed.isMultiple(of: 2) ? -Int(EINTR) : 0
      let result = taken.executed == 0 ? -Int(ECANCELED) : taken.executed == 1 ? -Int(EBADF) : expected
      guard taken.reason == .cancelled, sum.value == expected, taken.result == result else {
        Issue.record("\(backend): the sum is \(sum.value), and \(taken)")
        break
      }
      if expected < 0 { interrupted += 1 }
    }
    #expect(interrupted > 0, "no cancellation came behind a sum of -4")
    try engine.close()
  }

  // It was counted as not made, and who cleans up after a cancelled syslet would close the number again, which may be somebody else's by then.
  @Test("A close that is interrupted has closed", arguments: LifeRegressionTests.asynchronous)
  func close(backend: SysletEngine.Backend) {
    FileServerParityTests.withServer("a close whose flush is interrupted") { server in
      server.add("file", 100)
      let descriptor = server.openHigh("file", O_RDWR)
      if descriptor < 0 { return ["open: \(descriptor)"] }
      server.fail(.flush, EINTR)
      server.hold(.flush, true)
      let engine = try BadInputTests.engine(backend)
      let program = Program(.direct)
      let result = program.word()
      program.atom(SystemCall.close, .int(descriptor), result: result)
      program.atom(noOperation)
      try engine.enqueue(program)
      try engine.flush()
      guard server.awaitHeld(1) else { return ["the server does not see the close"] }
      try engine.cancel(program)
      server.hold(.flush, false)
      let taken = try engine.take(timeout: Deadline.usual)
      try engine.close()
      server.fail(.flush, 0)
      var failures: [String] = []
      if taken.map(\.executed) != [1] || taken.map(\.result) != [-Int(EINTR)] || taken.map(\.reason) != [.cancelled] {
        failures.append("\(backend): \(taken)")
      }
      if result.value != -Int(EINTR) { failures.append("\(backend): the result is \(result.value)") }
      if plainCall(SystemCall.close, .int(descriptor)) != -Int(EBADF) { failures.append("\(backend): it is open") }
      return failures
    }
  }
}
