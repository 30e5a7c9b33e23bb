// Reads and writes of what has no try that does not wait: timerfd and signalfd up to Linux 6.9, inotify, and everything where a filter forbids preadv2.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("Parity: what has no try", .leavesNothingBehind)
struct UntriedParityTests {
  // A timerfd is read eight bytes at a time. A read of fewer is refused at once, and was parked until the timer went off: on Linux 5.10 for ever, where it
  // was disarmed (found by the parity fuzzer).
  @Test("A length that is refused is refused at once, and what waits holds no worker while it does")
  func lengths() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      #expect(test_deny(SystemCall.preadv2, EOPNOTSUPP) == 0)
      for backend in SysletEngine.Backend.available where backend != .inline {
        let stage = Stage()
        let (timer, signals, event) = (stage.timer(milliseconds: 0), stage.signals(), UInt64.int(stage.descriptors.event(0)))
        let buffer = stage.arena.buffer(256)
        let refused: [(UInt64, Int, Int)] = [
          (timer, SystemCall.read, 1), (timer, SystemCall.read, 7), (signals, SystemCall.read, 8), (signals, SystemCall.read, 127),
          (event, SystemCall.read, 7), (event, SystemCall.write, 7), (timer, SystemCall.write, 8),
        ]
        let engine = try BadInputTests.engine(backend) { $0.maxWorkers = 2 }
        let program = Program(.direct, capacity: 64)
        for (descriptor, number, length) in refused {
          #expect(plainCall(number, descriptor, buffer.address, .int(length)) == -Int(EINVAL), "\(number), \(length) bytes, plainly")
          program.atom(number, .value(descriptor), .to(buffer), .int(length), next: .end)
        }
        for index in refused.indices { try engine.enqueue(program, index) }
        #expect(try engine.takeAll(refused.count).map(\.result) == [Int](repeating: -Int(EINVAL), count: refused.count), "\(backend)")
        // More of them than there are workers wait, and a call that needs one is made.
        let waiting = (0..<8).map { _ in stage.timer(milliseconds: 200) }
        for timer in waiting { program.atom(SystemCall.read, .value(timer), .to(buffer), 8, next: .end) }
        program.atom(SystemCall.getrandom, .to(buffer), 8, 0, next: .end)
        let before = engine.statistics.parked
        for index in 0..<9 { try engine.enqueue(program, refused.count + index) }
        #expect(try engine.take(atLeast: 1).first?.result == 8)
        #expect(try engine.takeAll(8).allSatisfy { $0.result == 8 })
        #expect(engine.statistics.parked - before >= 8, "\(backend)")
        try engine.closeHere()
      }
    }
  }
}
