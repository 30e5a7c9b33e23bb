// How a thread that is not the owner's executes runs, and how the owner interrupts it.

internal import CLiburing
internal import Glibc
internal import Synchronization

struct RunExecution: Sendable {
  let memory: AtomMemory
  let router: Router
  let stepsMax: Int?

  /// Executes atoms of `run` until it ends or comes to one that belongs to the owner; leaves the verdict in the run, and the time it took.
  ///
  /// - Parameter call: Memory for one call, the thread's own.
  /// - Parameter mayMake: Whether the next call, which may wait for another party or not, is to be made here; otherwise the run goes back to the owner.
  func execute(_ run: Reference<Run>, _ call: Reference<Call>, on thread: Int32, mayMake: (_ mayWait: Bool) -> Bool) {
    let begin = run.pointee.onWorker.row == Run.untimed ? 0 : syslet_now()
    defer { if begin != 0 { run.pointee.onWorker.nanoseconds = syslet_now() - begin } }
    var isFirst = true
    // What has been opened here last, by name: no socket.
    var opened: Int32 = -1
    while true {
      if run.pointee.isCancelled.load(ordering: .relaxed) {
        // The open that waits is not made.
        if run.pointee.reached.heldDescriptor >= 0 { run.pointee.letGo() }
        run.pointee.onWorker.verdict = .finish(.cancelled)
        return
      }
      if let stepsMax, run.pointee.executed >= stepsMax {
        run.pointee.onWorker.verdict = .finish(.stepLimit)
        return
      }
      if let fault = memory.fetch(run, into: call) {
        run.pointee.onWorker.verdict = fault
        return
      }
      // The first call is the thread's whatever it is, unless it is about the thread that makes it: the owner has decided that.
      let isOwners = call.pointee.threadNeed == .inPlace || !isFirst && !router.staysOnWorker(call)
      let isOpened = opened >= 0 && call.pointee.form.encoding == .close && call.pointee.arguments.descriptor(0) == opened
      guard !isOwners, mayMake(isOpened ? call.pointee.mayWait : DescriptorFacts.mayWait(call)) else {
        if isFirst { run.pointee.onWorker.row = Run.untimed }
        run.pointee.onWorker.verdict = .route
        return
      }
      isFirst = false
      run.pointee.reached.isThere = false
      let made = make(call, run, thread)
      if run.pointee.reached.heldDescriptor >= 0 { run.pointee.letGo() }
      guard let result = made else {
        run.pointee.onWorker.verdict = .finish(.cancelled)
        return
      }
      run.pointee.onWorker.calls += 1
      if call.pointee.form.nature.isSuperset(of: [.names, .descriptors]) { opened = Int32(truncatingIfNeeded: max(-1, result)) }
      let tested = memory.store(result, call.pointee.result)
      let verdict = run.pointee.advance(call.pointee.atom, call.pointee.flags, call.pointee.next, result: tested)
      if verdict != .route {
        run.pointee.onWorker.verdict = verdict
        return
      }
    }
  }

  /// Makes one call so that the owner can interrupt it; nil if it was cancelled before it had an effect.
  private func make(_ call: Reference<Call>, _ run: Reference<Run>, _ tid: Int32) -> Int? {
    run.pointee.onWorker.thread.store(tid, ordering: .sequentiallyConsistent)
    // Either this load sees the cancellation, or the canceller's load sees the thread.
    let isCancelled = run.pointee.isCancelled.load(ordering: .sequentiallyConsistent)
    let result = isCancelled ? 0 : Interpreter.make(call, isChecked: memory.isChecked)
    var state = tid
    while true {
      let (exchanged, original) = run.pointee.onWorker.thread.compareExchange(
        expected: state, desired: 0, ordering: .sequentiallyConsistent)
      if exchanged { break }
      // While the owner is signalling, wait: the signal must be sent before this thread works for another run.
      state = original & Self.isSignalling != 0 ? tid | Self.wasSignalled : original
    }
    // A signal that is sent may still be on its way.
    if state != tid { syslet_thread_settle() }
    if isCancelled { return nil }
    let isStopped = run.pointee.isCancelled.load(ordering: .relaxed)
    switch result {
    case Int(SYSLET_CALL_LEFT): return isStopped ? nil : -Int(EINTR)
    // Of a pseudo call it is a sum.
    case -Int(EINTR) where isStopped && !call.pointee.traits.contains(.pseudo) && call.pointee.form.encoding.isUndoneByInterruption:
      return nil
    default: return result
    }
  }

  /// Interrupts the call that a thread is making for `run`, if one is. The call then returns SYSLET_CALL_LEFT or -EINTR.
  ///
  /// A signal may come just before the call blocks and be lost, so the owner repeats this while the run stays away.
  static func interrupt(_ run: Reference<Run>) {
    let state = run.pointee.onWorker.thread.load(ordering: .sequentiallyConsistent)
    let tid = state & tidMask
    guard tid != 0 else { return }
    // The thread does not leave this run while the mark is set, so the signal cannot hit another run's call.
    guard
      run.pointee.onWorker.thread.compareExchange(expected: state, desired: tid | isSignalling, ordering: .sequentiallyConsistent).exchanged
    else { return }
    _ = syslet_thread_interrupt(tid)
    run.pointee.onWorker.thread.store(tid | wasSignalled, ordering: .sequentiallyConsistent)
  }

  /// A thread id is at most 2^22 (PID_MAX_LIMIT), so the bits above it can tell how far an interruption has come.
  private static let tidMask: Int32 = (1 << 23) - 1
  private static let isSignalling: Int32 = 1 << 24
  private static let wasSignalled: Int32 = 1 << 25
}
