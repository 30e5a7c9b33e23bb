// How runs get into the ring: their segments' SQEs, and what is kept of each call until the kernel has answered.

internal import CLiburing
internal import Glibc

extension RingPlace {
  /// Whether there is room for a segment of so many calls.
  @inline(__always)
  func hasRoom(_ ring: Ring, for count: Int) -> Bool { ring.room >= count && records.freeCount >= count }

  /// Takes one call behind which nothing can follow, whose SQE is staged: most syslets are one call, or end with one, and need no segment.
  @inline(__always)
  mutating func issueAlone(_ run: Reference<Run>, _ call: Reference<Call>, _ sqe: Reference<syslet_sqe>, on ring: Ring) {
    if StagedCall.canBeLone(call.pointee.flags, call.pointee.form.nature, call.pointee.form.encoding) {
      let staged = loneCall(run)
      staged.pointee = StagedCall(call)
      staged.pointee.isLone = true
      return beginLone(run, staged, sqe, UserData.position(0, of: staged), on: ring)
    }
    let (index, staged) = records.takeStaging()
    let record = records[index]
    staged.pointee = StagedCall(call)
    if staged.pointee.nature.contains(.waits) { waits &+= 1 }
    record.pointee.runSlot = run.pointee.slot
    sqe.pointee.user_data = UserData.call(index, record.pointee.generation)
    run.pointee.inRing.firstRecord = index
    leave(run, on: ring, calls: 1, after: nil, isFinal: true)
  }

  /// Takes the gathered segment as one submission (law L2).
  @inline(__always)
  mutating func issue(_ run: Reference<Run>, _ segment: borrowing Segment, on ring: Ring) {
    let count = segment.count
    var previous = CallSlab.end
    for position in 0..<count {
      let (index, staged) = records.takeStaging()
      let record = records[index]
      staged.pointee = segment.call(position).pointee
      record.pointee.runSlot = run.pointee.slot
      segment.sqes[position].pointee.user_data = UserData.call(index, record.pointee.generation)
      if previous == CallSlab.end { run.pointee.inRing.firstRecord = index } else { records[previous].pointee.next = index }
      previous = index
    }
    if segment.hasWaits { noteWaits(run, count) }
    counts.softLinks &+= segment.softLinks
    counts.hardLinks &+= segment.hardLinks
    let after = segment.after
    leave(run, on: ring, calls: count, after: after, isFinal: after == nil && segment.isExact)
  }

  /// Counts the calls of a segment just issued that wait. What stands behind one ends no sooner.
  private mutating func noteWaits(_ run: Reference<Run>, _ count: Int) {
    var isBehind = false
    var index = run.pointee.inRing.firstRecord
    for _ in 0..<count {
      let record = records[index]
      if record.pointee.call.pointee.nature.contains(.waits) { isBehind = true }
      if isBehind {
        record.pointee.call.pointee.nature.insert(.waits)
        waits &+= 1
      }
      index = record.pointee.next
    }
  }

  /// Takes a lone call that was translated before (`PlannedSegment.isReady`).
  @inline(__always)
  mutating func issueLone(_ run: Reference<Run>, _ planned: Reference<PlannedSegment>, on ring: Ring) {
    let (slots, template) = (ring.slots, planned.pointee.sqe(0))
    slots[0].pointee = template.pointee
    beginLone(run, planned.pointee.call(0), slots[0], template.pointee.user_data, on: ring)
  }

  /// A lone call's SQE has been filled, but for what says whose it is: the flight's word and `position`.
  @inline(__always)
  private mutating func beginLone(
    _ run: Reference<Run>, _ call: Reference<StagedCall>, _ sqe: Reference<syslet_sqe>, _ position: UInt64, on ring: Ring
  ) {
    run.pointee.inRing.flights &+= 1
    let word = UserData.flight(run.pointee.slot, run.pointee.inRing.flights) | position
    sqe.pointee.user_data = word
    records.reserve(1)
    run.pointee.inRing.awaited = UserData.quieted(word)
    leave(run, on: ring, calls: 1, after: nil, isFinal: true, flight: call)
  }

  /// Takes a segment that was translated before, whose patches have been loaded.
  @inline(__always)
  mutating func issue(_ run: Reference<Run>, _ planned: Reference<PlannedSegment>, on ring: Ring) {
    let isFlight = planned.pointee.isFlight
    if isFlight { beginFlight(run, planned, ring.slots) } else { issueRecorded(run, planned, ring.slots) }
    waits &+= planned.pointee.waits
    counts.softLinks &+= planned.pointee.softLinks
    counts.hardLinks &+= planned.pointee.hardLinks
    let after = planned.pointee.after
    leave(
      run, on: ring, calls: planned.pointee.count, after: after, isFinal: after == nil && planned.pointee.isExact,
      flight: isFlight ? planned.pointee.call(0) : nil)
  }

  /// Fills the SQEs of a segment that needs no records while all goes well (docs/decisions/0002).
  @inline(__always)
  private mutating func beginFlight(_ run: Reference<Run>, _ planned: Reference<PlannedSegment>, _ slots: SQESlots) {
    // Copied, because what is filled might be it, as far as Swift knows: it loaded these anew for each call.
    let (count, template) = (planned.pointee.count, planned.pointee.sqe(0))
    run.pointee.inRing.flights &+= 1
    let word = UserData.flight(run.pointee.slot, run.pointee.inRing.flights)
    func fill(_ position: Int) {
      let slot = slots[position]
      slot.pointee = template.following(position).pointee
      slot.pointee.user_data = template.following(position).pointee.user_data | word
    }
    // The first by itself: as the loop's only round it took 15 instructions more.
    fill(0)
    var position = 1
    while position < count {
      fill(position)
      position &+= 1
    }
    if planned.pointee.patchCount > 0 { planned.pointee.fillIn(slots) }
    records.reserve(count)
    run.pointee.inRing.awaited = UserData.quieted(template.pointee.user_data | word)
  }

  /// The same with a record for each.
  @inline(never)
  private mutating func issueRecorded(_ run: Reference<Run>, _ planned: Reference<PlannedSegment>, _ slots: SQESlots) {
    var previous = CallSlab.end
    for position in 0..<planned.pointee.count {
      let index = records.take()
      let record = records[index]
      record.pointee.call = planned.pointee.call(position)
      record.pointee.runSlot = run.pointee.slot
      slots[position].pointee = planned.pointee.sqe(position).pointee
      slots[position].pointee.user_data = UserData.call(index, record.pointee.generation)
      if previous == CallSlab.end { run.pointee.inRing.firstRecord = index } else { records[previous].pointee.next = index }
      previous = index
    }
    guard planned.pointee.patchCount > 0 else { return }
    planned.pointee.fillIn(slots)
    for index in 0..<planned.pointee.patchCount where planned.pointee.patch(index).isClose {
      let patch = planned.pointee.patch(index)
      var record = run.pointee.inRing.firstRecord
      for _ in 0..<patch.position { record = records[record].pointee.next }
      records.stage(record, planned.pointee.call(Int(patch.position)), firstArgument: patch.value)
    }
  }

  @inline(__always)
  private mutating func leave(
    _ run: Reference<Run>, on ring: Ring, calls count: Int, after: AtomAddress?, isFinal: Bool, flight: Reference<StagedCall>? = nil
  ) {
    ring.issue(count)
    run.pointee.isSynchronous = false
    run.pointee.place = .ring
    run.pointee.inRing.callsOut = UInt32(truncatingIfNeeded: count)
    run.pointee.inRing.callCount = UInt32(truncatingIfNeeded: count)
    run.pointee.inRing.flight = flight
    run.pointee.inRing.after = after
    run.pointee.inRing.isFinal = isFinal
    run.pointee.inRing.cancelledRecord = CallSlab.end
    if !isFinal { openSegments &+= 1 }
    if count > segmentCallsMax || runs == 0 { segmentCallsMax = count }
    run.pointee.inRing.isSingleStep = false
    runs &+= 1
    counts.sqes &+= count
    counts.segments &+= 1
  }
}
