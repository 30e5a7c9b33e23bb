// Where a program goes on.

internal import SystemPackage

extension SysletBuilder {
  /// Repeats the steps of `body` until an `exit(if:)` in it leaves.
  public func loop(fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void) {
    let place = SourcePlace(fileID: fileID, line: line)
    let inner = record(.loop, place, body)
    if inner.nodes.isEmpty {
      complain("the loop has no steps", place, "put the steps that are to be repeated into it")
    } else if !inner.hasExit {
      complain("nothing leaves the loop", place, "add an exit(if:) to it")
    }
    append(.loop(inner), place)
  }

  /// Leaves the innermost loop if this holds.
  public func exit(if condition: SysletCondition, fileID: StaticString = #fileID, line: UInt = #line) {
    let place = SourcePlace(fileID: fileID, line: line)
    guard let loop = innermostLoop("exit(if:)", place) else { return }
    loop.hasExit = true
    append(.exit(comparison(condition, "exit(if:)", place), ObjectIdentifier(loop)), place)
  }

  /// Begins the innermost loop's next round if this holds.
  public func next(if condition: SysletCondition, fileID: StaticString = #fileID, line: UInt = #line) {
    let place = SourcePlace(fileID: fileID, line: line)
    guard let loop = innermostLoop("next(if:)", place) else { return }
    append(.next(comparison(condition, "next(if:)", place), ObjectIdentifier(loop)), place)
  }

  /// Makes the steps of `then` if this holds, and those of `otherwise` if not.
  public func when(
    _ condition: SysletCondition, fileID: StaticString = #fileID, line: UInt = #line, then: () -> Void, otherwise: () -> Void = {}
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    let comparison = comparison(condition, "when", place)
    let (first, second) = recordArms(place, then, otherwise)
    append(.when(comparison, first, second), place)
  }

  /// The value that the steps of `then` give if this holds, and that of `otherwise` if not.
  public func choose<T>(
    _ condition: SysletCondition, fileID: StaticString = #fileID, line: UInt = #line, then: () -> SysletValue<T>,
    otherwise: () -> SysletValue<T>
  ) -> SysletValue<T> {
    let place = SourcePlace(fileID: fileID, line: line)
    let comparison = comparison(condition, "choose", place)
    let (chosen, count) = (newWord(), newWord())
    func keep(_ value: SysletValue<T>) {
      if let descriptor = value.origin?.descriptor, descriptor.block === block {
        complain(
          "choose gives a descriptor that the end of its arm closes", place, because: descriptor.place,
          "use when(_:then:otherwise:), and do in each arm what is to be done with its descriptor")
      }
      word(.move, operand(value, "choose", place), into: chosen, place)
      // Of what was lent.
      if let bytes = value.count { word(.move, bytes, into: count, place) }
    }
    let (first, second) = recordArms(place) {
      keep(then())
    } _: {
      keep(otherwise())
    }
    append(.when(comparison, first, second), place)
    var result: SysletValue<T> = value(chosen, "choose", place)
    result.count = .word(count)
    result.origin?.isChosen = T.self == FileDescriptor.self
    return result
  }

  /// Makes the steps of `body`; if one fails, what `body` has opened is closed, and the steps of `onFailure` are made instead of ending the program.
  public func attempt(
    fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void, onFailure: (SysletFailure) -> Void
  ) {
    let place = SourcePlace(fileID: fileID, line: line)
    let tried = record(.attempt, place, body)
    let word = newWord()
    let handler = record(.handler, place) {
      onFailure(SysletFailure(word: word, origin: ValueOrigin(self, block, "attempt", place)))
    }
    append(.attempt(tried, handler, failure: word), place)
  }

  /// Fails as the step did that has failed in an `attempt`.
  public func fail(_ failure: SysletFailure, fileID: StaticString = #fileID, line: UInt = #line) {
    let place = SourcePlace(fileID: fileID, line: line)
    check(failure.origin, "fail", place)
    append(.fail(word: failure.word), place)
  }

  /// Makes these steps at the end of the block that this stands in, however it ends.
  public func ensure(fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void) {
    let place = SourcePlace(fileID: fileID, line: line)
    append(.ensure(record(.cleanUp, place, body)), place)
  }

  /// Makes these steps if the block that this stands in ends by a failure, a cancellation or a deadline.
  public func onFailure(fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void) {
    let place = SourcePlace(fileID: fileID, line: line)
    append(.onFailure(record(.cleanUp, place, body)), place)
  }

  /// Makes the steps of `body`, and fails (`timedOut`) if that takes longer: as a step's failure, which an `attempt` around it can handle.
  ///
  /// In what nothing interrupts (`shielded`, `ensure`, `onFailure`) it does not count.
  public func within(_ limit: Duration, fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void) {
    let place = SourcePlace(fileID: fileID, line: line)
    if limit <= .zero { complain("within gives its steps \(limit)", place, "give them more than no time") }
    append(.within(nanoseconds: max(1, limit.nanoseconds), record(.within, place, body)), place)
  }

  /// Makes the steps of `body`, all of them, also when the program is cancelled or its deadline passes meanwhile.
  public func shielded(fileID: StaticString = #fileID, line: UInt = #line, _ body: () -> Void) {
    let place = SourcePlace(fileID: fileID, line: line)
    append(.shielded(record(.shielded, place, body)), place)
  }

  private func comparison(_ condition: SysletCondition, _ name: String, _ place: SourcePlace) -> Comparison {
    for origin in condition.origins { check(origin, name, place) }
    return condition.comparison
  }

  private func innermostLoop(_ name: String, _ place: SourcePlace) -> Block? {
    var here: Block? = block
    while let block = here, block.kind != .loop {
      // What cleans up is no part of the loop that it stands in.
      here = block.kind == .cleanUp ? nil : block.parent
    }
    if here == nil { complain("\(name) stands in no loop", place, "move it into the closure of loop { }") }
    return here
  }
}
