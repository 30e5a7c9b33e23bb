// A step on its way, and what is to be cleaned up behind it.

/// What the end of a step asks of whoever runs the program, before it goes on at the next step.
enum Control: Sendable {
  /// A time limit begins, or the innermost one ends.
  case beginLimit(nanoseconds: Int64)
  case endLimit
  /// From here on nothing interrupts the program, or again as before.
  case beginShield
  case endShield
}

/// A step on its way.
struct StepDraft {
  var node: CallNode
  var negative: Int
  var zero: Int
  var positive: Int
  var control: Control?
  /// What is to be cleaned up behind it, if it has failed and if it has not.
  var failScope: Scope
  var doneScope: Scope
}

/// What is to be cleaned up at a point of the program, from the inside out.
final class Scope {
  enum Kind {
    case root
    case descriptor(OwnedDescriptor)
    case ensure(Block)
    case onFailure(Block)
    /// Failures end here: the handler's label, and the word that gets the failed step's number.
    case attempt(handler: Int, word: Int)
    /// Failures of what cleans up end here: the label of what comes behind it.
    case cleanUp(rest: Int)
    /// The step with which it begins.
    case limit(Int)
    case shield
  }

  let kind: Kind
  let parent: Scope?
  /// Where failing goes on; made when it is first wanted.
  var failurePad: Int?
  /// Where being cut short goes on, by what cuts it short: the step that begins the time limit, or -1 for what nothing catches.
  var abortPads: [Int: Int] = [:]

  init(_ kind: Kind, in parent: Scope?) { (self.kind, self.parent) = (kind, parent) }

  /// The same without `descriptor`, which has been closed.
  func removing(_ descriptor: OwnedDescriptor) -> Scope {
    if case .descriptor(let own) = kind, own === descriptor { return parent! }
    guard let parent else { return self }
    let rest = parent.removing(descriptor)
    return rest === parent ? self : Scope(kind, in: rest)
  }

  /// Whether an attempt stands between this and the limit that this step begins.
  func isCaught(within limit: Int) -> Bool {
    switch kind {
    case .attempt, .cleanUp: return true
    case .limit(limit): return false
    default: return parent?.isCaught(within: limit) ?? false
    }
  }

  /// The steps that begin the time limits around this, from the outside in.
  var limits: [Int] {
    let outer = parent?.limits ?? []
    if case .limit(let step) = kind { return outer + [step] }
    return outer
  }

  /// How many descriptors are open at most.
  var descriptors: Int {
    let outer = parent?.descriptors ?? 0
    if case .descriptor = kind { return outer + 1 }
    return outer
  }
}
