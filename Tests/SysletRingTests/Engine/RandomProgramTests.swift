// Random programs, run by the oracle and by every backend: same last atom, result, count, reason, memory and files. The seed is printed with
// every failure; SYSLETRING_SEED=N runs one seed alone.

import Foundation
import Glibc
import Testing

@testable import SysletRing

/// A program that is the same for the same seed, in a world of its own.
struct RandomProgram {
  static let stepsMax = 60

  let program: Program
  private(set) var calls: [String] = []
  private let file: Int32

  init(seed: UInt64, _ form: Form, isChecked: Bool) {
    var random = SeededGenerator(seed: seed)
    let p = Program(form)
    program = p
    let content = (0..<48).map { UInt8($0) }
    file = p.descriptors.memory(content)
    let (pipe, words, buffers) = (p.descriptors.pipe(), (0..<5).map { _ in p.word(0) }, (0..<3).map { _ in p.buffer(16) })
    for (index, word) in words.enumerated() { word.value = index - 1 }
    // Variables that are lengths hold only what transfers of at most 16 bytes give, so that no transfer leaves its buffer. (A negative length
    // fails.)
    let lengths = (0..<2).map { _ in p.word(0) }
    for word in lengths { word.value = Int.random(in: 0...8, using: &random) }
    let count = Int.random(in: 2...9, using: &random)

    /// A number, small or in a buffer that other atoms may fill.
    func filledNumber(_ range: ClosedRange<Int>) -> Program.Argument {
      random.chance(15) ? .wild(random.pick(buffers).address) : number(range)
    }

    /// A small number, as it is or in a variable that other atoms may change.
    func number(_ range: ClosedRange<Int>) -> Program.Argument {
      random.chance(35) ? .pointed(random.pick(words)) : .int(Int.random(in: range, using: &random))
    }

    func isTransfer(_ call: String) -> Bool { ["pread64", "pwrite64", "read", "write"].contains(call) }
    func length(_ max: Int) -> Program.Argument {
      random.chance(35) ? .pointed(random.pick(lengths)) : .int(Int.random(in: 0...max, using: &random))
    }

    for index in 0..<count {
      let buffer = random.pick(buffers)
      let call = random.pick([
        "umem_add", "umem_add", "nop", "pread64", "pread64", "pwrite64", "read", "lseek", "fsync", "ftruncate", "write", "close",
      ])
      calls.append(call)
      var arguments: [Program.Argument] = []
      switch call {
      case "umem_add": arguments = [.to(random.pick(words)), filledNumber(-2...2)]
      case "pread64":
        arguments = [.int(random.chance(90) ? file : -1), .to(buffer), length(16), filledNumber(0...50)]
      case "pwrite64": arguments = [.int(random.chance(90) ? file : -1), .to(buffer), length(16), number(0...50)]
      case "read": arguments = [.int(file), .to(buffer), length(16)]
      case "lseek": arguments = [.int(file), number(-1...60), .int(SEEK_SET)]
      case "fsync": arguments = [.int(random.chance(60) ? pipe.write : file)]
      case "ftruncate": arguments = [.int(random.chance(60) ? pipe.write : file), number(20...60)]
      case "write": arguments = [.int(random.chance(70) ? file : -1), .to(buffer), length(8)]
      case "close": arguments = [.int(-1)]
      default: break
      }
      let numbers = [
        "umem_add": umemAdd, "nop": noOperation, "pread64": SystemCall.pread64, "pwrite64": SystemCall.pwrite64, "read": SystemCall.read,
        "lseek": SystemCall.lseek, "fsync": SystemCall.fsync, "ftruncate": SystemCall.ftruncate, "write": SystemCall.write,
        "close": SystemCall.close,
      ]
      var flags: AtomFlags = []
      for (flag, percent) in [
        (AtomFlags.stopOnNegative, 40), (.stopOnNonPositive, 10), (.stopOnZero, 10), (.stopOnNonzero, 5), (.async, 5), (.noComplete, 5),
        (.sync, 3),
      ] where random.chance(percent) { flags.insert(flag) }
      // The last atom has no neighbour.
      if index < count - 1, random.chance(15) { flags.insert(.skipToNextOnStop) }
      let next: Program.Edge =
        random.chance(80) ? .following : random.chance(50) ? .end : .atom(Int.random(in: 0..<count, using: &random))
      p.atom(
        numbers[call]!, list: arguments, flags: flags,
        result: random.chance(60) ? random.pick(isTransfer(call) ? words + lengths : words) : nil, next: next)
    }
    // A few results cannot be stored, where that is not the end of the process.
    for index in 0..<count where random.chance(8) && isChecked { p.setResult(of: index, to: Wild.readOnly) }
    // A few results become arguments of atoms that may come later.
    for index in 0..<count where random.chance(10) {
      let target = Int.random(in: 0..<count, using: &random)
      let position = calls[target] == "umem_add" ? 1 : calls[target] == "pread64" || calls[target] == "pwrite64" ? 2 : -1
      if position >= 0, position == 1 || isTransfer(calls[index]) { p.setResult(of: index, to: p.argumentAddress(of: target, position)) }
    }
  }

  /// What can be seen of its world.
  var world: [String] {
    let content = program.arena.buffer(4096)
    let length = plainCall(SystemCall.pread64, .int(file), content.address, 4096, 0)
    return program.comparedWords.map { "\($0.value)" } + program.comparedBuffers.map { "\($0.bytes)" }
      + ["file \(content.bytes.prefix(max(length, 0)))", "position \(lseek(file, 0, SEEK_CUR))"]
  }
}

@Suite("Random programs", .leavesNothingBehind)
struct RandomProgramTests {
  static let seeds: [UInt64] = {
    if let seed = ProcessInfo.processInfo.environment["SYSLETRING_SEED"].flatMap(UInt64.init) { return [seed] }
    return Array(1...400)
  }()

  @Test("A random program comes to the same on every backend as by the oracle", arguments: SysletEngine.Backend.available)
  func agreesWithOracle(backend: SysletEngine.Backend) throws {
    for isChecked in [false, true] {
      var options = SysletEngine.Options()
      options.backend = backend
      options.isChecked = isChecked
      options.maxSteps = RandomProgram.stepsMax
      let engine = try SysletEngine(options)
      defer { try? engine.close() }
      for seed in Self.seeds {
        // Each seed in one form: all forms occur, and a seed alone repeats a failure.
        let form = Form.allCases[Int(seed % 3)]
        let (reference, tried) = (
          RandomProgram(seed: seed, form, isChecked: isChecked), RandomProgram(seed: seed, form, isChecked: isChecked)
        )
        let verdict = Oracle.interpret(reference.program.address(0), form.layout, stepsMax: RandomProgram.stepsMax)
        let last = reference.program.index(verdict.atom)
        let context = "SYSLETRING_SEED=\(seed), \(backend), \(form), checked \(isChecked):\n\(engine.explain(tried.program))"

        let returned = seed % 2 == 0 ? try engine.exec(tried.program) : nil
        if seed % 2 == 1 { try engine.enqueue(tried.program) }
        let taken = try engine.take()
        if let returned {
          #expect(returned == last, "\(context)")
          #expect(taken == [], "\(context)")
          #expect(verdict.reason == .ended || verdict.reason == .stopped, "\(context)")
        } else {
          #expect(taken.count == (verdict.posts ? 1 : 0), "\(context)")
          if let completion = taken.first {
            #expect(tried.program.index(completion.atom) == last, "\(context)")
            #expect(completion.result == verdict.result, "\(context)")
            #expect(completion.executed == verdict.executed, "\(context)")
            #expect(completion.reason == verdict.reason, "\(context)")
          }
        }
        #expect(tried.world == reference.world, "\(context)")
        #expect(engine.pending == 0, "\(context)")
      }
    }
  }
}
