// Runs one conformance case in one setting. No testing macros here: the same cases run as parametrised tests and, in one process with a
// seccomp filter, inside exit tests.

import SysletRing

/// A case of docs/SEMANTICS.md's table that did not hold.
struct ConformanceFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// One way to run the cases.
struct Setting: Sendable, CustomStringConvertible {
  /// How a syslet is handed over and how its completion is told.
  enum Delivery: String, CaseIterable, Sendable {
    /// exec, and a completion ring.
    case ring
    /// exec, and wait(into:).
    case copy
    /// enqueue, and wait(into:).
    case batch
  }

  let backend: SysletEngine.Backend
  let form: Form
  /// Whether ASYNC is added to the head's flags.
  let isAsync: Bool
  let delivery: Delivery

  var description: String { "\(backend.rawValue), \(form.rawValue), \(isAsync ? "async" : "plain"), \(delivery.rawValue)" }

  static func all(on backends: [SysletEngine.Backend]) -> [Setting] {
    backends.flatMap { backend in
      Form.allCases.flatMap { form in
        [false, true].flatMap { isAsync in
          Delivery.allCases.map { Setting(backend: backend, form: form, isAsync: isAsync, delivery: $0) }
        }
      }
    }
  }
}

extension SysletEngine.Backend {
  /// The backends that can run here. That `ring` is missing is reported by RingPresenceTests.
  static let available: [SysletEngine.Backend] =
    RingReport.current().unavailability == nil ? allCases : allCases.filter { $0 != .ring }
}

/// What a syslet must come to.
struct Expected {
  /// The index of the last executed atom.
  var atom: Int
  /// nil where only the oracle knows, because two runs differ.
  var result: Int?
  var executed: Int
  var reason: Completion.Reason
  /// Whether exec must run it completely in the caller, as its calls never block.
  var neverBlocks = false
  /// Whether a completion is posted when it went on asynchronously.
  var posts = true
}

typealias EngineMaker = (SysletEngine.Options) throws -> SysletEngine

final class Conformance {
  let setting: Setting
  private var engines: [SysletEngine] = []
  private var kept: [AnyObject] = []

  /// An engine with a given kind of checking, used by all the runs of a case.
  private struct Station {
    let engine: SysletEngine
    let ring: CompletionRing?
    var posted = 0
  }
  private var stations: [Bool: Station] = [:]

  private let make: EngineMaker

  init(_ setting: Setting, making make: @escaping EngineMaker = { try SysletEngine($0) }) {
    self.setting = setting
    self.make = make
  }

  deinit {
    // The engines first: what they may still run touches memory that `kept` holds.
    for engine in engines { try? engine.close() }
  }

  // MARK: engines and programs

  func engine(_ adjust: (inout SysletEngine.Options) -> Void = { _ in }) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = setting.backend
    adjust(&options)
    let engine = try make(options)
    engines.append(engine)
    return engine
  }

  func program(_ build: (Program) throws -> Void, capacity: Int = 64) rethrows -> Program {
    let program = Program(setting.form, capacity: capacity)
    kept.append(program)
    try build(program)
    return program
  }

  func ring(_ count: Int) -> CompletionRing {
    let ring = CompletionRing(count)
    kept.append(ring)
    return ring
  }

  /// Adds ASYNC to the head, where the setting asks for it.
  func prepare(_ program: Program, head: Int = 0) {
    if setting.isAsync { program.addFlags(.async, to: head) }
  }

  /// Hands over a syslet that must tell of its end by a completion: by exec with ASYNC, or by enqueue.
  func submit(_ program: Program, to engine: SysletEngine, head: Int = 0) throws {
    prepare(program, head: head)
    if setting.isAsync {
      try equal(try engine.exec(program, head), nil, "exec of an atom with ASYNC")
    } else {
      try engine.enqueue(program, head)
    }
  }

  /// Waits until nothing is pending, however many completions are visible by then.
  func finishAll(_ engine: SysletEngine) throws {
    let end = ContinuousClock.now + Deadline.usual
    while engine.pending > 0, ContinuousClock.now < end { _ = try engine.wait(atLeast: .max, timeout: .milliseconds(50)) }
    try equal(engine.pending, 0, "syslets that do not end")
  }

  // MARK: checks

  func expect(_ condition: Bool, _ text: @autoclosure () -> String, line: Int = #line) throws {
    if !condition { throw ConformanceFailure("\(text()) (line \(line))") }
  }

  func equal<Value: Equatable>(_ value: Value, _ expected: Value, _ text: @autoclosure () -> String, line: Int = #line) throws {
    if value != expected { throw ConformanceFailure("\(text()): \(value), expected \(expected) (line \(line))") }
  }

  // MARK: running

  /// Runs a program by the oracle and by the engine, each in a world of its own, and compares both with what is expected and with
  /// each other. `check` sees either world afterwards.
  @discardableResult
  func run(
    _ expected: Expected, isChecked: Bool = false, capacity: Int = 64, line: Int = #line, _ build: (Program) throws -> Void,
    check: (Program) throws -> Void = { _ in }
  ) throws -> Program {
    let reference = try program(build, capacity: capacity)
    let verdict = Oracle.interpret(reference.address(0), reference.form.layout)
    try equal(reference.index(verdict.atom), expected.atom, "the oracle's last atom", line: line)
    if let result = expected.result { try equal(verdict.result, result, "the oracle's result", line: line) }
    try equal(verdict.executed, expected.executed, "the oracle's count of atoms", line: line)
    try equal(verdict.reason, expected.reason, "the oracle's reason", line: line)
    try equal(verdict.posts, expected.posts, "whether the oracle posts", line: line)
    do { try check(reference) } catch { throw ConformanceFailure("after the oracle: \(error)") }

    let program = try program(build, capacity: capacity)
    try execute(program, expected, isChecked: isChecked, line: line)
    try check(program)
    for (position, (word, other)) in zip(program.comparedWords, reference.comparedWords).enumerated() {
      try equal(word.value, other.value, "variable \(position) after the engine and after the oracle", line: line)
    }
    for (position, (buffer, other)) in zip(program.comparedBuffers, reference.comparedBuffers).enumerated() {
      try equal(buffer.bytes, other.bytes, "buffer \(position) after the engine and after the oracle", line: line)
    }
    return program
  }

  /// Runs a program by the engine and compares what it tells with what is expected.
  func execute(_ program: Program, _ expected: Expected, isChecked: Bool = false, line: Int = #line) throws {
    prepare(program)
    var station = try stations[isChecked] ?? makeStation(isChecked: isChecked)
    defer { stations[isChecked] = station }
    let engine = station.engine
    let before = engine.statistics

    var returned: Int?
    if setting.delivery == .batch {
      try engine.enqueue(program)
    } else {
      returned = try engine.exec(program)
      if setting.isAsync { try equal(returned, nil, "what exec returned for a head with ASYNC", line: line) }
      if expected.neverBlocks, !setting.isAsync {
        try expect(returned != nil, "exec returned nil for a syslet that never blocks", line: line)
      }
    }

    let posts = returned == nil && expected.posts
    if let returned { try equal(returned, expected.atom, "the atom that exec returned", line: line) }

    if let ring = station.ring {
      let visible = try engine.wait(atLeast: 1, timeout: Deadline.usual)
      try equal(visible, posts ? 1 : 0, "completions that are visible in the ring", line: line)
      let slot = station.posted % ring.count
      if posts {
        try equal(program.index(ring[slot]), expected.atom, "the atom in the completion ring", line: line)
        ring.clear(slot)
        station.posted += 1
      }
      try expect(ring.entries.allSatisfy { $0 == 0 }, "the completion ring has another entry: \(ring.entries)", line: line)
    } else {
      let taken = try engine.take()
      try equal(taken.count, posts ? 1 : 0, "completions that could be taken", line: line)
      if let completion = taken.first {
        try equal(program.index(completion.atom), expected.atom, "the completion's atom", line: line)
        try equal(completion.userWord, Program.userWordBase + expected.atom, "the completion's user word", line: line)
        if let result = expected.result { try equal(completion.result, result, "the completion's result", line: line) }
        try equal(completion.executed, expected.executed, "the completion's count of atoms", line: line)
        try equal(completion.reason, expected.reason, "the completion's reason", line: line)
      }
      try equal(try engine.take(timeout: .zero), [], "a second completion", line: line)
    }
    try equal(engine.pending, 0, "syslets pending afterwards", line: line)
    let after = engine.statistics
    try equal(after.accepted - before.accepted, 1, "L5: syslets accepted", line: line)
    try equal(after.completed - before.completed, 1, "L5: syslets completed", line: line)
  }

  private func makeStation(isChecked: Bool) throws -> Station {
    let engine = try engine { $0.isChecked = isChecked }
    guard setting.delivery == .ring else { return Station(engine: engine, ring: nil) }
    let ring = ring(4)
    try engine.register(ring)
    return Station(engine: engine, ring: ring)
  }
}

extension Oracle.Verdict {
  /// The ending as the library tells it.
  var reason: Completion.Reason? {
    switch ending {
    case .ended: .ended
    case .stopped: .stopped
    case .faulted: .faulted
    case .stepLimit: .stepLimit
    case .refusedHead: nil
    }
  }
}
