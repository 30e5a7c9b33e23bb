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
  private var slowReads = 0
  var hasSlowReads: Bool { slowReads > 0 }
  private var quickReads = 0
  private var reads = 0
  let ringCallsMin = PlainCosts.ringCallsMin
  /// The owner takes back what was shared, all of which is made plainly.
  var isHelping = false
  /// A cached read that takes longer (20 µs) was none.
  let cachedTicksMax: UInt64
  private let nanosecondsPerTick: Double
  /// Runs are collected, to be shared with the workers, instead of being executed where they are met.
  var isCollecting = false
  /// The run may be executed on the owner's thread now.
  var isAllowed = false
  /// So many no-ops of each run are fewer, together, than are worth an enter of the ring.
  private(set) var idleCallsMax = 0
  /// Few calls are faster without the ring. Cached reads are so for longer than calls that do nothing: measured at 2 to 64 at a time, 4 KiB
  /// each, the ring draws level at 32.
  private(set) var isPreferred = false
  /// When the run's first plain call began, in ticks, and its row; 0 for none yet. A clock takes three times as long to read, and both ends of it were
  /// 3 % of a statx.
  var begin: UInt64 = 0
  private(set) var row: UInt16 = 0
  /// The calls that the engine had made here before.
  private(set) var callsBefore = 0
  /// The descriptor that the run has opened just now; -1 for none. Its flags are not settled yet.
  var opened: Int32 = -1
  var openedFlags: Int32 = 0
  /// Nobody has looked yet whether it is a FIFO, whose open should have waited.
  var mayBeFIFO = false
  /// It is one.
  var isFIFO = false
  /// Where it is read next: the file's own position is set when somebody else can see it, or never.
  var openedPosition = 0
  /// The run as it was before that open, which is taken back if it should have waited.
  var before = RunState()

  struct RunState {
    var opening = AtomAddress.nowhere
    var last = AtomAddress.nowhere
    var lastFlags = AtomFlags()
    var lastResult = 0
  }

  /// The runs collected, and what they will take.
  var collected = RunQueue()
  var collectedNanoseconds: Int64 = 0
  /// How many runs the owner takes back at once; 0 when nothing is offered.
  var portion = 0
  /// Runs offered to the workers lately, and how many of them the owner has done itself.
  private var offered = 0
  private var own = 0
  /// Turns that will not share, because the workers took nothing the last time; twice as many after each such time.
  var pauses = 0
  var pausesNext = 1

  /// What the owner takes back at once.
  static let portion: Int64 = 20_000
  private static let pausesMax = 64
  private static let offersJudged = 64

  init(_ limit: Duration) {
    self.limit = limit.nanoseconds
    cachedTicksMax = 20 * syslet_ticks_per_microsecond()
    patienceTicksMax = Self.patienceMax * syslet_ticks_per_microsecond()
    nanosecondsPerTick = 1000 / Double(syslet_ticks_per_microsecond())
  }

  /// Runs are offered to workers, and the owner is to take of them too.
  var isSharing: Bool { portion > 0 }

  /// The run has a descriptor whose flags are not settled yet.
  var hasOpened: Bool { opened >= 0 }

  /// - Parameter nanosecondsMax: `max`: as long as it takes, within `limit` for each call.
  /// - Parameter isAlone: One run is all that the owner has.
  mutating func beginTurn(runs: Int, nanosecondsMax: Int64, isAlone: Bool) {
    self.runs = runs
    self.nanosecondsMax = min(nanosecondsMax, limit)
    nanosecondsAlone = isAlone && nanosecondsMax > PlainCosts.briefMax ? self.nanosecondsMax : 0
    isUnhurried = isAlone && nanosecondsMax == .max
    isCollecting = false
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

  /// Whether a cached read is timed: while some have been slow lately each is. It costs 2 % of one, so otherwise it is one in four, and one in 16 of those
  /// for which nobody else has to wait.
  @inline(__always)
  mutating func wantsReadTimed() -> Bool {
    reads &+= 1
    return slowReads > 0 || reads & (runs == 1 ? 15 : 3) == 1
  }

  /// Whether a call placed by a hint is asked for what it is, before it is known who makes it.
  mutating func wantsSample() -> Bool {
    guard runs >= Self.hintedPerSample else { return true }
    hinted += 1
    return hinted % Self.hintedPerSample == 0
  }

  /// A cached read was slow, or was not: for how many reads its descriptor is the ring's now. One slow read may have been interrupted only, so
  /// that a few go to the ring; each further one doubles them, and 32 quick ones in a row take half of that back.
  mutating func noteRead(isSlow: Bool) -> UInt8? {
    guard isSlow else {
      quickReads += 1
      guard quickReads == 32 else { return nil }
      quickReads = 0
      slowReads -= 1
      return nil
    }
    quickReads = 0
    slowReads = min(slowReads + 1, 4)
    return min(2 << UInt8(slowReads), DescriptorHints.usesMax)
  }

  var nanosecondsSinceBegin: Int64 {
    // A thread that has moved to a processor whose counter is behind has not gone back in time.
    Int64(min(Double(max(0, Int64(bitPattern: syslet_ticks() &- begin))) * nanosecondsPerTick, 1e15))
  }

  mutating func time(_ row: UInt16, callsBefore: Int) {
    begin = syslet_ticks()
    self.row = row
    self.callsBefore = callsBefore
  }

  /// Whether sharing is worth a try in this turn.
  mutating func maySharing() -> Bool {
    guard pauses > 0 else { return true }
    pauses -= 1
    return false
  }

  /// So many runs are offered; before that, how much of the last offers the workers have done is taken in.
  mutating func noteOffer(_ count: Int) {
    if offered >= Self.offersJudged {
      if (offered - own) * 8 >= offered {
        pausesNext = 1
      } else {
        pauses = pausesNext
        pausesNext = min(pausesNext * 2, Self.pausesMax)
      }
      offered = 0
      own = 0
    }
    offered += count
  }

  mutating func noteOwn(_ count: Int) { own += count }
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
