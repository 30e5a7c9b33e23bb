// Rings as kernels before 6.1 set them up: what becomes of requests is looked after whenever the thread is in the kernel, not in enters alone.

import CLiburing
import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Rings as older kernels have them", .leavesNothingBehind)
struct OlderSetupTests {
  @Test(
    "Who sleeps in the poller hears a worker although a read of the doorbell waits in the ring",
    arguments: [UInt32(0), 1, 2])
  func doorbell(skipped: UInt32) async {
    await #expect(processExitsWith: .success) { [skipped = skipped as UInt32] in
      ProcessSettings.endIfStuck()
      syslet_ring_skip_setups(skipped)
      for backend in [SysletEngine.Backend.ring, .automatic] where SysletEngine.Backend.available.contains(backend) {
        for _ in 0..<3 {
          let engine = try BadInputTests.engine(backend)
          let program = Program(.direct)
          // One that the ring has, one that a worker has, and one that is parked.
          let (near, far) = program.descriptors.socketPair()
          let receive = program.atom(SystemCall.recvfrom, .int(near), .to(program.buffer(1)), 1, 0, 0, 0, next: .end)
          let path = program.scratch.file("locked")
          let (holder, other) = (program.descriptors.open(path, O_RDWR), program.descriptors.open(path, O_RDWR))
          #expect(flock(holder, LOCK_EX) == 0)
          let lock = program.atom(SystemCall.flock, .int(other), .int(LOCK_EX), next: .end)
          let pipe = program.descriptors.pipe()
          #expect(fcntl(pipe.write, F_SETFL, O_NONBLOCK) == 0)
          while unsafe write(pipe.write, [UInt8](repeating: 0, count: 4096), 4096) > 0 {}
          #expect(fcntl(pipe.write, F_SETFL, 0) == 0)
          let park = program.atom(SystemCall.write, .int(pipe.write), .to(program.buffer(1)), 1, next: .end)

          try engine.enqueue(program, receive)
          try engine.enqueue(program, lock)
          #expect(try engine.take(timeout: .milliseconds(60)).isEmpty)
          #expect(unsafe write(far, [1], 1) == 1)
          #expect(try engine.take().map(\.result) == [1])
          try engine.enqueue(program, park)
          #expect(try engine.take(timeout: .milliseconds(20)).isEmpty)
          let timeline = Timeline()
          timeline.after(100) { #expect(flock(holder, LOCK_UN) == 0) }
          timeline.begin()
          let begin = test_milliseconds()
          #expect(try engine.take(timeout: .seconds(20)).map(\.result) == [0])
          #expect(test_milliseconds() - begin < 10_000)
          try engine.cancel(program, park)
          #expect(try engine.take().map(\.reason) == [.cancelled])
          timeline.end()
          try engine.closeHere()
        }
      }
    }
  }
}
