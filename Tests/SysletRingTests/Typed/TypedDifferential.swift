// Runs typed recipes on an engine and compares what came of them with the oracle.

import Glibc
import SystemPackage

@testable import SysletRing

/// A recipe's program, built in a world, with a frame and the memory that is lent to it.
@safe final class TypedTrial {
  let recipe: TypedRecipe
  let world: any World
  private let built: TypedRecipe.Built
  private let buffers: [Int]
  private let variables: [Int]
  private let lent: UnsafeMutableBufferPointer<UInt8>
  private(set) var frame: SysletFrame
  private var activation: Activation?
  /// So many steps may be made before it is cut short.
  private var stepsLeft: Int
  private var isCut = false

  /// - Parameter leavingOut: A close that the program makes by itself is not made.
  init(_ recipe: TypedRecipe, in world: any World, cutAfter: Int = .max, leavingOut: Bool = false) throws {
    (self.recipe, self.world, stepsLeft) = (recipe, world, cutAfter)
    (built, buffers, variables) = try recipe.build()
    unsafe lent = .allocate(capacity: TypedRecipe.lentBytes)
    unsafe lent.initialize(repeating: 0xEE)
    frame = SysletFrame(leavingOut ? built.program.compiled.leavingOutCleanUp() : built.program.compiled)
  }

  deinit { unsafe lent.deallocate() }

  var steps: Int { built.program.compiled.templates.count }

  /// Begins anew: where; nil if there are no steps.
  func begin() -> Int? {
    frame.reset()
    func descriptor(_ thing: Thing) -> FileDescriptor { FileDescriptor(rawValue: Int32(truncatingIfNeeded: world.descriptor(thing))) }
    built.bind(
      descriptor(.file), descriptor(.other), descriptor(.source), descriptor(.sink), descriptor(.socket), descriptor(.folder),
      MutableBytes(), to: frame)
    unsafe built.program.lend(UnsafeRawBufferPointer(lent), to: frame)
    activation = Activation(frame, nil, Admission(max: 1, mayWait: false))
    return activation!.begin
  }

  /// How many steps the next run may make; nil for all.
  var limit: Int? { stepsLeft == .max || isCut || activation!.isShielded ? nil : max(1, stepsLeft) }

  func follow(_ completion: Completion) -> Int? {
    if stepsLeft != .max { stepsLeft -= completion.executed }
    if completion.reason == .stepLimit { isCut = true }
    return activation!.follow(completion, isLate: false)
  }

  var view: View {
    var view = View()
    for (index, region) in buffers.enumerated() {
      let address = frame.address(.address(region: region))
      view.add(
        "buffer", index: index,
        unsafe Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: TypedRecipe.bufferBytes)))
    }
    for (index, word) in variables.enumerated() { view.add("variable", index: index, frame[word]) }
    unsafe view.add("lent", Array(lent))
    TypedDifferential.look(world, &view)
    return view
  }

  var outcome: TypedDifferential.Outcome {
    switch activation!.ending().error {
    case nil: .result(built.decode(frame))
    case let error as SysletError where error.reason.errno != nil:
      .failed(
        TypedOracle.Failure(errno: Int(error.reason.errno!.rawValue), operation: error.operation, line: Int(error.step?.line ?? 0)))
    case let error as SysletError where error.reason.kind == .stepLimit: .cut
    case let error?: .other("\(error)")
    }
  }
}

extension CompiledProgram {
  /// The same without one of the steps that close a descriptor by themselves: a fault that a fuzzer must find.
  func leavingOutCleanUp() -> CompiledProgram {
    guard let step = templates.firstIndex(where: { $0.number == SystemCall.close && !$0.mayFail }) else { return self }
    return replacing(step, number: WordOperation.move.rawValue)
  }
}

enum TypedDifferential {
  enum Outcome: Equatable {
    case result(Int)
    case failed(TypedOracle.Failure)
    case cut
    case other(String)
  }

  private struct Expectation {
    var outcome: Outcome
    var view: View
    var log: [SimulatedWorld.LogEntry]
    var events: Int
  }

  static func look(_ world: any World, _ view: inout View) {
    world.look(&view)
    if let world = world as? RealWorld { view.add("descriptors", world.openedCount) }
  }

  private static func world(_ recipe: TypedRecipe, isSimulated: Bool) -> any World {
    isSimulated ? SimulatedWorld(recipe.faults) : RealWorld(usesFolder: true)
  }

  /// So many rounds by the oracle, in one world; the first ends behind so many events.
  private static func expect(_ recipe: TypedRecipe, isSimulated: Bool, rounds: Int = 1, cutAfter: Int = .max) -> [Expectation] {
    let world = world(recipe, isSimulated: isSimulated)
    var buffers = Array(repeating: [UInt8](repeating: 0, count: TypedRecipe.bufferBytes), count: TypedRecipe.bufferCount)
    var lent = [UInt8](repeating: 0xEE, count: TypedRecipe.lentBytes)
    return (0..<rounds).map { _ in
      let oracle = TypedOracle(recipe, in: world, buffers, lent, cutAfter: cutAfter)
      let outcome: Outcome =
        switch oracle.run(recipe) {
        case .success(let result): .result(result)
        case .failure(.failed(let failure)): .failed(failure)
        case .failure(.cut): .cut
        case .failure(let stop): .other("\(stop)")
        }
      (buffers, lent) = (oracle.buffers, oracle.lent)
      var view = View()
      for (index, buffer) in buffers.enumerated() { view.add("buffer", index: index, buffer) }
      for (index, variable) in oracle.variables.enumerated() { view.add("variable", index: index, variable) }
      view.add("lent", lent)
      look(world, &view)
      return Expectation(outcome: outcome, view: view, log: (world as? SimulatedWorld)?.log ?? [], events: oracle.events)
    }
  }

  /// Runs the recipes together, twice in the same frames, and says where one differs from the oracle; nil if none does.
  ///
  /// - Parameter leavingOut: The first one's program is not what it should be.
  static func divergence(_ recipes: [TypedRecipe], on engine: SysletEngine, isSimulated: Bool, leavingOut: Bool = false) throws -> String? {
    let expectations = recipes.map { expect($0, isSimulated: isSimulated, rounds: 2) }
    let trials = try recipes.enumerated().map {
      try TypedTrial($1, in: world($1, isSimulated: isSimulated), leavingOut: leavingOut && $0 == 0)
    }
    for round in 0..<2 {
      if let story = try run(trials, on: engine) { return story }
      for (number, trial) in trials.enumerated() {
        let expected = expectations[number][round]
        if let difference = difference(trial, expected) { return "program \(number) of \(trials.count), round \(round + 1): \(difference)" }
      }
    }
    return nil
  }

  /// Cuts the recipe short behind each of its steps, and says where what came of it is not what the oracle comes to behind any; nil if it always is. And how
  /// many cuts that were.
  static func divergenceWhenCut(_ recipe: TypedRecipe, on engine: SysletEngine, isSimulated: Bool) throws -> (story: String?, cuts: Int) {
    let whole = expect(recipe, isSimulated: isSimulated)[0]
    let possible = [whole] + (0...whole.events).map { expect(recipe, isSimulated: isSimulated, cutAfter: $0)[0] }
    var steps = 1
    while true {
      let trial = try TypedTrial(recipe, in: world(recipe, isSimulated: isSimulated), cutAfter: steps)
      if let story = try run([trial], on: engine) { return ("cut behind step \(steps): \(story)", steps) }
      if !possible.contains(where: { difference(trial, $0) == nil }) {
        return (
          "cut behind step \(steps) it comes to \(trial.outcome), with \(trial.view)\nand the oracle never to that\n\(recipe)",
          steps
        )
      }
      if trial.outcome != .cut { return (nil, steps) }
      steps += 1
      if steps > 500 { return ("it has no end: \(trial.outcome), \(trial.world as? SimulatedWorld)\n\(recipe)", steps) }
    }
  }

  private static func difference(_ trial: TypedTrial, _ expected: Expectation) -> String? {
    if trial.outcome != expected.outcome { return "\(trial.outcome), and by the oracle \(expected.outcome)\n\(trial.recipe)" }
    let view = trial.view
    if view != expected.view {
      return "\(view.differences(expected.view).joined(separator: "\n"))\n\(trial.recipe)"
    }
    if let world = trial.world as? SimulatedWorld, world.log != expected.log {
      return "calls \(world.log)\nand by the oracle \(expected.log)\n\(trial.recipe)"
    }
    return nil
  }

  /// Runs the programs together to their ends; what has kept them from it, if anything has.
  private static func run(_ trials: [TypedTrial], on engine: SysletEngine) throws -> String? {
    var running = 0
    func enqueue(_ number: Int, _ step: Int) throws {
      if trials.count == 1 { engine.limitSteps(to: trials[0].limit) }
      let trial = trials[number]
      _ = try engine.enqueue(trial.frame.head, from: trial.frame.address(ofStep: step), waiter: UInt32(number))
      running += 1
    }
    defer { engine.limitSteps(to: nil) }
    for (number, trial) in trials.enumerated() { if let step = trial.begin() { try enqueue(number, step) } }
    let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 8)
    defer { unsafe completions.deallocate() }
    var turns = 0
    while running > 0 {
      let count = unsafe try engine.wait(into: completions, atLeast: 1, timeout: Deadline.usual)
      if count == 0 { turns += 100 }
      turns += 1
      if turns > 100_000 { return "nothing completes, and \(engine.pending) are pending\n\(trials.map(\.recipe))" }
      for index in 0..<count {
        let completion = unsafe completions[index]
        running -= 1
        if let next = trials[Int(completion.waiter)].follow(completion) { try enqueue(Int(completion.waiter), next) }
      }
    }
    return nil
  }
}
