// One row at work: makes the syslets, runs them, and looks at every result.

internal import Glibc
internal import Programs
internal import SysletRing

@safe final class Probe {
  private static let block = 4096
  private static let fileCount = 64
  private static let turns = 100

  private let row: Row
  private let engine: SysletEngine
  private let scratch: Scratch
  // Owned here; the engine is closed before they go.
  private let atoms: UnsafeMutablePointer<Atom>
  private let words: UnsafeMutablePointer<Int>
  private let buffers: UnsafeMutableRawPointer
  private let completions: UnsafeMutableBufferPointer<Completion>
  private var prepared: [PreparedSyslet] = []

  var statistics: Statistics { engine.statistics }

  init(_ row: Row) throws(Failure) {
    self.row = row
    scratch = try Scratch(
      files: row == .openReadClose32 ? Self.fileCount : 0,
      blocks: row == .readCached32 || row == .preparedReadCached32 || row == .preparedReadCachedAlone ? 256 : 0)
    var options = SysletEngine.Options()
    options.backend = row.backend
    options.entries = max(256, row.depth * row.atoms)
    do {
      engine = try SysletEngine(options)
    } catch {
      throw .machine("\(error)")
    }
    unsafe atoms = .allocate(capacity: row.depth * row.atoms)
    unsafe words = .allocate(capacity: row.depth * 2)
    unsafe words.initialize(repeating: 0, count: row.depth * 2)
    unsafe buffers = .allocate(byteCount: row.depth * Self.block, alignment: Self.block)
    unsafe buffers.initializeMemory(as: UInt8.self, repeating: 0, count: row.depth * Self.block)
    unsafe completions = .allocate(capacity: row.depth)
    for slot in 0..<row.depth { make(slot) }
    guard row.isPrepared else { return }
    do {
      for slot in 0..<row.depth { prepared.append(try unsafe engine.prepare(atoms + slot * row.atoms)) }
    } catch {
      throw .wrong("\(row.rawValue) cannot be prepared: \(error)")
    }
  }

  deinit {
    try? engine.close()
    unsafe atoms.deallocate()
    unsafe words.deallocate()
    unsafe buffers.deallocate()
    unsafe completions.deallocate()
  }

  private func make(_ slot: Int) {
    let head = unsafe atoms + slot * row.atoms
    let (first, second) = unsafe (words + slot * 2, words + slot * 2 + 1)
    let buffer = unsafe buffers + slot * Self.block
    switch row {
    case .allocation, .nop32, .nopAlone, .nopChain16, .threadsNop32, .preparedNop32, .preparedNopAlone, .preparedNopChain16, .typedRead32,
      .typedReadFile32:
      for index in 0..<row.atoms {
        unsafe (head + index).initialize(to: Atom(noOperation, next: index + 1 < row.atoms ? head + index + 1 : nil))
      }
    case .readCached32:
      unsafe head.initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: scratch.descriptor), UInt64(argument: buffer), UInt64(argument: Self.block), 0,
          result: second))
    case .preparedReadCached32, .preparedReadCachedAlone:
      unsafe head.initialize(
        to: Atom(
          SystemCall.pread64, UInt64(argument: scratch.descriptor), UInt64(argument: buffer), UInt64(argument: Self.block),
          UInt64(argument: first), pointers: 0b1000, result: second))
    case .openReadClose32:
      unsafe head.initializeOpenReadClose(descriptor: first, buffer: buffer, byteCount: Self.block, count: second)
    case .countLoop:
      unsafe head.initialize(
        to: Atom(umemAdd, UInt64(argument: first), UInt64(argument: -1), flags: .stopOnZero, next: head + 1))
      unsafe (head + 1).initialize(to: Atom(umemAdd, UInt64(argument: second), 1, next: head))
    }
  }

  /// Runs `count` syslets, rounded up to whole batches.
  func run(_ count: Int) throws(Failure) {
    var item = 0
    var wrong = 0
    let prepared = prepared
    do throws(EngineError) {
      for _ in 0..<(count + row.depth - 1) / row.depth {
        for slot in 0..<row.depth {
          arm(slot, item)
          item += 1
          if slot < prepared.count { try engine.enqueue(prepared[slot]) } else { try unsafe engine.enqueue(atoms + slot * row.atoms) }
        }
        var done = 0
        while done < row.depth {
          let got = try unsafe engine.wait(into: completions, atLeast: row.depth - done)
          for index in 0..<got where unsafe completions[index].result < 0 { wrong += 1 }
          done += got
        }
        for slot in 0..<row.depth where !isRight(slot) { wrong += 1 }
      }
    } catch {
      throw .wrong("\(row.rawValue): the engine failed: \(error)")
    }
    if wrong > 0 { throw .wrong("\(row.rawValue): \(wrong) results are wrong") }
  }

  private func arm(_ slot: Int, _ item: Int) {
    let head = unsafe atoms + slot * row.atoms
    switch row {
    case .readCached32:
      unsafe head.pointee.args.3 = UInt64(item * 37 % scratch.blocks * Self.block)
      unsafe words[slot * 2 + 1] = -1
    case .preparedReadCached32, .preparedReadCachedAlone:
      unsafe words[slot * 2] = item * 37 % scratch.blocks * Self.block
      unsafe words[slot * 2 + 1] = -1
    case .openReadClose32:
      unsafe head.pointee.args.1 = UInt64(argument: scratch.path(item % Self.fileCount))
      unsafe words[slot * 2 + 1] = -1
    case .countLoop:
      unsafe words[slot * 2] = Self.turns
      unsafe words[slot * 2 + 1] = 0
    default: break
    }
  }

  private func isRight(_ slot: Int) -> Bool {
    let word = unsafe words[slot * 2 + 1]
    switch row {
    case .readCached32, .preparedReadCached32, .preparedReadCachedAlone, .openReadClose32: return word == Self.block
    case .countLoop: return word == Self.turns - 1
    default: return true
    }
  }
}

/// The files that a row works on, of a block or more each, gone with the value.
@safe final class Scratch {
  let blocks: Int
  private(set) var descriptor: Int32 = -1
  private let folder: UnsafeMutablePointer<CChar>
  private var paths: [UnsafeMutablePointer<CChar>] = unsafe []

  init(files: Int, blocks: Int) throws(Failure) {
    self.blocks = blocks
    let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    unsafe folder = strdup("\(parent)/syslet-gate-XXXXXX")
    guard unsafe mkdtemp(folder) != nil else { throw .machine("no folder can be made in \(parent)") }
    let base = unsafe String(cString: folder)
    for index in 0..<files {
      let path = "\(base)/\(index)"
      unsafe paths.append(strdup(path))
      close(try Self.write(1, to: path))
    }
    if blocks > 0 {
      let path = "\(base)/file"
      unsafe paths.append(strdup(path))
      descriptor = try Self.write(blocks, to: path)
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    for index in unsafe paths.indices {
      unsafe unlink(paths[index])
      unsafe free(paths[index])
    }
    unsafe rmdir(folder)
    unsafe free(folder)
  }

  var pathCount: Int { unsafe paths.count }

  func path(_ index: Int) -> UnsafePointer<CChar> { unsafe UnsafePointer(paths[index]) }

  private static func write(_ blocks: Int, to path: String) throws(Failure) -> Int32 {
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    let block = [UInt8](repeating: 7, count: 4096)
    guard descriptor >= 0 else { throw .machine("\(path) cannot be made") }
    for _ in 0..<blocks {
      guard unsafe Glibc.write(descriptor, block, block.count) == block.count else { throw .machine("\(path) cannot be written") }
    }
    return descriptor
  }
}
