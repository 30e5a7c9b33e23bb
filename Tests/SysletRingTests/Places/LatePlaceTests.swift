// Another place than the workers for what is made on threads, to show what one takes: this file, and nothing elsewhere.
//
// Unsafe fence: a starting thread is given its run as one retained object, which it takes over.

import CLiburing
import Glibc
import Synchronization
import Testing

@testable import SysletRing

/// Has a thread for each run, which makes every call twice as late: it waits for as long again as the call took, a second at the most.
private final class LatePlace: ThreadPlace, @unchecked Sendable {
  private let terms: ThreadPlaceTerms
  /// The owner's: runs for which no thread could be started.
  private var waiting = RunQueue()

  init(_ terms: ThreadPlaceTerms) { self.terms = terms }

  func submit(_ runs: inout RunQueue, isAlone: Bool) -> Int {
    while let run = runs.popFirst(in: terms.runs) { waiting.append(run, in: terms.runs) }
    for _ in 0..<waiting.count {
      let run = waiting.popFirst(in: terms.runs)!
      let errno = start(run)
      if errno != 0 {
        waiting.append(run, in: terms.runs)
        return errno
      }
    }
    return 0
  }

  func withdraw(_ returned: inout RunQueue, where isDue: (Reference<Run>) -> Bool) {
    for _ in 0..<waiting.count {
      let run = waiting.popFirst(in: terms.runs)!
      if isDue(run) { returned.append(run, in: terms.runs) } else { waiting.append(run, in: terms.runs) }
    }
  }

  func interrupt(_ run: Reference<Run>) { RunExecution.interrupt(run) }

  /// Each thread ends with its run.
  func stop() {}

  private final class Task {
    let terms: ThreadPlaceTerms
    let run: Reference<Run>

    init(_ terms: ThreadPlaceTerms, _ run: Reference<Run>) {
      self.terms = terms
      self.run = run
    }
  }

  private func start(_ run: Reference<Run>) -> Int {
    let context = unsafe Unmanaged.passRetained(Task(terms, run))
    let result = unsafe syslet_thread_start(
      SYSLET_THREAD_WORKER, terms.interruptSignal,
      { context in
        unsafe LatePlace.execute(Unmanaged<Task>.fromOpaque(context!).takeRetainedValue())
        return nil
      }, unsafe context.toOpaque())
    if result != 0 { unsafe context.release() }
    return Int(result)
  }

  private static func execute(_ task: Task) {
    let thread = unsafe syslet_thread_begin("late-place")
    Census.countWorker(1)
    defer { Census.countWorker(-1) }
    let scratch = CallScratch()
    var begin = Int64(0)
    func lag() {
      guard begin != 0 else { return }
      usleep(UInt32(clamping: min(syslet_now() - begin, 1_000_000) / 1000))
    }
    task.terms.execution.execute(task.run, scratch.call, on: thread) { _ in
      lag()
      begin = syslet_now()
      lateCalls.add(1, ordering: .relaxed)
      return true
    }
    lag()
    task.terms.mail.deliver(task.run)
  }
}

/// Calls that a late place was to make.
private let lateCalls = Atomic(0)

@Suite("Another place", .leavesNothingBehind)
struct LatePlaceTests {
  @Test(
    "Each case of the table holds where threads make every call twice as late, in every form and delivery",
    arguments: [SysletEngine.Backend.threads, .automatic])
  func holds(backend: SysletEngine.Backend) {
    let before = lateCalls.load(ordering: .relaxed)
    for testCase in ConformanceCase.all {
      for failure in testCase.failures(on: backend, making: { try SysletEngine($0) { LatePlace($0) } }) { Issue.record("\(failure)") }
    }
    // Otherwise nothing of it was shown. `automatic` hands little over.
    let late = lateCalls.load(ordering: .relaxed) - before
    #expect(late > (backend == .threads ? ConformanceCase.all.count * 10 : 0), "\(late) calls were late")
  }
}
