// The engine of an executor, and the tasks that await its syslets.
//
// Unsafe fence: the waiters' memory belongs to this. A continuation is resumed once, since it is taken out of its waiter for that: when the
// engine has had its first turn for the syslet, when the syslet's completion is taken (law L5), or when the engine has failed and is closed.

internal import CLiburing

@safe struct Awaiting: ~Copyable {
  /// A `run`, by which it can be cancelled from anywhere: the sequence tells it from earlier ones with the same waiter.
  struct Ticket {
    let waiter: UInt32
    let sequence: UInt32
  }

  /// Resumed with the completion; with nil when that is not there after the engine's first turn for the syslet.
  typealias Continuation = UnsafeContinuation<Completion?, any Error>

  @safe private struct Waiter {
    var continuation: Continuation?
    var run: UInt32 = 0
    var sequence: UInt32 = 0
    /// The next free one, while this one is.
    var next = Awaiting.none
    var isPending = false
    var isCancelled = false
    /// What nobody waited for when it came. The last field, because it is seldom touched.
    var completion: Completion?
  }

  private static let none = UInt32.max

  /// Closed when the executor ends; what it has done can be read all the same.
  let engine: SysletEngine
  /// Through it other threads end the engine's sleep.
  let pool: WorkerPool
  /// Why the engine cannot go on. Read by other threads when the executor has ended.
  private(set) var failure: EngineError?

  /// Memory that no `run` has used yet is not touched.
  private let waiters: UnsafeMutablePointer<Waiter>
  private let waitersMax: Int
  private var waitersUsed = 0
  private var freeWaiter = Awaiting.none
  /// Waiters for whose syslets the engine has not had a turn yet.
  private var fresh: [UInt32] = []
  /// Waiters whose syslet is pending.
  private var pending = 0
  private var isClosing = false
  private let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 256)

  init(_ options: SysletEngine.Options) throws(EngineError) {
    let engine = try SysletEngine(options)
    pool = try engine.heedCalls()
    self.engine = engine
    // A task may not have taken its completion yet when the engine has room for another syslet.
    waitersMax = 2 * options.maxPending
    unsafe waiters = .allocate(capacity: waitersMax)
  }

  deinit {
    unsafe waiters.deinitialize(count: waitersUsed)
    unsafe waiters.deallocate()
    unsafe completions.deallocate()
  }

  private func waiter(_ number: UInt32) -> Reference<Waiter> { unsafe Reference(waiters + Int(number)) }

  // MARK: The tasks' side

  mutating func takeTicket(isCancelled: Bool) throws(EngineError) -> Ticket {
    guard !isClosing else { throw failure ?? .closed }
    let number: UInt32
    if freeWaiter != Self.none {
      number = freeWaiter
      freeWaiter = waiter(number).pointee.next
    } else {
      guard waitersUsed < waitersMax else { throw .full(limit: waitersMax) }
      number = UInt32(waitersUsed)
      unsafe (waiters + waitersUsed).initialize(to: Waiter())
      waitersUsed += 1
    }
    waiter(number).pointee.isCancelled = isCancelled
    return Ticket(waiter: number, sequence: waiter(number).pointee.sequence)
  }

  /// Enqueues the syslet of a ticket.
  mutating func start(_ head: AtomAddress, _ layout: AtomLayoutTag, _ ticket: Ticket, _ continuation: Continuation) {
    let waiter = waiter(ticket.waiter)
    do throws(EngineError) {
      let run = try engine.enqueue(head, layout, waiter: ticket.waiter)
      waiter.pointee.run = run
      waiter.pointee.isPending = true
      unsafe waiter.pointee.continuation = continuation
      pending += 1
      fresh.append(ticket.waiter)
      if waiter.pointee.isCancelled || isClosing { engine.cancel(run, waiter: ticket.waiter) }
    } catch {
      release(ticket.waiter)
      unsafe continuation.resume(throwing: failure ?? error)
    }
  }

  /// Goes on waiting for a syslet that was started.
  mutating func goOn(_ ticket: Ticket, _ continuation: Continuation) {
    let waiter = waiter(ticket.waiter)
    if waiter.pointee.isPending {
      unsafe waiter.pointee.continuation = continuation
      return
    }
    let completion = waiter.pointee.completion
    waiter.pointee.completion = nil
    release(ticket.waiter)
    if let completion {
      unsafe continuation.resume(returning: completion)
    } else {
      unsafe continuation.resume(throwing: failure ?? .closed)
    }
  }

  mutating func cancel(_ ticket: Ticket) {
    let waiter = waiter(ticket.waiter)
    // Its `run` may have returned meanwhile.
    guard waiter.pointee.sequence == ticket.sequence else { return }
    waiter.pointee.isCancelled = true
    if waiter.pointee.isPending { engine.cancel(waiter.pointee.run, waiter: ticket.waiter) }
  }

  private mutating func release(_ number: UInt32) {
    waiter(number).pointee.sequence &+= 1
    waiter(number).pointee.next = freeWaiter
    freeWaiter = number
  }

  // MARK: The thread's side

  /// Begins what tasks have enqueued, takes what has completed, and sleeps for it if nothing else is to be done.
  mutating func turn(isIdle: Bool) {
    guard pending > 0 else {
      if isIdle, !isClosing { engine.sleepUntilCalled() }
      return
    }
    do throws(EngineError) {
      guard !fresh.isEmpty else { return try take(atLeast: isIdle ? 1 : 0, timeout: nil) }
      try take(atLeast: 1, timeout: .zero)
      // What takes longer has to be cancellable before the thread sleeps for it.
      for number in fresh where waiter(number).pointee.isPending { resume(number, nil) }
      fresh.removeAll(keepingCapacity: true)
    } catch {
      fail(error)
    }
  }

  private mutating func take(atLeast count: Int, timeout: Duration?) throws(EngineError) {
    var taken = unsafe try engine.wait(into: completions, atLeast: count, timeout: timeout)
    while true {
      for index in 0..<taken {
        let completion = unsafe completions[index]
        waiter(completion.waiter).pointee.isPending = false
        pending -= 1
        resume(completion.waiter, completion)
      }
      guard unsafe taken == completions.count else { return }
      taken = unsafe try engine.wait(into: completions, atLeast: 0)
    }
  }

  private mutating func resume(_ number: UInt32, _ completion: Completion?) {
    let waiter = waiter(number)
    guard let continuation = unsafe waiter.pointee.continuation else {
      waiter.pointee.completion = completion
      return
    }
    unsafe waiter.pointee.continuation = nil
    if completion != nil { release(number) }
    unsafe continuation.resume(returning: completion)
  }

  /// The engine cannot go on: nobody waits for it any longer.
  private mutating func fail(_ error: EngineError) {
    failure = error
    isClosing = true
    try? engine.close()
    for number in 0..<UInt32(waitersUsed) where waiter(number).pointee.isPending {
      waiter(number).pointee.isPending = false
      pending -= 1
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
    for number in 0..<UInt32(waitersUsed) where waiter(number).pointee.isPending {
      engine.cancel(waiter(number).pointee.run, waiter: number)
    }
  }

  /// Closes the engine when nothing is pending any more. Tasks may come all the same, and are refused.
  mutating func endIfDone() -> Bool {
    guard isClosing, pending == 0 else { return false }
    try? engine.close()
    return true
  }
}
