// What the command line accepts, and the exit code of what it does not.

import ArgumentParser
import Glibc
import SysletRing
import Testing

@testable import syslet_bench

@Suite struct CommandLineTests {
  private func plan(_ arguments: String...) throws -> RunPlan {
    let command = try SysletBench.parseAsRoot(SysletBench.withDefaultCommand(arguments))
    return try #require(command as? RunCommand).plan()
  }

  @Test("No command is `run --quick`, also with options")
  func defaultCommand() throws {
    #expect(try SysletBench.withDefaultCommand([]) == ["run", "--quick"])
    #expect(try SysletBench.withDefaultCommand(["--json", "f"]) == ["run", "--quick", "--json", "f"])
    #expect(try SysletBench.withDefaultCommand(["--help"]) == ["--help"])
    #expect(try SysletBench.withDefaultCommand(["run", "nop"]) == ["run", "nop"])
    #expect(try plan().isQuick)
    #expect(try !plan("run").isQuick)
  }

  @Test("A run's options end up in its plan")
  func options() throws {
    let plan = try plan(
      "run", "copy", "nop", "copy", "--backend", "inline, threads", "--depth", "1,8,8", "--seconds", "0.5", "--repeats", "3", "--dir",
      "tree", "--scratch", "s", "--seed", "7", "--json", "j", "--csv", "c", "--markdown", "m")
    #expect(plan.workloads.map(\.name) == ["copy", "nop"])
    #expect(plan.backends == [.inline, .threads])
    #expect(plan.isBackendExplicit)
    #expect(plan.depths == [1, 8])
    #expect(plan.seconds == 0.5)
    #expect(plan.repeats == 3)
    #expect(plan.tree == "tree")
    #expect(plan.scratch == "s")
    #expect(plan.seed == 7)
    #expect(plan.outputs.json == "j")
    #expect(plan.outputs.csv == "c")
    #expect(plan.outputs.markdown == "m")
  }

  @Test("Without options a run measures every workload on every backend, alone and at 32")
  func defaults() throws {
    let plan = try plan("run")
    #expect(plan.workloads.count == WorkloadCatalog.all.count)
    #expect(Set(plan.backends) == Set(Backend.allCases))
    #expect(!plan.isBackendExplicit)
    #expect(plan.depths == [1, 32])
  }

  @Test("--quick shortens only what is not given")
  func quick() throws {
    #expect(try plan("run", "--quick").seconds == RunPlan.quickSeconds)
    #expect(try plan("run", "--quick", "--seconds", "2").seconds == 2)
    #expect(try plan("run", "--quick").scale.readFileBytes < plan("run").scale.readFileBytes)
  }

  @Test("An unknown workload is wrong usage, and the message lists the known ones")
  func unknownWorkload() throws {
    let failure = try #require(throws: Failure.self) { try plan("run", "nop", "bogus") }
    #expect(failure.exitCode == 2)
    #expect(failure.description.contains("'bogus'"))
    for name in WorkloadCatalog.names { #expect(failure.description.contains(name)) }
  }

  @Test(
    "A wrong name or number is wrong usage and is quoted",
    arguments: [
      (["run", "--backend", "fibers"], "fibers"), (["run", "--backend", ","], "--backend"), (["run", "--depth", "0"], "0"),
      (["run", "--depth", "1,x"], "x"), (["run", "--depth", "4097"], "4097"), (["run", "--seconds", "0"], "0"),
      (["run", "--repeats", "0"], "0"), (["frobnicate"], "frobnicate"), (["nop"], "run nop"),
    ])
  func wrongValues(_ arguments: [String], _ quoted: String) throws {
    let failure = try #require(throws: Failure.self) {
      let command = try SysletBench.parseAsRoot(SysletBench.withDefaultCommand(arguments))
      _ = try (command as? RunCommand)?.plan()
    }
    #expect(failure.exitCode == 2)
    #expect(failure.description.contains(quoted))
  }

  @Test("The workloads that read the tree are known, so that a wrong --dir is refused at once")
  func treeUsers() {
    #expect(WorkloadCatalog.all.filter(\.usesTree).map(\.name) == ["open-read-close", "open-fstat-read-close", "stat-walk"])
  }

  @Test("Each kind of failure has its exit code")
  func exitCodes() {
    #expect(Failure.wrongResult("").exitCode == 1)
    #expect(Failure.usage("").exitCode == 2)
    #expect(Failure.machine("").exitCode == 3)
    #expect(Failure.skipped("").exitCode == 3)
    #expect(Failure.interrupted(signal: SIGINT).exitCode == 130)
    #expect(DoctorCommand.Quiet.ringUnavailable.exitCode == 3)
    #expect(Failure(EngineError.ringUnavailable(call: "io_uring_setup", errno: EPERM)).exitCode == 3)
  }

  @Test("The argument parser's own exit code for wrong usage becomes 2")
  func parserExitCodes() {
    #expect(SysletBench.benchExitCode(parser: 0) == 0)
    #expect(SysletBench.benchExitCode(parser: 64) == 2)
    #expect(SysletBench.exitCode(running: ["run", "--no-such-option"]) == 2)
    #expect(SysletBench.exitCode(running: ["explain"]) == 2)
    #expect(SysletBench.exitCode(running: ["run", "no-such-workload"]) == 2)
    #expect(SysletBench.exitCode(running: ["list"]) == 0)
  }

  @Test(
    "A tree, a scratch folder or an output that cannot be used is wrong usage",
    arguments: [
      ["run", "stat-walk", "--dir", "/no/such/tree"], ["run", "nop", "--scratch", "/no/such/folder"],
      ["run", "nop", "--json", "/no/such/folder/f"], ["run", "nop", "--csv", "/"],
    ])
  func unusablePaths(_ arguments: [String]) {
    #expect(SysletBench.exitCode(running: arguments + ["--backend", "inline"]) == 2)
  }

  @Test("`list` has a line for every workload, with its syslet")
  func list() {
    #expect(ListCommand.lines.count == WorkloadCatalog.all.count)
    for (line, workload) in zip(ListCommand.lines, WorkloadCatalog.all) {
      #expect(line.hasPrefix(workload.name))
      #expect(line.contains(workload.syslet))
    }
  }

  @Test("A run with wrong results ends with 1, an interrupted one with its signal, one that could run nothing with 3")
  func conclusion() throws {
    var report = report([row(.inline, nanoseconds: [1], problem: "it is wrong")])
    #expect(throws: Failure.wrongResult("1 of 1 rows have wrong results")) { try BenchRun.conclude(report, nil) }
    #expect(throws: Failure.interrupted(signal: 2)) { try BenchRun.conclude(report, .interrupted(signal: 2)) }
    report.rows = []
    report.skips = [Skip(workload: "read-direct", reason: "no O_DIRECT")]
    let failure = try #require(throws: Failure.self) { try BenchRun.conclude(report, nil) }
    #expect(failure.exitCode == 3)
    report.rows = [row(.inline, nanoseconds: [1])]
    try BenchRun.conclude(report, nil)
  }
}
