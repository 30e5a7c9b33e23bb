// io_uring denied, as containers do it: a seccomp filter lets io_uring_setup fail. The filter cannot be taken back, so each test runs in a
// process of its own.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Without io_uring", .leavesNothingBehind)
struct DeniedRingTests {
  @Test("Where io_uring_setup is forbidden (EPERM), ring says so and automatic conforms on threads")
  func forbidden() async {
    await #expect(processExitsWith: .success) { Denial.check(EPERM, conformsIn: .direct) }
  }

  @Test("Where io_uring_setup does not exist (ENOSYS), ring says so and automatic conforms on threads")
  func absent() async {
    await #expect(processExitsWith: .success) { Denial.check(ENOSYS, conformsIn: .indirect) }
  }

  @Test("Where io_uring_setup gets no memory (ENOMEM), ring says so and automatic conforms on threads")
  func withoutMemory() async {
    await #expect(processExitsWith: .success) { Denial.check(ENOMEM, conformsIn: .pointers) }
  }

  @Test("The three causes have three descriptions, each naming its errno and a cure")
  func descriptions() {
    let texts = [EPERM, ENOSYS, ENOMEM].map { EngineError.ringUnavailable(call: "io_uring_setup", errno: $0).description }
    #expect(Set(texts).count == 3)
    for (text, (name, cure)) in zip(texts, [("EPERM", "io_uring_disabled"), ("ENOSYS", "kernel"), ("ENOMEM", "ulimit -l")]) {
      #expect(text.contains(name))
      #expect(text.contains(cure))
      #expect(text.contains("io_uring_setup"))
    }
    // What differs is more than the name of the errno: the cure.
    #expect(Set(texts.map { $0.split(separator: ".").dropFirst().joined() }).count == 3)
  }
}

enum Denial {
  /// Denies io_uring_setup to this process with `errno` and checks what becomes of the engine. Each denial goes through the whole table in one
  /// form; the three together cover all forms.
  static func check(_ errno: Int32, conformsIn form: Form) {
    test_ignore_broken_pipes()
    let denied = test_deny(test_setup_number(), errno)
    guard denied == 0 else {
      Issue.record("the seccomp filter could not be installed: \(denied)")
      return
    }
    let expected = EngineError.ringUnavailable(call: "io_uring_setup", errno: errno)

    #expect(RingReport.current().unavailability == expected)
    var options = SysletEngine.Options()
    options.backend = .ring
    #expect(throws: expected) { try SysletEngine(options) }

    options.backend = .automatic
    do {
      let engine = try SysletEngine(options)
      #expect(engine.backend == .threads)
      #expect(engine.ringUnavailability == expected)
      try engine.close()
    } catch {
      Issue.record("automatic did not fall back: \(error)")
    }

    for testCase in ConformanceCase.all {
      for failure in testCase.failures(on: .automatic, forms: [form]) { Issue.record("\(failure)") }
    }
  }
}
