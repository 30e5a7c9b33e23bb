// A random typed program, as a tree: what the builder records and what the oracle interprets.

import Glibc
import SystemPackage

@testable import SysletRing

/// What a program of these does: each value, variable and descriptor by a number.
struct TypedRecipe: CustomStringConvertible {
  enum Value: Equatable {
    case constant(Int)
    case result(Int)
    case variable(Int)
  }

  enum Descriptor: Equatable {
    case thing(Thing)
    case opened(Int)
  }

  enum Relation: CaseIterable {
    case equal, unequal, less, lessOrEqual, greater, greaterOrEqual

    func holds(_ left: Int, _ right: Int) -> Bool {
      switch self {
      case .equal: left == right
      case .unequal: left != right
      case .less: left < right
      case .lessOrEqual: left <= right
      case .greater: left > right
      case .greaterOrEqual: left >= right
      }
    }
  }

  struct Condition {
    var left: Value
    var relation: Relation
    var right: Value
  }

  /// The number is its line, by which an error names it.
  struct Statement {
    var line: Int
    var action: Action
  }

  indirect enum Action {
    case read(Descriptor, buffer: Int, at: Value?, result: Int)
    case receive(Descriptor, buffer: Int, result: Int)
    case fill(Descriptor, result: Int)
    case write(Descriptor, buffer: Int, count: Value, result: Int)
    case writeAll(Descriptor, buffer: Int, count: Value, at: Value?)
    case sendAll(Descriptor, buffer: Int, count: Value)
    case seek(Descriptor, Value, result: Int)
    case resize(Descriptor, Value)
    case sync(Descriptor, dataOnly: Bool)
    case close(Descriptor)
    case open(String, isCreating: Bool, descriptor: Int)
    case unlink(String)
    case rename(String, String)
    case makeDirectory(String)
    case add(Value, to: Int)
    case set(Int, Value)
    case choose(Condition, Value, Value, result: Int)
    /// So many rounds, counted by a variable of its own; the first one is 1.
    case loop(counter: Int, rounds: Int, [Statement])
    case exit(Condition)
    case next(Condition)
    case when(Condition, [Statement], [Statement])
    case attempt([Statement], [Statement], failsAgain: Bool)
    case ensure([Statement])
    case onFailure([Statement])
    case shielded([Statement])
    case within([Statement])
  }

  static let bufferCount = 3
  static let bufferBytes = 16
  static let variableCount = 3
  static let lentBytes = 24
  static let names = ["a", "b", "c", "d", "e"]

  var statements: [Statement] = []
  var faults: [Int: Recipe.Fault] = [:]
  /// Variables of the recipe's own, and those that count loops.
  private(set) var variables = Self.variableCount
  private var results = 0
  private var opened = 0
  private var lines = 0

  var description: String {
    "\(statements.map { "\($0)" }.joined(separator: "\n"))\n\(faults)".replacing("SysletRingTests.", with: "").replacing(
      "TypedRecipe.", with: "")
  }

  /// What may be used at a point.
  private struct Scope {
    var results: [Int] = []
    var descriptors: [Int] = []
    /// Those that are not closed yet.
    var closable: [Int] = []
    var isInLoop = false
    var depth = 0
  }

  /// - Parameter isCalm: Without blocks in which nothing interrupts it.
  init(seed: UInt64, hasFaults: Bool, isCalm: Bool = false) {
    var random = SeededGenerator(seed: seed)
    var scope = Scope()
    statements = block(2 + random.below(6), &scope, isCalm, &random)
    if hasFaults {
      for call in 0..<20 where random.chance(10) {
        faults[call] = random.pick([
          .short(1 + random.below(7)), .failure(random.pick([EINTR, EIO, ENOSPC, EAGAIN])), .delay(1 + random.below(3)),
        ])
      }
    }
  }

  private mutating func block(_ count: Int, _ scope: inout Scope, _ isCalm: Bool, _ random: inout SeededGenerator) -> [Statement] {
    (0..<count).compactMap { _ in
      lines += 1
      let line = lines
      return action(&scope, isCalm, &random).map { Statement(line: line, action: $0) }
    }
  }

  /// What an inner block closes of what stands outside it is not used behind it.
  ///
  /// - Parameter isCleanUp: It comes later than what stands behind it.
  private mutating func inner(
    _ scope: inout Scope, _ isCalm: Bool, _ random: inout SeededGenerator, isInLoop: Bool? = nil, isCleanUp: Bool = false
  ) -> [Statement] {
    var inner = scope
    inner.depth += 1
    if let isInLoop { inner.isInLoop = isInLoop }
    let statements = block(1 + random.below(inner.depth > 1 ? 2 : 4), &inner, isCalm, &random)
    if !isCleanUp {
      scope.descriptors.removeAll { !inner.descriptors.contains($0) }
      scope.closable.removeAll { !inner.closable.contains($0) }
    }
    return statements
  }

  private mutating func action(_ scope: inout Scope, _ isCalm: Bool, _ random: inout SeededGenerator) -> Action? {
    func descriptor(_ things: [Thing]) -> Descriptor {
      if !scope.descriptors.isEmpty, random.chance(50) { return .opened(random.pick(scope.descriptors)) }
      return random.chance(5) ? .thing(random.pick(Thing.allCases.filter { $0 != .folder })) : .thing(random.pick(things))
    }
    func value(_ below: Int) -> Value {
      if !scope.results.isEmpty, random.chance(30) { return .result(random.pick(scope.results)) }
      if random.chance(25) { return .variable(random.below(Self.variableCount)) }
      return .constant(random.below(below))
    }
    func condition() -> Condition { Condition(left: value(6), relation: random.pick(Relation.allCases), right: value(6)) }
    func result() -> Int {
      results += 1
      scope.results.append(results - 1)
      return results - 1
    }
    let buffer = random.below(Self.bufferCount)
    let number = random.below(scope.depth < 3 ? 34 : 22)
    switch number {
    case 0, 1: return .read(descriptor([.file, .other, .source, .socket]), buffer: buffer, at: nil, result: result())
    case 2: return .read(descriptor([.file, .other]), buffer: buffer, at: value(40), result: result())
    case 3: return .receive(.thing(.socket), buffer: buffer, result: result())
    case 4: return .fill(descriptor([.file, .other, .source]), result: result())
    case 5: return .write(descriptor([.file, .other]), buffer: buffer, count: value(17), result: result())
    case 6, 7: return .writeAll(descriptor([.file, .other]), buffer: buffer, count: value(17), at: nil)
    case 8: return .writeAll(descriptor([.file, .other]), buffer: buffer, count: value(17), at: value(60))
    case 9: return .sendAll(.thing(.socket), buffer: buffer, count: value(17))
    case 10: return .seek(descriptor([.file, .other]), value(40), result: result())
    case 11: return .resize(descriptor([.file]), value(60))
    case 12: return .sync(descriptor([.file]), dataOnly: random.chance(50))
    case 13:
      guard let descriptor = scope.closable.popLast() else { return .add(value(5), to: random.below(Self.variableCount)) }
      scope.descriptors.removeAll { $0 == descriptor }
      return .close(.opened(descriptor))
    case 14, 15, 16:
      opened += 1
      let open = Action.open(random.pick(Self.names), isCreating: random.chance(70), descriptor: opened - 1)
      scope.descriptors.append(opened - 1)
      scope.closable.append(opened - 1)
      return open
    case 17: return .unlink(random.pick(Self.names))
    case 18: return random.chance(70) ? .rename(random.pick(Self.names), random.pick(Self.names)) : .makeDirectory(random.pick(Self.names))
    case 19: return .add(value(5), to: random.below(Self.variableCount))
    case 20: return .set(random.below(Self.variableCount), value(9))
    case 21:
      if scope.isInLoop { return random.chance(50) ? .exit(condition()) : .next(condition()) }
      return .choose(condition(), value(9), value(9), result: result())
    case 22, 23:
      let counter = variables
      variables += 1
      let body = inner(&scope, isCalm, &random, isInLoop: true)
      return .loop(counter: counter, rounds: 1 + random.below(3), body)
    case 24, 25:
      let condition = condition()
      var other = scope
      let then = inner(&scope, isCalm, &random)
      let otherwise = inner(&other, isCalm, &random)
      scope.descriptors.removeAll { !other.descriptors.contains($0) }
      scope.closable.removeAll { !other.closable.contains($0) }
      return .when(condition, then, otherwise)
    case 26, 27, 28:
      let body = inner(&scope, isCalm, &random)
      let handler = inner(&scope, isCalm, &random)
      return .attempt(body, handler, failsAgain: random.chance(30))
    case 29, 30: return .ensure(inner(&scope, isCalm, &random, isInLoop: false, isCleanUp: true))
    case 31, 32: return .onFailure(inner(&scope, isCalm, &random, isInLoop: false, isCleanUp: true))
    default:
      let body = inner(&scope, isCalm, &random)
      return isCalm || random.chance(30) ? .within(body) : .shielded(body)
    }
  }
}

// MARK: - As the builder records it

extension TypedRecipe {
  typealias Built = Syslet<
    FileDescriptor, FileDescriptor, FileDescriptor, FileDescriptor, FileDescriptor, FileDescriptor, MutableBytes, Int
  >

  static let fileID: StaticString = "Fuzz/Fuzz.swift"

  /// What the builder has given.
  private final class Names {
    let things: [SysletValue<FileDescriptor>]
    let lent: SysletValue<MutableBytes>
    var buffers: [SysletBuffer] = []
    var variables: [SysletVariable<Int>] = []
    var results: [Int: SysletValue<Int>] = [:]
    var opened: [Int: SysletValue<FileDescriptor>] = [:]

    init(_ things: [SysletValue<FileDescriptor>], _ lent: SysletValue<MutableBytes>) { (self.things, self.lent) = (things, lent) }

    func descriptor(_ descriptor: Descriptor) -> SysletValue<FileDescriptor> {
      switch descriptor {
      case .thing(let thing): things[thing.rawValue]
      case .opened(let number): opened[number]!
      }
    }
  }

  /// The program, and where its buffers and variables are in a frame.
  func build() throws -> (Built, buffers: [Int], variables: [Int]) {
    var (buffers, variables): ([Int], [Int]) = ([], [])
    let built = try Built(
      validating: FileDescriptor.self, FileDescriptor.self, FileDescriptor.self, FileDescriptor.self, FileDescriptor.self,
      FileDescriptor.self, MutableBytes.self
    ) { s, file, other, source, sink, socket, folder, lent in
      let names = Names([file, other, source, sink, socket, folder], lent)
      for _ in 0..<Self.bufferCount { names.buffers.append(s.buffer(count: Self.bufferBytes)) }
      for _ in 0..<self.variables { names.variables.append(s.variable(0)) }
      (buffers, variables) = (names.buffers.map(\.region), names.variables.map(\.word))
      record(statements, s, names)
      return names.variables[0].value
    }
    return (built, buffers, variables)
  }

  private func record(_ statements: [Statement], _ s: SysletBuilder, _ names: Names) {
    for statement in statements { record(statement, s, names) }
  }

  private func record(_ statement: Statement, _ s: SysletBuilder, _ names: Names) {
    let (file, line) = (Self.fileID, UInt(statement.line))
    func value(_ value: Value) -> SysletValue<Int> {
      switch value {
      case .constant(let constant): s.constant(constant)
      case .result(let number): names.results[number]!
      case .variable(let number): names.variables[number].value
      }
    }
    func condition(_ condition: Condition) -> SysletCondition {
      let (left, right) = (value(condition.left), value(condition.right))
      return switch condition.relation {
      case .equal: left == right
      case .unequal: left != right
      case .less: left < right
      case .lessOrEqual: left <= right
      case .greater: left > right
      case .greaterOrEqual: left >= right
      }
    }
    func on(_ descriptor: Descriptor) -> SysletValue<FileDescriptor> { names.descriptor(descriptor) }
    func path(_ name: String) -> SysletValue<FilePath> { SysletValue(stringLiteral: name) }
    let folder = names.things[Thing.folder.rawValue]
    switch statement.action {
    case .read(let descriptor, let buffer, nil, let result):
      names.results[result] = on(descriptor).read(into: names.buffers[buffer], fileID: file, line: line)
    case .read(let descriptor, let buffer, let offset?, let result):
      names.results[result] = on(descriptor).read(
        fromAbsoluteOffset: value(offset), into: names.buffers[buffer], fileID: file, line: line)
    case .receive(let descriptor, let buffer, let result):
      names.results[result] = on(descriptor).receive(into: names.buffers[buffer], fileID: file, line: line)
    case .fill(let descriptor, let result): names.results[result] = on(descriptor).read(filling: names.lent, fileID: file, line: line)
    case .write(let descriptor, let buffer, let count, let result):
      names.results[result] = on(descriptor).write(names.buffers[buffer], count: value(count), fileID: file, line: line)
    case .writeAll(let descriptor, let buffer, let count, let offset):
      on(descriptor).writeAll(
        names.buffers[buffer], count: value(count), toAbsoluteOffset: offset.map(value), fileID: file, line: line)
    case .sendAll(let descriptor, let buffer, let count):
      on(descriptor).sendAll(names.buffers[buffer], count: value(count), fileID: file, line: line)
    case .seek(let descriptor, let offset, let result):
      names.results[result] = on(descriptor).seek(offset: value(offset), from: .start, fileID: file, line: line)
    case .resize(let descriptor, let size): on(descriptor).resize(to: value(size), fileID: file, line: line)
    case .sync(let descriptor, let dataOnly): on(descriptor).sync(dataOnly: dataOnly, fileID: file, line: line)
    case .close(let descriptor): on(descriptor).close(fileID: file, line: line)
    case .open(let name, let isCreating, let descriptor):
      names.opened[descriptor] = folder.open(
        path(name), .readWrite, options: isCreating ? .create : [], permissions: isCreating ? .ownerReadWrite : nil, fileID: file,
        line: line)
    case .unlink(let name): _ = s.call(SystemCall.unlinkat, folder, path(name), 0, fileID: file, line: line)
    case .rename(let from, let to):
      _ = s.call(SystemCall.renameat2, folder, path(from), folder, path(to), 0, fileID: file, line: line)
    case .makeDirectory(let name): _ = s.call(SystemCall.mkdirat, folder, path(name), 0o700, fileID: file, line: line)
    case .add(let addend, let variable): s.add(value(addend), to: names.variables[variable], fileID: file, line: line)
    case .set(let variable, let new): s.set(names.variables[variable], to: value(new), fileID: file, line: line)
    case .choose(let chooses, let first, let second, let result):
      names.results[result] = s.choose(condition(chooses), fileID: file, line: line) {
        value(first)
      } otherwise: {
        value(second)
      }
    case .loop(let counter, let rounds, let body):
      s.set(names.variables[counter], to: 0, fileID: file, line: line)
      s.loop(fileID: file, line: line) {
        s.add(1, to: names.variables[counter], fileID: file, line: line)
        s.exit(if: names.variables[counter].value > s.constant(rounds), fileID: file, line: line)
        record(body, s, names)
      }
    case .exit(let exits): s.exit(if: condition(exits), fileID: file, line: line)
    case .next(let skips): s.next(if: condition(skips), fileID: file, line: line)
    case .when(let holds, let then, let otherwise):
      s.when(condition(holds), fileID: file, line: line) {
        record(then, s, names)
      } otherwise: {
        record(otherwise, s, names)
      }
    case .attempt(let body, let handler, let failsAgain):
      s.attempt(fileID: file, line: line) {
        record(body, s, names)
      } onFailure: { failure in
        record(handler, s, names)
        if failsAgain { s.fail(failure, fileID: file, line: line) }
      }
    case .ensure(let body): s.ensure(fileID: file, line: line) { record(body, s, names) }
    case .onFailure(let body): s.onFailure(fileID: file, line: line) { record(body, s, names) }
    case .shielded(let body): s.shielded(fileID: file, line: line) { record(body, s, names) }
    case .within(let body): s.within(.seconds(1000), fileID: file, line: line) { record(body, s, names) }
    }
  }
}
