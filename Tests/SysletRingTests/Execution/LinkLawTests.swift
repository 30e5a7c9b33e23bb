// L1 on the real kernel: it may not run a call that the syslet would not have run. A soft link does not hold after many failing operations
// (docs/TRANSLATION.md), so these are the chains that a wrong translation lets run on. OperationTests goes through the whole table; here
// are the calls that are known to let a linked successor run, in the shapes in which that does harm.

import Glibc
import SysletRing
import Testing

@Suite("L1: a stop is never late", .leavesNothingBehind)
struct LinkLawTests {
  /// How the three atoms are handed over.
  enum Handing: String, CaseIterable, Sendable { case exec, async, batch }

  static func run(_ program: Program, _ handing: Handing, on engine: SysletEngine) throws -> (last: Int?, executed: Int?) {
    if handing == .async { program.addFlags(.async, to: 0) }
    if handing == .batch {
      try engine.enqueue(program)
    } else if let last = try engine.exec(program) {
      return (last, nil)
    }
    let taken = try engine.take()
    return (taken.first.flatMap { program.index($0.atom) }, taken.first?.executed)
  }

  @Test(
    "L1: a failed fsync does not let the rename run", arguments: SysletEngine.Backend.available, Form.allCases)
  func failedSync(backend: SysletEngine.Backend, form: Form) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    for handing in Handing.allCases {
      for isPipe in [true, false] {
        for rename in ["renameat", "renameat2"] {
          let program = Program(form)
          let log = program.descriptors.open(program.scratch.file("log"), O_WRONLY)
          let unsyncable = isPipe ? program.descriptors.pipe().write : program.descriptors.event(0)
          program.scratch.file("new", "new")
          let (written, synced, renamed) = (program.word(), program.word(), program.word())
          let old = Program.Argument.to(program.path(program.scratch.path("new")))
          let new = Program.Argument.to(program.path(program.scratch.path("current")))
          program.atom(SystemCall.write, .int(log), .to(program.path("abc")), 3, flags: .stopOnNegative, result: written)
          program.atom(SystemCall.fsync, .int(unsyncable), flags: .stopOnNegative, result: synced)
          if rename == "renameat" {
            program.atom(SystemCall.renameat, .int(AT_FDCWD), old, .int(AT_FDCWD), new, result: renamed)
          } else {
            program.atom(SystemCall.renameat2, .int(AT_FDCWD), old, .int(AT_FDCWD), new, 0, result: renamed)
          }
          let (last, executed) = try Self.run(program, handing, on: engine)
          #expect(program.scratch.exists("new") && !program.scratch.exists("current"), "L1: \(handing), \(rename)")
          #expect([written.value, synced.value, renamed.value] == [3, -Int(EINVAL), Program.untouched])
          #expect(last == 1)
          #expect(executed ?? 2 == 2)
        }
      }
    }
  }

  @Test(
    "L1: the rename does run after an fsync that works", arguments: SysletEngine.Backend.available)
  func successfulSync(backend: SysletEngine.Backend) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    for handing in Handing.allCases {
      let program = Program(.direct)
      let log = program.descriptors.open(program.scratch.file("log"), O_WRONLY)
      program.scratch.file("new", "new")
      program.atom(SystemCall.write, .int(log), .to(program.path("abc")), 3, flags: .stopOnNegative)
      program.atom(SystemCall.fsync, .int(log), flags: .stopOnNegative)
      program.atom(
        SystemCall.renameat2, .int(AT_FDCWD), .to(program.path(program.scratch.path("new"))), .int(AT_FDCWD),
        .to(program.path(program.scratch.path("current"))), 0)
      #expect(try Self.run(program, handing, on: engine).last == 2)
      #expect(!program.scratch.exists("new") && program.scratch.text("current") == "new")
    }
  }

  /// The operations after whose failure the kernel lets a soft-linked successor run.
  static let unreliable = [
    "fsync", "fdatasync", "sync_file_range", "fallocate", "ftruncate", "statx", "unlinkat", "renameat", "renameat2", "mkdirat", "symlinkat",
    "linkat", "setxattr", "fsetxattr", "getxattr", "fgetxattr", "madvise",
  ]

  @Test(
    "L1: after a failure that does not sever, neither a write nor an addition nor a second name appears",
    arguments: SysletEngine.Backend.available, unreliable)
  func unreliableOperation(backend: SysletEngine.Backend, name: String) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    for handing in Handing.allCases { try Self.checkNothingFollows(name, handing, on: engine) }
  }

  // The ring's futex wait does not sever when it is cancelled (Linux 6.18): what was linked behind it ran, and with a stop condition between
  // them the engine's own check of L1 trapped.
  @Test(
    "L1: what follows a futex wait does not run when the wait is cancelled",
    arguments: SysletEngine.Backend.available.filter { $0 != .inline }, [AtomFlags(), .stopOnNegative, .stopOnNonzero])
  func cancelledFutexWait(backend: SysletEngine.Backend, flags: AtomFlags) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, flags = flags.rawValue as UInt32] in
      ProcessSettings.endIfStuck()
      var options = SysletEngine.Options()
      options.backend = SysletEngine.Backend(rawValue: backend)!
      let engine = try SysletEngine(options)
      let program = Program(.direct)
      let (out, word) = (program.descriptors.open(program.scratch.file("out"), O_WRONLY), program.buffer(64))
      program.atom(
        SystemCall.futex, .to(word), 0, 0, 0, 0, 0, flags: AtomFlags(rawValue: flags).union(.async), result: program.word())
      program.atom(SystemCall.pwrite64, .int(out), .to(program.path("x")), 1, 0, flags: .stopOnNonPositive)
      // On the ring it waits when exec returns.
      #expect(try engine.exec(program) == nil)
      try engine.cancel(program)
      #expect(try engine.take().map(\.reason) == [.cancelled])
      #expect(program.scratch.content("out")?.count == 0, "L1: the write behind the wait")
      try engine.closeHere()
    }
  }

  /// Lets each failure of an operation be followed by a write, an addition and a link, none of which may happen.
  static func checkNothingFollows(_ name: String, _ handing: Handing, on engine: SysletEngine, successors: Range<Int> = 0..<3) throws {
    let scenarios = (OperationFixtures.scenarios[name] ?? []).filter { $0.expectation != .success }
    #expect(!scenarios.isEmpty)
    for scenario in scenarios {
      for successor in successors {
        let stage = Stage()
        let program = Program(handing == .async ? .indirect : .direct)
        let out = program.descriptors.open(program.scratch.file("out"), O_WRONLY)
        let sum = program.word(0)
        program.atom(noOperation, flags: .stopOnNegative)
        program.atom(
          OperationTests.numbers[name]!, list: scenario.set(stage).arguments.map { .value($0) }, flags: .stopOnNegative,
          result: program.word())
        switch successor {
        case 0: program.atom(SystemCall.write, .int(out), .to(program.path("x")), 1, flags: .stopOnNegative)
        case 1: program.atom(umemAdd, .to(sum), 1, flags: .stopOnNegative)
        default:
          program.atom(
            SystemCall.linkat, .int(AT_FDCWD), .to(program.path(program.scratch.path("out"))), .int(AT_FDCWD),
            .to(program.path(program.scratch.path("second"))), 0, flags: .stopOnNegative)
        }
        let (last, executed) = try run(program, handing, on: engine)
        let context = "\(name), \(scenario), \(handing)"
        #expect(last == 1, "\(context)")
        #expect(executed ?? 2 == 2, "\(context)")
        #expect(program.scratch.content("out")?.count == 0, "L1: \(context)")
        #expect(sum.value == 0, "L1: \(context)")
        #expect(!program.scratch.exists("second"), "L1: \(context)")
      }
    }
  }
}
