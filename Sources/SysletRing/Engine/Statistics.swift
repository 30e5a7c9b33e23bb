// The engine's own counts: the proof of what ran where.

/// What an engine has done since it was made. Every count only grows.
public struct Statistics: Sendable, Equatable {
  /// Syslets accepted by `exec` and `enqueue`.
  public var accepted = 0
  /// Syslets that have ended, those that `exec` returned at once included.
  public var completed = 0
  /// Calls of `io_uring_enter`.
  public var enters = 0
  /// SQEs that carry an atom's call.
  public var sqes = 0
  /// CQEs of such SQEs.
  public var cqes = 0
  /// Linked submissions: straight runs of atoms that went to the kernel as one chain (a single SQE is a chain of one).
  public var segments = 0
  /// SQEs with `IOSQE_IO_LINK`.
  public var softLinks = 0
  /// SQEs with `IOSQE_IO_HARDLINK`.
  public var hardLinks = 0
  /// SQEs of the engine's own: the workers' doorbell, the poller's epoll, and cancellations.
  public var auxiliarySQEs = 0
  /// Segments after which the run had to take up again an atom that the kernel had not started.
  public var resumed = 0
  /// Calls made on the owner's thread.
  public var inlineCalls = 0
  /// Tries of calls that may wait, made on the owner's thread without waiting.
  public var tries = 0
  /// Times that a syslet was parked: for a descriptor or a moment, without the ring and without a thread.
  public var parked = 0
  /// Runs that a worker thread has had and given back.
  public var workerHops = 0
  /// Calls made on worker threads.
  public var workerCalls = 0
  /// Runs that a worker took while `Options.maxWorkers` others, all that there are, were at calls that wait for another party.
  public var reserveRuns = 0
  /// How often all of `Options.maxWorkers` came to be at such calls.
  public var fullWaits = 0
  /// Workers that were started beyond `Options.maxWorkers` because work waited and nobody took any: calls that seemed quick do not come back.
  public var reliefWorkers = 0
  /// How often workers with other rights were needed than those that there were: 1 with the first worker.
  public var workerGenerations = 0
  /// Calls that the ring refused, as invalid or unsupported, and opens of FIFOs that it did not wait in: they were made plainly instead.
  public var refused = 0
  /// Plain calls that `automatic` gave to workers because such calls have taken longer lately than one may hold the owner's thread now
  /// (`Options.inlineLimit`, or 50 µs where others wait).
  public var plainHandOvers = 0
  /// Runs that `automatic` offered to workers because many were ready: the owner and the workers take from one queue.
  public var sharedRuns = 0
  /// Reads tried on the owner's thread that had to wait, or took longer than one out of the page cache: the next ones of that descriptor are the ring's, or
  /// a worker's, for a while.
  public var slowReads = 0
  /// Syslets that ended with a fault.
  public var faulted = 0

  /// All at 0.
  public init() {}

  mutating func add(_ counts: RingCounts) {
    enters += counts.enters
    sqes += counts.sqes
    cqes += counts.cqes
    segments += counts.segments
    softLinks += counts.softLinks
    hardLinks += counts.hardLinks
    auxiliarySQEs += counts.auxiliarySQEs
    resumed += counts.resumed
    refused += counts.refused
  }

  mutating func add(_ counts: PlacerCounts) {
    plainHandOvers += counts.handOvers
    sharedRuns += counts.sharedRuns
    slowReads += counts.slowReads
  }

  mutating func add(_ counts: ThreadPlaceCounts) {
    reserveRuns += counts.reserveRuns
    fullWaits += counts.fullWaits
    reliefWorkers += counts.reliefWorkers
    workerGenerations += counts.workerGenerations
  }
}
