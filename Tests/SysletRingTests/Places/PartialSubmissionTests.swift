// What if the kernel takes only a part of what was submitted? A chain that is split over two submissions is silently unlinked, and its
// second half would run past every stop. CLiburing's `syslet_ring_limit_submissions` makes it so.

import CLiburing
import Glibc
import SysletRing
import Testing

@Suite("A submission of which the kernel takes a part", .leavesNothingBehind)
struct PartialSubmissionTests {
  @Test("L1, L2: the rest of a split chain does not run past a stop, and is run where there is none", arguments: 1...6)
  func splitChain(submitMax: UInt32) async {
    // The limit is the process's, so it gets one of its own.
    await #expect(processExitsWith: .success) { [submitMax = submitMax as UInt32] in
      // The self-test's ring has to take all of its probes: without its findings nothing would be linked.
      #expect(RingReport.current().unavailability == ringObstacle)
      syslet_ring_limit_submissions(submitMax)
      for backend in SysletEngine.Backend.available where backend == .ring || backend == .automatic {
        var options = SysletEngine.Options()
        options.backend = backend
        let engine = try SysletEngine(options)
        for fails in [true, false] {
          let program = Program(.direct)
          let results = (0..<6).map { _ in program.word() }
          let file = program.descriptors.open(program.scratch.file("f", "old"), O_RDWR)
          let source = fails ? -1 : program.descriptors.open(program.scratch.file("g", "new"), O_RDONLY)
          let buffer = Program.Argument.to(program.path("???"))
          program.atom(noOperation, result: results[0])
          program.atom(noOperation, result: results[1])
          program.atom(SystemCall.read, .int(source), buffer, 3, flags: .stopOnNegative, result: results[2])
          program.atom(noOperation, result: results[3])
          program.atom(SystemCall.pwrite64, .int(file), buffer, 3, 0, result: results[4])
          program.atom(noOperation, result: results[5])
          try engine.enqueue(program)
          let taken = try engine.take()
          #expect(taken.count == 1)
          #expect(taken.first?.executed == (fails ? 3 : 6), "\(backend), \(submitMax) at a time")
          #expect(taken.first?.reason == (fails ? .stopped : .ended))
          #expect(results.map(\.value) == (fails ? [0, 0, -Int(EBADF), -7, -7, -7] : [0, 0, 3, 0, 3, 0]))
          #expect(program.scratch.text("f") == (fails ? "old" : "new"))
        }
        try engine.closeHere()
      }
    }
  }
}
