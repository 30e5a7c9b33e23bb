// What `automatic` does with plain calls: it makes them on the owner's thread while they cost little, hands them to workers when they do not, and
// when many are ready both sides take from one queue, until nothing is left.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  /// Begins a turn with `runs` runs, in which a plain call may take `nanosecondsMax`, and decides whether they are collected.
  @inline(__always)
  mutating func beginPlainTurn(runs: Int, nanosecondsMax: Int64) {
    plain.beginTurn(runs: runs, nanosecondsMax: nanosecondsMax, isAlone: activations.pending == 1)
    // Devices that are too slow are not measured any more, and are tried again after some 45 turns, or twice as many if they were twice too slow.
    if plain.nanosecondsAlone == plain.limit, costs[costs.transfers] > plain.limit { costs.fade(costs.transfers) }
    if runs >= 4, plain.nanosecondsMax > 0, plain.sharing.mayBegin() { plain.sharing.isCollecting = true }
  }

  @inline(__always)
  mutating func endPlainTurn() {
    if plain.sharing.isCollecting { share() }
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
    if !plain.timing.hasBegun {
      plain.timing.begin(row, callsBefore: statistics.inlineCalls)
    }
    let result = Interpreter.makeWithoutWaiting(call, reason)
    switch reason {
    case .lookUp, .creation:
      guard let opened = result, opened >= 0 else { break }
      let flags = call.pointee.form.openArguments(call.pointee.arguments).flags
      let number = Int32(truncatingIfNeeded: opened)
      plain.opened.begin(number, flags, mayBeFIFO: reason == .lookUp && OpenFlags.mayHaveToWait(UInt32(bitPattern: flags)))
      translator.descriptors.forget(number)
      if plain.opened.mayBeFIFO {
        // What comes next mostly reads, and finds out by that. Otherwise it has to be looked at now.
        plain.opened.remember(run, call)
        if call.pointee.next == nil || call.pointee.flags.stops(on: opened) || flags & Int32(SYSLET_O_DIRECT) != 0,
          plain.opened.lookForFIFO()
        {
          plain.opened.hold(run)
          return nil
        }
      }
      // What is read of it belongs to the same short way. Without O_DIRECT it is a file like most, or the read will say that it waits.
      translator.prefersPlain = true
      let isDirect = flags & Int32(SYSLET_O_DIRECT) != 0
      // What will be written to is asked for what it is: in memory that is another way.
      let isRead = flags & O_ACCMODE == O_RDONLY && !isDirect
      translator.hints.note(number, isRead ? .buffered : .unknown)
      if isDirect { plain.opened.settle() }
    case .close:
      plain.opened.forget(descriptor)
      translator.descriptors.forget(descriptor)
      translator.hints.note(descriptor, .unknown)
    case .punted:
      if let result, plain.opened.mayBeFIFO, plain.opened.isStatus(call), plain.opened.isFIFO(after: call, result) { return nil }
    case .few, .buffered, .cached, .device, .memory:
      break
    }
    return result
  }

  /// Reads what is probably in memory, on this thread; nil where that would have to wait.
  @inline(__always)
  mutating func readPlainly(_ call: Reference<Call>) -> Int? {
    let isTimed = plain.reads.wantsTimed(isLone: plain.runs == 1)
    let ticks = isTimed ? syslet_ticks() : 0
    let result: Int?
    if plain.opened.isThere, call.pointee.form.encoding == .read, call.pointee.arguments.descriptor(0) == plain.opened.descriptor {
      guard let isRead = plain.opened.read(call) else {
        if plain.opened.isFIFO { return nil }
        return readPlainly(call)
      }
      result = isRead == -Int(EAGAIN) ? nil : isRead
    } else {
      result = Interpreter.readWithoutWaiting(call, isNonblocking: false)
      if plain.opened.mayBeFIFO {
        // A pipe takes no offset.
        if result == -Int(ESPIPE), plain.opened.lookForFIFO() { return nil }
        plain.opened.noteFile()
      }
    }
    let isSlow = result == nil || isTimed && syslet_ticks() &- ticks > plain.reads.ticksMax
    if isSlow || plain.reads.areSlow { noteRead(call, isSlow: isSlow) }
    return result
  }

  /// Whether what was opened just now is a FIFO, before `call` is made, which will not find out by itself.
  @inline(__always)
  mutating func isUnsettledFIFO(before call: Reference<Call>, mayMake: Bool) -> Bool {
    plain.opened.mayBeFIFO && !(mayMake && asksHere(call)) && plain.opened.lookForFIFO()
  }

  /// Whether `call` finds out what was opened just now, and will surely be made here, by `readPlainly` or `makePlainly`.
  @inline(never)  // Within the loop it cost other calls an instruction each.
  private func asksHere(_ call: Reference<Call>) -> Bool {
    guard call.pointee.arguments.descriptor(0) == plain.opened.descriptor, plain.opened.descriptor < DescriptorHints.capacity,
      plain.isAllowed,
      costs[call.pointee.row] <= plain.nanosecondsMax, !call.pointee.flags.contains(.sync)
    else { return false }
    let arguments = call.pointee.arguments
    switch call.pointee.form.encoding {
    case .read: return arguments[2] <= OperationForm.transferMax
    case .readAt: return arguments[2] <= OperationForm.transferMax && Int64(bitPattern: arguments[3]) >= 0
    case .statx: return plain.opened.isStatus(call)
    default: return false
    }
  }

  /// Takes the open of a FIFO back: a worker makes it, and waits in it.
  mutating func reopen(_ run: Reference<Run>) -> Turn {
    plain.opened.takeBack(run)
    // What is handed over is the open, and not what was reached behind it.
    if case .finish(let reason)? = memory.fetch(run, into: scratch.call) { return .finished(reason) }
    return handOver(run, scratch.call)
  }

  private mutating func noteRead(_ call: Reference<Call>, isSlow: Bool) {
    let descriptor = call.pointee.arguments.descriptor(0)
    // A file that is nowhere else knows no read that does not wait: that says nothing of disks.
    if isSlow, syslet_descriptor_is_memory(descriptor) != 0 { return translator.hints.note(descriptor, .memory) }
    // It was not in memory, and what is read next may not be either: the ring waits for that without holding anybody.
    guard let uses = plain.reads.note(isSlow: isSlow) else { return }
    translator.hints.note(descriptor, .other, uses: uses)
    plain.opened.settle()
  }

  /// The run has left, or has ended: what it took is what the next one of its kind is expected to take.
  @inline(__always)
  mutating func notePlainCost() {
    if plain.timing.hasBegun { takePlainCost() }
  }

  private mutating func takePlainCost() {
    costs.note(plain.timing.row, plain.timing.end(), calls: statistics.inlineCalls - plain.timing.callsBefore, limit: plain.limit)
  }

  /// Puts a run aside that will be shared, or is a worker's; false if it is better executed at once.
  mutating func collect(_ run: Reference<Run>, _ call: Reference<Call>, costing row: UInt16, isTimed: Bool = true) -> Bool {
    guard !plain.timing.hasBegun else { return false }
    let cost = costs[row]
    guard cost * Int64(plain.runs) >= PlainCosts.sharingMin else {
      // Timed all the same, now and then.
      if isTimed, plain.runs >= 4, activations.accepted & 63 == 0 {
        plain.timing.begin(row, callsBefore: statistics.inlineCalls)
      }
      return false
    }
    guard cost <= PlainCosts.briefMax || call.pointee.traits.contains(.neverBlocks) else {
      // What blocks wants many threads. This one is to be there when they are done.
      _ = handOver(run, call, timedAs: isTimed ? row : Run.untimed)
      return true
    }
    run.pointee.workerRow = isTimed ? row : Run.untimed
    run.pointee.place = .worker
    plain.sharing.collected.append(run, in: activations.runs)
    plain.sharing.nanoseconds += cost
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
    plain.sharing.isCollecting = false
    guard !plain.sharing.collected.isEmpty else { return }
    let count = plain.sharing.collected.count
    let cost = max(1, plain.sharing.nanoseconds / Int64(count))
    plain.sharing.nanoseconds = 0
    guard (try? ensureThreads()) != nil, let pool = workers.pool else { return executeCollected() }
    // Devices work while this thread does.
    if let ring = inRing.ring, ring.queued > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    workers.count += count
    plain.sharing.noteOffer(count, costing: cost)
    // What computes wants no more threads than there are processors.
    guard pool.share(&plain.sharing.collected, sharersMax: Self.processors - 1) < 0 else { return }
    // There is no thread at all, and this one can do without.
    help(until: .max, nil)
    // A place that does not give back what was offered has it still.
    if workers.count > 0 { workers.isStalled = true }
  }

  /// Takes back and executes what was offered and nobody has begun, until `count` completions are visible or the deadline has passed. What is
  /// left then the workers do while the program is at its completions: woken for each turn anew they would come too late. One portion is taken in
  /// any case, because the workers may be busy for good.
  mutating func help(until count: Int, _ deadline: Int64?) {
    guard plain.sharing.portion > 0, let pool = workers.pool else { return }
    repeat {
      var portion = pool.reclaim(plain.sharing.portion)
      guard !portion.isEmpty else {
        plain.sharing.portion = 0
        return
      }
      plain.sharing.noteOwn(portion.count)
      workers.count -= portion.count
      while let run = portion.popFirst(in: activations.runs) {
        if run.pointee.isCancelled.load(ordering: .relaxed) { workers.stopping.leave() }
        executeHere(run)
      }
      drain()
    } while activations.delivery.visible() < count && deadline.map { syslet_now() < $0 } ?? true
  }

  /// The caller will not wait, so nobody helps beside workers that block in a run: all of the others may take what is shared.
  mutating func leaveShared() {
    guard plain.sharing.portion > 0, let pool = workers.pool else { return }
    // Work was left, so there was a thread: the answer says nothing new.
    _ = pool.share(&plain.sharing.collected, sharersMax: options.maxWorkers)
  }

  private mutating func executeCollected() {
    while let run = plain.sharing.collected.popFirst(in: activations.runs) { executeHere(run) }
  }

  private mutating func executeHere(_ run: Reference<Run>) {
    plain.isHelping = true
    defer { plain.isHelping = false }
    if run.pointee.workerRow != Run.untimed { plain.timing.begin(run.pointee.workerRow, callsBefore: statistics.inlineCalls) }
    advanceHere(run)
    notePlainCost()
  }

  private static let processors = max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}
