// The contests behind `questions`, and how their answers are told.

import ArgumentParser
import Foundation
import SysletRing
import Testing

@testable import syslet_bench

private let brief = Contest.Shape(seconds: 0.002, repeats: 2)

/// Takes a fixed time and notes when it was its turn.
private final class Puppet: Contestant {
  let name: String
  private let nanoseconds: UInt64
  private let note: (String) -> Void
  var problem: String?

  init(_ name: String, nanoseconds: UInt64, _ note: @escaping (String) -> Void = { _ in }) {
    self.name = name
    self.nanoseconds = nanoseconds
    self.note = note
  }

  func run(_ count: Int) -> Sample {
    note(name)
    var sample = Sample()
    sample.syslets = count
    sample.wallNanoseconds = UInt64(count) * nanoseconds
    sample.problem = problem
    return sample
  }
}

@Suite struct ContestTests {
  @Test("After the warm-up the variants take turns, each as often as there are repeats")
  func interleaved() throws {
    var turns = ""
    let puppets = ["A", "B", "C"].map { name in Puppet(name, nanoseconds: 100) { turns += $0 } }
    let measured = try Contest(title: "t", shape: Contest.Shape(seconds: 0.001, repeats: 4)).measure(puppets)
    #expect(turns.hasSuffix("CABCABCABCABC"))
    #expect(measured.map(\.name) == ["A", "B", "C"])
    #expect(measured.allSatisfy { $0.repeats == [100, 100, 100, 100] })
  }

  @Test("A fast variant makes more operations, so that all measure for about as long")
  func evenTime() throws {
    final class Counter: Contestant {
      let name = ""
      var last = 0
      let nanoseconds: UInt64
      init(_ nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
      func run(_ count: Int) -> Sample {
        last = count
        var sample = Sample()
        (sample.syslets, sample.wallNanoseconds) = (count, UInt64(count) * nanoseconds)
        return sample
      }
    }
    let (fast, slow) = (Counter(10), Counter(1000))
    _ = try Contest(title: "t", shape: Contest.Shape(seconds: 0.01, repeats: 1)).measure([fast, slow])
    #expect(fast.last == 1_000_000)
    #expect(slow.last == 10_000)
  }

  @Test("A wrong result ends the contest, and the message says whose it was")
  func wrongResult() throws {
    let liar = Puppet("liar", nanoseconds: 1)
    liar.problem = "it lied"
    let failure = try #require(throws: Failure.self) {
      _ = try Contest(title: "truth", shape: brief).measure([Puppet("honest", nanoseconds: 1), liar])
    }
    #expect(failure == .wrongResult("truth, liar: it lied"))
  }

  @Test("Ratios and differences are paired, so that a disturbance of both does not count")
  func paired() {
    let slow = Measured(name: "", repeats: [200, 400, 220])
    let fast = Measured(name: "", repeats: [100, 200, 110])
    #expect(slow.ratio(to: fast) == Summary([2, 2, 2]))
    #expect(slow.difference(to: fast, per: 10) == Summary([10, 20, 11]))
    // Paired as they were taken, not by size.
    let (first, second) = (Measured(name: "", repeats: [4, 1]), Measured(name: "", repeats: [1, 2]))
    #expect(first.difference(to: second) == Summary([3, -1]))
    #expect(first.ratio(to: second) == Summary([4, 0.5]))
  }

  @Test("The break-even batch is the first one from which on plain calls never win")
  func breakEven() {
    #expect(BatchQuestions.breakEven([(1, 0.5), (2, 0.9), (4, 1.0), (8, 1.3)]) == 4)
    #expect(BatchQuestions.breakEven([(1, 0.5), (2, 1.1), (4, 0.9), (8, 1.3)]) == 8)
    #expect(BatchQuestions.breakEven([(1, 1.2), (2, 1.3)]) == 1)
    #expect(BatchQuestions.breakEven([(1, 1.2), (2, 0.99)]) == nil)
  }
}

@Suite struct RunnerTests {
  @Test(
    "Parameters give the same sum in every form, whether their variables lie together or apart",
    arguments: [ParametersWorkload.Form.direct(pointers: 0), .direct(pointers: 3), .direct(pointers: 6), .indirect], [2, 6])
  func parameters(_ form: ParametersWorkload.Form, _ count: Int) throws {
    for isScattered in [false, true] {
      let workload = ParametersWorkload(form, parameters: count, depth: 3, isScattered: isScattered)
      #expect(try problem(of: workload, depth: 3, count: 10) == nil)
    }
  }

  @Test("A sum that is not what the parameters make is noticed")
  func wrongParameters() {
    let workload = ParametersWorkload(.direct(pointers: 0), parameters: 6, depth: 1)
    let sum = 5 + 32 * 7
    _ = unsafe workload.arm(0, item: 5)
    unsafe workload.slots.word(0, 0).pointee = sum
    #expect(workload.check(0, item: 5, completion(of: workload, result: sum, executed: 32)))
    #expect(!workload.check(0, item: 5, completion(of: workload, result: sum, executed: 31)))
    #expect(!workload.check(0, item: 6, completion(of: workload, result: sum, executed: 32)))
    unsafe workload.slots.word(0, 0).pointee = sum - 7
    #expect(!workload.check(0, item: 5, completion(of: workload, result: sum, executed: 32)))
  }

  @Test("Every form of the fetch brings the same arguments", arguments: FetchRunner.Form.allCases)
  func fetch(_ form: FetchRunner.Form) {
    let sample = FetchRunner(form).run(100)
    #expect(sample.problem == nil)
    #expect(sample.syslets == 128)
  }

  @Test("Both layouts of open-read-close read the file, and Molnar's needs five words more")
  func typedSyslets() throws {
    try withInputs { inputs in
      let file = try inputs.scratch.create("f", flags: O_RDWR)
      overwrite(file.path, at: 0, with: Array("text".utf8))
      let (direct, indirect) = (TypedSyslet(.direct, path: file.path), TypedSyslet(.indirect, path: file.path))
      #expect(try direct.run() == Array("text".utf8))
      #expect(try indirect.run() == Array("text".utf8))
      #expect(direct.words().count == 2)
      #expect(indirect.words().count == 7)
    }
  }

  @Test("A file that is not there is an error, not an empty file")
  func missingFile() {
    #expect(throws: Failure.self) { _ = try TypedSyslet(.direct, path: "/no/such/file").run() }
  }

  @Test("Plain calls are checked like syslets")
  func plainCalls() {
    let workload = NopWorkload(atomCount: 1, depth: 1)
    #expect(unsafe PlainRunner(workload) { _ in 0 }.run(10).problem == nil)
    #expect(unsafe PlainRunner(workload) { _ in -1 }.run(10).problem != nil)
    // In turn: only the second of two fails.
    let two = NopWorkload(atomCount: 1, depth: 2)
    let second = unsafe UInt(bitPattern: two.slots.atom(1, 0))
    let runner = unsafe PlainRunner(two, buffers: 2) { UInt(bitPattern: $0) == second ? -1 : 0 }
    #expect(runner.run(1).problem == nil)
    #expect(runner.run(2).problem?.hasPrefix("call 1 ") == true)
  }

  @Test(
    "Batches come back whole by either transfer, and a wrong result among them is noticed",
    .enabled(if: Questions.ringObstacle() == nil, "io_uring cannot be used here"),
    arguments: [BatchRunner<NopWorkload>.Transfer.ring, .copy])
  func batches(_ transfer: BatchRunner<NopWorkload>.Transfer) throws {
    for batch in [1, 3, 64] {
      let workload = NopWorkload(atomCount: 1, depth: 64)
      let runner = try BatchRunner(workload, batch: batch, transfer)
      // More than once around the completion ring.
      for _ in 0..<3 { #expect(try runner.run(batch * 2 + 1).problem == nil) }
      #expect(try runner.run(batch * 2 + 1).syslets == batch * 3)
      // getpid gives no 0.
      unsafe workload.slots.atom(batch - 1, 0).pointee.nr = UInt16(SystemCall.getpid)
      #expect(try runner.run(batch).problem == "\(batch - 1) of \(batch) results were right")
    }
  }

  @Test(
    "The transfer alone brings each completion once, in every way",
    .enabled(if: Questions.ringObstacle() == nil, "io_uring cannot be used here"))
  func transfers() throws {
    for way in [TransferRunner.Way.copy(batch: 1), .copy(batch: 64), .slots, .pointers] {
      let runner = try TransferRunner(way)
      for _ in 0..<2 { #expect(try runner.run(300).problem == nil) }
      #expect(try runner.run(300).syslets == 512)
    }
  }
}

@Suite struct QuestionsTests {
  private func questions(_ arguments: String...) throws -> Questions {
    let command = try SysletBench.parseAsRoot(SysletBench.withDefaultCommand(["questions"] + arguments))
    return try #require(command as? QuestionsCommand).plan()
  }

  @Test("Without a ring four questions are answered, and the exit code says that two are not")
  func withoutRing() throws {
    try withInputs { inputs in
      var shown = 0
      let findings = try Questions(shape: brief, coldDepth: 4).answers(inputs, obstacle: "there is no ring") { _ in shown += 1 }
      #expect(shown == 6)
      #expect(findings.map { $0.obstacle != nil } == [false, false, false, false, true, true])
      #expect(findings.prefix(4).allSatisfy { !$0.words.isEmpty && !$0.tables.isEmpty && !$0.figures.isEmpty })
      let failure = try #require(throws: Failure.self) { try Questions.conclude(findings) }
      #expect(failure.exitCode == 3)
      #expect(failure.description.contains("5, 6"))
      #expect(failure.description.contains("there is no ring"))
      try Questions.conclude(Array(findings.prefix(4)))
    }
  }

  @Test("With a ring all six are answered, with figures", .enabled(if: Questions.ringObstacle() == nil, "io_uring cannot be used here"))
  func withRing() throws {
    try withInputs { inputs in
      let findings = try Questions(shape: brief, coldDepth: 4).answers(inputs, obstacle: nil) { _ in }
      #expect(findings.map { String($0.title.prefix(2)) } == ["1.", "2.", "3.", "4.", "5.", "6."])
      #expect(findings.allSatisfy { $0.obstacle == nil && !$0.words.isEmpty && !$0.figures.isEmpty })
    }
  }

  @Test("Options end up in the plan, and a wrong one is wrong usage")
  func options() throws {
    let plan = try questions("--seconds", "0.5", "--repeats", "3", "--json", "j", "--markdown", "--scratch", "s")
    #expect(plan.shape.seconds == 0.5)
    #expect(plan.shape.repeats == 3)
    #expect(plan.json == "j")
    #expect(plan.scratch == "s")
    #expect(plan.form == .markdown)
    #expect(try questions().form == .text)
    #expect(SysletBench.exitCode(running: ["questions", "--repeats", "0"]) == 2)
    #expect(SysletBench.exitCode(running: ["questions", "--json", "/no/such/folder/f"]) == 2)
    #expect(SysletBench.exitCode(running: ["questions", "nop"]) == 2)
  }

  @Test("docs/ANSWERS.md has a section for every question, under its title")
  func document() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "docs/ANSWERS.md"), encoding: .utf8)
    let sections = text.split(separator: "\n").filter { $0.hasPrefix("## ") }.map { String($0.dropFirst(3)) }
    #expect(Array(sections.prefix(6)) == Questions.titles)
  }
}

@Suite struct FindingTests {
  private var finding: Finding {
    var finding = Finding("1. A title", asked: "Why?")
    var table = FindingTable("a | table", ["", "ns"])
    table.add("one", "1.00")
    table.add("a hundred", "100")
    finding.tables = [table]
    finding.words = [String(repeating: "word ", count: 60), "The end."]
    finding.figures = [Figure("f", "ns", Summary([1, 2, 4]))]
    return finding
  }

  @Test("Text has columns under one another, and lines that fit a terminal")
  func text() {
    let lines = FindingForm.text.lines(finding)
    #expect(lines.contains("  one        1.00"))
    #expect(lines.contains("  a hundred   100"))
    #expect(lines.allSatisfy { $0.count <= 120 })
    #expect(lines.joined(separator: " ").contains("word The end."))
  }

  @Test("Markdown has a section with the question, the table and the words")
  func markdown() {
    let lines = FindingForm.markdown.lines(finding)
    #expect(lines.contains("## 1. A title"))
    #expect(lines.contains("| a hundred | 100 |"))
    #expect(lines.contains("The end."))
  }

  @Test("A question without an answer says why instead")
  func obstacle() {
    var finding = finding
    finding.obstacle = "it has none"
    for form in [FindingForm.text, .markdown] {
      let text = form.lines(finding).joined(separator: "\n")
      #expect(text.contains("This machine cannot answer it: it has none"))
      #expect(!text.contains("The end."))
    }
  }

  @Test("JSON has every figure with its spread")
  func json() throws {
    let object = try JSONSerialization.jsonObject(with: Data(FindingJSON.text([finding], report([])).utf8)) as? [String: Any]
    #expect(object?["environment"] is [String: Any])
    let findings = try #require(object?["findings"] as? [[String: Any]])
    let figures = try #require(findings[0]["figures"] as? [[String: Any]])
    #expect(figures[0]["median"] as? Double == 2)
    #expect(figures[0]["max"] as? Double == 4)
    #expect(figures[0]["unit"] as? String == "ns")
    #expect(findings[0]["obstacle"] is NSNull)
  }

  @Test("A share keeps the digits that tell it from nothing", arguments: [(0.25, "25.0 %"), (0.0123, "1.23 %"), (0.0001, "0.0100 %")])
  func percent(_ share: Double, _ text: String) { #expect(Text.percent(share) == text) }
}
