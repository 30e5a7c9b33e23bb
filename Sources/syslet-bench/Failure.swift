// Why the program gives up, and the exit code that tells a script so.

internal import SysletRing

enum Failure: Error, Equatable {
  /// A result was not what the workload must give.
  case wrongResult(String)
  /// The command line asks for what does not exist.
  case usage(String)
  /// This machine cannot do it.
  case machine(String)
  /// This machine cannot run one workload; the others go on.
  case skipped(String)
  /// The user, or the system, asked to stop.
  case interrupted(signal: Int32)

  var exitCode: Int32 {
    switch self {
    case .wrongResult: 1
    case .usage: 2
    case .machine, .skipped: 3
    case .interrupted(let signal): 128 + signal
    }
  }

  init(_ error: EngineError) { self = .machine(error.description) }
}

extension Failure: CustomStringConvertible {
  var description: String {
    switch self {
    case .wrongResult(let text), .usage(let text), .machine(let text), .skipped(let text): text
    case .interrupted(let signal): "stopped by signal \(signal); what had been measured is printed"
    }
  }
}
