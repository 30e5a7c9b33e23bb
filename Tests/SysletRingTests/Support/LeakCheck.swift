// Around every test: nothing that it opened, started or made is left behind.
//
// Descriptors, threads and engines are the process's, so two tests at once would be taken for each other's leaks. `scripts/test` lets the
// tests run one after the other and says so (SYSLETRING_SERIAL=1); without it the check is left out, but for what a test holds by itself:
// its scratch directories and its descriptors' owners.

import CTestSupport
import Foundation
import Synchronization
import Testing

@testable import SysletRing

/// What a test has made and not let go of. Tests of one process may run at the same time, each with its own.
final class Ledger: Sendable {
  @TaskLocal static var current: Ledger?
  private let count = Atomic<Int>(0)

  func add(_ change: Int) { count.wrappingAdd(change, ordering: .relaxed) }
  var held: Int { count.load(ordering: .relaxed) }
}

/// What the process holds that a test could leave behind.
struct Holdings {
  var descriptors: Set<String> = []
  var threads: Set<String> = []
  var engines = 0
  var rings = 0
  var workers = 0
  var syslets = 0
  /// Dispatch's: one for each clock, from its first timer on that is not due by the time that it is set. Neither the library nor a test has any.
  var timers = 0

  static func now() -> Holdings {
    var holdings = Holdings()
    (holdings.engines, holdings.rings, holdings.workers, holdings.syslets) = Census.current
    let text = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 17) { buffer, count in
      let length = unsafe buffer.withMemoryRebound(to: CChar.self) { unsafe test_list_resources($0.baseAddress!, Int32($0.count)) }
      precondition(length >= 0, "the process's descriptors and threads cannot be listed: \(length)")
      count = Int(length)
    }
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let line = String(decoding: line, as: UTF8.self)
      if line.hasSuffix("[timerfd]") {
        holdings.timers += 1
      } else if line.hasPrefix("fd ") {
        holdings.descriptors.insert(line)
      } else if [" syslet-worker", " syslet-executor", " test-helper"].contains(where: line.hasSuffix) {
        // The others are the runtime's: dispatch starts and ends workers as it likes, and the kernel's own (iou-wrk) stay with the thread that
        // had a ring.
        holdings.threads.insert(line)
      }
    }
    return holdings
  }

  /// What is here and was not there before, in words.
  func leaks(since before: Holdings) -> [String] {
    var leaks = descriptors.subtracting(before.descriptors).union(threads.subtracting(before.threads)).sorted()
    for (name, now, then) in [
      ("engines", engines, before.engines), ("rings", rings, before.rings), ("worker threads", workers, before.workers),
      ("prepared syslets", syslets, before.syslets),
    ] where now > then { leaks.append("\(now - then) \(name)") }
    return leaks
  }
}

struct LeakCheck: TestTrait, SuiteTrait, TestScoping {
  var isRecursive: Bool { true }

  /// Whether no other test of this process runs at the same time.
  static let isSerial = ProcessInfo.processInfo.environment["SYSLETRING_SERIAL"] == "1"

  /// Dispatch opens an epoll and an eventfd for its first timer too, and keeps them.
  static let runtimeIsWarm = Task {
    let sleeper = Task { try? await Task.sleep(for: .seconds(3600)) }
    let end = ContinuousClock.now + .seconds(5)
    while Holdings.now().timers == 0, ContinuousClock.now < end { await Task.yield() }
    sleeper.cancel()
  }

  func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
    if Self.isSerial { await Self.runtimeIsWarm.value }
    let ledger = Ledger()
    let before = Self.isSerial ? Holdings.now() : Holdings()
    try await Ledger.$current.withValue(ledger) { try await function() }
    for leak in Self.leaks(since: before, ledger) { Issue.record("left behind: \(leak)") }
  }

  /// What is still left behind when the kernel and the threads that are ending have had their time.
  static func leaks(
    since before: Holdings, _ ledger: Ledger, isSerial: Bool = LeakCheck.isSerial, deadline: Duration = .seconds(10)
  ) -> [String] {
    let end = ContinuousClock.now + deadline
    while true {
      var leaks = isSerial ? Holdings.now().leaks(since: before) : []
      if ledger.held > 0 { leaks.append("\(ledger.held) scratch directories or owners of descriptors") }
      if leaks.isEmpty || ContinuousClock.now >= end { return leaks }
      // Nobody tells when a descriptor or a thread is gone.
      usleep(500)
    }
  }
}

extension Trait where Self == LeakCheck {
  /// The test leaves no descriptor, thread, engine, ring or scratch directory behind.
  static var leavesNothingBehind: LeakCheck { LeakCheck() }
}
