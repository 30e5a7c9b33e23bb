// A deliberately naive interpreter of docs/SEMANTICS.md. It shares no source with the library: its constants, its field offsets, its
// umem_add and its list of refused calls are its own, so that a mistake has to be made twice to go unnoticed.

import CTestSupport

enum Oracle {
  enum Layout: Sendable { case direct, indirect }

  enum Ending: Equatable { case ended, stopped, faulted, stepLimit, refusedHead }

  /// What a syslet must come to.
  struct Verdict: Equatable {
    /// The last executed atom; the head, if none was executed.
    var atom: UInt64
    var result: Int
    var executed: Int
    var ending: Ending
    /// Whether a completion is posted for a syslet that went on asynchronously.
    var posts: Bool
  }

  private static let atomSize: UInt64 = 80
  private static let asyncBit: UInt64 = 1
  private static let syncBit: UInt64 = 2
  private static let noCompleteBit: UInt64 = 4
  private static let nonzeroBit: UInt64 = 8
  private static let zeroBit: UInt64 = 16
  private static let negativeBit: UInt64 = 32
  private static let nonPositiveBit: UInt64 = 64
  private static let skipBit: UInt64 = 128

  private static let permission = -1
  private static let fault = -14
  private static let invalid = -22

  private static let umemAdd = 0xFADD
  private static let nop = 0xFADE

  private struct Fetched {
    var flags: UInt64
    var number: Int
    var resultAddress: UInt64
    var next: UInt64
    var arguments: [UInt64]
  }

  private enum Fetch {
    case atom(Fetched)
    case unreadable
    case malformed
    case unreadableArgument
  }

  private static func load(_ address: UInt64, _ byteCount: Int32 = 8) -> UInt64? {
    let word = test_load(address, byteCount)
    return word.error == 0 ? word.value : nil
  }

  private static func fetch(_ address: UInt64, _ layout: Layout) -> Fetch {
    // The last word of an atom is readable if and only if the whole of it is, as far as these tests place them.
    guard let flags = load(address, 4), load(address + 72) != nil else { return .unreadable }
    guard flags <= 255 else { return .malformed }
    var atom = Fetched(
      flags: flags, number: 0, resultAddress: load(address + 8)!, next: load(address + 16)!, arguments: [])
    let words = (0..<6).map { load(address + 24 + 8 * UInt64($0))! }
    switch layout {
    case .direct:
      atom.number = Int(load(address + 4, 2)!)
      let count = Int(load(address + 6, 1)!)
      let pointers = load(address + 7, 1)!
      guard count <= 6 else { return .malformed }
      for index in 0..<count {
        if pointers & (1 << UInt64(index)) == 0 {
          atom.arguments.append(words[index])
        } else {
          guard let value = load(words[index]) else { return .unreadableArgument }
          atom.arguments.append(value)
        }
      }
    case .indirect:
      atom.number = Int(load(address + 4, 4)!)
      for word in words {
        if word == 0 { break }
        guard let value = load(word) else { return .unreadableArgument }
        atom.arguments.append(value)
      }
    }
    while atom.arguments.count < 6 { atom.arguments.append(0) }
    return .atom(atom)
  }

  /// Answers a call in the kernel's stead; nil for one that the kernel is to answer.
  typealias Calls = (_ number: Int, _ arguments: [UInt64]) -> Int?

  private static func call(_ number: Int, _ a: [UInt64], _ calls: Calls) -> Int {
    if number == nop { return 0 }
    if number == umemAdd {
      guard let old = load(a[0]) else { return fault }
      let new = old &+ a[1]
      guard test_store(a[0], new) == 0 else { return fault }
      return Int(truncatingIfNeeded: Int64(bitPattern: new))
    }
    if test_is_refused(number) { return permission }
    if let result = calls(number, a) { return result }
    return test_call(number, a[0], a[1], a[2], a[3], a[4], a[5])
  }

  /// Runs the syslet at `head`, with all its effects.
  static func interpret(
    _ head: UInt64, _ layout: Layout, stepsMax: Int? = nil, calls: Calls = { _, _ in nil }
  ) -> Verdict {
    var verdict = Verdict(atom: head, result: 0, executed: 0, ending: .ended, posts: true)
    var cursor = head
    while true {
      let atom: Fetched
      switch fetch(cursor, layout) {
      case .atom(let fetched): atom = fetched
      case .unreadable where verdict.executed == 0, .malformed where verdict.executed == 0:
        verdict.ending = .refusedHead
        return verdict
      case .unreadable, .unreadableArgument:
        (verdict.result, verdict.ending, verdict.posts) = (fault, .faulted, true)
        return verdict
      case .malformed:
        (verdict.result, verdict.ending, verdict.posts) = (invalid, .faulted, true)
        return verdict
      }
      if let stepsMax, verdict.executed == stepsMax {
        verdict.ending = .stepLimit
        return verdict
      }

      var result = call(atom.number, atom.arguments, calls)
      if atom.resultAddress != 0, test_store(atom.resultAddress, UInt64(bitPattern: Int64(result))) != 0 { result = fault }
      verdict.atom = cursor
      verdict.result = result
      verdict.executed += 1
      verdict.posts = atom.flags & noCompleteBit == 0

      var stops = false
      if atom.flags & nonzeroBit != 0, result != 0 { stops = true }
      if atom.flags & zeroBit != 0, result == 0 { stops = true }
      if atom.flags & negativeBit != 0, result < 0 { stops = true }
      if atom.flags & nonPositiveBit != 0, result <= 0 { stops = true }

      if stops, atom.flags & skipBit != 0 {
        cursor += atomSize
      } else if stops {
        verdict.ending = .stopped
        return verdict
      } else if atom.next == 0 {
        verdict.ending = .ended
        return verdict
      } else {
        cursor = atom.next
      }
    }
  }
}
