// What an engine has translated of a prepared syslet, kept: its segments are issued again as they are, as long as what they rest on holds.
//
// Unsafe fence: a plan's memory is the table's. It names the steps of a syslet, which are there while the plan is. A run has its plan's number from
// `PlanTable.begin` to `end`, and its segment's staged calls stay until then.

internal import CLiburing
internal import Glibc

/// A segment that was translated once. It can be issued again if its `conditions` hold, with its `patches` filled in.
@safe struct PlannedSegment {
  let count: Int
  private let sqes: UnsafePointer<syslet_sqe>
  private let calls: UnsafeMutablePointer<StagedCall>
  /// The step after the last call, if that call does not stop the syslet.
  let after: AtomAddress?
  let isExact: Bool
  let softLinks: Int
  let hardLinks: Int
  /// The calls that wait, or stand behind one that does.
  let waits: Int
  /// Each call's result is the system call's own if it is no failure, and changes nothing that is known of a descriptor; and they are no more than a flight
  /// can have.
  let isFlight: Bool
  /// `StagedCall.isLone`, and nothing is to be looked at or filled in before it is issued again.
  let isReady: Bool
  /// Where what has been decided depends on what a descriptor names, or on rights.
  private let conditions: UnsafePointer<Condition>
  let conditionCount: Int

  /// The arguments that stand behind pointers, and copies of the calls, with these as they are now; no calls where there is no such argument.
  private let patches: UnsafeMutablePointer<Patch>
  let patchCount: Int
  private let patchedCalls: UnsafeMutablePointer<Call>

  struct Patch {
    let pointer: UInt64
    let position: UInt32
    /// The argument: 0, a descriptor, or 3, an offset.
    let argument: UInt8
    /// The call closes the descriptor.
    let isClose: Bool
    var value: UInt64 = 0
  }

  struct Condition {
    let position: UInt32
    /// Its link was chosen for what may wait: no file.
    let isOfStream: Bool
  }

  func call(_ position: Int) -> Reference<StagedCall> { unsafe Reference(calls + position) }
  func sqe(_ position: Int) -> Reference<syslet_sqe> { unsafe Reference(UnsafeMutablePointer(mutating: sqes + position)) }
  func condition(_ index: Int) -> Condition { unsafe conditions[index] }
  func patch(_ index: Int) -> Patch { unsafe patches[index] }

  /// The call at a position with its arguments as they are now, for whoever looks at conditions.
  func presentCall(_ position: Int) -> Reference<Call> {
    unsafe patchCount == 0 ? call(position).pointee.atom.stepCall : Reference(patchedCalls + position)
  }

  /// Reads what stands behind pointers; false where it cannot be read, or is not for the ring.
  @inline(__always)
  func load(_ memory: AtomMemory) -> Bool {
    for index in 0..<patchCount {
      let patch = unsafe Reference(patches + index)
      guard let value = memory.argument(patch.pointee.pointer) else { return false }
      patch.pointee.value = value
      let call = unsafe Reference(patchedCalls + Int(patch.pointee.position))
      if patch.pointee.argument == 0 {
        call.pointee.arguments.words.0 = value
      } else {
        guard Int64(bitPattern: value) >= 0 else { return false }
        call.pointee.arguments.words.3 = value
      }
    }
    return true
  }

  /// Fills in what has been read.
  @inline(__always)
  func fillIn(_ slots: SQESlots) {
    for index in 0..<patchCount {
      let patch = unsafe Reference(patches + index)
      let sqe = slots[Int(patch.pointee.position)]
      if patch.pointee.argument == 0 {
        sqe.pointee.fd = Int32(truncatingIfNeeded: patch.pointee.value)
      } else {
        sqe.pointee.off = patch.pointee.value
      }
    }
  }

  /// A copy of what `segment` has, in one block of memory that begins with it.
  fileprivate static func make(_ segment: borrowing Segment, _ grounds: Grounds) -> UnsafeMutablePointer<PlannedSegment> {
    let (conditions, patches) = (grounds.conditions, grounds.patches)
    let count = segment.count
    let sqesOffset = (MemoryLayout<PlannedSegment>.size + 63) & ~63
    let callsOffset = sqesOffset + count * MemoryLayout<syslet_sqe>.stride
    let conditionsOffset = callsOffset + count * MemoryLayout<StagedCall>.stride
    let patchesOffset = (conditionsOffset + conditions.count * MemoryLayout<Condition>.stride + 7) & ~7
    let patchedOffset = (patchesOffset + patches.count * MemoryLayout<Patch>.stride + 15) & ~15
    let size = patchedOffset + (patches.isEmpty ? 0 : count * MemoryLayout<Call>.stride)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    let sqes = unsafe (memory + sqesOffset).bindMemory(to: syslet_sqe.self, capacity: count)
    let calls = unsafe (memory + callsOffset).bindMemory(to: StagedCall.self, capacity: count)
    let conditionCopies = unsafe (memory + conditionsOffset).bindMemory(to: Condition.self, capacity: conditions.count)
    let patchCopies = unsafe (memory + patchesOffset).bindMemory(to: Patch.self, capacity: patches.count)
    let patchedCalls = unsafe (memory + patchedOffset).bindMemory(to: Call.self, capacity: patches.isEmpty ? 0 : count)
    var waits = 0
    var isFlight = count <= UserData.flightMax
    let first = segment.call(0).pointee
    let isLone = count == 1 && segment.after == nil && segment.isExact && StagedCall.canBeLone(first.flags, first.nature, first.encoding)
    for position in 0..<count {
      unsafe (sqes + position).initialize(to: segment.sqes[position].pointee)
      var call = segment.call(position).pointee
      // What stands behind one that waits ends no sooner.
      if waits > 0 { call.nature.insert(.waits) }
      if call.nature.contains(.waits) { waits += 1 }
      if !call.nature.isDisjoint(with: [.open, .descriptors]) || call.encoding == .poll { isFlight = false }
      call.isQuiet =
        position < count - 1 && call.result == 0 && call.flags.stopClasses.isSubset(of: .negative) && !call.nature.contains(.waits)
      call.isLone = isLone
      unsafe (calls + position).initialize(to: call)
      unsafe (sqes + position).pointee.user_data = UserData.position(position, of: Reference(calls + position))
      if !patches.isEmpty { unsafe (patchedCalls + position).initialize(to: call.atom.stepCall.pointee) }
    }
    for (index, condition) in conditions.enumerated() { unsafe (conditionCopies + index).initialize(to: condition) }
    for (index, patch) in patches.enumerated() { unsafe (patchCopies + index).initialize(to: patch) }
    let planned = unsafe memory.bindMemory(to: PlannedSegment.self, capacity: 1)
    unsafe planned.initialize(
      to: PlannedSegment(
        count: count, sqes: sqes, calls: calls, after: segment.after, isExact: segment.isExact, softLinks: segment.softLinks,
        hardLinks: segment.hardLinks, waits: waits, isFlight: isFlight, isReady: isLone && conditions.isEmpty && patches.isEmpty,
        conditions: conditionCopies, conditionCount: conditions.count,
        patches: patchCopies, patchCount: patches.count, patchedCalls: patchedCalls))
    return unsafe planned
  }
}

/// The plans of the prepared syslets that an engine has run lately, in slots by the syslets' numbers: of two that have the same slot one has no plan,
/// until the other has not been run for a while.
@safe struct PlanTable: ~Copyable {
  /// The number of no plan.
  static let none = UInt8.max
  private static let capacity = 64
  /// Of longer syslets nothing is kept, and of others as many calls as they have steps, twice: a segment may begin at each step.
  private static let stepsMax = 1024

  @safe private struct Plan {
    /// The syslet's number; 0 for none.
    var syslet: UInt64 = 0
    /// Its first step, which is kept as long as it has an owner or an activation.
    var head = AtomAddress.nowhere
    var activations = 0
    /// It has been begun since another one wanted its slot.
    var isInUse = false
    var callsLeft = 0
    var steps = 0
    /// By step: its segment, where one begins that has been translated.
    var segments: UnsafeMutablePointer<UnsafeMutablePointer<PlannedSegment>?>?
  }
  private let plans: UnsafeMutablePointer<Plan>

  init() {
    unsafe plans = .allocate(capacity: Self.capacity)
    unsafe plans.initialize(repeating: Plan(), count: Self.capacity)
  }

  deinit {
    for number in 0..<Self.capacity { unsafe Self.clear(plans + number) }
    unsafe plans.deallocate()
  }

  /// Lets go of those without an activation: all, or those that nobody can begin again.
  @inline(never)
  func letGo(endedOnly: Bool) {
    for number in 0..<Self.capacity {
      let plan = unsafe plans + number
      guard unsafe plan.pointee.syslet != 0, unsafe plan.pointee.activations == 0 else { continue }
      if unsafe !endedOnly || !plan.pointee.head.isOwned { unsafe Self.clear(plan) }
    }
  }

  @inline(never)
  private static func clear(_ plan: UnsafeMutablePointer<Plan>) {
    if unsafe plan.pointee.syslet != 0 { unsafe plan.pointee.head.letGo() }
    if let segments = unsafe plan.pointee.segments {
      for step in 0..<(unsafe plan.pointee.steps) { unsafe segments[step].map { unsafe UnsafeMutableRawPointer($0).deallocate() } }
      unsafe segments.deallocate()
    }
    unsafe plan.pointee = Plan()
  }

  /// An activation of the syslet that has `head` begins, and keeps it alive: the number of its plan.
  @inline(__always)
  func begin(_ head: AtomAddress) -> UInt8 {
    let syslet = head.step.pointee.syslet
    let number = UInt8(truncatingIfNeeded: syslet) & UInt8(Self.capacity - 1)
    let plan = unsafe plans + Int(number)
    if unsafe plan.pointee.syslet != syslet, unsafe !change(plan, to: head) {
      head.keep()
      return Self.none
    }
    unsafe plan.pointee.isInUse = true
    unsafe plan.pointee.activations &+= 1
    return number
  }

  /// Whether the plan is the other syslet's now.
  @inline(never)
  private func change(_ plan: UnsafeMutablePointer<Plan>, to head: AtomAddress) -> Bool {
    // Two that are run in turn would otherwise throw each other's away each time.
    guard unsafe plan.pointee.activations == 0, unsafe !plan.pointee.isInUse else {
      unsafe plan.pointee.isInUse = false
      return false
    }
    unsafe Self.clear(plan)
    head.keep()
    unsafe plan.pointee.head = head
    unsafe plan.pointee.syslet = head.step.pointee.syslet
    unsafe plan.pointee.steps = head.step.pointee.count
    unsafe plan.pointee.callsLeft = 2 * plan.pointee.steps
    return true
  }

  /// It ends. The steps are kept for the next one, because an atomic addition and subtraction for each, alone, took 10 of a no-op's 111 ns.
  @inline(__always)
  func end(_ number: UInt8, _ head: AtomAddress) {
    guard number != Self.none else { return head.letGo() }
    let plan = unsafe plans + Int(number)
    unsafe plan.pointee.activations &-= 1
    if unsafe plan.pointee.activations == 0, !head.isOwned { unsafe Self.clear(plan) }
  }

  /// The segment that begins at `step`, if it has been translated.
  @inline(__always)
  func segment(_ number: UInt8, _ step: Reference<Step>) -> Reference<PlannedSegment>? {
    guard number != Self.none, let segments = unsafe plans[Int(number)].segments else { return nil }
    return unsafe segments[step.pointee.number].map { unsafe Reference($0) }
  }

  /// Whether a segment that begins at `step` can be kept: what it rests on need not be found out otherwise.
  func mayKeep(_ number: UInt8, _ step: Reference<Step>, calls count: Int) -> Bool {
    guard number != Self.none, step.pointee.canBePlanned else { return false }
    let plan = unsafe plans + Int(number)
    guard unsafe plan.pointee.steps <= Self.stepsMax, unsafe plan.pointee.callsLeft >= count else { return false }
    // One that was not used, because of its length or of what it rests on, stays.
    return unsafe plan.pointee.segments.map { unsafe $0[step.pointee.number] == nil } ?? true
  }

  /// Keeps what has been translated from `step` on, which `mayKeep` has allowed.
  func keep(_ segment: borrowing Segment, _ grounds: PlannedSegment.Grounds, _ number: UInt8, _ step: Reference<Step>) {
    let plan = unsafe plans + Int(number)
    if unsafe plan.pointee.segments == nil {
      unsafe plan.pointee.segments = .allocate(capacity: plan.pointee.steps)
      unsafe plan.pointee.segments!.initialize(repeating: nil, count: plan.pointee.steps)
    }
    unsafe plan.pointee.callsLeft -= segment.count
    unsafe plan.pointee.segments![step.pointee.number] = PlannedSegment.make(segment, grounds)
  }
}

extension Translator {
  /// Whether what was decided about the calls of a planned segment would be decided again. What its SQEs say follows from the steps alone.
  @inline(__always)
  mutating func holds(_ segment: Reference<PlannedSegment>, _ placer: inout Placer) -> Bool {
    guard segment.pointee.count == 1 else { return holdsEach(segment, &placer) }
    let condition = segment.pointee.condition(0)
    return holdsAsRead(segment.pointee.presentCall(0), isOfStream: condition.isOfStream, &placer) ?? holdsEach(segment, &placer)
  }

  @inline(never)
  private mutating func holdsEach(_ segment: Reference<PlannedSegment>, _ placer: inout Placer) -> Bool {
    // As `gather` does: what is on its way to the ring takes the calls behind it along.
    let preferredPlain = placer.prefersPlain
    defer { placer.prefersPlain = preferredPlain }
    for index in 0..<segment.pointee.conditionCount {
      let condition = segment.pointee.condition(index)
      let call = segment.pointee.presentCall(Int(condition.position))
      if condition.position > 0 { placer.prefersPlain = false }
      if let holds = holdsAsRead(call, isOfStream: condition.isOfStream, &placer) {
        guard holds else { return false }
        continue
      }
      guard placer.place(call, &descriptors, mayTry: condition.position == 0) == nil, isForRing(call),
        !call.pointee.form.isTransfer || isOfStream(call) == condition.isOfStream
      else {
        return false
      }
    }
    return true
  }

  /// The same of a read at an offset that is too short to be better copied here, for which one look at what its descriptor names is enough; nil for any other
  /// call.
  @inline(__always)
  private mutating func holdsAsRead(_ call: Reference<Call>, isOfStream: Bool, _ placer: inout Placer) -> Bool? {
    guard call.pointee.form.encoding == .readAt, placer.leavesRead(call) else { return nil }
    let descriptor = call.pointee.arguments.descriptor(0)
    let known = call.pointee.operation.pointee.knowledge
    let fact = descriptors.fact(descriptor, known.states)
    return fact.isOne(of: known.kinds) && fact.states.isDisjoint(with: known.states) && fact.isOfStream == isOfStream
  }

  /// What a segment that has been gathered from steps rests on; nil if it cannot be issued again.
  mutating func grounds() -> PlannedSegment.Grounds? {
    // What is said of a descriptor that the segment opens is not known before.
    guard !segment.hasOpens else { return nil }
    // It may be longer another time.
    if segment.cut == .limit, segment.count < segment.capacity { return nil }
    if let after = segment.after?.step, after.pointee.reading == .call {
      // What its descriptor named, what such calls had cost or what stood behind a pointer may have decided that it ends here.
      if case .placement(let placement) = segment.cut {
        guard case .inline = placement, !after.pointee.call.traits.contains(.asksServer) else { return nil }
      }
      switch segment.cut {
      case .placement, .hazard, .unreadable: guard after.pointee.isSettled else { return nil }
      default: break
      }
    }
    for position in 0..<segment.count where !segment.call(position).pointee.atom.step.pointee.canBePlanned { return nil }
    var grounds = PlannedSegment.Grounds()
    let scratch = CallScratch()
    for position in 0..<segment.count {
      let step = segment.call(position).pointee.atom.step
      let form = step.pointee.call.form
      if !form.nature.isDisjoint(with: [.conditional, .names, .transfer]) {
        let (fetch, call) = memory.fetch(segment.call(position).pointee.atom, .prepared, orInto: scratch.call)
        guard fetch == .call else { return nil }
        let isStream = form.isTransfer && isOfStream(call)
        grounds.conditions.append(PlannedSegment.Condition(position: UInt32(position), isOfStream: isStream))
      }
      for index in [0, 3] where step.pointee.pointers & (1 << UInt8(index)) != 0 {
        grounds.patches.append(
          PlannedSegment.Patch(
            pointer: step.pointee.call.pointers[index], position: UInt32(position), argument: UInt8(index), isClose: form.encoding == .close
          ))
      }
    }
    // Whether one closes what a later one names is decided by the descriptors that they had.
    let closes = (0..<segment.count - 1).contains { segment.call($0).pointee.encoding == .close }
    return closes && !grounds.patches.isEmpty ? nil : grounds
  }
}

extension PlannedSegment {
  /// What a segment rests on, and what of it is filled in each time.
  struct Grounds {
    var conditions: [Condition] = []
    var patches: [Patch] = []
  }
}

extension Step {
  /// Whether the SQE of its call follows from it, and from nothing behind pointers but what is filled in.
  var canBePlanned: Bool {
    reading == .call && !call.form.encoding.encodesMemory && pointers & ~call.form.encoding.patchableArguments == 0
  }
}

extension Encoding {
  /// Whether the SQE, or whether there is one, follows from what stands behind an argument too.
  var encodesMemory: Bool {
    switch self {
    case .openAt2, .poll, .nanosleep, .clockNanosleep, .accept, .accept4: true
    default: false
    }
  }

  /// Bit N set: argument N stands in the SQE as it is (the first in `fd`, the fourth in `off`), and has no part in what the call's links are or which memory
  /// it uses. Of other arguments the rest of the SQE may depend.
  var patchableArguments: UInt8 {
    switch self {
    case .readAt, .writeAt, .readVectorAt, .writeVectorAt: 0b1001
    case .read, .readVector, .write, .writeVector, .fsync, .fdatasync, .ftruncate, .fallocate, .close, .sendTo, .receiveFrom, .sendMessage,
      .receiveMessage, .shutdown:
      0b0001
    default: 0
    }
  }
}
