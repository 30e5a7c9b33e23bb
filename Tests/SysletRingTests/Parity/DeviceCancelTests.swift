// What a device or a server has cannot be taken back: cancelling and closing then wait, and do not spin (input 18 of the parity review).
// The device is a file server that keeps reads, or a block device on such a file.

import CTestSupport
import Foundation
import Glibc
import SysletRing
import Testing

@Suite("Parity: cancelling what a device has", .leavesNothingBehind)
struct DeviceCancelTests {
  enum Device: String, CaseIterable, Sendable { case file, block }

  /// The time that the calling thread has computed, in milliseconds.
  private static func computed() -> Int {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  /// A read that the device keeps, behind a no-op and before a write.
  final class Scene {
    let stage = Stage()
    let program = Program(.direct)
    let behind: Int32
    let server: FileServer
    let descriptor: Int32

    /// nil where this machine has no such device.
    init?(_ device: Device, _ server: FileServer, isChain: Bool) {
      self.server = server
      behind = stage.descriptors.file([])
      server.add("file", 8192)
      let file = stage.descriptors.adopt(server.open("file", O_RDONLY))
      if device == .block {
        let block = test_loop_device(file, O_RDONLY | OpenFlag.direct)
        if block < 0 { return nil }
        descriptor = stage.descriptors.adopt(block)
      } else {
        descriptor = file
      }
      server.hold(.read, true)
      if isChain { program.atom(noOperation) }
      program.atom(SystemCall.pread64, .int(descriptor), .to(stage.page("b")), 4096, 0, next: isChain ? .following : .end)
      if isChain { program.atom(SystemCall.pwrite64, .int(behind), .to(program.path("x")), 1, 0, next: .end) }
    }

    /// Hands the read over, and waits until the device has it.
    func begin(_ backend: SysletEngine.Backend) throws -> SysletEngine {
      // The owner's thread is not to be held by it.
      let engine = try Parity.engine(backend) { $0.inlineLimit = .zero }
      try engine.enqueue(program)
      try engine.flush()
      let end = ContinuousClock.now + Deadline.usual
      while server.held == 0, ContinuousClock.now < end { _ = try engine.take(timeout: .milliseconds(1)) }
      return engine
    }

    var hasRunOn: Bool {
      var facts = stat()
      return unsafe fstat(behind, &facts) != 0 || facts.st_size != 0
    }
  }

  private static func run(
    _ title: String, _ device: Device, _ body: @escaping @Sendable (FileServer, Bool) throws -> [String]?
  ) {
    for isChain in [false, true] {
      FileServerParityTests.withServer("\(title), \(isChain ? "in a chain" : "alone")") { server in
        // Not for ever, whatever the engine does.
        let guardian = Release(server, .read)
        defer { guardian.finish() }
        guard let failures = try body(server, isChain) else {
          reportSkipped(title, "no loop device can be had here")
          return []
        }
        return failures
      }
    }
  }

  @Test(
    "A read that the device keeps is cancelled when the device answers, and asked for seldom meanwhile",
    arguments: LifeRegressionTests.asynchronous, Device.allCases)
  func cancel(backend: SysletEngine.Backend, device: Device) {
    Self.run("cancelling a kept read of a \(device)", device) { server, isChain in
      guard let scene = Scene(device, server, isChain: isChain) else { return nil }
      let engine = try scene.begin(backend)
      defer { try? engine.close() }
      var failures: [String] = server.held == 0 ? ["the device did not get it"] : []
      let (enters, computed) = (engine.statistics.enters, Self.computed())
      try engine.cancel(scene.program)
      let early = try engine.take(timeout: .milliseconds(500))
      let (spent, time) = (engine.statistics.enters - enters, Self.computed() - computed)
      if spent > 60 { failures.append("\(spent) enters in half a second") }
      if time > 150 { failures.append("\(time) ms of computing in half a second") }
      server.hold(.read, false)
      let taken = try early + (early.isEmpty ? engine.take() : [])
      // It was made, so it may be told as the end that it is, but for what stands behind it.
      let mayRunOn = Self.mayRunOn(backend, device)
      if taken.count != 1 || isChain && taken[0].reason != .cancelled && !mayRunOn { failures.append("\(taken)") }
      if scene.hasRunOn, !mayRunOn { failures.append("what stands behind it was run") }
      return failures
    }
  }

  @Test(
    "An engine is closed when the device answers what it keeps, and does not spin meanwhile",
    arguments: LifeRegressionTests.asynchronous, Device.allCases)
  func close(backend: SysletEngine.Backend, device: Device) {
    Self.run("closing with a kept read of a \(device)", device) { server, isChain in
      guard let scene = Scene(device, server, isChain: isChain) else { return nil }
      let engine = try scene.begin(backend)
      var failures: [String] = server.held == 0 ? ["the device did not get it"] : []
      let (enters, computed) = (engine.statistics.enters, Self.computed())
      let release = Release(server, .read, after: .milliseconds(500))
      try engine.close()
      release.finish()
      let (spent, time) = (engine.statistics.enters - enters, Self.computed() - computed)
      if spent > 60 { failures.append("\(spent) enters in half a second") }
      if time > 150 { failures.append("\(time) ms of computing in half a second") }
      if scene.hasRunOn, !Self.mayRunOn(backend, device) { failures.append("what stands behind it was run") }
      return failures
    }
  }

  /// On the ring, calls on which nothing stops and that wait for nobody are with the kernel as one (docs/SEMANTICS.md, "Loops"): a disk's, too, however
  /// slow it is.
  private static func mayRunOn(_ backend: SysletEngine.Backend, _ device: Device) -> Bool { backend == .ring && device == .block }
}
