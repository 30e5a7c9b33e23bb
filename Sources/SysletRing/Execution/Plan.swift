// What an engine has translated of a prepared syslet, kept: its segments are issued again as they are, as long as what they rest on holds.
//
// Unsafe fence: a plan's memory is the table's. It names the steps of a syslet, which are there while the plan has an activation; without one it is only
// thrown away. A run has its plan's number from `PlanTable.begin` to `end`, and its segment's staged calls stay until then.

internal import CLiburing
internal import Glibc
internal import Synchronization

/// A segment that was translated once. It can be issued again as it is if nothing of it depends on memory, and its `conditions` hold.
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
  /// When all succeed, only the last one's result is looked at: no other is stored or stops the syslet, and each is the system call's own.
  let isCalm: Bool
  /// Where what has been decided depends on what a descriptor names, or on rights.
  private let conditions: UnsafePointer<Condition>
  let conditionCount: Int

  struct Condition {
    let position: UInt32
    /// Its link was chosen for what may wait: no file.
    let isOfStream: Bool
  }

  func call(_ position: Int) -> Reference<StagedCall> { unsafe Reference(calls + position) }
  func condition(_ index: Int) -> Condition { unsafe conditions[index] }

  /// Puts the SQE of a call into a slot.
  @inline(__always)
  func copy(_ position: Int, to slot: Reference<syslet_sqe>) { slot.pointee = unsafe sqes[position] }

  /// A copy of what `segment` has, in one block of memory that begins with it.
  fileprivate static func make(_ segment: borrowing Segment, conditions: [Condition]) -> UnsafeMutablePointer<PlannedSegment> {
    let count = segment.count
    let sqesOffset = (MemoryLayout<PlannedSegment>.size + 63) & ~63
    let callsOffset = sqesOffset + count * MemoryLayout<syslet_sqe>.stride
    let conditionsOffset = callsOffset + count * MemoryLayout<StagedCall>.stride
    let size = conditionsOffset + conditions.count * MemoryLayout<Condition>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    let sqes = unsafe (memory + sqesOffset).bindMemory(to: syslet_sqe.self, capacity: count)
    let calls = unsafe (memory + callsOffset).bindMemory(to: StagedCall.self, capacity: count)
    let copies = unsafe (memory + conditionsOffset).bindMemory(to: Condition.self, capacity: conditions.count)
    var waits = 0
    var isCalm = true
    for position in 0..<count {
      unsafe (sqes + position).initialize(to: segment.sqes[position].pointee)
      var call = segment.call(position).pointee
      // What stands behind one that waits ends no sooner.
      if waits > 0 { call.nature.insert(.waits) }
      if call.nature.contains(.waits) { waits += 1 }
      if call.nature.contains(.open) || call.encoding == .poll { isCalm = false }
      if position < count - 1, call.result != 0 || !call.flags.stopClasses.isSubset(of: .negative) { isCalm = false }
      unsafe (calls + position).initialize(to: call)
    }
    for (index, condition) in conditions.enumerated() { unsafe (copies + index).initialize(to: condition) }
    let planned = unsafe memory.bindMemory(to: PlannedSegment.self, capacity: 1)
    unsafe planned.initialize(
      to: PlannedSegment(
        count: count, sqes: sqes, calls: calls, after: segment.after, isExact: segment.isExact, softLinks: segment.softLinks,
        hardLinks: segment.hardLinks, waits: waits, isCalm: isCalm, conditions: copies, conditionCount: conditions.count))
    return unsafe planned
  }
}

/// The plans of the prepared syslets that an engine has run lately, in slots by the syslets' numbers: two syslets that have the same slot take it from each
/// other, unless one is running. Then the other one has no plan.
@safe struct PlanTable: ~Copyable {
  /// The number of no plan.
  static let none = UInt8.max
  private static let capacity = 64
  /// Of longer syslets nothing is kept, and of others as many calls as they have steps, twice: a segment may begin at each step.
  private static let stepsMax = 1024

  @safe private struct Plan {
    /// The syslet's number; 0 for none.
    var syslet: UInt64 = 0
    var activations = 0
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

  private static func clear(_ plan: UnsafeMutablePointer<Plan>) {
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
    guard unsafe plan.pointee.syslet == syslet, unsafe plan.pointee.activations > 0 else { return beginFirst(head, number) }
    unsafe plan.pointee.activations &+= 1
    return number
  }

  @inline(never)
  private func beginFirst(_ head: AtomAddress, _ number: UInt8) -> UInt8 {
    head.keep()
    let syslet = head.step.pointee.syslet
    let plan = unsafe plans + Int(number)
    if unsafe plan.pointee.syslet != syslet {
      guard unsafe plan.pointee.activations == 0 else { return Self.none }
      unsafe Self.clear(plan)
      unsafe plan.pointee.syslet = syslet
      unsafe plan.pointee.steps = head.step.pointee.count
      unsafe plan.pointee.callsLeft = 2 * plan.pointee.steps
    }
    unsafe plan.pointee.activations += 1
    return number
  }

  /// It ends.
  @inline(__always)
  func end(_ number: UInt8, _ head: AtomAddress) {
    guard number != Self.none else { return head.letGo() }
    let plan = unsafe plans + Int(number)
    unsafe plan.pointee.activations &-= 1
    if unsafe plan.pointee.activations == 0 { head.letGo() }
  }

  /// The segment that begins at `step`, if it has been translated.
  @inline(__always)
  func segment(_ number: UInt8, _ step: Reference<Step>) -> Reference<PlannedSegment>? {
    guard number != Self.none, let segments = unsafe plans[Int(number)].segments else { return nil }
    return unsafe segments[step.pointee.number].map { unsafe Reference($0) }
  }

  /// Keeps what has been translated from `step` on; false where there is no room, or a segment already.
  func keep(_ segment: borrowing Segment, _ conditions: [PlannedSegment.Condition], _ number: UInt8, _ step: Reference<Step>) -> Bool {
    guard number != Self.none else { return false }
    let plan = unsafe plans + Int(number)
    guard unsafe plan.pointee.steps <= Self.stepsMax, unsafe plan.pointee.callsLeft >= segment.count else { return false }
    if unsafe plan.pointee.segments == nil {
      unsafe plan.pointee.segments = .allocate(capacity: plan.pointee.steps)
      unsafe plan.pointee.segments!.initialize(repeating: nil, count: plan.pointee.steps)
    }
    // It was not used because of its length, or of a condition that was otherwise: there is one.
    guard unsafe plan.pointee.segments![step.pointee.number] == nil else { return false }
    unsafe plan.pointee.callsLeft -= segment.count
    unsafe plan.pointee.segments![step.pointee.number] = PlannedSegment.make(segment, conditions: conditions)
    return true
  }
}

extension Translator {
  /// Whether what was decided about the calls of a planned segment would be decided again. What its SQEs say follows from the steps alone.
  mutating func holds(_ segment: Reference<PlannedSegment>) -> Bool {
    // As `gather` does: what is on its way to the ring takes the calls behind it along.
    let preferredPlain = prefersPlain
    defer { prefersPlain = preferredPlain }
    for index in 0..<segment.pointee.conditionCount {
      let condition = segment.pointee.condition(index)
      let call = segment.pointee.call(Int(condition.position)).pointee.atom.stepCall
      if condition.position > 0 { prefersPlain = false }
      guard placeHere(call) == nil, isForRing(call), isOfStream(call) == condition.isOfStream || !call.pointee.form.isTransfer else {
        return false
      }
    }
    return true
  }

  /// What a segment that has been gathered from steps rests on; nil if it cannot be issued again as it is.
  mutating func conditions() -> [PlannedSegment.Condition]? {
    var conditions: [PlannedSegment.Condition] = []
    // What is said of a descriptor that the segment opens is not known before.
    guard !segment.hasOpens else { return nil }
    // It may be longer another time.
    switch segment.cut {
    case .limit: guard segment.count == segment.capacity else { return nil }
    case .placement(let placement):
      // What its descriptor named, or what such calls had cost, may have decided.
      guard case .inline = placement else { return nil }
    default: break
    }
    for position in 0..<segment.count {
      let step = segment.call(position).pointee.atom.step
      guard step.pointee.isSettled, !step.pointee.call.form.encoding.encodesMemory else { return nil }
    }
    for position in 0..<segment.count {
      let call = segment.call(position).pointee.atom.stepCall
      let nature = call.pointee.form.nature
      guard !nature.isDisjoint(with: [.conditional, .names, .transfer]) else { continue }
      conditions.append(
        PlannedSegment.Condition(position: UInt32(position), isOfStream: call.pointee.form.isTransfer && isOfStream(call)))
    }
    return conditions
  }
}
