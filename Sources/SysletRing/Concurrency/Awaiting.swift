// The engine of an executor, and the tasks that await its syslets.
//
// Unsafe fence: the waiters' memory belongs to this. A continuation is resumed once, since it is taken out of its waiter for that: when the
// engine has had its first turn for the syslet, when the syslet's completion is taken (law L5), or when the engine has failed and is closed.

internal import CLiburing
internal import Glibc

/// Belongs to the executor's thread (law L8). A continuation is made there too, and resumed on no other thread.
@safe struct Awaiting: ~Copyable {
  /// A syslet that a task waits for. The sequence tells it from earlier ones with the same waiter.
  struct Ticket {
    let waiter: UInt32
    let sequence: UInt32
  }

  enum Outcome {
    /// `isLate`: its deadline passed, and it was cancelled for that.
    case completed(Completion, isLate: Bool)
    /// Not after the engine's first turn for the syslet: the task has to go on waiting.
    case pending(Ticket)
  }

  typealias Continuation = UnsafeContinuation<Outcome, any Error>

  @safe private struct Waiter {
    var continuation: Continuation?
    var run: UInt32 = 0
    var sequence: UInt32 = 0
    /// The next free one, while this one is.
    var next = Awaiting.none
    var isPending = false
    /// Nothing but the executor's end cancels it.
    var isShielded = false
    /// In the heap of deadlines; -1 for none.
    var timer: Int32 = -1
    var isLate = false
    /// What came while the task was on its way to wait for it. The last field, because it is seldom touched.
    var completion: Completion?
  }

  private static let none = UInt32.max
  /// For how long a kernel that refuses is left alone.
  private static let refusalNanoseconds: Int64 = 1_000_000

  /// Closed when the executor ends; what it has done can be read all the same.
  let engine: SysletEngine
  /// Through it other threads end the engine's sleep.
  let mail: Mailbox
  /// Why the engine cannot go on. Read by other threads when the executor has ended.
  private(set) var failure: EngineError?

  /// Memory that has not been used yet is not touched.
  private let waiters: UnsafeMutablePointer<Waiter>
  /// As many as the engine holds syslets: a completion that its task has not taken counts there too.
  private let waitersMax: Int
  private var waitersUsed = 0
  private var freeWaiter = Awaiting.none
  /// Waiters that are in use. While there are some their tasks may come back, so the thread has to be there.
  private var tickets = 0
  /// Waiters whose syslet is pending.
  private var pending = 0
  /// Waiters for whose syslets the engine has not had a turn yet.
  private var fresh: [UInt32] = []
  /// Waiters whose syslets have deadlines.
  private var deadlines = TimerHeap()
  private var isClosing = false
  /// How many runs may begin before the engine's next turn: between two there is nothing that other tasks, deadlines and other threads get.
  private var beginsLeft = 0
  private let beginsMax: Int
  private let completions: UnsafeMutableBufferPointer<Completion>

  init(_ options: SysletEngine.Options) throws(EngineError) {
    let engine = try SysletEngine(options)
    let mail = try engine.heedCalls()
    let waiters = unsafe try Allocation.make(options.maxPending, of: Waiter.self, for: "maxPending")
    self.engine = engine
    self.mail = mail
    waitersMax = options.maxPending
    beginsMax = engine.backend == .automatic ? 16 : 0
    unsafe self.waiters = unsafe waiters
    // After the last error, which ends this without `deinit`.
    unsafe completions = .allocate(capacity: 256)
  }

  deinit {
    unsafe waiters.deinitialize(count: waitersUsed)
    unsafe free(waiters)
    unsafe completions.deallocate()
  }

  private func waiter(_ number: UInt32) -> Reference<Waiter> { unsafe Reference(waiters + Int(number)) }

  // MARK: The tasks' side

  /// Enqueues a syslet, and cancels it at once if its task is cancelled.
  ///
  /// - Parameter deadline: When it is cancelled if it is not done by then, as `syslet_now` counts; nil for never.
  /// - Parameter step: Where it begins; nil for its head.
  mutating func start(
    _ head: AtomAddress, _ layout: AtomForm, from step: AtomAddress?, isCancelled: Bool, isShielded: Bool, deadline: Int64?,
    _ continuation: Continuation
  ) {
    do throws(EngineError) {
      guard !isClosing else { throw failure ?? .closed }
      guard let number = takeWaiter() else { throw .full(limit: waitersMax) }
      let waiter = waiter(number)
      do {
        waiter.pointee.run =
          if let step { try engine.enqueue(head, from: step, waiter: number) } else { try engine.enqueue(head, layout, waiter: number) }
      } catch {
        release(number)
        throw error
      }
      waiter.pointee.isPending = true
      waiter.pointee.isLate = false
      waiter.pointee.isShielded = isShielded
      if let deadline { insertDeadline(number, deadline) }
      unsafe waiter.pointee.continuation = continuation
      pending += 1
      fresh.append(number)
      if isCancelled { engine.cancel(waiter.pointee.run, waiter: number) }
    } catch {
      unsafe continuation.resume(throwing: error)
    }
  }

  /// Begins a typed program's run and gives it its turn at once, if nothing else is pending and that may be done again: its completion if that was its end, a
  /// ticket to wait with if not; nil where it is to be `start`ed. What a task takes on its way to the engine and back is as much as two cached reads.
  ///
  /// - Parameter isIdle: No other task is ready here.
  mutating func begin(
    _ head: AtomAddress, from step: AtomAddress, isShielded: Bool, deadline: Int64?, isIdle: Bool
  ) throws(EngineError) -> Outcome? {
    guard beginsLeft > 0, pending == 0, !isClosing, deadline.map({ $0 > syslet_now() }) ?? true, let number = takeWaiter() else {
      return nil
    }
    beginsLeft -= 1
    let begun: (slot: UInt32, completion: Completion?)
    do throws(EngineError) { begun = try engine.begin(head, from: step, waiter: number, isAlone: isIdle) } catch {
      release(number)
      throw error
    }
    if let completion = begun.completion {
      release(number)
      return .completed(completion, isLate: false)
    }
    let waiter = waiter(number)
    waiter.pointee.run = begun.slot
    waiter.pointee.isPending = true
    waiter.pointee.isLate = false
    waiter.pointee.isShielded = isShielded
    if let deadline { insertDeadline(number, deadline) }
    pending += 1
    return .pending(Ticket(waiter: number, sequence: waiter.pointee.sequence))
  }

  /// Goes on waiting for a syslet.
  mutating func goOn(_ ticket: Ticket, _ continuation: Continuation) {
    let waiter = waiter(ticket.waiter)
    if waiter.pointee.isPending {
      unsafe waiter.pointee.continuation = continuation
      return
    }
    let (completion, isLate) = (waiter.pointee.completion, waiter.pointee.isLate)
    waiter.pointee.completion = nil
    release(ticket.waiter)
    if let completion {
      unsafe continuation.resume(returning: .completed(completion, isLate: isLate))
    } else {
      unsafe continuation.resume(throwing: failure ?? .closed)
    }
  }

  mutating func cancel(_ ticket: Ticket) {
    let waiter = waiter(ticket.waiter)
    // The syslet may have completed meanwhile.
    guard waiter.pointee.isPending, waiter.pointee.sequence == ticket.sequence else { return }
    engine.cancel(waiter.pointee.run, waiter: ticket.waiter)
  }

  private mutating func insertDeadline(_ number: UInt32, _ moment: Int64) {
    deadlines.insert(number, at: moment) { [waiters = unsafe waiters] in unsafe waiters[Int($0)].timer = $1 }
  }

  private mutating func removeDeadline(_ number: UInt32) {
    guard waiter(number).pointee.timer >= 0 else { return }
    deadlines.remove(at: waiter(number).pointee.timer) { [waiters = unsafe waiters] in unsafe waiters[Int($0)].timer = $1 }
    waiter(number).pointee.timer = -1
  }

  /// Cancels the syslets whose deadlines have passed.
  private mutating func cancelLate() {
    guard let next = deadlines.next, case let now = syslet_now(), next <= now else { return }
    while let number = deadlines.popDue(now, placed: { [waiters = unsafe waiters] in unsafe waiters[Int($0)].timer = $1 }) {
      waiter(number).pointee.timer = -1
      guard waiter(number).pointee.isPending else { continue }
      waiter(number).pointee.isLate = true
      engine.cancel(waiter(number).pointee.run, waiter: number)
    }
  }

  private mutating func takeWaiter() -> UInt32? {
    let number = freeWaiter == Self.none ? UInt32(waitersUsed) : freeWaiter
    if freeWaiter != Self.none {
      freeWaiter = waiter(number).pointee.next
    } else {
      guard waitersUsed < waitersMax else { return nil }
      unsafe (waiters + waitersUsed).initialize(to: Waiter())
      waitersUsed += 1
    }
    tickets += 1
    return number
  }

  private mutating func release(_ number: UInt32) {
    waiter(number).pointee.sequence &+= 1
    waiter(number).pointee.next = freeWaiter
    freeWaiter = number
    tickets -= 1
  }

  // MARK: The thread's side

  /// Begins what tasks have enqueued, takes what has completed, and sleeps for it if nothing else is to be done.
  mutating func turn(isIdle: Bool) {
    beginsLeft = beginsMax
    guard pending > 0 else {
      if isIdle, !isClosing || tickets > 0 { engine.sleepUntilCalled() }
      return
    }
    let isFirst = !fresh.isEmpty
    do throws(EngineError) {
      cancelLate()
      if isFirst {
        try take(atLeast: 1, timeout: isIdle ? min(Self.firstTurnMax, timeLeft ?? Self.firstTurnMax) : .zero)
      } else {
        try take(atLeast: isIdle ? 1 : 0, timeout: timeLeft)
      }
      sendOn()
    } catch {
      guard !engine.hasFailed else { return fail(error) }
      sendOn()
      if isIdle, !isFirst { engine.sleepUntilCalled(nanoseconds: Self.refusalNanoseconds) }
    }
  }

  /// Until the next deadline; nil for no end.
  private var timeLeft: Duration? { deadlines.next.map { .nanoseconds(max(0, $0 - syslet_now())) } }

  /// For how long the engine's first turn for a syslet may last where no other task is ready, and plain calls may be made in it: what completes by then
  /// costs its task one way to the engine and back, and not two, and open-read-close of 32 tasks on the ring takes 4.4 µs instead of 5.4. So much later
  /// a task that waits for longer can be cancelled.
  private static let firstTurnMax: Duration = .microseconds(200)

  /// Tells the tasks whose syslets take longer than the first turn: from then on they can be cancelled.
  private mutating func sendOn() {
    for number in fresh where waiter(number).pointee.isPending {
      resume(number, .pending(Ticket(waiter: number, sequence: waiter(number).pointee.sequence)))
    }
    fresh.removeAll(keepingCapacity: true)
  }

  private mutating func take(atLeast count: Int, timeout: Duration?) throws(EngineError) {
    var taken = unsafe try engine.wait(into: completions, atLeast: count, timeout: timeout)
    deliver(taken)
    while unsafe taken == completions.count {
      taken = unsafe try engine.wait(into: completions, atLeast: 0)
      deliver(taken)
    }
  }

  private mutating func deliver(_ count: Int) {
    for index in 0..<count {
      let completion = unsafe completions[index]
      let waiter = waiter(completion.waiter)
      waiter.pointee.isPending = false
      pending -= 1
      removeDeadline(completion.waiter)
      if unsafe waiter.pointee.continuation == nil {
        waiter.pointee.completion = completion
      } else {
        resume(completion.waiter, .completed(completion, isLate: waiter.pointee.isLate))
        release(completion.waiter)
      }
    }
  }

  private func resume(_ number: UInt32, _ outcome: Outcome) {
    let continuation = unsafe waiter(number).pointee.continuation!
    unsafe waiter(number).pointee.continuation = nil
    unsafe continuation.resume(returning: outcome)
  }

  /// The engine cannot go on. What it can tell comes first; then nobody waits for it any longer.
  private mutating func fail(_ error: EngineError) {
    failure = error
    isClosing = true
    while let taken = unsafe try? engine.wait(into: completions, atLeast: 1), taken > 0 { deliver(taken) }
    try? engine.close()
    for number in 0..<UInt32(waitersUsed) where waiter(number).pointee.isPending {
      waiter(number).pointee.isPending = false
      pending -= 1
      removeDeadline(number)
      guard let continuation = unsafe waiter(number).pointee.continuation else { continue }
      unsafe waiter(number).pointee.continuation = nil
      release(number)
      unsafe continuation.resume(throwing: error)
    }
    fresh.removeAll()
  }

  /// Cancels what is pending, and takes no more.
  mutating func close() {
    isClosing = true
    cancelAll(andShielded: true)
  }

  /// Cancels what is pending.
  func cancelAll(andShielded: Bool = false) {
    for number in 0..<UInt32(waitersUsed) where waiter(number).pointee.isPending && (andShielded || !waiter(number).pointee.isShielded) {
      engine.cancel(waiter(number).pointee.run, waiter: number)
    }
  }

  /// Closes the engine when it is to be closed and no task waits any more.
  func endIfDone() -> Bool {
    guard isClosing, tickets == 0 else { return false }
    try? engine.close()
    return true
  }
}
