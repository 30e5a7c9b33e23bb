// What `automatic` does with plain calls: it makes them on the owner's thread while they cost little, hands them to workers when they do not, and
// when many are ready both sides take from one queue, until nothing is left.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// The owner's present turn, as far as plain calls go.
struct PlainTurn {
  /// How long a call may hold the owner's thread at the most, by `Options.inlineLimit`.
  let limit: Int64
  /// How long in this turn.
  private(set) var nanosecondsMax: Int64 = 0
  /// The same, if the owner waits for one run and for nothing else; 0 otherwise.
  fileprivate private(set) var nanosecondsAlone: Int64 = 0
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
  fileprivate var hasSlowReads: Bool { slowReads > 0 }
  private var quickReads = 0
  private var reads = 0
  fileprivate let ringCallsMin = PlainCosts.ringCallsMin
  /// The owner takes back what was shared, all of which is made plainly.
  fileprivate var isHelping = false
  /// A cached read that takes longer (20 µs) was none.
  fileprivate let cachedTicksMax: UInt64
  private let nanosecondsPerTick: Double
  /// Runs are collected, to be shared with the workers, instead of being executed where they are met.
  fileprivate(set) var isCollecting = false
  /// The run may be executed on the owner's thread now.
  fileprivate(set) var isAllowed = false
  /// So many no-ops of each run are fewer, together, than are worth an enter of the ring.
  fileprivate private(set) var idleCallsMax = 0
  /// Few calls are faster without the ring. Cached reads are so for longer than calls that do nothing: measured at 2 to 64 at a time, 4 KiB
  /// each, the ring draws level at 32.
  fileprivate private(set) var isPreferred = false
  /// When the run's first plain call began, in ticks, and its row; 0 for none yet. A clock takes three times as long to read, and both ends of it were
  /// 3 % of a statx.
  fileprivate var begin: UInt64 = 0
  fileprivate private(set) var row: UInt16 = 0
  /// The calls that the engine had made here before.
  fileprivate private(set) var callsBefore = 0
  /// The descriptor that the run has opened just now; -1 for none. Its flags are not settled yet.
  fileprivate var opened: Int32 = -1
  fileprivate var openedFlags: Int32 = 0
  /// Nobody has looked yet whether it is a FIFO, whose open should have waited.
  fileprivate var mayBeFIFO = false
  /// It is one.
  fileprivate(set) var isFIFO = false
  /// Where it is read next: the file's own position is set when somebody else can see it, or never.
  fileprivate var openedPosition = 0
  /// The run as it was before that open, which is taken back if it should have waited.
  fileprivate var before = RunState()

  fileprivate struct RunState {
    var opening = AtomAddress.nowhere
    var last = AtomAddress.nowhere
    var lastFlags = AtomFlags()
    var lastResult = 0
  }

  /// The runs collected, and what they will take.
  fileprivate var collected = RunQueue()
  fileprivate var collectedNanoseconds: Int64 = 0
  /// How many runs the owner takes back at once; 0 when nothing is offered.
  fileprivate var portion = 0
  /// Runs offered to the workers lately, and how many of them the owner has done itself.
  private var offered = 0
  private var own = 0
  /// Turns that will not share, because the workers took nothing the last time; twice as many after each such time.
  fileprivate var pauses = 0
  fileprivate var pausesNext = 1

  /// What the owner takes back at once.
  fileprivate static let portion: Int64 = 20_000
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

  /// Whether a cached read is timed: while some have been slow lately each is, and otherwise one in four, because it costs 2 % of one.
  @inline(__always)
  fileprivate mutating func wantsReadTimed() -> Bool {
    reads &+= 1
    return slowReads > 0 || reads & 3 == 1
  }

  /// Whether a call placed by a hint is asked for what it is, before it is known who makes it.
  mutating func wantsSample() -> Bool {
    guard runs >= Self.hintedPerSample else { return true }
    hinted += 1
    return hinted % Self.hintedPerSample == 0
  }

  /// A cached read was slow, or was not: for how many reads its descriptor is the ring's now. One slow read may have been interrupted only, so
  /// that a few go to the ring; each further one doubles them, and 32 quick ones in a row take half of that back.
  fileprivate mutating func noteRead(isSlow: Bool) -> UInt8? {
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

  fileprivate var nanosecondsSinceBegin: Int64 {
    // A thread that has moved to a processor whose counter is behind has not gone back in time.
    Int64(min(Double(max(0, Int64(bitPattern: syslet_ticks() &- begin))) * nanosecondsPerTick, 1e15))
  }

  fileprivate mutating func time(_ row: UInt16, callsBefore: Int) {
    begin = syslet_ticks()
    self.row = row
    self.callsBefore = callsBefore
  }

  /// Whether sharing is worth a try in this turn.
  fileprivate mutating func maySharing() -> Bool {
    guard pauses > 0 else { return true }
    pauses -= 1
    return false
  }

  /// So many runs are offered; before that, how much of the last offers the workers have done is taken in.
  fileprivate mutating func noteOffer(_ count: Int) {
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

  fileprivate mutating func noteOwn(_ count: Int) { own += count }
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

extension Core {
  /// Begins a turn with `runs` runs, in which a plain call may take `nanosecondsMax`, and decides whether they are collected.
  @inline(__always)
  mutating func beginPlainTurn(runs: Int, nanosecondsMax: Int64) {
    plain.beginTurn(runs: runs, nanosecondsMax: nanosecondsMax, isAlone: pending == 1)
    // Devices that are too slow are not measured any more, and are tried again after some 45 turns, or twice as many if they were twice too slow.
    if plain.nanosecondsAlone == plain.limit, costs[costs.transfers] > plain.limit { costs.fade(costs.transfers) }
    if runs >= 4, plain.nanosecondsMax > 0, plain.maySharing() { plain.isCollecting = true }
  }

  @inline(__always)
  mutating func endPlainTurn() {
    if plain.isCollecting { share() }
  }

  /// Begins a run's turn, which may use the owner's thread or not.
  @inline(__always)
  mutating func beginPlainRun(_ isAllowed: Bool) {
    plain.isAllowed = isAllowed
    translator.prefersPlain = isAllowed && plain.isPreferred
    translator.nanosecondsAlone = plain.nanosecondsAlone
    translator.idleCallsMax = !isAllowed ? 0 : plain.isHelping ? .max : plain.idleCallsMax
  }

  /// Makes a plain call on this thread; nil where it would have to wait.
  mutating func makePlainly(
    _ run: Reference<Run>, _ call: Reference<Call>, _ reason: Placement.PlainReason, timedAs row: UInt16
  ) -> Int? {
    let descriptor = call.pointee.arguments.descriptor(0)
    if plain.begin == 0 {
      plain.time(row, callsBefore: statistics.inlineCalls)
    }
    let result = Interpreter.makeWithoutWaiting(call, reason)
    switch reason {
    case .lookUp, .creation:
      guard let opened = result, opened >= 0 else { break }
      let flags = call.pointee.form.openArguments(call.pointee.arguments).flags
      plain.opened = Int32(truncatingIfNeeded: opened)
      plain.openedFlags = flags
      plain.openedPosition = 0
      plain.isFIFO = false
      plain.mayBeFIFO = reason == .lookUp && OpenFlags.mayHaveToWait(UInt32(bitPattern: flags))
      translator.descriptors.forget(plain.opened)
      if plain.mayBeFIFO {
        // What comes next mostly reads, and finds out by that. Otherwise it has to be looked at now.
        plain.before = PlainTurn.RunState(
          opening: call.pointee.atom, last: run.pointee.last, lastFlags: run.pointee.lastFlags, lastResult: run.pointee.lastResult)
        if call.pointee.next == nil || call.pointee.flags.stops(on: opened), lookForFIFO() {
          holdOpened(run)
          return nil
        }
      }
      // What is read of it belongs to the same short way. Without O_DIRECT it is a file like most, or the read will say that it waits.
      translator.prefersPlain = true
      let isDirect = flags & Int32(SYSLET_O_DIRECT) != 0
      translator.hints.note(plain.opened, isDirect ? .direct : .buffered)
      if isDirect { settleOpened() }
    case .close:
      if descriptor == plain.opened { plain.opened = -1 }
      translator.descriptors.forget(descriptor)
      translator.hints.note(descriptor, .unknown)
    case .punted, .few, .buffered, .cached, .device:
      break
    }
    return result
  }

  /// Reads what is probably in memory, on this thread; nil where that would have to wait.
  @inline(__always)
  mutating func readPlainly(_ call: Reference<Call>) -> Int? {
    let isTimed = plain.wantsReadTimed()
    let ticks = isTimed ? syslet_ticks() : 0
    let result: Int?
    if plain.hasOpened, call.pointee.form.encoding == .read, call.pointee.arguments.descriptor(0) == plain.opened {
      guard let isRead = readOpened(call) else {
        if plain.isFIFO { return nil }
        return readPlainly(call)
      }
      result = isRead == -Int(EAGAIN) ? nil : isRead
    } else {
      result = Interpreter.readWithoutWaiting(call, isNonblocking: false)
    }
    let isSlow = result == nil || isTimed && syslet_ticks() &- ticks > plain.cachedTicksMax
    if isSlow || plain.hasSlowReads { noteRead(call, isSlow: isSlow) }
    return result
  }

  /// Reads the file that the run has opened just now at the place where its position is to be: of a FIFO that fails, so that nobody has to be asked
  /// what was opened. nil: it takes no offsets, and is settled now, or a FIFO.
  private mutating func readOpened(_ call: Reference<Call>) -> Int? {
    let words = call.pointee.arguments.words
    let result = syslet_call(SystemCall.pread64, words.0, words.1, words.2, UInt64(plain.openedPosition), 0, 0)
    if result == -Int(ESPIPE) {
      if !lookForFIFO() { settleFlags() }
      return nil
    }
    if result >= 0 {
      plain.mayBeFIFO = false
      plain.openedPosition += result
    }
    return result
  }

  /// Whether what was opened just now is a FIFO, whose open should have waited. A question of 0.25 µs.
  private mutating func lookForFIFO() -> Bool {
    guard plain.mayBeFIFO else { return false }
    plain.mayBeFIFO = false
    plain.isFIFO = Interpreter.isFIFO(plain.opened)
    return plain.isFIFO
  }

  /// The same, before `call` is made, which will not find out by itself.
  @inline(__always)
  mutating func isUnsettledFIFO(before call: Reference<Call>) -> Bool {
    guard plain.mayBeFIFO else { return false }
    if call.pointee.form.encoding == .read, call.pointee.arguments.descriptor(0) == plain.opened, plain.isAllowed { return false }
    return lookForFIFO()
  }

  /// Keeps the descriptor for whoever makes the open as it is to be made: meanwhile the FIFO has a reader, as it has while an open waits.
  private mutating func holdOpened(_ run: Reference<Run>) {
    run.pointee.heldDescriptor = plain.opened
    run.pointee.isUnderway = true
    plain.opened = -1
    plain.isFIFO = false
  }

  /// Takes the open of a FIFO back: a worker makes it, and waits in it.
  mutating func reopen(_ run: Reference<Run>) -> Turn {
    holdOpened(run)
    run.pointee.cursor = plain.before.opening
    run.pointee.last = plain.before.last
    run.pointee.lastFlags = plain.before.lastFlags
    run.pointee.lastResult = plain.before.lastResult
    run.pointee.executed -= 1
    return handOver(run)
  }

  private mutating func noteRead(_ call: Reference<Call>, isSlow: Bool) {
    // It was not in memory, and what is read next may not be either: the ring waits for that without holding anybody.
    guard let uses = plain.noteRead(isSlow: isSlow) else { return }
    translator.hints.note(call.pointee.arguments.descriptor(0), .other, uses: uses)
    settleOpened()
  }

  /// Before anything but reading, examining and closing is done with the descriptor that was opened, or could be: gives it the flags that it should have.
  @inline(__always)
  mutating func settleOpened() {
    if plain.hasOpened { settleFlags() }
  }

  private mutating func settleFlags() {
    syslet_open_settle(plain.opened, plain.openedFlags)
    if plain.openedPosition > 0 {
      _ = syslet_call(SystemCall.lseek, UInt64(argument: plain.opened), UInt64(plain.openedPosition), UInt64(argument: SEEK_SET), 0, 0, 0)
    }
    plain.opened = -1
    plain.mayBeFIFO = false
  }

  /// The run has left, or has ended: what it took is what the next one of its kind is expected to take.
  @inline(__always)
  mutating func notePlainCost() {
    if plain.begin != 0 { takePlainCost() }
  }

  private mutating func takePlainCost() {
    costs.note(plain.row, plain.nanosecondsSinceBegin, calls: statistics.inlineCalls - plain.callsBefore, limit: plain.limit)
    plain.begin = 0
  }

  /// Puts a run aside that will be shared, or is a worker's; false if it is better executed at once.
  mutating func collect(_ run: Reference<Run>, _ call: Reference<Call>, costing row: UInt16, isTimed: Bool = true) -> Bool {
    guard plain.begin == 0 else { return false }
    let cost = costs[row]
    guard cost * Int64(plain.runs) >= PlainCosts.sharingMin else {
      // Timed all the same, now and then.
      if isTimed, plain.runs >= 4, statistics.accepted & 63 == 0 {
        plain.time(row, callsBefore: statistics.inlineCalls)
      }
      return false
    }
    guard cost <= PlainCosts.briefMax || call.pointee.traits.contains(.neverBlocks) else {
      // What blocks wants many threads. This one is to be there when they are done.
      _ = handOver(run, timedAs: isTimed ? row : Run.untimed)
      return true
    }
    run.pointee.workerRow = isTimed ? row : Run.untimed
    run.pointee.place = .worker
    plain.collected.append(run, in: runs.memory)
    plain.collectedNanoseconds += cost
    return true
  }

  /// Puts a run aside that begins with a long line of no-ops. Where an enter pays only from 8 calls at a time on, system calls on two processors take
  /// less than requests on one: 32 such lines of 32, 3.2 µs each instead of 3.9. Not timed: what the owner does with a line is not what workers do.
  mutating func collectLine(_ run: Reference<Run>, _ call: Reference<Call>) -> Bool {
    guard plain.ringCallsMin >= 8, !run.pointee.isSynchronous, !call.pointee.flags.contains(.sync),
      memory.hasIdleCalls(PlainCosts.sharedLineMin - 1, behind: call)
    else { return false }
    return collect(run, call, costing: call.pointee.row, isTimed: false)
  }

  /// Offers what was collected to the workers. The owner takes of it too, in `help`, while it would wait otherwise.
  private mutating func share() {
    plain.isCollecting = false
    guard !plain.collected.isEmpty else { return }
    let count = plain.collected.count
    let cost = max(1, plain.collectedNanoseconds / Int64(count))
    plain.collectedNanoseconds = 0
    guard (try? ensurePool()) != nil, let pool else { return executeCollected() }
    // Devices work while this thread does.
    if let ring, ring.queued > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    runsOnWorkers += count
    plain.noteOffer(count)
    plain.portion = Int(max(1, min(16, PlainTurn.portion / cost)))
    // What computes wants no more threads than there are processors.
    guard pool.share(&plain.collected, sharersMax: Self.processors - 1) < 0 else { return }
    // There is no thread at all, and this one can do without.
    help(until: .max, nil)
  }

  /// Takes back and executes what was offered and nobody has begun, until `count` completions are visible or the deadline has passed. What is
  /// left then the workers do while the program is at its completions: woken for each turn anew they would come too late. One portion is taken in
  /// any case, because the workers may be busy for good.
  mutating func help(until count: Int, _ deadline: Int64?) {
    guard plain.portion > 0, let pool else { return }
    repeat {
      var portion = pool.reclaim(plain.portion)
      guard !portion.isEmpty else {
        plain.portion = 0
        return
      }
      plain.noteOwn(portion.count)
      runsOnWorkers -= portion.count
      while let run = portion.popFirst(in: runs.memory) {
        if run.pointee.isCancelled.load(ordering: .relaxed) { cancelledOnWorkers -= 1 }
        executeHere(run)
      }
      drain()
    } while visible() < count && deadline.map { syslet_now() < $0 } ?? true
  }

  /// The caller will not wait, so nobody helps beside workers that block in a run: all of the others may take what is shared.
  mutating func leaveShared() {
    guard plain.portion > 0, let pool else { return }
    // Work was left, so there was a thread: the answer says nothing new.
    _ = pool.share(&plain.collected, sharersMax: options.maxWorkers)
  }

  private mutating func executeCollected() {
    while let run = plain.collected.popFirst(in: runs.memory) { executeHere(run) }
  }

  private mutating func executeHere(_ run: Reference<Run>) {
    plain.isHelping = true
    defer { plain.isHelping = false }
    if run.pointee.workerRow != Run.untimed { plain.time(run.pointee.workerRow, callsBefore: statistics.inlineCalls) }
    advanceHere(run)
    notePlainCost()
  }

  private static let processors = max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}
