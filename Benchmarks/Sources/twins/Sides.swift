// The two sides of a pair. Both keep their ring over all pairs, go on in the inputs where they were, and count the bytes that they have read.

internal import CTwins
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing

/// C's side.
@safe final class TwinSide {
  private let name: RowName
  private let inputs: Inputs
  private let twin: OpaquePointer
  private(set) var bytes: UInt64 = 0

  init(_ name: RowName, depth: Int, _ inputs: Inputs) throws {
    self.name = name
    self.inputs = inputs
    var opened: OpaquePointer?
    let result = unsafe twin_open(&opened, UInt32(depth))
    guard let made = unsafe opened else { throw Failure("C's ring cannot be opened: errno \(-result)", exitCode: 3) }
    unsafe twin = made
  }

  deinit { unsafe twin_close(twin) }

  /// Nanoseconds for `batches` batches.
  func run(batches: Int) throws -> Int64 {
    let rounds = UInt32(batches)
    let elapsed =
      switch name {
      case .nop: unsafe twin_nops(twin, 1, rounds)
      case .nopChain: unsafe twin_nops(twin, UInt32(RowName.chainLength), rounds)
      case .readCached:
        unsafe inputs.file.offsets.withUnsafeBufferPointer {
          unsafe twin_reads(twin, inputs.file.descriptor, $0.baseAddress!, UInt32($0.count), rounds, &bytes)
        }
      case .openReadClose:
        unsafe twin_files(twin, inputs.tree.paths.baseAddress!, UInt32(inputs.tree.count), rounds, &bytes)
      }
    guard elapsed > 0 else { throw Failure("\(name.rawValue): C's run failed with errno \(-elapsed)") }
    return elapsed
  }
}

/// Ours: the engine on the ring, one batch of syslets enqueued and waited for at a time.
@safe final class EngineSide {
  private let name: RowName
  private let inputs: Inputs
  private let depth: Int
  private let engine: SysletEngine
  private(set) var bytes: UInt64 = 0
  /// The next offset or path.
  private var position = 0

  // All owned here; the engine is closed before any of it goes.
  private let atoms: UnsafeMutablePointer<Atom>
  private let atomsPerSyslet: Int
  private let descriptors: UnsafeMutablePointer<Int>
  private let counts: UnsafeMutablePointer<Int>
  private let buffers: UnsafeMutableRawPointer
  private let completions: UnsafeMutableBufferPointer<Completion>

  init(_ name: RowName, depth: Int, _ inputs: Inputs) throws {
    self.name = name
    self.inputs = inputs
    self.depth = depth
    var options = SysletEngine.Options()
    options.backend = .ring
    do {
      engine = try SysletEngine(options)
    } catch {
      throw Failure("\(error)", exitCode: 3)
    }
    atomsPerSyslet =
      switch name {
      case .nop, .readCached: 1
      case .nopChain: RowName.chainLength
      case .openReadClose: 3
      }
    unsafe atoms = .allocate(capacity: depth * atomsPerSyslet)
    unsafe descriptors = .allocate(capacity: depth)
    unsafe descriptors.initialize(repeating: 0, count: depth)
    unsafe counts = .allocate(capacity: depth)
    unsafe counts.initialize(repeating: 0, count: depth)
    unsafe buffers = .allocate(byteCount: depth * CachedFile.block, alignment: CachedFile.block)
    unsafe buffers.initializeMemory(as: UInt8.self, repeating: 0, count: depth * CachedFile.block)
    unsafe completions = .allocate(capacity: depth)
    for slot in 0..<depth { make(slot) }
  }

  deinit {
    try? engine.close()
    unsafe atoms.deallocate()
    unsafe descriptors.deallocate()
    unsafe counts.deallocate()
    unsafe buffers.deallocate()
    unsafe completions.deallocate()
  }

  private func make(_ slot: Int) {
    let head = unsafe atoms + slot * atomsPerSyslet
    let buffer = unsafe buffers + slot * CachedFile.block
    switch name {
    case .nop, .nopChain:
      for index in 0..<atomsPerSyslet {
        unsafe (head + index).initialize(to: Atom(noOperation, next: index + 1 < atomsPerSyslet ? head + index + 1 : nil))
      }
    case .readCached:
      unsafe head.initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: inputs.file.descriptor), UInt64(argument: buffer), UInt64(argument: CachedFile.block), 0))
    case .openReadClose:
      unsafe head.initializeOpenReadClose(
        descriptor: descriptors + slot, buffer: buffer, byteCount: CachedFile.block, count: counts + slot)
    }
  }

  /// Nanoseconds for `batches` batches.
  func run(batches: Int) throws -> Int64 {
    // A loop for each row, as C has: what to do next is not asked within the loop.
    switch name {
    case .nop, .nopChain:
      return try unsafe run(batches, arm: { _, _ in }, least: 0, read: { _ in 0 })
    case .readCached:
      let offsets = inputs.file.offsets
      return try unsafe run(
        batches, of: offsets.count, arm: { unsafe $0.pointee.args.3 = offsets[$1] }, least: CachedFile.block,
        read: { _ in CachedFile.block })
    case .openReadClose:
      let paths = unsafe inputs.tree.paths
      let counts = unsafe counts
      return try unsafe run(
        batches, of: paths.count, arm: { unsafe $0.pointee.args.1 = UInt64(argument: paths[$1]) }, least: 0,
        read: { unsafe counts[$0] })
    }
  }

  /// `arm` prepares a syslet for an item; `read` says how many bytes the syslet in a slot has read. A result below `least` is an error.
  @inline(__always)
  private func run(
    _ batches: Int, of items: Int = 1, arm: (UnsafeMutablePointer<Atom>, Int) -> Void, least: Int, read: (Int) -> Int
  ) throws -> Int64 {
    let begin = Program.now()
    for _ in 0..<batches {
      for slot in 0..<depth {
        let head = unsafe atoms + slot * atomsPerSyslet
        unsafe arm(head, position)
        position += 1
        if position == items { position = 0 }
        try unsafe engine.enqueue(head)
      }
      var done = 0
      while done < depth {
        let count = try unsafe engine.wait(into: completions, atLeast: depth - done)
        for index in 0..<count where unsafe completions[index].result < least {
          throw unsafe Failure("\(name.rawValue): a call gave \(completions[index].result), at least \(least) was expected")
        }
        done += count
      }
      for slot in 0..<depth {
        let got = read(slot)
        guard got >= 0 else { throw Failure("\(name.rawValue): a read gave \(got)") }
        bytes &+= UInt64(got)
      }
    }
    return Program.now() - begin
  }
}
