// The two sides of a pair. Both keep their ring over all pairs, go on in the inputs where they were, and count the bytes that they have read.

internal import CTwins
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing

/// One side of a pair.
protocol Side {
  /// The bytes that it has read so far.
  var bytes: UInt64 { get }
  /// Nanoseconds for `batches` batches of as many pieces of work as the row's depth says.
  func run(batches: Int) throws -> Int64
}

/// C's side.
@safe final class TwinSide: Side {
  private let name: RowName
  private let inputs: Inputs
  private let twin: OpaquePointer
  private(set) var bytes: UInt64 = 0

  fileprivate static let others = "echoes and typed programs have sides of their own"

  init(_ name: RowName, depth: Int, _ inputs: Inputs) throws {
    self.name = name
    self.inputs = inputs
    unsafe twin = try Self.open(depth)
  }

  deinit { unsafe twin_close(twin) }

  /// C's ring and buffers for `depth` pieces of work, which are the caller's to close.
  static func open(_ depth: Int) throws -> OpaquePointer {
    var opened: OpaquePointer?
    let result = unsafe twin_open(&opened, UInt32(depth))
    guard let made = unsafe opened else { throw Failure("C's ring cannot be opened: errno \(-result)", exitCode: 3) }
    return unsafe made
  }

  /// Nanoseconds for `batches` batches.
  func run(batches: Int) throws -> Int64 {
    let rounds = UInt32(batches)
    let elapsed =
      switch name {
      case .nop, .preparedNop: unsafe twin_nops(twin, 1, rounds)
      case .nopChain, .preparedNopChain: unsafe twin_nops(twin, UInt32(RowName.chainLength), rounds)
      case .readCached, .preparedReadCached:
        unsafe inputs.file.offsets.withUnsafeBufferPointer {
          unsafe twin_reads(twin, inputs.file.descriptor, $0.baseAddress!, UInt32($0.count), rounds, &bytes)
        }
      case .openReadClose, .preparedOpenReadClose:
        unsafe twin_files(twin, inputs.tree.paths.baseAddress!, UInt32(inputs.tree.count), rounds, &bytes)
      default: preconditionFailure(Self.others)
      }
    guard elapsed > 0 else { throw Failure("\(name.rawValue): C's run failed with errno \(-elapsed)") }
    return elapsed
  }
}

extension SysletEngine {
  static func onRing() throws -> SysletEngine {
    var options = Options()
    options.backend = .ring
    do { return try SysletEngine(options) } catch { throw Failure("\(error)", exitCode: 3) }
  }

  func prepare(_ heads: [UnsafeMutablePointer<Atom>]) throws -> [PreparedSyslet] {
    do { return try unsafe heads.map { try unsafe prepare($0) } } catch { throw Failure("\(error)", exitCode: 3) }
  }
}

/// Ours: the engine on the ring, one batch of syslets enqueued and waited for at a time.
@safe final class EngineSide: Side {
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
  private let paths: UnsafeMutablePointer<UnsafePointer<CChar>?>
  private let counts: UnsafeMutablePointer<Int>
  private let buffers: UnsafeMutableRawPointer
  private let completions: UnsafeMutableBufferPointer<Completion>
  private var prepared: [PreparedSyslet] = []

  init(_ name: RowName, depth: Int, _ inputs: Inputs) throws {
    self.name = name
    self.inputs = inputs
    self.depth = depth
    engine = try .onRing()
    atomsPerSyslet =
      switch name {
      case .nop, .readCached, .preparedNop, .preparedReadCached: 1
      case .nopChain, .preparedNopChain: RowName.chainLength
      case .openReadClose, .preparedOpenReadClose: 3
      default: preconditionFailure(TwinSide.others)
      }
    unsafe atoms = .allocate(capacity: depth * atomsPerSyslet)
    unsafe descriptors = .allocate(capacity: depth)
    unsafe descriptors.initialize(repeating: 0, count: depth)
    unsafe paths = .allocate(capacity: depth)
    unsafe paths.initialize(repeating: inputs.tree.paths[0], count: depth)
    unsafe counts = .allocate(capacity: depth)
    unsafe counts.initialize(repeating: 0, count: depth)
    unsafe buffers = .allocate(byteCount: depth * CachedFile.block, alignment: CachedFile.block)
    unsafe buffers.initializeMemory(as: UInt8.self, repeating: 0, count: depth * CachedFile.block)
    unsafe completions = .allocate(capacity: depth)
    for slot in 0..<depth { make(slot) }
    guard name.isPrepared else { return }
    prepared = try unsafe engine.prepare((0..<depth).map { unsafe atoms + $0 * atomsPerSyslet })
  }

  deinit {
    try? engine.close()
    unsafe atoms.deallocate()
    unsafe descriptors.deallocate()
    unsafe paths.deallocate()
    unsafe counts.deallocate()
    unsafe buffers.deallocate()
    unsafe completions.deallocate()
  }

  private func make(_ slot: Int) {
    let head = unsafe atoms + slot * atomsPerSyslet
    let buffer = unsafe buffers + slot * CachedFile.block
    switch name {
    case .nop, .nopChain, .preparedNop, .preparedNopChain:
      for index in 0..<atomsPerSyslet {
        unsafe (head + index).initialize(to: Atom(noOperation, next: index + 1 < atomsPerSyslet ? head + index + 1 : nil))
      }
    case .readCached:
      unsafe head.initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: inputs.file.descriptor), UInt64(argument: buffer), UInt64(argument: CachedFile.block), 0))
    case .preparedReadCached:
      unsafe head.initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: inputs.file.descriptor), UInt64(argument: buffer), UInt64(argument: CachedFile.block),
          UInt64(argument: counts + slot), pointers: 0b1000))
    case .openReadClose, .preparedOpenReadClose:
      unsafe head.initializeOpenReadClose(
        descriptor: descriptors + slot, buffer: buffer, byteCount: CachedFile.block, count: counts + slot)
      guard name.isPrepared else { return }
      unsafe head.pointee.args.1 = UInt64(argument: paths + slot)
      unsafe head.pointee.pmap |= 0b10
    default: preconditionFailure(TwinSide.others)
    }
  }

  /// Nanoseconds for `batches` batches.
  func run(batches: Int) throws -> Int64 {
    // A loop for each row, as C has: what to do next is not asked within the loop.
    let (atoms, stride) = unsafe (atoms, atomsPerSyslet)
    // As what C has: to take one out of an array counts it, twice, in atomic additions, 10 ns of a no-op's 100.
    let prepared = unsafe prepared.map(Unmanaged.passUnretained)
    switch name {
    case .nop, .nopChain:
      return try run(batches, start: { slot, _ in try unsafe engine.enqueue(atoms + slot * stride) }, least: 0, read: { _ in 0 })
    case .preparedNop, .preparedNopChain:
      return try run(
        batches, start: { slot, _ in try unsafe prepared[slot]._withUnsafeGuaranteedRef(engine.enqueue) }, least: 0, read: { _ in 0 })
    case .readCached:
      let offsets = inputs.file.offsets
      return try run(
        batches, of: offsets.count,
        start: { slot, item in
          unsafe atoms[slot].args.3 = offsets[item]
          try unsafe engine.enqueue(atoms + slot)
        }, least: CachedFile.block, read: { _ in CachedFile.block })
    case .preparedReadCached:
      let (offsets, words) = unsafe (inputs.file.offsets, counts)
      return try run(
        batches, of: offsets.count,
        start: { slot, item in
          unsafe words[slot] = Int(offsets[item])
          try unsafe prepared[slot]._withUnsafeGuaranteedRef(engine.enqueue)
        }, least: CachedFile.block, read: { _ in CachedFile.block })
    case .preparedOpenReadClose:
      let (files, paths, counts) = unsafe (inputs.tree.paths, paths, counts)
      return try run(
        batches, of: files.count,
        start: { slot, item in
          unsafe paths[slot] = files[item]
          try unsafe prepared[slot]._withUnsafeGuaranteedRef(engine.enqueue)
        }, least: 0, read: { unsafe counts[$0] })
    case .openReadClose:
      let (paths, counts) = unsafe (inputs.tree.paths, counts)
      return try run(
        batches, of: paths.count,
        start: { slot, item in
          unsafe atoms[slot * stride].args.1 = UInt64(argument: paths[item])
          try unsafe engine.enqueue(atoms + slot * stride)
        }, least: 0, read: { unsafe counts[$0] })
    default: preconditionFailure(TwinSide.others)
    }
  }

  /// `start` enqueues the syslet of a slot for an item; `read` says how many bytes it has read. A result below `least` is an error.
  @inline(__always)
  private func run(
    _ batches: Int, of items: Int = 1, start: (Int, Int) throws -> Void, least: Int, read: (Int) -> Int
  ) throws -> Int64 {
    let begin = Program.now()
    for _ in 0..<batches {
      for slot in 0..<depth {
        try start(slot, position)
        position += 1
        if position == items { position = 0 }
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
