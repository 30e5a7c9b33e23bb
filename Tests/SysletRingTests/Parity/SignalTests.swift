// Signals (law L12): what a program does with its own never keeps a worker from being interrupted, what interrupts workers never gets to the
// program, and what a call raises becomes its result.

import CTestSupport
import Foundation
import Glibc
import SysletRing
import Testing

/// A syslet that waits for a lock, on a worker.
@safe private final class LockedSyslet {
  let program = Program(.direct)
  private let ours: Int32

  init(position: Int = 0) {
    let path = program.scratch.file("lock")
    ours = program.descriptors.open(path, O_RDWR)
    let theirs = program.descriptors.open(path, O_RDWR)
    let lock = plainCall(SystemCall.flock, .int(theirs), .int(LOCK_EX))
    precondition(lock == 0)
    for _ in 0..<position { program.atom(SystemCall.getppid) }
    program.atom(SystemCall.flock, .int(ours), .int(LOCK_EX), next: .end)
  }

  /// Submits it and waits until a worker is in the call.
  func begin(on engine: SysletEngine) throws -> Bool {
    try engine.enqueue(program)
    try engine.flush()
    let end = test_milliseconds() + 20_000
    while test_milliseconds() < end {
      if Self.isSomebodyLocked { return true }
      // Takes nothing, and lets the run get from atom to atom.
      _ = try engine.take(timeout: .milliseconds(1))
    }
    return false
  }

  /// A thread of this process is in flock.
  private static var isSomebodyLocked: Bool { unsafe test_count_threads("syscall", "\(SystemCall.flock) ") > 0 }
}

/// What a program does with its signals while a syslet waits.
private enum Use: String, CaseIterable {
  case nothing, ignored, handled, standard, ignoredFromTheStart, handledFromTheStart

  func before() {
    if self == .ignoredFromTheStart { test_set_real_time_signals(TEST_SIGNALS_IGNORED) }
    if self == .handledFromTheStart { test_set_real_time_signals(TEST_SIGNALS_HANDLED) }
  }

  func meanwhile() {
    switch self {
    case .nothing, .ignoredFromTheStart, .handledFromTheStart: break
    case .ignored: test_set_real_time_signals(TEST_SIGNALS_IGNORED)
    case .handled: test_set_real_time_signals(TEST_SIGNALS_HANDLED)
    case .standard: test_set_real_time_signals(TEST_SIGNALS_DEFAULT)
    }
  }

  var expected: test_signal_use {
    switch self {
    case .nothing, .standard: TEST_SIGNALS_DEFAULT
    case .ignored, .ignoredFromTheStart: TEST_SIGNALS_IGNORED
    case .handled, .handledFromTheStart: TEST_SIGNALS_HANDLED
    }
  }
}

@Suite("Signals")
struct SignalTests {
  // MARK: interrupting workers

  @Test(
    "Whatever a program does with its real-time signals, a call that waits on a worker is cancelled, by cancel and by close, and the program has them back",
    arguments: LifeRegressionTests.asynchronous)
  func dispositions(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      for use in Use.allCases {
        for isClosed in [false, true] {
          test_set_real_time_signals(TEST_SIGNALS_DEFAULT)
          use.before()
          let locked = LockedSyslet()
          let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
          #expect(try locked.begin(on: engine))
          use.meanwhile()
          let begin = test_milliseconds()
          if !isClosed {
            try engine.cancel(locked.program)
            #expect(try engine.take().map(\.reason) == [.cancelled], "\(use)")
          }
          try engine.closeHere()
          #expect(test_milliseconds() - begin < 5_000, "\(use)")
          #expect(test_signals_handled() == 0, "\(use): the program was given what interrupts workers")
          _ = ProcessCounts.settled({ Workers.count }, limit: 0)
          #expect(test_real_time_signals_other_than(use.expected) == 0, "\(use): a disposition has changed")
        }
      }
    }
  }

  @Test(
    "Signals of the program's get to its handlers while workers are interrupted by the same numbers",
    .disabled(if: test_has_thread_sanitizer(), "the sanitizer gives the program one signal for several"),
    arguments: LifeRegressionTests.asynchronous)
  func shared(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      test_set_real_time_signals(TEST_SIGNALS_HANDLED)
      var sent = 0
      for _ in 0..<50 {
        let locked = LockedSyslet()
        let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
        #expect(try locked.begin(on: engine))
        sent += Int(test_queue_real_time_signals(false))
        try engine.cancel(locked.program)
        sent += Int(test_queue_real_time_signals(true))
        var taken: [Taken] = []
        // A signal ends a wait.
        while taken.isEmpty { taken = try engine.take() }
        #expect(taken.map(\.reason) == [.cancelled])
        try engine.closeHere()
      }
      let end = test_milliseconds() + 10_000
      while test_signals_handled() < sent, test_milliseconds() < end { sched_yield() }
      #expect(Int(test_signals_handled()) == sent)
      #expect(test_signals_foreign() == 0)
    }
  }

  @Test(
    "A program that masks all signals and reads them from a signalfd gets each of its own, none of ours, and its syslets are cancelled",
    .disabled(if: test_has_thread_sanitizer(), "the sanitizer lets no forked child start threads"),
    arguments: LifeRegressionTests.asynchronous, [false, true])
  func descriptor(backend: SysletEngine.Backend, isDownwards: Bool) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, isDownwards = isDownwards as Bool] in
      ProcessSettings.endIfStuck()
      // A process with one thread: nobody but the syslet's worker does not block them.
      let status = inForkedChild { () -> Int32 in
        test_mask_all_signals(true)
        let descriptor = test_signal_descriptor()
        for isClosed in [false, true] {
          for sends in [false, true] {
            let locked = LockedSyslet(position: 1)
            guard let engine = try? BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) else { return 1 }
            guard (try? locked.begin(on: engine)) == true else { return 2 }
            let sent = sends ? test_queue_real_time_signals(isDownwards) : 0
            var taken: Int32 = 0
            // Those that a worker was given are queued again a moment later.
            func take() -> Bool {
              let end = test_milliseconds() + 10_000
              while taken < sent, test_milliseconds() < end {
                let more = test_take_real_time_signals(descriptor)
                if more < 0 { return false }
                taken += more
              }
              return taken == sent
            }
            if isDownwards, !take() { return 3 }
            if !isClosed {
              guard (try? engine.cancel(locked.program)) != nil else { return 4 }
              guard (try? engine.take().map(\.reason)) == [.cancelled] else { return 5 }
            }
            guard (try? engine.close()) != nil else { return 6 }
            guard take() else { return 7 }
            guard test_take_real_time_signals(descriptor) == 0 else { return 8 }
          }
        }
        return 0
      }
      #expect(status == 0)
    }
  }

  @Test(
    "The signal that interrupts workers can be named, and is the program's again afterwards", arguments: LifeRegressionTests.asynchronous)
  func named(backend: SysletEngine.Backend) async throws {
    for wrong in [0, SIGTERM, SIGKILL, test_first_real_time_signal() - 1, test_last_real_time_signal() + 1] {
      do {
        _ = try BadInputTests.engine(backend) { $0.interruptSignal = wrong }
        Issue.record("\(wrong) was accepted")
      } catch {
        guard case .invalidOption(let name, _, _)? = error as? EngineError else {
          Issue.record("\(wrong): \(error)")
          continue
        }
        #expect(name == "interruptSignal")
      }
    }
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      for signal in [test_first_real_time_signal(), test_last_real_time_signal()] {
        let locked = LockedSyslet()
        let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { $0.interruptSignal = signal }
        #expect(try locked.begin(on: engine))
        #expect(test_real_time_signals_other_than(TEST_SIGNALS_DEFAULT) == 1)
        try engine.cancel(locked.program)
        #expect(try engine.take().map(\.reason) == [.cancelled])
        try engine.closeHere()
        _ = ProcessCounts.settled({ Workers.count }, limit: 0)
        #expect(test_real_time_signals_other_than(TEST_SIGNALS_DEFAULT) == 0)
      }
    }
  }

  // MARK: signals that calls raise

  @Test("A pipe or a socket that nobody reads gives -EPIPE, and SIGPIPE neither kills nor stays", arguments: SysletEngine.Backend.available)
  func brokenPipes(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      test_use_default_action(SIGPIPE)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      for handing in CallWay.allCases {
        for call in Raising.brokenPipe {
          let scene = Raising.Scene()
          #expect(try handing.result(of: call.number, call.arguments(scene), on: engine) == -Int(EPIPE), "\(call.name), \(handing)")
          #expect(!test_signal_is_pending(SIGPIPE), "\(call.name), \(handing)")
          #expect(!test_blocks_signal(SIGPIPE), "\(call.name), \(handing)")
        }
      }
      try engine.closeHere()
    }
  }

  @Test("A file that may not grow gives -EFBIG, and SIGXFSZ neither kills nor stays", arguments: SysletEngine.Backend.available)
  func fileSize(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      test_use_default_action(SIGXFSZ)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let scene = Raising.Scene()
      #expect(test_set_limit(TEST_LIMIT_FILE_SIZE, 4096) == 0)
      for handing in CallWay.allCases {
        for call in Raising.fileTooLarge {
          #expect(try handing.result(of: call.number, call.arguments(scene), on: engine) == -Int(EFBIG), "\(call.name), \(handing)")
          #expect(!test_signal_is_pending(SIGXFSZ), "\(call.name), \(handing)")
        }
      }
      try engine.closeHere()
    }
  }

  @Test(
    "A pipe that loses its reader when it has some of the bytes gives their count", arguments: [SysletEngine.Backend.inline, .automatic])
  func partly(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      test_use_default_action(SIGPIPE)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let pipe = program.descriptors.pipe()
      let content = program.buffer(200_000)
      program.descriptors.forget(pipe.read)
      Thread.detachNewThread {
        let arena = Arena()
        plainCall(SystemCall.read, .int(pipe.read), arena.buffer(4096).address, 4096)
        while !Raising.isSomebodyWriting {}
        plainCall(SystemCall.close, .int(pipe.read))
      }
      let result = try CallWay.synchronous.result(of: SystemCall.write, [.int(pipe.write), content.address, 200_000], on: engine)
      #expect(result ?? 0 > 0 && result! < 200_000, "\(String(describing: result))")
      #expect(!test_signal_is_pending(SIGPIPE))
      try engine.closeHere()
    }
  }

  @Test("A signal that was blocked and pending before a call stays so", arguments: SysletEngine.Backend.available)
  func pendingBefore(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      // On a thread of its own, which the signals are pending for.
      let isDone = onAnotherThread { () -> Bool in
        for isPending in [true, false] {
          test_block_signal(SIGPIPE)
          if isPending { #expect(test_raise(SIGPIPE) == 0) }
          guard let engine = try? BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) else { return false }
          for handing in CallWay.allCases {
            for call in Raising.brokenPipe {
              let scene = Raising.Scene()
              let result = try? handing.result(of: call.number, call.arguments(scene), on: engine)
              #expect(result == -Int(EPIPE), "\(call.name), \(handing)")
              #expect(test_signal_is_pending(SIGPIPE) == isPending, "\(call.name), \(handing)")
              #expect(test_blocks_signal(SIGPIPE))
            }
          }
          try? engine.close()
          // Takes it.
          signal(SIGPIPE, SIG_IGN)
          test_use_default_action(SIGPIPE)
        }
        return true
      }
      #expect(isDone)
    }
  }
}
