// What a runtime is beside running one program: results over many inputs, outcomes, admission, its end.

import CTestSupport
import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Typed programs: the runtime", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct TypedRuntimeTests {
  static let backends = TypedProgramTests.backends

  @Test("A program over many inputs gives each its result, of no more at a time than the width", arguments: backends)
  func results(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    for size in 0..<50 { scratch.file("\(size)", [UInt8](repeating: 1, count: size)) }
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let paths = (0..<100).map { FilePath(scratch.path("\($0)")) }
      var seen: [FilePath: Int] = [:]
      for try await (path, result) in runtime.results(of: Files.status, over: paths, width: 7) {
        #expect(seen[path] == nil)
        do throws(SysletError) { seen[path] = try result.get().size } catch {
          #expect(error.reason == .failed(.noSuchFileOrDirectory) && error.path == path)
          seen[path] = -1
        }
      }
      for (index, path) in paths.enumerated() { #expect(seen[path] == (index < 50 ? index : -1)) }
      #expect(seen.count == 100)
    }
  }

  // A task that is on a shard's thread waits for its program's first run from there, and may be elsewhere when that has ended.
  @Test("Task.immediate, begun on a shard's thread, runs a program of several runs", arguments: backends)
  func immediate(backend: SysletEngine.Backend) async throws {
    let (reading, writing) = try FileDescriptor.pipe()
    defer { for end in [reading, writing] { try? end.close() } }
    let program = Syslet(FileDescriptor.self) { s, pipe in
      let buffer = s.buffer(count: 1)
      let count = s.variable(0)
      s.within(.seconds(100)) { s.add(pipe.read(into: buffer), to: count) }
      s.shielded { _ = s.call(SystemCall.getpid) }
      return count.value
    }
    try await TypedProgramTests.withRuntime(backend) { runtime in
      for _ in 0..<20 {
        let tasks = Locked<[Task<Int, any Error>]>([])
        await Task(executorPreference: runtime.executor) {
          for _ in 0..<16 {
            let task = Task.immediate { try await runtime.run(program, reading) }
            tasks.withLock { $0.append(task) }
          }
        }.value
        let written = try writing.writeAll([UInt8](repeating: 1, count: 16))
        #expect(written == 16)
        for task in tasks.withLock({ $0 }) {
          let count = try await task.value
          #expect(count == 1)
        }
      }
    }
  }

  @Test("Sums and differences of values and of numbers")
  func arithmetic() async throws {
    let program = Syslet(Int.self, Int.self) { s, first, second in
      let sum = first + second - 1
      let difference = 2 - first
      let constant = s.constant(7) - 3
      return (sum, difference, constant)
    }
    try await TypedProgramTests.withRuntime(.automatic) { runtime in
      let (sum, difference, constant) = try await runtime.run(program, 40, -5)
      #expect(sum == 34 && difference == -38 && constant == 4)
    }
  }

  @Test("A deadline ends the wait for a turn too, and the next has it", arguments: backends)
  func deadlineInLine(backend: SysletEngine.Backend) async throws {
    let (reading, writing) = try FileDescriptor.pipe()
    defer { for end in [reading, writing] { try? end.close() } }
    let read = Syslet(FileDescriptor.self) { s, pipe in pipe.read(into: s.buffer(count: 1)) }
    var options = SysletRuntime.Options()
    (options.engine.backend, options.maxPending) = (backend, 1)
    let runtime = try SysletRuntime(options)
    let first = Task { try await runtime.run(read, reading) }
    try await Task.sleep(for: .milliseconds(20))
    let error = await #expect(throws: SysletError.self) { try await runtime.run(read, reading, deadline: .now + .milliseconds(20)) }
    #expect(error?.reason == .timedOut && error?.executed == 0)
    // One that has passed, or passes just now.
    for round in 0..<300 {
      let late = await #expect(throws: SysletError.self) {
        try await runtime.run(read, reading, deadline: .now + .microseconds(round % 30 - 10))
      }
      #expect(late?.reason == .timedOut)
    }
    let next = Task { try await runtime.run(read, reading, deadline: .now + .seconds(100)) }
    _ = try writing.writeAll([1, 2])
    let counts = (try await first.value, try await next.value)
    #expect(counts == (1, 1))
    await runtime.shutDown()
  }

  @Test("As many enter as may, on many threads and with waiting, and all have left in the end")
  func admission() async {
    let admission = Admission(max: 3, mayWait: true, descriptorsMax: 8)
    let counts = Locked((inside: 0, most: 0))
    await withTaskGroup { group in
      for number in 0..<64 {
        group.addTask {
          for turn in 0..<200 {
            let descriptors = (number + turn) % 5
            var answer = admission.enterNow(descriptors)
            if answer == nil { answer = await admission.waitForTurn(descriptors) }
            #expect(answer == .entered)
            counts.withLock { counts in
              counts.inside += 1
              counts.most = max(counts.most, counts.inside)
            }
            if turn % 7 == 0 { await Task.yield() }
            counts.withLock { $0.inside -= 1 }
            admission.leave(descriptors)
          }
        }
      }
    }
    #expect(counts.withLock { $0.most } <= 3)
    await admission.waitUntilEmpty()
    admission.close()
    #expect(admission.enterNow(0) == .closed)
  }

  @Test("Nobody is told that all have left by a leave that lets another one enter")
  func admissionEmpty() async {
    let admission = Admission(max: 1, mayWait: true, descriptorsMax: 8)
    #expect(admission.enterNow(0) == .entered)
    // Both wait when these return.
    let waiter = Task.immediate { await admission.waitForTurn(0) }
    let emptier = Task.immediate { await admission.waitUntilEmpty() }
    admission.leave(0)
    let answer = await waiter.value
    #expect(answer == .entered)
    let isEmpty = Locked(false)
    let watch = Task {
      await emptier.value
      isEmpty.withLock { $0 = true }
    }
    try? await Task.sleep(for: .milliseconds(20))
    #expect(!isEmpty.withLock { $0 })
    admission.leave(0)
    await watch.value
  }

  @Test("A deadline that has passed lets no step be made", arguments: backends)
  func past(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "abc"))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      // On the shard's thread too, where a program's first turn may come at once.
      for executor in [runtime.executor, nil] {
        let outcome = await Task(executorPreference: executor) {
          await runtime.outcome(of: Files.status, path, deadline: .now - .seconds(1))
        }.value
        #expect(outcome.isUntouched)
        #expect(throws: SysletError.self) { _ = try outcome.result.get() }
      }
    }
  }

  private struct Broken: Error {}

  @Test("Inputs that come slowly, that fail, and results that nobody takes")
  func inputs() async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "abc"))
    try await TypedProgramTests.withRuntime(.automatic) { runtime in
      let (slow, continuation) = AsyncThrowingStream<FilePath, any Error>.makeStream()
      let results = runtime.results(of: Files.status, over: slow, width: 2)
      var iterator = results.makeAsyncIterator()
      for _ in 0..<3 {
        continuation.yield(path)
        let size = try await iterator.next()?.result.get().size
        #expect(size == 3)
      }
      continuation.finish(throwing: Broken())
      await #expect(throws: Broken.self) { _ = try await iterator.next() }
      let end = try await iterator.next()
      #expect(end == nil)
      // Left before its end: what runs is cut short, so that the runtime can be shut down.
      let (reading, writing) = try FileDescriptor.pipe()
      let wait = Syslet(FileDescriptor.self) { s, pipe in
        let buffer = s.buffer(count: 1)
        return pipe.read(into: buffer)
      }
      let task = Task {
        var count = 0
        for try await _ in runtime.results(of: wait, over: Array(repeating: reading, count: 20), width: 4) { count += 1 }
        return count
      }
      try await Task.sleep(for: .milliseconds(30))
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      try writing.close()
      try reading.close()
    }
  }

  @Test("An outcome tells how far a program came, however it ended", arguments: backends)
  func outcome(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let (from, to) = (FilePath(scratch.file("from", "abc")), FilePath(scratch.path("to")))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let copied = await runtime.outcome(of: Files.copy, from, to)
      #expect(try copied.result.get() == 3)
      #expect(copied.executed > 8 && copied.last?.operation == "close" && !copied.isUntouched)
      let failed = await runtime.outcome(of: Files.copy, from, "/nowhere/to")
      #expect(throws: SysletError.self) { try failed.result.get() }
      #expect(failed.executed > 0)
      let (reading, writing) = try FileDescriptor.pipe()
      let waiting = await runtime.outcome(of: TypedProgramTests.wait, from, reading, deadline: .now + .milliseconds(20))
      #expect((waiting.result.failure as? SysletError)?.reason == .timedOut)
      #expect(waiting.last?.operation == "open" || waiting.last?.operation == "read", "\(String(describing: waiting.last))")
      let task = Task { await runtime.outcome(of: TypedProgramTests.wait, from, reading) }
      task.cancel()
      let cancelled = await task.value
      #expect(cancelled.result.failure is CancellationError)
      try writing.close()
      try reading.close()
    }
  }

  static let limited = Syslet(FileDescriptor.self, FilePath.self) { s, pipe, path in
    let caught = s.variable(0)
    let buffer = s.buffer(count: 1)
    s.attempt {
      s.within(.milliseconds(20)) {
        let file = s.open(path, .readOnly)
        s.attempt {
          _ = pipe.read(into: buffer)
        } onFailure: { _ in
          s.set(caught, to: 100)
        }
        file.sync()
      }
    } onFailure: { _ in
      s.add(1, to: caught)
    }
    return caught.value
  }
  static let limitedTwice = Syslet(FileDescriptor.self) { s, pipe in
    let buffer = s.buffer(count: 1)
    s.within(.milliseconds(20)) {
      s.attempt {
        s.within(.seconds(1000)) { _ = pipe.read(into: buffer) }
      } onFailure: { _ in
      }
    }
  }

  @Test("A time limit is a failure, which an attempt around it handles and one inside does not", arguments: backends)
  func within(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file"))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      for _ in 0..<3 {
        #expect(try await runtime.run(Self.limited, reading, path) == 1)
        #expect(scratch.openFiles() == 0)
        do {
          try await runtime.run(Self.limitedTwice, reading)
          Issue.record("nothing was written")
        } catch let error as SysletError {
          #expect(
            error.reason == .timedOut && error.operation == "within" && error.step?.fileID == "SysletRingTests/TypedRuntimeTests.swift")
        }
      }
      // In time.
      try writing.close()
      #expect(try await runtime.run(Self.limited, reading, path) == 0)
      try reading.close()
    }
  }

  @Test("A runtime that is shut down gives what runs its time of grace, and refuses what comes", arguments: [true, false])
  func grace(isInTime: Bool) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file"))
    try await TypedProgramTests.withRuntime(.automatic) { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      let running = Task { try await runtime.run(TypedProgramTests.wait, path, reading) }
      for _ in 0..<5000 {
        if scratch.openFiles() == 1 { break }
        try await Task.sleep(for: .milliseconds(1))
      }
      let end = Task { await runtime.shutDown(grace: isInTime ? .seconds(1000) : .milliseconds(20)) }
      try await Task.sleep(for: .milliseconds(10))
      if isInTime {
        do {
          _ = try await runtime.run(Files.status, path)
          Issue.record("it was being shut down")
        } catch let error as SysletError { #expect(error.reason == .closed) }
        try writing.close()
        try await running.value
      } else {
        do {
          try await running.value
          Issue.record("nothing was written")
        } catch let error as SysletError { #expect(error.reason == .closed) }
        try writing.close()
      }
      await end.value
      #expect(scratch.openFiles() == 0)
      try reading.close()
    }
  }

  static let shielded = Syslet(FileDescriptor.self, FileDescriptor.self) { s, pipe, log in
    let buffer = s.buffer(count: 1)
    s.shielded {
      let count = pipe.read(into: buffer)
      log.writeAll(buffer, count: count)
    }
    _ = pipe.read(into: buffer)
  }

  @Test(
    "What nothing interrupts is not cut short by a shut-down either, and a task that is cancelled waits for no grace", arguments: backends)
  func shieldedShutDown(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let log = try FileDescriptor.open(FilePath(scratch.file("log")), .writeOnly)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      let running = Task { await runtime.outcome(of: Self.shielded, reading, log) }
      try await Task.sleep(for: .milliseconds(30))
      let end = Task { await runtime.shutDown(grace: .seconds(1000)) }
      end.cancel()
      try await Task.sleep(for: .milliseconds(30))
      try writing.writeAll([7])
      await end.value
      let outcome = await running.value
      #expect((outcome.result.failure as? SysletError)?.reason == .closed)
      #expect(scratch.content("log") == [7])
      try writing.close()
      try reading.close()
    }
    try log.close()
  }

  static let named = Syslet(FileDescriptor.self, FileDescriptor.self) { s, root, pipe in
    let buffer = s.buffer(count: 8)
    let count = pipe.read(into: buffer)
    let size = root.open(s.path(in: buffer, count: count), .readOnly).status().size
    let file = root.open(s.path(in: buffer), .readOnly)
    s.when(size > 100) {
      file.close()
    } otherwise: {
      file.sync()
    }
    return size
  }

  @Test("A name in a buffer ends where it is said to, and at the buffer's end", arguments: backends)
  func paths(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    scratch.file("12345678", "abc")
    scratch.file("12", [UInt8](repeating: 1, count: 200))
    let root = try FileDescriptor.open(FilePath(scratch.path), .readOnly, options: .directory)
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let (reading, writing) = try FileDescriptor.pipe()
      for _ in 0..<2 {
        try writing.writeAll("12345678".utf8)
        #expect(try await runtime.run(Self.named, root, reading) == 3)
        try writing.writeAll("12".utf8)
        #expect(try await runtime.run(Self.named, root, reading) == 200)
      }
      try writing.writeAll("nowhere!".utf8)
      let failed = await runtime.outcome(of: Self.named, root, reading)
      #expect((failed.result.failure as? SysletError)?.path == "nowhere!" && failed.last?.operation == "open")
      #expect(scratch.openFiles() == 0)
      try writing.close()
      try reading.close()
    }
    try root.close()
  }

  @Test("A thousand programs at once, and ten thousand tasks that are cancelled at once, all end", arguments: backends)
  func crowds(backend: SysletEngine.Backend) async throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "abc"))
    try await TypedProgramTests.withRuntime(backend) { runtime in
      runtime.prepare(Files.copy)
      try await withThrowingTaskGroup { group in
        for number in 0..<1000 {
          let to = FilePath(scratch.path("to\(number % 50)"))
          group.addTask { _ = try await runtime.run(Files.copy, path, to) }
        }
        try await group.waitForAll()
      }
      let (reading, writing) = try FileDescriptor.pipe()
      // By their outcomes: the testing library keeps a trace of each error that is thrown.
      let tasks = (0..<10_000).map { _ in Task { await runtime.outcome(of: TypedProgramTests.wait, path, reading) } }
      for task in tasks { task.cancel() }
      var cancelled = 0
      for task in tasks where await task.value.result.failure is CancellationError { cancelled += 1 }
      #expect(cancelled == 10_000)
      #expect(scratch.openFiles() == 0)
      try writing.close()
      try reading.close()
    }
  }

  static let size = Syslet(FilePath.self) { s, path in s.open(path, .readOnly).status().size }

  @Test("Ten thousand tasks do with 256 descriptors", arguments: backends)
  func fewDescriptors(backend: SysletEngine.Backend) async throws {
    await #expect(processExitsWith: .success) { [name = backend.rawValue as String] in
      limitDescriptors(to: 256)
      let scratch = Scratch()
      let path = FilePath(scratch.file("file", "abc"))
      try await TypedProgramTests.withRuntime(SysletEngine.Backend(rawValue: name)!) { runtime in
        try await withThrowingTaskGroup { group in
          for _ in 0..<10_000 {
            group.addTask { _ = try await runtime.run(Self.size, path) }
          }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test("Without descriptors a step fails with EMFILE, and nothing stays open", arguments: backends)
  func noDescriptors(backend: SysletEngine.Backend) async throws {
    await #expect(processExitsWith: .success) { [name = backend.rawValue as String] in
      let scratch = Scratch()
      let (from, to) = (FilePath(scratch.file("from", "abc")), FilePath(scratch.path("to")))
      try await TypedProgramTests.withRuntime(SysletEngine.Backend(rawValue: name)!) { runtime in
        // All that the engine opens for itself is open then.
        _ = try await runtime.run(Files.copy, from, to)
        var taken: [FileDescriptor] = []
        while let descriptor = try? FileDescriptor.open(FilePath("/dev/null"), .readOnly) {
          taken.append(descriptor)
          if taken.count == 1 { limitDescriptors(to: Int(descriptor.rawValue) + 2) }
        }
        try taken.removeLast().close()
        for _ in 0..<20 {
          do {
            _ = try await runtime.run(Files.copy, from, to)
            preconditionFailure("there was one descriptor for two")
          } catch let error as SysletError {
            precondition(error.reason == .failed(.tooManyOpenFiles) && error.operation == "open", "\(error)")
          }
          precondition(scratch.openFiles() == 0)
        }
        for descriptor in taken { try descriptor.close() }
      }
    }
  }

  private static let mayMount: Bool = {
    let scratch = Scratch()
    guard let folder = withExtendedLifetime(scratch, { mountSmall(scratch.path) }) else { return false }
    close(folder)
    return true
  }()

  @Test(
    "Where there is no room, a replacement fails with ENOSPC and leaves the old file",
    .enabled(if: mayMount, "a small file system cannot be mounted here"), arguments: backends)
  func noRoom(backend: SysletEngine.Backend) async throws {
    await #expect(processExitsWith: .success) { [name = backend.rawValue as String] in
      let scratch = Scratch()
      // Away with the process.
      let small = try #require(mountSmall(scratch.path))
      func write(_ path: FilePath, _ text: String) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        _ = try file.closeAfter { try file.writeAll(text.utf8) }
      }
      func size(_ path: FilePath) -> Int? { try? FileDescriptor.open(path, .readOnly).closeAfterSize() }
      let folder = FilePath("/proc/self/fd/\(small)")
      let (temporary, target) = (folder.appending("temporary"), folder.appending("target"))
      try write(target, "old")
      let bytes = [UInt8](repeating: 1, count: 200_000)
      try await TypedProgramTests.withRuntime(SysletEngine.Backend(rawValue: name)!) { runtime in
        for _ in 0..<5 {
          do {
            try await runtime.run(Files.replace, temporary, target, folder, from: bytes.span)
            Issue.record("there was no room")
          } catch let error as SysletError {
            #expect(error.reason == .failed(.noSpace) && error.operation == "writeAll", "\(error)")
          }
          #expect(size(target) == 3 && size(temporary) == nil)
        }
        let log = try FileDescriptor.open(target, .readWrite)
        do {
          _ = try await runtime.run(Files.append, log, from: bytes.span)
          Issue.record("there was no room")
        } catch let error as SysletError {
          #expect(error.reason == .failed(.noSpace), "\(error)")
        }
        try log.close()
        #expect(size(target) == 3)
      }
    }
  }

  @Test("What a runtime runs on is told once; the shared one is there for good")
  func fallback() async throws {
    var options = SysletRuntime.Options()
    options.shards = 3
    let told = Locked(0)
    options.onFallback = { _ in told.withLock { $0 += 1 } }
    let runtime = try SysletRuntime(options)
    #expect(told.withLock { $0 } == (runtime.ringUnavailability == nil ? 0 : 1))
    await runtime.shutDown()
    await runtime.shutDown()
    await #expect(processExitsWith: .success) {
      let scratch = Scratch()
      let path = FilePath(scratch.file("file", "abc"))
      let size = try await SysletRuntime.shared.run(Files.status, path).size
      precondition(size == 3)
    }
    await #expect(processExitsWith: .failure) { await SysletRuntime.shared.shutDown() }
  }

  @Test("Who is told why there is no ring is told in place of stderr")
  func fallbackToHook() async {
    await #expect(processExitsWith: .success) {
      precondition(test_deny(test_setup_number(), EPERM) == 0)
      let scratch = Scratch()
      let errors = unsafe open(scratch.file("stderr"), O_WRONLY)
      precondition(dup2(errors, STDERR_FILENO) == STDERR_FILENO)
      var options = SysletRuntime.Options()
      let told = Locked(0)
      options.onFallback = { _ in told.withLock { $0 += 1 } }
      let runtime = try SysletRuntime(options)
      await runtime.shutDown()
      let isSilent = lseek(errors, 0, SEEK_END) == 0
      // A failed expectation would be told on stderr.
      exit(isSilent && told.withLock { $0 } == 1 ? 0 : 1)
    }
  }

  @Test("A listing names each step and its place in the source", arguments: backends)
  func explain(backend: SysletEngine.Backend) async throws {
    try await TypedProgramTests.withRuntime(backend) { runtime in
      let explanation = Files.copy.explain(on: runtime)
      #expect(explanation.lines.count == Files.copy.program.compiled.templates.count)
      #expect(explanation.lines.first?.call == "open" && explanation.lines.first?.location == "SixPrograms.swift:14")
      #expect(explanation.description.contains("step 1: open, ") && explanation.description.contains("SixPrograms.swift:19"))
      let inside = await Task(executorPreference: runtime.executor) { Files.copy.explain(on: runtime).lines.count }.value
      #expect(inside == explanation.lines.count)
    }
  }
}

private func limitDescriptors(to count: Int) {
  var limit = rlimit(rlim_cur: rlim_t(count), rlim_max: rlim_t(count))
  let result = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  precondition(result == 0)
}

/// A folder of a file system of 64 KiB in memory, which nobody else sees; nil where that is not allowed.
private func mountSmall(_ path: String) -> Int32? {
  guard unsafe mount("none", path, "tmpfs", 0, "size=64k") == 0 else { return nil }
  defer { _ = unsafe umount2(path, Int32(MNT_DETACH)) }
  return unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
}

extension FileDescriptor {
  fileprivate func closeAfterSize() throws -> Int { try closeAfter { Int(try seek(offset: 0, from: .end)) } }
}

extension Result {
  fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}
