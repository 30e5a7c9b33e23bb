// Waiting for a task on a thread, as what is measured wants it.

internal import Glibc

/// What a task gives to the thread that waits for it.
@safe public final class Blocking: @unchecked Sendable {
  private var result: Result<Int, any Error>?
  private let isThere: UnsafeMutablePointer<sem_t>

  private init() {
    unsafe isThere = .allocate(capacity: 1)
    unsafe isThere.initialize(to: sem_t())
    unsafe sem_init(isThere, 0, 0)
  }

  deinit {
    unsafe sem_destroy(isThere)
    unsafe isThere.deallocate()
  }

  /// Runs `body` in a task, which prefers `executor` if there is one, and waits for its end.
  public static func run(on executor: (any TaskExecutor)? = nil, _ body: sending @escaping () async throws -> Int) throws -> Int {
    let blocking = Blocking()
    Task(executorPreference: executor) {
      do { blocking.result = .success(try await body()) } catch { blocking.result = .failure(error) }
      unsafe sem_post(blocking.isThere)
    }
    while unsafe sem_wait(blocking.isThere) != 0 {}
    return try blocking.result!.get()
  }
}
