// Who may run: so many programs at a time, with so many descriptors, the others in the order in which they came.

internal import Glibc
internal import Synchronization

/// Used by any thread.
final class Admission: Sendable {
  enum Answer { case entered, full, cancelled, closed, late }

  /// What a program takes while it runs.
  private struct Waiting {
    let descriptors: Int
    let continuation: CheckedContinuation<Answer, Never>
  }

  private struct State {
    /// By number, and the numbers in the order in which they came, from `first` on: those that have been cancelled are no more in the former.
    var waiting: [UInt64: Waiting] = [:]
    var order: [UInt64] = []
    var first = 0
    var numbers: UInt64 = 0
    var empty: [CheckedContinuation<Void, Never>] = []
    var isClosed = false

    /// Nobody need look at this before entering, or behind leaving.
    var isIdle: Bool { waiting.isEmpty && empty.isEmpty && !isClosed }
  }

  /// How many run, and what they may have open. Behind a lock only while somebody waits: a lock and its release took 10 ns each time.
  private struct Load {
    let word: UInt64
    private static let runningBit: UInt64 = 1 << 32
    private static let busy: UInt64 = 1 << 63

    var running: Int { Int(word & ~Self.busy) >> 32 }
    var descriptors: Int { Int(UInt32(truncatingIfNeeded: word)) }
    /// `State.isIdle` does not hold: whoever enters or leaves takes the lock.
    var isBusy: Bool { word & Self.busy != 0 }

    func marked(busy: Bool) -> Load { Load(word: busy ? word | Self.busy : word & ~Self.busy) }
    func adding(_ descriptors: Int) -> Load { Load(word: word + Self.runningBit + UInt64(descriptors)) }
    func subtracting(_ descriptors: Int) -> Load { Load(word: word - Self.runningBit - UInt64(descriptors)) }
  }

  /// Reads and writes: any thread; with the lock when it is busy. Whoever leaves releases what they have done.
  private let load = Atomic<UInt64>(0)
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

  /// How many run, and how many wait for their turn. Others come and go meanwhile.
  var counts: (running: Int, waiting: Int) {
    (Load(word: load.load(ordering: .relaxed)).running, state.withLock { $0.waiting.count })
  }

  var isCut: Bool { cut.load(ordering: .sequentiallyConsistent) }

  /// Whether a program may run; nil if it has to wait for its turn.
  @inline(__always)
  func enterNow(_ descriptors: Int) -> Answer? {
    let load = Load(word: load.load(ordering: .relaxed))
    if !load.isBusy, hasRoom(load, descriptors), change(load, to: load.adding(taken(descriptors))) { return .entered }
    return enterBusy(descriptors)
  }

  @inline(never)
  private func enterBusy(_ descriptors: Int) -> Answer? { state.withLock { enter(descriptors, &$0) } ?? (mayWait ? nil : .full) }

  @inline(never)
  nonisolated(nonsending) func waitForTurn(_ descriptors: Int, until deadline: ContinuousClock.Instant? = nil) async -> Answer {
    let number = state.withLock { state in
      state.numbers += 1
      return state.numbers
    }
    let timer = deadline.map { deadline in
      Task {
        if (try? await Task.sleep(until: deadline, clock: .continuous)) != nil { giveUp(number, .late) }
      }
    }
    defer { timer?.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Answer? in
          // Whoever cancels after this finds it.
          if Task.isCancelled { return .cancelled }
          if let answer = enter(descriptors, &state, orBusy: true) { return answer }
          // The timer may have come before there was anything to find, and comes once.
          if let deadline, deadline <= .now { return .late }
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
      giveUp(number, .cancelled)
    }
  }

  /// Ends the wait of one that is no more to have its turn, if it has not had it.
  private func giveUp(_ number: UInt64, _ answer: Answer) {
    let (waiting, next) = state.withLock { state in
      // Those behind it may need less than it did.
      (state.waiting.removeValue(forKey: number), takeNext(&state))
    }
    waiting?.continuation.resume(returning: answer)
    for continuation in next { continuation.resume(returning: .entered) }
  }

  @inline(__always)
  func leave(_ descriptors: Int) {
    let load = Load(word: load.load(ordering: .relaxed))
    if load.isBusy || !change(load, to: load.subtracting(taken(descriptors))) { leaveBusy(descriptors) }
  }

  @inline(never)
  private func leaveBusy(_ descriptors: Int) {
    let (next, empty) = state.withLock { state -> ([CheckedContinuation<Answer, Never>], [CheckedContinuation<Void, Never>]) in
      let left = change { $0.subtracting(taken(descriptors)) }
      let next = takeNext(&state)
      guard left.running == 0, next.isEmpty else { return (next, []) }
      let empty = state.empty
      state.empty = []
      calm(state)
      return (next, empty)
    }
    for continuation in next { continuation.resume(returning: .entered) }
    for continuation in empty { continuation.resume() }
  }

  /// A program that needs more than there are runs alone.
  private func taken(_ descriptors: Int) -> Int { min(descriptors, descriptorsMax) }

  private func hasRoom(_ load: Load, _ descriptors: Int) -> Bool {
    load.running < runningMax && load.descriptors + taken(descriptors) <= descriptorsMax
  }

  /// False if it has become something else meanwhile.
  private func change(_ old: Load, to new: Load) -> Bool {
    load.compareExchange(expected: old.word, desired: new.word, ordering: .acquiringAndReleasing).exchanged
  }

  /// What it is then. `next` gives nil to leave it.
  @discardableResult
  private func change(_ next: (Load) -> Load?) -> Load {
    while true {
      let old = Load(word: load.load(ordering: .relaxed))
      guard let new = next(old) else { return old }
      if change(old, to: new) { return new }
    }
  }

  /// Whether somebody may run; nil if it is not its turn, and then with `orBusy` whoever leaves from here on looks who waits.
  private func enter(_ descriptors: Int, _ state: inout State, orBusy: Bool = false) -> Answer? {
    if state.isClosed { return .closed }
    let isFirst = state.waiting.isEmpty
    var hasEntered = false
    change { load in
      hasEntered = isFirst && hasRoom(load, descriptors)
      if hasEntered { return load.adding(taken(descriptors)) }
      return orBusy ? load.marked(busy: true) : nil
    }
    return hasEntered ? .entered : nil
  }

  /// If nobody need look any more.
  private func calm(_ state: State) {
    guard state.isIdle else { return }
    change { $0.marked(busy: false) }
  }

  /// Those whose turn it is.
  private func takeNext(_ state: inout State) -> [CheckedContinuation<Answer, Never>] {
    var next: [CheckedContinuation<Answer, Never>] = []
    while state.first < state.order.count {
      if let waiting = state.waiting[state.order[state.first]] {
        var hasEntered = false
        change { load in
          hasEntered = hasRoom(load, waiting.descriptors)
          return hasEntered ? load.adding(taken(waiting.descriptors)) : nil
        }
        guard hasEntered else { break }
        state.waiting[state.order[state.first]] = nil
        next.append(waiting.continuation)
      }
      state.first += 1
    }
    if state.first == state.order.count || state.first > 1024, state.first * 2 > state.order.count {
      state.order.removeFirst(state.first)
      state.first = 0
    }
    calm(state)
    return next
  }

  // MARK: The end

  /// Whether nobody enters any more.
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Nobody enters from here on.
  func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      makeBusy()
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
        guard makeBusy().running > 0 else {
          calm(state)
          return true
        }
        state.empty.append(continuation)
        return false
      }
      if isEmpty { continuation.resume() }
    }
  }

  /// Whoever enters or leaves from here on takes the lock.
  @discardableResult
  private func makeBusy() -> Load { change { $0.marked(busy: true) } }
}
