// Random typed programs against an oracle that is written without the library, on every backend and on simulated kernels.
//
// `scripts/fuzz --seconds N [--seed S]` runs them for longer.

import Glibc
import Testing

@testable import SysletRing

@Suite("Random typed programs", .leavesNothingBehind)
struct TypedFuzzTests {
  /// Has the engine make its threads, without a limit of steps: later ones are the owner's alone.
  static func warm(_ engine: SysletEngine) throws {
    engine.limitSteps(to: nil)
    let program = Program(.direct)
    program.atom(Recipe.numbers["unknown"]!, flags: .async)
    try engine.enqueue(program)
    _ = try engine.takeAll(1)
  }

  /// An engine on a kernel that a seed gives, and what is tried there.
  private static func simulated(_ seed: UInt64) throws -> (SysletEngine, SimulatedKernel, [[TypedRecipe]]) {
    let (subject, _) = FuzzTests.simulated(seed)
    let (engine, kernel) = try subject.engine(isChecked: false)
    try warm(engine)
    var random = SeededGenerator(seed: seed &* 7919)
    let batches = (0..<4).map { _ in (0..<(1 + random.below(3))).map { _ in TypedRecipe(seed: random.next(), hasFaults: true) } }
    return (engine, kernel!, batches)
  }

  @Test("A random typed program comes to the same on every simulated kernel as by the oracle")
  func simulatedPrograms() throws {
    let budget = FuzzBudget(seedCount: 60, share: 0.2)
    var count = FuzzCount()
    var seed = budget.firstSeed
    while budget.includes(seed) {
      let (engine, kernel, batches) = try Self.simulated(seed)
      defer {
        try? engine.close()
        withExtendedLifetime(kernel) {}
      }
      for recipes in batches {
        if let story = try TypedDifferential.divergence(recipes, on: engine, isSimulated: true) {
          Issue.record("SYSLETRING_SEED=\(seed): \(story)")
          return
        }
        count.programs += recipes.count
      }
      seed += 1
    }
    count.report("typed, simulated kernels", budget.firstSeed..<seed)
  }

  @Test("Cut short behind each step, a random typed program comes to what the oracle comes to when it is cut short")
  func cutShort() throws {
    let budget = FuzzBudget(seedCount: 6, share: 0.2)
    var (count, cuts) = (FuzzCount(), 0)
    var seed = budget.firstSeed
    while budget.includes(seed) {
      let (engine, kernel, batches) = try Self.simulated(seed)
      defer {
        try? engine.close()
        withExtendedLifetime(kernel) {}
      }
      for recipe in batches.map({ $0[0] }) {
        let (story, tried) = try TypedDifferential.divergenceWhenCut(recipe, on: engine, isSimulated: true)
        if let story {
          Issue.record("SYSLETRING_SEED=\(seed): \(story)")
          return
        }
        cuts += tried
        count.programs += 1
      }
      seed += 1
    }
    #expect(cuts > 5 * count.programs)
    count.report("typed, \(cuts) times cut short, simulated kernels", budget.firstSeed..<seed)
  }

  @Test("The fuzzer finds a descriptor that a program does not close")
  func canary() throws {
    for seed in UInt64(1)...100 {
      let (engine, kernel, batches) = try Self.simulated(seed)
      defer {
        try? engine.close()
        withExtendedLifetime(kernel) {}
      }
      for recipes in batches {
        if let story = try TypedDifferential.divergence(recipes, on: engine, isSimulated: true, leavingOut: true) {
          #expect(story.contains("open") || story.contains("calls"), "\(story)")
          return
        }
      }
    }
    Issue.record("a close that was left out was not found in 100 seeds")
  }

  @Test("A random typed program comes to the same on every backend as by the oracle", arguments: SysletEngine.Backend.available)
  func realPrograms(backend: SysletEngine.Backend) async throws {
    // Programs open and close descriptors, so they have a process for themselves.
    let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) { [name = backend.rawValue as String] in
      let backend = SysletEngine.Backend(rawValue: name)!
      let budget = FuzzBudget(seedCount: 60, share: 0.1)
      var (count, cuts) = (FuzzCount(), 0)
      let (engine, _) = try Subject.backend(backend).engine(isChecked: false)
      try Self.warm(engine)
      var seed = budget.firstSeed
      while budget.includes(seed) {
        let recipe = TypedRecipe(seed: seed &* 104_729, hasFaults: false)
        if let story = try TypedDifferential.divergence([recipe], on: engine, isSimulated: false) {
          FuzzTests.giveUp("SYSLETRING_SEED=\(seed), \(backend): \(story)")
        }
        // A run that a worker has is not cut short behind a given step.
        if seed % 16 == 0, backend == .inline || backend == .ring {
          let (story, tried) = try TypedDifferential.divergenceWhenCut(recipe, on: engine, isSimulated: false)
          if let story {
            FuzzTests.giveUp("SYSLETRING_SEED=\(seed), \(backend), cut short: \(story)")
          }
          cuts += tried
        }
        count.programs += 1
        seed += 1
      }
      try engine.closeHere()
      count.report("typed, \(backend), \(cuts) times cut short", budget.firstSeed..<seed)
    }
    FuzzTests.expectNone(result)
  }
}
