// What plain calls have cost lately, by the row of the operation table: whether one may be made on the owner's thread, and whether many of them
// are worth a worker's help, is decided on what the last ones took.

internal import Synchronization

/// Unsafe fence: the memory is the engine's, which frees it when nothing can ask any more. The owner's.
@safe struct PlainCosts {
  private let nanoseconds: UnsafeMutablePointer<UInt32>

  /// Where the caller does not wait, a call may take no longer than handing it over would.
  static let briefMax: Int64 = 50_000
  /// From so many calls at a time on, those that cost next to nothing in the kernel are faster with the ring: an enter costs some 350 ns, and an
  /// SQE with its CQE 80 to 100 ns less than a system call. The start-up self-test measures where that is on this machine.
  static var ringCallsMin: Int { breakEven.load(ordering: .relaxed) }

  /// Reads and writes: any thread, once per process. Relaxed: a number that nothing else depends on.
  private static let breakEven = Atomic(8)

  /// Takes in what the self-test measured.
  static func noteBreakEven(_ calls: Int) { breakEven.store(min(max(calls, 4), 64), ordering: .relaxed) }

  init(_ table: OperationTable) {
    unsafe nanoseconds = .allocate(capacity: table.rowCount)
    for row in 0..<table.rowCount {
      unsafe nanoseconds[row] = Self.assumed(table[UInt16(row)].pointee)
    }
  }

  func free() { unsafe nanoseconds.deallocate() }

  /// What a run takes from a call of this row on, until it ends or goes elsewhere.
  subscript(row: UInt16) -> Int64 { unsafe Int64(nanoseconds[Int(row)]) }

  /// Takes in what it took this time. One that took over `limit` counts at once: a wrong guess costs once. Below it, one that took very much
  /// longer than the others was probably interrupted, and counts with a part.
  func note(_ row: UInt16, _ measured: Int64, limit: Int64) {
    let known = self[row]
    let new = measured > limit ? max(known, measured) : known + (min(measured, known + Self.surpriseMax) - known) / 8
    unsafe nanoseconds[Int(row)] = UInt32(clamping: new)
  }

  private static let surpriseMax: Int64 = 200_000

  /// Before anything has been measured.
  private static func assumed(_ operation: Operation) -> UInt32 {
    switch operation.encoding {
    case .fsync, .fdatasync, .syncFileRange, .fallocate: 200_000
    case .unlink, .unlinkAt, .rmdir, .rename, .renameAt, .renameAt2, .mkdir, .mkdirAt, .symlink, .symlinkAt, .link, .linkAt, .setxattr,
      .fsetxattr, .ftruncate:
      20_000
    default: operation.traits.contains(.neverBlocks) ? 200 : 3_000
    }
  }
}
