// What a review found in the first version of what `automatic` does for a syslet that is alone, one test each.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Regressions: a syslet alone on automatic", .leavesNothingBehind, .enabled(if: ringObstacle == nil, "io_uring cannot be used"))
struct AloneRegressionTests {
  // The look ahead followed the edge of an atom that is malformed, and of one that always stops; SEMANTICS asks nothing of either.
  @Test(
    "What is behind a no-op is looked at only where it will be reached", arguments: SysletEngine.Backend.available,
    [AtomFlags(rawValue: 0x100), .stopOnZero, [.stopOnZero, .skipToNextOnStop]])
  func lookAhead(backend: SysletEngine.Backend, flags: AtomFlags) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, flags = flags.rawValue as UInt32] in
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      for isHead in [false, true] where !isHead || flags & 0x100 == 0 {
        let program = Program(.direct)
        if !isHead { program.atom(noOperation) }
        let last = program.atom(noOperation, next: .wild(8))
        program.addFlags(AtomFlags(rawValue: flags), to: last)
        // Where the skip goes.
        program.atom(noOperation, next: .end)
        try engine.enqueue(program)
        let taken = try engine.take()
        #expect(taken.map(\.reason) == [flags & 0x100 != 0 ? .faulted : flags & 0x80 != 0 ? .ended : .stopped])
      }
      try engine.closeHere()
    }
  }

  // Each ASYNC gave the run its no-ops anew, and they were not counted: the owner never came back.
  @Test("A loop of no-ops with ASYNC does not hold the owner", arguments: SysletEngine.Backend.available, [1, 2])
  func asynchronousLoop(backend: SysletEngine.Backend, count: Int) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, count = count as Int] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      if count == 2 { program.atom(noOperation) }
      program.atom(noOperation, flags: .async, result: program.word(), next: .atom(0))
      try engine.enqueue(program)
      #expect(try engine.take(timeout: .milliseconds(20)) == [])
      try engine.cancel(program)
      #expect(try engine.take().map(\.reason) == [.cancelled])
      try engine.closeHere()
    }
  }

  /// A syslet that writes 64 KiB `count` times, and what it takes is known: more than the limit in all, and less for each.
  @safe private final class Writer {
    let engine: SysletEngine
    let program = Program(.direct)
    let head: Int
    private let counter: Word

    init(_ limit: Duration) throws {
      engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = limit }
      counter = program.word(compared: false)
      let file = program.descriptors.open(program.scratch.file("file"), O_RDWR)
      program.atom(noOperation, next: .end)
      head = program.count
      program.atom(SystemCall.pwrite64, .int(file), .to(program.buffer(65_536)), 65_536, 0)
      program.atom(umemAdd, .to(counter), .int(-1), flags: .stopOnZero, next: .atom(head))
      for _ in 0..<3 {
        try start(300)
        #expect(try engine.take(timeout: nil).map(\.reason) == [.stopped])
      }
    }

    func start(_ count: Int) throws {
      counter.value = count
      try engine.enqueue(program, head)
    }
  }

  // The wait asked how long a call may take before it asked whether it had to wait at all.
  @Test("A wait that has its completions does not stay for a long run", .timeLimit(.minutes(15)))
  func satisfied() throws {
    let writer = try Writer(.microseconds(100))
    let engine = writer.engine
    defer { try? engine.close() }
    try engine.enqueue(writer.program)
    try engine.flush()
    let before = engine.statistics.inlineCalls
    try writer.start(1000)
    #expect(try engine.take(timeout: nil).map(\.executed) == [1])
    #expect(engine.statistics.inlineCalls == before)
    #expect(try engine.take(timeout: nil).map(\.reason) == [.stopped])
  }

  // A run that is executed in place does not sleep, so that no EINTR tells of the signal.
  @Test("A signal ends a wait for a run of quick calls that has no end", .timeLimit(.minutes(15)))
  func signal() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let writer = try Writer(.microseconds(100))
      let engine = writer.engine
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { _ in }
      #expect(unsafe sigaction(SIGUSR2, &action, nil) == 0)
      // The threads that tests run on have it blocked.
      var signals = sigset_t()
      unsafe sigaddset(&signals, SIGUSR2)
      #expect(unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil) == 0)
      let owner = pthread_self()
      let (hasEnded, isQuiet) = (Locked(false), DispatchSemaphore(value: 0))
      // Again and again: one that comes before the wait has begun ends nothing.
      let thread = Thread {
        while !hasEnded.withLock({ $0 }) {
          usleep(10_000)
          pthread_kill(owner, SIGUSR2)
        }
        isQuiet.signal()
      }
      try writer.start(.max)
      thread.start()
      #expect(try engine.take(timeout: nil) == [])
      hasEnded.withLock { $0 = true }
      isQuiet.wait()
      try engine.cancel(writer.program, writer.head)
      #expect(try engine.take().map(\.reason) == [.cancelled])
      try engine.closeHere()
    }
  }

  // Helping with lines of no-ops there is no limit to their length. It was counted down all the same after the first one, and then the look ahead went
  // round a loop of them for ever.
  @Test("Endless no-ops that the owner helps with let a wait end in time", arguments: [8, 200])
  func endlessNops(count: Int) async {
    await #expect(processExitsWith: .success) { [count = count as Int] in
      ProcessSettings.endIfStuck()
      try BadInputTests.engine(.automatic).closeHere()
      // Lines that are shared, whatever this machine's break-even.
      PlainCosts.noteBreakEven(8)
      let engine = try BadInputTests.engine(.automatic)
      let program = Program(.direct, capacity: count)
      for number in 0..<count { program.atom(noOperation, next: .atom(number)) }
      for number in 0..<count { try engine.enqueue(program, number) }
      for _ in 0..<100 { #expect(try engine.take(timeout: .milliseconds(1)) == []) }
      try engine.closeHere()
    }
  }

  // A write that a worker made into a pipe, by the hint of a file that had its number, was timed as one into the page cache.
  @Test("A write that waits for a pipe says nothing about writes to files")
  func otherCost() throws {
    // Longer than a busy machine keeps a thread from running, and shorter than the pipe is full.
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(1) }
    defer { try? engine.close() }
    let program = Program(.direct)
    let descriptor = program.descriptors.open(program.scratch.file("file"), O_RDWR)
    let other = program.descriptors.open(program.scratch.file("other"), O_RDWR)
    let bytes = program.buffer(65_536)
    program.atom(SystemCall.write, .int(descriptor), .to(bytes), 16, next: .end)
    program.atom(SystemCall.write, .int(descriptor), .to(bytes), 65_536, flags: .async, next: .end)
    program.atom(SystemCall.write, .int(other), .to(bytes), 16, next: .end)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [16])
    let pipe = program.descriptors.pipe()
    #expect(dup2(pipe.write, descriptor) == descriptor)
    #expect(plainCall(SystemCall.write, .int(pipe.write), bytes.address, 65_536) == 65_536)
    #expect(try engine.exec(program, 1) == nil)
    #expect(try engine.take(timeout: .milliseconds(200)) == [])
    let drain = Drain(pipe.read, 2 * 65_536)
    #expect(try engine.take().map(\.result) == [65_536])
    #expect(drain.finish() == 2 * 65_536)
    let hops = engine.statistics.workerHops
    for _ in 0..<40 {
      try engine.enqueue(program, 2)
      _ = try engine.take()
    }
    #expect(engine.statistics.workerHops - hops < 20)
  }

  // The listing took no notice of the limit.
  @Test("explain says what the engine's inlineLimit leaves in place", arguments: [Duration.zero, .seconds(60)])
  func explained(limit: Duration) throws {
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = limit }
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(noOperation)
    program.atom(SystemCall.statx, .int(AT_FDCWD), .to(program.path("/")), 0, 0xFFF, .to(program.buffer(256)))
    let places = unsafe engine.explain(program.directAtom(0)).lines.map(\.place)
    #expect(places == (limit == .zero ? ["ring", "worker"] : ["inline", "inline"]))
    let account = engine.statistics
    try engine.enqueue(program)
    #expect(try engine.take().map(\.executed) == [2])
    #expect(engine.statistics.inlineCalls - account.inlineCalls == places.filter { $0 == "inline" }.count)
    #expect(engine.statistics.workerCalls - account.workerCalls == places.filter { $0 == "worker" }.count)
  }
}
