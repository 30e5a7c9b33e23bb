// The recorder of a program: each method appends to the innermost block that is open, and what is wrong is told when all of it has been recorded.

internal import Glibc
internal import SystemPackage

/// Records a program's steps, in the closure of `Syslet.init`.
///
/// A method's result is a value that exists when the program runs. Swift's own `if` and `for` around steps run while the program is built. What is wrong is
/// kept, and told all at once when the closure has returned.
public final class SysletBuilder {
  let root: Block
  private(set) var block: Block
  private(set) var layout = FrameLayout()
  private(set) var problems: [SysletProblem] = []
  private var isFinished = false

  init(_ place: SourcePlace) {
    root = Block(.program, in: nil, at: place)
    block = root
  }

  /// The closure has returned.
  func finish() {
    root.isOpen = false
    isFinished = true
  }

  // MARK: Recording

  func append(_ node: Node, _ place: SourcePlace) {
    guard !isFinished else {
      fatalError(
        "a step at \(place.location) is added to a program that has been built already, at \(root.place.location): record it in the closure of Syslet.init"
      )
    }
    block.nodes.append(node)
  }

  func complain(_ what: String, _ place: SourcePlace, because other: SourcePlace? = nil, _ advice: String) {
    problems.append(SysletProblem(what: what, place: place.location, because: other?.location, advice: advice))
  }

  /// Records `body`'s steps in a block of their own.
  func record(_ kind: Block.Kind, _ place: SourcePlace, _ body: () -> Void) -> Block {
    let inner = Block(kind, in: block, at: place)
    block = inner
    body()
    inner.isOpen = false
    block = inner.parent!
    return inner
  }

  func newWord(_ initial: Int = 0) -> Int { layout.addWord(initial) }

  func newRegion(_ byteCount: Int, alignment: Int = 8) -> Int { layout.addRegion(byteCount, alignment: alignment) }

  func value<T>(_ word: Int, _ name: String, _ place: SourcePlace, _ descriptor: OwnedDescriptor? = nil) -> SysletValue<T> {
    SysletValue(.word(word), ValueOrigin(self, block, name, place, descriptor))
  }

  /// What an argument of the step `name` is; what is wrong with it is kept.
  func operand<T>(_ value: SysletValue<T>, _ name: String, _ place: SourcePlace) -> Operand {
    if let origin = value.origin { check(origin, name, place) }
    switch value.content {
    case .operand(let operand): return operand
    case .path(let path): return .address(region: layout.addText(path))
    }
  }

  func check(_ origin: ValueOrigin, _ name: String, _ place: SourcePlace) {
    guard origin.builder === self else {
      return complain(
        "\(name) uses what \(origin.name) gives in another program", place, because: origin.place,
        "give it to this program as a parameter")
    }
    guard origin.block.isOpen else {
      return complain(
        "\(name) uses what \(origin.name) gives outside the block that it belongs to", place, because: origin.place,
        "make the value before the block, or keep it in a variable(_:)")
    }
    guard let descriptor = origin.descriptor else { return }
    // What cleans up comes behind a close that comes later.
    if isCleaningUp(block, for: descriptor) { descriptor.mayBeClosed = true }
    if let closed = descriptor.closed, name != "close" {
      complain(
        "\(name) uses the descriptor of \(origin.name), which is closed before", place, because: closed,
        "move it in front of the close, or leave the close to the end of the block")
    }
  }

  private func isCleaningUp(_ block: Block, for descriptor: OwnedDescriptor) -> Bool {
    var here: Block? = block
    while let block = here, block !== descriptor.block {
      if block.kind == .cleanUp { return true }
      here = block.parent
    }
    return false
  }

  /// A step that makes a system call.
  @discardableResult
  func call(
    _ number: Int, _ arguments: [Operand], _ name: String, _ place: SourcePlace, path: Operand? = nil, descriptor: Operand? = nil,
    result: Int? = nil
  ) -> Int {
    let word = result ?? newWord()
    append(
      .call(CallNode(number: number, arguments: arguments, result: word, name: name, place: place, path: path, descriptor: descriptor)),
      place)
    return word
  }

  /// A step on words.
  @discardableResult
  func word(_ operation: WordOperation, _ first: Operand, _ second: Operand = .zero, into result: Int? = nil, _ place: SourcePlace) -> Int {
    let word = result ?? newWord()
    append(
      .call(
        CallNode(
          number: operation.rawValue, arguments: [first, second], result: word, name: "\(operation.name)", place: place, mayFail: false)),
      place)
    return word
  }

  /// A step that opens a descriptor, which the end of the block closes.
  func open(
    _ number: Int, _ arguments: [Operand], _ name: String, _ place: SourcePlace, path: Operand? = nil, descriptor: Operand? = nil
  ) -> SysletValue<FileDescriptor> {
    let owned = OwnedDescriptor(word: newWord(-1), block: block, place: place)
    var node = CallNode(
      number: number, arguments: arguments, result: owned.word, name: name, place: place, path: path, descriptor: descriptor)
    node.opens = owned
    append(.call(node), place)
    return value(owned.word, name, place, owned)
  }

  /// The descriptors that have been closed so far on the road at hand, with places.
  private var closed: [(descriptor: OwnedDescriptor, place: SourcePlace)] = []

  /// Records the two arms of a branch: what one closes is open in the other, and not to be used behind them.
  func recordArms(_ place: SourcePlace, _ then: () -> Void, _ otherwise: () -> Void) -> (Block, Block) {
    let before = closed.count
    let first = record(.branch, place, then)
    let closedByFirst = closed[before...]
    closed.removeSubrange(before...)
    for (descriptor, _) in closedByFirst { descriptor.closed = nil }
    let second = record(.branch, place, otherwise)
    for (descriptor, place) in closedByFirst { descriptor.closed = descriptor.closed ?? place }
    closed += closedByFirst
    return (first, second)
  }

  /// Closes a descriptor, whoever has opened it.
  func close(_ value: SysletValue<FileDescriptor>, _ place: SourcePlace) {
    let descriptor = operand(value, "close", place)
    var node = CallNode(
      number: SystemCall.close, arguments: [descriptor], result: newWord(), name: "close", place: place, descriptor: descriptor)
    if value.origin?.isChosen == true {
      complain(
        "close closes what choose gives", place, because: value.origin?.place,
        "close the descriptors that it was chosen from, or none of them")
    }
    if let owned = value.origin?.descriptor {
      if let closed = owned.closed {
        complain("close closes a descriptor for the second time", place, because: closed, "leave one of the two out")
      }
      // What cleans up comes later than what stands behind it.
      if !isCleaningUp(block, for: owned) {
        owned.closed = place
        closed.append((owned, place))
      }
      node.closesOwn = block === owned.block
      if block !== owned.block { owned.mayBeClosed = true }
      node.closes = owned
    }
    append(.call(node), place)
  }

  /// The region of a path of no bytes, for calls that look at a descriptor.
  private(set) lazy var emptyPath = layout.addText("")

  /// A region with these words in it.
  func words(_ words: [Int]) -> Int { layout.addWords(words) }

  // MARK: Cells

  /// Memory of so many bytes, one for each time that the program runs. What is in it at first is not defined.
  public func buffer(count: Int, fileID: StaticString = #fileID, line: UInt = #line) -> SysletBuffer {
    let place = SourcePlace(fileID: fileID, line: line)
    if count < 1 || count > FrameLayout.byteCountMax {
      complain("a buffer has \(count) bytes", place, "give it from 1 to \(FrameLayout.byteCountMax)")
    }
    // A zero behind it ends a path that fills it.
    let region = newRegion(min(max(count, 1), FrameLayout.byteCountMax) + 1, alignment: 64)
    return SysletBuffer(region: region, count: count, origin: ValueOrigin(self, block, "buffer", place))
  }

  /// A cell with this in it at first.
  public func variable(_ initial: Int, fileID: StaticString = #fileID, line: UInt = #line) -> SysletVariable<Int> {
    let place = SourcePlace(fileID: fileID, line: line)
    let word = newWord(initial)
    // In a loop it begins anew with each round.
    if block !== root { self.word(.move, .integer(initial), into: word, place) }
    return SysletVariable(word, ValueOrigin(self, block, "variable", place))
  }

  /// A value that stands in the program.
  public func constant(_ value: Int) -> SysletValue<Int> { SysletValue(literal: .operand(.integer(value))) }

  /// Adds to what is in a cell.
  public func add(
    _ value: SysletValue<Int>, to variable: SysletVariable<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    check(variable.origin, "add", place)
    word(.add, .word(variable.word), operand(value, "add", place), into: variable.word, place)
  }

  /// Puts a value into a cell.
  public func set(
    _ variable: SysletVariable<Int>, to value: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    check(variable.origin, "set", place)
    word(.move, operand(value, "set", place), into: variable.word, place)
  }
}

/// What is wrong with a program, where, and what to do.
public struct SysletProblem: Sendable, CustomStringConvertible {
  /// What is wrong.
  public var what: String
  /// Where.
  public var place: SysletError.SourceLocation
  /// The place that is the reason, if it is another one.
  public var because: SysletError.SourceLocation?
  /// What to do.
  public var advice: String

  /// All of it in one line.
  public var description: String { "\(place): \(what)\(because.map { " (\($0))" } ?? ""): \(advice)" }
}

/// All that is wrong with a program.
public struct SysletProblems: Error, Sendable, CustomStringConvertible {
  /// In the order in which they were found.
  public var problems: [SysletProblem]

  /// One line for each.
  public var description: String { problems.map { "  \($0)" }.joined(separator: "\n") }
}
