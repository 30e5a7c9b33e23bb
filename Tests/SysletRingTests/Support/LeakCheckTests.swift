// The leak check finds what it is there for. In processes of their own, where nothing else comes and goes.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("The leak check")
struct LeakCheckTests {
  /// What is left behind by `body`, seen as a serial run sees it; once `undo` has been called, nothing may be.
  static func leaks(_ body: () throws -> () -> Void) async rethrows -> [String] {
    ProcessSettings.endIfStuck()
    await LeakCheck.runtimeIsWarm.value
    let ledger = Ledger()
    let before = Holdings.now()
    let undo = try Ledger.$current.withValue(ledger) { try body() }
    let leaks = LeakCheck.leaks(since: before, ledger, isSerial: true, deadline: .milliseconds(300))
    undo()
    let rest = LeakCheck.leaks(since: before, ledger, isSerial: true)
    // The runtime may open something of its own meanwhile, for good: this process is young.
    #expect(Set(rest).isDisjoint(with: leaks), "what was let go of is a leak no more: \(rest)")
    return leaks
  }

  @Test("A descriptor that is left open is a leak")
  func descriptor() async {
    await #expect(processExitsWith: .success) {
      var copy: Int32 = -1
      let leaks = await Self.leaks {
        copy = dup(STDERR_FILENO)
        return { close(copy) }
      }
      #expect(leaks.contains { $0.hasPrefix("fd \(copy) ") }, "\(leaks)")
    }
  }

  @Test("An engine that nobody releases is a leak, and so is its ring, if it has one", arguments: SysletEngine.Backend.available)
  func engine(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      let leaks = try await Self.leaks {
        var options = SysletEngine.Options()
        options.backend = SysletEngine.Backend(rawValue: backend)!
        let leaked = unsafe Unmanaged.passRetained(try SysletEngine(options))
        return { unsafe leaked.release() }
      }
      #expect(leaks.contains("1 engines"), "\(leaks)")
      let hasRing = ringObstacle == nil && (backend == "ring" || backend == "automatic")
      #expect(leaks.contains("1 rings") == hasRing, "\(leaks)")
      #expect(leaks.contains { $0.contains("io_uring") } == hasRing, "\(leaks)")
    }
  }

  @Test("A worker thread that does not end is a leak")
  func thread() async {
    await #expect(processExitsWith: .success) {
      let leaks = try await Self.leaks {
        var options = SysletEngine.Options()
        options.backend = .threads
        let engine = try SysletEngine(options)
        let program = Program(.direct)
        program.atom(SystemCall.getpid, flags: .async)
        #expect(try engine.exec(program) == nil)
        #expect(try engine.take().count == 1)
        // Its pool lives as long as it does.
        let leaked = unsafe Unmanaged.passRetained(engine)
        return { unsafe leaked.release() }
      }
      #expect(leaks.contains("1 worker threads"), "\(leaks)")
      #expect(leaks.contains { $0.hasPrefix("task ") && $0.hasSuffix(" syslet-worker") }, "\(leaks)")
    }
  }

  @Test("A thread of a test's that does not end is a leak, and a scratch directory that is not let go of")
  func testsOwn() async {
    await #expect(processExitsWith: .success) {
      let leaks = await Self.leaks {
        let word = Arena()
        let buffer = word.buffer(64)
        precondition(test_one_waiter(buffer.address) == 0)
        let scratch = unsafe Unmanaged.passRetained(Scratch())
        return {
          plainCall(SystemCall.futex, buffer.address, 1, 1)
          unsafe scratch.release()
          withExtendedLifetime(word) {}
        }
      }
      #expect(leaks.contains { $0.hasSuffix(" test-helper") }, "\(leaks)")
      #expect(leaks.contains { $0.contains("scratch directories") }, "\(leaks)")
    }
  }
}
