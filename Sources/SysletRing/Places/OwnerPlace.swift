// The owner's thread as a place: calls are made where they are met, those that `automatic` makes plainly without waiting for another party.

internal import CLiburing
internal import Glibc

/// The owner's.
struct OwnerPlace {
  /// What the run has opened just now.
  var opened = OpenedFile()
  /// How long its plain calls take.
  private(set) var timing = PlainTiming()
  /// Calls made here.
  private(set) var calls = 0
  /// Tries of calls that may wait.
  private(set) var tries = 0

  @inline(__always)
  mutating func noteCall() { calls &+= 1 }
  mutating func noteTry() { tries &+= 1 }

  // MARK: Making plain calls

  /// Makes a plain call; nil where it would have to wait.
  ///
  /// - Parameter row: What it costs counts as a call of this row.
  mutating func make(
    _ run: Reference<Run>, _ call: Reference<Call>, _ reason: Placement.PlainReason, timedAs row: UInt16, _ placer: inout Placer,
    _ descriptors: inout DescriptorFacts
  ) -> Int? {
    beginTiming(row)
    let result = Interpreter.makeWithoutWaiting(call, reason)
    switch reason {
    case .lookUp, .creation:
      guard let result, result >= 0 else { break }
      let flags = call.pointee.form.openArguments(call.pointee.arguments).flags
      return noteOpened(run, call, result, flags, isLookUp: reason == .lookUp, &placer, &descriptors) ? result : nil
    case .close:
      let descriptor = call.pointee.arguments.descriptor(0)
      opened.forget(descriptor)
      descriptors.forget(descriptor)
      placer.hints.note(descriptor, .unknown)
    case .punted:
      if let result, opened.mayBeFIFO, opened.isStatus(call), opened.isFIFO(after: call, result) { return nil }
    case .few, .buffered, .cached, .device, .memory:
      break
    }
    return result
  }

  /// Takes in what a plain call has opened; false if that is a FIFO, whose open should have waited.
  @inline(__always)
  private mutating func noteOpened(
    _ run: Reference<Run>, _ call: Reference<Call>, _ result: Int, _ flags: Int32, isLookUp: Bool, _ placer: inout Placer,
    _ descriptors: inout DescriptorFacts
  ) -> Bool {
    let number = Int32(truncatingIfNeeded: result)
    opened.begin(number, flags, mayBeFIFO: isLookUp && OpenFlags.mayHaveToWait(UInt32(bitPattern: flags)))
    descriptors.forget(number)
    let isDirect = flags & Int32(SYSLET_O_DIRECT) != 0
    if opened.mayBeFIFO {
      // What comes next mostly reads, and finds out by that. Otherwise it has to be looked at now.
      opened.remember(run, call)
      if call.pointee.next == nil || call.pointee.flags.stops(on: result) || isDirect, opened.lookForFIFO() {
        opened.hold(run)
        return false
      }
    }
    // What is read of it belongs to the same short way. Without O_DIRECT it is a file like most, or the read will say that it waits.
    placer.prefersPlain = true
    // What will be written to is asked for what it is: in memory that is another way.
    let isRead = flags & O_ACCMODE == O_RDONLY && !isDirect
    placer.hints.note(number, isRead ? .buffered : .unknown)
    if isDirect { opened.settle() }
    return true
  }

  /// Reads what is probably in memory; nil where that would have to wait.
  @inline(__always)
  mutating func read(_ call: Reference<Call>, _ placer: inout Placer) -> Int? {
    let isTimed = placer.reads.wantsTimed(isLone: placer.turn.runs == 1)
    let ticks = isTimed ? syslet_ticks() : 0
    let result: Int?
    if opened.isThere, call.pointee.form.encoding == .read, call.pointee.arguments.descriptor(0) == opened.descriptor {
      guard let isRead = opened.read(call) else {
        if opened.isFIFO { return nil }
        return readAgain(call, &placer)
      }
      result = isRead == -Int(EAGAIN) ? nil : isRead
    } else {
      result = Interpreter.readWithoutWaiting(call, isNonblocking: false)
      if opened.mayBeFIFO {
        // A pipe takes no offset.
        if result == -Int(ESPIPE), opened.lookForFIFO() { return nil }
        opened.noteFile()
      }
    }
    let isSlow = result == nil || isTimed && syslet_ticks() &- ticks > placer.reads.ticksMax
    if isSlow || placer.reads.areSlow, placer.noteRead(call.pointee.arguments.descriptor(0), isSlow: isSlow) { opened.settle() }
    return result
  }

  /// What was opened just now is settled. (`read` is inlined, and cannot call itself.)
  private mutating func readAgain(_ call: Reference<Call>, _ placer: inout Placer) -> Int? { read(call, &placer) }

  /// Whether what was opened just now is a FIFO, before `call` is made, which will not find out by itself.
  @inline(__always)
  mutating func isUnsettledFIFO(before call: Reference<Call>, mayMake: Bool, _ placer: borrowing Placer) -> Bool {
    opened.mayBeFIFO && !(mayMake && asksHere(call, placer)) && opened.lookForFIFO()
  }

  /// Whether `call` finds out what was opened just now, and will surely be made here, by `read` or `make`.
  @inline(never)  // Within the loop it cost other calls an instruction each.
  private func asksHere(_ call: Reference<Call>, _ placer: borrowing Placer) -> Bool {
    guard call.pointee.arguments.descriptor(0) == opened.descriptor, opened.descriptor < DescriptorHints.capacity, placer.isAllowed,
      placer.costs[call.pointee.row] <= placer.turn.nanosecondsMax, !call.pointee.flags.contains(.sync)
    else { return false }
    let arguments = call.pointee.arguments
    switch call.pointee.form.encoding {
    case .read: return arguments[2] <= OperationForm.transferMax
    case .readAt: return arguments[2] <= OperationForm.transferMax && Int64(bitPattern: arguments[3]) >= 0
    case .statx: return opened.isStatus(call)
    default: return false
    }
  }

  // MARK: What they take

  /// What the run takes from here on counts as a call of `row`.
  @inline(__always)
  mutating func beginTiming(_ row: UInt16) {
    if !timing.hasBegun { timing.begin(row, callsBefore: calls) }
  }

  /// The run has left, or has ended: what it took is what the next one of its kind is expected to take.
  @inline(__always)
  mutating func endTiming(_ placer: borrowing Placer) {
    if timing.hasBegun { noteCost(placer) }
  }

  @inline(never)
  private mutating func noteCost(_ placer: borrowing Placer) {
    placer.noteCost(timing.row, timing.end(), calls: calls - timing.callsBefore)
  }
}
