// What `scale` counts and weighs.

import ArgumentParser
import Glibc
import SysletRing
import Testing

@testable import syslet_bench

@Suite struct ScaleTests {
  private func plan(_ arguments: String..., cpus: Int = 4) throws -> ScaleRun {
    let command = try SysletBench.parseAsRoot(SysletBench.withDefaultCommand(["scale"] + arguments))
    return try #require(command as? ScaleCommand).plan(cpus: cpus)
  }

  @Test("Engines are counted in doubles up to the processors")
  func counts() {
    #expect(EngineScaling.defaultCounts(cpus: 1) == [1])
    #expect(EngineScaling.defaultCounts(cpus: 2) == [1, 2])
    #expect(EngineScaling.defaultCounts(cpus: 6) == [1, 2, 4, 6])
    #expect(EngineScaling.defaultCounts(cpus: 8) == [1, 2, 4, 8])
  }

  @Test("Options end up in the plan, a wrong one is wrong usage, and too many engines are more than the machine can")
  func options() throws {
    let plan = try plan("--engines", "1, 2,2", "--seconds", "0.5", "--repeats", "3", "--pending", "10", "--json", "j")
    #expect(plan.engines == [1, 2])
    #expect(plan.pending == 10)
    #expect(plan.shape.repeats == 3)
    #expect(try self.plan().engines == [1, 2, 4])
    for wrong in [["--engines", "x"], ["--engines", "0"], ["--engines", ","], ["--pending", "0"], ["--seconds", "0"]] {
      #expect(SysletBench.exitCode(running: ["scale"] + wrong) == 2, "\(wrong)")
    }
    let failure = try #require(throws: Failure.self) { try self.plan("--engines", "3", cpus: 2) }
    #expect(failure.exitCode == 3)
  }

  @Test("Threads start together, and each gives what it did")
  func threads() throws {
    let turns = try PinnedThreads.run(3) { line in
      line.wait()
      return Turn(operations: 5, nanoseconds: 10)
    }
    #expect(turns.map(\.operations) == [5, 5, 5])
    #expect(turns[0].perSecond == 5e8)
  }

  @Test("Each thread is kept on a processor of its own, and one too many on none")
  func pinned() throws {
    let cpus = Limits.cpus()
    let turns = try PinnedThreads.run(cpus + 1) { line in
      line.wait()
      // Of the calling thread.
      return Turn(operations: Limits.cpus())
    }
    #expect(turns.map(\.operations) == Array(repeating: 1, count: cpus) + [cpus])
    #expect(turns[cpus].processor == nil)
    #expect(Set(turns.prefix(cpus).map(\.processor)).count == cpus)
    #expect(Limits.cpus() == cpus)
  }

  @Test("Memory is read from the kernel's own lines")
  func fields() throws {
    let text = "MemTotal:  100 kB\nSlab:            78804 kB\nSlabX: 1 kB\nBad: 12\n"
    #expect(MemoryUse.field("Slab", in: text) == 78804 * 1024)
    #expect(MemoryUse.field("Missing", in: text) == nil)
    #expect(MemoryUse.field("Bad", in: text) == nil)
    #expect(try MemoryUse.current().resident > 1 << 20)
  }

  @Test("The steps' shares add up, and the goal is judged by what all pending ones hold")
  func words() {
    func use(_ resident: Int, _ slab: Int) -> MemoryUse { MemoryUse(resident: resident, slab: slab, kernelStacks: 0) }
    func finding(pending: Int) -> Finding {
      PendingMemory.report(
        .sleep, 10,
        PendingMemory.Weights(
          before: use(1000, 0), made: use(2000, 0), accepted: use(3000, 0), pending: use(1000 + pending, 800), completed: use(9000, 0),
          withKernel: 8), completionEntries: 8, crowd: "")
    }
    let reached = finding(pending: 5120)
    #expect(reached.words[0].contains("512 B per pending syslet; the goal of 512 B is reached"))
    #expect(reached.words[0].contains("Of these 100 came with the engine"))
    #expect(reached.words[1].contains("8 of them are with the kernel, which has about 100 B for each; the others wait"))
    #expect(finding(pending: 6120).words[0].contains("missed by 100 B"))
  }

  @Test(
    "Pending syslets are all pending, and all end as they must",
    .enabled(if: Questions.ringObstacle() == nil, "io_uring cannot be used here"),
    arguments: [PendingMemory.Kind.sleep, .receive])
  func pending(_ kind: PendingMemory.Kind) throws {
    // More than the completion queue holds is in the command's own run; here the queue is larger.
    let finding = try PendingMemory.measure(kind, count: 300)
    // Sleeps are the ring's where it has IORING_TIMEOUT_ETIME_SUCCESS (Linux 5.16).
    let time = UnsafeMutablePointer<timespec>.allocate(capacity: 1)
    unsafe time.initialize(to: timespec(tv_sec: 1, tv_nsec: 0))
    defer { unsafe time.deallocate() }
    var atom = unsafe Atom(kind == .sleep ? SystemCall.nanosleep : noOperation, UInt64(argument: time), 0)
    var options = SysletEngine.Options()
    options.backend = .ring
    let isTheRings = unsafe try SysletEngine(options).explain(&atom).lines[0].place == "ring"
    #expect(finding.words[1].hasPrefix("\(isTheRings ? 300 : 0) of them are with the kernel"))
    #expect(finding.tables[0].rows.count == 4)
  }

  @Test("Crowds tell a right end from a wrong one")
  func crowds() throws {
    let (sleepers, receivers) = (Sleepers(), try Receivers(count: 3))
    func completion(_ result: Int, _ executed: Int, _ reason: Completion.Reason) -> Completion {
      unsafe Completion(atom: UnsafeMutableRawPointer(sleepers.head(0)), result: result, executed: executed, reason: reason)
    }
    #expect(sleepers.isRight(completion(-Int(ECANCELED), 0, .cancelled)))
    #expect(!sleepers.isRight(completion(0, 1, .ended)))
    #expect(receivers.isRight(completion(0, 1, .ended)))
    #expect(!receivers.isRight(completion(1, 1, .ended)))
    #expect(unsafe receivers.head(0) != receivers.head(1))
  }

  @Test("Engines are compared with one of them", .enabled(if: Questions.ringObstacle() == nil, "io_uring cannot be used here"))
  func engines() throws {
    let finding = try EngineScaling.measure([1], Contest.Shape(seconds: 0.02, repeats: 2))
    #expect(finding.tables[0].rows.count == 1)
    #expect(finding.figures.first { $0.name == "1 engines / 1" }?.summary == Summary([1, 1]))
  }
}
