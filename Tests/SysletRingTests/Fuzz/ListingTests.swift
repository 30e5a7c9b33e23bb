// What `explain` lists is what is submitted: random programs on a kernel that writes down each SQE, run again as plans have them.

import CLiburing
import Glibc
import Testing

@testable import SysletRing

/// A kernel at the system call's seam that remembers what it was given first, and says that each call has failed that can.
@safe private final class RecordingKernel {
  private(set) var ring: Ring!
  /// The calls' SQEs of the first enter that had any, since they were last looked at.
  var first: [syslet_sqe] = []

  init() {
    let simulation = unsafe syslet_simulation(
      context: Unmanaged.passUnretained(self).toOpaque(),
      enter: { context, submit, _, _ in
        unsafe Int32(Unmanaged<RecordingKernel>.fromOpaque(context!).takeUnretainedValue().enter(Int(submit)))
      })
    ring = unsafe Ring(entries: 64, completionEntries: 64, simulation: simulation)
  }

  private func enter(_ count: Int) -> Int {
    let sqes = (0..<count).compactMap { _ in ring.takeSubmitted() }
    let calls = sqes.filter { UserData.kind($0.user_data) == 0 }
    if first.isEmpty { first = calls }
    var isSevered = false
    for sqe in sqes {
      let row = Operation.ringRows.first { Int($0.form.opcode) == Int(sqe.opcode) }
      // A no-op cannot fail, and its links count on that.
      let mayFail = row?.form.results.contains(.negative) ?? true
      let result = UserData.kind(sqe.user_data) != 0 || isSevered ? -ECANCELED : mayFail ? -EIO : 0
      precondition(ring.post(syslet_cqe(user_data: sqe.user_data, res: result, flags: 0)))
      isSevered = Int(sqe.flags) & SYSLET_SQE_LINK != 0 && result < 0 || Int(sqe.flags) & SYSLET_SQE_HARDLINK != 0 && isSevered
    }
    return count
  }
}

@Suite("Listings of random programs", .leavesNothingBehind)
struct ListingTests {
  /// One request: its operation and its link flag.
  private static func text(_ sqe: syslet_sqe) -> String {
    let row = Operation.ringRows.first { Int($0.form.opcode) == Int(sqe.opcode) }!
    let flags = Int(sqe.flags)
    return "\(row.form.opcode)"
      + (flags & SYSLET_SQE_HARDLINK != 0 ? " IOSQE_IO_HARDLINK" : flags & SYSLET_SQE_LINK != 0 ? " IOSQE_IO_LINK" : "")
  }

  /// The same of each atom of the submission that the head is in, by the listing; empty if the head is not the ring's.
  private static func listed(_ explanation: Explanation) -> [String] {
    guard let head = explanation.lines.first, head.place == "ring" else { return [] }
    return explanation.lines.filter { $0.segment == head.segment }.map { line in
      let row = Operation.ringRows.first { "\($0.name)" == line.call }!
      return "\(row.form.opcode)" + (line.sqeFlag.map { " \($0)" } ?? "")
    }
  }

  @Test("What is submitted first is what the listing says, also when it is submitted again", arguments: Form.allCases)
  func submitted(form: Form) throws {
    var (compared, linked) = (0, 0)
    for seed in UInt64(1)...600 {
      var recipe = Recipe(seed: seed, isChecked: false, hasFaults: false)
      recipe.form = form
      let built = BuiltProgram(recipe, in: SimulatedWorld([:]))
      let kernel = RecordingKernel()
      var options = SysletEngine.Options()
      options.backend = .ring
      options.maxSteps = Recipe.stepsMax
      let engine = try SysletEngine(options, on: kernel.ring, believing: LinkModel.modern.findings)
      defer {
        try? engine.close()
        withExtendedLifetime(kernel) {}
      }
      for round in 1...2 {
        let explanation = try Self.explain(built.program, engine)
        let expected = Self.listed(explanation)
        kernel.first = []
        try engine.enqueue(built.program)
        try engine.flush()
        let found = kernel.first.map(Self.text)
        if !expected.isEmpty {
          #expect(found == expected, "seed \(seed), round \(round)\n\(recipe)\n\(explanation)")
          compared += 1
          if expected.count > 1 { linked += 1 }
        }
        while engine.pending > 0, try !engine.take().isEmpty {}
        #expect(engine.pending == 0)
      }
    }
    #expect(compared > 100 && linked > 20, "\(compared) compared, of which \(linked) had links")
  }

  private static func explain(_ program: Program, _ engine: SysletEngine) throws -> Explanation {
    switch program.form {
    case .direct, .pointers: unsafe engine.explain(program.directAtom(0))
    case .indirect: unsafe engine.explain(program.indirectAtom(0))
    case .prepared, .preparedIndirect: engine.explain(try engine.prepared(program))
    }
  }
}
