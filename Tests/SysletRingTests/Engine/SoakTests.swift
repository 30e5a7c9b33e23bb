// Mixed work on all backends at once for as long as one likes, in a process of its own: what leaks, leaks here. `scripts/soak` runs it for
// ten minutes.

import CTestSupport
import Foundation
import Glibc
import Synchronization
import Testing

@testable import SysletRing

/// What the process holds at one moment.
private struct SoakSample {
  let second: Double
  let kibibytes: Int
  let descriptors: Int
  let threads: Int
  let pending: Int
  let syslets: Int
  let engines: Int

  static let heading = "      s  RSS KiB  descriptors  threads  pending       syslets  engines"

  var line: String {
    func column(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    let tenths = Int(second * 10)
    return column("\(tenths / 10).\(tenths % 10)", 7) + column("\(kibibytes)", 9) + column("\(descriptors)", 13)
      + column("\(threads)", 9) + column("\(pending)", 9) + column("\(syslets)", 14) + column("\(engines)", 9)
  }

  init(_ second: Double, _ counts: [SoakCounts]) {
    self.second = second
    kibibytes = ProcessCounts.residentKibibytes
    descriptors = ProcessCounts.descriptors
    threads = ProcessCounts.threads
    pending = counts.reduce(0) { $0 + $1.pending }
    syslets = counts.reduce(0) { $0 + $1.accepted.load(ordering: .relaxed) }
    engines = counts.reduce(0) { $0 + $1.engines.load(ordering: .relaxed) }
  }
}

@Suite("Soak")
struct SoakTests {
  /// `SYSLETRING_SOAK_SECONDS`.
  static let seconds = ProcessInfo.processInfo.environment["SYSLETRING_SOAK_SECONDS"].flatMap { Double($0) } ?? 2
  static let seed =
    ProcessInfo.processInfo.environment["SYSLETRING_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000_000)
  /// How many KiB of memory more the last quarter may have needed than the second one, at their highest. Engines of different sizes come and go
  /// on five threads, and the allocator keeps what it may need again: half a MiB up and down was seen. In ten minutes, some 8,000 engines
  /// and 20 million syslets, a leak of a KiB per engine or of a byte for every second syslet is more than this.
  static let growthMax = 4 << 10

  @Test("After a long time of mixed work memory is flat, nothing is left open, and each syslet has completed exactly once")
  func soak() async {
    print("soak: SYSLETRING_SEED=\(Self.seed), \(Self.seconds) s")
    let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
      [seconds = Self.seconds as Double, seed = Self.seed as UInt64] in
      ProcessSettings.apply()
      ProcessSettings.endIfStuck(after: UInt32(seconds) + 120)
      Soak.run(seconds: seconds, seed: seed)
      fflush(nil)
    }
    if let output = result?.standardOutputContent { print(String(decoding: output, as: UTF8.self), terminator: "") }
  }
}

private enum Soak {
  static func run(seconds: Double, seed: UInt64) {
    // What is made once and kept (the operation table, the self-test) is made now.
    let begin = ContinuousClock.now
    for backend in SysletEngine.Backend.available {
      SoakShift(backend, seed: seed, counts: SoakCounts()).work(until: .now + .milliseconds(1))
    }
    // Where an engine's life takes long (on an emulated processor 0.8 s), a quarter of the time is to warm up all the same.
    let seconds = max(seconds, min(60, 6 * ((ContinuousClock.now - begin) / .seconds(1))))
    print("soak: the first engines took \((ContinuousClock.now - begin) / .seconds(1)) s")
    let before = (descriptors: ProcessCounts.descriptors, threads: settledThreads(atMost: 0, within: .milliseconds(500)))

    let counts = SysletEngine.Backend.available.map { _ in SoakCounts() }
    let (start, end) = (ContinuousClock.now, ContinuousClock.now + .seconds(seconds))
    let group = DispatchGroup()
    for (index, backend) in SysletEngine.Backend.available.enumerated() {
      group.enter()
      Thread.detachNewThread {
        SoakShift(backend, seed: seed &+ UInt64(index), counts: counts[index]).work(until: end)
        group.leave()
      }
    }
    var samples: [SoakSample] = []
    print(SoakSample.heading)
    let period = seconds / 20
    for number in 1...20 {
      // Returns early when all shifts have given up.
      _ = group.wait(timeout: .now() + max(0, period * Double(number) - (ContinuousClock.now - start) / .seconds(1)))
      samples.append(SoakSample((ContinuousClock.now - start) / .seconds(1), counts))
      print(samples[samples.count - 1].line)
    }
    group.wait()
    check(samples, counts, before.descriptors, before.threads, seed)
  }

  private static func check(_ samples: [SoakSample], _ counts: [SoakCounts], _ descriptors: Int, _ threads: Int, _ seed: UInt64) {
    let comment = Comment(rawValue: "SYSLETRING_SEED=\(seed)")
    for problem in counts.flatMap({ $0.problems.withLock { $0 } }) { Issue.record("SYSLETRING_SEED=\(seed): \(problem)") }
    // The first quarter warms up.
    let growth = samples[15...].map(\.kibibytes).max()! - samples[5..<10].map(\.kibibytes).max()!
    print("memory: \(growth) KiB more in the last quarter than in the second one, at their highest; the bound is \(SoakTests.growthMax)")
    // A sanitizer keeps what is freed, to find those who use it.
    let isWatched = test_has_address_sanitizer() || test_has_thread_sanitizer()
    if isWatched { print("memory: not checked, for a sanitizer needs its own") } else { #expect(growth <= SoakTests.growthMax, comment) }

    let after = settledThreads(atMost: threads, within: .seconds(10))
    print("descriptors: \(descriptors) before, \(ProcessCounts.descriptors) after; threads: \(threads) before, \(after) after")
    #expect(ProcessCounts.descriptors == descriptors, comment)
    #expect(after <= threads, comment)

    for (backend, count) in zip(SysletEngine.Backend.available, counts) {
      let (accepted, completed) = (count.accepted.load(ordering: .relaxed), count.completed.load(ordering: .relaxed))
      let (dropped, cancelled) = (count.dropped.load(ordering: .relaxed), count.cancelled.load(ordering: .relaxed))
      let (engines, pendingMax) = (count.engines.load(ordering: .relaxed), count.pendingMax.load(ordering: .relaxed))
      print(
        """
        \(backend): \(engines) engines, \(accepted) syslets accepted, \(completed) completed, \
        \(dropped) dropped by close; \(cancelled) cancelled, up to \(pendingMax) pending at once
        """)
      #expect(accepted == completed + dropped, comment)
      #expect(completed > 0 && pendingMax > 0, comment)
    }
  }

  /// Waits until no more than `limit` threads are left, for those of closed engines are on their way out: how many there are.
  private static func settledThreads(atMost limit: Int, within time: Duration) -> Int {
    let end = ContinuousClock.now + time
    while ProcessCounts.threads > limit, ContinuousClock.now < end { usleep(1000) }
    return ProcessCounts.threads
  }
}

extension ProcessCounts {
  /// VmRSS of /proc/self/status.
  fileprivate static var residentKibibytes: Int {
    let arena = Arena()
    let (path, buffer) = (arena.path("/proc/self/status"), arena.buffer(8192))
    let file = plainCall(SystemCall.openat, .int(AT_FDCWD), path.address, .int(O_RDONLY | O_CLOEXEC), 0)
    precondition(file >= 0)
    defer { plainCall(SystemCall.close, .int(file)) }
    plainCall(SystemCall.read, .int(file), buffer.address, .int(buffer.count - 1))
    let line = buffer.text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
      preconditionFailure("/proc/self/status has no VmRSS")
    }
    return kibibytes
  }
}
