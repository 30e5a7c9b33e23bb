// What `automatic` decides about plain calls: what the owner makes, what workers get, what both share, and what is left to the ring. It knows kinds of calls and
// what such calls have taken lately, and no SQEs. Of where a call is made it has no opinion on other backends; the rest is asked on `automatic` only.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// How often the placer has decided so: the counts of `Statistics`.
struct PlacerCounts {
  var (handOvers, sharedRuns, slowReads) = (0, 0, 0)
}

/// The owner's.
struct Placer: ~Copyable {
  private let isAutomatic: Bool
  /// Never used: a value that holds an atomic is never copied (`Core.anchor`). Without it this one was, for each run: 60 instructions.
  private let anchor = Atomic(false)
  let costs: PlainCosts
  var turn: PlainTurn
  var sharing = Sharing()
  var reads = CachedReads()
  var hints = DescriptorHints()
  var counts = PlacerCounts()

  /// The run may be executed on the owner's thread now.
  private(set) var isAllowed = false
  /// Too few calls are at hand for an enter of the ring to be shared by them: cached reads are made plainly.
  var prefersPlain = false
  /// So many no-ops are made plainly yet in this turn of the run.
  private(set) var idleCallsMax = 0
  /// The owner takes back what was shared, all of which is made plainly.
  var isHelping = false
  /// The descriptor that a plain call has opened just now, and nobody else has yet; -1 for none.
  var opened: Int32 = -1
  /// Calls placed by a hint that workers got.
  private var hinted = 0

  /// - Parameter inlineLimit: How long a call may hold the owner's thread at the most, in nanoseconds.
  init(isAutomatic: Bool, inlineLimit: Int64) {
    self.isAutomatic = isAutomatic
    costs = PlainCosts(OperationTable.shared)
    turn = PlainTurn(limit: inlineLimit)
  }

  /// One that decides as `other` would now, for a syslet that comes alone and with all the time there is, and from which `other` learns nothing.
  init(listing other: borrowing Placer) {
    isAutomatic = other.isAutomatic
    costs = PlainCosts(copying: other.costs)
    turn = PlainTurn(limit: other.turn.limit)
    (reads, sharing) = (other.reads, other.sharing)
    beginListing()
  }

  deinit { costs.free() }

  // MARK: Turns

  /// Begins a turn with `runs` runs, in which a plain call may take `nanosecondsMax` (`PlainTurn.begin`).
  ///
  /// - Parameter mayShare: Runs may be collected, to be shared with workers.
  @inline(__always)
  mutating func beginTurn(runs: Int, nanosecondsMax: Int64, isAlone: Bool, mayShare: Bool) {
    turn.begin(runs: runs, nanosecondsMax: nanosecondsMax, isAlone: isAlone)
    // Devices that are too slow are not measured any more, and are tried again after some 45 turns, or twice as many if they were twice too slow.
    if isAlone, turn.nanosecondsAlone == turn.limit, costs[costs.transfers] > turn.limit { costs.fade(costs.transfers) }
    sharing.isCollecting = mayShare && runs >= Self.sharedRunsMin && turn.nanosecondsMax > 0 && sharing.mayBegin()
  }

  /// Begins a turn of one run, which may use the owner's thread or not.
  @inline(__always)
  mutating func beginRun(isAllowed: Bool) {
    self.isAllowed = isAllowed
    prefersPlain = isAllowed && turn.isPreferred
    idleCallsMax = !isAllowed ? 0 : isHelping ? .max : turn.idleCallsMax
  }

  /// Begins a straight run of a listing, as if it came alone.
  mutating func beginListing() {
    turn.begin(runs: 1, nanosecondsMax: isAutomatic ? .max : 0, isAlone: true)
    beginRun(isAllowed: true)
  }

  // MARK: Where a call is made

  /// Where `automatic` makes calls that it need not look at the ring for: those that never block, and those that are made plainly. nil: as any other.
  ///
  /// - Parameter mayTry: A call that seldom waits may be tried here: nothing on its way to the ring takes it along, and the owner has time for it now.
  @inline(__always)
  mutating func place(_ call: Reference<Call>, _ descriptors: inout DescriptorFacts, mayTry: Bool) -> Placement? {
    guard isAutomatic, !call.pointee.flags.contains(.sync) else { return nil }
    let traits = call.pointee.traits
    if traits.contains(.neverBlocks) {
      if traits.isDisjoint(with: [.asksServer, .ownThread]) { return .inline(.neverBlocks) }
      if traits.contains(.asksServer), descriptors.mayAskServer(call) { return .worker(.obstacle(.isForeignFile)) }
      return .inline(call.pointee.threadNeed == .none ? .neverBlocks : .ownThread)
    }
    if call.pointee.form.isTransfer { return placeTransfer(call, call.pointee.form) }
    if mayTry, call.pointee.form.nature.contains(.waits), let placement = placeTried(call) { return placement }
    guard !traits.isDisjoint(with: [.punted, .mayPunt]), call.pointee.form.hasOpcode else { return nil }
    if call.pointee.form.encoding == .close, let obstacle = closeObstacle(call.pointee.arguments.descriptor(0), &descriptors) {
      return .worker(.obstacle(obstacle))
    }
    return call.pointee.form.writesBack ? placeWriteBack(call) : placePunted(call)
  }

  /// A call that io_uring would hand to a kernel worker, at several times the cost of the plain call.
  private func placePunted(_ call: Reference<Call>) -> Placement? {
    let flags: UInt32
    switch call.pointee.form.encoding {
    case .close: return .plain(.close)
    case .open: flags = call.pointee.arguments.low(1)
    case .openAt: flags = call.pointee.arguments.low(2)
    case .create: return .plain(.creation)
    default: return call.pointee.traits.contains(.punted) ? .plain(.punted) : nil
    }
    guard flags & OpenFlags.creating != 0 else { return flags & OpenFlags.pathOnly == 0 ? .plain(.lookUp) : nil }
    // A FIFO opened for reading alone has to wait in the open.
    return flags & OpenFlags.pathOnly == 0 && flags & UInt32(O_ACCMODE) != UInt32(O_RDONLY) ? .plain(.creation) : .worker(.punted)
  }

  /// What is better tried here first, of the calls that may wait.
  @inline(never)
  private func placeTried(_ call: Reference<Call>) -> Placement? {
    if call.pointee.form.isSend { return .poller(.seldomWaits) }
    // To begin a sleep and to cancel it takes the ring 2.6 µs and two SQEs, the poller 0.25.
    return call.pointee.form.isTimer(call.pointee.arguments) ? .poller(.timer) : nil
  }

  /// What writes the page cache back has nothing to do at a file in memory, or next to nothing.
  @inline(never)
  private mutating func placeWriteBack(_ call: Reference<Call>) -> Placement? {
    hints.hint(call.pointee.arguments.descriptor(0)) == .memory ? .plain(.memory) : placePunted(call)
  }

  @inline(never)
  private mutating func placeTransfer(_ call: Reference<Call>, _ form: OperationForm) -> Placement? {
    // Longer than one transfer can be, it is the router's to say that it is for no ring.
    guard call.pointee.arguments.words.2 <= OperationForm.transferMax else { return nil }
    let isCopying = !form.hasVectors && call.pointee.arguments.words.2 > Self.copyingBytesMin
    // At the file's own position it is no call for the ring in any case.
    let isAtPosition = !form.takesOffset(call.pointee.arguments)
    let hint = hints.hint(call.pointee.arguments.descriptor(0))
    if hint == .memory { return .plain(.memory) }
    guard form.isWrite || isCopying || prefersPlain || isAtPosition else { return nil }
    switch hint {
    case .buffered: break
    // A device is not slower for a plain call, and the ring's part is saved: 5 to 10 % of a 4 KiB read from an SSD.
    case .direct: return (prefersPlain || isAtPosition) && costs[costs.transfers] <= turn.nanosecondsAlone ? .plain(.device) : nil
    case .unknown, .other, .memory: return nil
    }
    if form.isWrite || isAtPosition && form.hasVectors { return .plain(.buffered) }
    return form.hasVectors || form.encoding == .readAt && Int64(bitPattern: call.pointee.arguments.words.3) < 0 ? nil : .plain(.cached)
  }

  /// Whether a read at an offset is left to the ring at the first look.
  @inline(__always)
  mutating func leavesRead(_ call: Reference<Call>) -> Bool {
    !isAutomatic
      || !prefersPlain && call.pointee.arguments.words.2 <= Self.copyingBytesMin
        && hints.hint(call.pointee.arguments.descriptor(0)) != .memory
  }

  /// Why closing a descriptor may hold the thread that does it: for the other side of a socket, a file server, a terminal's output; nil if it does not. To
  /// ask costs 330 ns, so that what has been opened just now, by a plain call too, is not asked about.
  @inline(__always)
  private func closeObstacle(_ descriptor: Int32, _ descriptors: inout DescriptorFacts) -> RingObstacle? {
    descriptor == opened || descriptors.isKnownFile(descriptor) ? nil : descriptors.closeObstacle(descriptor)
  }

  /// Whether the call is a no-op that is made plainly. A longer line of them is worth an enter of the ring, whole.
  @inline(__always)
  mutating func takeIdleCall(_ call: Reference<Call>, _ memory: AtomMemory) -> Bool {
    guard idleCallsMax > 0, call.pointee.form.encoding == .nop, !call.pointee.flags.contains(.sync) else { return false }
    guard idleCallsMax == .max || call.pointee.next == nil || !memory.hasIdleCalls(idleCallsMax, behind: call) else {
      idleCallsMax = 0
      return false
    }
    // Without a limit it stays so: a look ahead that far need not come to an end.
    if idleCallsMax != .max { idleCallsMax -= 1 }
    return true
  }

  // MARK: Who makes a plain call

  /// Whether the owner may make a plain call of `row` now.
  @inline(__always)
  mutating func mayMake(_ row: UInt16) -> Bool {
    isAllowed && (costs[row] <= turn.nanosecondsMax || turn.mayBePatient() && costs.each(row) <= turn.nanosecondsMax)
  }

  /// What becomes of a run of many, of which the next call is a plain one.
  enum Share { case here, shared, worker }

  /// Whether a run whose next call counts as `row` is put aside in this turn.
  @inline(__always)
  mutating func share(_ call: Reference<Call>, costing row: UInt16) -> Share {
    let cost = costs[row]
    guard cost * Int64(turn.runs) >= PlainCosts.sharingMin else { return .here }
    // What blocks wants many threads. This one is to be there when they are done.
    guard cost <= PlainCosts.briefMax || call.pointee.traits.contains(.neverBlocks) else { return .worker }
    sharing.nanoseconds += cost
    return .shared
  }

  /// Whether a call placed by a hint is asked for what it is, before it is known who makes it: of those that workers get one in so many.
  mutating func wantsSample() -> Bool {
    guard turn.runs >= Self.hintedPerSample else { return true }
    hinted += 1
    return hinted % Self.hintedPerSample == 0
  }

  // MARK: What is learnt

  /// What a run took that began with a plain call of `row`.
  func noteCost(_ row: UInt16, _ nanoseconds: Int64, calls: Int) { costs.note(row, nanoseconds, calls: calls, limit: turn.limit) }

  /// Whether a call that was placed by its descriptor's hint, and has no try that does not wait, is one of a file, now that it is going to be made
  /// here. If it is not, the hint is corrected, and the call is to be placed again.
  mutating func isFile(_ call: Reference<Call>, inMemory: Bool, _ descriptors: inout DescriptorFacts) -> Bool {
    let descriptor = call.pointee.arguments.descriptor(0)
    if inMemory ? descriptors.isMemoryFile(descriptor) : descriptors.kind(descriptor) == .file { return true }
    hints.note(descriptor, inMemory ? .unknown : .other)
    return false
  }

  /// A read that was tried here was slow, or had to wait, or was quick after some that were slow. Whether such reads are the ring's now.
  mutating func noteRead(_ descriptor: Int32, isSlow: Bool) -> Bool {
    // A file that is nowhere else knows no read that does not wait: that says nothing of disks.
    if isSlow, syslet_descriptor_is_memory(descriptor) != 0 {
      hints.note(descriptor, .memory)
      return false
    }
    if isSlow { counts.slowReads += 1 }
    // It was not in memory, and what is read next may not be either: the ring waits for that without holding anybody.
    guard let uses = reads.note(isSlow: isSlow) else { return false }
    hints.note(descriptor, .other, uses: uses)
    return true
  }

  /// From here on a read is so much copying that sharing an enter saves nothing.
  private static let copyingBytesMin: UInt64 = 16 << 10
  private static let sharedRunsMin = 4
  private static let hintedPerSample = 8
}
