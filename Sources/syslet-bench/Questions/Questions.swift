// All six questions of the seed mail, one after the other, printed as they are answered.

internal import Glibc
internal import SysletRing

struct Questions {
  var shape: Contest.Shape
  var form = FindingForm.text
  var json: String?
  var scratch: String?
  /// Fewer for tests.
  var scale = Scale.quick
  var coldDepth = ParameterTimes.coldDepth

  /// Prints the answers on standard output.
  func perform() throws(Failure) {
    let outputs = Outputs(json: json)
    try outputs.check()
    if Environment.isDebugBuild { Console.complain("this is a debug build: its figures mean little. Build with -c release") }
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    try Interrupt.note()
    let scratch = try Scratch(in: scratch)
    defer { scratch.remove() }
    let header = Report(
      command: Environment.command, started: Environment.now(), environment: Environment.current(scratch: scratch), isQuick: false,
      seed: 2007)
    Self.show(form.heading(header))
    let inputs = Inputs(scratch: scratch, isScratchExplicit: self.scratch != nil, tree: nil, seed: header.seed, scale: scale)
    let findings = try answers(inputs, obstacle: Self.ringObstacle()) { Self.show(form.lines($0)) }
    if let json { try Outputs.write(FindingJSON.text(findings, header), to: json) }
    try Self.conclude(findings)
  }

  /// - Parameter obstacle: Why this machine has no ring; questions 5 and 6 then have no answer, and the others have.
  func answers(_ inputs: Inputs, obstacle: String?, _ show: (Finding) -> Void) throws(Failure) -> [Finding] {
    var findings: [Finding] = []
    func add(_ finding: Finding) {
      findings.append(finding)
      show(finding)
    }
    let times = try ParameterTimes.measure(shape, coldDepth: coldDepth)
    add(ParameterQuestions.indirection(times))
    add(try TypesQuestion.answer(inputs))
    add(ParameterQuestions.layout(times))
    add(ParameterQuestions.map(times))
    if let obstacle {
      for (title, asked) in Self.ringQuestions {
        var finding = Finding(title, asked: asked)
        finding.obstacle = obstacle
        add(finding)
      }
    } else {
      add(try BatchQuestions.transfer(inputs, shape))
      add(try BatchQuestions.saving(inputs, shape))
    }
    return findings
  }

  /// Of all of them, in their order.
  static let titles =
    [ParameterQuestions.indirectionTitle, TypesQuestion.title, ParameterQuestions.layoutTitle, ParameterQuestions.mapTitle]
    + ringQuestions.map(\.0)

  private static let ringQuestions = [
    (BatchQuestions.transferTitle, BatchQuestions.transferAsked), (BatchQuestions.savingTitle, BatchQuestions.savingAsked),
  ]

  /// Why there is no ring here; nil if there is one.
  static func ringObstacle() -> String? { RingReport.current().unavailability?.description }

  /// The exit code's reason: a question without an answer.
  static func conclude(_ findings: [Finding]) throws(Failure) {
    let unanswered = findings.filter { $0.obstacle != nil }
    guard let obstacle = unanswered.first?.obstacle else { return }
    let numbers = unanswered.map { String($0.title.prefix { $0 != "." }) }
    throw Failure.machine("without an answer here: \(numbers.joined(separator: ", ")). \(obstacle)")
  }

  static func show(_ lines: [String]) {
    for line in lines { print(line) }
    // A terminal shows lines at once; a pipe would show nothing before the end.
    fflush(nil)
  }
}
