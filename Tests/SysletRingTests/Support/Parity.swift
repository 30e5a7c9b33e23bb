// Calls in a world of their own, as plain calls make them and as an engine does: results, memory, positions, files and time must be the same.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

/// A call of a parity case.
struct ParityCall {
  let number: Int
  let arguments: [UInt64]

  init(_ number: Int, _ arguments: UInt64...) { (self.number, self.arguments) = (number, arguments) }
}

/// Calls that are made one after the other, and what else to look at afterwards.
struct ParityScene {
  let calls: [ParityCall]
  let observe: ([Int]) -> [String]
  /// Which results are the world's own, such as descriptors, and compared only by whether they are errors.
  private(set) var ignored: Set<Int> = []

  init(calls: [ParityCall], ignoring ignored: Set<Int> = [], observe: @escaping ([Int]) -> [String] = { _ in [] }) {
    (self.calls, self.ignored, self.observe) = (calls, ignored, observe)
  }

  init(_ calls: ParityCall..., observe: @escaping ([Int]) -> [String] = { _ in [] }) { (self.calls, self.observe) = (calls, observe) }

  /// One call.
  init(_ number: Int, _ arguments: UInt64..., observe: @escaping ([Int]) -> [String] = { _ in [] }) {
    calls = [ParityCall(number: number, arguments: arguments)]
    self.observe = observe
  }
}

extension ParityCall {
  init(number: Int, arguments: [UInt64]) { (self.number, self.arguments) = (number, arguments) }
}

struct ParityCase: Sendable, CustomStringConvertible {
  let title: String
  /// What the plain calls give, on Linux 6.18; nil where it is not one number.
  var expected: [Int]?
  /// How long they take at the least.
  var milliseconds = 0
  /// Whether the last result is a descriptor, which is compared by what it is, and closed.
  var givesDescriptor = false
  /// Not where one thread makes all calls: there another syslet of the same engine cannot be quick beside it.
  var surroundings = Parity.Surroundings.allCases
  /// Its trials run one after the other: they free numbers of descriptors, which another trial's descriptors would get.
  var isSequential = false
  /// Sets the stage, and says what happens while the calls are made.
  let set: @Sendable (Stage, Timeline) -> ParityScene

  init(
    _ title: String, _ expected: Int..., milliseconds: Int = 0, givesDescriptor: Bool = false,
    set: @escaping @Sendable (Stage, Timeline) -> ParityScene
  ) {
    self.title = title
    self.expected = expected.isEmpty ? nil : expected
    self.milliseconds = milliseconds
    self.givesDescriptor = givesDescriptor
    self.set = set
  }

  var description: String { title }
}

enum Parity {
  enum Surroundings: String, CaseIterable, Sendable {
    /// Enqueued, with nothing else.
    case alone
    /// By `exec`, so in the caller's context for as long as it does not block.
    case executed
    /// In the middle of 32 syslets that are quick or wait, on the same engine.
    case crowd
    /// Behind a no-op and before another, on which nothing stops: links are hard.
    case hardChain
    /// The same, and a negative result stops: links are soft.
    case softChain
  }

  /// What became of the calls and their world.
  struct Outcome: Sendable, Equatable {
    /// The results; `Program.untouched` for a call that was not made.
    var results: [Int]
    var world: [String]
  }

  enum Trial: Sendable {
    case came(Outcome, milliseconds: Int)
    /// What went wrong without an outcome to compare.
    case failed(String)
  }

  // MARK: threads

  /// Runs each body on a thread of its own, all at once. nil for one that has not ended at the deadline: its thread is left alone then, and
  /// what it holds stays.
  static func onThreads<Value: Sendable>(_ bodies: [@Sendable () -> Value], deadline: Duration) -> [Value?] {
    let (values, ended) = (Locked([Value?](repeating: nil, count: bodies.count)), DispatchSemaphore(value: 0))
    let ledger = Ledger.current
    for (index, body) in bodies.enumerated() {
      Thread.detachNewThread {
        Ledger.$current.withValue(ledger) {
          let value = body()
          values.withLock { $0[index] = value }
        }
        ended.signal()
      }
    }
    let end = DispatchTime.now() + .milliseconds(Int(deadline / .milliseconds(1)))
    for _ in bodies { if ended.wait(timeout: end) == .timedOut { break } }
    return values.withLock { $0 }
  }

  // MARK: the plain calls

  static func plain(_ testCase: ParityCase, scale: Int) -> Trial {
    let (stage, timeline) = (Stage(), Timeline(scale: scale))
    let scene = testCase.set(stage, timeline)
    let start = test_milliseconds()
    timeline.begin()
    let results = scene.calls.map { plainCall($0.number, $0.arguments) }
    let milliseconds = Int(test_milliseconds() - start)
    return .came(outcome(testCase, scene, stage, timeline, results), milliseconds: milliseconds)
  }

  private static func outcome(
    _ testCase: ParityCase, _ scene: ParityScene, _ stage: Stage, _ timeline: Timeline, _ results: [Int]
  ) -> Outcome {
    timeline.end()
    var (results, seen) = (results, scene.observe(results))
    for index in scene.ignored where results[index] >= 0 { results[index] = 0 }
    if testCase.givesDescriptor, let last = results.last, last >= 0 {
      seen.append("the descriptor: \(stage.facts(last))")
      _ = stage.descriptors.adopt(Int32(last))
      results[results.count - 1] = 0
    }
    return Outcome(results: results, world: stage.description() + seen)
  }

  // MARK: the engine

  static func engine(
    _ backend: SysletEngine.Backend, _ adjust: (inout SysletEngine.Options) -> Void = { _ in }
  ) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    adjust(&options)
    return try SysletEngine(options)
  }

  /// Syslets around the one under test: quick ones, and ones that wait for as long as nobody lets them go.
  private final class Crowd {
    let program = Program(.direct, capacity: 34)
    private let pipe: (read: Int32, write: Int32)
    private let count: Int
    private let waits: Bool

    init(_ count: Int, waits: Bool) {
      (self.count, self.waits) = (count, waits)
      pipe = program.descriptors.pipe()
      let file = program.descriptors.file(Array("0123456789".utf8))
      for index in 0..<count {
        let result = program.word()
        switch index % 4 {
        case 0 where waits: program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 1, result: result, next: .end)
        case 1: program.atom(SystemCall.pread64, .int(file), .to(program.buffer(8)), 1, 3, result: result, next: .end)
        case 2: program.atom(umemAdd, .to(program.word(0)), 1, result: result, next: .end)
        default: program.atom(SystemCall.getpid, result: result, next: .end)
        }
      }
    }

    func enqueue(_ range: Range<Int>, on engine: SysletEngine) throws { for index in range { try engine.enqueue(program, index) } }

    func letGo() {
      let bytes = program.buffer(count)
      plainCall(SystemCall.write, .int(pipe.write), bytes.address, .int(count))
    }
  }

  /// The calls as atoms, between what the surroundings put before and behind them.
  private static func atoms(of scene: ParityScene, _ surroundings: Surroundings, _ program: Program) -> (results: [Word], behind: Word) {
    let flags: AtomFlags = surroundings == .softChain ? .stopOnNegative : []
    let isChain = surroundings == .hardChain || surroundings == .softChain
    if isChain { program.atom(noOperation, flags: flags, result: program.word()) }
    let results = scene.calls.map { call in
      let result = program.word()
      program.atom(call.number, list: call.arguments.map { .value($0) }, flags: flags, result: result)
      return result
    }
    let behind = program.word()
    if isChain { program.atom(noOperation, result: behind, next: .end) }
    return (results, behind)
  }

  static func run(
    _ testCase: ParityCase, _ surroundings: Surroundings, on backend: SysletEngine.Backend, scale: Int
  ) throws -> Trial {
    let (stage, timeline) = (Stage(), Timeline(scale: scale))
    let scene = testCase.set(stage, timeline)
    let program = Program(.direct)
    let (results, behind) = atoms(of: scene, surroundings, program)
    let crowd = surroundings == .crowd ? Crowd(32, waits: backend != .inline) : nil
    // Last, so that it goes first: what it has must outlive it.
    let engine = try engine(backend)
    defer { try? engine.close() }

    let start = test_milliseconds()
    timeline.begin()
    var completion: Taken?
    var ofCrowd: [Taken] = []
    if surroundings == .executed {
      if try engine.exec(program) == nil { completion = try engine.take().first } else { completion = nil }
    } else {
      try crowd?.enqueue(0..<16, on: engine)
      try engine.enqueue(program)
      try crowd?.enqueue(16..<32, on: engine)
      while completion == nil {
        let taken = try engine.take()
        if taken.isEmpty { break }
        for one in taken { if program.index(one.atom) != nil { completion = one } else { ofCrowd.append(one) } }
      }
    }
    let milliseconds = Int(test_milliseconds() - start)
    if completion == nil, engine.pending > 0 {
      try engine.cancel(program)
      let cancelled = try engine.take(timeout: .seconds(5))
      return .failed("no completion; cancelled: \(cancelled.map(\.reason))")
    }
    if let crowd {
      crowd.letGo()
      ofCrowd += try engine.takeAll(32 - ofCrowd.count)
      let good = ofCrowd.count { $0.result >= 0 && $0.reason == .ended }
      if good != 32 { return .failed("\(good) of the 32 around it completed well") }
    }
    let values = results.map(\.value)
    let isStopped = surroundings == .softChain && values.contains { $0 < 0 }
    if surroundings == .hardChain || surroundings == .softChain, behind.value != (isStopped ? Program.untouched : 0) {
      return .failed("behind \(values) stands \(behind.value)")
    }
    if let completion, completion.reason != (isStopped ? .stopped : .ended) {
      return .failed("\(values) ended as \(completion.reason)")
    }
    return .came(outcome(testCase, scene, stage, timeline, values), milliseconds: milliseconds)
  }

  // MARK: the comparison

  /// How the case differs on this backend from the plain calls, in all its surroundings.
  static func differences(_ testCase: ParityCase, on backend: SysletEngine.Backend) -> [String] {
    ProcessSettings.apply()
    var found: [String] = []
    // With more time between the events, if there is a difference at first.
    for scale in [1, 5] {
      found = differences(testCase, on: backend, scale: scale)
      // What does not come at all does not come later.
      if found.isEmpty || found.contains(where: { $0.contains("no completion") || $0.contains("does not return") }) { break }
    }
    return found
  }

  private static func differences(_ testCase: ParityCase, on backend: SysletEngine.Backend, scale: Int) -> [String] {
    let bodies: [@Sendable () -> Trial] =
      [{ plain(testCase, scale: scale) }]
      + testCase.surroundings.map { surroundings in
        { do { return try run(testCase, surroundings, on: backend, scale: scale) } catch { return .failed("\(error)") } }
      }
    let deadline = Deadline.usual + .seconds(15)
    let trials = testCase.isSequential ? bodies.flatMap { onThreads([$0], deadline: deadline) } : onThreads(bodies, deadline: deadline)
    guard case .came(let plain, _)? = trials[0] else { return ["the plain call does not return"] }
    if let expected = testCase.expected, plain.results != expected {
      print("\(testCase): the plain calls give \(plain.results) here, not \(expected); the engine must too")
    }
    return zip(testCase.surroundings, trials.dropFirst()).compactMap { surroundings, trial in
      switch trial {
      case nil: return "\(surroundings): does not return from close()"
      case .failed(let text): return "\(surroundings): \(text)"
      case .came(let outcome, let milliseconds):
        // What stands behind a failure is not run, so the world is another one.
        if surroundings == .softChain, plain.results.dropLast().contains(where: { $0 < 0 }) { return nil }
        if outcome.results != plain.results { return "\(surroundings): \(outcome.results) instead of \(plain.results)" }
        if outcome.world != plain.world {
          return "\(surroundings): " + zip(outcome.world, plain.world).filter(!=).map { "\($0) instead of \($1)" }.joined(separator: "; ")
        }
        if milliseconds < testCase.milliseconds * 9 / 10 { return "\(surroundings): after \(milliseconds) ms" }
        return nil
      }
    }
  }
}
