// Plain calls of many runs, shared with the workers: both sides take from one queue until nothing is left.

/// The owner's.
struct Sharing {
  /// Runs are collected, to be shared, instead of being executed where they are met.
  var isCollecting = false
  /// The runs collected, and what they will take.
  var collected = RunQueue()
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

  /// Whether it is worth a try in this turn.
  mutating func mayBegin() -> Bool {
    guard pauses > 0 else { return true }
    pauses -= 1
    return false
  }

  /// So many runs of `cost` nanoseconds are offered; before that, how much of the last offers the workers have done is taken in.
  mutating func noteOffer(_ count: Int, costing cost: Int64) {
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
    portion = Int(max(1, min(Self.portionMax, Self.portionNanoseconds / cost)))
  }

  /// The owner has done so many of them itself.
  mutating func noteOwn(_ count: Int) { own += count }
}
