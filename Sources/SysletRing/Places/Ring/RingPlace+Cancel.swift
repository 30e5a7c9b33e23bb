// How what the ring has is ended before its time.

internal import CLiburing
internal import Synchronization

extension RingPlace {
  /// Asks the kernel to cancel what cancelled runs have in it. Only the call of a chain that is running can be found, the first that has not
  /// been answered, so this is repeated as the chain goes on. Never while CQEs are being taken: it may enter.
  ///
  /// False if the kernel takes nothing now, and some have not been asked for: nobody may sleep before they are.
  @discardableResult
  mutating func cancelDue() -> Bool {
    guard stopping.count > 0, stopping.isDue else { return true }
    for slot in stopping.slots(on: .ring, in: runMemory) where runMemory[slot].pointee.isStopping(on: .ring) {
      guard cancelOnRing(runMemory[slot]) else { return false }
    }
    return true
  }

  private mutating func cancelOnRing(_ run: Reference<Run>) -> Bool {
    unfold(run)
    var index = run.pointee.inRing.firstRecord
    var position = run.pointee.inRing.callsAdvanced
    while index != CallSlab.end, !records[index].pointee.isOut {
      index = records[index].pointee.next
      position &+= 1
    }
    guard index != CallSlab.end, run.pointee.inRing.cancelledRecord != index else { return true }
    // A hard link lets the next call run even behind a cancelled one. What is linked so does not wait, and ends by itself.
    guard records[index].pointee.call.pointee.link != .hard else { return true }
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(SYSLET_OP_ASYNC_CANCEL)
    sqe.fd = -1
    sqe.addr =
      run.pointee.inRing.flight != nil
      ? UserData.flight(run.pointee.slot, run.pointee.inRing.flights)
        | UserData.position(Int(position), of: records[index].pointee.call)
      : UserData.call(index, records[index].pointee.generation)
    sqe.user_data = UserData.cancellation | UInt64(run.pointee.slot)
    guard issueAuxiliary(&sqe) else { return false }
    run.pointee.inRing.cancelledRecord = index
    cancellations += 1
    return true
  }
}
