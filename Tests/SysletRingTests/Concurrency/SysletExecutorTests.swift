// Syslets that tasks await.

import Glibc
import Testing

@testable import SysletRing

@Suite("Syslets that tasks await", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct SysletExecutorTests {
  static let asynchronous = SysletEngine.Backend.available.filter { $0 != .inline }

  static func executor(
    _ backend: SysletEngine.Backend, _ adjust: (inout SysletEngine.Options) -> Void = { _ in }
  ) throws(EngineError) -> SysletExecutor {
    var options = SysletEngine.Options()
    options.backend = backend
    adjust(&options)
    return try SysletExecutor(options)
  }

  /// A syslet that sleeps for so long that only a cancellation can end it.
  static func addSleep(_ program: Program) -> Int {
    let time = program.buffer(16)
    time.store(Int64(3600), at: 0)
    return program.atom(SystemCall.nanosleep, .to(time), 0, next: .end)
  }

  // MARK: completions

  @Test(
    "A syslet's completion is what run returns, in every layout, for tasks anywhere", arguments: SysletEngine.Backend.available,
    Form.allCases)
  func completion(backend: SysletEngine.Backend, form: Form) async throws {
    let executor = try Self.executor(backend)
    defer { executor.close() }
    // Where io_uring cannot be used automatic is threads, and says so.
    let hasFallenBack = backend == .automatic && ringObstacle != nil
    #expect(executor.backend == (hasFallenBack ? .threads : backend))
    #expect((executor.ringUnavailability != nil) == hasFallenBack)
    let program = Program(form)
    let (descriptor, count) = (program.word(compared: false), program.word())
    let buffer = program.buffer(16)
    let path = program.path(program.scratch.file("file", "0123456789"))
    program.atom(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_RDONLY), flags: .stopOnNegative, result: descriptor)
    program.atom(SystemCall.read, .pointed(descriptor), .to(buffer), 16, flags: .stopOnNegative, result: count)
    program.atom(SystemCall.close, .pointed(descriptor), next: .end)
    program.atom(SystemCall.openat, .int(AT_FDCWD), .to(program.path("/nowhere")), .int(O_RDONLY), flags: .stopOnNegative, next: .atom(1))

    func check() async throws(EngineError) {
      (count.value, buffer.bytes) = (-1, [UInt8](repeating: 0, count: 16))
      let ended = try await executor.run(program)
      #expect(ended.atom == program.address(2) && ended.userWord == Program.userWordBase + 2)
      #expect((ended.result, ended.executed, ended.reason) == (0, 3, .ended))
      #expect(count.value == 10)
      #expect(buffer.text.hasPrefix("0123456789"))
      let stopped = try await executor.run(program, 3)
      #expect((stopped.atom, stopped.result, stopped.executed, stopped.reason) == (program.address(3), -Int(ENOENT), 1, .stopped))
    }
    for _ in 0..<3 { try await check() }
    let here = Shared(check)
    let result = await withTaskExecutorPreference(executor) { () async -> Result<Void, EngineError> in
      do throws(EngineError) {
        for _ in 0..<3 { try await here.value() }
        return .success(())
      } catch { return .failure(error) }
    }
    try result.get()
    let statistics = await executor.statistics
    #expect(statistics.accepted == 12 && statistics.completed == 12)
  }

  @Test("Whoever awaits is told under NO_COMPLETE too", arguments: SysletEngine.Backend.available)
  func noComplete(backend: SysletEngine.Backend) async throws {
    let executor = try Self.executor(backend)
    defer { executor.close() }
    let program = Program(.direct)
    program.atom(umemAdd, .to(program.word(0)), 1, flags: .noComplete)
    program.atom(noOperation, flags: [.noComplete, .async], next: .end)
    #expect(try await executor.run(program).executed == 2)
  }

  @Test("Faults and the step limit are completions", arguments: SysletEngine.Backend.available)
  func otherEnds(backend: SysletEngine.Backend) async throws {
    let executor = try Self.executor(backend) { ($0.maxSteps, $0.isChecked) = (100, true) }
    defer { executor.close() }
    let program = Program(.direct)
    let word = program.word(0)
    program.atom(umemAdd, .to(word), 1, next: .atom(0))
    program.atom(noOperation, next: .wild(8))
    let endless = try await executor.run(program)
    #expect((endless.executed, endless.reason, word.value) == (100, .stepLimit, 100))
    let faulted = try await executor.run(program, 1)
    #expect((faulted.executed, faulted.reason, faulted.result) == (1, .faulted, -Int(EFAULT)))
  }

  @Test("Many tasks, many syslets of every kind: each has its own completion", arguments: SysletEngine.Backend.available)
  func mixture(backend: SysletEngine.Backend) async throws {
    let kinds = backend == .inline ? Mixture.Kind.allCases.filter { $0 != .pipe } : Mixture.Kind.allCases
    let executor = try Self.executor(backend) { ($0.entries, $0.completionEntries, $0.maxWorkers) = (16, 64, 8) }
    defer { executor.close() }
    let mixture = Mixture(500, kinds: kinds)
    let addresses = mixture.syslets.map { mixture.program.address($0.head) }
    let isElsewhere = [false, true]
    let taken = try await withThrowingTaskGroup(of: Taken.self) { group in
      for (number, address) in addresses.enumerated() {
        group.addTask(executorPreference: isElsewhere[number % 2] ? nil : executor) { try await executor.run(at: address, .direct) }
      }
      if backend != .inline { mixture.release() }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(mixture.problems(taken) == [])
  }

  @Test("Tasks that run one syslet after the other share enters", .enabled(if: ringObstacle == nil, "io_uring cannot be used here"))
  func enters() async throws {
    let executor = try Self.executor(.ring)
    defer { executor.close() }
    let program = Program(.direct)
    for _ in 0..<32 { program.atom(noOperation, next: .end) }
    let addresses = (0..<32).map { program.address($0) }
    await withTaskExecutorPreference(executor) {
      await withTaskGroup { group in
        for address in addresses {
          group.addTask { for _ in 0..<100 { #expect(try! await executor.run(at: address, .direct).reason == .ended) } }
        }
      }
    }
    let statistics = await executor.statistics
    #expect(statistics.accepted == 3200)
    // One for all 32, and a few while the tasks begin.
    #expect(statistics.enters <= 200)
  }

  @Test("A task that waits for long keeps no other from running", arguments: asynchronous)
  func independence(backend: SysletEngine.Backend) async throws {
    let executor = try Self.executor(backend)
    defer { executor.close() }
    let program = Program(.direct)
    let (ends, buffer) = (program.descriptors.pipe(), program.buffer(8))
    program.atom(SystemCall.read, .int(ends.read), .to(buffer), 8, next: .end)
    program.atom(SystemCall.write, .int(ends.write), .to(program.path("x")), 1, next: .end)
    program.atom(noOperation, next: .end)
    let addresses = (0..<3).map { program.address($0) }
    let reader = Task(executorPreference: executor) { try await executor.run(at: addresses[0], .direct) }
    for _ in 0..<100 { #expect(try await executor.run(at: addresses[2], .direct).executed == 1) }
    #expect(try await executor.run(at: addresses[1], .direct).result == 1)
    #expect(try await reader.value.result == 1)
  }

  // MARK: refusals

  @Test("What keeps an engine from being made, or a head from being accepted, is thrown")
  func refusals() async throws {
    #expect(throws: EngineError.invalidOption(name: "entries", value: "0", rule: "it must be from 1 to 32768")) {
      try Self.executor(.automatic) { $0.entries = 0 }
    }
    let executor = try Self.executor(.threads) { $0.maxPending = 1 }
    let program = Program(.direct)
    program.atom(noOperation, next: .end)
    program.setArgumentCount(of: 0, to: 7)
    let sleep = Self.addSleep(program)
    let error = await #expect(throws: EngineError.self) { try await executor.run(program) }
    #expect(error?.description.contains("malformed") == true)
    let address = program.address(sleep)
    let sleeper = Task(executorPreference: executor) { try await executor.run(at: address, .direct) }
    // Until it is accepted.
    while await executor.statistics.accepted == 0 { await Task.yield() }
    await #expect(throws: EngineError.full(limit: 1)) { try await executor.run(at: address, .direct) }
    executor.close()
    #expect(try await sleeper.value.reason == .cancelled)
    await #expect(throws: EngineError.closed) { try await executor.run(at: address, .direct) }
  }

  // MARK: cancellation

  @Test("A cancelled task's syslet is cancelled, wherever the task runs", arguments: asynchronous, [true, false])
  func cancellation(backend: SysletEngine.Backend, isElsewhere: Bool) async throws {
    let executor = try Self.executor(backend)
    defer { executor.close() }
    let program = Program(.direct)
    let heads = (0..<20).map { _ in Self.addSleep(program) }
    let addresses = heads.map { program.address($0) }
    let tasks = addresses.map { address in
      Task(executorPreference: isElsewhere ? nil : executor) { try await executor.run(at: address, .direct) }
    }
    for (number, task) in tasks.enumerated() {
      if number == 10 { while await executor.statistics.accepted < 20 { await Task.yield() } }
      task.cancel()
    }
    for task in tasks {
      let taken = try await task.value
      #expect((taken.reason, taken.executed, taken.result) == (.cancelled, 0, -Int(ECANCELED)))
    }
  }

  @Test("The syslet of a task that was cancelled before does not begin", arguments: SysletEngine.Backend.available)
  func cancelledBefore(backend: SysletEngine.Backend) async throws {
    let executor = try Self.executor(backend)
    defer { executor.close() }
    let program = Program(.direct)
    let counter = program.word(0)
    program.atom(umemAdd, .to(counter), 1, next: .end)
    let address = program.address(0)
    let task = Task(executorPreference: executor) {
      unsafe withUnsafeCurrentTask { unsafe $0!.cancel() }
      let taken = try await executor.run(at: address, .direct)
      // It can be run all the same by whoever is not cancelled.
      let other = try await Task { try await executor.run(at: address, .direct) }.value
      return (taken, other)
    }
    let (cancelled, ended) = try await task.value
    #expect((cancelled.reason, cancelled.executed) == (.cancelled, 0))
    #expect((ended.reason, ended.executed, counter.value) == (.ended, 1, 1))
  }

  @Test(
    "Cancellations at any moment: every run returns once, ended or cancelled, and nothing is left", arguments: asynchronous,
    [1, 2] as [UInt64])
  func storm(backend: SysletEngine.Backend, seed: UInt64) async throws {
    let executor = try Self.executor(backend) { ($0.entries, $0.completionEntries) = (16, 64) }
    defer { executor.close() }
    let program = Program(.direct, capacity: 256)
    let time = program.buffer(16)
    time.store(Int64(100_000), at: 8)
    var sums: [Word] = []
    let addresses = (0..<64).map { number in
      sums.append(program.word(0))
      let head = program.count
      if number % 2 == 0 { program.atom(SystemCall.nanosleep, .to(time), 0, flags: .stopOnNegative) }
      program.atom(umemAdd, .to(sums[number]), 1, flags: number % 3 == 0 ? .async : [], next: .end)
      return program.address(head)
    }
    var random = SeededGenerator(seed: seed)
    var ended = [Int](repeating: 0, count: 64)
    for _ in 0..<30 {
      let tasks = addresses.map { address in
        Task(executorPreference: random.next() % 2 == 0 ? executor : nil) { try await executor.run(at: address, .direct) }
      }
      for task in tasks where random.next() % 2 == 0 {
        if random.next() % 4 == 0 { await Task.yield() }
        task.cancel()
      }
      for (number, task) in tasks.enumerated() {
        let taken = try await task.value
        if taken.reason == .ended { ended[number] += 1 } else { #expect(taken.reason == .cancelled) }
      }
    }
    #expect(sums.map(\.value) == ended)
    let statistics = await executor.statistics
    #expect(statistics.accepted == 64 * 30 && statistics.completed == 64 * 30)
  }

  // MARK: the end

  @Test("Closing cancels what is pending; tasks go on elsewhere, and further syslets are refused", arguments: asynchronous)
  func close(backend: SysletEngine.Backend) async throws {
    let executor = try Self.executor(backend)
    let before = executor.backend
    let program = Program(.direct)
    let addresses = (0..<20).map { _ in program.address(Self.addSleep(program)) }
    let tasks = addresses.map { address in
      Task(executorPreference: executor) {
        let taken = try await executor.run(at: address, .direct)
        do {
          _ = try await executor.run(at: address, .direct)
          return (taken, nil as EngineError?)
        } catch { return (taken, error as? EngineError) }
      }
    }
    while await executor.statistics.accepted < 20 { await Task.yield() }
    executor.close()
    executor.close()
    for task in tasks {
      let (taken, error) = try await task.value
      #expect((taken.reason, taken.executed) == (.cancelled, 0))
      #expect(error == .closed)
    }
    let late = Task(executorPreference: executor) { 17 }
    #expect(await late.value == 17)
    await #expect(throws: EngineError.closed) { try await executor.run(at: addresses[0], .direct) }
    #expect(await executor.statistics.accepted == 20)
    #expect(executor.backend == before)
  }

  @Test("An executor that is closed at once ends, whatever it has to do", arguments: SysletEngine.Backend.available)
  func closeAtOnce(backend: SysletEngine.Backend) async throws {
    let program = Program(.direct)
    program.atom(noOperation, next: .end)
    let address = program.address(0)
    for round in 0..<50 {
      let executor = try Self.executor(backend)
      let tasks = (0..<round % 4).map { _ in
        Task(executorPreference: executor) { () async -> Bool in
          do throws(EngineError) {
            let taken = try await executor.run(at: address, .direct)
            return taken.reason == .ended || taken.reason == .cancelled
          } catch { return error == .closed }
        }
      }
      if round % 3 == 0 { await Task.yield() }
      executor.close()
      for task in tasks { #expect(await task.value) }
    }
  }

  @Test(
    "When the kernel fails the ring, every task that awaits is told, and so are later ones",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here"),
    .enabled(if: ReferenceKernel.version >= (5, 16), "a sleep is not the ring's here"))
  func failure() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let executor = try Self.executor(.ring)
      let program = Program(.direct)
      let addresses = (0..<20).map { _ in program.address(Self.addSleep(program)) }
      let tasks = addresses.map { address in
        Task(executorPreference: executor) { await outcome(executor, address) }
      }
      while await executor.statistics.accepted < 20 { await Task.yield() }
      await executor.perform { KernelFault.fail(SYSLET_ENTRY_ENTER, EBADF) }
      // It makes the executor's thread look after its ring.
      for task in tasks { task.cancel() }
      for task in tasks {
        let answer = await task.value
        #expect(answer == "cancelled" || answer == "\(KernelFault.failure(EBADF))")
      }
      await #expect(throws: KernelFault.failure(EBADF)) { try await executor.run(at: addresses[0], .direct) }
      ProcessSettings.endPastLeakSanitizer()
    }
  }
}

/// What a test shares with tasks, of which only one at a time uses it.
private struct Shared<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}
