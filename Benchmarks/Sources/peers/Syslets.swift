// The syslets of a job: `depth` of them, each with its atoms, its buffer and its results.

internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing

/// Whoever runs a syslet uses its slot alone.
@safe final class Syslets: @unchecked Sendable {
  private let subject: Job.Subject
  private let atomsPerSyslet: Int
  private let buffers: Buffers
  // Owned here.
  private let atoms: UnsafeMutablePointer<Atom>
  private let descriptors: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>

  init(_ job: Job) {
    subject = job.subject
    buffers = Buffers(job.depth)
    if case .reads = job.subject { atomsPerSyslet = 1 } else { atomsPerSyslet = 3 }
    unsafe atoms = .allocate(capacity: job.depth * atomsPerSyslet)
    unsafe descriptors = .allocate(capacity: job.depth)
    unsafe descriptors.initialize(repeating: 0, count: job.depth)
    unsafe counts = .allocate(capacity: job.depth)
    unsafe counts.initialize(repeating: 0, count: job.depth)
    for slot in 0..<job.depth {
      let head = unsafe head(slot)
      switch job.subject {
      case .reads(let file):
        unsafe head.initialize(
          to: Atom(
            SystemCall.pread64, UInt64(argument: file.descriptor), UInt64(argument: buffers[slot].baseAddress),
            UInt64(argument: CachedFile.block), 0, result: counts + slot))
      case .files:
        unsafe head.initializeOpenReadClose(
          descriptor: descriptors + slot, buffer: buffers[slot].baseAddress, byteCount: CachedFile.block, count: counts + slot)
      }
    }
  }

  deinit {
    unsafe atoms.deallocate()
    unsafe descriptors.deallocate()
    unsafe counts.deallocate()
  }

  @inline(__always)
  private func head(_ slot: Int) -> UnsafeMutablePointer<Atom> { unsafe atoms + slot * atomsPerSyslet }

  /// The syslet of `slot`, for an item.
  @inline(__always)
  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    let head = unsafe head(slot)
    switch subject {
    case .reads(let file): unsafe head.pointee.args.3 = file.offsets[item]
    case .files(let tree): unsafe head.pointee.args.1 = UInt64(argument: tree.paths[item])
    }
    unsafe counts[slot] = -1
    return unsafe head
  }

  /// The slot of a completed syslet: any of its atoms may be the last one executed.
  @inline(__always)
  func slot(_ completion: Completion) -> Int {
    unsafe (completion.atom.assumingMemoryBound(to: Atom.self) - atoms) / atomsPerSyslet
  }

  /// The bytes that a completed syslet has read.
  @inline(__always)
  func bytes(_ slot: Int, _ completion: Completion) throws -> Int {
    let read = unsafe counts[slot]
    guard read >= 0 else { throw Failure("a syslet ended with \(completion.result), and its read gave \(read)") }
    return read
  }
}
