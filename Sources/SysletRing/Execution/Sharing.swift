// Plain calls of many runs, shared with the workers: both sides take from one queue until nothing is left.

/// Which of a turn's runs are put aside for that, and how many the owner takes back at once. The owner's.
struct Sharing {
  /// Runs are put aside, to be shared, instead of being executed where they are met.
  var isCollecting = false
  /// What those that have been put aside in this turn will take.
  var nanoseconds: Int64 = 0
  /// How many runs the owner takes back at once; 0 when nothing is offered.
  var reclaimCount = 0
  /// Runs offered to the workers lately, and how many of them the owner has done itself.
  private var offered = 0
  private var doneByOwner = 0
  /// Turns that will not share, because the workers took nothing the last time; twice as many after each such time.
  private var turnsSkipped = 0
  private var turnsSkippedNext = 1

  /// What the owner takes back at once.
  private static let reclaimNanoseconds: Int64 = 20_000
  private static let reclaimMax: Int64 = 16
  private static let turnsSkippedMax = 64
  private static let offersJudged = 64

  /// Runs are offered to workers, and the owner is to take of them too.
  var isOffering: Bool { reclaimCount > 0 }

  /// Nothing is shared for a while.
  var isPaused: Bool { turnsSkipped > 0 }

  /// Whether it is worth a try in this turn.
  mutating func mayBegin() -> Bool {
    guard turnsSkipped > 0 else {
      nanoseconds = 0
      return true
    }
    turnsSkipped -= 1
    return false
  }

  /// So many runs that were put aside are offered; before that, how much of the last offers the workers have done is taken in.
  mutating func noteOffer(_ count: Int) {
    if offered >= Self.offersJudged {
      if (offered - doneByOwner) * 8 >= offered {
        turnsSkippedNext = 1
      } else {
        turnsSkipped = turnsSkippedNext
        turnsSkippedNext = min(turnsSkippedNext * 2, Self.turnsSkippedMax)
      }
      offered = 0
      doneByOwner = 0
    }
    offered += count
    reclaimCount = Int(max(1, min(Self.reclaimMax, Self.reclaimNanoseconds / max(1, nanoseconds / Int64(count)))))
  }

  /// Nothing of what was offered is left.
  mutating func endOffer() { reclaimCount = 0 }

  /// The owner has done so many of them itself.
  mutating func noteOwn(_ count: Int) { doneByOwner += count }
}
