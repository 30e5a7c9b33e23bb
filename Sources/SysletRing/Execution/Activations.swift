// The syslets of an engine, from being accepted until their completions are posted: every run is begun and ended here.
//
// Unsafe fence: a run is a pointer into a slab that is this value's; it is valid until the value is gone, and the engine does not let go of it before every
// run has come back (law L4).

internal import Glibc
internal import Synchronization

/// The owner's. Whatever place has a run gives it back here, with a verdict (`follow`).
@safe struct Activations: ~Copyable {
  let memory: AtomMemory
  let runs: RunMemory
  /// Never used: a value that holds an atomic is never copied (`Core.anchor`).
  private let anchor = Atomic(false)
  private var slab: RunSlab
  private var byHead = RunIndex()
  /// What has been translated of prepared syslets.
  let plans = PlanTable()
  private var endedSeen = 0
  var delivery: Delivery
  /// Runs that the owner will route at its next turn.
  var ready = RunQueue()
  private(set) var pending = 0
  private(set) var accepted = 0
  private(set) var faulted = 0
  private let pendingMax: Int
  /// The engine is being closed: completions are nobody's any more.
  private(set) var isClosed = false
  /// It has left runs to calls that nothing interrupts.
  var isLeaving = false

  init(_ memory: AtomMemory, _ slab: consuming RunSlab, _ completions: consuming CompletionQueue, pendingMax: Int, isStrict: Bool) {
    self.memory = memory
    runs = slab.memory
    self.slab = slab
    delivery = Delivery(completions, isStrict: isStrict)
    self.pendingMax = pendingMax
  }

  mutating func close() {
    isClosed = true
    delivery.close()
  }

  // MARK: Looking

  /// The runs that there are, by their slots.
  var slots: [UInt32] { (0..<UInt32(slab.usedMax)).filter { runs[$0].pointee.place != .none } }

  /// No slot from here on has ever been used.
  var slotsMax: Int { slab.usedMax }

  /// The runs with this head, whatever place they are in.
  mutating func slots(_ head: AtomAddress) -> [UInt32] { byHead.slots(head, in: slab) }

  // MARK: Letting go

  /// Lets go of prepared syslets that nobody can begin again.
  @inline(__always)
  mutating func letGoOfEnded() {
    let ended = Step.endedCount
    guard ended != endedSeen else { return }
    endedSeen = ended
    plans.letGo(endedOnly: true)
  }

  // MARK: Beginning

  @inline(__always)
  mutating func accept(
    _ head: AtomAddress, _ layout: AtomForm, isSynchronous: Bool, waiter: UInt32
  ) throws(EngineError) -> Reference<Run> {
    if layout != .prepared {
      switch memory.check(head, layout) {
      case .call: break
      case .fault: throw .unreadableAtom(address: head.word)
      case .malformed: throw .malformedAtom(address: head.word, rule: memory.brokenRule(head, layout))
      }
    }
    guard pending &+ delivery.queue.count < pendingMax, let run = slab.take() else { throw .full(limit: pendingMax) }
    run.pointee.begin(head, layout, isSynchronous: isSynchronous, waiter: waiter)
    if layout == .prepared { run.pointee.plan = plans.begin(head) }
    if byHead.isKept { enroll(run) }
    pending &+= 1
    accepted &+= 1
    return run
  }

  /// The run waits for the owner's next turn.
  @inline(__always)
  mutating func queue(_ run: Reference<Run>) {
    run.pointee.place = .ready
    ready.append(run, in: runs)
  }

  // MARK: Ending

  /// Does what a verdict asks for, with a run that a place has given back.
  @inline(__always)
  mutating func follow(_ run: Reference<Run>, _ verdict: Verdict) {
    if case .finish(let reason) = verdict { complete(run, reason) } else { goOn(run) }
  }

  @inline(__always)
  private mutating func goOn(_ run: Reference<Run>) {
    if run.pointee.isCancelled.load(ordering: .relaxed) { return complete(run, .cancelled) }
    queue(run)
  }

  /// The end of a run: its completion is made and posted, unless NO_COMPLETE is on the last executed atom. A fault is told in any case, and
  /// whoever awaits a syslet is told of any end.
  @inline(__always)
  mutating func complete(_ run: Reference<Run>, _ reason: Completion.Reason) {
    if run.pointee.reached.heldDescriptor >= 0 { run.pointee.letGo() }
    if reason == .faulted { faulted += 1 }
    var result = run.pointee.last.result
    if reason == .cancelled, run.pointee.executed == 0 { result = -Int(ECANCELED) }
    let waiter = run.pointee.waiter
    let isSilent = run.pointee.last.flags.contains(.noComplete) && reason != .faulted && waiter == Run.noWaiter
    if run.pointee.layout == .prepared { return completePrepared(run, reason, result, isSilent: isSilent) }
    let (executed, last) = (run.pointee.executed, run.pointee.last.atom)
    retire(run)
    guard !isSilent, !isClosed else { return }
    // A head that was never read (a fault) may be unreadable: a checked engine asks the kernel, a trusted one has read it in accept.
    unsafe delivery.post(last.pointer, memory.privateData(last), result, executed, reason, waiter)
  }

  /// The same of a prepared syslet, whose atoms may have gone.
  @inline(__always)
  private mutating func completePrepared(_ run: Reference<Run>, _ reason: Completion.Reason, _ result: Int, isSilent: Bool) {
    let end = endPrepared(run, reason, result)
    guard !isSilent, !isClosed else { return }
    unsafe delivery.post(end.atom, end.privateData, end.result, end.executed, end.reason, end.waiter)
  }

  /// Its end without a completion that is posted: the one that there would be, for whoever has just begun it.
  @inline(__always)
  mutating func endPrepared(_ run: Reference<Run>, _ reason: Completion.Reason, _ result: Int) -> Completion {
    let (waiter, executed, last) = (run.pointee.waiter, run.pointee.executed, run.pointee.last.atom.step)
    let (atom, privateData) = unsafe (last.pointee.atom, last.pointee.privateData)
    plans.end(run.pointee.plan, run.pointee.head)
    retire(run)
    return unsafe Completion(
      atom: atom.pointer, privateData: privateData, result: result, executed: executed, reason: reason, waiter: waiter)
  }

  /// The end of a syslet whose lone call in the ring has succeeded (`StagedCall.isLone`): `complete` without what cannot be, 70 of a no-op's 174 instructions.
  @inline(__always)
  mutating func completeLone(_ run: Reference<Run>, result: Int) {
    if run.pointee.reached.heldDescriptor >= 0 { run.pointee.letGo() }
    let (waiter, executed) = (run.pointee.waiter, run.pointee.executed &+ 1)
    var atom = run.pointee.cursor
    var privateData: UnsafeMutableRawPointer?
    if run.pointee.layout == .prepared {
      let step = atom.step
      unsafe (atom, privateData) = unsafe (step.pointee.atom, step.pointee.privateData)
      plans.end(run.pointee.plan, run.pointee.head)
    } else if !isClosed {
      unsafe privateData = memory.privateData(atom)
    }
    retire(run)
    guard !isClosed else { return }
    unsafe delivery.post(atom.pointer, privateData, result, executed, .ended, waiter)
  }

  /// The end of a run whose `exec` returns it: whoever called knows already, so nothing is posted.
  mutating func completeSilently(_ run: Reference<Run>) {
    if run.pointee.layout == .prepared { plans.end(run.pointee.plan, run.pointee.head) }
    retire(run)
  }

  @inline(never)
  private mutating func enroll(_ run: Reference<Run>) { byHead.enter(run, runs) }

  @inline(never)
  private mutating func strike(_ run: Reference<Run>) { byHead.leave(run, runs) }

  @inline(__always)
  private mutating func retire(_ run: Reference<Run>) {
    if byHead.isKept { strike(run) }
    slab.release(run)
    pending &-= 1
  }
}
