// How long plain calls may hold the owner's thread in its present turn.

internal import CLiburing

/// The owner's present turn, as far as plain calls go.
struct PlainTurn {
  /// How long a call may hold the owner's thread at the most, in nanoseconds: `Options.inlineLimit`.
  let limit: Int64
  /// How long in this turn.
  private(set) var nanosecondsMax: Int64 = 0
  /// The same, if the owner waits for one run and for nothing else; 0 otherwise.
  private(set) var nanosecondsAlone: Int64 = 0
  /// The owner waits for one run and for nothing else, and for as long as it takes.
  private var isUnhurried = false
  /// When it was first patient in the present wait, in ticks; 0 for not yet.
  private var patientSince: UInt64 = 0
  private let patienceTicksMax: UInt64
  /// Runs that this turn began with.
  private(set) var runs = 1
  let ringCallsMin = PlainCosts.ringCallsMin
  /// So many no-ops of each run are fewer, together, than are worth an enter of the ring.
  private(set) var idleCallsMax = 0
  /// Few calls are faster without the ring. Cached reads are so for longer than calls that do nothing: measured at 2 to 64 at a time, 4 KiB
  /// each, the ring draws level at 32.
  private(set) var isPreferred = false

  init(limit: Int64) {
    self.limit = limit
    patienceTicksMax = Self.patienceMax * syslet_ticks_per_microsecond()
  }

  /// - Parameter nanosecondsMax: `max`: as long as it takes, within `limit` for each call.
  /// - Parameter isAlone: One run is all that the owner has.
  @inline(__always)
  mutating func begin(runs: Int, nanosecondsMax: Int64, isAlone: Bool) {
    self.runs = runs
    self.nanosecondsMax = min(nanosecondsMax, limit)
    nanosecondsAlone = isAlone && nanosecondsMax > PlainCosts.briefMax ? self.nanosecondsMax : 0
    isUnhurried = isAlone && nanosecondsMax == .max
    isPreferred = runs < 4 * ringCallsMin && self.nanosecondsMax > 0
    // A division costs a tenth of a no-op.
    idleCallsMax = !isPreferred || runs > ringCallsMin ? 0 : runs == 1 ? ringCallsMin : ringCallsMin / runs
  }

  /// A wait begins.
  mutating func beginWait() { patientSince = 0 }

  /// Whether the owner may go on with a long run of quick calls: what counts is how long each takes, not all of them together. For 10 ms in a wait,
  /// because a signal ends only waits that sleep; then a worker has the rest.
  mutating func mayBePatient() -> Bool {
    guard isUnhurried else { return false }
    let now = syslet_ticks()
    if patientSince == 0 { patientSince = now }
    return now &- patientSince < patienceTicksMax
  }

  private static let patienceMax: UInt64 = 10_000
}
