// Whose are the memory, the bytes and the descriptors of a call that was cancelled? After its completion all memory is the caller's again, and
// what the call took from a pipe, a socket or a listener is either reported by the completion or still there.

import CTestSupport
import Foundation
import Glibc
import Synchronization
import Testing

@testable import SysletRing

@Suite("Lifetime")
struct LifetimeTests {
  /// A call that waits for bytes.
  enum Source: String, CaseIterable, Sendable {
    case pipeRead, socketRead, socketReceive, workerRead

    /// Adds the call to `program`; where bytes come out and where they are put in.
    func add(to program: Program, _ address: UInt64, _ count: Int) -> (out: Int32, in: Int32) {
      let ends: (Int32, Int32)
      if self == .pipeRead || self == .workerRead {
        let pipe = program.descriptors.pipe()
        ends = (pipe.read, pipe.write)
      } else {
        ends = program.descriptors.socketPair()
      }
      let flags: AtomFlags = self == .workerRead ? [.sync, .async] : .async
      if self == .socketReceive {
        program.atom(SystemCall.recvfrom, .int(ends.0), .value(address), .int(count), 0, 0, 0, flags: flags, next: .end)
      } else {
        program.atom(SystemCall.read, .int(ends.0), .value(address), .int(count), flags: flags, next: .end)
      }
      return ends
    }
  }

  @Test(
    "After the completion of a cancelled read its buffer may go away: later bytes stay to be read, and nothing writes into the memory",
    arguments: LifeRegressionTests.asynchronous, Source.allCases)
  func bufferGoes(backend: SysletEngine.Backend, source: Source) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, source = source.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      for isProtected in [true, false] {
        let program = Program(.direct)
        let page = plainCall(SystemCall.mmap, 0, 4096, .int(PROT_READ | PROT_WRITE), .int(MAP_PRIVATE | MAP_ANONYMOUS), .int(-1), 0)
        #expect(page > 0)
        let ends = Source(rawValue: source)!.add(to: program, .int(page), 8)
        #expect(try engine.exec(program) == nil)
        #expect(try engine.take(timeout: .milliseconds(5)) == [])
        try engine.cancel(program)
        #expect(try engine.take(timeout: .seconds(10)).map(\.reason) == [.cancelled])
        // Protected, a late write would fail and its bytes would be gone; with a pattern it would show.
        #expect(test_store(.int(page), 0xA5A5_A5A5_A5A5_A5A5) == 0)
        if isProtected { #expect(plainCall(SystemCall.mprotect, .int(page), 4096, .int(PROT_NONE)) == 0) }
        #expect(plainCall(SystemCall.write, .int(ends.in), program.path("abcdefg").address, 7) == 7)
        // Whatever the kernel had still to do for the engine, it would do now.
        try engine.flushHere()
        #expect(LifeRegressionTests.isReadable(ends.out))
        let buffer = program.buffer(16)
        #expect(plainCall(SystemCall.read, .int(ends.out), buffer.address, 16) == 7)
        #expect(buffer.text == "abcdefg")
        if !isProtected { #expect(test_load(.int(page), 8).value == 0xA5A5_A5A5_A5A5_A5A5) }
        #expect(plainCall(SystemCall.munmap, .int(page), 4096) == 0)
      }
      try engine.closeHere()
    }
  }

  /// A thread that does something at about the time at which the test cancels: `round` starts it, and `finish` waits until it is done.
  private final class Rival: Sendable {
    private let started = Atomic(0)
    private let finished = Atomic(0)
    private let isEnding = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable (Int) -> Void) {
      Thread.detachNewThread { [self] in
        var round = 1
        while !isEnding.load(ordering: .acquiring) {
          guard started.load(ordering: .acquiring) == round else {
            sched_yield()
            continue
          }
          body(round)
          finished.store(round, ordering: .releasing)
          round += 1
        }
        ended.signal()
      }
    }

    func start(_ round: Int) { started.store(round, ordering: .releasing) }
    func finish(_ round: Int) { while finished.load(ordering: .acquiring) < round { sched_yield() } }
    func end() {
      isEnding.store(true, ordering: .releasing)
      ended.wait()
    }
  }

  /// Some hundreds of nanoseconds each.
  private static func linger(_ steps: UInt64) {
    for _ in 0..<steps { plainCall(SystemCall.getppid) }
  }

  /// Where others compute, each change of turns is a time slice of theirs. The races go on for so long, and then until each side has won once.
  private static let raceTime: Duration = .seconds(20)

  @Test(
    "Bytes that arrive while their read is being cancelled are reported by its completion, or stay to be read: each one, and once",
    arguments: LifeRegressionTests.asynchronous, Source.allCases)
  func bytesRace(backend: SysletEngine.Backend, source: Source) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, source = source.rawValue as String] in
      ProcessSettings.endIfStuck(after: 300)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let (buffer, drained) = (program.buffer(16), program.buffer(64))
      let ends = Source(rawValue: source)!.add(to: program, buffer.address, 8)
      let bytes = program.path("abcdefgh")
      let address = bytes.address
      let rival = Rival { round in
        var random = SeededGenerator(seed: UInt64(round))
        Self.linger(random.next() % 24)
        plainCall(SystemCall.write, .int(ends.in), address, .int(round % 12 + 1 > 8 ? 8 : round % 12 + 1))
      }
      var (written, reported, found, cancelled) = (0, 0, 0, 0)
      var random = SeededGenerator(seed: 1)
      let end = ContinuousClock.now + Self.raceTime
      var round = 0
      // 1,500 rounds, or more until each side has won once.
      while reported == 0 || cancelled == 0 || round < (ContinuousClock.now < end ? 1500 : 20) {
        round += 1
        buffer.bytes = [UInt8](repeating: 0xA5, count: 16)
        #expect(try engine.exec(program) == nil)
        // Every eighth time the bytes are there before, and every eighth time they come after.
        if round % 8 != 1 { rival.start(round) }
        if round % 8 == 0 { rival.finish(round) }
        // The ring's read takes what has come when the engine enters the kernel.
        for _ in 0...random.below(3) {
          Self.linger(random.next() % 12)
          if round % 2 == 0 { try engine.flushHere() }
        }
        // Not pending, if the bytes were first.
        try? engine.cancel(program)
        let taken = try engine.take(timeout: .seconds(10))
        #expect(taken.count == 1, "L5")
        // From here on the memory is the test's.
        let after = buffer.bytes
        if round % 8 == 1 { rival.start(round) }
        rival.finish(round)
        written += min(8, round % 12 + 1)
        let result = taken.first?.result ?? 0
        if taken.first?.executed == 1 {
          reported += max(0, result)
          #expect(result > 0)
        } else {
          cancelled += 1
          #expect(result == -Int(ECANCELED))
          #expect(taken.first?.reason == .cancelled)
        }
        #expect(after == Array("abcdefgh".utf8.prefix(max(0, result))) + [UInt8](repeating: 0xA5, count: 16 - max(0, result)))
        if LifeRegressionTests.isReadable(ends.out) {
          found += plainCall(SystemCall.read, .int(ends.out), drained.address, 64)
        }
        #expect(buffer.bytes == after, "written after the completion")
        if reported + found != written { break }
      }
      rival.end()
      #expect(reported + found == written, "\(reported) reported, \(found) found, \(written) written")
      #expect(reported > 0 && cancelled > 0, "no race: \(reported) bytes reported, \(cancelled) cancelled")
      try engine.closeHere()
    }
  }

  @Test(
    "A connection that arrives while its accept is being cancelled is reported with its descriptor, or stays to be accepted; none leaks",
    arguments: LifeRegressionTests.asynchronous, [true, false])
  func acceptRace(backend: SysletEngine.Backend, isWorker: Bool) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, isWorker = isWorker as Bool] in
      ProcessSettings.endIfStuck(after: 300)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let stage = Stage()
      let program = Program(.direct)
      let listener = stage.listener("s")
      let address = stage.socketAddress("s")
      let (addressWord, addressCount) = (address.address, address.count)
      let accepted = program.word()
      let pipe = program.descriptors.pipe()
      // What follows the accept waits for ever: cancelled there, the syslet has a descriptor to tell of.
      program.atom(
        SystemCall.accept4, .value(listener), 0, 0, .int(SOCK_CLOEXEC.rawValue), flags: isWorker ? [.sync, .async] : .async,
        result: accepted)
      program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, next: .end)
      let connected = Atomic(0)
      let rival = Rival { round in
        var random = SeededGenerator(seed: UInt64(round))
        Self.linger(random.next() % 24)
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if plainCall(SystemCall.connect, .int(socket), addressWord, .int(addressCount)) == 0 {
          connected.add(1, ordering: .relaxed)
        }
        close(socket)
      }
      // A first accept of a connection that is there, and the wait behind it: from here on the workers, their doorbell and the poller's epoll are
      // there whoever wins the races.
      let first = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      #expect(plainCall(SystemCall.connect, .int(first), addressWord, .int(addressCount)) == 0)
      #expect(try engine.exec(program) == nil)
      repeat {
        #expect(try engine.take(timeout: .milliseconds(10)) == [])
      } while LifeRegressionTests.isReadable(Int32(listener))
      try engine.cancel(program)
      #expect(try engine.take(timeout: .seconds(10)).map(\.result) == [accepted.value])
      close(Int32(accepted.value))
      close(first)
      var descriptors = 0
      var (reported, found) = (0, 0)
      var random = SeededGenerator(seed: 2)
      let end = ContinuousClock.now + Self.raceTime
      var round = 0
      // 600 rounds, or more until each side has won once.
      while reported == 0 || found == 0 || round < (ContinuousClock.now < end ? 600 : 20) {
        round += 1
        accepted.value = Program.untouched
        #expect(try engine.exec(program) == nil)
        if round % 8 != 1 { rival.start(round) }
        if round % 8 == 0 {
          rival.finish(round)
        }
        for _ in 0...random.below(3) {
          Self.linger(random.next() % 12)
          if round % 2 == 0 { try engine.flushHere() }
        }
        try engine.cancel(program)
        let taken = try engine.take(timeout: .seconds(10))
        #expect(taken.map(\.reason) == [.cancelled], "L5")
        if round % 8 == 1 { rival.start(round) }
        rival.finish(round)
        if taken.first?.executed == 1 {
          #expect(accepted.value >= 0)
          #expect(taken.first?.result == accepted.value)
          #expect(close(Int32(accepted.value)) == 0, "the reported descriptor is not open")
          reported += 1
        } else {
          #expect(taken.first?.executed == 0)
          #expect(accepted.value == Program.untouched)
        }
        if LifeRegressionTests.isReadable(Int32(listener)) {
          let late = plainCall(SystemCall.accept4, listener, 0, 0, .int(SOCK_CLOEXEC.rawValue))
          if late >= 0 {
            found += 1
            close(Int32(late))
          }
        }
        if round == 20 { descriptors = ProcessCounts.descriptors }
      }
      rival.end()
      #expect(reported + found == connected.load(ordering: .relaxed))
      #expect(connected.load(ordering: .relaxed) == round)
      let left = ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors)
      #expect(left <= descriptors, "a descriptor was accepted and not reported")
      #expect(reported > 0 && found > 0, "no race: \(reported) reported, \(found) found")
      try engine.closeHere()
    }
  }
}
