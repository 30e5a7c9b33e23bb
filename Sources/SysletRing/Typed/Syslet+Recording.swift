// Programs with one result, with none and with up to four, which end the process or throw if they are wrong.

extension Syslet {
  /// A program with one result.
  public init(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> SysletValue<Output>
  ) where Output: SysletResult {
    let recorder = SysletRecorder(fileID, line)
    let operand = recorder.result(body(recorder.builder, repeat (each Parameter).declare(in: recorder)))
    self.init(recorder, function) { Output.decode(SysletReader(frame: $0, operand: operand)) }
  }

  /// A program with no result.
  public init(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> Void
  ) where Output == Void {
    let recorder = SysletRecorder(fileID, line)
    body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    self.init(recorder, function) { _ in }
  }

  /// A program with two results.
  public init<A: SysletResult, B: SysletResult>(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>)
  ) where Output == (A, B) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1)]
    self.init(recorder, function) {
      (A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])))
    }
  }

  /// A program with three results.
  public init<A: SysletResult, B: SysletResult, C: SysletResult>(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>, SysletValue<C>)
  ) where Output == (A, B, C) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1), recorder.result(results.2)]
    self.init(recorder, function) {
      (
        A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])),
        C.decode(SysletReader(frame: $0, operand: operands[2]))
      )
    }
  }

  /// A program with four results.
  public init<A: SysletResult, B: SysletResult, C: SysletResult, D: SysletResult>(
    _ types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>, SysletValue<C>, SysletValue<D>)
  ) where Output == (A, B, C, D) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1), recorder.result(results.2), recorder.result(results.3)]
    self.init(recorder, function) {
      (
        A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])),
        C.decode(SysletReader(frame: $0, operand: operands[2])), D.decode(SysletReader(frame: $0, operand: operands[3]))
      )
    }
  }

  // MARK: Generated programs

  /// As the one without `validating`, and throws what is wrong with the program instead of ending the process: for programs that are generated.
  @_disfavoredOverload
  public init(
    validating types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> SysletValue<Output>
  ) throws(SysletProblems) where Output: SysletResult {
    let recorder = SysletRecorder(fileID, line)
    let operand = recorder.result(body(recorder.builder, repeat (each Parameter).declare(in: recorder)))
    try self.init(validating: recorder, function) { Output.decode(SysletReader(frame: $0, operand: operand)) }
  }

  /// As the one without `validating`, and throws what is wrong with the program instead of ending the process: for programs that are generated.
  @_disfavoredOverload
  public init(
    validating types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> Void
  ) throws(SysletProblems) where Output == Void {
    let recorder = SysletRecorder(fileID, line)
    body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    try self.init(validating: recorder, function) { _ in }
  }

  /// As the one without `validating`, and throws what is wrong with the program instead of ending the process: for programs that are generated.
  @_disfavoredOverload
  public init<A: SysletResult, B: SysletResult>(
    validating types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>)
  ) throws(SysletProblems) where Output == (A, B) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1)]
    try self.init(validating: recorder, function) {
      (A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])))
    }
  }

  /// As the one without `validating`, and throws what is wrong with the program instead of ending the process: for programs that are generated.
  @_disfavoredOverload
  public init<A: SysletResult, B: SysletResult, C: SysletResult>(
    validating types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>, SysletValue<C>)
  ) throws(SysletProblems) where Output == (A, B, C) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1), recorder.result(results.2)]
    try self.init(validating: recorder, function) {
      (
        A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])),
        C.decode(SysletReader(frame: $0, operand: operands[2]))
      )
    }
  }

  /// As the one without `validating`, and throws what is wrong with the program instead of ending the process: for programs that are generated.
  @_disfavoredOverload
  public init<A: SysletResult, B: SysletResult, C: SysletResult, D: SysletResult>(
    validating types: repeat (each Parameter).Type, fileID: StaticString = #fileID, line: UInt = #line, function: StaticString = #function,
    body: (SysletBuilder, repeat SysletValue<each Parameter>) -> (SysletValue<A>, SysletValue<B>, SysletValue<C>, SysletValue<D>)
  ) throws(SysletProblems) where Output == (A, B, C, D) {
    let recorder = SysletRecorder(fileID, line)
    let results = body(recorder.builder, repeat (each Parameter).declare(in: recorder))
    let operands = [recorder.result(results.0), recorder.result(results.1), recorder.result(results.2), recorder.result(results.3)]
    try self.init(validating: recorder, function) {
      (
        A.decode(SysletReader(frame: $0, operand: operands[0])), B.decode(SysletReader(frame: $0, operand: operands[1])),
        C.decode(SysletReader(frame: $0, operand: operands[2])), D.decode(SysletReader(frame: $0, operand: operands[3]))
      )
    }
  }
}
