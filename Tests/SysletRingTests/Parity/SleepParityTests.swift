// Sleeps against plain calls: clocks, invalid times, and a container whose clock is another one (input 10 of the parity review).

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Parity: sleeps", .leavesNothingBehind)
struct SleepParityTests {
  /// The clocks that can be slept on, and one that cannot.
  private static let clocks: [(name: String, number: Int32)] = [
    ("CLOCK_REALTIME", 0), ("CLOCK_MONOTONIC", 1), ("CLOCK_BOOTTIME", 7), ("CLOCK_TAI", 11), ("CLOCK_MONOTONIC_RAW", 4), ("clock 99", 99),
  ]

  private static func now(_ s: Stage, _ clock: Int32, plus milliseconds: Int) -> Buffer {
    let time = s.arena.buffer(16)
    plainCall(SystemCall.clock_gettime, .int(clock), time.address)
    let nanoseconds = time.load(8, as: Int64.self) + Int64(milliseconds) * 1_000_000
    time.store(time.load(0, as: Int64.self) + nanoseconds / 1_000_000_000, at: 0)
    time.store(nanoseconds % 1_000_000_000, at: 8)
    return time
  }

  private static func isOver(_ s: Stage, _ clock: Int32, _ end: Buffer) -> Bool {
    let time = now(s, clock, plus: 0)
    return (time.load(0, as: Int64.self), time.load(8, as: Int64.self)) >= (end.load(0, as: Int64.self), end.load(8, as: Int64.self))
  }

  private static func onClock(_ clock: (name: String, number: Int32)) -> [ParityCase] {
    let isSlept = clock.number != 4 && clock.number != 99
    let milliseconds = isSlept ? 60 : 0
    return [
      ParityCase("\(clock.name), relative", milliseconds: milliseconds) { s, _ in
        ParityScene(SystemCall.clock_nanosleep, .int(clock.number), 0, s.time(nanoseconds: 60_000_000).address, 0)
      },
      // How long that is depends on when the call begins; what counts is the clock when it has ended.
      ParityCase("\(clock.name), until a time") { s, _ in
        let end = now(s, clock.number, plus: 120)
        return ParityScene(SystemCall.clock_nanosleep, .int(clock.number), 1, end.address, 0) { _ in
          [isOver(s, clock.number, end) == isSlept ? "it has come" : "it has not come"]
        }
      },
      ParityCase("\(clock.name), until a time that is over") { s, _ in
        ParityScene(SystemCall.clock_nanosleep, .int(clock.number), 1, s.time(seconds: 1, nanoseconds: 0).address, 0)
      },
      ParityCase("\(clock.name), an invalid time") { s, _ in
        ParityScene(SystemCall.clock_nanosleep, .int(clock.number), 0, s.time(nanoseconds: 1_000_000_000).address, 0)
      },
    ]
  }

  private static let invalid: [ParityCase] = [
    ParityCase("nanosleep", 0, milliseconds: 60) { s, _ in ParityScene(SystemCall.nanosleep, s.time(nanoseconds: 60_000_000).address, 0) },
    ParityCase("nanosleep, with room for what remains", 0, milliseconds: 60) { s, _ in
      ParityScene(SystemCall.nanosleep, s.time(nanoseconds: 60_000_000).address, s.buffer("remaining", 16).address)
    },
    ParityCase("nanosleep of nothing", 0) { s, _ in ParityScene(SystemCall.nanosleep, s.time(nanoseconds: 0).address, 0) },
    ParityCase("nanosleep, negative seconds", -Int(EINVAL)) { s, _ in
      ParityScene(SystemCall.nanosleep, s.time(seconds: -1, nanoseconds: 0).address, 0)
    },
    ParityCase("nanosleep, negative nanoseconds", -Int(EINVAL)) { s, _ in
      ParityScene(SystemCall.nanosleep, s.time(nanoseconds: -1).address, 0)
    },
    ParityCase("nanosleep, too many nanoseconds", -Int(EINVAL)) { s, _ in
      ParityScene(SystemCall.nanosleep, s.time(nanoseconds: 1_000_000_000).address, 0)
    },
    ParityCase("nanosleep, a bad address", -Int(EFAULT)) { _, _ in ParityScene(SystemCall.nanosleep, Wild.inaccessible, 0) },
    ParityCase("clock_nanosleep on the thread's own time", -Int(EOPNOTSUPP)) { s, _ in
      ParityScene(SystemCall.clock_nanosleep, 3, 0, s.time(nanoseconds: 1).address, 0)
    },
    ParityCase("clock_nanosleep with unknown flags") { s, _ in
      ParityScene(SystemCall.clock_nanosleep, 1, 8, s.time(nanoseconds: 1_000_000).address, 0)
    },
    // One thread computes, so that the process's time goes on.
    ParityCase("clock_nanosleep on the process's time", 0) { s, t in
      t.after(0) {
        let end = test_milliseconds() + 400
        while test_milliseconds() < end {}
      }
      return ParityScene(SystemCall.clock_nanosleep, 2, 0, s.time(nanoseconds: 20_000_000).address, 0)
    },
  ]

  static let cases: [ParityCase] = clocks.flatMap { onClock($0) } + invalid

  @Test("A sleep is as long as its clock says, and what is no time is refused", arguments: SysletEngine.Backend.available, cases)
  func sleep(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  // Each cost an SQE, and two when it was cancelled. What only the kernel's clocks know is the ring's all the same, and so is a sleep in a chain.
  @Test(
    "automatic has timers for sleeps by its own clock", .enabled(if: ringObstacle == nil, "automatic is threads without a ring"),
    arguments: [
      (SystemCall.nanosleep, Int32(0), true), (SystemCall.clock_nanosleep, 1, true), (SystemCall.clock_nanosleep, 0, true),
      (SystemCall.clock_nanosleep, 7, false),
    ])
  func timers(number: Int, clock: Int32, isOwn: Bool) throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let s = Stage()
    let time = s.time(nanoseconds: 2_000_000).address
    for isChain in [false, true] {
      let program = Program(.direct)
      if isChain {
        let pipe = program.descriptors.pipe()
        #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("a").address, 1) == 1)
        program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(1)), 1)
      }
      if number == SystemCall.nanosleep {
        program.atom(number, .value(time), 0)
      } else {
        program.atom(number, .int(clock), 0, .value(time), 0)
      }
      // Before Linux 5.17 nothing is linked.
      let isLinked = isChain && RingReport.current().features.contains("LINKED_FILE")
      let before = engine.statistics
      try engine.enqueue(program)
      #expect(try engine.take(timeout: Deadline.usual).map(\.result) == [0])
      #expect(engine.statistics.parked - before.parked == (isOwn && !isLinked ? 1 : 0))
      // Rings before Linux 5.15 do not know the other clocks either.
      guard isOwn else { continue }
      #expect(engine.statistics.sqes - before.sqes == (isLinked ? 2 : isChain ? 1 : 0))
      #expect(engine.statistics.workerHops == before.workerHops)
    }
  }

  // The ring's timeouts are the machine's: the offset of a time namespace was waited for as well.
  @Test(
    "Where the clock is another than the machine's, in a container, a sleep until a time is as long as it says",
    .enabled(if: !test_has_thread_sanitizer(), "the thread sanitizer does not let a forked child start threads"),
    arguments: SysletEngine.Backend.available)
  func container(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let shifted = test_shift_clocks(100_000)
      if shifted != 0 { return reportSkipped("sleeps in a time namespace", "unshare: errno \(-shifted)") }
      let here = test_milliseconds()
      // 0, or which sleep was wrong.
      let status = inForkedChild {
        // Or this would prove nothing.
        if test_milliseconds() - here < 99_000_000 { return 93 }
        ProcessSettings.endIfStuck(after: 50)
        guard let engine = try? Parity.engine(SysletEngine.Backend(rawValue: backend)!) else { return 90 }
        var number: Int32 = 1
        for clock in [Int32(1), 7] {
          for flags in [UInt64(1), 0] {
            for isChain in [false, true] {
              let (s, program) = (Stage(), Program(.direct))
              // Before the time is read that the sleep is to last until.
              let start = test_milliseconds()
              let time = flags == 1 ? Self.now(s, clock, plus: 100).address : s.time(nanoseconds: 100_000_000).address
              if isChain { program.atom(noOperation) }
              program.atom(SystemCall.clock_nanosleep, .int(clock), .value(flags), .value(time), 0)
              if isChain { program.atom(noOperation) }
              guard (try? engine.enqueue(program)) != nil, let taken = try? engine.take(timeout: .seconds(4)) else { return 91 }
              if taken.map(\.result) != [0] || test_milliseconds() - start < 90 { return number }
              number += 1
            }
          }
        }
        return (try? engine.close()) == nil ? 92 : 0
      }
      #expect(status == 0, "which sleep was wrong, of eight")
    }
  }
}
