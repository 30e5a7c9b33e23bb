// Ours: syslets, `depth` in flight.

internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing

@safe class EnginePeer: Peer {
  class var backend: SysletEngine.Backend { .automatic }

  private let job: Job
  private let engine: SysletEngine
  private let atomsPerSyslet: Int
  private let buffers: Buffers
  // Owned here; the engine is closed before they go.
  private let atoms: UnsafeMutablePointer<Atom>
  private let descriptors: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>
  private let completions: UnsafeMutableBufferPointer<Completion>

  required init(_ job: Job) throws {
    self.job = job
    var options = SysletEngine.Options()
    options.backend = Self.backend
    do {
      engine = try SysletEngine(options)
    } catch {
      throw Failure("\(error)", exitCode: 3)
    }
    buffers = Buffers(job.depth)
    unsafe descriptors = .allocate(capacity: job.depth)
    unsafe descriptors.initialize(repeating: 0, count: job.depth)
    unsafe counts = .allocate(capacity: job.depth)
    unsafe counts.initialize(repeating: 0, count: job.depth)
    unsafe completions = .allocate(capacity: job.depth)
    switch job.subject {
    case .reads(let file):
      atomsPerSyslet = 1
      unsafe atoms = .allocate(capacity: job.depth)
      for slot in 0..<job.depth {
        unsafe (atoms + slot).initialize(
          to: Atom(
            SystemCall.pread64, UInt64(argument: file.descriptor), UInt64(argument: buffers[slot].baseAddress),
            UInt64(argument: CachedFile.block), 0, result: counts + slot))
      }
    case .files:
      atomsPerSyslet = 3
      unsafe atoms = .allocate(capacity: job.depth * 3)
      for slot in 0..<job.depth {
        let head = unsafe atoms + slot * 3
        unsafe head.initializeOpenReadClose(
          descriptor: descriptors + slot, buffer: buffers[slot].baseAddress, byteCount: CachedFile.block, count: counts + slot)
      }
    }
  }

  deinit {
    try? engine.close()
    unsafe atoms.deallocate()
    unsafe descriptors.deallocate()
    unsafe counts.deallocate()
    unsafe completions.deallocate()
  }

  func run(first: Int, count: Int) throws -> Int {
    switch job.subject {
    case .reads(let file):
      let offsets = file.offsets
      return try unsafe run(first, count, of: offsets.count) { unsafe $0.pointee.args.3 = offsets[$1] }
    case .files(let tree):
      let paths = unsafe tree.paths
      return try unsafe run(first, count, of: paths.count) { unsafe $0.pointee.args.1 = UInt64(argument: paths[$1]) }
    }
  }

  @inline(__always)
  private func run(_ first: Int, _ count: Int, of items: Int, arm: (UnsafeMutablePointer<Atom>, Int) -> Void) throws -> Int {
    // Half of what is in flight: an enter carries as many, and the other half keeps the device and the workers busy.
    let batch = max(1, job.depth / 2)
    var item = first % items
    var (started, finished, bytes) = (0, 0, 0)

    func start(_ slot: Int) throws {
      let head = unsafe atoms + slot * atomsPerSyslet
      unsafe arm(head, item)
      unsafe counts[slot] = -1
      item += 1
      if item == items { item = 0 }
      started += 1
      try unsafe engine.enqueue(head)
    }

    for slot in 0..<min(job.depth, count) { try start(slot) }
    while finished < count {
      let got = try unsafe engine.wait(into: completions, atLeast: min(batch, started - finished))
      for index in 0..<got {
        // The last atom executed belongs to the syslet's slot.
        let atom = unsafe completions[index].atom.assumingMemoryBound(to: Atom.self)
        let slot = unsafe (atom - atoms) / atomsPerSyslet
        let read = unsafe counts[slot]
        guard read >= 0 else { throw unsafe Failure("a syslet ended with \(completions[index].result), and its read gave \(read)") }
        bytes += read
      }
      finished += got
      for index in 0..<got where started < count {
        let atom = unsafe completions[index].atom.assumingMemoryBound(to: Atom.self)
        try unsafe start((atom - atoms) / atomsPerSyslet)
      }
    }
    return bytes
  }
}

final class RingPeer: EnginePeer {
  override class var backend: SysletEngine.Backend { .ring }
}

final class ThreadsPeer: EnginePeer {
  override class var backend: SysletEngine.Backend { .threads }
}
