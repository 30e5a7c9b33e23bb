// One case of the parity fuzzer: the same for the same seed, and smaller ones that may show the same.

import Glibc

@testable import SysletRing

struct FuzzCase: Equatable {
  /// How the call is handed over, and in which company.
  enum Shape: String, CaseIterable, Sendable {
    case exec, enqueue
    /// Among 31 others that do nothing.
    case crowd
    /// Between two others, nothing stops; or a negative result does.
    case behindHard, behindSoft
    /// Two calls on one descriptor: one after the other in one syslet, nothing stops or a negative result does; in two syslets at once.
    case chainHard, chainSoft, pair
  }

  /// What another thread does meanwhile, so that what waits ends.
  enum Event: Equatable {
    case ofKind(Int)
    case ofCall
  }

  struct Step: Equatable {
    /// nil: a no-op.
    var call: Int?
    var stopsOnNegative = false
  }

  var kind: ParityKind
  var other: ParityKind
  var states: ParityStates = []
  var calls: [FuzzCall]
  var shape: Shape
  var event: Event?
  /// Names are in a directory in memory.
  var isInMemory = false

  init(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    kind = random.pick(ParityKind.usual)
    let groups = kind.groups
    let isSystemWide = kind.isSystemWide
    func form(_ random: inout SeededGenerator, _ wanted: [ParityForm.Group]) -> ParityForm {
      // The machine's own files are read and written as their permissions allow, and nothing about them is changed.
      let all = isSystemWide ? ParityForm.all.filter { !$0.changesFile } : ParityForm.all
      let forms = random.chance(75) ? all.filter { wanted.contains($0.group) || $0.group == .any } : all
      var ticket = random.below(forms.reduce(0) { $0 + $1.weight })
      return forms.first { form in
        ticket -= form.weight
        return ticket < 0
      }!
    }
    shape = random.pick([.exec, .enqueue, .enqueue, .crowd, .behindHard, .behindSoft, .behindSoft, .chainHard, .chainSoft, .pair])
    let isTwo = shape == .chainHard || shape == .chainSoft || shape == .pair
    var forms = [form(&random, groups)]
    if isTwo { forms.append(random.chance(50) ? forms[0] : form(&random, groups)) }
    calls = []
    for (position, form) in forms.enumerated() { calls.append(form.call(position: position, &random)) }
    other =
      random.chance(40)
      ? kind : random.pick([.pipeReadData, .pipeWrite, .regular, .tmpfs, .streamData, .eventCount, .pipeReadLonely, .devNull])
    for (state, percent) in [
      (ParityStates.receiveLowWater, kind.isSocket ? 12 : 0), (.receiveTimeout, kind.isSocket ? 6 : 0),
      (.sendTimeout, kind.isSocket ? 4 : 0),
      (.fileSizeLimit, kind.isSeekable ? 8 : 1), (.append, kind.isSeekable ? 4 : 1), (.middle, kind.isSeekable ? 12 : 0),
      (.atEnd, kind.isSeekable ? 6 : 0), (.otherNonblocking, 40),
    ] where random.chance(percent) { states.insert(state) }
    if kind.mayWait {
      // Few cases wait: each takes some milliseconds.
      if kind.eventCount > 0, random.chance(12) {
        event = .ofKind(random.below(kind.eventCount))
      } else if random.chance(88) {
        states.insert(.nonblocking)
      }
    } else if random.chance(10) {
      states.insert(.nonblocking)
    }
    if event == nil, calls.contains(where: { !$0.event.isEmpty }), random.chance(40) { event = .ofCall }
    isInMemory = random.chance(50)
    // How much TCP takes of what reaches past the program's memory depends on what it has sent so far: 60,526 or 65,536 bytes behind the same 5,000.
    if [.tcpEmpty, .tcpData].contains(kind) {
      for index in calls.indices where ["write", "sendto"].contains(calls[index].name) {
        if case .number(let count) = calls[index].arguments[2], !(0...8192).contains(count) { calls[index].arguments[2] = .number(8192) }
      }
    }
    // Which of two comes to an end by an event is a matter of time.
    if shape == .pair { event = nil }
    // What a descriptor is while another syslet closes it is nobody's promise.
    if shape == .pair, calls.contains(where: { ["close", "shutdown", "vmsplice"].contains($0.name) }) { shape = .chainHard }
    // What is copied between two files is copied in several steps, between which another call may come.
    if shape == .pair, calls.contains(where: { ["sendfile", "copy_file_range"].contains($0.name) }) { shape = .chainHard }
  }

  var usesOther: Bool { calls.contains(where: \.usesOther) }

  /// The syslets of the case.
  var programs: [[Step]] {
    switch shape {
    case .exec, .enqueue: return [[Step(call: 0)]]
    case .crowd:
      var crowd = [[Step]](repeating: [Step(call: nil)], count: 31)
      crowd.insert([Step(call: 0)], at: 16)
      return crowd
    case .behindHard: return [[Step(call: nil), Step(call: 0), Step(call: nil)]]
    case .behindSoft:
      return [[Step(call: nil, stopsOnNegative: true), Step(call: 0, stopsOnNegative: true), Step(call: nil, stopsOnNegative: true)]]
    case .chainHard: return [[Step(call: 0), Step(call: 1)]]
    case .chainSoft: return [[Step(call: 0, stopsOnNegative: true), Step(call: 1, stopsOnNegative: true)]]
    case .pair: return [[Step(call: 0)], [Step(call: 1)]]
    }
  }

  /// Whether what is read of it is never twice the same, and what is moved from it to elsewhere.
  var isRandom: Bool { kind.isRandom || usesOther && other.isRandom }

  /// What cannot be compared in the memory.
  var masks: [Range<Int>] {
    calls.flatMap(\.masks) + (isRandom ? [0..<ParityArena.Place.observed] : [])
  }

  // MARK: making it smaller

  /// Simpler cases that may show the same, the boldest first.
  var smaller: [FuzzCase] {
    var all: [FuzzCase] = []
    func add(_ change: (inout FuzzCase) -> Void) {
      var candidate = self
      change(&candidate)
      if candidate != self { all.append(candidate) }
    }
    if calls.count == 2 {
      add {
        $0.calls.removeLast()
        $0.shape = .enqueue
      }
      add { $0.shape = .chainHard }
    } else {
      add { $0.shape = .enqueue }
      if shape != .enqueue { add { $0.shape = .exec } }
    }
    for state in ParityStates.all where states.contains(state) { add { $0.states.remove(state) } }
    add { $0.event = nil }
    for index in calls.indices {
      for position in calls[index].arguments.indices {
        switch calls[index].arguments[position] {
        // Never one that may be a descriptor: 0 is one of the process's own.
        case .number(let value) where value > 0 && value != 9999 && calls[index].number != SystemCall.madvise:
          add { $0.calls[index].arguments[position] = .number(0) }
        case .at(let offset) where offset < ParityArena.Place.structures[0] && offset % 4096 != 0:
          add { $0.calls[index].arguments[position] = .at(offset & ~4095) }
        default: break
        }
      }
    }
    return all
  }

  var description: String {
    var line = "\(kind)"
    if !states.isEmpty { line += " [\(states)]" }
    line += ": " + calls.map(\.description).joined(separator: shape == .pair ? " | " : " → ")
    if usesOther { line += ", OTHER \(other)" }
    switch event {
    case .ofKind(let number): line += ", event \(number)"
    case .ofCall: line += ", its event"
    case nil: break
    }
    return line + ", \(shape)\(isInMemory ? ", names in memory" : "")"
  }
}
