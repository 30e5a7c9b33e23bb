// What `explain` lists is what is submitted: random programs on a kernel that writes down each SQE, run again as plans have them.

import CLiburing
import Glibc
import Testing

@testable import SysletRing

@Suite("Listings of random programs", .leavesNothingBehind)
struct ListingTests {
  @Test("What is submitted first is what the listing says, also when it is submitted again", arguments: Form.allCases)
  func submitted(form: Form) throws {
    var (compared, linked) = (0, 0)
    for seed in UInt64(1)...600 {
      var recipe = Recipe(seed: seed, isChecked: false, hasFaults: false)
      recipe.form = form
      let built = BuiltProgram(recipe, in: SimulatedWorld([:]))
      let kernel = RecordingKernel(entries: 64)
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
        let expected = RecordingKernel.listed(explanation)
        kernel.submitted = []
        try engine.enqueue(built.program)
        try engine.flush()
        let found = kernel.submitted
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
