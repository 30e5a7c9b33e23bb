// What a typed program means, one plain call after the other: written after the description of the API, without the library.

import Glibc

@testable import SysletRing

/// Interprets recipes.
final class TypedOracle {
  /// What ends a block before its end.
  enum Stop: Error {
    case failed(Failure)
    case exit, next
    /// The program is cut short: nothing catches it.
    case cut
  }

  struct Failure: Equatable {
    var errno: Int
    var operation: String
    var line: Int
  }

  /// What a block does when it ends, however, or if it fails.
  private enum Promise {
    case close(Int)
    case ensure([TypedRecipe.Statement])
    case onFailure([TypedRecipe.Statement])
  }

  private let world: any World
  private var results: [Int: Int] = [:]
  private var opened: [Int: Int] = [:]
  private(set) var variables: [Int]
  private(set) var buffers: [[UInt8]]
  private(set) var lent: [UInt8]
  /// What of it is executed: calls and operations on words.
  private(set) var events = 0
  private let cutAfter: Int
  private var shields = 0

  /// - Parameter cutAfter: It is cut short behind so many events.
  init(_ recipe: TypedRecipe, in world: any World, _ buffers: [[UInt8]], _ lent: [UInt8], cutAfter: Int = .max) {
    (self.world, self.buffers, self.lent, self.cutAfter) = (world, buffers, lent, cutAfter)
    variables = Array(repeating: 0, count: recipe.variables)
  }

  /// The result, or why there is none.
  func run(_ recipe: TypedRecipe) -> Result<Int, Stop> {
    do throws(Stop) {
      try block(recipe.statements)
      return .success(variables[0])
    } catch { return .failure(error) }
  }

  /// - Parameter failure: It fails at its end as this.
  private func block(_ statements: [TypedRecipe.Statement], failure: Failure? = nil) throws(Stop) {
    var promises: [Promise] = []
    do throws(Stop) {
      for statement in statements {
        try execute(statement, &promises)
        try look()
      }
      if let failure { throw .failed(failure) }
    } catch {
      switch error {
      case .cut: keep(promises, hasFailed: true)
      case .failed:
        keep(promises, hasFailed: true)
        // On the bad road it may be cut short too.
        try look()
      case .exit, .next: try keepOrCut(promises)
      }
      throw error
    }
    try keepOrCut(promises)
  }

  /// On the good road, on which it may be cut short too.
  private func keepOrCut(_ promises: [Promise]) throws(Stop) {
    var rest = promises
    while let promise = rest.popLast() {
      keep([promise], hasFailed: false)
      do throws(Stop) { try look() } catch {
        keep(rest, hasFailed: true)
        throw error
      }
    }
  }

  private func keep(_ promises: [Promise], hasFailed: Bool) {
    for promise in promises.reversed() {
      switch promise {
      case .close(let descriptor): if let number = opened[descriptor] { _ = call(SystemCall.close, [UInt64(number)]) }
      case .onFailure where !hasFailed: break
      case .ensure(let statements), .onFailure(let statements):
        shields += 1
        // What fails in it is not told.
        try? block(statements)
        shields -= 1
      }
    }
  }

  private func look() throws(Stop) {
    events += 1
    if events > cutAfter, shields == 0 { throw .cut }
  }

  // MARK: Statements

  private func value(_ value: TypedRecipe.Value) -> Int {
    switch value {
    case .constant(let constant): constant
    case .result(let number): results[number]!
    case .variable(let number): variables[number]
    }
  }

  private func holds(_ condition: TypedRecipe.Condition) -> Bool { condition.relation.holds(value(condition.left), value(condition.right)) }

  private func execute(_ statement: TypedRecipe.Statement, _ promises: inout [Promise]) throws(Stop) {
    let line = statement.line
    switch statement.action {
    case .read(let descriptor, let buffer, let offset, let result):
      results[result] = try transfer(
        offset == nil ? SystemCall.read : SystemCall.pread64, descriptor, buffer, nil, offset.map(value), "read", line)
    case .receive(let descriptor, let buffer, let result):
      results[result] = try transfer(SystemCall.recvfrom, descriptor, buffer, nil, nil, "receive", line)
    case .fill(let descriptor, let result):
      var done = 0
      while true {
        let count = try checked(
          unsafe lent.withUnsafeMutableBytes {
            unsafe call(SystemCall.read, [word(descriptor), UInt64(UInt(bitPattern: $0.baseAddress! + done)), UInt64($0.count - done)])
          },
          "read", line)
        done += count
        try look()
        if count == 0 || done == lent.count { break }
      }
      results[result] = done
    case .write(let descriptor, let buffer, let count, let result):
      results[result] = try transfer(SystemCall.write, descriptor, buffer, value(count), nil, "write", line)
    case .writeAll(let descriptor, let buffer, let count, let offset):
      try transferAll(
        offset == nil ? SystemCall.write : SystemCall.pwrite64, descriptor, buffer, value(count), offset.map(value), "writeAll", line)
    case .sendAll(let descriptor, let buffer, let count):
      try transferAll(SystemCall.sendto, descriptor, buffer, value(count), nil, "sendAll", line)
    case .seek(let descriptor, let offset, let result):
      results[result] = try checked(call(SystemCall.lseek, [word(descriptor), .int(value(offset)), 0]), "seek", line)
    case .resize(let descriptor, let size):
      _ = try checked(call(SystemCall.ftruncate, [word(descriptor), .int(value(size))]), "resize", line)
    case .sync(let descriptor, let dataOnly):
      _ = try checked(call(dataOnly ? SystemCall.fdatasync : SystemCall.fsync, [word(descriptor)]), "sync", line)
    case .close(let descriptor):
      let result = call(SystemCall.close, [word(descriptor)])
      // A close that fails has closed.
      if case .opened(let number) = descriptor { opened[number] = nil }
      _ = try checked(result, "close", line)
    case .open(let name, let isCreating, let descriptor):
      opened[descriptor] = try checked(
        path(name) {
          self.call(SystemCall.openat, [self.word(.thing(.folder)), $0, .int(O_RDWR | O_CLOEXEC | (isCreating ? O_CREAT : 0)), 0o600])
        }, "open",
        line)
      promises.append(.close(descriptor))
    case .unlink(let name):
      _ = try checked(
        path(name) { self.call(SystemCall.unlinkat, [self.word(.thing(.folder)), $0, 0]) }, "call(\(SystemCall.unlinkat))", line)
    case .rename(let from, let to):
      let folder = word(.thing(.folder))
      let result = path(from) { from in self.path(to) { to in self.call(SystemCall.renameat2, [folder, from, folder, to, 0]) } }
      _ = try checked(result, "call(\(SystemCall.renameat2))", line)
    case .makeDirectory(let name):
      _ = try checked(
        path(name) { self.call(SystemCall.mkdirat, [self.word(.thing(.folder)), $0, 0o700]) }, "call(\(SystemCall.mkdirat))", line)
    case .add(let addend, let variable): variables[variable] &+= value(addend)
    case .set(let variable, let new): variables[variable] = value(new)
    case .choose(let condition, let first, let second, let result):
      try look()
      results[result] = holds(condition) ? value(first) : value(second)
    case .loop(let counter, let rounds, let body): try loop(counter, rounds, body)
    case .exit(let condition): if holds(condition) { throw .exit }
    case .next(let condition): if holds(condition) { throw .next }
    case .when(let condition, let then, let otherwise):
      let holds = holds(condition)
      try look()
      try block(holds ? then : otherwise)
    case .attempt(let body, let handler, let failsAgain):
      do throws(Stop) { try block(body) } catch {
        guard case .failed(let failure) = error else { throw error }
        try look()
        try block(handler, failure: failsAgain ? failure : nil)
      }
    case .ensure(let body): promises.append(.ensure(body))
    case .onFailure(let body): promises.append(.onFailure(body))
    case .shielded(let body):
      shields += 1
      do throws(Stop) { try block(body) } catch {
        shields -= 1
        if case .failed = error { try look() }
        throw error
      }
      shields -= 1
    case .within(let body):
      try look()
      try block(body)
    }
  }

  private func loop(_ counter: Int, _ rounds: Int, _ body: [TypedRecipe.Statement]) throws(Stop) {
    variables[counter] = 0
    while true {
      try look()
      variables[counter] += 1
      try look()
      if variables[counter] > rounds { return }
      do throws(Stop) { try block(body) } catch {
        switch error {
        case .exit: return
        case .next: continue
        case .failed, .cut: throw error
        }
      }
    }
  }

  // MARK: Calls

  private func word(_ descriptor: TypedRecipe.Descriptor) -> UInt64 {
    switch descriptor {
    case .thing(let thing): world.descriptor(thing)
    case .opened(let number): .int(opened[number] ?? -1)
    }
  }

  private func call(_ number: Int, _ arguments: [UInt64]) -> Int {
    let arguments = arguments + Array(repeating: 0, count: 6 - arguments.count)
    return world.call(number, arguments) ?? plainCall(number, arguments)
  }

  private func path(_ name: String, _ body: (UInt64) -> Int) -> Int {
    unsafe name.withCString { body(UInt64(UInt(bitPattern: $0))) }
  }

  private func checked(_ result: Int, _ operation: String, _ line: Int) throws(Stop) -> Int {
    guard result < 0 else { return result }
    // Cut short behind it, it has not failed.
    try look()
    throw .failed(Failure(errno: -result, operation: operation, line: line))
  }

  /// With a buffer from its beginning on.
  private func call(_ number: Int, _ descriptor: TypedRecipe.Descriptor, _ buffer: Int, from start: Int, _ count: Int, _ offset: Int?)
    -> Int
  {
    unsafe buffers[buffer].withUnsafeMutableBytes {
      unsafe call(
        number, [word(descriptor), UInt64(UInt(bitPattern: $0.baseAddress! + start)), .int(count)] + (offset.map { [.int($0)] } ?? []))
    }
  }

  private func transfer(
    _ number: Int, _ descriptor: TypedRecipe.Descriptor, _ buffer: Int, _ count: Int?, _ offset: Int?, _ name: String, _ line: Int
  ) throws(Stop) -> Int {
    let count = count ?? TypedRecipe.bufferBytes
    try check(count, name, line)
    return try checked(call(number, descriptor, buffer, from: 0, count, offset), name, line)
  }

  /// Such a count is not of the buffer.
  private func check(_ count: Int, _ name: String, _ line: Int) throws(Stop) {
    guard (0...TypedRecipe.bufferBytes).contains(count) else {
      try look()
      throw .failed(Failure(errno: Int(EINVAL), operation: name, line: line))
    }
    try look()
  }

  private func transferAll(
    _ number: Int, _ descriptor: TypedRecipe.Descriptor, _ buffer: Int, _ count: Int, _ offset: Int?, _ name: String, _ line: Int
  ) throws(Stop) {
    try check(count, name, line)
    var done = 0
    repeat {
      let moved = try checked(call(number, descriptor, buffer, from: done, count - done, offset.map { $0 + done }), name, line)
      try look()
      done += moved
      if moved == 0, done < count {
        try look()
        throw .failed(Failure(errno: Int(EIO), operation: name, line: line))
      }
    } while done < count
  }
}
