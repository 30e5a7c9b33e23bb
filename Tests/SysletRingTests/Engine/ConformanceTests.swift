// The conformance table on every backend.

import SysletRing
import Testing

extension ConformanceCase {
  /// Runs the case in every setting, or in those of some forms, and gives what went wrong.
  func failures(
    on backend: SysletEngine.Backend, forms: [Form] = Form.allCases, making make: @escaping EngineMaker = { try SysletEngine($0) }
  ) -> [String] {
    Setting.all(on: [backend]).filter {
      forms.contains($0.form) && !(setsAsync && $0.isAsync) && !(writesAtoms && $0.form == .prepared)
    }.compactMap { setting in
      do {
        try run(Conformance(setting, making: make))
        return nil
      } catch {
        return "\(name) [\(setting)]: \(error)"
      }
    }
  }
}

@Suite("Conformance", .leavesNothingBehind)
struct ConformanceTests {
  @Test(
    "Each case of the table holds on each backend, in every form and delivery", arguments: SysletEngine.Backend.available,
    ConformanceCase.all)
  func holds(backend: SysletEngine.Backend, testCase: ConformanceCase) {
    guard !testCase.excused.contains(backend) else { return }
    for failure in testCase.failures(on: backend) { Issue.record("\(failure)") }
  }

  @Test("The cases that a backend is excused from are those that docs/SEMANTICS.md names: two sleeps at once do not exist inline")
  func excuses() {
    let excused = SysletEngine.Backend.allCases.map { backend in
      ConformanceCase.all.filter { $0.excused.contains(backend) }.map { "\(backend): \($0.name.prefix(3))" }
    }
    #expect(excused.flatMap { $0 } == ["inline: C15"])
  }
}
