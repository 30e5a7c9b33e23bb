// From blocks to steps: where each goes on by the sign of its result, what is closed on which road, and where what cleans up begins when the program is cut
// short behind a step.

internal import CLiburing
internal import Glibc

struct ProgramCompiler {
  /// What cleans up is there once for each road on which it does, and what cleans up in that once for each of its roads.
  private static let stepsMax = 65_536

  private(set) var drafts: [StepDraft] = []
  private(set) var layout: FrameLayout
  /// The word that has the number of the step that failed, from 1; 0 for none.
  let failure: Int
  /// For each label its step, or the label that it is the same as.
  private var labels: [Target] = []
  /// The label of the next step.
  private var here: Int
  /// The step that goes on at `here`, and nobody else does.
  private var last: Int?
  private let root = Scope(.root, in: nil)
  private let place: SourcePlace
  private var loops: [ObjectIdentifier: (head: Int, exit: Int, scope: Scope)] = [:]

  private enum Target {
    case open
    case step(Int)
    case same(Int)
    case end
  }

  init(_ block: Block, _ layout: FrameLayout) {
    self.layout = layout
    failure = self.layout.addWord(0)
    place = block.place
    labels = [.open]
    here = 0
    var scope = root
    lower(block, &scope)
    unwind(from: scope, to: root)
    labels[here] = .end
    makeAbortPads()
  }

  /// The first step that is made: not always the first one, which may be a handler's.
  var begin: Int? { step(0) }

  /// The step at a label; nil for the program's end.
  func step(_ label: Int) -> Int? {
    var label = label
    while true {
      switch labels[label] {
      case .step(let step): return step
      case .same(let other): label = other
      case .end: return nil
      case .open: preconditionFailure("a label of the program leads nowhere")
      }
    }
  }

  // MARK: Emitting

  private mutating func newLabel() -> Int {
    labels.append(.open)
    return labels.count - 1
  }

  /// What comes is reached by this label.
  private mutating func begin(at label: Int) {
    here = label
    last = nil
  }

  private mutating func jump(to label: Int) {
    labels[here] = .same(label)
    last = nil
  }

  /// Appends a step, behind which it goes on at `here`; it fails to what cleans `failScope` up.
  @discardableResult
  private mutating func emit(_ node: CallNode, _ failScope: Scope, _ doneScope: Scope, _ control: Control? = nil) -> Int {
    let number = drafts.count
    if number >= Self.stepsMax {
      fatalError("the syslet at \(place.location) has more than \(Self.stepsMax) steps, with those that clean up: make several of it")
    }
    labels[here] = .step(number)
    let next = newLabel()
    drafts.append(
      StepDraft(
        node: node, negative: next, zero: next, positive: next, control: control, failScope: failScope, doneScope: doneScope))
    here = next
    last = number
    guard node.mayFail else { return number }
    // Out of line: the failed step's number, and from there on what cleans up.
    let note = newLabel()
    drafts[number].negative = note
    aside { compiler in
      compiler.begin(at: note)
      compiler.word(.move, .integer(number + 1), into: compiler.failure, failScope)
      compiler.jump(to: compiler.failurePad(failScope))
    }
    return number
  }

  @discardableResult
  private mutating func word(
    _ operation: WordOperation, _ first: Operand, _ second: Operand = .zero, into word: Int, _ scope: Scope
  ) -> Int {
    emit(
      CallNode(
        number: operation.rawValue, arguments: [first, second], result: word, name: "", place: place, mayFail: false), scope, scope)
  }

  /// Emits steps that are no part of the line at hand.
  private mutating func aside(_ body: (inout ProgramCompiler) -> Void) {
    let (line, previous) = (here, last)
    body(&self)
    (here, last) = (line, previous)
  }

  // MARK: Blocks

  private mutating func lower(_ block: Block, _ scope: inout Scope) {
    for node in block.nodes { lower(node, &scope) }
  }

  private mutating func lower(_ node: Node, _ scope: inout Scope) {
    switch node {
    case .call(let call):
      let before = scope
      if let owned = call.opens { scope = Scope(.descriptor(owned), in: scope) }
      guard let owned = call.closes else {
        emit(call, before, scope)
        break
      }
      // A close that fails has closed.
      let closed = scope.removing(owned)
      let step = emit(call, closed, closed)
      if owned.mayBeClosed { forget(owned, behind: step, closed) }
      // Behind an inner block it may have been closed or not, which its word says.
      if call.closesOwn { scope = closed }
    case .raise(let error, var call):
      call.number = WordOperation.move.rawValue
      call.arguments = [error, .zero]
      emit(call, scope, scope)
    case .loop(let body):
      let (head, exit) = (newLabel(), newLabel())
      jump(to: head)
      begin(at: head)
      loops[ObjectIdentifier(body)] = (head, exit, scope)
      var inner = scope
      lower(body, &inner)
      unwind(from: inner, to: scope)
      jump(to: head)
      begin(at: exit)
    case .exit(let comparison, let loop):
      leave(comparison, scope, loops[loop]!.scope, loops[loop]!.exit)
    case .next(let comparison, let loop):
      leave(comparison, scope, loops[loop]!.scope, loops[loop]!.head)
    case .when(let comparison, let then, let otherwise):
      let (first, second, end) = (newLabel(), newLabel(), newLabel())
      branch(comparison, first, second, scope)
      for (label, arm) in [(first, then), (second, otherwise)] {
        begin(at: label)
        var inner = scope
        lower(arm, &inner)
        unwind(from: inner, to: scope)
        jump(to: end)
      }
      begin(at: end)
    case .attempt(let body, let handler, let word):
      let (caught, end) = (newLabel(), newLabel())
      let boundary = Scope(.attempt(handler: caught, word: word), in: scope)
      var inner = boundary
      lower(body, &inner)
      unwind(from: inner, to: boundary)
      jump(to: end)
      begin(at: caught)
      var outer = scope
      lower(handler, &outer)
      unwind(from: outer, to: scope)
      jump(to: end)
      begin(at: end)
    case .fail(let word):
      self.word(.move, .word(word), into: failure, scope)
      jump(to: failurePad(scope))
      // What stands behind it in its block is never reached.
      begin(at: newLabel())
    case .ensure(let block): promise(.ensure(block), &scope)
    case .onFailure(let block): promise(.onFailure(block), &scope)
    case .within(let nanoseconds, let body):
      // Its name and place are those of the error when the time is over.
      enclose(body, .limit(drafts.count), .beginLimit(nanoseconds: nanoseconds), "within", scope)
    case .shielded(let body): enclose(body, .shield, .beginShield, "", scope)
    }
  }

  /// The descriptor is -1 from here on, whether its close has failed or not.
  private mutating func forget(_ owned: OwnedDescriptor, behind step: Int, _ scope: Scope) {
    let (failed, note) = (newLabel(), drafts[step].negative)
    drafts[step].negative = failed
    aside { compiler in
      compiler.begin(at: failed)
      compiler.word(.move, .integer(-1), into: owned.word, scope)
      compiler.jump(to: note)
    }
    word(.move, .integer(-1), into: owned.word, scope)
  }

  /// What is to be made from here on, also if the program is cut short behind the step in front of this.
  private mutating func promise(_ kind: Scope.Kind, _ scope: inout Scope) {
    scope = Scope(kind, in: scope)
    if let last { drafts[last].doneScope = scope }
  }

  private mutating func enclose(_ body: Block, _ kind: Scope.Kind, _ begin: Control, _ name: String, _ scope: Scope) {
    var inner = Scope(kind, in: scope)
    let step = control(begin, inner)
    (drafts[step].node.name, drafts[step].node.place) = (name, body.place)
    lower(body, &inner)
    unwind(from: inner, to: scope)
  }

  @discardableResult
  private mutating func control(_ control: Control, _ scope: Scope, _ value: Operand = .zero, into result: Int? = nil) -> Int {
    let step = word(.move, value, into: result ?? layout.scratch, scope)
    drafts[step].control = control
    last = nil
    return step
  }

  /// Goes to `first` if this holds, and to `second` if not.
  private mutating func branch(_ comparison: Comparison, _ first: Int, _ second: Int, _ scope: Scope) {
    func target(_ holds: Bool) -> Int { holds ? first : second }
    let isOfLast = last.map { comparison.left == .word(drafts[$0].node.result) && comparison.right == .zero } ?? false
    // The sign of the result is what it asks for.
    let step = isOfLast ? last! : word(.compare, comparison.left, comparison.right, into: layout.scratch, scope)
    if !drafts[step].node.mayFail { drafts[step].negative = target(comparison.holdsForLess) }
    drafts[step].zero = target(comparison.holdsForEqual)
    drafts[step].positive = target(comparison.holdsForGreater)
    labels[here] = .end
    last = nil
  }

  private mutating func leave(_ comparison: Comparison, _ scope: Scope, _ base: Scope, _ target: Int) {
    let (away, on) = (newLabel(), newLabel())
    branch(comparison, away, on, scope)
    begin(at: away)
    unwind(from: scope, to: base)
    jump(to: target)
    begin(at: on)
  }

  // MARK: Cleaning up

  /// The good road out of `scope` to what is outside of it.
  private mutating func unwind(from scope: Scope, to base: Scope) {
    var scope = scope
    while scope !== base {
      let outer = scope.parent!
      switch scope.kind {
      case .descriptor(let owned): if !owned.isReturned { close(owned, scope) }
      case .ensure(let block): cleanUp(block, outer)
      case .limit: control(.endLimit, outer)
      case .shield: control(.endShield, outer)
      case .onFailure, .attempt, .root, .cleanUp: break
      }
      scope = outer
    }
  }

  /// - Parameter scope: The descriptor's.
  private mutating func close(_ owned: OwnedDescriptor, _ scope: Scope) {
    let (outer, isOpen, end) = (scope.parent!, newLabel(), newLabel())
    if owned.mayBeClosed {
      let test = word(.move, .word(owned.word), into: layout.scratch, scope)
      drafts[test].negative = end
      jump(to: isOpen)
      begin(at: isOpen)
    }
    emit(
      CallNode(
        number: SystemCall.close, arguments: [.word(owned.word)], result: layout.scratch, name: "close", place: owned.place,
        mayFail: false), outer, outer)
    jump(to: end)
    begin(at: end)
  }

  /// The steps of a block that cleans up, which nothing interrupts: what fails in it is not told, and the rest of it is left out.
  private mutating func cleanUp(_ block: Block, _ outer: Scope) {
    let kept = layout.addWord(0)
    control(.beginShield, outer, .word(failure), into: kept)
    let rest = newLabel()
    let boundary = Scope(.cleanUp(rest: rest), in: outer)
    var inner = boundary
    lower(block, &inner)
    unwind(from: inner, to: boundary)
    jump(to: rest)
    begin(at: rest)
    // The failure that it cleans up behind stays the one that is told, whatever an attempt in it has caught; on the good road there is none.
    control(.endShield, outer, .word(kept), into: failure)
  }

  /// Where a step goes on that fails with `scope` around it.
  private mutating func failurePad(_ scope: Scope) -> Int {
    if let pad = scope.failurePad { return pad }
    let pad = newLabel()
    scope.failurePad = pad
    aside { compiler in
      compiler.begin(at: pad)
      switch scope.kind {
      case .attempt(let handler, let word):
        compiler.word(.move, .word(compiler.failure), into: word, scope.parent!)
        compiler.word(.move, .zero, into: compiler.failure, scope.parent!)
        compiler.jump(to: handler)
      case .cleanUp(let rest): compiler.jump(to: rest)
      default: compiler.pad(scope) { $0.failurePad($1) }
      }
    }
    return pad
  }

  /// Where it goes on when the program is cut short with `scope` around it: no attempt catches that, but those outside the time limit that has passed.
  private mutating func abortPad(_ scope: Scope, _ limit: Int) -> Int {
    if case .cleanUp = scope.kind { return abortPad(scope.parent!, limit) }
    // From here on as a failure.
    if !scope.isCaught(within: limit) { return failurePad(scope) }
    if let pad = scope.abortPads[limit] { return pad }
    let pad = newLabel()
    scope.abortPads[limit] = pad
    aside { compiler in
      compiler.begin(at: pad)
      if case .attempt = scope.kind {
        compiler.jump(to: compiler.abortPad(scope.parent!, limit))
      } else {
        compiler.pad(scope) { $0.abortPad($1, limit) }
      }
    }
    return pad
  }

  /// The steps that clean up for `scope` alone, and then those around it.
  private mutating func pad(_ scope: Scope, _ next: (inout ProgramCompiler, Scope) -> Int) {
    switch scope.kind {
    case .root:
      labels[here] = .end
      return
    case .descriptor(let owned): close(owned, scope)
    case .ensure(let block), .onFailure(let block): cleanUp(block, scope.parent!)
    case .limit: control(.endLimit, scope.parent!)
    case .shield: control(.endShield, scope.parent!)
    case .attempt, .cleanUp: break
    }
    jump(to: next(&self, scope.parent!))
  }

  private mutating func makeAbortPads() {
    var step = 0
    // What cleans up has steps of its own, behind which it goes on cleaning up.
    while step < drafts.count {
      for scope in [drafts[step].failScope, drafts[step].doneScope] {
        for limit in [-1] + scope.limits { _ = abortPad(scope, limit) }
      }
      step += 1
    }
  }

  /// Where cleaning up begins when the program was cut short behind a step, nil for nowhere: by what nothing catches, and by each of the time limits around it,
  /// from the outside in.
  func landings(_ step: Int, failed: Bool) -> [Int?] {
    var scope = failed ? drafts[step].failScope : drafts[step].doneScope
    while case .cleanUp = scope.kind { scope = scope.parent! }
    return ([-1] + scope.limits).map { limit in self.step((scope.isCaught(within: limit) ? scope.abortPads[limit] : scope.failurePad)!) }
  }

  /// How many descriptors of its own a program has open at most.
  var descriptors: Int { drafts.lazy.map(\.doneScope.descriptors).max() ?? 0 }
}
