// A program as it is recorded: blocks of nodes, with places in the source. The compiler makes steps of it.

/// What an argument of a step is.
enum Operand: Equatable, Sendable {
  case constant(UInt64)
  /// The word with this number in the frame.
  case word(Int)
  /// The address of a region of the frame, or of what stands so many bytes into it.
  case address(region: Int, offset: Int = 0)

  static let zero = Operand.constant(0)
  static func integer(_ value: some BinaryInteger) -> Operand { .constant(UInt64(truncatingIfNeeded: value)) }
}

/// Where something stands in the source.
struct SourcePlace: Sendable {
  let fileID: StaticString
  let line: UInt

  var location: SysletError.SourceLocation { SysletError.SourceLocation(fileID, line) }
}

/// A descriptor that a step opens, and that the end of its block closes.
final class OwnedDescriptor {
  let word: Int
  /// Unowned, because the block has the step that opens it.
  unowned let block: Block
  let place: SourcePlace
  var isReturned = false
  /// A socket that tells by a poll when it is connected.
  var connectsWithoutWaiting = false
  /// Where it is closed in so many words.
  var closed: SourcePlace?
  /// That is in another block than the one that it belongs to, so that its word says whether it has happened.
  var mayBeClosed = false

  init(word: Int, block: Block, place: SourcePlace) { (self.word, self.block, self.place) = (word, block, place) }
}

/// A call of the system, or an operation on words.
struct CallNode {
  var number: Int
  var arguments: [Operand]
  /// The word that gets the result.
  var result: Int
  /// The operation's name in `SysletBuilder`.
  var name: String
  var place: SourcePlace
  /// What an error tells of: a word or address of a path, a word or constant of a descriptor.
  var path: Operand?
  var descriptor: Operand?
  var opens: OwnedDescriptor?
  var closes: OwnedDescriptor?
  /// In the block that the descriptor belongs to.
  var closesOwn = false
  /// A negative result ends the program.
  var mayFail = true
}

/// How two words compare, as signed numbers.
struct Comparison {
  var left: Operand
  var right: Operand
  /// The signs of left less right for which it holds.
  var holdsForLess: Bool
  var holdsForEqual: Bool
  var holdsForGreater: Bool

  var inverted: Comparison {
    Comparison(
      left: left, right: right, holdsForLess: !holdsForLess, holdsForEqual: !holdsForEqual, holdsForGreater: !holdsForGreater)
  }
}

indirect enum Node {
  case call(CallNode)
  case loop(Block)
  /// Leaves the loop whose block that is, or begins its next round.
  case exit(Comparison, ObjectIdentifier)
  case next(Comparison, ObjectIdentifier)
  case when(Comparison, Block, Block)
  /// The word gets the number of the step that failed.
  case attempt(Block, Block, failure: Int)
  /// Fails as the step did whose number the word has.
  case fail(word: Int)
  /// Fails with an error that no call has just given: the word or the constant has it, negative as a result has.
  case raise(Operand, CallNode)
  case ensure(Block)
  case onFailure(Block)
  case within(nanoseconds: Int64, Block)
  case shielded(Block)
}

final class Block {
  enum Kind { case program, loop, branch, attempt, handler, cleanUp, within, shielded }

  let kind: Kind
  /// Unowned, because it has this one.
  unowned let parent: Block?
  let place: SourcePlace
  var nodes: [Node] = []
  var isOpen = true
  /// A loop without one has no end.
  var hasExit = false

  init(_ kind: Kind, in parent: Block?, at place: SourcePlace) { (self.kind, self.parent, self.place) = (kind, parent, place) }
}
