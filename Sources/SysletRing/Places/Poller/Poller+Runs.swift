// How runs get to the poller and back: their calls are tried, parked, and tried again.

internal import CLiburing
internal import Glibc

extension Poller {
  /// Makes the call if it need not wait, and gives its result; nil: the run is parked, or a worker's.
  ///
  /// - Parameter isTrusted: The atom may be read again, for the time-out that it points to.
  mutating func makeOrPark(_ run: Reference<Run>, _ call: Reference<Call>, isTrusted: Bool) -> Int? {
    var waiting = Waiting(call)
    var number = run.pointee.reached.parked
    if number != RunSlab.end {
      let record = self[number]
      waiting.moved = record.pointee.moved
      waiting.deadline = record.pointee.wait.deadline
      waiting.isExpired = record.pointee.isExpired
      waiting.hasWaited = true
    } else if isTrusted, !call.pointee.isPrepared {
      waiting.readAtom = call.pointee.atom.word
    }
    // Found out now, and not when a part has been made, with which a worker could not go on.
    if number == RunSlab.end, !call.pointee.form.isSleep, open() != 0 { return giveUpPolling(run, 0) }
    switch waiting.attempt() {
    case .made(let result):
      unparkForGood(run)
      return result
    case .worker:
      return giveUpPolling(run, waiting.moved)
    case .waits(var wait):
      if number == RunSlab.end {
        number = take(run.pointee.slot, ParkedCall(call))
        run.pointee.reached.parked = number
        run.pointee.reached.isThere = true
      } else if self[number].pointee.moved == waiting.moved {
        // It is said to be ready, and is not, again and again: others may be faster each time. A thread that waits in the call knows better, but
        // could not go on with a part.
        if self[number].pointee.vainWakes == Self.vainWakesMax {
          guard waiting.moved > 0, wait.descriptor >= 0 else { return giveUpPolling(run, waiting.moved) }
          wait.isLookedAt = true
          wait.isMuted = true
        } else if !self[number].pointee.isLook {
          // Written out, because Swift 6.3.1 crashes on `+=` here when it compiles for the thread sanitizer.
          self[number].pointee.vainWakes = self[number].pointee.vainWakes + 1
        }
      } else {
        self[number].pointee.vainWakes = 0
      }
      self[number].pointee.moved = waiting.moved
      // A file that is always ready, no descriptor at all, or no epoll to be had.
      guard park(number, wait, now: syslet_now()) == 0 else { return giveUpPolling(run, waiting.moved) }
      parkings &+= 1
      run.pointee.isSynchronous = false
      run.pointee.place = .poller
      return nil
    }
  }

  /// A worker makes the call, unless a part of it has been made.
  private mutating func giveUpPolling(_ run: Reference<Run>, _ moved: UInt64) -> Int? {
    unparkForGood(run)
    if moved > 0 { return Int(moved) }
    run.pointee.reached.isThere = true
    return nil
  }

  /// The call that a run was parked with, as it was reached, into `call`.
  func reload(_ run: Reference<Run>, into call: Reference<Call>, _ table: OperationTable) {
    let parked = self[run.pointee.reached.parked].pointee.call
    let operation = table[parked.row]
    call.pointee.operation = operation
    call.pointee.traits = operation.pointee.traits
    call.pointee.form = operation.pointee.form
    call.pointee.hasMemory = operation.pointee.hasMemory
    call.pointee.row = parked.row
    call.pointee.number = parked.number
    call.pointee.arguments = parked.arguments
    call.pointee.flags = parked.flags
    call.pointee.atom = parked.atom
    call.pointee.result = parked.result
    call.pointee.next = parked.next
    call.pointee.hasPointers = false
    call.pointee.isPrepared = run.pointee.layout == .prepared
  }

  mutating func unparkForGood(_ run: Reference<Run>) {
    guard run.pointee.reached.parked != RunSlab.end else { return }
    unpark(run.pointee.reached.parked)
    release(run.pointee.reached.parked)
    run.pointee.reached.parked = RunSlab.end
    run.pointee.reached.isThere = false
  }

  /// Ends the waiting of a run that was asked to stop. What its call has moved is the call's result, as it is of one that a signal interrupts.
  mutating func stop(_ run: Reference<Run>, _ memory: AtomMemory) -> Completion.Reason {
    guard run.pointee.reached.parked != RunSlab.end else { return .cancelled }
    let record = self[run.pointee.reached.parked]
    let (call, moved) = (record.pointee.call, record.pointee.moved)
    unparkForGood(run)
    guard moved > 0 else { return .cancelled }
    let tested = memory.store(Int(moved), call.result)
    guard case .finish(let reason) = run.pointee.advance(call.atom, call.flags, call.next, result: tested) else { return .cancelled }
    return reason
  }

  /// Gives back the runs that are woken, after up to so many nanoseconds; below 0 without a limit. False when a signal came.
  @discardableResult
  mutating func reap(nanoseconds: Int64, _ activations: inout Activations) -> Bool {
    var woken = RunQueue()
    let isWell = reap(nanoseconds: nanoseconds, into: &woken, in: activations.runs)
    while let run = woken.popFirst(in: activations.runs) { activations.queue(run) }
    return isWell
  }
}

extension ParkedCall {
  fileprivate init(_ call: Reference<Call>) {
    self.init(
      atom: call.pointee.atom, arguments: call.pointee.arguments, number: call.pointee.number, row: call.pointee.row,
      flags: call.pointee.flags,
      result: call.pointee.result, next: call.pointee.next)
  }
}
