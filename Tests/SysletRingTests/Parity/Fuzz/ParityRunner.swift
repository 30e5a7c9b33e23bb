// Runs one case by plain calls and on an engine, and tells in what the two differ.

import CTestSupport
import Glibc

@testable import SysletRing

/// An engine and all that a case needs, in a process of its own.
@safe final class ParityRunner {
  let backend: SysletEngine.Backend
  private let table: OperationTable
  private let material: ParityMaterial
  private let folders: [Int]
  private var arena = ParityArena()
  private var base = 0
  /// What fills holes between descriptors.
  private var null = -1
  private var engine: SysletEngine
  private var casesOnEngine = 0
  private static let casesPerEngine = 100
  private var atoms: UnsafeMutablePointer<Atom>
  private var results: UnsafeMutablePointer<Int>
  private static let stepsMax = 40
  private static let untouched = -77_777
  private(set) var waitingCases = 0

  /// - Parameter table: What its engines believe of the ring.
  init(_ backend: SysletEngine.Backend, folders: [String], table: OperationTable = .shared) throws {
    self.backend = backend
    self.table = table
    material = ParityMaterial(shared: folders[1])
    self.folders = folders.map { path in unsafe Int(open(path, O_RDONLY | O_DIRECTORY)) }
    unsafe atoms = .allocate(capacity: Self.stepsMax)
    unsafe results = .allocate(capacity: Self.stepsMax)
    engine = try Self.makeEngine(backend, table)
    settleDescriptors()
  }

  private static func makeEngine(_ backend: SysletEngine.Backend, _ table: OperationTable) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options, table: table)
    // Descriptors and threads that it makes when it needs them: worlds come after them.
    let program = Program(.direct)
    let set = program.buffer(8)
    set.store(program.descriptors.event(0), at: 0)
    set.store(Int16(POLLIN), at: 4)
    program.atom(9999, flags: .async)
    program.atom(SystemCall.poll, .to(set), 1, 1)
    try engine.enqueue(program)
    _ = try engine.take()
    return engine
  }

  /// Lets the worlds' descriptors be given from one number on, without holes before it.
  private func settleDescriptors() {
    if null < 0 { null = material.open("/dev/null", Int(O_RDONLY)) }
    base = (0..<4096).last { kernel(SystemCall.fcntl, $0, 1) >= 0 }! + 1
    while case let filled = kernel(SystemCall.dup, null), filled >= 0 {
      if filled < base { continue }
      kernel(SystemCall.close, filled)
      break
    }
  }

  /// Another engine. One that does not let go keeps its memory.
  private func renewEngine() throws {
    casesOnEngine = 0
    if engine.pending == 0 {
      // Should it not return, the alarm ends the process.
      test_alarm_set(5000)
      try engine.close()
      test_alarm_set(0)
    } else {
      // Never let go of: its end would wait for what did not end, and the kernel may still use its memory.
      _ = unsafe Unmanaged.passRetained(engine)
      arena = ParityArena()
      unsafe atoms = .allocate(capacity: Self.stepsMax)
      unsafe results = .allocate(capacity: Self.stepsMax)
    }
    engine = try Self.makeEngine(backend, table)
    settleDescriptors()
  }

  // MARK: one case

  enum Verdict {
    case same
    case different(ParityDifference)
    /// It differs, but not each time.
    case unsteady(ParityDifference)
    /// Nothing can be said: it waits where the calling thread must not, or two syslets wait for one another.
    case skipped
  }

  /// `isPatient`: it is tried again on new engines, and with more time, before it counts as different.
  func judge(_ tried: FuzzCase, isPatient: Bool = false) throws -> Verdict {
    var last: ParityDifference?
    for attempt in 0..<(isPatient ? 3 : 1) {
      if attempt > 0 { try renewEngine() }
      switch try attemptCase(tried, patience: attempt == 0 ? 1 : 5) {
      case .same: return last.map { .unsteady($0) } ?? .same
      case .different(let difference):
        last = difference
        // Each try takes long, and the second one was given its time.
        if attempt > 0, difference.nature == .hangs { return .different(difference) }
      case let verdict: return verdict
      }
    }
    return .different(last!)
  }

  private func attemptCase(_ tried: FuzzCase, patience: Int) throws -> Verdict {
    casesOnEngine += 1
    if casesOnEngine > Self.casesPerEngine { try renewEngine() }
    // Two syslets at once may come in either order.
    var plain: [ParityExpectation] = []
    for order in 0..<(tried.shape == .pair ? 2 : 1) { plain.append(expect(tried, order, patience)) }
    if plain.contains(where: { $0.waiting != nil }) {
      waitingCases += 1
      if backend == .inline || tried.shape == .pair { return .skipped }
    }
    let world = ParityWorld(tried, material, arena, base: base, folder: folders[tried.isInMemory ? 1 : 0])
    defer { world.end() }
    _ = test_take_signals()
    var outcome = runOnEngine(tried, world, plain[0], patience)
    let signals = test_take_signals()
    if case .different(let difference) = outcome {
      // An engine that has failed once answers everything with that.
      if difference.nature == .threw { casesOnEngine = Self.casesPerEngine }
      return Self.verdict(tried, difference)
    }
    if signals > 0 {
      return .different(ParityDifference(nature: .signal, story: "\(signals) signals SIGPIPE or SIGXFSZ reached the program"))
    }
    guard case .ended(let completions) = outcome else { return .same }
    outcome = .same
    let view = world.look()
    var differences: [ParityDifference] = []
    for (order, expectation) in plain.enumerated() {
      if let difference = compare(tried, expectation, completions) {
        differences.append(difference)
      } else if let story = arena.difference(order, masks: tried.masks) {
        differences.append(ParityDifference(nature: .memory, story: story))
      } else if let story = view.difference(expectation.view) {
        differences.append(ParityDifference(nature: .world, story: story))
      } else {
        return .same
      }
    }
    return Self.verdict(tried, differences[0])
  }

  /// How much a terminal takes, and what has come to its other end by now, is a matter of when a kernel thread had its turn. When that comes late the writer
  /// is not even woken: of 3,000 plain writes of 2,048 and then 10,001 bytes 481 did not end (Linux 6.18, a busy machine).
  private static func verdict(_ tried: FuzzCase, _ difference: ParityDifference) -> Verdict {
    let isTimely =
      tried.kind.isTerminal && [.result, .world, .hangs].contains(difference.nature) && tried.calls.contains { $0.name.contains("write") }
    return isTimely ? .unsteady(difference) : .different(difference)
  }

  /// What the plain calls come to, in one order or the other.
  private func expect(_ tried: FuzzCase, _ order: Int, _ patience: Int) -> ParityExpectation {
    for patience in [patience, patience * 8] {
      let world = ParityWorld(tried, material, arena, base: base, folder: folders[tried.isInMemory ? 1 : 0])
      defer { world.end() }
      guard var plain = runPlainly(tried, world, patience, isReversed: order == 1) else { continue }
      plain.view = world.look()
      arena.remember(order)
      return plain
    }
    preconditionFailure("a patient look at a call tells whether it waits")
  }

  // MARK: by plain calls

  /// nil if it was interrupted and cannot tell whether it was late or would have waited.
  private func runPlainly(_ tried: FuzzCase, _ world: ParityWorld, _ patience: Int, isReversed: Bool) -> ParityExpectation? {
    let programs = tried.programs
    var expectation = ParityExpectation(results: programs.map { [Int?](repeating: nil, count: $0.count) })
    let event = world.event
    if !event.isEmpty { unsafe test_later(3000, event, Int32(event.count / 7)) }
    defer {
      test_alarm_set(0)
      if !event.isEmpty { test_later_done() }
    }
    test_alarm_set(Int32((event.isEmpty ? 12 : 30) * patience))
    for program in isReversed ? Array(programs.indices.reversed()) : Array(programs.indices) {
      for (step, atom) in programs[program].enumerated() {
        guard let index = atom.call else {
          expectation.results[program][step] = 0
          continue
        }
        let call = tried.calls[index]
        let alarms = test_alarm_count()
        let result = call.number == noOperation ? 0 : plainCall(call.number, call.arguments.map(world.word))
        if test_alarm_count() > alarms {
          if result == -Int(EINTR) || patience >= 8 {
            expectation.waiting = (program, step)
            expectation.isPartial = result != -Int(EINTR)
            return expectation
          }
          return nil
        }
        expectation.results[program][step] = result
        if atom.stopsOnNegative, result < 0 { break }
      }
    }
    return expectation
  }

  // MARK: on the engine

  private enum EngineOutcome {
    /// It waited as the call does, and was cancelled as it should be.
    case same
    case different(ParityDifference)
    /// All have ended: the completions, by program.
    case ended([Taken?])
  }

  private func runOnEngine(_ tried: FuzzCase, _ world: ParityWorld, _ plain: ParityExpectation, _ patience: Int) -> EngineOutcome {
    let programs = tried.programs
    let heads = lay(programs, tried, world)
    let event = world.event
    if !event.isEmpty { unsafe test_later(3000, event, Int32(event.count / 7)) }
    test_alarm_set(patience == 1 ? 2500 : 6000)
    defer {
      test_alarm_set(0)
      if !event.isEmpty { test_later_done() }
    }
    var completions = [Taken?](repeating: nil, count: programs.count)
    var isCached = false
    var toCome = programs.count
    /// Takes completions until all have come that can, or the time is over.
    func collect(_ milliseconds: Int) throws {
      let end = ContinuousClock.now + .milliseconds(milliseconds)
      while toCome > 0, case let left = end - ContinuousClock.now, left > .zero {
        for taken in try engine.take(atLeast: toCome, capacity: 64, timeout: left) {
          guard let program = heads.indices.last(where: { address(heads[$0]) <= taken.atom }) else { continue }
          completions[program] = taken
          toCome -= 1
        }
      }
    }
    do {
      if tried.shape == .exec {
        isCached = unsafe try engine.exec(atoms + heads[0]) != nil
        if isCached { toCome = 0 }
      } else {
        for head in heads { unsafe try engine.enqueue(atoms + head) }
      }
      try engine.flush()
      if let waiting = plain.waiting {
        // All others end; this one must not.
        let others = programs.count - 1
        toCome = others
        if others > 0 { try collect(1000) }
        toCome += isCached ? 0 : 1
        try collect(10 * patience)
        if completions[waiting.program] != nil || isCached { return early(programs, heads, plain, waiting) }
        unsafe try engine.cancel(atoms + heads[waiting.program])
        try collect(1000)
        guard let taken = completions[waiting.program] else {
          return .different(ParityDifference(nature: .notCancelled, story: "cancelled, and it does not end", plain: "waits", here: "hangs"))
        }
        let isRight = plain.isPartial || taken.reason == .cancelled && taken.executed == waiting.step
        return isRight
          ? .same
          : .different(
            ParityDifference(
              nature: .notCancelled, story: "cancelled: \(taken.reason) after \(taken.executed) with \(taken.result)", plain: "waits",
              here: "\(taken.reason)"))
      }
      try collect(patience == 1 ? 250 : 1500)
    } catch {
      return .different(ParityDifference(nature: .threw, story: "the engine threw \(error)"))
    }
    if test_alarm_count() > 0 {
      return .different(
        ParityDifference(nature: .held, story: "the calling thread was held for seconds; \(stories(programs, heads, plain))"))
    }
    if toCome > 0 {
      for (program, head) in heads.enumerated() where completions[program] == nil { unsafe try? engine.cancel(atoms + head) }
      try? collect(1000)
      let summary = first(programs, plain)
      return .different(
        ParityDifference(
          nature: .hangs, story: "does not end\(toCome > 0 ? ", nor when it is cancelled" : ""); \(stories(programs, heads, plain))",
          plain: summary, here: "hangs"))
    }
    return .ended(completions)
  }

  private func address(_ atom: Int) -> UInt64 { unsafe UInt64(UInt(bitPattern: atoms + atom)) }

  /// Puts the syslets into memory: the positions of their heads.
  private func lay(_ programs: [[FuzzCase.Step]], _ tried: FuzzCase, _ world: ParityWorld) -> [Int] {
    var heads: [Int] = []
    var position = 0
    for program in programs {
      heads.append(position)
      for (step, atom) in program.enumerated() {
        var words = [UInt64](repeating: 0, count: 6)
        var number = noOperation
        if let index = atom.call {
          number = tried.calls[index].number
          for (place, argument) in tried.calls[index].arguments.enumerated() { words[place] = world.word(argument) }
        }
        unsafe results[position] = Self.untouched
        let next = unsafe step + 1 < program.count ? atoms + position + 1 : nil
        unsafe (atoms + position).initialize(
          to: Atom(
            number, words[0], words[1], words[2], words[3], words[4], words[5], flags: atom.stopsOnNegative ? .stopOnNegative : [],
            result: results + position, next: next))
        position += 1
      }
    }
    return heads
  }

  private func result(_ position: Int) -> Int { unsafe results[position] }

  /// The first result of a call by plain calls, in few letters.
  private func first(_ programs: [[FuzzCase.Step]], _ plain: ParityExpectation) -> String {
    for (program, steps) in programs.enumerated() {
      for (step, atom) in steps.enumerated() where atom.call != nil { return Self.letters(plain.results[program][step]) }
    }
    return ""
  }

  static func letters(_ result: Int?) -> String {
    guard let result, result != untouched else { return "not run" }
    return result < 0 && result > -4096 ? "-" + errnoName(-result) : "\(result)"
  }

  /// The results of all calls.
  private func stories(_ programs: [[FuzzCase.Step]], _ heads: [Int], _ plain: ParityExpectation) -> String {
    var plainly: [String] = []
    var here: [String] = []
    for (program, steps) in programs.enumerated() where steps.contains(where: { $0.call != nil }) {
      for step in steps.indices {
        plainly.append(Self.letters(plain.results[program][step]))
        here.append(Self.letters(result(heads[program] + step)))
      }
    }
    return "results \(plainly.joined(separator: ", ")) by plain calls, here \(here.joined(separator: ", "))"
  }

  private func early(
    _ programs: [[FuzzCase.Step]], _ heads: [Int], _ plain: ParityExpectation, _ waiting: (program: Int, step: Int)
  ) -> EngineOutcome {
    if plain.isPartial { return .same }
    return .different(
      ParityDifference(
        nature: .doesNotWait, story: "ends where the call waits; \(stories(programs, heads, plain))", plain: "waits",
        here: Self.letters(result(heads[waiting.program] + waiting.step))))
  }

  private func compare(_ tried: FuzzCase, _ plain: ParityExpectation, _ completions: [Taken?]) -> ParityDifference? {
    let programs = tried.programs
    let heads = programs.indices.map { program in programs[..<program].reduce(0) { $0 + $1.count } }
    for (program, steps) in programs.enumerated() {
      for (step, atom) in steps.enumerated() {
        let (here, there) = (result(heads[program] + step), plain.results[program][step] ?? Self.untouched)
        let isEqual =
          atom.call.map { index -> Bool in
            let call = tried.calls[index]
            if tried.isRandom { return (here > 0) == (there > 0) }
            return call.comparable(here) == call.comparable(there)
          } ?? (here == there)
        if !isEqual {
          return ParityDifference(
            nature: .result, story: stories(programs, heads, plain), plain: Self.letters(there), here: Self.letters(here))
        }
      }
      let executed = plain.results[program].filter { $0 != nil }.count
      if let taken = completions[program], taken.executed != executed || taken.reason == .cancelled || taken.reason == .faulted {
        return ParityDifference(nature: .result, story: "\(taken.reason) after \(taken.executed) atoms of \(executed)")
      }
    }
    return nil
  }

  /// Lets go of everything that can be.
  func end() throws {
    if engine.pending == 0 { try engine.close() } else { _ = unsafe Unmanaged.passRetained(engine) }
  }
}
