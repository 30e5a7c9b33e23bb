// Where a call runs, and straight runs of atoms as segments of the ring's.
//
// Unsafe fence: the slot that is not a ring's is the translator's own.

internal import CLiburing
internal import Glibc

/// Decides where calls run, and gathers those of the ring.
@safe struct Translator: ~Copyable {
  let memory: AtomMemory
  let router: Router
  /// What plain calls have cost.
  let costs: PlainCosts
  var segment: Segment
  private var hazards: Hazards
  var descriptors = DescriptorFacts()
  var hints = DescriptorHints()
  /// The ring's kernel workers may see other names than the owner's thread.
  var areNamesStale = false
  /// Too few calls are at hand for an enter of the ring to be shared by them: `automatic` makes cached reads plainly.
  var prefersPlain = false
  /// The owner waits for the present run and for no other: what the run waits for may hold the owner, for so long.
  var nanosecondsAlone: Int64 = 0
  /// The descriptor that a plain call has opened just now, and nobody else has yet; -1 for none.
  var opened: Int32 = -1
  /// So many no-ops `automatic` makes plainly yet in this turn of the run.
  var idleCallsMax = 0
  /// Where SQEs are staged that are not for a ring, or for which it has no room: one slot, which all of them share.
  private let spare: UnsafeMutablePointer<syslet_sqe>

  init(memory: AtomMemory, router: Router, costs: PlainCosts, callsMax: Int) throws(EngineError) {
    let hazards = try Hazards(callsMax: callsMax)
    let spare = unsafe try Allocation.make(1, of: syslet_sqe.self, for: "entries")
    unsafe spare.initialize(to: syslet_sqe())
    let segment: Segment
    do {
      segment = unsafe try Segment(capacity: callsMax, sqes: SQESlots(base: spare, first: 0, mask: 0))
    } catch {
      unsafe free(spare)
      throw error
    }
    self.memory = memory
    self.router = router
    self.costs = costs
    self.hazards = hazards
    self.segment = segment
    unsafe self.spare = unsafe spare
  }

  deinit { unsafe free(spare) }

  /// Begins a segment whose SQEs are looked at and never issued.
  mutating func begin() { unsafe segment.begin(SQESlots(base: spare, first: 0, mask: 0)) }

  /// Begins a segment in `slots`, of which at least one is free.
  mutating func begin(in slots: SQESlots) { segment.begin(slots) }

  /// Where `call` runs; its SQE is staged when that is the ring.
  ///
  /// What only looks is `mutating` here all the same: Swift would copy the translator's 240 bytes for it.
  @inline(__always)
  mutating func place(_ call: Reference<Call>, isSynchronous: Bool) -> Placement {
    if let placement = placeHere(call) { return placement }
    return placeElsewhere(call, isSynchronous: isSynchronous)
  }

  /// The rest of `place`.
  @inline(__always)
  mutating func placeElsewhere(_ call: Reference<Call>, isSynchronous: Bool) -> Placement {
    let placement = router.place(call, isSynchronous: isSynchronous, encodingInto: segment.sqes[segment.count])
    switch placement {
    case .ring: break
    case .worker: return withoutRing(call, placement)
    case .inline(.neverBlocks) where call.pointee.traits.contains(.asksServer) && mayAskServer(call):
      return .worker(.obstacle(.isForeignFile))
    default: return placement
    }
    if areNamesStale, call.pointee.form.nature.contains(.names) { return .worker(.obstacle(.staleNames)) }
    guard call.pointee.form.nature.contains(.conditional) else { return .ring }
    if let obstacle = obstacle(call) { return withoutRing(call, .worker(.obstacle(obstacle))) }
    switch call.pointee.form.encoding {
    // A blocking send goes on until all is sent; io_uring's does so only when it is told.
    case .sendTo, .sendMessage: segment.sqes[segment.count].pointee.op_flags |= UInt32(MSG_WAITALL)
    default: break
    }
    return .ring
  }

  /// Whether `placeElsewhere` would still give to the ring what it has.
  mutating func isForRing(_ call: Reference<Call>) -> Bool {
    let nature = call.pointee.form.nature
    if areNamesStale, nature.contains(.names) { return false }
    return !nature.contains(.conditional) || obstacle(call) == nil
  }

  /// What waits for another party on something that can be polled is the poller's, not a worker's.
  private mutating func withoutRing(_ call: Reference<Call>, _ placement: Placement) -> Placement {
    guard case .worker(let reason) = placement, reason != .synchronous, reason != .punted else { return placement }
    let form = call.pointee.form
    if Waiting.isTried(form) { return .poller(reason) }
    guard form.isTransfer, !form.takesOffset(call.pointee.arguments) else { return placement }
    return Waiting.isTried(on: descriptors.kind(call.pointee.arguments.descriptor(0))) ? .poller(reason) : placement
  }

  /// Where a call goes for which the ring has no room, because all that it has waits.
  mutating func placeBeside(_ call: Reference<Call>) -> Placement { withoutRing(call, .worker(.fullRing)) }

  /// Whether the call is a no-op that `automatic` makes plainly. A longer line of them is worth an enter of the ring, whole.
  @inline(__always)
  mutating func takeIdleCall(_ call: Reference<Call>) -> Bool {
    guard idleCallsMax > 0, call.pointee.form.encoding == .nop, !call.pointee.flags.contains(.sync) else { return false }
    guard idleCallsMax == .max || call.pointee.next == nil || !memory.hasIdleCalls(idleCallsMax, behind: call) else {
      idleCallsMax = 0
      return false
    }
    // Without a limit it stays so: a look ahead that far need not come to an end.
    if idleCallsMax != .max { idleCallsMax -= 1 }
    return true
  }

  /// Where `automatic` makes calls that it need not look at the ring for: those that never block, and those that are made plainly. nil: as any other.
  ///
  /// - Parameter mayTry: A call that seldom waits may be tried here: nothing on its way to the ring takes it along, and the owner has time for it now.
  @inline(__always)
  mutating func placeHere(_ call: Reference<Call>, mayTry: Bool = true) -> Placement? {
    guard router.isAutomatic, !call.pointee.flags.contains(.sync) else { return nil }
    let traits = call.pointee.traits
    if traits.contains(.neverBlocks) {
      if traits.isDisjoint(with: [.asksServer, .ownThread]) { return .inline(.neverBlocks) }
      if traits.contains(.asksServer), mayAskServer(call) { return .worker(.obstacle(.isForeignFile)) }
      return .inline(call.pointee.threadNeed == .none ? .neverBlocks : .ownThread)
    }
    if call.pointee.form.isTransfer { return placeTransfer(call, call.pointee.form) }
    if mayTry, call.pointee.form.nature.contains(.waits), let placement = placeTried(call) { return placement }
    guard !traits.isDisjoint(with: [.punted, .mayPunt]), call.pointee.form.hasOpcode else { return nil }
    if call.pointee.form.encoding == .close, let obstacle = closeObstacle(call.pointee.arguments.descriptor(0)) {
      return .worker(.obstacle(obstacle))
    }
    return call.pointee.form.writesBack ? placeWriteBack(call) : router.placePlainly(call)
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
    hints.hint(call.pointee.arguments.descriptor(0)) == .memory ? .plain(.memory) : router.placePlainly(call)
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
    case .direct: return (prefersPlain || isAtPosition) && mayTransferAlone() ? .plain(.device) : nil
    case .unknown, .other, .memory: return nil
    }
    if form.isWrite || isAtPosition && form.hasVectors { return .plain(.buffered) }
    return form.hasVectors || form.encoding == .readAt && Int64(bitPattern: call.pointee.arguments.words.3) < 0 ? nil : .plain(.cached)
  }

  /// Whether a call that was placed by its descriptor's hint, and has no try that does not wait, is one of a file, now that it is going to be made
  /// here. If it is not, the hint is corrected, and the call is to be placed again.
  mutating func isFile(_ call: Reference<Call>, inMemory: Bool) -> Bool {
    let descriptor = call.pointee.arguments.descriptor(0)
    if inMemory ? descriptors.isMemoryFile(descriptor) : descriptors.kind(descriptor) == .file { return true }
    hints.note(descriptor, inMemory ? .unknown : .other)
    return false
  }

  /// Whether a call that looks at a file may have to wait for the server that has it, or for a worker that waits there and has the position locked.
  private mutating func mayAskServer(_ call: Reference<Call>) -> Bool {
    descriptors.kind(call.pointee.arguments.descriptor(0)) == .foreignFile
  }

  /// Why closing a descriptor may hold the thread that does it: for the other side of a socket, a file server, a terminal's output; nil if it does not. To
  /// ask costs 330 ns, so that what has been opened just now, by a plain call too, is not asked about.
  @inline(__always)
  private mutating func closeObstacle(_ descriptor: Int32) -> RingObstacle? {
    descriptor == opened || descriptors.isKnownFile(descriptor) ? nil : askAboutClose(descriptor)
  }

  private mutating func askAboutClose(_ descriptor: Int32) -> RingObstacle? {
    let fact = descriptors.fact(descriptor, .lingering)
    guard fact.isOne(of: RingKnowledge.closingPlainly) else { return .kind(fact.kind) }
    return fact.states.contains(.lingering) ? .lingers : nil
  }

  /// A device is not slower for a plain call, and the ring's part is saved: 5 to 10 % of a 4 KiB read from an SSD.
  private func mayTransferAlone() -> Bool {
    costs[costs.transfers] <= nanosecondsAlone
  }

  /// From here on a read is so much copying that sharing an enter saves nothing.
  static let copyingBytesMin: UInt64 = 16 << 10

  /// Why the ring is not known to do what the system call does with this descriptor, in this state, with these flags (law L10); nil if it is.
  private mutating func obstacle(_ call: Reference<Call>) -> RingObstacle? {
    let known = call.pointee.operation.pointee.knowledge
    if known.flagsArgument >= 0, call.pointee.arguments.low(Int(known.flagsArgument)) & ~known.flags != 0 { return .flags }
    guard known.dependsOnDescriptor else { return nil }
    if known.kinds.isEmpty, !call.pointee.form.isTransfer { return .isNeverKnown }
    let descriptor = call.pointee.arguments.descriptor(0)
    // Whatever its state is, which takes three questions more.
    if call.pointee.form.encoding == .receiveFrom, call.pointee.arguments.low(3) & Self.waitAll != 0,
      descriptors.kind(descriptor) != .localStream
    {
      return .flags
    }
    let fact = descriptors.fact(descriptor, known.states)
    guard fact.isOne(of: known.kinds) else {
      let isAtPosition = call.pointee.form.isTransfer && !call.pointee.form.takesOffset(call.pointee.arguments)
      return isAtPosition && DescriptorKinds.files.contains(fact.kind) ? .position : .kind(fact.kind)
    }
    guard fact.states.isDisjoint(with: known.states) else { return .states(fact.states.intersection(known.states)) }
    return call.pointee.form.encoding == .readAt ? nil : argumentsObstacle(call, fact.kind)
  }

  /// The same of arguments that matter together.
  private mutating func argumentsObstacle(_ call: Reference<Call>, _ kind: DescriptorKind) -> RingObstacle? {
    let arguments = call.pointee.arguments
    switch call.pointee.form.encoding {
    case .read:
      // Up to 6.1 the ring waits until a pipe has something before it reads nothing.
      return arguments[2] == 0 ? .length : nil
    case .readVectorFlags:
      return Int64(bitPattern: arguments[3]) < 0 ? .position : nil
    case .writeVectorFlags where Int64(bitPattern: arguments[3]) < 0:
      return .position
    case .writeAt:
      return descriptors.mayReach(arguments[3] &+ arguments[2]) ? nil : .sizeLimit
    case .writeVectorAt, .writeVectorFlags, .fallocate, .ftruncate:
      return descriptors.mayReach(.max) ? nil : .sizeLimit
    case .receiveFrom:
      // A stream waits for something to come, and gives nothing.
      if arguments[2] == 0, kind == .stream { return .length }
      if arguments.low(3) & Self.waitAll == 0 { return nil }
      // On AF_UNIX it is the same but for urgent data, and with a worker for each an echo took 55 to 62 µs.
      return router.severing.areMessagesWhole && arguments.low(3) & (0x02 | 0x20) == 0 ? nil : .flags
    case .receiveMessage: return arguments.low(2) & Self.waitAll != 0 ? .flags : nil
    case .sendTo, .sendMessage:
      return router.severing.areMessagesWhole ? nil : .flags
    default: return nil
    }
  }

  /// MSG_WAITALL. The ring passes urgent data, takes an error that is the next call's, and counts twice what it has peeked at.
  private static let waitAll: UInt32 = 0x100

  /// Whether a cancellation may find the call waiting, in which case what is linked behind it must not run.
  @inline(__always)
  private mutating func mayWait(_ call: Reference<Call>) -> Bool {
    let nature = call.pointee.form.nature
    if nature.isDisjoint(with: [.waits, .open, .transfer]) { return false }
    // An open may be of a FIFO.
    return !nature.isDisjoint(with: [.waits, .open]) || isOfStream(call)
  }

  mutating func isOfStream(_ call: Reference<Call>) -> Bool {
    descriptors.fact(call.pointee.arguments.descriptor(0)).isOfStream
  }

  /// Whether an earlier call of the segment closes the call's descriptor, or may open it: what it names can be asked only afterwards.
  private mutating func isReopened(_ call: Reference<Call>) -> Bool {
    guard call.pointee.form.dependsOnDescriptor else { return false }
    let descriptor = call.pointee.arguments.descriptor(0)
    return segment.hasOpens && descriptors.kind(descriptor) == .closed
      || segment.hasCloses && segment.closes(descriptor)
  }

  /// Gathers the straight run that begins with `call`, whose SQE is staged, into the segment: as many calls as may run ahead.
  ///
  /// The last call that was fetched into `scratch`, or the step's own: that of the segment, or the one behind it that cuts it.
  @discardableResult
  mutating func gather(_ first: Reference<Call>, _ layout: AtomForm, into scratch: Reference<Call>, callsMax: Int) -> Reference<Call> {
    var call = first
    segment.clear()
    segment.append(call)
    guard call.pointee.next != nil else { return call }
    hazards.clear()
    // What is on its way to the ring takes the calls behind it along.
    let preferredPlain = prefersPlain
    prefersPlain = false
    defer { prefersPlain = preferredPlain }
    while true {
      // After each round the call has been appended, and its SQE is the segment's last.
      guard let next = call.pointee.next else {
        segment.cut = .end
        return call
      }
      guard segment.count < callsMax else {
        segment.cut = .limit
        return call
      }
      var link = Link.hard
      var stops: ResultClasses = []
      var severs: ResultClasses = []
      let stopsAt = call.pointee.flags.stopClasses
      // What neither stops nor waits, and concerns no descriptor, is linked hard.
      if !stopsAt.isEmpty || !call.pointee.form.nature.isEmpty {
        if call.pointee.form.isOpen {
          // Of a FIFO it has to be made again, by somebody who waits (`RingPlace.outcome`).
          segment.cut = .open
          return call
        }
        if call.pointee.form.encoding == .poll || (memory.isChecked && call.pointee.result != 0 && stopsAt.contains(.negative)) {
          segment.cut = .uncheckedResult
          return call
        }
        if stopsAt.isEmpty {
          if mayWait(call) {
            // A hard link would let the next call run when this one is cancelled. Severed early for another reason, the run resumes.
            severs = router.severing.results(call.pointee.form, call.pointee.arguments)
            link = severs.contains(.negative) ? .soft : .cut
            if link == .cut {
              segment.cut = .severing(stops: .negative, severs: severs)
              return call
            }
          }
        } else {
          let reachable = call.pointee.form.reachableResults(call.pointee.arguments)
          stops = stopsAt.intersection(reachable)
          severs = router.severing.results(call.pointee.form, call.pointee.arguments).intersection(reachable)
          if !stops.isEmpty, call.pointee.flags.contains(.skipToNextOnStop) {
            segment.cut = .branch
            return call
          }
          link = LinkRule.link(stops: stops, severs: severs)
          if link == .cut {
            segment.cut = .severing(stops: stops, severs: severs)
            return call
          }
        }
      }
      // A loop has an edge that does not go forward in memory; only there is it worth looking.
      if next.word <= call.pointee.atom.word, segment.contains(atom: next) {
        segment.cut = .loop
        return call
      }
      hazards.note(call)
      if !hazards.isEmpty, let hazard = hazards.hazard(atom: next) {
        segment.cut = .hazard(hazard)
        return call
      }
      let fetched = memory.fetch(next, layout, orInto: scratch)
      call = fetched.call
      guard case .call = fetched.fetch else {
        segment.cut = .unreadable
        return call
      }
      if !hazards.isEmpty, let hazard = hazards.hazard(call) {
        segment.cut = .hazard(hazard)
        return call
      }
      if call.pointee.form.nature.contains(.names) {
        // What is linked is made when its turn comes, with the rights that the owner's thread has by then (seen on Linux 6.18).
        segment.cut = .rights
        return call
      }
      if segment.hasOpens || segment.hasCloses, isReopened(call) {
        segment.cut = .hazard(.descriptor)
        return call
      }
      if let placement = placeHere(call, mayTry: false) {
        segment.cut = .placement(placement)
        return call
      }
      let placement = placeElsewhere(call, isSynchronous: false)
      switch placement {
      case .ring: break
      default:
        segment.cut = .placement(placement)
        return call
      }
      segment.link(link, stops: stops, severs: severs)
      segment.append(call)
    }
  }
}
