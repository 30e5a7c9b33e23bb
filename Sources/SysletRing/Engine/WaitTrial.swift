// Whether calls that wait for another party do better on the ring or on workers: the ring waits for thousands at no cost, but what follows the
// waiting is done by one thread; workers follow up on all processors. Which is faster depends on the machine and on what else it does, so it is
// tried now and then, when many such calls come at a time, and measured.

internal import CLiburing

struct WaitTrial {
  /// A turn with fewer waiting calls is no case for workers: a hop costs some 30 µs alone, and 1 to 3 µs at 16 at a time.
  static let callsMin = 8
  /// Workers must be so much faster, in percent of the ring's time: they cost threads, and more of the processors' time.
  private static let gainMin: Int64 = 8
  private static let turnsFirst = 32
  private static let turnsMost = 2048
  /// Turns in one place before the other one is measured; the first of them still show the other's, and threads being started.
  private static let turnsPerPhase = 12
  private static let turnsMeasured = 8
  private static let phases = 4

  /// Waiting calls that come in numbers are given to workers.
  private(set) var usesWorkers = false
  /// What the last trial has chosen.
  private var choice = false
  /// Waiting calls of the present turn.
  var calls = 0
  private var turnsLeft = WaitTrial.turnsFirst
  private var turnsNext = WaitTrial.turnsFirst * 2
  /// The trial's phase, from `phases` down; even ones are the ring's. 0: no trial.
  private var phase = 0
  private var nanosecondsOnRing = Int64.max
  private var nanosecondsOnWorkers = Int64.max
  private var lastTurn: Int64 = 0
  /// The time and the calls of the phase's measured turns.
  private var nanoseconds: Int64 = 0
  private var callsMeasured: Int64 = 0

  /// A turn is over; `now` is asked for only in a trial.
  mutating func endTurn(at now: @autoclosure () -> Int64 = syslet_now()) {
    let calls = self.calls
    self.calls = 0
    guard calls >= Self.callsMin else { return }
    turnsLeft -= 1
    if phase > 0 { measure(calls, now()) }
    guard turnsLeft == 0 else { return }
    if phase == 0 {
      phase = Self.phases + 1
      nanosecondsOnRing = .max
      nanosecondsOnWorkers = .max
    }
    phase -= 1
    turnsLeft = Self.turnsPerPhase
    if phase > 0 {
      usesWorkers = phase % 2 == 1
      return
    }
    // In between what was chosen stays: it is within the noise.
    if nanosecondsOnWorkers < nanosecondsOnRing / 100 * (100 - Self.gainMin) { choice = true }
    if nanosecondsOnRing < nanosecondsOnWorkers / 100 * (100 - Self.gainMin) { choice = false }
    usesWorkers = choice
    turnsLeft = turnsNext
    turnsNext = min(turnsNext * 2, Self.turnsMost)
  }

  /// The time from turn to turn, for each call: of a phase as a whole, because a turn's time is that of other calls than it has. The better of
  /// a place's phases counts; something may have held up the other.
  private mutating func measure(_ calls: Int, _ now: Int64) {
    defer { lastTurn = now }
    guard turnsLeft < Self.turnsMeasured else { return }
    if turnsLeft == Self.turnsMeasured - 1 {
      nanoseconds = 0
      callsMeasured = 0
    }
    nanoseconds += now - lastTurn
    callsMeasured += Int64(calls)
    guard turnsLeft == 0 else { return }
    let each = nanoseconds / callsMeasured
    if usesWorkers { nanosecondsOnWorkers = min(nanosecondsOnWorkers, each) } else { nanosecondsOnRing = min(nanosecondsOnRing, each) }
  }
}
