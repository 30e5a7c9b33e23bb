// What a random program works on: real descriptors, or simulated ones.

import CTestSupport
import Glibc

@testable import SysletRing

protocol World: AnyObject {
  /// The descriptor of a thing.
  func descriptor(_ thing: Thing) -> UInt64
  /// The result of a call in this world; nil for one that only the real kernel can answer.
  func call(_ number: Int, _ arguments: [UInt64]) -> Int?
  /// What can be seen of it.
  func look(_ view: inout View)
}

/// What can be seen of a program and its world. Text is made of it only when two differ: it would be most of a fuzzer's time.
struct View: Equatable {
  enum Item: Equatable {
    case number(StaticString, Int, Int)
    case bytes(StaticString, Int, [UInt8])

    static func == (one: Item, other: Item) -> Bool {
      switch (one, other) {
      case (.number(_, _, let one), .number(_, _, let other)): one == other
      case (.bytes(_, _, let one), .bytes(_, _, let other)): one == other
      default: false
      }
    }
  }

  private var items: [Item] = []

  mutating func add(_ name: StaticString, index: Int = 0, _ number: Int) {
    items.append(.number(name, index, SimulatedWorld.plain(number)))
  }
  mutating func add(_ name: StaticString, index: Int = 0, _ content: [UInt8]) { items.append(.bytes(name, index, content)) }

  /// Where this is not what the oracle saw.
  func differences(_ expected: View) -> [String] {
    zip(items, expected.items).filter { $0 != $1 }.map { "\($0), and by the oracle \($1)" }
      + (items.count == expected.items.count ? [] : ["more is seen than by the oracle, or less"])
  }
}

extension World {
  static var fileContent: [UInt8] { (0..<32).map { UInt8($0) } + Array("abcabcabcab\0abc\0".utf8).prefix(16) }
  static var otherContent: [UInt8] { (0..<16).map { UInt8(($0 * 7) % 32) } }
  static var pipeContent: [UInt8] { Array("cab\0bca\0abc\0".utf8) }
  static var socketContent: [UInt8] { (0..<10).map { UInt8(20 + $0) } }
}

/// A recipe's program, laid out in a world.
final class BuiltProgram {
  let recipe: Recipe
  let world: any World
  let program: Program
  private var memory: [Recipe.Memory: UInt64] = [:]
  private var words: [Word] = []
  private var buffers: [Buffer] = []

  init(_ recipe: Recipe, in world: any World) {
    self.recipe = recipe
    self.world = world
    program = Program(recipe.form, capacity: recipe.atoms.count + 1)
    func word(_ memory: Recipe.Memory, _ value: Int) {
      let word = program.arena.word(value)
      self.memory[memory] = word.address
      words.append(word)
    }
    func buffer(_ memory: Recipe.Memory, _ bytes: [UInt8]) {
      let buffer = program.arena.buffer(bytes: bytes)
      self.memory[memory] = buffer.address
      buffers.append(buffer)
    }
    for index in 0..<Recipe.wordCount { word(.word(index), index - 1) }
    for (index, value) in recipe.lengths.enumerated() { word(.length(index), value) }
    for index in 0..<Recipe.descriptorCount { word(.descriptor(index), -1) }
    for index in 0..<Recipe.bufferCount { buffer(.buffer(index), [UInt8](repeating: 0, count: 16)) }
    // The time that a sleep takes: one nanosecond.
    buffer(.buffer(Recipe.bufferCount), [UInt8](repeating: 0, count: 8) + [1, 0, 0, 0, 0, 0, 0, 0])
    for index in 0..<Recipe.pathCount { buffer(.path(index), Array((index == 0 ? "a" : "d").utf8) + [UInt8](repeating: 0, count: 16)) }
    memory[.readOnly] = Wild.readOnly

    for atom in recipe.atoms {
      let arguments = atom.arguments.map { argument -> Program.Argument in
        switch argument {
        case .number(let value): .int(value)
        case .thing(let thing): .value(world.descriptor(thing))
        // Atoms that are not there yet are filled in below.
        case .address(let memory): .value(self.memory[memory] ?? 0)
        case .valueOf(let memory): .wild(self.memory[memory]!)
        }
      }
      let next: Program.Edge =
        switch atom.next {
        case .following: .following
        case .end: .end
        case .atom(let index): .atom(index)
        }
      program.atom(Recipe.numbers[atom.call]!, list: arguments, flags: atom.flags, next: next)
    }
    for (index, atom) in recipe.atoms.enumerated() {
      if let result = atom.result { program.setResult(of: index, to: address(result)) }
      for (position, argument) in atom.arguments.enumerated() {
        if case .address(let memory) = argument, self.memory[memory] == nil {
          program.setArgument(of: index, position, to: address(memory))
        }
      }
    }
  }

  private func address(_ memory: Recipe.Memory) -> UInt64 {
    switch memory {
    // What a prepared syslet has read once, it must not write.
    case .argument where recipe.form == .prepared, .userWord where recipe.form.isPrepared, .flags where recipe.form.isPrepared:
      self.memory[.buffer(0)]!
    case .argument(let atom, let position): program.argumentAddress(of: atom, position)
    case .userWord(let atom): program.address(atom) + UInt64(Program.Offset.userWord)
    case .flags(let atom): program.address(atom)
    default: self.memory[memory]!
    }
  }

  /// The user's word of an atom, as it is now.
  func userWord(_ index: Int) -> Int {
    Int(truncatingIfNeeded: loadWord(program.address(index) + UInt64(Program.Offset.userWord)))
  }

  /// What can be seen now.
  var view: View {
    var view = View()
    for (index, word) in words.enumerated() { view.add("word, length or descriptor", index: index, word.value) }
    for (index, buffer) in buffers.enumerated() { view.add("buffer, time or path", index: index, buffer.bytes) }
    world.look(&view)
    return view
  }
}

private func loadWord(_ address: UInt64) -> UInt64 {
  unsafe UnsafePointer<UInt64>(bitPattern: UInt(address))!.pointee
}

// MARK: - The real world

/// Files, pipes and sockets of the kernel. Descriptors are given from `base` on, and all from there are closed when it goes: only in a
/// process where nobody else opens any meanwhile.
final class RealWorld: World {
  private let base: Int32
  private var things: [Thing: Int32] = [:]
  private var peer: Int32 = -1
  private var scratch: Scratch?

  convenience init(for recipe: Recipe) { self.init(usesFolder: recipe.usesFolder) }

  init(usesFolder: Bool) {
    let (fileContent, otherContent, pipeContent, socketContent) = (
      Self.fileContent, Self.otherContent, Self.pipeContent, Self.socketContent
    )
    func fill(_ descriptor: Int32, _ content: [UInt8]) -> Int32 {
      let written = unsafe write(descriptor, content, content.count)
      precondition(written == content.count)
      lseek(descriptor, 0, SEEK_SET)
      return descriptor
    }
    func pair(_ make: (UnsafeMutablePointer<Int32>) -> Int32) -> (Int32, Int32) {
      var pair: [Int32] = [-1, -1]
      precondition(unsafe make(&pair) == 0)
      return (pair[0], pair[1])
    }
    base = fill(test_disk_file(), fileContent)
    things[.file] = base
    things[.other] = fill(test_memory_file(), otherContent)
    let source = unsafe pair { unsafe pipe($0) }
    unsafe write(source.1, pipeContent, pipeContent.count)
    close(source.1)
    things[.source] = source.0
    // The reading end stays open, and unread.
    things[.sink] = unsafe pair { unsafe pipe($0) }.1
    let socket = unsafe pair { unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, $0) }
    unsafe write(socket.1, socketContent, socketContent.count)
    shutdown(socket.1, Int32(SHUT_WR))
    (things[.socket], peer) = (socket.0, socket.1)
    if usesFolder {
      let scratch = Scratch()
      scratch.file("a", "0123456789")
      scratch.file("b", "xyz")
      scratch.directory("c")
      things[.folder] = unsafe open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      self.scratch = scratch
    }
  }

  deinit { plainCall(SystemCall.close_range, .int(base), .int(UInt32.max), 0) }

  /// How many descriptors are open of files in the folder: an engine has others of its own.
  var openedCount: Int { scratch.map { $0.openFiles(from: base) } ?? 0 }

  func descriptor(_ thing: Thing) -> UInt64 { .int(things[thing] ?? -1) }
  func call(_ number: Int, _ arguments: [UInt64]) -> Int? { nil }

  func look(_ view: inout View) {
    for thing in [Thing.file, .other] {
      view.add("file", index: thing.rawValue, bytes(things[thing]!))
      view.add("position", index: thing.rawValue, Int(lseek(things[thing]!, 0, SEEK_CUR)))
    }
    view.add("sent", received())
    for line in scratch?.listing() ?? [] { view.add("folder", Array(line.utf8)) }
  }

  private func bytes(_ descriptor: Int32) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe pread(descriptor, &buffer, buffer.count, 0)
    return Array(buffer.prefix(max(count, 0)))
  }

  private func received() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe recv(peer, &buffer, buffer.count, Int32(MSG_DONTWAIT | MSG_PEEK))
    return Array(buffer.prefix(max(count, 0)))
  }
}
