// In what a syslet still differs from its calls: docs/SEMANTICS.md, "Differences that remain". Each test makes the difference, and fails when it is
// there no longer: then the line is to go. What is the kernel's is required on the reference kernel alone.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Parity: differences that remain", .leavesNothingBehind)
struct RemainingDifferencesTests {
  private static let withRing = SysletEngine.Backend.available.filter { ringObstacle == nil && ($0 == .ring || $0 == .automatic) }

  // The ring's connect does not wait in the socket, so the socket does not learn that it has failed to connect, but has an error to tell.
  @Test(
    "After a connect that has failed on the ring a receive gives 0, plainly -ENOTCONN", .enabled(if: ReferenceKernel.isHere),
    arguments: withRing)
  func failedConnect(backend: SysletEngine.Backend) throws {
    func socket(_ stage: Stage) -> UInt64 {
      .int(stage.descriptors.adopt(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)))
    }
    let stage = Stage()
    // Nobody listens at port 1.
    let address = stage.arena.buffer(bytes: [UInt8(AF_INET), 0, 0, 1, 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8))
    let (plain, tried, byte) = (socket(stage), socket(stage), stage.arena.buffer(1))
    #expect(plainCall(SystemCall.connect, plain, address.address, 16) == -Int(ECONNREFUSED))
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.connect, .value(tried), .to(address), 16, next: .end)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [-Int(ECONNREFUSED)])
    #expect(plainCall(SystemCall.recvfrom, plain, byte.address, 1, 0, 0, 0) == -Int(ENOTCONN))
    #expect(plainCall(SystemCall.recvfrom, tried, byte.address, 1, 0, 0, 0) == 0)
  }

  @Test("A signal ends a wait of the engine, and not the sleep of a syslet")
  func interruptedSleep() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      var action = sigaction()
      unsafe action.__sigaction_handler.sa_handler = { _ in }
      #expect(unsafe sigaction(SIGUSR1, &action, nil) == 0)
      for backend in LifeRegressionTests.asynchronous {
        let (stage, program) = (Stage(), Program(.direct))
        let left = stage.time(seconds: 7, nanoseconds: 7)
        program.atom(SystemCall.nanosleep, .to(stage.time(nanoseconds: 400_000_000)), .to(left), next: .end)
        let engine = try Parity.engine(backend)
        try engine.enqueue(program)
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGUSR1)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        let (process, thread) = (getpid(), plainCall(SystemCall.gettid))
        try engine.flushHere()
        Thread.detachNewThread {
          usleep(20_000)
          while !test_sleeps(Int32(thread)) { usleep(1000) }
          plainCall(SystemCall.tgkill, .int(process), .int(thread), .int(SIGUSR1))
        }
        let start = test_milliseconds()
        #expect(try engine.waitHere(atLeast: 1, timeout: Deadline.usual) == 0, "\(backend): the wait is ended")
        #expect(try engine.take().map(\.result) == [0], "\(backend): the sleep is not")
        #expect(test_milliseconds() - start > 300, "\(backend)")
        #expect(left.load(0, as: Int64.self) == 7 && left.load(8, as: Int64.self) == 7, "\(backend): what remains")
        try engine.closeHere()
      }
    }
  }

  @Test(
    "A syslet whose descriptor the program closes while it is parked ends with -EBADF, where the call goes on waiting",
    arguments: LifeRegressionTests.asynchronous)
  func closedWhileParked(backend: SysletEngine.Backend) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let (near, far) = stage.socketPair()
    program.atom(SystemCall.recvfrom, .value(near), .to(stage.arena.buffer(8)), 8, 0, 0, 0, next: .end)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    try engine.enqueue(program)
    try engine.flush()
    // Under another number the socket lives on.
    _ = stage.descriptors.adopt(fcntl(Int32(near), F_DUPFD_CLOEXEC, 100))
    close(Int32(near))
    stage.descriptors.forget(Int32(near))
    if engine.backend == .threads {
      #expect(engine.statistics.parked == 1)
      #expect(try engine.take(timeout: .seconds(10)).map(\.result) == [-Int(EBADF)])
    } else {
      // The ring holds the file.
      stage.send("late", to: far)
      #expect(try engine.take().map(\.result) == [4])
    }
  }

  // It went to the kernel together with the first one, when the descriptor was another.
  @Test(
    "O_NONBLOCK that is set while a syslet is on the ring does not count for the call behind it", .enabled(if: ReferenceKernel.isHere),
    arguments: withRing)
  func changedMeanwhile(backend: SysletEngine.Backend) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let (near, far) = stage.socketPair()
    let (first, second, buffer) = (program.word(), program.word(), program.buffer(8))
    program.atom(SystemCall.recvfrom, .value(near), .to(buffer), 1, 0, 0, 0, result: first)
    program.atom(SystemCall.recvfrom, .value(near), .to(buffer), 1, 0, 0, 0, result: second, next: .end)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    try engine.enqueue(program)
    try engine.flush()
    #expect(fcntl(Int32(near), F_SETFL, O_NONBLOCK) == 0)
    stage.send("1", to: far)
    // The plain call says -EAGAIN at once.
    #expect(try engine.take(timeout: .milliseconds(200)) == [])
    stage.send("2", to: far)
    #expect(try engine.take().map(\.reason) == [.ended])
    #expect(first.value == 1 && second.value == 1)
  }

  @Test(
    "After a ring is closed the kernel interrupts a wait of the thread that used it",
    .enabled(if: ReferenceKernel.isHere && ringObstacle == nil))
  func interruptedAfterClose() async throws {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let (arena, epoll) = (Arena(), UInt64(plainCall(SystemCall.epoll_create1, 0)))
      let event = arena.buffer(16)
      var isInterrupted = false
      let end = ContinuousClock.now + Deadline.usual
      while !isInterrupted, ContinuousClock.now < end {
        let (stage, program) = (Stage(), Program(.direct))
        program.atom(SystemCall.recvfrom, .value(stage.socketPair().0), .to(stage.arena.buffer(8)), 8, 0, 0, 0, next: .end)
        let engine = try Parity.engine(.ring)
        try engine.enqueue(program)
        try engine.flushHere()
        try engine.closeHere()
        isInterrupted = plainCall(SystemCall.epoll_pwait, epoll, event.address, 1, 50, 0, 8) == -Int(EINTR)
      }
      #expect(isInterrupted)
    }
  }

  @Test(
    "A send on the ring of which a part is made takes the error that is the next call's", .enabled(if: ReferenceKernel.isHere),
    arguments: withRing.filter { $0 == .ring })
  func resetSend(backend: SysletEngine.Backend) throws {
    func outcome(_ send: (_ near: UInt64, _ bytes: UInt64, _ count: UInt64, _ timeline: Timeline) throws -> Int) throws -> Int32 {
      let (stage, timeline) = (Stage(), Timeline())
      let (near, far) = stage.tcpPair()
      stage.abort(far, timeline, after: 60)
      let count = 9_000_000
      #expect((1..<count).contains(try send(near, stage.arena.buffer(count).address, UInt64(count), timeline)), "a part")
      timeline.end()
      return stage.pendingError(near)
    }
    let plain = try outcome { near, bytes, count, timeline in
      timeline.begin()
      return plainCall(SystemCall.sendto, near, bytes, count, 0, 0, 0)
    }
    #expect(plain == ECONNRESET)
    let tried = try outcome { near, bytes, count, timeline in
      let (engine, program) = (try Parity.engine(backend), Program(.direct))
      program.atom(SystemCall.sendto, .value(near), .value(bytes), .value(count), 0, 0, 0, next: .end)
      try engine.enqueue(program)
      timeline.begin()
      let result = try engine.take().first?.result
      try engine.close()
      return result ?? 0
    }
    #expect(tried == 0)
  }

  // The ring asks again for what is missing, and does not know why it is missing.
  @Test(
    "A receive with MSG_WAITALL on AF_UNIX goes past urgent data and past descriptors that are passed",
    .enabled(if: ReferenceKernel.isHere),
    arguments: withRing.filter { $0 == .ring }, [false, true])
  func cutReceive(backend: SysletEngine.Backend, isPassing: Bool) throws {
    let stage = Stage()
    let (bytes, all) = (stage.arena.buffer(6), UInt64(MSG_WAITALL))
    func receiver() -> UInt64 {
      let (near, far) = stage.socketPair()
      if isPassing { stage.send("abc", passing: far, to: far) } else { stage.send("abc", to: far) }
      if !isPassing { stage.send("x", to: far, Int32(MSG_OOB)) }
      stage.send("def", to: far)
      return near
    }
    #expect(plainCall(SystemCall.recvfrom, receiver(), bytes.address, 6, all, 0, 0) == 3)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.recvfrom, .value(receiver()), .to(bytes), 6, .value(all), 0, 0, next: .end)
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [6])
  }

  @Test("A send of more than the socket holds goes on only inside the engine's calls", arguments: LifeRegressionTests.asynchronous)
  func progressBetweenCalls(backend: SysletEngine.Backend) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let (near, far) = stage.socketPair()
    let size = 2 << 20
    program.atom(SystemCall.sendto, .value(near), .to(stage.arena.buffer(size)), .int(size), 0, 0, 0, next: .end)
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    try engine.enqueue(program)
    try engine.flush()
    // Takes what comes until nothing has for so long.
    var bytes = [UInt8](repeating: 0, count: 65_536)
    func drain(milliseconds: Int32) -> Int {
      var (count, entry) = (0, pollfd(fd: Int32(far), events: Int16(POLLIN), revents: 0))
      while unsafe poll(&entry, 1, milliseconds) > 0 { count += unsafe read(Int32(far), &bytes, bytes.count) }
      return count
    }
    var count = drain(milliseconds: 100)
    #expect(count < size)
    let end = ContinuousClock.now + Deadline.usual
    var taken: [Taken] = []
    while taken.isEmpty, ContinuousClock.now < end {
      taken = try engine.take(timeout: .zero)
      count += drain(milliseconds: 0)
    }
    count += drain(milliseconds: 0)
    #expect(taken.map(\.result) == [size] && count == size)
  }

  // By fstat, for a number that was a file's. statx, which asks no server, takes 0.1 µs more for each question.
  @Test("A number that was a local file's and now is a hung file server's holds the owner's thread", arguments: withRing)
  func heldQuestion(backend: SysletEngine.Backend) {
    FileServerParityTests.withServer("a question that is kept") { server in
      server.add("file", 100)
      let stage = Stage()
      let number = stage.descriptors.open(stage.scratch.file("local"), O_RDWR)
      let engine = try Parity.engine(backend) { $0.inlineLimit = .zero }
      defer { try? engine.close() }
      func program() -> Program {
        let program = Program(.direct)
        program.atom(SystemCall.pwrite64, .int(number), .to(stage.arena.buffer(8)), 8, 0, next: .end)
        return program
      }
      let (local, served) = (program(), program())
      try engine.enqueue(local)
      _ = try engine.take()
      let file = stage.descriptors.adopt(server.open("file", O_RDWR))
      if dup2(file, number) != number { return ["dup2: \(errno)"] }
      try engine.enqueue(served)
      server.hold(.getattr, true)
      let release = Release(server, .getattr, after: .milliseconds(500))
      defer { release.finish() }
      let start = test_milliseconds()
      try engine.flush()
      let milliseconds = test_milliseconds() - start
      let taken = try engine.take()
      return milliseconds > 400 && taken.map(\.result) == [8] ? [] : ["a flush of \(milliseconds) ms, \(taken)"]
    }
  }

  // What is linked hard is not taken back: a link that would sever on the cancellation severs on other things too.
  @Test(
    "Behind a call that a disk keeps, what nothing stops is run on the ring although its syslet is cancelled",
    .enabled(if: ringObstacle == nil && ReferenceKernel.isHere))
  func linkedBehindDevice() {
    // On a busy machine the cancellation may find the write before the kernel's thread has begun it: then once more, from the beginning.
    let isShown = Locked(false)
    for _ in 0..<50 where !isShown.withLock({ $0 }) {
      FileServerParityTests.withServer("what is linked behind a kept read") { server in
        let guardian = Release(server, .read)
        defer { guardian.finish() }
        guard let scene = DeviceCancelTests.Scene(.block, server, isChain: true) else {
          reportSkipped("what is linked behind a kept read", "no loop device can be had here")
          isShown.withLock { $0 = true }
          return []
        }
        let engine = try scene.begin(.ring)
        defer { try? engine.close() }
        if server.held == 0 { return ["the device did not get it"] }
        try engine.cancel(scene.program)
        server.hold(.read, false)
        _ = try engine.take()
        let hasRunOn = scene.hasRunOn
        isShown.withLock { $0 = hasRunOn }
        return []
      }
      if FileServer.obstacle != nil { return }
    }
    #expect(isShown.withLock { $0 }, "what stands behind it was not run, in 50 times")
  }
}
