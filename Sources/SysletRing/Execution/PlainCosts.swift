// What plain calls have cost lately, by the row of the operation table and three behind it: whether one may be made on the owner's thread, and whether many of them
// are worth a worker's help, is decided on what the last ones took.

internal import Synchronization

/// Unsafe fence: the memory is the placer's, which frees it when nothing can ask any more. The owner's.
@safe struct PlainCosts {
  private let nanoseconds: UnsafeMutablePointer<UInt32>
  /// The same, divided by the calls of the run.
  private let callNanoseconds: UnsafeMutablePointer<UInt32>
  /// Behind the table's rows: opens that create, which take many times as long as the others, reads and writes past the page cache, and calls at files
  /// that are in memory.
  private let creations: UInt16
  let transfers: UInt16
  private let memory: UInt16

  /// Where the caller does not wait, a call may take no longer than handing it over would.
  static let briefMax: Int64 = 50_000
  /// So many no-ops in a line, some 3 µs of work, are shared like other calls.
  static let sharedLineMin = 16
  /// What is less than this together is done before a worker is awake.
  static let sharingMin: Int64 = 40_000
  /// From so many calls at a time on, those that cost next to nothing in the kernel are faster with the ring: an enter costs some 350 ns, and an
  /// SQE with its CQE 80 to 100 ns less than a system call. The start-up self-test measures where that is on this machine.
  static var ringCallsMin: Int { breakEven.load(ordering: .relaxed) }

  /// Reads and writes: any thread, once per process. Relaxed: a number that nothing else depends on.
  private static let breakEven = Atomic(8)

  /// Takes in what the self-test measured.
  static func noteBreakEven(_ calls: Int) { breakEven.store(min(max(calls, 4), 64), ordering: .relaxed) }

  init(_ table: OperationTable) {
    creations = UInt16(table.rowCount)
    transfers = creations + 1
    memory = creations + 2
    unsafe nanoseconds = .allocate(capacity: table.rowCount + 3)
    unsafe nanoseconds[Int(creations)] = Self.slowAssumed
    unsafe nanoseconds[Int(transfers)] = Self.slowAssumed
    unsafe nanoseconds[Int(memory)] = Self.quickAssumed
    for row in 0..<table.rowCount {
      unsafe nanoseconds[row] = Self.assumed(table[UInt16(row)].pointee)
    }
    unsafe callNanoseconds = .allocate(capacity: table.rowCount + 3)
    unsafe callNanoseconds.initialize(from: nanoseconds, count: table.rowCount + 3)
  }

  /// As they are now.
  init(copying other: PlainCosts) {
    (creations, transfers, memory) = (other.creations, other.transfers, other.memory)
    let count = Int(memory) + 1
    unsafe nanoseconds = .allocate(capacity: count)
    unsafe nanoseconds.initialize(from: other.nanoseconds, count: count)
    unsafe callNanoseconds = .allocate(capacity: count)
    unsafe callNanoseconds.initialize(from: other.callNanoseconds, count: count)
  }

  func free() {
    unsafe nanoseconds.deallocate()
    unsafe callNanoseconds.deallocate()
  }

  /// Whose cost a plain call counts as.
  @inline(__always)
  func row(_ call: Reference<Call>, _ reason: Placement.PlainReason) -> UInt16 {
    switch reason {
    case .creation: creations
    case .device: transfers
    case .memory: memory
    default: call.pointee.row
    }
  }

  /// What a run takes from a call of this row on, until it ends or goes elsewhere.
  subscript(row: UInt16) -> Int64 { unsafe Int64(nanoseconds[Int(row)]) }

  /// What each call of such a run takes of that.
  func each(_ row: UInt16) -> Int64 { unsafe Int64(callNanoseconds[Int(row)]) }

  /// Takes in what a run of so many calls took this time.
  func note(_ row: UInt16, _ measured: Int64, calls: Int, limit: Int64) {
    unsafe nanoseconds[Int(row)] = Self.updated(self[row], measured, limit)
    unsafe callNanoseconds[Int(row)] = Self.updated(each(row), calls > 1 ? measured / Int64(calls) : measured, limit)
  }

  /// One that took over `limit` counts at once: a wrong guess costs once. Below it, one that took very much longer than the others was probably
  /// interrupted, and counts with a part.
  private static func updated(_ known: Int64, _ measured: Int64, _ limit: Int64) -> UInt32 {
    UInt32(clamping: measured > limit ? max(known, measured) : known + (min(measured, known + surpriseMax) - known) / 8)
  }

  /// Such calls were too slow to be made here, and are not, so that nobody measures them: in time they may be tried again.
  func fade(_ row: UInt16) { unsafe nanoseconds[Int(row)] -= nanoseconds[Int(row)] / 64 }

  private static let surpriseMax: Int64 = 200_000
  private static let slowAssumed: UInt32 = 200_000
  private static let quickAssumed: UInt32 = 3_000

  /// Before anything has been measured.
  private static func assumed(_ operation: Operation) -> UInt32 {
    switch operation.encoding {
    case .fsync, .fdatasync, .syncFileRange, .fallocate: slowAssumed
    case .unlink, .unlinkAt, .rmdir, .rename, .renameAt, .renameAt2, .mkdir, .mkdirAt, .symlink, .symlinkAt, .link, .linkAt, .setxattr,
      .fsetxattr, .ftruncate:
      20_000
    default: operation.traits.contains(.neverBlocks) ? 200 : quickAssumed
    }
  }
}
