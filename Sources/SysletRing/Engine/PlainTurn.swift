// What the owner may do by plain calls in its present turn, and what it knows of how they have gone.

internal import CLiburing
internal import Glibc

/// The owner's present turn, as far as plain calls go.
struct PlainTurn {
  /// How long a call may hold the owner's thread at the most, by `Options.inlineLimit`.
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
  /// Calls placed by a hint that workers got, of which one in so many is asked for what it is.
  private var hinted = 0
  private static let hintedPerSample = 8
  /// Runs that this turn began with.
  private(set) var runs = 1
  var reads = CachedReads()
  let ringCallsMin = PlainCosts.ringCallsMin
  /// The owner takes back what was shared, all of which is made plainly.
  var isHelping = false
  var sharing = Sharing()
  /// The run may be executed on the owner's thread now.
  var isAllowed = false
  /// So many no-ops of each run are fewer, together, than are worth an enter of the ring.
  private(set) var idleCallsMax = 0
  /// Few calls are faster without the ring. Cached reads are so for longer than calls that do nothing: measured at 2 to 64 at a time, 4 KiB
  /// each, the ring draws level at 32.
  private(set) var isPreferred = false
  var timing = PlainTiming()
  /// What the run has opened just now.
  var opened = OpenedFile()

  init(_ limit: Duration) {
    self.limit = limit.nanoseconds
    patienceTicksMax = Self.patienceMax * syslet_ticks_per_microsecond()
  }

  /// - Parameter nanosecondsMax: `max`: as long as it takes, within `limit` for each call.
  /// - Parameter isAlone: One run is all that the owner has.
  mutating func beginTurn(runs: Int, nanosecondsMax: Int64, isAlone: Bool) {
    self.runs = runs
    self.nanosecondsMax = min(nanosecondsMax, limit)
    nanosecondsAlone = isAlone && nanosecondsMax > PlainCosts.briefMax ? self.nanosecondsMax : 0
    isUnhurried = isAlone && nanosecondsMax == .max
    sharing.isCollecting = false
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

  /// Whether a call placed by a hint is asked for what it is, before it is known who makes it.
  mutating func wantsSample() -> Bool {
    guard runs >= Self.hintedPerSample else { return true }
    hinted += 1
    return hinted % Self.hintedPerSample == 0
  }
}

/// When a run's plain calls began. In ticks: a clock takes three times as long to read, and both ends of it were 3 % of a statx.
struct PlainTiming {
  /// 0 for none yet.
  private var begin: UInt64 = 0
  /// The first one's row, and the calls that the engine had made here before.
  private(set) var row: UInt16 = 0
  private(set) var callsBefore = 0
  private let nanosecondsPerTick = 1000 / Double(syslet_ticks_per_microsecond())

  var hasBegun: Bool { begin != 0 }

  mutating func begin(_ row: UInt16, callsBefore: Int) {
    begin = syslet_ticks()
    self.row = row
    self.callsBefore = callsBefore
  }

  /// The nanoseconds since then; the next call begins anew.
  mutating func end() -> Int64 {
    defer { begin = 0 }
    // A thread that has moved to a processor whose counter is behind has not gone back in time.
    return Int64(min(Double(max(0, Int64(bitPattern: syslet_ticks() &- begin))) * nanosecondsPerTick, 1e15))
  }
}

extension Duration {
  /// In whole nanoseconds, as many as fit.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, isHuge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isHuger) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isHuge || isHuger ? (seconds < 0 ? .min : .max) : sum
  }
}
