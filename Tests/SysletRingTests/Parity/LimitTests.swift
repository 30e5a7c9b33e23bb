// What happens at the edges of what the machine allows: the error names the call that failed and the cure, and what can go on does.

import CTestSupport
import Foundation
import Glibc
import Synchronization
import SysletRing
import Testing

@Suite("At the limits")
struct LimitTests {
  /// What an engine of `backend` is refused with; nil if it is made.
  private static func refusal(
    _ backend: SysletEngine.Backend, _ adjust: (inout SysletEngine.Options) -> Void = { _ in }
  ) -> EngineError? {
    do {
      try BadInputTests.engine(backend, adjust).close()
      return nil
    } catch { return error as? EngineError }
  }

  private static func option(_ error: EngineError?) -> String? {
    guard case .invalidOption(let name, _, let rule)? = error else { return nil }
    return rule.isEmpty ? nil : name
  }

  // MARK: options

  @Test("Options that contradict one another, and times below zero, are refused by name", arguments: SysletEngine.Backend.available)
  func options(backend: SysletEngine.Backend) throws {
    #expect(Self.option(Self.refusal(backend) { $0.inlineLimit = .nanoseconds(-1) }) == "inlineLimit")
    #expect(Self.refusal(backend) { $0.inlineLimit = .zero } == nil)
    #expect(Self.option(Self.refusal(backend) { $0.completionEntries = 1 }) == "completionEntries")
    #expect(Self.option(Self.refusal(backend) { ($0.entries, $0.completionEntries) = (512, 511) }) == "completionEntries")
    #expect(Self.option(Self.refusal(backend) { ($0.entries, $0.completionEntries) = (8192, 4096) }) == "completionEntries")
    // Left alone it grows with the entries.
    #expect(Self.refusal(backend) { $0.entries = 8192 } == nil)
    #expect(Self.refusal(backend) { ($0.entries, $0.completionEntries) = (1, 1) } == nil)
    var options = SysletEngine.Options()
    #expect(options.completionEntries == 4096)
    options.entries = 8192
    #expect(options.completionEntries == 8192)

    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.getppid)
    try engine.enqueue(program)
    #expect(throws: EngineError.self) { try engine.wait(atLeast: 1, timeout: .nanoseconds(-1)) }
    do {
      _ = try engine.take(timeout: .seconds(-1))
      Issue.record("a negative timeout was accepted")
    } catch { #expect(Self.option(error as? EngineError) == "timeout") }
    #expect(try engine.take().count == 1)
  }

  // MARK: memory

  @Test("An engine for more syslets than there is memory for is refused, with the option's name", arguments: SysletEngine.Backend.available)
  func addressSpace(backend: SysletEngine.Backend) async {
    if test_has_address_sanitizer() || test_has_thread_sanitizer() { return }  // Their shadows are terabytes.
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let backend = SysletEngine.Backend(rawValue: backend)!
      // What goes once per process first.
      try BadInputTests.engine(backend).closeHere()
      #expect(test_set_limit(TEST_LIMIT_ADDRESS_SPACE, 1_000_000 * 1024) == 0)
      for count in [1 << 24, 1 << 23, 1 << 22] {
        guard let error = Self.refusal(backend, { $0.maxPending = count }) else { continue }
        guard case .kernel(let call, ENOMEM) = error else {
          Issue.record("\(error)")
          continue
        }
        #expect(call.hasPrefix("mmap of ") && call.hasSuffix("for Options.maxPending"))
        #expect(error.description.contains("ulimit -v"))
      }
      #expect(Self.refusal(backend) { $0.maxPending = 1 << 24 } != nil)
      // It was refused and has left nothing: another one is made.
      #expect(Self.refusal(backend) == nil)
      do {
        _ = try SysletExecutorTests.executor(backend) { $0.maxPending = 1 << 24 }
        Issue.record("an executor was made")
      } catch { #expect("\(error)".contains("maxPending")) }
    }
  }

  @Test("With little memory that may be locked, ring uses smaller queues, and where there is none it says so")
  func lockedMemory() async {
    guard getuid() == 0, SysletEngine.Backend.available.contains(.ring) else { return }
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let scene = Raising.Scene()
      #expect(test_set_limit(TEST_LIMIT_LOCKED_MEMORY, 65_536) == 0)
      // Nobody else's rings count, if nobody else has this number.
      #expect(test_become_nobody(1_000_000 + UInt32(getpid())) == 0)
      let engine = try BadInputTests.engine(.ring)
      for way in CallWay.allCases {
        #expect(try way.result(of: SystemCall.pread64, [.int(scene.file), scene.content.address, 5, 0], on: engine) == 5)
      }
      #expect(engine.statistics.sqes > 0)
      try engine.closeHere()
      #expect(test_set_limit(TEST_LIMIT_LOCKED_MEMORY, 0) == 0)
      let end = test_milliseconds() + 10_000
      var error: EngineError?
      // Kernels from 5.12 on, until they began again, count nothing: then there is nothing to be seen.
      repeat { error = Self.refusal(.ring) } while error == nil && test_milliseconds() < end && ReferenceKernel.isHere
      guard let error else { return }
      #expect(error == .ringUnavailable(call: "io_uring_setup", errno: ENOMEM))
      #expect(error.description.contains("ulimit -l") && error.description.contains("6.18"))
    }
  }

  @Test("Without a descriptor left, the error names the call that needed one, and `ulimit -n`")
  func descriptors() async {
    guard SysletEngine.Backend.available.contains(.ring) else { return }
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      var calls: Set<String> = []
      for free in UInt(0)...60 {
        #expect(test_set_limit(TEST_LIMIT_DESCRIPTORS, UInt(3) + free) == 0)
        guard case .ringUnavailable(let call, let errno)? = Self.refusal(.ring) else { continue }
        #expect(errno == EMFILE)
        #expect(EngineError.ringUnavailable(call: call, errno: errno).description.contains("ulimit -n"))
        calls.insert(call)
      }
      let names = Set(calls.map { $0.split(separator: ",")[0] })
      #expect(names.isSuperset(of: ["memfd_create", "pipe2", "eventfd2", "socketpair", "io_uring_setup"]), "\(calls)")
    }
  }

  // MARK: threads

  @Test(
    "A user who may start no thread has an engine: calls that wait for nobody are made, and those that wait are refused with the cure",
    arguments: SysletEngine.Backend.available)
  func processes(backend: SysletEngine.Backend) async {
    guard getuid() == 0 else { return }
    if ReferenceKernel.version < (5, 15), backend == .ring || backend == .automatic {
      return reportSkipped(
        "No threads, \(backend)", "this kernel tries for ever to start a thread for its ring (until Linux 6.11 limited it)")
    }
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let backend = SysletEngine.Backend(rawValue: backend)!
      let scene = Raising.Scene()
      let pipe = scene.stage.descriptors.pipe()
      #expect(test_become_nobody(1_000_000 + UInt32(getpid())) == 0)
      #expect(test_set_limit(TEST_LIMIT_PROCESSES, 1) == 0)
      let engine = try BadInputTests.engine(backend)
      let hasFallenBack = backend == .automatic && !SysletEngine.Backend.available.contains(.ring)
      #expect(engine.backend == (hasFallenBack ? .threads : backend))
      for way in CallWay.allCases {
        #expect(try way.result(of: SystemCall.pread64, [.int(scene.file), scene.content.address, 5, 0], on: engine) == 5)
        let synced = try way.result(of: SystemCall.fsync, [.int(scene.file)], on: engine)
        #expect(synced == 0, "\(way): \(synced ?? -1)")
        let opened = try way.result(of: SystemCall.openat, [.int(AT_FDCWD), scene.stage.text("/").address, .int(O_RDONLY), 0], on: engine)
        #expect(opened ?? -1 >= 0, "\(way): \(opened ?? -1)")
      }
      // The leak sanitizer looks from a thread of its own.
      defer { _ = test_set_limit(TEST_LIMIT_PROCESSES, .max) }
      guard backend != .inline else { return try engine.closeHere() }
      // It waits, and only a worker can make it.
      let program = Program(.direct)
      program.atom(SystemCall.vmsplice, .int(pipe.read), .value(scene.vector(5)), 1, 0)
      let other = Program(.direct)
      let word = other.word()
      other.atom(SystemCall.pread64, .int(scene.file), .to(scene.content), 5, 0, result: word)
      try engine.enqueue(program)
      try engine.enqueue(other)
      var taken: [Taken] = []
      var errors: [EngineError] = []
      let end = test_milliseconds() + 10_000
      while taken.isEmpty || errors.isEmpty, test_milliseconds() < end {
        do { taken += try engine.take() } catch { errors.append(error as! EngineError) }
      }
      // The one keeps no other waiting.
      #expect(taken.count == 1 && word.value == 5, "\(taken), \(errors)")
      #expect(errors.first == .kernel(call: "pthread_create", errno: EAGAIN))
      #expect(errors.first?.description.contains("ulimit -u") == true)
      try engine.closeHere()
    }
  }

  // MARK: the fallback

  @Test("That automatic falls back to threads is told once on stderr, with the reason, or to the program's hook for each engine")
  func fallback() async {
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
      ProcessSettings.endIfStuck()
      #expect(test_deny(test_setup_number(), EPERM) == 0)
      let told = Told()
      for _ in 0..<3 {
        try BadInputTests.engine(.automatic) { $0.onFallback = { told.append($0) } }.closeHere()
      }
      #expect(told.errors == [EngineError](repeating: .ringUnavailable(call: "io_uring_setup", errno: EPERM), count: 3))
      for _ in 0..<3 { try BadInputTests.engine(.automatic).closeHere() }
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.components(separatedBy: "SysletRing: io_uring cannot be used, running on threads: ").count == 2, "\(text)")
    #expect(text.contains("EPERM") && text.contains("io_uring_disabled"))
  }

  @Test("A stderr that nobody reads does not end the process that is told of a fallback")
  func fallbackUnread() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      test_use_default_action(SIGPIPE)
      let scene = Raising.Scene()
      #expect(dup2(scene.pipe, STDERR_FILENO) == STDERR_FILENO)
      #expect(test_deny(test_setup_number(), EPERM) == 0)
      try BadInputTests.engine(.automatic).closeHere()
      // What is in the way of the test's own words is not to be tested.
      ProcessSettings.endPastLeakSanitizer()
    }
  }
}

/// What a hook was told. Any thread.
private final class Told: Sendable {
  private let all = Mutex<[EngineError]>([])
  func append(_ error: EngineError) { all.withLock { $0.append(error) } }
  var errors: [EngineError] { all.withLock { $0 } }
}
