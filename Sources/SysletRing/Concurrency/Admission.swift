// Who may run: so many programs at a time, with so many descriptors, the others in the order in which they came.

internal import Glibc
internal import Synchronization

/// Used by any thread.
final class Admission: Sendable {
  enum Answer { case entered, full, cancelled, closed }

  /// What a program takes while it runs.
  private struct Waiting {
    let descriptors: Int
    let continuation: CheckedContinuation<Answer, Never>
  }

  private struct State {
    var running = 0
    /// What those that run may have open.
    var descriptors = 0
    /// By number, and the numbers in the order in which they came, from `first` on: those that have been cancelled are no more in the former.
    var waiting: [UInt64: Waiting] = [:]
    var order: [UInt64] = []
    var first = 0
    var numbers: UInt64 = 0
    var empty: [CheckedContinuation<Void, Never>] = []
    var isClosed = false
  }

  private let state = Locked(State())
  private let runningMax: Int
  private let descriptorsMax: Int
  private let mayWait: Bool
  /// What runs is to be cut short. Sequentially consistent: what begins and does not see it is cancelled by what follows it.
  private let cut = Atomic(false)

  init(max: Int, mayWait: Bool, descriptorsMax: Int = Admission.descriptorsMax()) {
    (runningMax, self.mayWait, self.descriptorsMax) = (max, mayWait, descriptorsMax)
  }

  /// So many descriptors are left to the rest of the process, engines included.
  private static let reserved = 64

  /// How many descriptors programs may have open, after RLIMIT_NOFILE.
  private static func descriptorsMax() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < 1 << 30 else { return 1 << 30 }
    return Swift.max(1, Int(limit.rlim_cur) - reserved)
  }

  var isCut: Bool { cut.load(ordering: .sequentiallyConsistent) }

  nonisolated(nonsending) func enter(_ descriptors: Int) async -> Answer {
    let answer = state.withLock { enter(descriptors, &$0) }
    if let answer { return answer }
    return mayWait ? await waitForTurn(descriptors) : .full
  }

  private nonisolated(nonsending) func waitForTurn(_ descriptors: Int) async -> Answer {
    let number = state.withLock { state in
      state.numbers += 1
      return state.numbers
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Answer? in
          // Whoever cancels after this finds it.
          if Task.isCancelled { return .cancelled }
          if let answer = enter(descriptors, &state) { return answer }
          state.waiting[number] = Waiting(descriptors: descriptors, continuation: continuation)
          state.order.append(number)
          // Of those that were cancelled while the first one waits.
          if state.order.count - state.first > 2 * state.waiting.count + 1024 {
            state.order = state.order[state.first...].filter { state.waiting[$0] != nil }
            state.first = 0
          }
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let (cancelled, next) = state.withLock { state in
        // Those behind it may need less than it did.
        (state.waiting.removeValue(forKey: number), takeNext(&state))
      }
      cancelled?.continuation.resume(returning: .cancelled)
      for continuation in next { continuation.resume(returning: .entered) }
    }
  }

  func leave(_ descriptors: Int) {
    let (next, empty) = state.withLock { state -> ([CheckedContinuation<Answer, Never>], [CheckedContinuation<Void, Never>]) in
      state.running -= 1
      state.descriptors -= taken(descriptors)
      let next = takeNext(&state)
      guard state.running == 0 else { return (next, []) }
      defer { state.empty = [] }
      return (next, state.empty)
    }
    for continuation in next { continuation.resume(returning: .entered) }
    for continuation in empty { continuation.resume() }
  }

  /// A program that needs more than there are runs alone.
  private func taken(_ descriptors: Int) -> Int { min(descriptors, descriptorsMax) }

  /// False if there is no room.
  private func admit(_ descriptors: Int, _ state: inout State) -> Bool {
    guard state.running < runningMax, state.descriptors + taken(descriptors) <= descriptorsMax else { return false }
    state.running += 1
    state.descriptors += taken(descriptors)
    return true
  }

  /// Whether somebody may run; nil if it is not its turn.
  private func enter(_ descriptors: Int, _ state: inout State) -> Answer? {
    if state.isClosed { return .closed }
    return state.waiting.isEmpty && admit(descriptors, &state) ? .entered : nil
  }

  /// Those whose turn it is.
  private func takeNext(_ state: inout State) -> [CheckedContinuation<Answer, Never>] {
    var next: [CheckedContinuation<Answer, Never>] = []
    while state.first < state.order.count {
      if let waiting = state.waiting[state.order[state.first]] {
        guard admit(waiting.descriptors, &state) else { break }
        state.waiting[state.order[state.first]] = nil
        next.append(waiting.continuation)
      }
      state.first += 1
    }
    if state.first == state.order.count || state.first > 1024, state.first * 2 > state.order.count {
      state.order.removeFirst(state.first)
      state.first = 0
    }
    return next
  }

  // MARK: The end

  /// Nobody enters any more.
  func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      defer { (state.waiting, state.order, state.first) = ([:], [], 0) }
      return state.waiting.values.map(\.continuation)
    }
    for continuation in waiting { continuation.resume(returning: .closed) }
  }

  /// What runs is to be cut short.
  func cutShort() { cut.store(true, ordering: .sequentiallyConsistent) }

  /// Returns when nothing runs any more.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state -> Bool in
        guard state.running > 0 else { return true }
        state.empty.append(continuation)
        return false
      }
      if isEmpty { continuation.resume() }
    }
  }
}
