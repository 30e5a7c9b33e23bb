// Plain calls of many runs, shared with the workers: both sides take from one queue until nothing is left.

/// Which of a turn's runs are put aside for that, and how many the owner takes back at once. The owner's.
struct Sharing {
  /// Runs are put aside, to be shared, instead of being executed where they are met.
  var isCollecting = false
  /// What those that have been put aside in this turn will take.
  var nanoseconds: Int64 = 0
  /// How many runs the owner takes back at once; 0 when nothing is offered.
  var portion = 0
  /// Runs offered to the workers lately, and how many of them the owner has done itself.
  private var offered = 0
  private var own = 0
  /// Turns that will not share, because the workers took nothing the last time; twice as many after each such time.
  private var pauses = 0
  private var pausesNext = 1

  /// What the owner takes back at once.
  private static let portionNanoseconds: Int64 = 20_000
  private static let portionMax: Int64 = 16
  private static let pausesMax = 64
  private static let offersJudged = 64

  /// Runs are offered to workers, and the owner is to take of them too.
  var isOffering: Bool { portion > 0 }

  /// Nothing is shared for a while.
  var isPaused: Bool { pauses > 0 }

  /// Whether it is worth a try in this turn.
  mutating func mayBegin() -> Bool {
    guard pauses > 0 else {
      nanoseconds = 0
      return true
    }
    pauses -= 1
    return false
  }

  /// So many runs that were put aside are offered; before that, how much of the last offers the workers have done is taken in.
  mutating func noteOffer(_ count: Int) {
    if offered >= Self.offersJudged {
      if (offered - own) * 8 >= offered {
        pausesNext = 1
      } else {
        pauses = pausesNext
        pausesNext = min(pausesNext * 2, Self.pausesMax)
      }
      offered = 0
      own = 0
    }
    offered += count
    portion = Int(max(1, min(Self.portionMax, Self.portionNanoseconds * Int64(count) / max(1, nanoseconds))))
  }

  /// The owner has done so many of them itself.
  mutating func noteOwn(_ count: Int) { own += count }
}
