// Who may use an engine, and what becomes of it when its process forks, a signal hits its workers, or its thread ends (law L8).

import CTestSupport
import Foundation
import Glibc
import Synchronization
import SysletRing
import Testing

@Suite("Forks, threads and signals")
struct OwnershipTests {
  /// A syslet on the ring where there is one, and one with a worker, both waiting for bytes.
  private struct Waiting {
    let program = Program(.direct)
    let pipes: [(read: Int32, write: Int32)]
    let buffers: [Buffer]

    init() {
      pipes = [program.descriptors.pipe(), program.descriptors.pipe()]
      buffers = [program.buffer(8), program.buffer(8)]
      for (number, flags) in [AtomFlags.async, [.sync, .async]].enumerated() {
        program.atom(SystemCall.read, .int(pipes[number].read), .to(buffers[number]), 8, flags: flags, next: .end)
      }
    }

    func submit(to engine: SysletEngine) throws {
      for head in 0..<2 { #expect(try engine.exec(program, head) == nil) }
      try engine.flush()
    }

    func release() {
      for pipe in pipes { #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3) }
    }
  }

  /// The io_uring descriptors of this process.
  private static var rings: Int {
    (3..<256).count { descriptor in
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"))?.contains("io_uring") == true
    }
  }

  // MARK: fork

  // The engine of the child took the calls that were with the kernel for calls of a ring that broke, and kept the ring's descriptor: the
  // parent's ring would have outlived the parent's close.
  @Test("A fork while syslets are in flight: the child is told, may drop the engine, and the parent's syslets complete")
  func forkInFlight() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in LifeRegressionTests.asynchronous {
        let waiting = Waiting()
        var engine: SysletEngine? = try BadInputTests.engine(backend)
        try waiting.submit(to: engine!)
        // The workers have begun: a child of a process with a thread that is just being started may wait for ever for a lock of it.
        #expect(try engine!.take(timeout: .milliseconds(20)) == [])
        let ringsBefore = Self.rings
        let status = inForkedChild {
          guard BadInputTests.refusals(engine!, waiting.program).values.allSatisfy({ $0 == .forked }) else { return 1 }
          do throws(EngineError) { try engine!.close() } catch { if error != .forked { return 2 } }
          guard engine!.pending == 2 else { return 3 }
          engine = nil
          return Self.rings == 0 ? 0 : 4
        }
        #expect(status == 0, "\(backend)")
        #expect(Self.rings == ringsBefore)
        waiting.release()
        let taken = try engine!.takeAll(2)
        #expect(taken.map(\.result) == [3, 3], "\(backend)")
        #expect(waiting.buffers.map(\.text) == ["abc", "abc"])
        try engine!.closeHere()
      }
    }
  }

  @Test("A child that lives on holds nothing back: the parent completes, cancels and closes, and its ring is gone")
  func childLivesOn() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in LifeRegressionTests.asynchronous {
        let (waiting, gate) = (Waiting(), Program(.direct))
        let pipe = gate.descriptors.pipe()
        let engine = try BadInputTests.engine(backend)
        try waiting.submit(to: engine)
        let child = plainCall(SystemCall.fork)
        if child == 0 {
          // Until the parent is done.
          plainCall(SystemCall.read, .int(pipe.read), gate.buffer(8).address, 1)
          _exit(0)
        }
        #expect(child > 0)
        try engine.cancel(waiting.program, 0)
        #expect(try engine.take().map(\.reason) == [.cancelled], "\(backend)")
        try engine.closeHere()
        #expect(engine.pending == 0, "\(backend)")
        #expect(Self.rings == 0)
        waiting.release()
        for pipe in waiting.pipes { #expect(LifeRegressionTests.isReadable(pipe.read), "\(backend): L4") }
        #expect(plainCall(SystemCall.write, .int(pipe.write), gate.path("x").address, 1) == 1)
        #expect(plainCall(SystemCall.wait4, .int(child), 0, 0, 0) == child)
      }
    }
  }

  // MARK: workers

  /// The threads of this process but for those in `others`.
  private static func threads(except others: Set<Int> = []) -> Set<Int> {
    Set(((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []).compactMap { Int($0) }).subtracting(others)
  }

  @Test("No syslet ends the worker that runs it: exit, exit_group and a strict seccomp are refused, and the worker works on")
  func workersStay() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in LifeRegressionTests.asynchronous {
        let engine = try BadInputTests.engine(backend) { $0.maxWorkers = 1 }
        let program = Program(.direct)
        let bytes = program.buffer(8)
        let calls: [(Int, [UInt64])] = [
          (SystemCall.exit, [1]), (SystemCall.exit_group, [1]), (SystemCall.seccomp, [0, 0, 0]), (SystemCall.prctl, [22, 1, 0, 0, 0]),
        ]
        for (number, arguments) in calls {
          let head = program.count
          program.atom(SystemCall.getrandom, .to(bytes), 8, 0, flags: [.sync, .async])
          program.atom(number, list: arguments.map { .value($0) }, flags: .sync, result: program.word())
          program.atom(SystemCall.getrandom, .to(bytes), 8, 0, flags: .sync, next: .end)
          #expect(try engine.exec(program, head) == nil)
          let taken = try engine.take(timeout: .seconds(10))
          #expect(taken.map(\.executed) == [3], "\(backend)")
          #expect(taken.map(\.result) == [8], "\(backend)")
        }
        #expect(program.comparedWords.allSatisfy { $0.value == -Int(EPERM) }, "\(backend)")
        // One worker is all there is, and one hop brought each syslet to its end.
        #expect(engine.statistics.workerHops == calls.count)
        #expect(engine.statistics.workerCalls == 3 * calls.count)
        try engine.closeHere()
      }
    }
  }

  @Test("Signals to a worker thread end nothing; the one that interrupts calls gives a syslet EINTR, as any signal gives a plain call")
  func signalledWorkers() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in LifeRegressionTests.asynchronous {
        let before = Self.threads()
        let engine = try BadInputTests.engine(backend)
        let program = Program(.direct)
        let pipe = program.descriptors.pipe()
        program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: [.sync, .async])
        #expect(try engine.exec(program) == nil)
        let worker = Self.threads(except: before).max()!
        for signal in 1...64 where signal != SIGKILL && signal != SIGSTOP && signal != 32 && signal != 33 && signal < 35 {
          plainCall(SystemCall.tgkill, .int(getpid()), .int(worker), .int(signal))
        }
        #expect(try engine.take(timeout: .milliseconds(20)) == [], "\(backend)")
        #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("ab").address, 2) == 2)
        #expect(try engine.take(timeout: .seconds(10)).map(\.result) == [2], "\(backend)")

        #expect(try engine.exec(program) == nil)
        let end = test_milliseconds() + 10_000
        var taken: [Taken] = []
        while taken.isEmpty, test_milliseconds() < end {
          for thread in Self.threads(except: before) {
            for signal in 35...64 { plainCall(SystemCall.tgkill, .int(getpid()), .int(thread), .int(signal)) }
          }
          taken = try engine.take(timeout: .milliseconds(1))
        }
        #expect(taken.map(\.result) == [-Int(EINTR)], "\(backend)")
        #expect(taken.map(\.reason) == [.ended], "\(backend)")
        try engine.closeHere()
      }
    }
  }

  // MARK: the owner's thread

  // A thread was known by its pthread_t, which the C library gives to the next thread that starts after one has ended. That one was taken for
  // the owner, and entered the ring of a thread that was gone.
  @Test("When its thread has ended, an engine belongs to nobody: each later thread is refused")
  func ownerEnded() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in SysletEngine.Backend.available {
        let waiting = Waiting()
        nonisolated(unsafe) var kept: SysletEngine?
        onAnotherThread {
          unsafe kept = try? BadInputTests.engine(backend)
          if backend != .inline { unsafe try? waiting.submit(to: kept!) }
        }
        let engine = unsafe kept!
        for _ in 0..<4 {
          let refused = onAnotherThread { BadInputTests.refusals(engine, waiting.program) }
          #expect(refused.values.allSatisfy { $0 == .wrongThread }, "\(backend): \(refused)")
          let closed = onAnotherThread { () -> EngineError? in
            do throws(EngineError) { try engine.close() } catch { return error }
            return nil
          }
          #expect(closed == .wrongThread, "\(backend)")
        }
        #expect(engine.pending == (backend == .inline ? 0 : 2))
        // Releasing it would trap: see below.
        if engine.pending > 0 { _ = unsafe Unmanaged.passRetained(engine) }
      }
      // The engine that nobody may release is a leak.
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  @Test("L8: releasing an engine with pending syslets on a thread that does not own it ends the process, and says why")
  func releasedElsewhere() async {
    for backend in LifeRegressionTests.asynchronous {
      for isOwnerAlive in [true, false] {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
          [backend = backend.rawValue as String, isOwnerAlive = isOwnerAlive as Bool] in
          ProcessSettings.endIfStuck()
          let waiting = Waiting()
          nonisolated(unsafe) var kept: SysletEngine?
          func begin() {
            unsafe kept = try? BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
            unsafe try? waiting.submit(to: kept!)
          }
          if isOwnerAlive { begin() } else { onAnotherThread { begin() } }
          onAnotherThread { unsafe kept = nil }
          _exit(0)
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("L8"), "\(backend): \(text)")
      }
    }
  }

  @Test("An engine with nothing pending may be released on any thread, and leaves no descriptor and no thread")
  func idleReleasedElsewhere() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in SysletEngine.Backend.available { try BadInputTests.engine(backend).closeHere() }
      let threads = ProcessCounts.settled({ ProcessCounts.threads }, limit: 0)
      for backend in LifeRegressionTests.asynchronous {
        for isOwnerAlive in [true, false] {
          let waiting = Waiting()
          let descriptors = ProcessCounts.descriptors
          nonisolated(unsafe) var kept: SysletEngine?
          func use() {
            unsafe kept = try? BadInputTests.engine(backend)
            unsafe try? waiting.submit(to: kept!)
            waiting.release()
            let results = unsafe try? kept?.takeAll(2).map(\.result)
            #expect(results == [3, 3])
          }
          if isOwnerAlive { use() } else { onAnotherThread { use() } }
          onAnotherThread { unsafe kept = nil }
          #expect(ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors) <= descriptors, "\(backend)")
          #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: threads) <= threads, "\(backend)")
        }
      }
    }
  }
}
