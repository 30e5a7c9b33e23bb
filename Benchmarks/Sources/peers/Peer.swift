// What every peer does, and on what.

internal import Measuring

/// The work of one row. Items are counted on from run to run; behind the last one comes the first again.
struct Job: Sendable {
  enum Subject: Sendable {
    /// Reads of one block at each of the file's offsets.
    case reads(CachedFile)
    /// Open, one read of up to a block, close, of each of the tree's files.
    case files(TreeFiles)
  }

  let subject: Subject
  /// How many pieces of work are in flight; peers that cannot have more than one do them one by one.
  let depth: Int

  var itemCount: Int {
    switch subject {
    case .reads(let file): file.offsets.count
    case .files(let tree): tree.count
    }
  }

  /// What `count` items from `first` on must give.
  func byteCount(first: Int, count: Int) -> Int {
    switch subject {
    case .reads: count * CachedFile.block
    case .files(let tree): (first..<first + count).reduce(0) { $0 + tree.byteCounts[$1 % tree.count] }
    }
  }
}

/// One way to do the work. A peer belongs to the thread that makes it.
protocol Peer: AnyObject, SendableMetatype {
  init(_ job: Job) throws
  /// Does `count` items from `first` on and returns the bytes that were read.
  func run(first: Int, count: Int) throws -> Int
}

/// Buffers of one block for each piece of work in flight.
@safe final class Buffers {
  let start: UnsafeMutableRawPointer

  init(_ count: Int) {
    unsafe start = .allocate(byteCount: count * CachedFile.block, alignment: CachedFile.block)
    unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: count * CachedFile.block)
  }

  deinit { unsafe start.deallocate() }

  subscript(index: Int) -> UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: start + index * CachedFile.block, count: CachedFile.block)
  }
}
