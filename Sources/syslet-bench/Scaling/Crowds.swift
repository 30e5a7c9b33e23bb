// Syslets that stay pending until they are told to end: the program's side of the memory measurement.

internal import CSysletBench
internal import Glibc
internal import SysletRing

/// Owns the memory that the pending syslets name. It is all there, and touched, before anything is weighed.
protocol Crowd: AnyObject, CustomStringConvertible {
  func head(_ index: Int) -> UnsafeMutablePointer<Atom>
  /// Makes every syslet end.
  func end(on engine: SysletEngine) throws(EngineError)
  func isRight(_ completion: Completion) -> Bool
}

/// Sleeps of an hour. All of them are one atom, which a syslet may share: what is weighed is the library's part, and one cancellation
/// reaches them all.
final class Sleepers: Crowd {
  private let slots = SlotMemory(count: 1, atoms: 1, words: 2)
  let description = "nanosleep, one atom for all, cancelled at the end"

  init() {
    unsafe slots.word(0, 0).pointee = 3600
    unsafe slots.atom(0, 0).initialize(to: Atom(SystemCall.nanosleep, UInt64(argument: slots.word(0, 0)), 0))
  }

  func head(_ index: Int) -> UnsafeMutablePointer<Atom> { unsafe slots.atom(0, 0) }

  func end(on engine: SysletEngine) throws(EngineError) { try unsafe engine.cancel(slots.atom(0, 0)) }

  func isRight(_ completion: Completion) -> Bool {
    completion.reason == .cancelled && completion.result == -Int(ECANCELED) && completion.executed == 0
  }
}

/// Receives of a byte that never comes, on both ends of as many socket pairs as descriptors allow; several on each end where these are not
/// enough. Those on one end share its atom and its buffer. At the end the connections are shut down.
final class Receivers: Crowd {
  /// What the engine and the program need besides.
  private static let sparedDescriptors: UInt64 = 128

  private let ends: [Descriptor]
  private let slots: SlotMemory
  var description: String { "recv on \(Text.grouped(ends.count)) sockets, ended by shutdown" }

  init(count: Int) throws(Failure) {
    Limits.raiseDescriptors()
    var (soft, hard) = (UInt64(0), UInt64(0))
    guard unsafe syslet_bench_limit(Int32(SYSLET_BENCH_NOFILE), &soft, &hard) == 0, soft > Self.sparedDescriptors + 2 else {
      throw Failure.machine("the limit on descriptors leaves none for sockets. Raise `ulimit -n`")
    }
    let pairs = min((count + 1) / 2, Int(clamping: (soft - Self.sparedDescriptors) / 2))
    var ends: [Descriptor] = []
    for _ in 0..<pairs {
      var pair: [Int32] = [-1, -1]
      guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
        // The system as a whole may have fewer than this process may: then it is fewer sockets with more receives each.
        guard !ends.isEmpty else { throw Failure.machine("a socket pair cannot be made: \(Errno.meaning(errno))") }
        break
      }
      ends += [Descriptor(pair[0]), Descriptor(pair[1])]
    }
    self.ends = ends
    slots = SlotMemory(count: ends.count, atoms: 1, words: 1)
    for (index, end) in ends.enumerated() {
      unsafe slots.atom(index, 0).initialize(
        to: Atom(SystemCall.recvfrom, UInt64(argument: end.number), UInt64(argument: slots.word(index, 0)), 1, 0, 0, 0))
    }
  }

  func head(_ index: Int) -> UnsafeMutablePointer<Atom> { unsafe slots.atom(index % ends.count, 0) }

  func end(on engine: SysletEngine) {
    for end in ends { shutdown(end.number, Int32(SHUT_RDWR)) }
  }

  /// The end of the stream.
  func isRight(_ completion: Completion) -> Bool { completion.reason == .ended && completion.result == 0 && completion.executed == 1 }
}
