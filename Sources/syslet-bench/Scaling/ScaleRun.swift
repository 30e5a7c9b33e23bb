// The whole of `syslet-bench scale`: engines over processors, then memory over pending syslets.

internal import Glibc
internal import SysletRing

struct ScaleRun {
  var engines: [Int]
  var shape: Contest.Shape
  var pending: Int
  var form = FindingForm.text
  var json: String?

  func perform() throws(Failure) {
    let outputs = Outputs(json: json)
    try outputs.check()
    if let obstacle = Questions.ringObstacle() { throw Failure.machine(obstacle) }
    if Environment.isDebugBuild { Console.complain("this is a debug build: its figures mean little. Build with -c release") }
    signal(SIGPIPE, SIG_IGN)
    try Interrupt.note()
    let scratch = try Scratch(in: nil)
    defer { scratch.remove() }
    let header = Report(
      command: Environment.command, started: Environment.now(), environment: Environment.current(scratch: scratch), isQuick: false,
      seed: 0)
    Questions.show(form.heading(header))
    var findings: [Finding] = []
    func add(_ finding: Finding) {
      findings.append(finding)
      Questions.show(form.lines(finding))
    }
    // Memory first: nothing has been allocated and freed yet.
    add(try PendingMemory.measure(.sleep, count: pending))
    try Interrupt.check()
    add(try PendingMemory.measure(.receive, count: pending))
    add(try EngineScaling.measure(engines, shape))
    if let json { try Outputs.write(FindingJSON.text(findings, header), to: json) }
  }
}
