// Files that a child replaces and logs that it appends to until it is killed, and what is found there afterwards.

import CTestSupport
import Foundation
import Glibc

@testable import SysletRing

/// One process's work and its end. Every writer has a target of its own and one syslet at a time, generation after generation.
@safe final class CrashScene {
  enum Task: String { case replace, append }

  /// A syslet with what changes in it from one generation to the next.
  private struct Writer {
    let task: Task
    let name: String
    let head: Int
    let last: Int
    let content: Buffer
    let length: Word
    let written: Word
  }

  /// What the parent finds when the child is dead.
  struct Findings {
    var acknowledged = 0
    /// Replacements that were cut off in the middle: their new file was there and had not got the name.
    var leftovers = 0
    /// Generations that were complete and not yet acknowledged.
    var unacknowledged = 0
    var torn = 0
    var problems: [String] = []

    static func += (sum: inout Findings, other: Findings) {
      sum.acknowledged += other.acknowledged
      sum.leftovers += other.leftovers
      sum.unacknowledged += other.unacknowledged
      sum.torn += other.torn
      sum.problems += other.problems
    }
  }

  static let replaceCount = 8
  static let appendCount = 4
  /// Several pages, so that a write can be cut off within.
  private static let contentMax = 12_288

  private let program = Program(.direct, capacity: 5 * replaceCount + 2 * appendCount)
  private var writers: [Writer] = []
  private let seed: UInt64

  init(seed: UInt64) {
    self.seed = seed
    for number in 0..<Self.replaceCount { addReplace(number) }
    for number in 0..<Self.appendCount { addAppend(number) }
  }

  /// `openat(new) → write → fsync → close → renameat(new, target)`, stop on negative. The target has its generation 0.
  private func addReplace(_ number: Int) {
    let name = "target-\(number)"
    program.scratch.file(name, bytes(writers.count, 0))
    let (target, new) = (program.path(program.scratch.path(name)), program.path(program.scratch.path(name + ".new")))
    let (content, length) = (program.buffer(Self.contentMax, compared: false), program.word(compared: false))
    let (descriptor, written) = (program.word(-1, compared: false), program.word(compared: false))
    let flags = O_CREAT | O_WRONLY | O_TRUNC
    let head = program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(new), .int(flags), 0o600, flags: .stopOnNegative, result: descriptor)
    program.atom(
      SystemCall.write, .pointed(descriptor), .to(content), .pointed(length), flags: .stopOnNegative, result: written)
    program.atom(SystemCall.fsync, .pointed(descriptor), flags: .stopOnNegative)
    program.atom(SystemCall.close, .pointed(descriptor), flags: .stopOnNegative)
    let last = program.atom(
      SystemCall.renameat, .int(AT_FDCWD), .to(new), .int(AT_FDCWD), .to(target), flags: .stopOnNegative, next: .end)
    writers.append(
      Writer(task: .replace, name: name, head: head, last: last, content: content, length: length, written: written))
  }

  /// `write → fdatasync`, stop on negative, at the end of a log.
  private func addAppend(_ number: Int) {
    let name = "log-\(number)"
    let log = program.descriptors.open(program.scratch.file(name), O_WRONLY | O_APPEND)
    let (content, length) = (program.buffer(Self.contentMax, compared: false), program.word(compared: false))
    let written = program.word(compared: false)
    let head = program.atom(SystemCall.write, .int(log), .to(content), .pointed(length), flags: .stopOnNegative, result: written)
    let last = program.atom(SystemCall.fdatasync, .int(log), flags: .stopOnNegative, next: .end)
    writers.append(
      Writer(task: .append, name: name, head: head, last: last, content: content, length: length, written: written))
  }

  /// The content of one generation: whose it is, which, how long, and then words that nothing else has.
  private func bytes(_ writer: Int, _ generation: Int) -> [UInt8] {
    var random = SeededGenerator(seed: seed &+ UInt64(writer) << 40 &+ UInt64(generation))
    let wordCount = Int.random(in: 3...Self.contentMax / 8, using: &random)
    let head = [UInt64(writer), UInt64(generation), UInt64(wordCount * 8)]
    let start = random.next()
    return unsafe [UInt8](unsafeUninitializedCapacity: wordCount * 8) { buffer, count in
      for position in 0..<wordCount {
        let word = position < 3 ? head[position] : start &+ UInt64(position) &* 0x9e37_79b9_7f4a_7c15
        unsafe buffer.baseAddress!.advanced(by: 8 * position).withMemoryRebound(to: UInt64.self, capacity: 1) {
          unsafe $0.pointee = word
        }
      }
      count = wordCount * 8
    }
  }

  // MARK: the child

  /// Runs syslets until the process is killed, and writes an acknowledgement of each that has completed to `pipe`. Returns only if
  /// something is wrong: what, as an exit status.
  private func work(on backend: SysletEngine.Backend, acknowledgingTo pipe: Int32) -> Int32 {
    do {
      let engine = try BadInputTests.engine(backend)
      var generations = [Int](repeating: 0, count: writers.count)
      func begin(_ number: Int) throws {
        generations[number] += 1
        let bytes = bytes(number, generations[number])
        writers[number].content.bytes = bytes
        writers[number].length.value = bytes.count
        try engine.enqueue(program, writers[number].head)
      }
      for number in writers.indices { try begin(number) }
      let acknowledgement = program.arena.buffer(16)
      while true {
        let taken = try engine.take()
        if taken.isEmpty { return 2 }
        for completion in taken {
          guard let atom = program.index(completion.atom), let number = writers.firstIndex(where: { $0.last == atom }) else { return 3 }
          let writer = writers[number]
          guard completion.reason == .ended, completion.result == 0, completion.executed == writer.last - writer.head + 1,
            writer.written.value == writer.length.value
          else { return 4 }
          acknowledgement.store(number, at: 0)
          acknowledgement.store(generations[number], at: 8)
          // 16 bytes go into a pipe whole or not at all.
          guard plainCall(SystemCall.write, .int(pipe), acknowledgement.address, 16) == 16 else { return 5 }
          try begin(number)
        }
      }
    } catch {
      return 6
    }
  }

  // MARK: the parent

  /// Lets a child work, kills it at a moment that `random` chooses, and looks at what it has left.
  func kill(on backend: SysletEngine.Backend, _ random: inout SeededGenerator) -> Findings {
    // So many acknowledgements, then so many microseconds: moments that come on a slow machine as on a fast one.
    let goal = Int.random(in: 0...100, using: &random)
    let rest = Duration.microseconds(Int.random(in: 0...3000, using: &random))
    let pipe = program.descriptors.pipe()
    let child = ForkedChild { work(on: backend, acknowledgingTo: pipe.write) }
    close(pipe.write)
    program.descriptors.forget(pipe.write)
    var acknowledged = [Int](repeating: 0, count: writers.count)
    var findings = Findings()
    let buffer = program.arena.buffer(16 * 256)
    /// False at the end of the pipe: nobody can write into it any more.
    func readAcknowledgements() -> Bool {
      let count = plainCall(SystemCall.read, .int(pipe.read), buffer.address, .int(buffer.count))
      for position in stride(from: 0, to: count, by: 16) {
        let (number, generation) = (buffer.load(position, as: Int.self), buffer.load(position + 8, as: Int.self))
        if generation != acknowledged[number] + 1 {
          findings.problems.append("\(writers[number].name): \(generation) was acknowledged after \(acknowledged[number])")
        }
        acknowledged[number] = generation
        findings.acknowledged += 1
      }
      return count > 0
    }
    while findings.acknowledged < goal, readAcknowledgements() {}
    let end = ContinuousClock.now + rest
    while ContinuousClock.now < end {}
    Glibc.kill(child.process, SIGKILL)
    let status = child.reap()
    if status != -1000 - SIGKILL { findings.problems.append("the child ended with \(status) before it was killed") }
    // What it acknowledged in its last moments counts too.
    while readAcknowledgements() {}
    for number in writers.indices {
      switch writers[number].task {
      case .replace: examineTarget(number, acknowledged[number], &findings)
      case .append: examineLog(number, acknowledged[number], &findings)
      }
    }
    return findings
  }

  /// The target is one complete generation: the last that was acknowledged, or the one that was under way.
  private func examineTarget(_ number: Int, _ acknowledged: Int, _ findings: inout Findings) {
    let name = writers[number].name
    if program.scratch.exists(name + ".new") { findings.leftovers += 1 }
    let content = program.scratch.content(name) ?? []
    guard let generation = (acknowledged...acknowledged + 1).first(where: { content == bytes(number, $0) }) else {
      findings.problems.append(
        "\(name) is neither generation \(acknowledged), which was acknowledged, nor the next: \(content.count) bytes, \(content.prefix(16))"
      )
      return
    }
    findings.unacknowledged += generation - acknowledged
  }

  /// The log is whole records in order, all that were acknowledged and at most the one that was under way, of which a part may be there.
  private func examineLog(_ number: Int, _ acknowledged: Int, _ findings: inout Findings) {
    let name = writers[number].name
    var rest = (program.scratch.content(name) ?? [])[...]
    for generation in 1..<acknowledged + 1 {
      let record = bytes(number, generation)
      guard rest.starts(with: record) else {
        findings.problems.append("\(name): record \(generation) of \(acknowledged) that were acknowledged is not there")
        return
      }
      rest = rest.dropFirst(record.count)
    }
    let next = bytes(number, acknowledged + 1)
    guard next.starts(with: rest) else {
      findings.problems.append("\(name): behind record \(acknowledged) are \(rest.count) bytes that are not the next one's")
      return
    }
    if rest.count == next.count { findings.unacknowledged += 1 } else if !rest.isEmpty { findings.torn += 1 }
  }
}
