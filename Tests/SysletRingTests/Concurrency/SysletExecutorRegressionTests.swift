// What went wrong with syslets that tasks await, once.

import CLiburing
import Glibc
import Testing

@testable import SysletRing

@Suite("Syslets that tasks await: what went wrong once", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct SysletExecutorRegressionTests {
  /// Syslets that sleep for `nanoseconds` and then count, on the ring or a worker.
  private static func sleepers(_ program: Program, _ count: Int, nanoseconds: Int64 = 200_000) -> (addresses: [UInt64], words: [Word]) {
    let time = program.buffer(16)
    time.store(nanoseconds, at: 8)
    let words = (0..<count).map { _ in program.word(0) }
    let addresses = words.map { word in
      let head = program.atom(SystemCall.nanosleep, .to(time), 0, flags: .stopOnNegative)
      program.atom(umemAdd, .to(word), 1, next: .end)
      return program.address(head)
    }
    return (addresses, words)
  }

  // A job was taken, its task ended, and the executor ended with its last reference, while the thread that had sent the job was on its way to
  // call the executor's: it found freed memory.
  @Test("An inbox is not closed before its senders have left")
  func senders() {
    let inbox = Inbox()
    var messages: [Inbox.Message] = []
    let isIn = inbox.put(.close) {
      inbox.take(&messages)
      #expect(messages.count == 1)
      #expect(!inbox.closeIfEmpty(), "closed while its sender is at work")
    }
    #expect(isIn && inbox.closeIfEmpty())
    #expect(!inbox.put(.close) { Issue.record("nobody is there to be called") })
  }

  // Whether a task was on the executor's thread was asked once, before its first suspension. One that was there by chance, and was resumed
  // elsewhere, changed what belongs to the thread.
  @Test("Task.immediate, begun on the executor's thread, awaits a syslet", arguments: SysletExecutorTests.asynchronous)
  func immediate(backend: SysletEngine.Backend) async throws {
    let executor = try SysletExecutorTests.executor(backend)
    defer { executor.close() }
    let program = Program(.direct, capacity: 256)
    let (addresses, words) = Self.sleepers(program, 64)
    for _ in 0..<50 {
      let tasks = Locked<[Task<Taken, any Error>]>([])
      await Task(executorPreference: executor) {
        for address in addresses {
          let task = Task.immediate { try await executor.run(at: address, .direct) }
          tasks.withLock { $0.append(task) }
        }
      }.value
      for task in tasks.withLock({ $0 }) { #expect(try await task.value.reason == .ended) }
    }
    #expect(words.map(\.value) == [Int](repeating: 50, count: 64))
  }

  // The same by way of an actor that the executor's thread had come to run.
  @Test("An actor's method awaits a syslet while others use the actor", arguments: SysletExecutorTests.asynchronous)
  func contendedActor(backend: SysletEngine.Backend) async throws {
    let executor = try SysletExecutorTests.executor(backend)
    defer { executor.close() }
    let program = Program(.direct, capacity: 256)
    let (addresses, words) = Self.sleepers(program, 64)
    for _ in 0..<20 {
      let actor = Busy()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, address) in addresses.enumerated() {
          group.addTask(executorPreference: number % 2 == 0 ? executor : nil) {
            let taken = try await actor.run(executor, address)
            #expect(taken.reason == .ended)
          }
          if number % 4 == 0 { group.addTask { await actor.hold(microseconds: 100) } }
        }
        try await group.waitForAll()
      }
    }
    #expect(words.map(\.value) == [Int](repeating: 20, count: 64))
  }

  // An error of the engine was the executor's end, also one by which nothing is lost.
  @Test("A kernel that refuses for a while loses nothing", .enabled(if: ringObstacle == nil))
  func transient() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let executor = try SysletExecutorTests.executor(.ring)
      let program = Program(.direct)
      let (addresses, words) = SysletExecutorRegressionTests.sleepers(program, 8, nanoseconds: 100_000_000)
      let tasks = addresses.map { address in
        Task(executorPreference: executor) { await outcome(executor, address) }
      }
      while await executor.statistics.accepted < 8 { await Task.yield() }
      // For longer than the engine asks before it throws.
      await executor.perform { KernelFault.fail(SYSLET_ENTRY_ENTER, count: 500, EAGAIN) }
      // It has the executor enter.
      let nop = program.address(program.atom(SystemCall.nanosleep, .to(program.buffer(16)), 0, next: .end))
      let extra = Task(executorPreference: executor) { await outcome(executor, nop) }
      for task in tasks {
        let answer = await task.value
        #expect(answer == "ended")
      }
      let last = await extra.value
      #expect(last == "ended")
      #expect(words.map(\.value) == [Int](repeating: 1, count: 8))
      let after = await outcome(executor, nop)
      #expect(after == "ended", "the executor is dead")
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  // The thread was made as those of workers are: with a stack for system calls, and with the signals blocked that tell of a fault.
  @Test("A task may use the stack on the executor as elsewhere")
  func stack() async {
    await #expect(processExitsWith: .success) {
      let executor = try SysletExecutorTests.executor(.threads)
      let sum = await Task(executorPreference: executor) { SysletExecutorRegressionTests.burn(90) }.value
      #expect(sum > 0)
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  @Test("The signals that tell of a fault are not blocked on the executor")
  func signals() async throws {
    let executor = try SysletExecutorTests.executor(.threads)
    defer { executor.close() }
    let blocked = await Task(executorPreference: executor) { () -> [Int32] in
      var set = sigset_t()
      unsafe pthread_sigmask(SIG_SETMASK, nil, &set)
      return [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE].filter { unsafe sigismember(&set, $0) == 1 }
    }.value
    #expect(blocked == [])
  }

  // Closing waited for the tasks that were ready, and there may always be some.
  @Test("A closed executor ends although a task goes on", .timeLimit(.minutes(15)))
  func closedWithBusyTask() async throws {
    let executor = try SysletExecutorTests.executor(.threads)
    let task = Task(executorPreference: executor) {
      // A synchronous function: the thread is asked for anew after each suspension.
      func thread() -> UInt64 { syslet_thread_token() }
      let first = thread()
      while thread() == first { await Task.yield() }
    }
    executor.close()
    // Without the executor's end it never comes to its own.
    await task.value
  }

  @Test(
    "What a worker gives back when the ring has failed is a completion",
    .enabled(if: ringObstacle == nil && ReferenceKernel.version >= (5, 16), "a sleep is not the ring's here"))
  func failureWithWorkers() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let executor = try SysletExecutorTests.executor(.ring)
      let program = Program(.direct)
      let pipe = program.descriptors.pipe()
      let buffer = program.buffer(8)
      program.atom(SystemCall.read, .int(pipe.read), .to(buffer), 8, flags: .sync, next: .end)
      let nop = program.address(program.atom(SystemCall.nanosleep, .to(program.buffer(16)), 0, next: .end))
      let address = program.address(0)
      let task = Task(executorPreference: executor) { await outcome(executor, address) }
      while await executor.statistics.accepted < 1 { await Task.yield() }
      usleep(50_000)
      await executor.perform { KernelFault.fail(SYSLET_ENTRY_ENTER, EBADF) }
      _ = await outcome(executor, nop)
      let answer = await task.value
      #expect(answer == "cancelled")
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  /// Uses `depth` pages of stack and more.
  private static func burn(_ depth: Int) -> Int {
    unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
      unsafe buffer.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: depth))
      let rest = depth == 0 ? 0 : burn(depth - 1)
      return unsafe rest + Int(buffer[depth % 4096])
    }
  }
}
