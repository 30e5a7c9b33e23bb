// Every program of up to three atoms, on simulated kernels: which of them runs, in which order, and what is told (laws L1, L5, L6).
//
// Each atom is a read that gives a negative, a zero, a short or a complete result, or a synchronisation that fails or succeeds; with each of
// the 16 sets of stop conditions, with and without SKIP, and with each edge. With three atoms there are 16 sets but only 6 that differ in
// what they stop on; the sets are complete for up to two. Under CI every n-th program runs; SYSLETRING_EXHAUSTIVE=1 (scripts/fuzz
// --exhaustive) runs them all.

import CLiburing
import Foundation
import Glibc
import Testing

@testable import SysletRing

/// What an atom's call gives. The raw value is the low bits of its descriptor.
private enum Behaviour: UInt64, CaseIterable {
  case negativeRead, zeroRead, shortRead, completeRead, negativeSync, zeroSync

  var isRead: Bool { rawValue < Behaviour.negativeSync.rawValue }
  var result: Int {
    switch self {
    case .negativeRead, .negativeSync: -Int(EIO)
    case .zeroRead, .zeroSync: 0
    case .shortRead: 4
    case .completeRead: 8
    }
  }
}

/// The choices of one atom.
private struct Choice {
  var behaviour: Behaviour
  /// The stop conditions, and SKIP.
  var flags: UInt32
  /// The atom that follows; nil for the end.
  var next: Int?
}

/// All choices of an atom of a program of `count`.
private func choices(_ count: Int, stopSets: [UInt32]) -> [Choice] {
  var all: [Choice] = []
  for behaviour in Behaviour.allCases {
    for stops in stopSets {
      for skip in [UInt32(0), 0x80] {
        for next in 0...count { all.append(Choice(behaviour: behaviour, flags: stops | skip, next: next < count ? next : nil)) }
      }
    }
  }
  return all
}

/// How a program is run: its atoms, read as they are reached; prepared; and prepared again, from what was translated the first time.
private enum Road: CaseIterable {
  case raw, prepared, planned
}

@Suite("Exhaustive small programs", .leavesNothingBehind)
struct ExhaustiveTests {
  private static let stepsMax = 7
  private static let allStopSets = (0..<16).map { UInt32($0) << 3 }
  /// One set for each set of classes: none, negative, zero, both, all but zero, all.
  private static let distinctStopSets: [UInt32] = [0, 0x20, 0x10, 0x40, 0x08, 0x18]

  /// What a program comes to: the atoms that run, in their order, and how it ends.
  private static func interpret(_ atoms: [Choice]) -> (order: [Int], reason: Completion.Reason) {
    var order: [Int] = []
    var cursor = 0
    while true {
      // The sentinel behind the last atom, which a skip reaches, ends the program.
      if cursor == atoms.count { return (order + [cursor], .ended) }
      if order.count == stepsMax { return (order, .stepLimit) }
      order.append(cursor)
      let (atom, result) = (atoms[cursor], atoms[cursor].behaviour.result)
      let stops =
        atom.flags & 0x08 != 0 && result != 0 || atom.flags & 0x10 != 0 && result == 0 || atom.flags & 0x20 != 0 && result < 0
        || atom.flags & 0x40 != 0 && result <= 0
      if stops, atom.flags & 0x80 == 0 { return (order, .stopped) }
      if stops { cursor += 1 } else if let next = atom.next { cursor = next } else { return (order, .ended) }
    }
  }

  private static func isWrong(
    _ atoms: [Choice], _ order: [Int], _ log: [Int], _ completions: UnsafeMutableBufferPointer<Completion>, _ count: Int,
    _ base: UnsafeMutablePointer<Atom>, _ reason: Completion.Reason
  ) -> Bool {
    guard count == 1 else { return true }
    let completion = unsafe completions[0]
    let last = order.last ?? 0
    let result = last == atoms.count ? 0 : atoms[last].behaviour.result
    return unsafe log != order || completion.executed != order.count || completion.reason != reason || completion.result != result
      || completion.atom != UnsafeMutableRawPointer(base + last)
  }

  private static func listing(_ atoms: [Choice]) -> String {
    atoms.enumerated().map { index, atom in
      "\(index): \(atom.behaviour) [\(AtomFlags(rawValue: atom.flags))] \(atom.next.map { "next \($0)" } ?? "end")"
    }.joined(separator: "\n")
  }

  @Test("L1, L5, L6: every program of up to three atoms runs what the semantics say, once, in order", arguments: LinkModel.allCases, 1...3)
  func allPrograms(links: LinkModel, atomCount: Int) throws {
    let isComplete = ProcessInfo.processInfo.environment["SYSLETRING_EXHAUSTIVE"] != nil
    var settings = SimulatedKernel.Settings(seed: UInt64(atomCount))
    settings.links = links
    settings.entries = 4
    settings.completionEntries = 8
    settings.partialSubmissions = 10
    var log: [Int] = []
    let kernel = SimulatedKernel(settings) { request in
      let word = UInt64(UInt32(bitPattern: request.sqe.fd))
      log.append(Int(word >> 3 & 3))
      return Int(word & 7) == 7 ? 0 : Behaviour(rawValue: word & 7)!.result
    }
    var options = SysletEngine.Options()
    options.backend = .ring
    options.maxSteps = Self.stepsMax
    options.maxPending = 4
    let engine = try SysletEngine(options, on: kernel.ring, believing: links.findings)
    let atoms = UnsafeMutablePointer<Atom>.allocate(capacity: atomCount + 1)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 8, alignment: 8)
    let taken = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 4)
    defer {
      try? engine.close()
      unsafe atoms.deallocate()
      unsafe memory.deallocate()
      unsafe taken.deallocate()
    }
    /// Of no world, so that nothing but the kernel above makes calls on it.
    func descriptor(_ index: Int, _ low: UInt64) -> UInt64 { SimulatedWorld.descriptorNowhere(UInt64(index) << 3 | low) }
    unsafe (atoms + atomCount).initialize(to: Atom(SystemCall.fsync, descriptor(atomCount, 7)))

    let all = choices(atomCount, stopSets: atomCount < 3 ? Self.allStopSets : Self.distinctStopSets)
    let total = (0..<atomCount).reduce(1) { product, _ in product * all.count }
    // A prime, so that every choice of every atom is met with many of the others.
    let stride = isComplete ? 1 : max(1, total / 6_000) | 1
    var tried = 0
    for number in Swift.stride(from: 0, to: total, by: stride) {
      var rest = number
      let program = (0..<atomCount).map { _ -> Choice in
        defer { rest /= all.count }
        return all[rest % all.count]
      }
      for (index, choice) in program.enumerated() {
        let next = unsafe choice.next.map { unsafe atoms + $0 }
        let low = descriptor(index, choice.behaviour.rawValue)
        let flags = AtomFlags(rawValue: choice.flags)
        unsafe (atoms + index).initialize(
          to: choice.behaviour.isRead
            ? Atom(SystemCall.pread64, low, UInt64(UInt(bitPattern: memory)), 8, 0, flags: flags, next: next)
            : Atom(SystemCall.fsync, low, flags: flags, next: next))
      }
      let (order, reason) = Self.interpret(program)
      var prepared: PreparedSyslet?
      for road in Road.allCases {
        log.removeAll(keepingCapacity: true)
        var count = 0
        do {
          if road == .prepared { prepared = unsafe try engine.prepare(atoms) }
          if let prepared { try engine.enqueue(prepared) } else { unsafe try engine.enqueue(atoms) }
          while count == 0, engine.pending > 0 { count = unsafe try engine.wait(into: taken) }
        } catch {
          Issue.record("\(links), \(road): \(error)\n\(Self.listing(program))\nran \(log), expected \(order)")
          return
        }
        guard unsafe Self.isWrong(program, order, log, taken, count, atoms, reason) else { continue }
        Issue.record(
          "\(links), \(road): ran \(log), expected \(order); \(unsafe Taken(taken[0])), expected \(reason)\n\(Self.listing(program))")
        return
      }
      tried += 1
    }
    print("exhaustive: \(links), \(atomCount) atoms: \(tried) of \(total) programs")
  }
}
