// Many syslets of every kind in one array, for tests of what becomes of all of them together.

import Glibc
import SysletRing

/// Syslets of which each ends by adding to a mark of its own, so that one that ran twice, or not to its end, shows.
@safe final class Mixture {
  enum Kind: Int, CaseIterable {
    /// Nops, linked.
    case nops
    /// A read from a file and what follows it.
    case file
    /// A read from a pipe into which `release` writes.
    case pipe
    case sleep
    /// fsync, which only a worker makes well.
    case sync
  }

  struct Syslet {
    let kind: Kind
    let head: Int
    let last: Int
    let mark: Word
    let buffer: Buffer?
    let pipe: (read: Int32, write: Int32)?
    var atomCount: Int { last - head + 1 }
  }

  let program: Program
  private(set) var syslets: [Syslet] = []
  private static let bytes = "released"

  init(_ count: Int, kinds: [Kind] = Kind.allCases) {
    program = Program(.direct, capacity: count * 4)
    let file = program.descriptors.file(Array("0123456789".utf8))
    let time = program.buffer(16)
    time.store(Int64(200_000), at: 8)
    for number in 0..<count {
      let kind = kinds[number % kinds.count]
      let (head, mark) = (program.count, program.word(0))
      var (buffer, pipe): (Buffer?, (read: Int32, write: Int32)?)
      switch kind {
      case .nops:
        for _ in 0..<3 { program.atom(noOperation, flags: .stopOnNegative) }
      case .file:
        buffer = program.buffer(8)
        program.atom(SystemCall.pread64, .int(file), .to(buffer!), 4, 2, flags: .stopOnNonPositive)
        program.atom(noOperation)
      case .pipe:
        buffer = program.buffer(8)
        pipe = program.descriptors.pipe()
        program.atom(SystemCall.read, .int(pipe!.read), .to(buffer!), 8, flags: .stopOnNonPositive)
      case .sleep:
        program.atom(SystemCall.nanosleep, .to(time), 0, flags: .stopOnNonzero)
      case .sync:
        program.atom(SystemCall.fsync, .int(file), flags: .stopOnNegative)
      }
      let last = program.atom(umemAdd, .to(mark), 1, next: .end)
      syslets.append(Syslet(kind: kind, head: head, last: last, mark: mark, buffer: buffer, pipe: pipe))
    }
  }

  /// Hands all over, every second one by exec; how many the engine accepted, and the error that ended it.
  func submit(to engine: SysletEngine) -> (accepted: Int, error: EngineError?) {
    for (number, syslet) in syslets.enumerated() {
      do {
        if number % 2 == 0 {
          try engine.enqueue(program, syslet.head)
        } else {
          program.addFlags(.async, to: syslet.head)
          guard try engine.exec(program, syslet.head) == nil else { return (number, nil) }
        }
      } catch { return (number, error as? EngineError) }
    }
    return (syslets.count, nil)
  }

  /// Lets the reads from pipes end.
  func release() {
    let bytes = program.path(Self.bytes)
    for syslet in syslets {
      guard let pipe = syslet.pipe else { continue }
      precondition(plainCall(SystemCall.write, .int(pipe.write), bytes.address, 8) == 8)
    }
  }

  /// The number of the syslet that an atom belongs to.
  func number(_ taken: Taken) -> Int? {
    program.index(taken.atom).flatMap { index in syslets.firstIndex { $0.head <= index && index <= $0.last } }
  }

  /// What is wrong with these completions of the first `accepted` syslets: a syslet has one or, if `mayMiss`, none; one that ended has left its
  /// mark and its bytes, once; any other may only have been cancelled, before its mark.
  func problems(_ taken: [Taken], accepted: Int? = nil, mayCancel: Bool = false, mayMiss: Bool = false) -> [String] {
    var problems: [String] = []
    var seen = [Taken?](repeating: nil, count: syslets.count)
    for completion in taken {
      guard let number = number(completion) else {
        problems.append("a completion of no syslet: \(completion)")
        continue
      }
      if let other = seen[number] { problems.append("syslet \(number) completed twice: \(other), \(completion)") }
      seen[number] = completion
    }
    for (number, syslet) in syslets.enumerated() {
      let isAccepted = number < accepted ?? syslets.count
      let what = "syslet \(number), \(syslet.kind)"
      switch seen[number] {
      case let completion? where completion.reason == .ended:
        if completion.executed != syslet.atomCount || completion.result != 1 || syslet.mark.value != 1 || !isAccepted {
          problems.append("\(what): \(completion), mark \(syslet.mark.value)")
        }
        let expected = syslet.kind == .pipe ? Self.bytes : syslet.kind == .file ? "2345" : nil
        if let buffer = syslet.buffer, buffer.text != expected { problems.append("\(what): read \(buffer.bytes)") }
      case let completion?:
        let isWell = mayCancel && completion.reason == .cancelled && completion.executed < syslet.atomCount && syslet.mark.value == 0
        if !isWell { problems.append("\(what): \(completion), mark \(syslet.mark.value)") }
        if syslet.kind == .pipe, completion.executed == 0, syslet.buffer?.bytes != [0, 0, 0, 0, 0, 0, 0, 0] {
          problems.append("\(what): cancelled, and its buffer was written")
        }
      case nil:
        if isAccepted && !mayMiss || syslet.mark.value != 0 { problems.append("\(what): no completion, mark \(syslet.mark.value)") }
      }
    }
    return problems
  }
}

extension SysletEngine {
  /// Takes completions until nothing is pending: waits that a signal cut short are repeated.
  func takeEverything() throws -> [Taken] {
    var all: [Taken] = []
    let end = ContinuousClock.now + Deadline.usual
    repeat { all += try take(capacity: 512, timeout: .seconds(5)) } while pending > 0 && ContinuousClock.now < end
    while case let some = try take(capacity: 512, timeout: .zero), !some.isEmpty { all += some }
    return all
  }
}
