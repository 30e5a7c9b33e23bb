// One at a time, for things that have numbers.

/// Takes turns at each of several things, which have numbers: first come first served. Used by any thread.
final class Turns: Sendable {
  private struct Waiting {
    let number: UInt64
    let continuation: CheckedContinuation<Bool, Never>
  }
  private struct State {
    /// Who waits for each thing that somebody has.
    var waiting: [Int32: [Waiting]] = [:]
    var numbers: UInt64 = 0
  }

  private let state = Locked(State())

  /// Waits until it is this one's turn.
  ///
  /// - Throws: `CancellationError` when the task is cancelled before.
  nonisolated(nonsending) func begin(_ thing: Int32) async throws {
    let number = state.withLock { state in
      state.numbers += 1
      return state.numbers
    }
    let isMine = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Bool? in
          if Task.isCancelled { return false }
          guard state.waiting[thing] != nil else {
            state.waiting[thing] = []
            return true
          }
          state.waiting[thing]!.append(Waiting(number: number, continuation: continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let cancelled = state.withLock { state -> Waiting? in
        guard let index = state.waiting[thing]?.firstIndex(where: { $0.number == number }) else { return nil }
        return state.waiting[thing]!.remove(at: index)
      }
      cancelled?.continuation.resume(returning: false)
    }
    if !isMine { throw CancellationError() }
  }

  /// How many wait.
  func waiterCount(_ thing: Int32) -> Int { state.withLock { $0.waiting[thing]?.count ?? 0 } }

  func end(_ thing: Int32) {
    let next = state.withLock { state -> Waiting? in
      guard state.waiting[thing]?.isEmpty == false else {
        state.waiting[thing] = nil
        return nil
      }
      return state.waiting[thing]!.removeFirst()
    }
    next?.continuation.resume(returning: true)
  }
}
