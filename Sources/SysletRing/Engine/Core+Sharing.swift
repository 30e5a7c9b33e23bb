// Plain calls of many runs on `automatic`: the owner and workers take from one queue, until nothing is left.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  /// Puts a run aside that will be shared, or is a worker's; false if it is better executed at once.
  mutating func collect(_ run: Reference<Run>, _ call: Reference<Call>, costing row: UInt16, isTimed: Bool = true) -> Bool {
    guard !owner.timing.hasBegun else { return false }
    switch placer.share(call, costing: row) {
    case .here:
      // Timed all the same, now and then.
      if isTimed, placer.turn.runs >= 4, activations.accepted & 63 == 0 { owner.beginTiming(row) }
      return false
    case .worker:
      placer.counts.handOvers += 1
      _ = handOver(run, call, timedAs: isTimed ? row : Run.untimed)
    case .shared:
      run.pointee.onWorker.row = isTimed ? row : Run.untimed
      run.pointee.place = .worker
      workers.shared.append(run, in: activations.runs)
    }
    return true
  }

  /// Puts a run aside that begins with a long line of no-ops. Where an enter pays only from 8 calls at a time on, system calls on two processors take
  /// less than requests on one: 32 such lines of 32, 3.2 µs each instead of 3.9. Not timed: what the owner does with a line is not what workers do.
  mutating func collectLine(_ run: Reference<Run>, _ call: Reference<Call>) -> Bool {
    guard placer.turn.ringCallsMin >= 8, !run.pointee.isSynchronous, !call.pointee.flags.contains(.sync),
      memory.hasIdleCalls(PlainCosts.sharedLineMin - 1, behind: call)
    else { return false }
    return collect(run, call, costing: call.pointee.row, isTimed: false)
  }

  /// Offers what was put aside to the workers. The owner takes of it too, in `help`, while it would wait otherwise.
  mutating func share() {
    placer.sharing.isCollecting = false
    guard !workers.shared.isEmpty else { return }
    guard (try? ensureThreads()) != nil, let pool = workers.pool else { return executeShared() }
    // Devices work while this thread does.
    if let ring = inRing.ring, ring.queued > 0 { _ = enter(waitFor: 0, nanoseconds: nil) }
    workers.count += workers.shared.count
    let count = workers.shared.count
    placer.sharing.noteOffer(count)
    // What computes wants no more threads than there are processors.
    guard pool.share(&workers.shared, sharersMax: Self.processors - 1) < 0 else {
      placer.counts.sharedRuns += count
      return
    }
    // There is no thread at all, and this one can do without.
    help(until: .max, nil)
    // A place that does not give back what was offered has it still.
    if workers.count > 0 { workers.isStalled = true }
  }

  /// Takes back and executes what was offered and nobody has begun, until `count` completions are visible or the deadline has passed. The workers do
  /// what is left then while the program is at its completions. Some are taken back in any case, because the workers may be busy for good.
  mutating func help(until count: Int, _ deadline: Int64?) {
    guard placer.sharing.isOffering, let pool = workers.pool else { return }
    repeat {
      var portion = pool.reclaim(placer.sharing.reclaimCount)
      guard !portion.isEmpty else {
        placer.sharing.endOffer()
        return
      }
      placer.sharing.noteOwn(portion.count)
      workers.count -= portion.count
      while let run = portion.popFirst(in: activations.runs) {
        if run.pointee.isCancelled.load(ordering: .relaxed) { workers.stopping.leave() }
        executeHere(run)
      }
      drain()
    } while activations.delivery.visible() < count && deadline.map { syslet_now() < $0 } ?? true
  }

  /// The caller will not wait, so nobody helps beside workers that block in a run: all of the others may take what is shared.
  mutating func leaveShared() {
    guard placer.sharing.isOffering, let pool = workers.pool else { return }
    // Work was left, so there was a thread: the answer says nothing new.
    _ = pool.share(&workers.shared, sharersMax: options.maxWorkers)
  }

  private mutating func executeShared() {
    while let run = workers.shared.popFirst(in: activations.runs) { executeHere(run) }
  }

  private mutating func executeHere(_ run: Reference<Run>) {
    placer.isHelping = true
    defer { placer.isHelping = false }
    if run.pointee.onWorker.row != Run.untimed { owner.beginTiming(run.pointee.onWorker.row) }
    advanceHere(run)
    owner.endTiming(placer)
  }

  private static let processors = max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
}
