// Too little locked memory, a full disk, a file that may not grow: what the machine refuses reaches the user as the plain calls tell it.

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Limits of the machine")
struct ResourceLimitTests {
  @Test("With 64 KiB of memory that may be locked, automatic conforms; ring conforms too, or says ENOMEM and names `ulimit -l`")
  func lockedMemory() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      test_ignore_broken_pipes()
      let limited = test_limit_locked_memory(65_536)
      #expect(limited == 0)
      var backends: [SysletEngine.Backend] = [.automatic]
      do {
        try BadInputTests.engine(.ring).closeHere()
        backends.append(.ring)
      } catch {
        // Where io_uring is forbidden altogether that comes first.
        if case .ringUnavailable(_, let errno)? = error as? EngineError, errno == EPERM || errno == ENOSYS {
        } else {
          #expect("\(error)".contains("ENOMEM"))
          #expect("\(error)".contains("ulimit -l"))
        }
      }
      for backend in backends {
        // Each ring of these waits until the one before it does not count any more: on the ring one case in four will do.
        for (position, testCase) in ConformanceCase.all.enumerated() where backend == .ring ? position % 4 == 0 : !testCase.setsAsync {
          // A case that has several rings at a time may be refused one.
          for failure in testCase.failures(on: backend, forms: [.direct]) where backend != .ring || !"\(failure)".contains("ulimit -l") {
            Issue.record("\(failure)")
          }
        }
      }
    }
  }

  /// A write that fails, fsync, and the rename that would replace the good file by the bad one.
  private static func replace(_ program: Program, in folder: Int32, _ file: Int32, _ content: Buffer) {
    program.atom(SystemCall.write, .int(file), .to(content), .int(content.count), flags: .stopOnNegative, result: program.word())
    program.atom(SystemCall.fsync, .int(file), flags: .stopOnNegative, result: program.word())
    program.atom(
      SystemCall.renameat, .int(folder), .to(program.path("new")), .int(folder), .to(program.path("good")), result: program.word())
  }

  private static func open(_ name: String, in folder: Int32, _ program: Program) -> Int32 {
    let file = plainCall(
      SystemCall.openat, .int(folder), program.path(name).address, .int(O_CREAT | O_RDWR | O_CLOEXEC), .int(0o600))
    return program.descriptors.adopt(Int32(file))
  }

  private static func size(_ name: String, in folder: Int32, _ program: Program) -> Int {
    let file = open(name, in: folder, program)
    return plainCall(SystemCall.lseek, .int(file), 0, .int(SEEK_END))
  }

  /// Why no small disk can be had here.
  private static let diskObstacle: String? = {
    let disk = test_small_disk(65_536)
    guard disk >= 0 else { return "errno \(-disk)" }
    close(disk)
    return nil
  }()

  @Test(
    "On a full disk, write → fsync → rename stops at the write with ENOSPC and the good file stays",
    .enabled(if: diskObstacle == nil, "this machine lets the tests mount no file system: ENOSPC is not tested (\(diskObstacle ?? ""))"),
    arguments: SysletEngine.Backend.available, [true, false])
  func fullDisk(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let disk = program.descriptors.adopt(test_small_disk(65_536))
    let good = Self.open("good", in: disk, program)
    #expect(plainCall(SystemCall.write, .int(good), program.path("good").address, 4) == 4)
    let content = program.buffer(200_000)
    let file = Self.open("new", in: disk, program)

    // More than there is room for: short, as by the plain call, and short is not negative.
    let other = Self.open("other", in: disk, program)
    let short = plainCall(SystemCall.write, .int(other), content.address, .int(content.count))
    #expect(short > 0 && short < content.count)
    #expect(plainCall(SystemCall.ftruncate, .int(other), 0) == 0)
    let shortProgram = Program(.direct)
    shortProgram.atom(SystemCall.write, .int(other), .to(content), .int(content.count), flags: .stopOnNegative, result: shortProgram.word())
    let completion = try RegressionTests.completion(of: shortProgram, on: engine, isBatch: isBatch)
    #expect(completion?.result == short)

    // Now the disk is full.
    Self.replace(program, in: disk, file, content)
    let taken = try RegressionTests.completion(of: program, on: engine, isBatch: isBatch)
    #expect(taken?.reason == .stopped)
    #expect(taken?.result == -Int(ENOSPC))
    #expect(taken?.executed == 1)
    #expect(program.comparedWords.map(\.value) == [-Int(ENOSPC), Program.untouched, Program.untouched])
    #expect(Self.size("good", in: disk, program) == 4, "the good file was replaced by the bad one")

    // With room again the same syslet replaces it.
    #expect(plainCall(SystemCall.ftruncate, .int(other), 0) == 0)
    #expect(plainCall(SystemCall.ftruncate, .int(file), 0) == 0)
    program.setArgument(of: 0, 2, to: 100)
    let again = try RegressionTests.completion(of: program, on: engine, isBatch: isBatch)
    #expect(again?.result == 0)
    #expect(again?.executed == 3)
    #expect(Self.size("good", in: disk, program) == 100)
  }

  @Test("Where a file may not grow (RLIMIT_FSIZE), write → fsync → rename stops at the write with EFBIG and the good file stays")
  func fileSize() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      #expect(test_limit_file_size(4096) == 0)
      for backend in SysletEngine.Backend.available {
        for isBatch in [true, false] {
          let engine = try BadInputTests.engine(backend)
          let program = Program(.direct)
          let folder = program.descriptors.open(program.scratch.path, O_RDONLY | O_DIRECTORY)
          program.scratch.file("good", "good")
          let file = Self.open("new", in: folder, program)
          let content = program.buffer(10_000)
          // The first write is cut short at the limit, as a plain one is. By its offset: see docs/SEMANTICS.md on what moves the position.
          let short = try RegressionTests.result(
            of: SystemCall.pwrite64, [.int(file), content.address, .int(content.count), 0], on: engine, isBatch: isBatch)
          #expect(short == 4096, "\(backend)")
          #expect(plainCall(SystemCall.lseek, .int(file), 0, .int(SEEK_END)) == 4096)
          Self.replace(program, in: folder, file, content)
          let taken = try RegressionTests.completion(of: program, on: engine, isBatch: isBatch)
          #expect(taken?.reason == .stopped, "\(backend)")
          #expect(program.comparedWords.map(\.value) == [-Int(EFBIG), Program.untouched, Program.untouched], "\(backend)")
          #expect(program.scratch.text("good") == "good", "\(backend)")
          try engine.closeHere()
        }
      }
    }
  }
}
