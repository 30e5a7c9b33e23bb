// Runs recipes on an engine and compares what came of them with the oracle.

import Glibc

@testable import SysletRing

/// What the programs of a fuzz run are run on.
enum Subject: Equatable, CustomStringConvertible {
  case backend(SysletEngine.Backend)
  /// The kernel's ring, and links that it may not have.
  case misled(LinkModel)
  /// What `links` does not have and `believed` has is what a wrong self-test would have found.
  case simulation(SimulatedKernel.Settings, SysletEngine.Backend, believed: LinkModel)

  static func == (one: Subject, other: Subject) -> Bool { "\(one)" == "\(other)" }

  var isSimulated: Bool { if case .simulation = self { true } else { false } }

  var description: String {
    switch self {
    case .backend(let backend): "\(backend)"
    case .misled(let believed): "ring, believed to be \(believed)"
    case .simulation(let settings, let backend, let believed): "\(backend) on \(settings), believed to be \(believed)"
    }
  }

  func world(_ recipe: Recipe) -> any World { isSimulated ? SimulatedWorld(recipe.faults) : RealWorld(for: recipe) }

  /// Engines of real backends serve many programs; a simulated one is part of what is tried.
  func engine(isChecked: Bool) throws -> (SysletEngine, SimulatedKernel?) {
    var options = SysletEngine.Options()
    options.isChecked = isChecked
    options.maxSteps = Recipe.stepsMax
    switch self {
    case .backend(let backend):
      options.backend = backend
      return (try SysletEngine(options), nil)
    case .misled(let believed):
      options.backend = .ring
      return (try SysletEngine(options, on: try Ring(entries: 64, completionEntries: 128), believing: believed.findings), nil)
    case .simulation(let settings, let backend, let believed):
      options.backend = backend
      options.maxPending = 64
      let kernel = SimulatedKernel(settings, perform: SimulatedWorld.perform)
      return (try SysletEngine(options, on: kernel.ring, believing: believed.findings), kernel)
    }
  }
}

/// How a program is handed over.
struct Handing: Equatable, CustomStringConvertible {
  var isExec = false
  /// Cancelled after it was handed over.
  var isCancelled = false
  var description: String { (isExec ? "exec" : "enqueue") + (isCancelled ? ", then cancelled" : "") }
}

enum Differential {
  typealias Trial = (recipe: Recipe, handing: Handing)

  /// What the oracle made of a recipe, without its addresses.
  private struct Expectation {
    var verdict: Oracle.Verdict
    var last: Int?
    var view: View
    var log: [SimulatedWorld.LogEntry]
  }

  /// Runs the trials together and says where one differs from the oracle; nil if none does.
  static func divergence(_ trials: [Trial], on engine: SysletEngine, _ kernel: SimulatedKernel?, _ subject: Subject) -> String? {
    // A prepared syslet is run again by what was translated of it. What is cancelled may have come to anything in between.
    let rounds = trials.contains(where: \.recipe.form.isPrepared) && !trials.contains(where: \.handing.isCancelled) ? 2 : 1
    // In the real world one after the other, so that descriptors have the same numbers.
    let expectations = trials.map { trial in
      let built = BuiltProgram(trial.recipe, in: subject.world(trial.recipe))
      return (0..<rounds).map { _ in
        let verdict = interpret(built, Recipe.stepsMax)
        return Expectation(
          verdict: verdict, last: built.program.index(verdict.atom), view: built.view,
          log: (built.world as? SimulatedWorld)?.log ?? [])
      }
    }
    let builds = trials.map { BuiltProgram($0.recipe, in: subject.world($0.recipe)) }
    for round in 0..<rounds {
      if let divergence = divergence(trials, builds, expectations.map { $0[round] }, on: engine, kernel, subject) {
        return rounds == 1 ? divergence : "round \(round + 1)\n\(divergence)"
      }
    }
    return nil
  }

  /// Runs the programs together, once.
  private static func divergence(
    _ trials: [Trial], _ builds: [BuiltProgram], _ expectations: [Expectation], on engine: SysletEngine, _ kernel: SimulatedKernel?,
    _ subject: Subject
  ) -> String? {
    var completions = [[Taken]](repeating: [], count: trials.count)
    var returned = [Int?](repeating: nil, count: trials.count)
    do {
      for (position, (trial, built)) in zip(trials, builds).enumerated() {
        if trial.handing.isExec { returned[position] = try engine.exec(built.program) } else { try engine.enqueue(built.program) }
      }
      if trials.contains(where: \.handing.isCancelled) {
        try engine.flush()
        for (position, trial) in trials.enumerated() where trial.handing.isCancelled && returned[position] == nil {
          do { try engine.cancel(builds[position].program) } catch EngineError.notPending {}
        }
      }
      var turns = 0
      repeat {
        let some = try engine.take(timeout: kernel == nil ? Deadline.usual : nil)
        if some.isEmpty, kernel == nil, engine.pending > 0 {
          return (["nothing completes in \(Deadline.usual)"] + trials.map { "\($0.handing):\n\($0.recipe)" }).joined(separator: "\n")
        }
        for taken in some {
          guard let owner = builds.firstIndex(where: { $0.program.index(taken.atom) != nil }) else {
            return "a completion names \(taken.atom), which is no atom"
          }
          completions[owner].append(taken)
        }
        turns += 1
        if turns > 10_000 { return "nothing completes, and \(engine.pending) are pending" }
      } while engine.pending > 0
    } catch {
      let story = kernel?.isStuck == true ? "the engine waits for what cannot come; \(engine.statistics)" : "\(error)"
      return ([story] + trials.map { "\($0.handing):\n\($0.recipe)" }).joined(separator: "\n")
    }
    for (position, trial) in trials.enumerated() {
      if let difference = difference(
        trial, builds[position], returned[position], completions[position], expectations[position], subject)
      {
        return "program \(position) of \(trials.count), \(trial.handing):\n\(trial.recipe)\n\(difference)"
      }
    }
    return nil
  }

  private static func interpret(_ built: BuiltProgram, _ stepsMax: Int) -> Oracle.Verdict {
    Oracle.interpret(
      built.program.address(0), built.recipe.form.layout, stepsMax: stepsMax,
      calls: { number, arguments in
        // A program that made other calls than its recipe's would make them to this process.
        precondition(Recipe.numbers.values.contains(number), "call \(number) is not one of\n\(built.recipe)")
        return built.world.call(number, arguments)
      })
  }

  private static func difference(
    _ trial: Trial, _ built: BuiltProgram, _ returned: Int?, _ completions: [Taken], _ expectation: Expectation, _ subject: Subject
  ) -> String? {
    let verdict = expectation.verdict
    if completions.count > 1 { return "L5: \(completions.count) completions" }
    // A cancelled program may have ended before, and then it is like any other.
    if trial.handing.isCancelled, returned == nil {
      if let completion = completions.first, completion.reason == .cancelled {
        return prefixDifference(trial, built, completion.executed, completion, subject)
      }
      if completions.isEmpty {
        // Told by nobody, because of NO_COMPLETE: it must have come to some prefix all the same.
        let differences = (0...Recipe.stepsMax).lazy.map { prefixDifference(trial, built, $0, nil, subject) }
        return differences.contains { $0 == nil } ? nil : "cancelled, and its memory is like after none of its atoms"
      }
    }
    var differences: [String] = []
    func compare<Value: Equatable>(_ what: String, _ found: Value, _ expected: Value) {
      if found != expected { differences.append("\(what): \(found), and by the oracle \(expected)") }
    }
    if let returned {
      if !(verdict.ending == .ended || verdict.ending == .stopped) {
        differences.append("exec returned an atom of a syslet that \(verdict.ending)")
      }
      compare("returned", returned, expectation.last)
      compare("completions", completions.count, 0)
    } else {
      compare("completions", completions.count, verdict.posts ? 1 : 0)
    }
    if let completion = completions.first {
      compare("the atom", built.program.index(completion.atom), expectation.last)
      compare("the result", SimulatedWorld.plain(completion.result), SimulatedWorld.plain(verdict.result))
      compare("executed", completion.executed, verdict.executed)
      compare("the reason", "\(completion.reason)", "\(verdict.ending)")
      compare("the user's word", completion.userWord, built.userWord(built.program.index(completion.atom) ?? 0))
    }
    if built.view != expectation.view { differences += built.view.differences(expectation.view) }
    if let world = built.world as? SimulatedWorld { compare("the calls", world.log, expectation.log) }
    return differences.isEmpty ? nil : differences.joined(separator: "\n")
  }

  /// Compares a cancelled program with what the oracle makes of its first `executed` atoms.
  private static func prefixDifference(
    _ trial: Trial, _ built: BuiltProgram, _ executed: Int, _ completion: Taken?, _ subject: Subject
  ) -> String? {
    let prefix = BuiltProgram(trial.recipe, in: subject.world(trial.recipe))
    let verdict = interpret(prefix, executed)
    var differences: [String] = []
    if verdict.executed != executed { differences.append("executed \(executed), of \(verdict.executed) by the oracle") }
    if let completion, executed > 0, SimulatedWorld.plain(completion.result) != SimulatedWorld.plain(verdict.result) {
      differences.append("cancelled with \(completion.result), and by the oracle \(verdict.result)")
    }
    if built.view != prefix.view { differences += ["cancelled after \(executed)"] + built.view.differences(prefix.view) }
    return differences.isEmpty ? nil : differences.joined(separator: "\n")
  }

  // MARK: shrinking

  /// On a new engine, several times: what goes wrong may need some luck.
  static func divergence(_ trials: [Trial], _ subject: Subject) -> String? {
    for attempt in 0..<UInt64(subject.isSimulated ? 10 : 3) {
      var subject = subject
      if case .simulation(var settings, let backend, let believed) = subject {
        settings.seed &+= attempt
        subject = .simulation(settings, backend, believed: believed)
      }
      do {
        let (engine, kernel) = try subject.engine(isChecked: trials.contains { $0.recipe.isChecked })
        defer {
          try? engine.close()
          withExtendedLifetime(kernel) {}
        }
        if let divergence = divergence(trials, on: engine, kernel, subject) { return divergence }
      } catch {
        return "the engine could not be made: \(error)"
      }
    }
    return nil
  }

  /// The smallest trials that were found, in that time, to go wrong as well, and how.
  static func shrink(
    _ trials: [Trial], _ subject: Subject, time: Duration = .seconds(30), until isSmall: ([Trial]) -> Bool = { _ in false }
  ) -> (trials: [Trial], divergence: String) {
    let end = ContinuousClock.now + time
    var smallest = trials
    guard var story = divergence(trials, subject) else { return (trials, "does not happen again on a new engine") }
    func replaces(_ trials: [Trial]) -> Bool {
      guard let divergence = divergence(trials, subject) else { return false }
      (smallest, story) = (trials, divergence)
      return true
    }
    var position = 0
    while smallest.count > 1, position < smallest.count, !isSmall(smallest), ContinuousClock.now < end {
      var fewer = smallest
      fewer.remove(at: position)
      if !replaces(fewer) { position += 1 }
    }
    // Until a whole round finds nothing. A step that helped leaves the next candidate at the same place of the new list.
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for position in smallest.indices {
        var candidate = 0
        while case let recipes = smallest[position].recipe.smaller, candidate < recipes.count, !isSmall(smallest), ContinuousClock.now < end
        {
          var smaller = smallest
          smaller[position].recipe = recipes[candidate]
          if replaces(smaller) { hasChanged = true } else { candidate += 1 }
        }
      }
    }
    return (smallest, story)
  }
}
