// Syslets that tasks await: many tasks of every kind, at every moment.

import CLiburing
import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

@testable import SysletRing

@MainActor private func onMain(_ executor: SysletExecutor, _ address: UInt64) async throws(EngineError) -> Taken {
  try await executor.run(at: address, .direct)
}

@Suite("Syslets that tasks await: crowds", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct SysletExecutorStressTests {
  struct Shape: CustomTestStringConvertible, Sendable {
    let backend: SysletEngine.Backend
    let entries: Int, completions: Int, workers: Int, pending: Int
    var testDescription: String { "\(backend) \(entries)/\(completions) w\(workers) p\(pending)" }
    static let all: [Shape] = SysletEngine.Backend.available.flatMap { backend in
      [(1, 1, 1, 65536), (1, 2, 1, 3), (2, 4, 2, 65536), (256, 4096, 64, 1), (16, 64, 8, 200)].map {
        Shape(backend: backend, entries: $0.0, completions: $0.1, workers: $0.2, pending: $0.3)
      }
    }
    func executor() throws(EngineError) -> SysletExecutor {
      try SysletExecutorTests.executor(backend) {
        ($0.entries, $0.completionEntries, $0.maxWorkers, $0.maxPending) = (entries, completions, workers, pending)
      }
    }
  }

  /// Short syslets of every kind; each ends by adding to its word.
  static func mixed(_ program: Program, _ count: Int) -> (addresses: [UInt64], words: [Word]) {
    let time = program.buffer(16)
    time.store(Int64(50_000), at: 8)
    let file = program.descriptors.file(Array("0123456789".utf8))
    var words: [Word] = []
    let addresses = (0..<count).map { number in
      words.append(program.word(0))
      let head = program.count
      switch number % 5 {
      case 0: program.atom(SystemCall.nanosleep, .to(time), 0, flags: .stopOnNegative)
      case 1:
        program.atom(noOperation)
        program.atom(noOperation)
      case 2: program.atom(SystemCall.fsync, .int(file), flags: .stopOnNegative)
      case 3: program.atom(SystemCall.pread64, .int(file), .to(program.buffer(8)), 4, 2, flags: .stopOnNonPositive)
      default: break
      }
      program.atom(umemAdd, .to(words.last!), 1, flags: number % 3 == 0 ? .async : [], next: .end)
      return program.address(head)
    }
    return (addresses, words)
  }

  @Test("Chaos: every task, every place, cancelled at any moment, closed at the end or in between", arguments: Shape.all)
  func chaos(shape: Shape) async throws {
    for round in 0..<UInt64(12) {
      let executors = [try shape.executor(), try SysletExecutorTests.executor(.automatic)]
      let closesEarly = round % 3 == 2
      let program = Program(.direct, capacity: 512)
      let (addresses, words) = Self.mixed(program, 100)
      let ended = (0..<100).map { _ in Tally() }
      let actor = Busy()
      var random = SeededGenerator(seed: round)
      var tasks: [Task<Void, any Error>] = []
      for (number, address) in addresses.enumerated() {
        let (kind, preference, isPaused) = (random.next() % 6, random.next() % 3, random.next() % 4 == 0)
        let executor = executors[0]
        let other = executors[1]
        let task = Task(executorPreference: preference < 2 ? executors[Int(preference)] : nil) {
          for turn in 0..<4 {
            if isPaused { try? await Task.sleep(for: .microseconds(100)) }
            if turn == 2, kind == 5 { await Task.yield() }
            let target = kind == 4 && turn % 2 == 1 ? other : executor
            do {
              let taken: Taken
              switch kind {
              case 0: taken = try await actor.run(target, address)
              case 1: taken = try await onMain(target, address)
              case 2:
                taken = try await withThrowingTaskGroup(of: Taken.self) { group in
                  group.addTask { try await target.run(at: address, .direct) }
                  group.addTask {
                    try? await Task.sleep(for: .microseconds(20))
                    return try await target.run(at: address, .direct)
                  }
                  if turn == 1 { group.cancelAll() }
                  var last: Taken?
                  while let next = try await group.next() {
                    if let last, last.reason == .ended { ended[number].add() }
                    last = next
                  }
                  return last!
                }
              case 3: taken = try await Task.immediate { try await target.run(at: address, .direct) }.value
              default: taken = try await target.run(at: address, .direct)
              }
              if taken.reason == .ended { ended[number].add() } else { #expect(taken.reason == .cancelled) }
            } catch let error as EngineError {
              if case .full = error {
                await Task.yield()
                continue
              }
              #expect(error == .closed && closesEarly)
              return
            }
          }
        }
        tasks.append(task)
        if random.next() % 5 == 0 { tasks[Int(random.next() % UInt64(tasks.count))].cancel() }
      }
      if closesEarly {
        for _ in 0..<round { await Task.yield() }
        for executor in executors { executor.close() }
      }
      for task in tasks { if random.next() % 4 == 0 { task.cancel() } }
      for task in tasks { try await task.value }
      // Full and closed lose counts in groups, so only the sound direction is checked there.
      for number in 0..<100 {
        if shape.pending > 1000, !closesEarly {
          #expect(words[number].value == ended[number].value, "syslet \(number)")
        } else {
          #expect(words[number].value >= ended[number].value, "syslet \(number)")
        }
      }
      for executor in executors { executor.close() }
    }
  }

  @Test(
    "The ring fails in the middle of it all: every run returns", .enabled(if: ringObstacle == nil),
    arguments: [EBADF, EFAULT, EBADR, EAGAIN])
  func chaosWithFaults(errno: Int32) async {
    await #expect(processExitsWith: .success) { [errno = errno as Int32] in
      ProcessSettings.endIfStuck()
      // The kernel may go on using the memory of a syslet that got no completion.
      var programs: [Program] = []
      for round in 0..<UInt32(20) {
        let executor = try SysletExecutorTests.executor(round % 2 == 0 ? .ring : .automatic) {
          ($0.entries, $0.completionEntries, $0.maxWorkers) = (4, 16, 4)
        }
        let program = Program(.direct, capacity: 256)
        programs.append(program)
        let (addresses, words) = SysletExecutorStressTests.mixed(program, 60)
        let (ended, returned) = (Tally(), Tally())
        await executor.perform {
          KernelFault.fail(
            round % 3 == 0 ? SYSLET_ENTRY_ENTERED : SYSLET_ENTRY_ENTER, first: Int(round) * 3,
            count: round % 4 == 0 && errno != EAGAIN ? .max : 3, errno)
        }
        await withTaskGroup(of: Void.self) { group in
          for (number, address) in addresses.enumerated() {
            group.addTask(executorPreference: number % 3 == 0 ? nil : executor) {
              if await outcome(executor, address) == "ended" { ended.add() }
              returned.add()
            }
          }
        }
        // Nobody else may be using a ring.
        await executor.closeAndWait()
        KernelFault.clear()
        #expect(returned.value == 60)
        #expect(words.reduce(0) { $0 + $1.value } >= ended.value)
      }
      withExtendedLifetime(programs) {}
      ProcessSettings.endPastLeakSanitizer()
    }
  }

  @Test("An endless syslet lets others run and is cancelled", arguments: Shape.all.filter { $0.pending > 3 })
  func endless(shape: Shape) async throws {
    let executor = try shape.executor()
    defer { executor.close() }
    let program = Program(.direct, capacity: 256)
    let count = program.word(0)
    let endless = program.address(program.atom(umemAdd, .to(count), 1, next: .atom(0)))
    let nops = program.address(program.atom(noOperation, next: .atom(1)))
    let (addresses, words) = Self.mixed(program, 40)
    for prefers in [true, false] {
      let loops = [endless, nops].map { address in
        Task(executorPreference: prefers ? executor : nil) { try await executor.run(at: address, .direct) }
      }
      // With one worker an endless syslet may be all that it does.
      let busy = shape.workers <= 2 ? [UInt64]() : addresses
      try await withThrowingTaskGroup(of: Void.self) { group in
        for address in busy { group.addTask { _ = try await executor.run(at: address, .direct) } }
        try await group.waitForAll()
      }
      _ = await executor.statistics
      for loop in loops { loop.cancel() }
      for loop in loops { #expect(try await loop.value.reason == .cancelled) }
    }
    if shape.workers > 2 { #expect(words.map(\.value) == [Int](repeating: 2, count: 40)) }
  }

  @Test("A syslet that never completes, while many threads run others and close", arguments: SysletExecutorTests.asynchronous)
  func never(backend: SysletEngine.Backend) async throws {
    for round in 0..<20 {
      let executor = try SysletExecutorTests.executor(backend)
      let program = Program(.direct, capacity: 256)
      let sleep = program.address(SysletExecutorTests.addSleep(program))
      let (addresses, _) = Self.mixed(program, 40)
      let sleeper = Task { try await executor.run(at: sleep, .direct) }
      await withTaskGroup(of: Void.self) { group in
        for address in addresses {
          group.addTask {
            for _ in 0..<5 {
              let text = await outcome(executor, address)
              #expect(["ended", "cancelled", "\(EngineError.closed)"].contains(text))
            }
          }
        }
        if round % 2 == 0 { for _ in 0..<4 { group.addTask { executor.close() } } }
      }
      executor.close()
      let text = try? await sleeper.value.reason
      #expect(text == .cancelled || text == nil)
    }
  }

  @Test("Threads that are no tasks' call and close at once", arguments: SysletExecutorTests.asynchronous)
  func threads(backend: SysletEngine.Backend) async throws {
    let program = Program(.direct)
    program.atom(noOperation, next: .end)
    let address = program.address(0)
    for round in 0..<60 {
      let executor = try SysletExecutorTests.executor(backend)
      let left = DispatchSemaphore(value: 0)
      let total = Tally()
      for number in 0..<4 {
        Thread.detachNewThread {
          for _ in 0..<20 {
            Task(executorPreference: number % 2 == 0 ? executor : nil) {
              let text = await outcome(executor, address)
              #expect(["ended", "cancelled", "\(EngineError.closed)"].contains(text))
              total.add()
            }
          }
          if round % 4 == number { executor.close() }
          left.signal()
        }
      }
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        Thread.detachNewThread {
          for _ in 0..<4 { left.wait() }
          continuation.resume()
        }
      }
      executor.close()
      let end = ContinuousClock.now + Deadline.usual
      while total.value < 80, ContinuousClock.now < end { try await Task.sleep(for: .microseconds(200)) }
      #expect(total.value == 80)
    }
  }

  @Test("Executors made and closed in a loop, from within a task too", arguments: SysletEngine.Backend.available)
  func makeAndClose(backend: SysletEngine.Backend) async throws {
    let program = Program(.direct)
    program.atom(noOperation, flags: .async, next: .end)
    let address = program.address(0)
    for _ in 0..<100 {
      let executor = try SysletExecutorTests.executor(backend)
      let reason = try await Task(executorPreference: executor) {
        let taken = try await executor.run(at: address, .direct)
        executor.close()
        return taken.reason
      }.value
      #expect(reason == .ended)
    }
  }

  @Test("Cancelled at every moment", arguments: SysletExecutorTests.asynchronous, [true, false])
  func everyMoment(backend: SysletEngine.Backend, prefers: Bool) async throws {
    let executor = try SysletExecutorTests.executor(backend)
    defer { executor.close() }
    let program = Program(.direct)
    let address = program.address(SysletExecutorTests.addSleep(program))
    for round in 0..<2000 {
      let task = Task(executorPreference: prefers ? executor : nil) { try await executor.run(at: address, .direct) }
      for _ in 0..<(round % 97) * 10 { _ = syslet_ticks() }
      if round % 5 == 0 { await Task.yield() }
      task.cancel()
      let taken = try await task.value
      #expect(taken.reason == .cancelled)
    }
    let statistics = await executor.statistics
    #expect(statistics.accepted == 2000 && statistics.completed == 2000)
  }
}

/// A count that tasks share.
private final class Tally: Sendable {
  private let count = Atomic(0)
  func add() { count.wrappingAdd(1, ordering: .relaxed) }
  var value: Int { count.load(ordering: .relaxed) }
}
