// The program's entrance: which command runs, and with which exit code the process ends.

internal import ArgumentParser
internal import Glibc

@main
struct SysletBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "syslet-bench",
    abstract: "Compares where syslets run: io_uring, worker threads, the caller's own thread.",
    discussion: """
      Without a command it runs `run --quick`: every workload on real files, every backend that this machine has, in under 30 \
      seconds.

      Exit codes: 0 well; 1 a result was wrong; 2 wrong usage; 3 this machine cannot, and why is said; 128 + N ended by signal N, \
      after printing what has been measured.
      """,
    subcommands: [RunCommand.self, ListCommand.self, ExplainCommand.self, DoctorCommand.self, QuestionsCommand.self, ScaleCommand.self])

  static func main() {
    Glibc.exit(exitCode(running: Array(CommandLine.arguments.dropFirst())))
  }

  /// Runs the command that `arguments` name and returns the process's exit code. Everything that it made is released by then:
  /// `exit` runs no defers.
  static func exitCode(running arguments: [String]) -> Int32 {
    do {
      var command = try parseAsRoot(withDefaultCommand(arguments))
      try command.run()
      return 0
    } catch let failure as Failure {
      Console.complain(failure.description)
      return failure.exitCode
    } catch let quiet as DoctorCommand.Quiet {
      return quiet.exitCode
    } catch {
      let message = fullMessage(for: error)
      let code = benchExitCode(parser: exitCode(for: error).rawValue)
      if code == 0 { print(message) } else { Console.write(message + "\n") }
      return code
    }
  }

  /// Puts `run --quick` in front of arguments that name no command.
  static func withDefaultCommand(_ arguments: [String]) throws(Failure) -> [String] {
    guard let first = arguments.first else { return ["run", "--quick"] }
    if ["-h", "--help", "help", "--help-hidden"].contains(first) || first.hasPrefix("--generate-completion-script") {
      return arguments
    }
    if first.hasPrefix("-") { return ["run", "--quick"] + arguments }
    let commands = configuration.subcommands.map { $0._commandName }
    guard commands.contains(first) else {
      let isWorkload = WorkloadCatalog.names.contains(first)
      throw Failure.usage(
        "there is no command '\(first)'. "
          + (isWorkload ? "To run that workload: syslet-bench run \(first)" : "The commands are \(commands.joined(separator: ", "))"))
    }
    return arguments
  }

  /// The argument parser ends with 64 on wrong usage; this program promises 2.
  static func benchExitCode(parser code: Int32) -> Int32 { code == 0 ? 0 : 2 }
}
