// A random program as data: it can be built again and again, in a real world or a simulated one, made smaller, and printed.

import Glibc

@testable import SysletRing

/// What a program's descriptors name. Both worlds have one of each.
enum Thing: Int, CaseIterable, Sendable {
  /// 48 bytes.
  case file
  /// Another file, of 16 bytes.
  case other
  /// The reading end of a pipe with 12 bytes in it, and nobody to write more.
  case source
  /// The writing end of a pipe, which cannot be synchronised or truncated.
  case sink
  /// A stream socket at which 10 bytes and then the end arrive.
  case socket
  /// A directory with the files "a" and "b" and the directory "c" in it.
  case folder
}

struct Recipe: Equatable {
  /// Memory of the program, by what may safely happen to it.
  enum Memory: Hashable {
    /// Holds any number.
    case word(Int)
    /// Holds only what transfers give, so that no transfer leaves its buffer.
    case length(Int)
    /// Holds only what openat gives.
    case descriptor(Int)
    /// 16 bytes.
    case buffer(Int)
    /// A name, of up to 16 bytes.
    case path(Int)
    /// Where an atom has the value of an argument, its user's word, its flags.
    case argument(atom: Int, Int)
    case userWord(atom: Int)
    case flags(atom: Int)
    /// Cannot be written. For checked engines.
    case readOnly
  }

  enum Argument: Equatable {
    case number(Int)
    case thing(Thing)
    case address(Memory)
    /// Behind a pointer, so that it is loaded when the atom is reached.
    case valueOf(Memory)
  }

  enum Edge: Equatable {
    case following, end
    case atom(Int)
  }

  struct AtomRecipe: Equatable {
    var call: String
    var arguments: [Argument]
    var flags: AtomFlags = []
    var result: Memory? = nil
    var next = Edge.following
  }

  /// What a simulated world does to the n-th call that takes effect in it.
  enum Fault: Equatable {
    /// A transfer moves so many bytes at the most.
    case short(Int)
    case failure(Int32)
    /// On the ring, the call has to wait so many times before it can be made.
    case delay(Int)
  }

  static let wordCount = 5
  static let lengthCount = 2
  static let descriptorCount = 2
  static let bufferCount = 3
  static let pathCount = 2
  static let stepsMax = 60

  var form: Form
  var isChecked = false
  var lengths: [Int]
  var atoms: [AtomRecipe]
  var faults: [Int: Fault] = [:]

  static let numbers: [String: Int] = [
    "umem_add": umemAdd, "nop": noOperation, "pread64": SystemCall.pread64, "pwrite64": SystemCall.pwrite64, "read": SystemCall.read,
    "write": SystemCall.write, "lseek": SystemCall.lseek, "fsync": SystemCall.fsync, "fdatasync": SystemCall.fdatasync,
    "ftruncate": SystemCall.ftruncate, "close": SystemCall.close, "openat": SystemCall.openat, "renameat2": SystemCall.renameat2,
    "unlinkat": SystemCall.unlinkat, "mkdirat": SystemCall.mkdirat, "recvfrom": SystemCall.recvfrom, "sendto": SystemCall.sendto,
    "nanosleep": SystemCall.nanosleep, "unknown": 9999, "fork": SystemCall.clone,
  ]
}

// MARK: - Making one at random

extension Recipe {
  /// A program that is the same for the same seed.
  init(seed: UInt64, isChecked: Bool, hasFaults: Bool) {
    var random = SeededGenerator(seed: seed)
    self.init(form: random.pick(Form.allCases), isChecked: isChecked, lengths: [], atoms: [])
    lengths = (0..<Self.lengthCount).map { _ in random.below(9) }
    let count = 2 + random.below(8)
    for index in 0..<count { atoms.append(Self.atom(index, of: count, isChecked: isChecked, &random)) }
    for index in 0..<count { addFlow(index, &random) }
    // What is read into an atom keeps its length: more would be read over the fields behind.
    for index in 0..<count {
      guard case .argument(let target, 2) = atoms[index].result, case .address(let memory) = atoms[target].arguments[1] else { continue }
      if case .buffer = memory { continue }
      atoms[index].result = nil
    }
    if hasFaults {
      for call in 0..<12 where random.chance(15) {
        faults[call] = random.pick([
          .short(1 + random.below(7)), .failure(random.pick([EINTR, EIO, ENOSPC, EAGAIN])), .delay(1 + random.below(3)),
        ])
      }
    }
  }

  private static func atom(_ index: Int, of count: Int, isChecked: Bool, _ random: inout SeededGenerator) -> AtomRecipe {
    func number(_ low: Int, _ high: Int) -> Argument {
      if random.chance(30) { return .valueOf(.word(random.below(wordCount))) }
      return .number(low + random.below(high - low + 1))
    }
    /// A number that may lie in a buffer that other atoms fill.
    func filledNumber(_ low: Int, _ high: Int) -> Argument {
      random.chance(12) ? .valueOf(.buffer(random.below(bufferCount))) : number(low, high)
    }
    func length(_ max: Int) -> Argument {
      random.chance(30) ? .valueOf(.length(random.below(lengthCount))) : .number(random.below(max + 1))
    }
    func opened(_ things: [Thing]) -> Argument {
      if random.chance(6) { return .number(-1) }
      return random.chance(12) ? .valueOf(.descriptor(random.below(descriptorCount))) : .thing(random.pick(things))
    }
    func buffer() -> Argument { .address(.buffer(random.below(bufferCount))) }
    func path() -> Argument { .address(.path(random.below(pathCount))) }

    let call = random.pick([
      "umem_add", "umem_add", "nop", "nop", "pread64", "pread64", "pread64", "pwrite64", "pwrite64", "read", "read", "write", "lseek",
      "fsync", "fsync", "fdatasync", "ftruncate", "close", "openat", "renameat2", "unlinkat", "mkdirat", "recvfrom", "recvfrom", "sendto",
      "nanosleep", "unknown", "fork",
    ])
    var arguments: [Argument]
    switch call {
    case "umem_add": arguments = [.address(.word(random.below(wordCount))), filledNumber(-2, 2)]
    case "pread64": arguments = [opened([.file, .file, .other, .source]), buffer(), length(16), filledNumber(0, 50)]
    case "pwrite64": arguments = [opened([.file, .file, .other, .sink]), buffer(), length(16), number(0, 50)]
    case "read": arguments = [opened([.file, .source, .socket]), buffer(), length(16)]
    case "write": arguments = [opened([.file, .sink, .other]), buffer(), length(8)]
    case "lseek": arguments = [opened([.file, .other, .source]), number(-1, 60), .number(Int(SEEK_SET))]
    case "fsync", "fdatasync": arguments = [opened([.file, .sink, .sink, .socket])]
    case "ftruncate": arguments = [opened([.file, .sink]), number(20, 60)]
    case "close": arguments = [random.chance(40) ? .number(-1) : .valueOf(.descriptor(random.below(descriptorCount)))]
    case "openat":
      arguments = [.thing(.folder), path(), .number(Int(O_RDWR | O_CLOEXEC | (random.chance(40) ? O_CREAT : 0))), .number(0o600)]
    case "renameat2": arguments = [.thing(.folder), path(), .thing(.folder), path(), .number(0)]
    case "unlinkat": arguments = [.thing(.folder), path(), .number(0)]
    case "mkdirat": arguments = [.thing(.folder), path(), .number(0o700)]
    case "recvfrom":
      arguments = [
        .thing(.socket), buffer(), length(16), .number(random.chance(50) ? Int(MSG_WAITALL) : 0), .number(0), .number(0),
      ]
    // Its length is never a variable: of a negative one, sendto makes 2 GiB, and waits until somebody has taken them.
    case "sendto":
      arguments = [.thing(.socket), buffer(), .number(random.below(9)), .number(Int(MSG_NOSIGNAL)), .number(0), .number(0)]
    case "nanosleep": arguments = [.address(.buffer(bufferCount)), .number(0)]
    default: arguments = []
    }
    var flags: AtomFlags = []
    for (flag, percent) in [
      (AtomFlags.stopOnNegative, 40), (.stopOnNonPositive, 10), (.stopOnZero, 10), (.stopOnNonzero, 5), (.async, 5), (.noComplete, 5),
      (.sync, 3),
    ] where random.chance(percent) { flags.insert(flag) }
    // The last atom has no neighbour.
    if index < count - 1, random.chance(15) { flags.insert(.skipToNextOnStop) }
    var result: Memory?
    if call == "openat" {
      result = random.chance(80) ? .descriptor(random.below(descriptorCount)) : nil
    } else if random.chance(50) {
      result = isTransfer(call) && random.chance(30) ? .length(random.below(lengthCount)) : .word(random.below(wordCount))
    }
    if isChecked, random.chance(5) { result = .readOnly }
    let next: Edge = random.chance(80) ? .following : random.chance(50) ? .end : .atom(random.below(count))
    return AtomRecipe(call: call, arguments: arguments, flags: flags, result: result, next: next)
  }

  /// Lets an atom's result, or what it reads, become part of an atom that may come later.
  private mutating func addFlow(_ index: Int, _ random: inout SeededGenerator) {
    let target = random.below(atoms.count)
    let call = atoms[index].call
    if random.chance(8), call != "openat" {
      switch atoms[target].call {
      case "umem_add": atoms[index].result = .argument(atom: target, 1)
      case "pread64", "pwrite64", "read", "write":
        if Self.isTransfer(call) { atoms[index].result = .argument(atom: target, 2) }
      default: atoms[index].result = .userWord(atom: target)
      }
    }
    guard call == "pread64" || call == "read", random.chance(20) else { return }
    if random.chance(50) {
      // A byte of a file becomes a name, or an atom's flags: what the files hold are valid ones, without a skip.
      atoms[index].arguments[1] = .address(.path(random.below(Self.pathCount)))
      atoms[index].arguments[2] = .number(1 + random.below(7))
    } else {
      atoms[index].arguments[1] = .address(.flags(atom: target))
      atoms[index].arguments[2] = .number(1)
    }
  }

  private static func isTransfer(_ call: String) -> Bool {
    ["pread64", "pwrite64", "read", "write", "recvfrom", "sendto"].contains(call)
  }

  /// Whether it may open or close descriptors.
  var opensFiles: Bool { atoms.contains { $0.call == "openat" || $0.call == "close" } }
  var usesFolder: Bool { atoms.contains { $0.arguments.contains(.thing(.folder)) } }
}

// MARK: - Making one smaller

extension Recipe {
  /// Smaller programs that may show the same, the boldest first.
  var smaller: [Recipe] {
    var all: [Recipe] = []
    func add(_ change: (inout Recipe) -> Void) {
      var recipe = self
      change(&recipe)
      if recipe != self { all.append(recipe) }
    }
    for index in atoms.indices.reversed() where atoms.count > 1 { add { $0.remove(index) } }
    for call in faults.keys.sorted() { add { $0.faults[call] = nil } }
    for index in atoms.indices {
      add { $0.atoms[index].next = .following }
      add { $0.atoms[index].next = .end }
      add { $0.atoms[index].result = nil }
      for bit in 0..<8 { add { $0.atoms[index].flags.subtract(AtomFlags(rawValue: 1 << UInt32(bit))) } }
      add { $0.atoms[index] = AtomRecipe(call: "nop", arguments: [], flags: self.atoms[index].flags, next: self.atoms[index].next) }
      for (position, argument) in atoms[index].arguments.enumerated() {
        // 0 would be a descriptor of the process's.
        if case .valueOf = argument { add { $0.atoms[index].arguments[position] = .number(position == 0 ? -1 : 0) } }
        if case .number(let value) = argument, value > 1 { add { $0.atoms[index].arguments[position] = .number(1) } }
      }
    }
    add { $0.form = .direct }
    return all
  }

  /// Takes an atom out; what led to it leads to the one behind it.
  private mutating func remove(_ removed: Int) {
    func isGone(_ memory: Memory) -> Bool {
      switch memory {
      case .argument(let atom, _), .userWord(let atom), .flags(let atom): atom == removed
      default: false
      }
    }
    func moved(_ memory: Memory) -> Memory {
      switch memory {
      case .argument(let atom, let position): .argument(atom: atom > removed ? atom - 1 : atom, position)
      case .userWord(let atom): .userWord(atom: atom > removed ? atom - 1 : atom)
      case .flags(let atom): .flags(atom: atom > removed ? atom - 1 : atom)
      default: memory
      }
    }
    atoms.remove(at: removed)
    for index in atoms.indices {
      if case .atom(let target) = atoms[index].next {
        let moved = target > removed ? target - 1 : target
        atoms[index].next = moved < atoms.count ? .atom(moved) : .end
      }
      if let result = atoms[index].result { atoms[index].result = isGone(result) ? nil : moved(result) }
      for (position, argument) in atoms[index].arguments.enumerated() {
        guard case .address(let memory) = argument else { continue }
        atoms[index].arguments[position] = .address(isGone(memory) ? .buffer(0) : moved(memory))
      }
    }
    if let last = atoms.indices.last { atoms[last].flags.subtract(.skipToNextOnStop) }
  }
}

// MARK: - Printing

extension Recipe: CustomStringConvertible {
  var description: String {
    var lines = ["\(form)\(isChecked ? ", checked" : ""), lengths \(lengths)"]
    for (index, atom) in atoms.enumerated() {
      var line = "\(index): \(atom.call)(\(atom.arguments.map(Self.text).joined(separator: ", ")))"
      if let result = atom.result { line += " → \(result)" }
      if atom.flags != [] { line += " [\(atom.flags)]" }
      switch atom.next {
      case .following: break
      case .end: line += " end"
      case .atom(let target): line += " next \(target)"
      }
      lines.append(line)
    }
    for (call, fault) in faults.sorted(by: { $0.key < $1.key }) { lines.append("call \(call) of the world: \(fault)") }
    return lines.joined(separator: "\n")
  }

  private static func text(_ argument: Argument) -> String {
    switch argument {
    case .number(let value): "\(value)"
    case .thing(let thing): "\(thing)"
    case .address(let memory): "&\(memory)"
    case .valueOf(let memory): "*\(memory)"
    }
  }
}
