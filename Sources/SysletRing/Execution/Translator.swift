// Whether the ring may have a call, and straight runs of atoms as its segments.
//
// Unsafe fence: the slot that is not a ring's is the translator's own.

internal import CLiburing
internal import Glibc

/// Decides where a call runs of which the placer has no opinion, and gathers those of the ring.
@safe struct Translator: ~Copyable {
  let memory: AtomMemory
  let router: Router
  var segment: Segment
  private var hazards: Hazards
  var descriptors = DescriptorFacts()
  /// The ring's kernel workers may see other names than the owner's thread.
  var areNamesStale = false
  /// Where SQEs are staged that are not for a ring, or for which it has no room: one slot, which all of them share.
  private let spare: UnsafeMutablePointer<syslet_sqe>

  init(memory: AtomMemory, router: Router, callsMax: Int) throws(EngineError) {
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
    self.hazards = hazards
    self.segment = segment
    unsafe self.spare = unsafe spare
  }

  deinit { unsafe free(spare) }

  /// Begins a segment whose SQEs are looked at and never issued.
  mutating func begin() { unsafe segment.begin(SQESlots(base: spare, first: 0, mask: 0)) }

  /// Begins a segment in `slots`, of which at least one is free.
  mutating func begin(in slots: SQESlots) { segment.begin(slots) }

  /// Where `call` runs, of which the placer has no opinion; its SQE is staged when that is the ring.
  ///
  /// What only looks is `mutating` here all the same: Swift would copy the translator for it.
  @inline(__always)
  mutating func place(_ call: Reference<Call>, isSynchronous: Bool) -> Placement {
    let placement = router.place(call, isSynchronous: isSynchronous, encodingInto: segment.sqes[segment.count])
    switch placement {
    case .ring: break
    case .worker: return withoutRing(call, placement)
    case .inline(.neverBlocks) where call.pointee.traits.contains(.asksServer) && descriptors.mayAskServer(call):
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

  /// Whether `place` would still give to the ring what it has.
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
  mutating func gather(
    _ first: Reference<Call>, _ layout: AtomForm, into scratch: Reference<Call>, callsMax: Int, _ placer: inout Placer
  ) -> Reference<Call> {
    var call = first
    segment.clear()
    segment.append(call)
    guard call.pointee.next != nil else { return call }
    hazards.clear()
    // What is on its way to the ring takes the calls behind it along.
    let preferredPlain = placer.prefersPlain
    placer.prefersPlain = false
    defer { placer.prefersPlain = preferredPlain }
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
      if let placement = placer.place(call, &descriptors, mayTry: false) {
        segment.cut = .placement(placement)
        return call
      }
      let placement = place(call, isSynchronous: false)
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
