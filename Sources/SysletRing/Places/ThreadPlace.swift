// What the engine's loop asks of a place that executes runs on threads of its own. Workers are one; a new one is a file with a type like that.

/// Runs are handed over by the owner, in `submit`. From then on a run is the place's, until it gives it back through the owner's mailbox, with what is to be
/// done with it next in `Run.onWorker.verdict` (`RunExecution` does all of that). A place holds no run that it has not been given, and loses none (law L5).
///
/// All methods are the owner's, but for `stop`, which is also called where the owner's thread is gone.
protocol ThreadPlace: AnyObject, Sendable {
  /// Takes all of `runs`. 0, or -errno if there is nobody to execute them: then they are kept, until `submit` is called again or they are withdrawn.
  ///
  /// - Parameter isAlone: It is one run, and the owner sleeps until it is back.
  func submit(_ runs: inout RunQueue, isAlone: Bool) -> Int
  /// Gives back those of the runs for which `isDue` holds and that nobody has begun.
  func withdraw(_ returned: inout RunQueue, where isDue: (Reference<Run>) -> Bool)
  /// Makes the call that is being made for `run` return -EINTR, if there is one. That may come to nothing, and is repeated while the run stays away.
  func interrupt(_ run: Reference<Run>)
  /// Lets the threads end, when the runs have come back or the engine leaves them.
  func stop()

  // MARK: What not every place has

  /// The program has had the owner's thread: what the place knows of that may be otherwise now.
  func forgetOwner()
  /// Whether the owner has the rights with which the last runs were handed over.
  func hasPresentRights() -> Bool
  /// What is handed over from now on has the rights that the owner has then, in ways too that no comparison shows.
  func renew()
  /// Offers all of `runs`, of which at most `sharersMax` are begun at a time; the owner `reclaim`s them meanwhile. As `submit`.
  func share(_ runs: inout RunQueue, sharersMax: Int) -> Int
  /// Gives back up to `count` runs that were offered and that nobody has begun.
  func reclaim(_ count: Int) -> RunQueue
  /// Runs have been waiting although they could be begun. While that lasts the owner sleeps for no longer than `reliefPeriod` nanoseconds, and then
  /// `relieve`s them.
  var needsRelief: Bool { get }
  var reliefPeriod: Int64 { get }
  func relieve()
  /// What `Statistics` tells of the place.
  var counts: ThreadPlaceCounts { get }
}

/// The counts of `Statistics` with the same names.
struct ThreadPlaceCounts {
  var reserveRuns = 0
  var fullWaits = 0
  var reliefWorkers = 0
  var workerGenerations = 0
}

extension ThreadPlace {
  func forgetOwner() {}
  func hasPresentRights() -> Bool { true }
  func renew() {}
  func share(_ runs: inout RunQueue, sharersMax: Int) -> Int { submit(&runs, isAlone: false) }
  func reclaim(_ count: Int) -> RunQueue { RunQueue() }
  var needsRelief: Bool { false }
  var reliefPeriod: Int64 { .max }
  func relieve() {}
  var counts: ThreadPlaceCounts { ThreadPlaceCounts() }
}

/// What a place is made with.
struct ThreadPlaceTerms: Sendable {
  let runs: RunMemory
  /// Through which runs come back.
  let mail: Mailbox
  let execution: RunExecution
  /// `Options.maxWorkers`.
  let threadsMax: Int
  /// `Options.interruptSignal`; 0 lets the library choose one.
  let interruptSignal: Int32
}
