// What if the kernel fails io_uring_setup, io_uring_register or io_uring_enter? CLiburing's `syslet_ring_fail` makes it so, for all rings of the
// process, so each test has a process of its own.

import CLiburing
import CTestSupport
import Glibc
import SysletRing
import Testing

/// Makes the kernel's entries fail.
enum KernelFault {
  static func fail(_ entry: syslet_entry, first: Int = 0, count: UInt32 = .max, _ errno: Int32) {
    syslet_ring_fail(entry, UInt32(first), count, errno)
  }

  static func clear() {
    for entry in [SYSLET_ENTRY_SETUP, SYSLET_ENTRY_REGISTER, SYSLET_ENTRY_ENTER, SYSLET_ENTRY_ENTERED] { fail(entry, count: 0, 0) }
  }

  /// Not before the call and not although it was made: both.
  static let enters = [SYSLET_ENTRY_ENTER, SYSLET_ENTRY_ENTERED]
  static let ringBackends: [SysletEngine.Backend] = [.ring, .automatic]

  /// What an engine says when io_uring_enter has broken it.
  static func failure(_ errno: Int32) -> EngineError {
    .kernel(call: errno == EBADR ? "io_uring_enter (a completion was lost by the kernel)" : "io_uring_enter", errno: errno)
  }

  /// An engine with short queues, so that it enters often.
  static func engine(_ backend: SysletEngine.Backend) throws -> SysletEngine {
    try BadInputTests.engine(backend) { ($0.entries, $0.completionEntries, $0.maxWorkers) = (4, 16, 4) }
  }
}

@Suite("When the kernel fails setup and register")
struct KernelRefusalTests {
  /// `ring` throws what io_uring was refused with, and `automatic` runs on threads and says why.
  static func checkRefused(_ expected: EngineError) throws {
    #expect(throws: expected) { try BadInputTests.engine(.ring) }
    #expect(RingReport.current().unavailability == expected)
    let engine = try BadInputTests.engine(.automatic)
    #expect(engine.backend == .threads)
    #expect(engine.ringUnavailability == expected)
    let mixture = Mixture(10)
    #expect(mixture.submit(to: engine).accepted == 10)
    mixture.release()
    #expect(try mixture.problems(engine.takeEverything()) == [])
    try engine.close()
  }

  @Test("Whatever io_uring_setup fails with, ring throws it and automatic runs on threads and says why; when it works again, so does ring")
  func setup() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for errno in [EPERM, ENOSYS, ENOMEM, EMFILE, ENFILE, EINVAL, EACCES, EFAULT, EAGAIN, EOPNOTSUPP, EBUSY] {
        // The self-test's ring is the first one; when it is kept, the engine's is.
        let expected = EngineError.ringUnavailable(call: "io_uring_setup", errno: errno)
        KernelFault.fail(SYSLET_ENTRY_SETUP, errno)
        try Self.checkRefused(expected)
        KernelFault.clear()
        guard ringObstacle == nil else { continue }
        try BadInputTests.engine(.ring).closeHere()
      }
    }
  }

  @Test(
    "Whatever io_uring_register fails with, syslets on the ring end as they should",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the ring's faults are not tested"), arguments: [EINVAL, EPERM, ENOMEM])
  func register(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      KernelFault.fail(SYSLET_ENTRY_REGISTER, errno)
      for backend in KernelFault.ringBackends {
        let engine = try BadInputTests.engine(backend)
        #expect(engine.backend == backend)
        let mixture = Mixture(20)
        #expect(mixture.submit(to: engine).accepted == 20)
        mixture.release()
        #expect(try mixture.problems(engine.takeEverything()) == [], "\(backend)")
        // Nobody could ask what the ring can do, so it is given nothing.
        #expect(engine.statistics.sqes == 0)
        try engine.closeHere()
      }
    }
  }

  @Test(
    "A ring whose workers cannot be bounded works all the same",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the ring's faults are not tested"))
  func bounds() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      try BadInputTests.engine(.ring).closeHere()
      for errno in [EINVAL, EPERM, ENOMEM] {
        KernelFault.fail(SYSLET_ENTRY_REGISTER, errno)
        for backend in KernelFault.ringBackends {
          let engine = try BadInputTests.engine(backend)
          let mixture = Mixture(20)
          #expect(mixture.submit(to: engine).accepted == 20)
          mixture.release()
          #expect(try mixture.problems(engine.takeEverything()) == [], "\(backend)")
          #expect(engine.statistics.sqes > 0)
          try engine.closeHere()
        }
      }
    }
  }

  @Test(
    "Where io_uring_setup works and io_uring_enter does not, ring throws that and automatic runs on threads and says why",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the ring's faults are not tested"))
  func enterDenied() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for errno in [EPERM, ENOSYS, EBADF, EINVAL] {
        let expected = EngineError.ringUnavailable(call: "io_uring_enter", errno: errno)
        KernelFault.fail(SYSLET_ENTRY_ENTER, errno)
        try Self.checkRefused(expected)
      }
      KernelFault.clear()
      let engine = try BadInputTests.engine(.automatic)
      #expect(engine.backend == .automatic)
      try engine.closeHere()
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  @Test(
    "The start-up self-test is interrupted, or refused for a while: the engine finds out all the same what it may link",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the ring's faults are not tested"), arguments: [EINTR, EAGAIN, EBUSY])
  func selfTest(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      KernelFault.fail(SYSLET_ENTRY_ENTER, count: 5, errno)
      KernelFault.fail(SYSLET_ENTRY_ENTERED, first: 1, count: 2, errno)
      let engine = try BadInputTests.engine(.ring)
      let mixture = Mixture(20)
      #expect(mixture.submit(to: engine).accepted == 20)
      mixture.release()
      #expect(try mixture.problems(engine.takeEverything()) == [])
      // Before Linux 5.17 nothing is linked.
      #expect(engine.statistics.softLinks > 0 || !ReferenceKernel.isHere)
      try engine.closeHere()
    }
  }
}

@Suite(
  "When the kernel fails io_uring_enter",
  .enabled(if: ringObstacle == nil, "io_uring cannot be used here: the ring's faults are not tested"))
struct KernelFaultTests {
  // MARK: refusals that pass

  @Test("Interrupted and refused enters, at any point: every syslet completes once, with its result", arguments: [EINTR, EAGAIN, EBUSY])
  func passing(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      for backend in KernelFault.ringBackends {
        try KernelFault.engine(backend).closeHere()
        for entry in KernelFault.enters {
          for first in 0..<14 {
            for count: UInt32 in [1, 3, 30] {
              let engine = try KernelFault.engine(backend)
              let mixture = Mixture(15)
              KernelFault.fail(entry, first: first, count: count, errno)
              let (accepted, error) = mixture.submit(to: engine)
              #expect(accepted == 15)
              #expect(error == nil)
              mixture.release()
              let problems = try mixture.problems(engine.takeEverything())
              #expect(problems == [], "\(backend), \(entry), \(count) from \(first)")
              // Where the ring lacks operations, fewer enters do.
              #expect(first > 5 || engine.statistics.enters > first || !ReferenceKernel.isHere, "the fault was not reached")
              #expect(engine.pending == 0)
              #expect(engine.statistics.completed == 15)
              KernelFault.clear()
              try engine.closeHere()
            }
          }
        }
      }
    }
  }

  @Test("A cancellation arrives although enters are refused and interrupted around it", arguments: [EINTR, EAGAIN, EBUSY])
  func cancelling(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      for backend in KernelFault.ringBackends {
        try KernelFault.engine(backend).closeHere()
        for entry in KernelFault.enters {
          for first in 0..<6 {
            let engine = try KernelFault.engine(backend)
            let mixture = Mixture(6, kinds: [.pipe])
            #expect(mixture.submit(to: engine).accepted == 6)
            try engine.flushHere()
            KernelFault.fail(entry, first: first, count: 2, errno)
            for syslet in mixture.syslets { try engine.cancel(mixture.program, syslet.head) }
            let taken = try engine.takeEverything()
            #expect(mixture.problems(taken, mayCancel: true) == [], "\(backend), \(entry), \(first)")
            #expect(taken.allSatisfy { $0.reason == .cancelled })
            KernelFault.clear()
            try engine.closeHere()
          }
        }
      }
    }
  }

  @Test("A kernel that refuses every enter: flush and wait say so in time, and when it takes them again every syslet completes")
  func refusedForLong() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in KernelFault.ringBackends {
        for errno in [EAGAIN, EBUSY] {
          let engine = try KernelFault.engine(backend)
          let mixture = Mixture(15)
          KernelFault.fail(SYSLET_ENTRY_ENTER, errno)
          #expect(mixture.submit(to: engine).accepted == 15)
          let start = test_milliseconds()
          #expect(throws: KernelFault.failure(errno)) { try engine.flush() }
          #expect(throws: KernelFault.failure(errno)) { while engine.pending > 0 { _ = try engine.wait(atLeast: 15) } }
          #expect(test_milliseconds() - start < 30_000)
          KernelFault.clear()
          mixture.release()
          #expect(try mixture.problems(engine.takeEverything()) == [], "\(backend)")
          try engine.closeHere()
        }
      }
    }
  }

  // An enter that runs out of time was not refused, but did not end a row of refusals: each wait threw until some call had ended.
  @Test("When a kernel that has refused for long takes enters again, a wait with nothing to submit runs out of time and throws nothing")
  func waitAfterRefusals() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in KernelFault.ringBackends {
        let engine = try KernelFault.engine(backend)
        let mixture = Mixture(4, kinds: [.pipe])
        #expect(mixture.submit(to: engine).accepted == 4)
        try engine.flushHere()
        KernelFault.fail(SYSLET_ENTRY_ENTER, EAGAIN)
        #expect(throws: KernelFault.failure(EAGAIN)) { while true { _ = try engine.wait(atLeast: 1) } }
        KernelFault.clear()
        #expect(try engine.waitHere(atLeast: 1, timeout: .milliseconds(5)) == 0, "\(backend)")
        mixture.release()
        #expect(try mixture.problems(engine.takeEverything()) == [], "\(backend)")
        try engine.closeHere()
      }
    }
  }

  @Test("A kernel that refuses every enter for good: close returns all the same, and tells by `pending` that it left memory to the kernel")
  func refusedForGood() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      try KernelFault.engine(.ring).closeHere()
      let mixture = Mixture(6, kinds: [.pipe])
      let engine = try KernelFault.engine(.ring)
      #expect(mixture.submit(to: engine).accepted == 6)
      try engine.flushHere()
      KernelFault.fail(SYSLET_ENTRY_ENTER, EAGAIN)
      let start = test_milliseconds()
      try engine.closeHere()
      #expect(test_milliseconds() - start < 30_000)
      #expect(engine.pending == 6)
    }
  }

  // MARK: failures that break the ring

  /// What breaks a ring: its descriptor is closed, replaced or of a dead thread; a lost completion; a bug.
  static let breaking = [EBADF, ENXIO, EOWNERDEAD, EBADR, EFAULT, EINVAL]

  @Test(
    "An enter fails once with what breaks a ring: all is cancelled, each syslet's end is told, then every method throws the error",
    arguments: breaking)
  func brokenOnce(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      let threads = try Breakage.threadsBefore()
      for backend in KernelFault.ringBackends {
        for entry in KernelFault.enters {
          for first in 0..<10 { try Breakage(backend, entry, first: first, count: 1, errno).check(threads) }
        }
      }
    }
  }

  @Test(
    "Enters fail for good with what breaks a ring: what the kernel never had is told, the rest stays pending, and close returns",
    arguments: breaking)
  func brokenForGood(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      let threads = try Breakage.threadsBefore()
      for backend in KernelFault.ringBackends {
        for entry in KernelFault.enters {
          for first in 0..<10 { try Breakage(backend, entry, first: first, count: .max, errno).check(threads) }
        }
      }
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  @Test("The completions of a broken engine are posted to its completion ring before wait throws", arguments: [1, UInt32.max])
  func brokenWithRing(count: UInt32) async {
    await #expect(processExitsWith: .success) { [count = count as UInt32] in
      ProcessSettings.endIfStuck()
      try KernelFault.engine(.ring).closeHere()
      let mixture = Mixture(12, kinds: [.nops, .pipe])
      let engine = try KernelFault.engine(.ring)
      let ring = CompletionRing(4)
      try engine.register(ring)
      #expect(mixture.submit(to: engine).accepted == 12)
      KernelFault.fail(SYSLET_ENTRY_ENTER, count: count, EBADF)
      var posted: [Int] = []
      #expect(throws: KernelFault.failure(EBADF)) {
        while true {
          _ = try engine.wait(atLeast: 1, timeout: .seconds(5))
          for slot in 0..<4 where ring[slot] != 0 {
            posted.append(mixture.program.index(ring[slot]) ?? -1)
            ring.clear(slot)
          }
        }
      }
      #expect(Set(posted).count == posted.count)
      #expect(posted.count == 12 - engine.pending)
      #expect(count > 1 || engine.pending == 0)
      #expect(throws: KernelFault.failure(EBADF)) { try engine.unregister() }
      try engine.closeHere()
    }
  }

  @Test("An engine that the kernel failed can be dropped without close")
  func dropped() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let threads = try Breakage.threadsBefore()
      for backend in KernelFault.ringBackends {
        for count: UInt32 in [1, .max] {
          let mixture = Mixture(15)
          let descriptors = ProcessCounts.descriptors
          do {
            let engine = try KernelFault.engine(backend)
            #expect(mixture.submit(to: engine).accepted == 15)
            try engine.flushHere()
            KernelFault.fail(SYSLET_ENTRY_ENTER, count: count, EFAULT)
            #expect(throws: KernelFault.failure(EFAULT)) { while true { try engine.flush() } }
          }
          KernelFault.clear()
          #expect(ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors) <= descriptors)
          #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: threads) <= threads)
          unsafe Breakage.kept.append(mixture)
        }
      }
    }
  }
}

/// One engine that is broken while syslets of all kinds are in flight.
private struct Breakage {
  /// Memory that the kernel may still write: to the process's end.
  nonisolated(unsafe) static var kept: [Mixture] = []

  let backend: SysletEngine.Backend
  let entry: syslet_entry
  let first: Int
  let count: UInt32
  let errno: Int32

  init(_ backend: SysletEngine.Backend, _ entry: syslet_entry, first: Int, count: UInt32, _ errno: Int32) {
    (self.backend, self.entry, self.first, self.count, self.errno) = (backend, entry, first, count, errno)
  }

  /// The process's threads while no engine has any, after the self-test.
  static func threadsBefore() throws -> Int {
    try KernelFault.engine(.ring).close()
    return ProcessCounts.settled({ ProcessCounts.threads }, limit: 0)
  }

  func check(_ threads: Int) throws {
    let what: Comment = "\(backend), \(entry), \(count) from \(first)"
    let expected = KernelFault.failure(errno)
    let mixture = Mixture(15)
    let descriptors = ProcessCounts.descriptors
    let engine = try KernelFault.engine(backend)
    KernelFault.fail(entry, first: first, count: count, errno)
    let (accepted, refusal) = mixture.submit(to: engine)
    #expect(accepted == 15 || refusal == expected, what)

    // The reads are never released, so the waits go on until the fault is reached.
    var taken: [Taken] = []
    var failure: EngineError?
    for _ in 0..<1000 where failure == nil {
      do { taken += try engine.take(capacity: 64, timeout: .milliseconds(2)) } catch { failure = error as? EngineError }
    }
    #expect(failure == expected, what)
    // With a timeout so short a wait may have thrown before the workers were back.
    while let some = try? engine.take(capacity: 64) { taken += some }
    #expect(mixture.problems(taken, accepted: accepted, mayCancel: true, mayMiss: true) == [], what)
    #expect(taken.count + engine.pending == accepted, what)
    if count == 1 { #expect(engine.pending == 0, "what happened to a syslet is not told: \(what)") }
    if entry == SYSLET_ENTRY_ENTER, first == 0 { #expect(engine.pending == 0, "the kernel has never had anything: \(what)") }
    // What a slow kernel gives back after all is a completion yet, and no error.
    var isRefusing = false
    for _ in 0..<50 where !isRefusing {
      isRefusing = BadInputTests.refusals(engine, mixture.program).values.allSatisfy { $0 == expected }
      if !isRefusing { usleep(100_000) }
    }
    #expect(isRefusing, what)

    let pending = engine.pending
    let start = test_milliseconds()
    try engine.close()
    #expect(test_milliseconds() - start < 30_000, what)
    #expect(engine.pending <= pending, what)
    KernelFault.clear()
    #expect(ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors) <= descriptors, what)
    #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: threads) <= threads, what)
    guard pending == 0 else { return unsafe Self.kept.append(mixture) }

    // Nobody has the memory any more: what is written now stays in the pipes.
    mixture.release()
    for syslet in mixture.syslets {
      guard let pipe = syslet.pipe, let before = syslet.buffer?.bytes else { continue }
      #expect(plainCall(SystemCall.read, .int(pipe.read), mixture.program.buffer(8).address, 8) == 8, what)
      #expect(syslet.buffer?.bytes == before, what)
    }
  }
}
