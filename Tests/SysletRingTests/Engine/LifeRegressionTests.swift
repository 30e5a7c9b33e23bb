// Cancelling, waiting, explaining and closing: bugs that a review proved with a program of its own.

import CTestSupport
import Foundation
import Glibc
import SysletRing
import Testing

@Suite("Bugs that were found once: cancelling, waiting, closing", .leavesNothingBehind)
struct LifeRegressionTests {
  /// The backends on which a call that blocks leaves the caller alone.
  static let asynchronous = SysletEngine.Backend.available.filter { $0 != .inline }

  /// An array of one `struct timespec`.
  static func time(_ program: Program, milliseconds: Int) -> Buffer {
    let time = program.buffer(16)
    time.store(Int64(milliseconds / 1000), at: 0)
    time.store(Int64(milliseconds % 1000) * 1_000_000, at: 8)
    return time
  }

  static func isReadable(_ descriptor: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&entry, 1, 0) == 1
  }

  // MARK: cancelling

  // A cancellation named a slot of the engine's, and the kernel's answer to it could come after the slot had another syslet. That one was
  // then cancelled instead: its sleep ended early.
  @Test("Cancelling a syslet never cancels another that takes its slot", arguments: asynchronous, Form.allCases)
  func cancelledSlot(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    for _ in 0..<3 {
      let program = Program(form)
      let pipe = program.descriptors.pipe()
      program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: .stopOnNegative)
      program.atom(noOperation)
      program.atom(noOperation, next: .end)
      let slept = program.word()
      let sleep = program.atom(SystemCall.nanosleep, .to(Self.time(program, milliseconds: 50)), 0, flags: .async, result: slept)
      #expect(try engine.exec(program) == nil)
      try engine.cancel(program)
      #expect(try engine.take(timeout: .seconds(10)).map(\.reason) == [.cancelled])
      let start = test_milliseconds()
      #expect(try engine.exec(program, sleep) == nil)
      let taken = try engine.take(timeout: .seconds(10))
      #expect(taken.map(\.reason) == [.ended])
      #expect(taken.map(\.result) == [0])
      #expect(slept.value == 0)
      #expect(test_milliseconds() - start >= 49)
    }
  }

  // A read without stop conditions was linked hard to the write behind it, and a hard link survives a failure, the cancellation's too.
  // The cancelled syslet went on and wrote.
  @Test("Nothing runs behind an atom that was cancelled, though no stop condition holds it", arguments: asynchronous, Form.allCases)
  func cancelledHardLink(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    for isEnqueued in [true, false] {
      let program = Program(form)
      let (pipe, out) = (program.descriptors.pipe(), program.descriptors.pipe())
      let results = [program.word(), program.word()]
      program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, result: results[0])
      program.atom(SystemCall.write, .int(out.write), .to(program.path("bytes")), 5, result: results[1])
      if isEnqueued {
        try engine.enqueue(program)
        try engine.flush()
      } else {
        #expect(try engine.exec(program) == nil)
      }
      try engine.cancel(program)
      let taken = try engine.take(timeout: .seconds(10))
      #expect(taken.map(\.reason) == [.cancelled])
      #expect(taken.map(\.executed) == [0])
      #expect(taken.map(\.result) == [-Int(ECANCELED)])
      #expect(!Self.isReadable(out.read))
      #expect(results.map(\.value) == [Program.untouched, Program.untouched])
    }
  }

  // What a descriptor names was asked before the atom in front had opened it: a closed one counted as a file, whose calls do not wait. The read
  // was linked hard, so it was never cancelled, and close() waited for ever.
  @Test("A call that waits on a descriptor that its own syslet has opened can be cancelled, and nothing runs behind it")
  func cancelledBehindOpen() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in Self.asynchronous {
        let engine = try BadInputTests.engine(backend)
        let program = Program(.direct)
        let fifo = program.path(program.scratch.path + "/fifo")
        #expect(plainCall(SystemCall.mknodat, .int(AT_FDCWD), fifo.address, .int(S_IFIFO | 0o600), 0) == 0)
        let out = program.descriptors.pipe()
        // With workers an engine gets a descriptor of its own.
        let warming = Program(.direct)
        warming.atom(SystemCall.sched_yield, flags: .async)
        #expect(try engine.exec(warming) == nil)
        #expect(try engine.take(timeout: .seconds(10)).map(\.reason) == [.ended])
        // The number that the open will get.
        let next = plainCall(SystemCall.dup, .int(out.read))
        #expect(plainCall(SystemCall.close, .int(next)) == 0)
        program.atom(SystemCall.openat, .int(AT_FDCWD), .to(fifo), .int(O_RDWR), 0, flags: .async)
        program.atom(SystemCall.read, .int(next), .to(program.buffer(8)), 8)
        program.atom(SystemCall.write, .int(out.write), .to(program.path("bytes")), 5)
        #expect(try engine.exec(program) == nil)
        let end = test_milliseconds() + 10_000
        while plainCall(SystemCall.fcntl, .int(next), .int(F_GETFD)) < 0, test_milliseconds() < end { try engine.flushHere() }
        try engine.cancel(program)
        #expect(try engine.take(timeout: .seconds(10)).map(\.reason) == [.cancelled], "\(backend)")
        #expect(!Self.isReadable(out.read), "\(backend)")
        try engine.closeHere()
        #expect(plainCall(SystemCall.close, .int(next)) == 0)
      }
    }
  }

  // The calls in flight filled a queue of one entry, and a cancellation needs an entry too. What was waiting for its turn could not be
  // cancelled, and close() waited for ever.
  @Test("With queues of one entry, what waits for its turn can be cancelled, and the engine closed")
  func cancelWithFullQueues() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in Self.asynchronous {
        let engine = try BadInputTests.engine(backend) { ($0.entries, $0.completionEntries) = (1, 1) }
        let program = Program(.direct)
        for _ in 0..<4 {
          program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8, next: .end)
        }
        for head in 0..<4 { #expect(try engine.exec(program, head) == nil) }
        for head in [3, 0] {
          try engine.cancel(program, head)
          let taken = try engine.take(timeout: .seconds(10))
          #expect(taken.map { program.index($0.atom) } == [head], "\(backend)")
          #expect(taken.map(\.reason) == [.cancelled], "\(backend)")
          #expect(taken.map(\.executed) == [0], "\(backend)")
        }
        #expect(engine.pending == 2)
        try engine.closeHere()
        #expect(engine.pending == 0)
      }
    }
  }

  // The ring gives what the kernel means for itself when a splice is interrupted, -ERESTARTSYS, -512, which no system call returns. It was
  // stored as the atom's result, and the atom counted as executed.
  @Test("A splice that was cancelled before it moved anything counts as not executed", arguments: asynchronous, [true, false])
  func cancelledSplice(backend: SysletEngine.Backend, isAsync: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let (source, target) = (program.descriptors.pipe(), program.descriptors.pipe())
    let result = program.word()
    program.atom(
      SystemCall.splice, .int(source.read), 0, .int(target.write), 0, 100, 0, flags: isAsync ? .async : [], result: result)
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take(timeout: .milliseconds(100)) == [])
    try engine.cancel(program)
    let taken = try engine.take(timeout: .seconds(10))
    #expect(taken.map(\.reason) == [.cancelled])
    #expect(taken.map(\.executed) == [0])
    #expect(taken.map(\.result) == [-Int(ECANCELED)])
    #expect(result.value == Program.untouched)
  }

  // MARK: closing

  // An engine that the kernel had failed gave up waiting for its workers and freed the memory that they were working on. Their calls came
  // back into it.
  @Test("An engine whose ring is closed under it can be closed or released while a worker is in a call")
  func ringClosedUnderneath() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in SysletEngine.Backend.available where backend == .ring || backend == .automatic {
        for closes in [true, false] {
          let program = Program(.direct)
          let pipe = program.descriptors.pipe()
          do {
            let engine = try BadInputTests.engine(backend)
            // With both flags it is a worker's.
            program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: [.sync, .async], next: .end)
            let other = program.atom(noOperation, flags: .async, next: .end)
            #expect(try engine.exec(program) == nil)
            usleep(50_000)
            closeRings()
            _ = try? engine.exec(program, other)
            _ = try? engine.flushHere()
            _ = try? engine.waitHere(atLeast: 1, timeout: .milliseconds(20))
            if closes { try? engine.closeHere() }
          }
          // Whoever still reads would write into the program's memory.
          #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("x").address, 1) == 1)
          usleep(50_000)
          #expect(Self.isReadable(pipe.read), "\(backend): L4: a call of a released engine went on")
        }
      }
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  // With no descriptor left for the workers' doorbell, exec threw but left the syslet pending, handed over to nobody. close() waited for it.
  @Test("A syslet for which there is no descriptor left is refused, or pending until a wait tells")
  func noDescriptorLeft() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in Self.asynchronous {
        let program = Program(.direct)
        let pipe = program.descriptors.pipe()
        #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("ab").address, 2) == 2)
        program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: [.sync, .async])
        let engine = try BadInputTests.engine(backend)
        #expect(test_limit_descriptors(3) == 0)
        do {
          let last = try engine.exec(program)
          #expect(last == nil, "\(backend)")
          #expect(engine.pending == 1, "\(backend)")
          do {
            let taken = try engine.take(timeout: .seconds(10))
            #expect(taken.map(\.result) == [2], "\(backend)")
          } catch {
            #expect("\(error)".contains("EMFILE"), "\(backend): \(error)")
          }
        } catch {
          #expect("\(error)".contains("EMFILE"), "\(backend): \(error)")
          #expect(engine.pending == 0, "\(backend): what was refused is pending")
        }
        let start = test_milliseconds()
        try engine.closeHere()
        #expect(test_milliseconds() - start < 30_000)
        #expect(engine.pending == 0)
        #expect(test_limit_descriptors(1000) == 0)
      }
    }
  }

  // MARK: waiting

  // A wait for no completions returned before it had looked at what the kernel had done, because none was enough. A program that polls
  // with it never saw one.
  @Test("A program that polls with wait(atLeast: 0) sees its completion", arguments: asynchronous, [true, false])
  func polling(backend: SysletEngine.Backend, takes: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.nanosleep, .to(Self.time(program, milliseconds: 50)), 0, flags: .async)
    #expect(try engine.exec(program) == nil)
    let end = test_milliseconds() + 10_000
    var seen = 0
    while seen == 0, test_milliseconds() < end {
      seen = takes ? try engine.take(atLeast: 0, timeout: nil).count : try engine.wait(atLeast: 0)
      usleep(1000)
    }
    #expect(seen == 1)
  }

  // An enter that submits something and is then interrupted returns what it submitted, not -EINTR. The wait took that for progress and went
  // on waiting, signal or not.
  @Test("A signal ends a wait, also one that submits")
  func signalEndsWait() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { _ in }
      #expect(unsafe sigaction(SIGUSR1, &action, nil) == 0)
      for backend in Self.asynchronous {
        for isBatch in [true, false] {
          let milliseconds = try Self.interruptedWait(backend, isBatch: isBatch)
          #expect(milliseconds < 15_000, "\(backend), \(isBatch ? "enqueued" : "executed")")
        }
      }
    }
  }

  /// How many milliseconds a wait of 20 s takes that a signal interrupts once its thread sleeps.
  private static func interruptedWait(_ backend: SysletEngine.Backend, isBatch: Bool) throws -> Int64 {
    // The threads that tests run on block signals.
    var signals = sigset_t()
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGUSR1)
    unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.nanosleep, .to(time(program, milliseconds: 1_000_000)), 0, flags: .async)
    let (process, thread) = (getpid(), plainCall(SystemCall.gettid))
    let start = test_milliseconds()
    Thread.detachNewThread {
      usleep(20_000)
      // Once: the next one would end a wait that has taken no notice of the first.
      while !test_sleeps(Int32(thread)) { usleep(5000) }
      usleep(5000)
      plainCall(SystemCall.tgkill, .int(process), .int(thread), .int(SIGUSR1))
    }
    if isBatch { try engine.enqueue(program) } else { #expect(try engine.exec(program) == nil) }
    #expect(try engine.wait(atLeast: 1, timeout: .seconds(20)) == 0)
    #expect(engine.pending == 1)
    return test_milliseconds() - start
  }

  // The deadline's nanoseconds were added without a look at their size: a timeout of 292 years, or a very negative one, trapped.
  @Test("No timeout is too long or too short, and one below zero is refused")
  func timeouts() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let long: [Duration] = [
        .seconds(Int64.max), .nanoseconds(Int64.max), .seconds(9_223_372_036),
        Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 900_000_000_000_000_000),
      ]
      let short: [Duration] = [
        .zero, .nanoseconds(-1), .seconds(-1), .nanoseconds(Int64.min), .seconds(Int64.min),
        Duration(secondsComponent: -9_223_372_037, attosecondsComponent: -900_000_000_000_000_000),
      ]
      for backend in SysletEngine.Backend.available {
        let engine = try BadInputTests.engine(backend)
        let program = Program(.direct)
        program.atom(SystemCall.nanosleep, .to(Self.time(program, milliseconds: 10)), 0)
        for timeout in long {
          try engine.enqueue(program)
          // Once more: the last engine's ring, which the kernel takes down meanwhile, interrupts this thread as a signal does.
          if try engine.waitHere(atLeast: 1, timeout: timeout) == 0 { _ = try engine.waitHere(atLeast: 1, timeout: timeout) }
          #expect(try engine.take(timeout: timeout).map(\.result) == [0], "\(backend), \(timeout)")
          try engine.enqueue(program)
          var taken = try engine.take(timeout: timeout)
          if taken.isEmpty { taken = try engine.take(timeout: timeout) }
          #expect(taken.map(\.result) == [0], "\(backend), \(timeout)")
        }
        for timeout in short {
          try engine.enqueue(program)
          guard timeout >= .zero else {
            #expect(throws: EngineError.self, "\(backend), \(timeout)") { try engine.wait(atLeast: 1, timeout: timeout) }
            #expect(throws: EngineError.self, "\(backend), \(timeout)") { try engine.take(timeout: timeout) }
            #expect(try engine.take().count == 1, "\(backend), \(timeout)")
            continue
          }
          _ = try engine.waitHere(atLeast: 1, timeout: timeout)
          let taken = try engine.take(timeout: timeout)
          #expect(try taken.count + engine.take(timeout: taken.isEmpty ? .seconds(10) : .zero).count == 1, "\(backend), \(timeout)")
        }
        try engine.closeHere()
      }
    }
  }

  // MARK: explaining

  // explain worked with the engine's own translator, whose segment is also the engine's, so what it left behind could become a part of what
  // runs next. Explaining while syslets are in flight must change nothing.
  @Test("Explaining a syslet while others are in flight changes no result", arguments: asynchronous, Form.allCases)
  func explained(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(form, capacity: 400)
    let file = program.descriptors.open(program.scratch.file("f", "0123456789"), O_RDONLY)
    let pipe = program.descriptors.pipe()
    let (blocked, read, sum, other) = (program.word(), program.word(), program.word(0), program.word(0))

    let first = program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: .stopOnNegative, result: blocked)
    program.atom(SystemCall.pread64, .int(file), .to(program.buffer(8)), .pointed(blocked), 0, flags: .stopOnNonPositive, result: read)
    program.atom(umemAdd, .to(sum), .pointed(read), next: .end)

    let long = program.count
    for _ in 0..<100 {
      program.atom(SystemCall.pread64, .int(file), .to(program.buffer(1)), 1, 0, flags: .stopOnNonPositive, result: program.word())
      program.atom(noOperation, flags: .stopOnNegative, result: program.word())
      program.atom(umemAdd, .to(program.word(0)), 1)
    }
    program.atom(noOperation, next: .end)

    let second = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(8)), 4, 2, flags: .stopOnNonPositive, result: read)
    program.atom(umemAdd, .to(other), .pointed(read), next: .end)

    // Without what has been measured meanwhile.
    func list() -> [Substring] { engine.explain(program, long).split(separator: "\n").filter { !$0.hasPrefix("lately") } }
    let listing = list()
    #expect(try engine.exec(program, first) == nil)
    #expect(list() == listing)
    try engine.enqueue(program, second)
    #expect(list() == listing)
    let taken = try engine.take(timeout: .seconds(10))
    #expect(taken.map(\.executed) == [2])
    #expect(taken.map(\.result) == [4])
    #expect(other.value == 4)
    #expect(list() == listing)
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abcde").address, 5) == 5)
    #expect(list() == listing)
    let last = try engine.take(timeout: .seconds(10))
    #expect(last.map(\.executed) == [3])
    #expect(last.map(\.result) == [5])
    #expect(sum.value == 5)
    #expect(engine.pending == 0)
    // What was only explained has not run.
    #expect(program.comparedWords.dropFirst(4).allSatisfy { $0.value == Program.untouched || $0.value == 0 })
  }

  // MARK: the completion ring

  // Completions that were kept when the ring was registered were posted only by a wait's count, so a new one met "others before me" and was
  // lost, though slots had been cleared meanwhile.
  @Test("A strict ring loses no completion while slots are clear", arguments: SysletEngine.Backend.available, [true, false])
  func strictRing(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend) { $0.strictRing = true }
    defer { try? engine.close() }
    let program = Program(.direct)
    for _ in 0..<5 { program.atom(noOperation, next: .end) }
    for head in 0..<3 { try engine.enqueue(program, head) }
    #expect(try engine.wait(atLeast: 3, timeout: .seconds(10)) == 3)
    let ring = CompletionRing(2)
    try engine.register(ring)
    var posted = ring.entries
    #expect(posted.allSatisfy { $0 != 0 })
    ring.clear(0)
    ring.clear(1)
    // One is kept; with this one there are two, for two slots.
    if isBatch {
      try engine.enqueue(program, 3)
    } else {
      program.addFlags(.async, to: 3)
      #expect(try engine.exec(program, 3) == nil)
    }
    #expect(try engine.wait(atLeast: 2, timeout: .seconds(10)) == 2)
    #expect(engine.lost == 0)
    posted += ring.entries
    #expect(Set(posted) == Set((0..<4).map { program.address($0) }))
    // Both slots are taken: now the ring of 2007 loses one.
    try engine.enqueue(program, 4)
    #expect(try engine.wait(atLeast: 3, timeout: .seconds(10)) == 2)
    #expect(engine.lost == 1)
  }
}

/// Closes every io_uring of this process, whoever it belongs to.
private func closeRings() {
  for descriptor in 3..<256 {
    let name = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
    if name?.contains("io_uring") == true { close(Int32(descriptor)) }
  }
}
