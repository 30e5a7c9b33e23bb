// The simulated kernel itself: it must do what docs/TRANSLATION.md says that the kernel does (LinkFactTests holds the kernel to the same
// sentences), or what is learned on it is worth nothing. And the engine on kernels that fail in ways which no shim can provoke.

import CLiburing
import Glibc
import Testing

@testable import SysletRing

@Suite("The simulated kernel", .leavesNothingBehind)
struct SimulatedKernelTests {
  /// Results by user data of SQEs that are given to a kernel, one submission after the other. A call's result is in its `addr`.
  static func results(
    _ submissions: [[syslet_sqe]], links: LinkModel = .modern, change: (inout SimulatedKernel.Settings) -> Void = { _ in }
  ) -> [Int32] {
    var settings = SimulatedKernel.Settings(seed: 1)
    settings.links = links
    change(&settings)
    let kernel = SimulatedKernel(settings) { Int(Int64(bitPattern: $0.sqe.addr)) }
    let ring = kernel.ring!
    defer { ring.close() }
    var count = 0
    for submission in submissions {
      var sqes = submission
      for position in sqes.indices {
        sqes[position].user_data = UInt64(count)
        count += 1
      }
      let isIssued = unsafe ring.issue(sqes, sqes.count)
      precondition(isIssued)
      _ = ring.enter(waitFor: 0, nanoseconds: nil)
    }
    var results = [Int32](repeating: 1, count: count)
    var cqes = [syslet_cqe](repeating: syslet_cqe(), count: 64)
    var left = count
    while left > 0, ring.enter(waitFor: 1, nanoseconds: nil) >= 0 {
      let reaped = unsafe ring.reap(into: &cqes, 64)
      for cqe in cqes.prefix(reaped) { results[Int(cqe.user_data)] = cqe.res }
      left -= reaped
    }
    return results
  }

  static func sqe(_ opcode: Int, gives result: Int, length: Int = 0, flags: Int = 0) -> syslet_sqe {
    var sqe = syslet_sqe()
    sqe.opcode = UInt8(opcode)
    sqe.addr = UInt64(bitPattern: Int64(result))
    sqe.len = UInt32(length)
    sqe.flags = UInt8(flags)
    return sqe
  }

  static let (soft, hard) = (Int(SYSLET_SQE_LINK), Int(SYSLET_SQE_HARDLINK))
  static let nop = sqe(SYSLET_OP_NOP, gives: 0)

  @Test("A soft link severs on negative, zero and short of a transfer, and not on complete")
  func transfer() {
    for (result, after) in [(-EIO, -ECANCELED), (0, -ECANCELED), (4, -ECANCELED), (8, 0)] {
      #expect(Self.results([[Self.sqe(SYSLET_OP_READ, gives: Int(result), length: 8, flags: Self.soft), Self.nop]]) == [result, after])
    }
    #expect(Self.results([[Self.sqe(SYSLET_OP_READ, gives: 0, flags: Self.soft), Self.nop]]) == [0, 0])
  }

  @Test("After a failing fsync the soft-linked call runs on Linux 6.x, and not before 6.0")
  func sync() {
    let chain = [Self.sqe(SYSLET_OP_FSYNC, gives: -Int(EIO), flags: Self.soft), Self.nop]
    #expect(Self.results([chain], links: .modern) == [-EIO, 0])
    #expect(Self.results([chain], links: .old) == [-EIO, -ECANCELED])
  }

  @Test("A hard link severs on nothing, and does not stop a cancellation from further up")
  func hardLinks() {
    #expect(Self.results([[Self.sqe(SYSLET_OP_READ, gives: -Int(EIO), length: 8, flags: Self.hard), Self.nop]]) == [-EIO, 0])
    var middle = Self.nop
    middle.flags = UInt8(Self.hard)
    #expect(
      Self.results([[Self.sqe(SYSLET_OP_READ, gives: -Int(EIO), length: 8, flags: Self.soft), middle, Self.nop]])
        == [-EIO, -ECANCELED, -ECANCELED])
  }

  @Test("A link flag on the last SQE of a submission does nothing for the next submission")
  func splitChain() {
    #expect(Self.results([[Self.sqe(SYSLET_OP_READ, gives: -Int(EIO), length: 8, flags: Self.soft)], [Self.nop]]) == [-EIO, 0])
  }

  @Test("An SQE that is refused when it is prepared cancels its whole chain, the head included")
  func refusedInPreparation() {
    var head = Self.nop
    head.flags = UInt8(Self.hard)
    let results = Self.results([[head, Self.sqe(SYSLET_OP_READ, gives: 8, length: 8, flags: Self.hard), Self.nop]]) { $0.refusals = 100 }
    #expect(results[0] == -ECANCELED && results[2] == -ECANCELED)
    #expect(results[1] == -EINVAL)
  }

  @Test("CQEs that find the queue full come later, and none is lost")
  func overflow() {
    let chain = (0..<16).map { Self.sqe(SYSLET_OP_READ, gives: $0 + 1, length: 99) }
    #expect(Self.results([chain]) { ($0.entries, $0.completionEntries) = (16, 4) } == (1...16).map { Int32($0) })
  }

  @Test("The same seed gives the same order, another one another")
  func seeds() throws {
    func order(_ seed: UInt64) -> [Int] {
      var order: [Int] = []
      let kernel = SimulatedKernel(SimulatedKernel.Settings(seed: seed)) {
        order.append(Int($0.sqe.user_data))
        return 0
      }
      defer { kernel.ring.close() }
      for position in 0..<12 {
        var sqe = Self.sqe(SYSLET_OP_FSYNC, gives: 0)
        sqe.user_data = UInt64(position)
        precondition(unsafe kernel.ring.issue(&sqe, 1))
      }
      _ = kernel.ring.enter(waitFor: 12, nanoseconds: nil)
      return order
    }
    #expect(order(3).count == 12)
    #expect(order(3) == order(3))
    #expect(Set((1...8).map { order($0) }).count > 1)
  }

  @Test("A wait for what cannot come is noticed, and breaks the engine instead of hanging")
  func stuck() throws {
    let kernel = SimulatedKernel(SimulatedKernel.Settings(seed: 1)) { _ in nil }
    var options = SysletEngine.Options()
    options.backend = .ring
    let engine = try SysletEngine(options, on: kernel.ring, believing: LinkModel.modern.findings)
    let program = Program(.direct)
    program.atom(SystemCall.fsync, .value(SimulatedWorld.descriptorNowhere()))
    try engine.enqueue(program)
    #expect(try engine.take(timeout: nil).map(\.reason) == [.cancelled])
    #expect(throws: EngineError.kernel(call: "io_uring_enter", errno: EDEADLK)) { try engine.flush() }
    #expect(kernel.isStuck)
    try engine.close()
  }

  @Test("A call that ran past a stop breaks the engine, whatever it came to", arguments: [0, -Int(EFAULT), -Int(EIO), -Int(EINVAL)])
  func overrun(result: Int) throws {
    var settings = SimulatedKernel.Settings(seed: 1)
    // There a failed fsync severs nothing.
    settings.links = .modern
    let kernel = SimulatedKernel(settings) { $0.sqe.opcode == UInt8(SYSLET_OP_FSYNC) ? -Int(EIO) : result }
    var options = SysletEngine.Options()
    options.backend = .ring
    let engine = try SysletEngine(options, on: kernel.ring, believing: LinkModel.strict.findings)
    let world = SimulatedWorld()
    let program = Program(.direct)
    program.atom(SystemCall.fsync, .value(world.descriptor(.file)), flags: .stopOnNegative)
    program.atom(SystemCall.pread64, .value(world.descriptor(.file)), .to(program.buffer(8)), 8, 0)
    try engine.enqueue(program)
    let taken = try? engine.take(timeout: nil)
    #expect(taken == nil || taken?.map(\.executed) == [1])
    #expect(throws: EngineError.stopOverrun(operation: "pread64", result: result)) { try engine.flush() }
    try engine.close()
  }

  // A ring that dies takes what it has with it. What the engine may promise is that each syslet is told or counted, and that nobody waits.
  @Test(
    "Whichever enter a ring dies at, no wait hangs, and each syslet has one completion or is still pending",
    arguments: [EOWNERDEAD, EBADF, EBADR, ENXIO])
  func dyingRing(errno: Int32) throws {
    for death in 0..<24 {
      var settings = SimulatedKernel.Settings(seed: UInt64(death))
      settings.deathAfter = death
      settings.deathErrno = errno
      let world = SimulatedWorld()
      let kernel = SimulatedKernel(settings, perform: SimulatedWorld.perform)
      var options = SysletEngine.Options()
      options.backend = .ring
      let engine = try SysletEngine(options, on: kernel.ring, believing: LinkModel.modern.findings)
      let programs = (0..<12).map { _ in
        let program = Program(.direct)
        let buffer = program.buffer(8)
        for _ in 0..<3 { program.atom(SystemCall.pread64, .value(world.descriptor(.file)), .to(buffer), 8, 0, flags: .stopOnNegative) }
        return program
      }
      var told: [UInt64] = []
      var isBroken = false
      do {
        for program in programs {
          try engine.enqueue(program)
          try engine.flush()
        }
        while engine.pending > 0 { told += try engine.take(timeout: nil).map(\.atom) }
      } catch EngineError.kernel(_, errno) {
        isBroken = true
        while case let taken = (try? engine.take(timeout: .zero)) ?? [], !taken.isEmpty { told += taken.map(\.atom) }
      }
      let owners = told.map { atom in programs.firstIndex { $0.index(atom) != nil } ?? -1 }
      #expect(Set(owners).count == owners.count && !owners.contains(-1), "L5: \(owners), death \(death)")
      let accepted = engine.statistics.accepted
      #expect(told.count + engine.pending == accepted, "death \(death): told \(told.count), pending \(engine.pending) of \(accepted)")
      #expect(isBroken || told.count == programs.count)
      try engine.close()
    }
  }
}
