// One system call of the parity fuzzer as data, and what makes one at random.

import CTestSupport
import Glibc

@testable import SysletRing

struct FuzzCall: Equatable {
  enum Argument: Equatable {
    case number(Int)
    /// The descriptor under test, and the second one.
    case subject, other
    /// An address in the arena.
    case at(Int)
    case null, inaccessible, readOnly
  }

  /// What is put into the arena before.
  enum Content: Equatable {
    case bytes([UInt8])
    case word(Int)
    case half(Int32)
    /// An address in the arena, or another argument.
    case argument(Argument)
    /// A descriptor as an int, or as a bit of a set.
    case descriptor(Argument)
    case bit(Argument)
  }

  struct Store: Equatable {
    var offset: Int
    var content: Content
  }

  /// How much of its result can be compared.
  enum ResultKind: Equatable { case exact, sign }

  var name: String
  var number: Int
  var arguments: [Argument] = []
  var stores: [Store] = []
  /// What differs from one time to the next.
  var masks: [Range<Int>] = []
  var result = ResultKind.exact
  /// Another thread's call that ends its waiting.
  var event: [Argument] = []
  var note = ""

  var usesOther: Bool { arguments.contains(.other) || stores.contains { $0.content == .descriptor(.other) } }

  /// What the call gives, as far as it can be compared.
  func comparable(_ result: Int) -> Int { self.result == .sign && result > 0 ? 1 : result }

  var description: String {
    let words = arguments.map { argument -> String in
      switch argument {
      case .number(let value): value.magnitude < 1 << 20 ? "\(value)" : "0x\(String(UInt(bitPattern: value), radix: 16))"
      case .subject: "SUBJECT"
      case .other: "OTHER"
      case .at(let offset): "&\(Self.place(offset))"
      case .null: "NULL"
      case .inaccessible: "UNMAPPED"
      case .readOnly: "READONLY"
      }
    }
    return "\(name)(\(words.joined(separator: ", ")))\(note.isEmpty ? "" : " {\(note)}")"
  }

  private static func place(_ offset: Int) -> String {
    switch offset {
    case 0: "a"
    case ParityArena.Place.buffers[1]: "b"
    case ParityArena.Place.half: "half"
    case ..<ParityArena.Place.buffers[1]: "a+\(offset)"
    case ..<ParityArena.Place.structures[0]: "b+\(offset - ParityArena.Place.buffers[1])"
    default: "s+\(String(offset - ParityArena.Place.structures[0], radix: 16))"
    }
  }
}

let directFlag = Int(test_direct_flag())

/// A row of the fuzzer's catalogue.
struct ParityForm: Sendable {
  /// Which calls make sense on which descriptors.
  enum Group: Sendable { case transfer, positioned, file, directory, name, socket, listener, wait, queue, splice, any, timer }

  let name: String
  let number: Int
  let group: Group
  let weight: Int
  let make: @Sendable (inout ParityMaker) -> [FuzzCall.Argument]

  init(
    _ name: String, _ number: Int, _ group: Group, weight: Int = 2, _ make: @escaping @Sendable (inout ParityMaker) -> [FuzzCall.Argument]
  ) {
    (self.name, self.number, self.group, self.weight, self.make) = (name, number, group, weight, make)
  }

  /// Whether it changes more of a file than its content, or a name relative to a descriptor.
  var changesFile: Bool { group == .name || ["fchmod", "fsetxattr", "fallocate", "ftruncate"].contains(name) }

  /// Calls that this architecture does not have are left out.
  static let all = (transfers + files + names + sockets + waits + others).filter { $0.number >= 0 }

  func call(position: Int, _ random: inout SeededGenerator) -> FuzzCall {
    var maker = ParityMaker(random: random, position: position, call: FuzzCall(name: name, number: number))
    maker.call.arguments = make(&maker)
    random = maker.random
    return maker.call
  }
}

/// Picks arguments for one call, mostly such as make sense.
struct ParityMaker {
  typealias Argument = FuzzCall.Argument

  var random: SeededGenerator
  /// 0 for the first call of a case, 1 for the second.
  let position: Int
  var call: FuzzCall

  var structures: Int { ParityArena.Place.structures[position] }
  var mainBuffer: Int { ParityArena.Place.buffers[position] }

  mutating func subject() -> Argument { random.chance(2) ? .number(random.pick([-1, 9999])) : .subject }

  mutating func number(_ values: [Int]) -> Argument { .number(random.pick(values)) }

  /// `common` most of the time, otherwise one of the others.
  mutating func mostly(_ common: Int, _ rare: [Int]) -> Argument { .number(random.chance(60) ? common : random.pick(rare)) }

  mutating func length() -> Argument {
    if random.chance(4) { return number([0x7fff_f000, 0x8000_1000, 0x1_0000_0010, Int(Int32.max), -1]) }
    return number([0, 1, 8, 10, 64, 512, 4095, 4096, 4096, 5000, 8192, 65_536])
  }

  mutating func offset() -> Argument {
    number([0, 0, 0, 1, 8, 512, 2500, 4096, 4999, 5000, 5001, 8192, 1 << 20, -1, -2, Int.min, Int.max, Int.max - 4096, 1 << 40])
  }

  mutating func buffer() -> Argument {
    switch random.below(40) {
    case 0: .null
    case 1: .inaccessible
    case 2: .readOnly
    case 3: .at(ParityArena.Place.half)
    case 4, 5: .at(mainBuffer + 1)
    case 6: .at(mainBuffer + 512)
    default: .at(mainBuffer)
    }
  }

  mutating func store(_ content: FuzzCall.Content, _ offset: Int) {
    call.stores.append(FuzzCall.Store(offset: structures + offset, content: content))
  }

  mutating func note(_ text: String) { call.note += call.note.isEmpty ? text : ", \(text)" }

  /// An array of iovecs at `offset` of the structures: its address and its count.
  mutating func vector(at offset: Int = 0) -> [Argument] {
    let count = random.pick([0, 1, 1, 1, 2, 2, 3])
    for index in 0..<count {
      let length = random.pick([0, 1, 8, 512, 2048, 4096, 4096, 5000])
      let place = index == 0 ? buffer() : .at(mainBuffer + 0x3000 * index)
      store(.argument(place), offset + 16 * index)
      store(.word(length), offset + 16 * index + 8)
      note("iov \(place) \(length)")
    }
    if random.chance(3) { return [.at(structures + offset), number([-1, 1025, 4096])] }
    return [random.chance(3) ? random.pick([.null, .inaccessible]) : .at(structures + offset), .number(count)]
  }

  mutating func transferFlags() -> Argument { mostly(0, [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, Int(Int32.min)]) }

  mutating func messageFlags() -> Argument {
    mostly(
      0,
      [
        1, 2, 0x20, 0x40, 0x100, 0x102, 0x42, 0x22, 0x2000, 0x2040, 0x4000, 0x80, 0x8000, 0x4000_0000, 0x800, 0x400_0000, 0x4_0000, 0x140,
        0x120, 0x102, 0x8000_0000,
      ])
  }

  /// A name in the folder, never an absolute one, or one that leads out of it: the calls remove, make and rename what they find, as root.
  /// File "a" of 10 bytes, directory "d", link "l" to "a", dangling link "m", FIFO "p".
  mutating func path(at offset: Int = 0x340) -> Argument {
    if random.chance(3) { return random.pick([.null, .inaccessible]) }
    let name = random.pick(["a", "a", "a", "b", "b", "d", "d/x", "d", "l", "m", "p", "p", "", "a/", "a/x", "missing/x", "."])
    store(.bytes(Array(name.utf8) + [0]), offset)
    note("\"\(name)\"")
    return .at(structures + offset)
  }

  mutating func folder() -> Argument { random.chance(80) ? .number(-100) : random.chance(70) ? .subject : .number(-1) }

  mutating func openFlags() -> Argument {
    let access = random.pick([O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, 3])
    var flags = Int(access)
    // The numbers are O_PATH, O_TMPFILE and O_SYNC.
    for flag in [
      O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, Int32(directFlag), O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, 0o10000000,
      0o20000000 | O_DIRECTORY, 0o4010000,
    ] where random.chance(12) { flags |= Int(flag) }
    return .number(flags)
  }

  /// The address that a socket call writes to, and the length's: both, or neither.
  mutating func peerAddress() -> [Argument] {
    guard random.chance(40) else { return [.null, .null] }
    let length = random.pick([0, 2, 16, 110, 128, -1])
    store(.half(Int32(length)), 0x300)
    // Ports and names that the kernel chose.
    call.masks.append(structures + 0x282..<structures + 0x290)
    note("address of \(length)")
    return [.at(structures + 0x280), random.chance(5) ? .null : .at(structures + 0x300)]
  }

  /// A time of `nanoseconds` at an offset of the structures.
  mutating func time(at offset: Int = 0x320, _ nanoseconds: [Int] = [0, 1, 100_000, 1_000_000]) -> Argument {
    if random.chance(4) { return random.pick([.null, .inaccessible]) }
    let picked = random.pick(nanoseconds)
    let isBad = random.chance(4)
    store(.word(isBad ? -1 : 0), offset)
    store(.word(picked), offset + 8)
    note("time \(isBad ? "-1 s and " : "")\(picked) ns")
    return .at(structures + offset)
  }
}
