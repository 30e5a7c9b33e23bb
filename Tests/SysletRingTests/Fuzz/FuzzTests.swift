// Random programs against the oracle, on every backend and on simulated kernels. A failure prints its seed and the smallest program that was
// found to fail as well.
//
// `scripts/fuzz --seconds N [--seed S]` runs them for longer: SYSLETRING_FUZZ_SECONDS and SYSLETRING_SEED.

import Foundation
import Glibc
import Testing

@testable import SysletRing

/// How long to go on, and from which seed.
struct FuzzBudget {
  let firstSeed: UInt64
  private let seedCount: UInt64
  private let end: ContinuousClock.Instant?

  /// `seedCount` seeds from 1 on, unless the environment says otherwise: one seed, or so many seconds.
  init(seedCount: UInt64, share: Double = 1) {
    let environment = ProcessInfo.processInfo.environment
    let seconds = environment["SYSLETRING_FUZZ_SECONDS"].flatMap(Double.init)
    let seed = environment["SYSLETRING_SEED"].flatMap { UInt64($0) }
    firstSeed = seed ?? 1
    self.seedCount = seed != nil && seconds == nil ? 1 : seedCount
    end = seconds.map { ContinuousClock.now + .seconds($0 * share) }
  }

  func includes(_ seed: UInt64) -> Bool {
    if let end { return ContinuousClock.now < end }
    return seed < firstSeed &+ seedCount
  }
}

/// What a fuzz run has done, for the line that it prints.
struct FuzzCount {
  var programs = 0
  private let begin = ContinuousClock.now

  func report(_ what: String, _ seeds: Range<UInt64>) {
    let seconds =
      Double((ContinuousClock.now - begin).components.seconds) + Double((ContinuousClock.now - begin).components.attoseconds) * 1e-18
    print(
      "fuzz: \(what): \(programs) programs, seeds \(seeds.lowerBound)..<\(seeds.upperBound), \(String(format: "%.1f", seconds)) s, 0 divergences"
    )
  }
}

@Suite("Random programs", .leavesNothingBehind)
struct FuzzTests {
  /// A kernel, a backend and some programs to run on it together, for a seed.
  static func simulated(_ seed: UInt64, links: LinkModel? = nil, believed: LinkModel? = nil) -> (Subject, [[Differential.Trial]]) {
    var random = SeededGenerator(seed: seed)
    var settings = SimulatedKernel.Settings(seed: seed)
    settings.entries = random.pick([2, 4, 8, 16])
    settings.completionEntries = max(settings.entries, random.pick([4, 8, 32]))
    settings.links = links ?? random.pick(LinkModel.allCases)
    settings.delayMax = random.below(6)
    settings.isReordering = random.chance(80)
    func percent(_ most: Int) -> Int { random.chance(40) ? random.below(most + 1) : 0 }
    settings.failedEnters = percent(30)
    settings.lateFailures = percent(10)
    settings.partialSubmissions = percent(30)
    settings.earlyReturns = percent(20)
    settings.refusals = percent(15)
    settings.unsupported = percent(15)
    settings.lateCancellations = percent(60)
    let subject = Subject.simulation(settings, random.chance(70) ? .ring : .automatic, believed: believed ?? settings.links)
    let isChecked = random.chance(25)
    let cancels = percent(30)
    let batches = (0..<8).map { _ in
      (0..<(1 + random.below(5))).map { _ -> Differential.Trial in
        (
          recipe: Recipe(seed: random.next(), isChecked: isChecked, hasFaults: true),
          handing: Handing(isExec: random.chance(40), isCancelled: random.chance(cancels))
        )
      }
    }
    return (subject, batches)
  }

  /// Runs what a seed stands for: nil if all went well, or the trials that did not, and what became of them.
  ///
  /// - Parameter form: The form of all programs, instead of the one that the seed gives each.
  static func trySimulated(
    _ seed: UInt64, links: LinkModel? = nil, believed: LinkModel? = nil, form: Form? = nil
  ) throws -> (Subject, [Differential.Trial], story: String)? {
    let (subject, given) = simulated(seed, links: links, believed: believed)
    let batches = given.map { batch in
      batch.map { trial in
        var trial = trial
        trial.recipe.form = form ?? trial.recipe.form
        return trial
      }
    }
    let (engine, kernel) = try subject.engine(isChecked: batches[0][0].recipe.isChecked)
    defer {
      try? engine.close()
      withExtendedLifetime(kernel) {}
    }
    for batch in batches {
      if let story = Differential.divergence(batch, on: engine, kernel, subject) { return (subject, batch, story) }
    }
    return nil
  }

  @Test("A random program comes to the same on every simulated kernel as by the oracle")
  func simulatedPrograms() throws {
    let budget = FuzzBudget(seedCount: 150, share: 0.5)
    var count = FuzzCount()
    var seed = budget.firstSeed
    while budget.includes(seed) {
      if let (subject, trials, first) = try Self.trySimulated(seed) {
        print("fuzz: SYSLETRING_SEED=\(seed) diverges; looking for a smaller program\n\(first)")
        let (smallest, story) = Differential.shrink(trials, subject)
        Issue.record("SYSLETRING_SEED=\(seed), \(subject), \(smallest.count) programs:\n\(story)")
        return
      }
      count.programs += Self.simulated(seed).1.reduce(0) { $0 + $1.count }
      seed += 1
    }
    count.report("simulated kernels", budget.firstSeed..<seed)
  }

  @Test("The fuzzer finds a kernel that lets calls run past a stop", arguments: [LinkModel.old, .strict], [Form.direct, .prepared])
  func canary(believed: LinkModel, form: Form) throws {
    for seed in UInt64(1)...150 {
      guard let (subject, trials, _) = try Self.trySimulated(seed, links: .modern, believed: believed, form: form) else { continue }
      let isSmall = { (trials: [Differential.Trial]) in trials.count == 1 && trials[0].recipe.atoms.count <= 4 }
      let (smallest, story) = Differential.shrink(trials, subject, time: .seconds(120), until: isSmall)
      #expect(isSmall(smallest), "\(story)")
      return
    }
    Issue.record("a severing table that is wrong was not found in 150 seeds")
  }

  /// Runs what a seed stands for on a real backend.
  static func real(_ seed: UInt64, isChecked: Bool) -> [Differential.Trial] {
    var random = SeededGenerator(seed: seed)
    let trials = (0..<(random.chance(30) ? 3 : 1)).map { _ -> Differential.Trial in
      (
        recipe: Recipe(seed: random.next(), isChecked: isChecked, hasFaults: false),
        handing: Handing(isExec: random.chance(50), isCancelled: random.chance(10))
      )
    }
    // New descriptors have the numbers that the oracle's run had only if one program runs at a time, from its beginning to its end.
    guard trials.contains(where: { $0.recipe.opensFiles }) else { return trials }
    return [(recipe: trials[0].recipe, handing: Handing(isExec: trials[0].handing.isExec))]
  }

  /// Ends a process that has programs for itself, for `expectNone`. Not by an issue: the channel for that may be among what a world has closed.
  static func giveUp(_ story: String) -> Never {
    print(story)
    exit(EXIT_SUCCESS)
  }

  /// The process that has had programs for itself tells of no divergence.
  static func expectNone(_ result: ExitTest.Result?, sourceLocation: SourceLocation = #_sourceLocation) {
    let story = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
    #expect(story.contains("0 divergences"), "\(story)", sourceLocation: sourceLocation)
    print(story, terminator: "")
  }

  /// An engine whose own descriptors are all open: those of the programs come after them.
  static func warmEngine(_ subject: Subject, isChecked: Bool) throws -> SysletEngine {
    let (engine, _) = try subject.engine(isChecked: isChecked)
    let program = Program(.direct)
    program.atom(Recipe.numbers["unknown"]!, flags: .async)
    try engine.enqueue(program)
    _ = try engine.take()
    return engine
  }

  @Test("A random program comes to the same on every backend as by the oracle", arguments: SysletEngine.Backend.available)
  func realPrograms(backend: SysletEngine.Backend) async throws {
    // Programs open and close descriptors, so they have a process for themselves.
    let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) { [name = backend.rawValue as String] in
      let subject = Subject.backend(SysletEngine.Backend(rawValue: name)!)
      let budget = FuzzBudget(seedCount: 300, share: 0.125)
      var count = FuzzCount()
      let engines = [try Self.warmEngine(subject, isChecked: false), try Self.warmEngine(subject, isChecked: true)]
      var seed = budget.firstSeed
      while budget.includes(seed) {
        let trials = Self.real(seed, isChecked: seed % 4 == 0)
        if let story = Differential.divergence(trials, on: engines[seed % 4 == 0 ? 1 : 0], nil, subject) {
          let (_, shrunk) = Differential.shrink(trials, subject)
          Self.giveUp("SYSLETRING_SEED=\(seed), \(subject):\n\(story)\nSmaller:\n\(shrunk)")
        }
        count.programs += trials.count
        seed += 1
      }
      for engine in engines { try engine.closeHere() }
      count.report("\(subject)", budget.firstSeed..<seed)
    }
    Self.expectNone(result)
  }

  @Test(
    "The fuzzer finds it when this kernel lets calls run past a stop",
    .enabled(if: SysletEngine.Backend.available.contains(.ring)))
  func realCanary() async throws {
    await #expect(processExitsWith: .success) {
      let subject = Subject.misled(.old)
      let engine = try Self.warmEngine(subject, isChecked: false)
      for seed in UInt64(1)...3000 {
        let trials = Self.real(seed, isChecked: false)
        if let story = Differential.divergence(trials, on: engine, nil, subject) {
          // Either the engine noticed, or what ran is seen in the world.
          #expect(story.contains("past") || story.contains("stopped before it") || story.contains("oracle"), "\(story)")
          return
        }
      }
      Issue.record("links that do not hold were not found in 3,000 seeds")
    }
  }
}
