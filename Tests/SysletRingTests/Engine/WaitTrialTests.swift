// When waiting calls are given to workers.

import Testing

@testable import SysletRing

@Suite("Waiting calls: ring or workers", .leavesNothingBehind)
struct WaitTrialTests {
  /// A machine on which a call takes so many nanoseconds in either place.
  struct Machine {
    var onRing: Int64
    var onWorkers: Int64
    var now: Int64 = 0
    var trial = WaitTrial()
    /// How many turns used workers.
    var turnsOnWorkers = 0

    mutating func turns(_ count: Int, calls: Int = 16) {
      for _ in 0..<count {
        if trial.usesWorkers { turnsOnWorkers += 1 }
        now += (trial.usesWorkers ? onWorkers : onRing) * Int64(calls)
        trial.calls = calls
        trial.endTurn(at: now)
      }
    }
  }

  @Test("Where workers are clearly faster they are used after the first trial, and where they are not the ring is")
  func choice() {
    for (onWorkers, isChosen) in [(3000, true), (4000, true), (4400, false), (4600, false), (40_000, false)] as [(Int64, Bool)] {
      var machine = Machine(onRing: 4600, onWorkers: onWorkers)
      machine.turns(32)
      #expect(machine.turnsOnWorkers == 0)
      machine.turns(48)
      #expect(machine.trial.usesWorkers == isChosen, "\(onWorkers)")
      machine.turns(40)
      #expect(machine.trial.usesWorkers == isChosen, "\(onWorkers)")
    }
  }

  @Test("A phase that was held up by something does not decide")
  func outlier() {
    var machine = Machine(onRing: 4600, onWorkers: 3000)
    machine.turns(32)
    for turn in 0..<48 {
      // The first phase on workers, which has threads to start.
      if (12..<24).contains(turn) { machine.now += 1_000_000 }
      machine.turns(1)
    }
    #expect(machine.trial.usesWorkers)
  }

  @Test("Few calls at a time are never tried on workers")
  func few() {
    var machine = Machine(onRing: 4600, onWorkers: 1)
    machine.turns(10_000, calls: WaitTrial.callsMin - 1)
    #expect(machine.turnsOnWorkers == 0)
  }

  @Test("When the machine changes, so does the choice; a place that stays the better one is left ever more rarely")
  func change() {
    var machine = Machine(onRing: 4600, onWorkers: 40_000)
    machine.turns(5000)
    #expect(machine.turnsOnWorkers < 5000 / 20)
    machine.onWorkers = 2000
    machine.turns(10_000)
    #expect(machine.trial.usesWorkers)
    machine.onRing = 1000
    machine.turns(40_000)
    #expect(!machine.trial.usesWorkers)
  }
}
