// Calls that may wait are tried here, and their runs parked with the poller if they would.

internal import Synchronization

extension Core {
  /// Tries a call that may wait, and parks its run if it would; nil when it is parked, has become a worker's, or has to wait for its turn.
  mutating func makeHere(_ run: Reference<Run>, _ call: Reference<Call>, mayRunInline: Bool, _ turns: inout Int) -> Int? {
    if !run.pointee.isSynchronous {
      guard mayRunInline, turns > 0 else {
        _ = queue(run)
        return nil
      }
      turns -= 1
    }
    // It is not one of the plain calls whose time is taken.
    owner.endTiming(placer)
    owner.noteTry()
    return poller.makeOrPark(run, call, isTrusted: !options.isChecked)
  }

  /// Goes on with a call that has been reached before: one that the poller has had, which is tried again, or one that is a worker's. nil when it has
  /// been made, and there is another atom.
  mutating func resume(_ run: Reference<Run>, _ call: Reference<Call>) -> Turn? {
    if run.pointee.isCancelled.load(ordering: .relaxed) { return .finished(poller.stop(run, memory)) }
    if run.pointee.reached.parked == RunSlab.end {
      if case .finish(let reason)? = memory.fetch(run, into: call) { return .finished(reason) }
      return handOver(run, call)
    }
    poller.reload(run, into: call, memory.table)
    guard let result = poller.makeOrPark(run, call, isTrusted: !options.isChecked) else { return leaveForPoller(run, call) }
    return advance(run, call, by: result)
  }

  /// The run has left for the poller, or, because its call cannot be polled, for a worker.
  mutating func leaveForPoller(_ run: Reference<Run>, _ call: Reference<Call>) -> Turn {
    run.pointee.reached.isThere && run.pointee.reached.parked == RunSlab.end ? handOver(run, call) : .left
  }
}
