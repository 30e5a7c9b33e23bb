// What links do behind each call of OperationFixtures on the kernel at hand: seen once per process, and compared by CalibrationTests and
// LinkFactTests with what the engine believes.

import CLiburing
import CTestSupport
import Glibc
import Synchronization

@testable import SysletRing

enum Calibration {
  /// What became of `nop —hard→ call —link→ nop`.
  struct Observation: Sendable, CustomStringConvertible {
    enum LinkKind: String, Sendable { case soft, hard }

    let row: String
    let scenario: String
    let link: LinkKind
    /// The SQE is the one that the engine would submit; otherwise the encoder's alone, which the engine changes or does not use for this
    /// descriptor.
    let isEngines: Bool
    let form: OperationForm
    let arguments: Arguments
    let sqe: syslet_sqe
    /// Results of the nop before the call, the call (as the ring gives it) and the nop behind it; nil: no answer by the deadline.
    let before: Int?
    let raw: Int?
    let after: Int?
    /// The result as the system call's.
    let result: Int
    /// What it asked for, in the unit of its result; nil where a result is no part of anything.
    let asked: UInt64?
    /// The classes on which the engine counts for a link to sever.
    let believed: ResultClasses

    /// What a stop condition sees of the result.
    var kind: ResultClasses {
      if result <= 0 { return result < 0 ? .negative : .zero }
      if let asked, UInt64(result) < asked { return .short }
      return .complete
    }
    var hasSevered: Bool { after == -Int(ECANCELED) }
    /// The call came to its operation. A chain that is refused while it is prepared is cancelled from its head on, and a descriptor that is
    /// none ends a call before its operation: both sever on every kernel and say nothing about the operation.
    var isInside: Bool { before == 0 && (raw != -Int(EBADF) || form.encoding == .close || form.encoding == .poll) }
    var byReference: ResultClasses { Severing.reference.results(form, arguments) }

    var description: String {
      "\(row), \(scenario): \(kind) (\(result)) behind a \(link) link \(hasSevered ? "severed" : "ran on"); before \(before ?? .min), "
        + "raw \(raw ?? .min), after \(after ?? .min); believed to sever on \(believed); \(sqe.text)"
    }
  }

  /// Everything that can be seen with the fixtures; empty where there is no ring.
  static let observations: [Observation] = (try? onRingThread { try observe($0) }) ?? []

  /// The observations behind soft links, of one row or of all.
  static func soft(_ row: String? = nil) -> [Observation] {
    observations.filter { $0.link == .soft && (row == nil || $0.row == row) }
  }

  /// - Parameters:
  ///   - rows: nil for all.
  ///   - freed: A descriptor that is taken while the stages are set, and free for the calls; closed before.
  static func observe(_ ring: TestRing, rows: [String]? = nil, freeing freed: Int32? = nil) throws -> [Observation] {
    ProcessSettings.apply()
    let severing = try SelfTest.severing()
    var seen: [Observation] = []
    for operation in Operation.ringRows where operation.number >= 0 && rows?.contains("\(operation.name)") ?? true {
      for scenario in OperationFixtures.scenarios["\(operation.name)"] ?? [] {
        for isEngines in [true, false] {
          for link in [Observation.LinkKind.soft, .hard] {
            if let observation = observe(ring, operation, scenario, link, isEngines: isEngines, severing, freed) {
              seen.append(observation)
            }
          }
        }
      }
    }
    return seen
  }

  /// nil: this call is not for the ring with these arguments, this kernel's ring lacks it, or the engine's SQE is the encoder's.
  private static func observe(
    _ ring: TestRing, _ operation: SysletRing.Operation, _ scenario: Scenario, _ link: Observation.LinkKind, isEngines: Bool,
    _ severing: Severing, _ freed: Int32?
  ) -> Observation? {
    let stage = Stage()
    if let freed { _ = dup2(STDERR_FILENO, freed) }
    let scene = scenario.set(stage)
    if let freed { close(freed) }
    let arguments = arguments(scene)
    let form = operation.form
    let engines = try? engineSQE(operation, arguments, severing)
    var encoded = syslet_sqe()
    let isEncodable = form.encode(arguments, into: &encoded) == nil && severing.isSupported(Int16(encoded.opcode))
    if !isEngines, !isEncodable || engines?.text == encoded.text {
      settle(operation, stage, arguments)
      return nil
    }
    guard let sqe = isEngines ? engines : encoded else {
      settle(operation, stage, arguments)
      return nil
    }
    let results = ring.results([.nop.hard, link == .soft ? sqe.soft : sqe.hard, .nop])
    // The kernel may still write to it (law L4).
    if results.contains(nil) { _ = unsafe Unmanaged.passRetained(stage) }
    let raw = results[1] ?? -Int(ETIMEDOUT)
    let result = form.systemCallResult(raw, arguments[0]) ?? raw
    if scenario.givesDescriptor, result >= 0 { _ = stage.descriptors.adopt(Int32(result)) }
    if form.encoding == .pipe2, result == 0 { _ = scene.observe(result) }
    if form.encoding == .close, result == 0 { stage.descriptors.forget(arguments.descriptor(0)) }
    if result < 0 { settle(operation, stage, arguments) }
    return Observation(
      row: "\(operation.name)", scenario: scenario.title, link: link, isEngines: isEngines, form: form, arguments: arguments, sqe: sqe,
      before: results[0], raw: results[1], after: results[2], result: result, asked: asked(form, arguments),
      believed: severing.results(form, arguments))
  }

  static func arguments(_ scene: Scene) -> Arguments {
    var arguments = Arguments()
    for (index, word) in scene.arguments.enumerated() { arguments[index] = word }
    return arguments
  }

  /// The SQE that an engine on the ring would submit for the call; nil if it would make the call elsewhere.
  static func engineSQE(_ operation: SysletRing.Operation, _ arguments: Arguments, _ severing: Severing) throws -> syslet_sqe? {
    let memory = AtomMemory(table: OperationTable.shared, isChecked: false)
    var translator = try Translator(
      memory: memory, router: Router(backend: .ring, hasRing: true, severing: severing), callsMax: 1)
    let scratch = CallScratch()
    return withExtendedLifetime(scratch) {
      let call = scratch.call
      call.pointee.number = operation.number
      call.pointee.operation = OperationTable.shared.operation(operation.number)
      call.pointee.traits = operation.traits
      call.pointee.form = operation.form
      call.pointee.arguments = arguments
      guard translator.place(call, isSynchronous: false) == .ring else { return nil }
      return translator.segment.sqes[0].pointee
    }
  }

  /// Makes the calls plainly that end what a stage has begun, where the ring did not: a descriptor that only the call closes, a thread that
  /// waits to be woken, a child that waits to be reaped.
  private static func settle(_ operation: SysletRing.Operation, _ stage: Stage, _ arguments: Arguments) {
    let words = (0..<6).map { arguments[$0] }
    switch operation.encoding {
    case .futex where words[1] & 127 == 0 && words[3] == 0 || words[1] & 127 == 1: plainCall(operation.number, words)
    case .waitid, .close: plainCall(operation.number, words)
    default: break
    }
  }

  /// What a call asks for, in the unit of its result.
  static func asked(_ form: OperationForm, _ a: Arguments) -> UInt64? {
    func bytes(_ vector: UInt64, _ count: UInt64) -> UInt64? {
      guard count <= 1024 else { return nil }
      return (0..<count).reduce(UInt64(0)) { $0 + test_load(vector + 16 * $1 + 8, 8).value }
    }
    switch form.encoding {
    case .readVector, .readVectorAt, .readVectorFlags, .writeVector, .writeVectorAt, .writeVectorFlags: return bytes(a[1], a[2])
    case .sendMessage, .receiveMessage: return bytes(test_load(a[1] + 16, 8).value, test_load(a[1] + 24, 8).value)
    case .getxattr, .fgetxattr: return a[3]
    case .epollWait: return a[2]
    default: return form.lengthArgument.map { a[$0] }
    }
  }
}

/// A call that waits for a party that never acts.
struct WaitingCall: Sendable, CustomStringConvertible {
  let row: String
  let title: String
  let set: @Sendable (Stage) -> Scene
  /// What has to be done afterwards.
  let end: @Sendable (Arguments) -> Void

  init(_ row: String, _ title: String, _ set: @escaping @Sendable (Stage) -> Scene, end: @escaping @Sendable (Arguments) -> Void = { _ in })
  {
    self.row = row
    self.title = title
    self.set = set
    self.end = end
  }

  var description: String { "\(row), \(title)" }

  /// Each row that may wait: those with the trait, and transfers on what is no file.
  static let all: [WaitingCall] = [
    WaitingCall("read", "on a socket") { s in Scene(s.socketPair().0, s.buffer("b", 4).address, 4) },
    WaitingCall("read", "on a pipe") { s in Scene(s.pipe().read, s.buffer("b", 4).address, 4) },
    WaitingCall("readv", "on a socket") { s in Scene(s.socketPair().0, s.vector(s.buffer("b", 4)), 1) },
    // Of TCP: on AF_UNIX sends are not the ring's.
    WaitingCall("sendto", "more than fits") { s in
      Scene(s.tcpPair().0, s.arena.buffer(9 << 20).address, 9 << 20, .int(MSG_NOSIGNAL), 0, 0)
    },
    WaitingCall("sendmsg", "more than fits") { s in
      Scene(s.tcpPair().0, s.message(s.arena.buffer(9 << 20)).address, .int(MSG_NOSIGNAL))
    },
    WaitingCall("recvfrom", "with nothing to come") { s in Scene(s.socketPair().0, s.buffer("b", 4).address, 4, 0, 0, 0) },
    WaitingCall("recvmsg", "with nothing to come") { s in Scene(s.socketPair().0, s.message(s.buffer("b", 4)).address, 0) },
    WaitingCall("accept", "with nobody to come") { s in Scene(s.listener("l"), 0, 0) },
    WaitingCall("accept4", "with nobody to come") { s in Scene(s.listener("l"), 0, 0, 0) },
    WaitingCall("connect", "to a listener that is full") { s in
      let address = s.socketAddress("l")
      precondition(plainCall(SystemCall.listen, s.listener("l"), 0) == 0)
      _ = s.connected("l")
      return Scene(s.socket(), address.address, .int(address.count))
    },
    WaitingCall("epoll_wait", "for nothing") { s in
      let epoll = s.descriptors.adopt(Int32(plainCall(SystemCall.epoll_create1, .int(O_CLOEXEC))))
      return Scene(.int(epoll), s.buffer("events", 64).address, 4, .int(-1))
    },
    WaitingCall("poll", "for nothing") { s in Scene(s.pollSet("set", (s.descriptors.event(0), 1)).address, 1, .int(-1)) },
    WaitingCall("nanosleep", "for an hour") { s in Scene(s.time(seconds: 3600, nanoseconds: 0).address, 0) },
    WaitingCall("clock_nanosleep", "for an hour") { s in
      Scene(.int(CLOCK_MONOTONIC), 0, s.time(seconds: 3600, nanoseconds: 0).address, 0)
    },
    WaitingCall("futex", "to be woken") { s in Scene(s.buffer("word", 64).address, 0, 0, 0, 0, 0) },
    WaitingCall("waitid", "for a child that stays") { s in
      let child = test_living_child()
      precondition(child > 0)
      return Scene(1, .int(child), s.buffer("info", 128).address, 4, 0)
    } end: {
      precondition(test_end_child($0.descriptor(1)) == 0)
    },
  ]
}
