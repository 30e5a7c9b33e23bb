// Ours, awaited: `depth` tasks on an executor, each of which awaits one syslet after the other.

internal import Measuring
internal import Programs
internal import SysletRing

/// On a ring, so that what it takes longer than `RingPeer` is what awaiting costs.
final class AwaitPeer: Peer {
  private let job: Job
  private let executor: SysletExecutor
  private let syslets: Syslets

  init(_ job: Job) throws {
    self.job = job
    do {
      executor = try SysletExecutor(.init(.ring))
    } catch {
      throw Failure("\(error)", exitCode: 3)
    }
    syslets = Syslets(job)
  }

  deinit { executor.close() }

  func run(first: Int, count: Int) throws -> Int {
    let (job, executor, syslets) = (job, executor, syslets)
    return try Blocking.run(on: executor) {
      try await job.inTasks(first, count) { slot, item in
        let completion = try await unsafe executor.run(syslets.arm(slot, item: item))
        return try syslets.bytes(slot, completion)
      }
    }
  }
}

extension Job {
  /// Does `count` items in `depth` tasks, each of which awaits one after the other: the sum of what they give.
  func inTasks(
    _ first: Int, _ count: Int, _ body: nonisolated(nonsending) @escaping @Sendable (_ slot: Int, _ item: Int) async throws -> Int
  ) async throws -> Int {
    try await withThrowingTaskGroup { group in
      for slot in 0..<min(depth, count) {
        group.addTask {
          var (bytes, item) = (0, (first + slot) % itemCount)
          for _ in stride(from: slot, to: count, by: depth) {
            bytes += try await body(slot, item)
            item += depth
            while item >= itemCount { item -= itemCount }
          }
          return bytes
        }
      }
      return try await group.reduce(0, +)
    }
  }
}
