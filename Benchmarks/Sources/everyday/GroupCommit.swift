// A log of many writers: a record is acknowledged when it has been synced, and a sync is for all that have come meanwhile.

internal import Foundation
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

enum GroupCommit {
  static let writers = 128
  static let recordsEach = 40
  static let record = [UInt8](repeating: 0x5A, count: 100)

  static func ways(_ folder: String) throws -> [Way] {
    let runtime = try Ours.make()
    return [
      try way("tasks and append", folder) { file in
        _ = try Blocking.run(on: runtime.executor) {
          let log = TaskLog(runtime, file)
          try await withThrowingTaskGroup { group in
            for _ in 0..<writers { group.addTask { for _ in 0..<recordsEach { try await log.append(record) } } }
            try await group.waitForAll()
          }
          return 0
        }
      },
      try way("a mutex, a condition and threads", folder) { file in
        let log = ThreadLog(file.rawValue)
        let threads = (0..<writers).map { _ in
          let done = DispatchSemaphore(value: 0)
          let thread = Thread {
            for _ in 0..<recordsEach { log.append(record) }
            done.signal()
          }
          thread.stackSize = 1 << 17
          thread.start()
          return done
        }
        for done in threads { done.wait() }
      },
    ]
  }

  /// Nanoseconds for each record.
  private static func way(_ name: String, _ folder: String, _ work: @escaping (FileDescriptor) throws -> Void) throws -> Way {
    let path = FilePath("\(folder)/syslet-everyday-\(getpid()).log")
    return Way(name) {
      let file = try FileDescriptor.open(path, .readWrite, options: [.create, .truncate], permissions: .ownerReadWrite)
      defer {
        try? file.close()
        unsafe unlink(path.string)
      }
      let begin = Program.now()
      try work(file)
      let elapsed = Program.now() - begin
      let size = try file.seek(offset: 0, from: .end)
      guard size == Int64(writers * recordsEach * record.count) else { throw Failure("\(name) has left \(size) bytes") }
      return Double(elapsed) / Double(writers * recordsEach)
    }
  }
}

/// Whoever comes while a commit is under way is in the next one.
private final class TaskLog: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var waiting: [CheckedContinuation<Void, any Error>] = []
    var isCommitting = false
  }

  private let runtime: SysletRuntime
  private let file: FileDescriptor
  private let state = Guarded(State())

  init(_ runtime: SysletRuntime, _ file: FileDescriptor) { (self.runtime, self.file) = (runtime, file) }

  func append(_ record: [UInt8]) async throws {
    try await withCheckedThrowingContinuation { continuation in
      let isFirst = state.with { state in
        state.bytes += record
        state.waiting.append(continuation)
        defer { state.isCommitting = true }
        return !state.isCommitting
      }
      if isFirst { Task(executorPreference: runtime.executor) { await self.commit() } }
    }
  }

  private func commit() async {
    while true {
      let (bytes, waiting) = state.with { state in
        defer { (state.bytes, state.waiting) = ([], []) }
        if state.waiting.isEmpty { state.isCommitting = false }
        return (state.bytes, state.waiting)
      }
      if waiting.isEmpty { return }
      let result: Result<Void, any Error>
      do {
        _ = try await runtime.append(bytes.span, to: file)
        result = .success(())
      } catch { result = .failure(error) }
      for continuation in waiting { continuation.resume(with: result) }
      // The writers have their next records before the next commit.
      await Task.yield()
    }
  }
}

/// The same with threads: one of those that wait commits for all.
private final class ThreadLog: @unchecked Sendable {
  private let condition = NSCondition()
  private let descriptor: Int32
  private var bytes: [UInt8] = []
  private var (arrived, synced) = (0, 0)
  private var isCommitting = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func append(_ record: [UInt8]) {
    condition.lock()
    defer { condition.unlock() }
    bytes += record
    arrived += 1
    let mine = arrived
    while synced < mine {
      if isCommitting {
        condition.wait()
        continue
      }
      isCommitting = true
      let (batch, last) = (bytes, arrived)
      bytes = []
      condition.unlock()
      unsafe batch.withUnsafeBytes { _ = unsafe write(descriptor, $0.baseAddress!, $0.count) }
      fdatasync(descriptor)
      condition.lock()
      synced = last
      isCommitting = false
      condition.broadcast()
    }
  }
}

private final class Guarded<State>: @unchecked Sendable {
  private let lock = NSLock()
  private var state: State
  init(_ state: State) { self.state = state }
  func with<R>(_ body: (inout State) -> R) -> R {
    lock.lock()
    defer { lock.unlock() }
    return body(&state)
  }
}
