// `syslet-bench doctor`: may this machine use io_uring, and what of it.

internal import ArgumentParser
internal import SysletRing

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Says whether this machine can use io_uring, and if not, why and what to do.",
    discussion: "The exit code is 0 if it can and 3 if it cannot.")

  @Flag(help: "Write JSON instead of text.")
  var json = false

  func run() throws {
    let diagnosis = Diagnosis.current()
    if json { print(diagnosis.json.text, terminator: "") } else { for line in diagnosis.lines { print(line) } }
    // The reason is on stdout already: it is the answer, not an accident.
    if !diagnosis.isRingAvailable { throw Quiet.ringUnavailable }
  }

  /// An exit code that needs no further words.
  enum Quiet: Error {
    case ringUnavailable

    var exitCode: Int32 { 3 }
  }
}
