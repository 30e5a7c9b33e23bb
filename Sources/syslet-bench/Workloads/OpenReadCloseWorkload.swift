// open-read-close and open-fstat-read-close: the files of a tree, each opened, read once and closed by one syslet; the latter also asks
// for their size in between.

internal import Glibc
internal import SysletRing

/// `openat → fd, stop on negative → [statx(*fd) →] read(*fd) → close(*fd)`.
///
/// A statx or a read that fails does not stop the syslet, because the descriptor would leak; their results tell.
final class OpenReadCloseWorkload: Workload {
  /// Longer files are read up to here, one page: the workload is about opening many files, not about copying them.
  static let readBytes = 4 << 10

  let slots: SlotMemory
  let variant = ""
  let subject: String
  let atomsExecuted: Int
  var itemCount: Int { tree.count }
  private let tree: TreeFiles
  private let isExamining: Bool

  /// Every name of a file that is known by its descriptor.
  private static let emptyPath: StaticString = ""
  private static let atEmptyPath = 0x1000

  init(_ inputs: Inputs, isExamining: Bool, depth: Int) throws(Failure) {
    tree = try inputs.tree()
    self.isExamining = isExamining
    atomsExecuted = isExamining ? 4 : 3
    subject = tree.summary + ", one read of up to \(Text.bytes(Self.readBytes)) each"
    // What statx fills lies behind what read does.
    slots = SlotMemory(count: depth, atoms: 4, words: 2, bufferBytes: Self.readBytes + (isExamining ? StatxRecord.byteCount : 0))
    for slot in 0..<depth {
      let (open, read, close) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1), slots.atom(slot, 2))
      let examine = unsafe slots.atom(slot, 3)
      let (descriptor, bytes) = unsafe (slots.word(slot, 0), slots.word(slot, 1))
      unsafe open.initialize(
        to: Atom(
          SystemCall.openat, UInt64(argument: AT_FDCWD), 0, UInt64(argument: O_RDONLY), flags: .stopOnNegative,
          result: descriptor, next: isExamining ? examine : read))
      if isExamining {
        unsafe examine.initialize(
          to: Atom(
            SystemCall.statx, UInt64(argument: descriptor), UInt64(argument: Self.emptyPath.utf8Start),
            UInt64(argument: Self.atEmptyPath), UInt64(argument: StatxRecord.basicStats), UInt64(argument: record(slot)),
            pointers: 0b1, next: read))
      }
      unsafe read.initialize(
        to: Atom(
          SystemCall.read, UInt64(argument: descriptor), UInt64(argument: slots.buffer(slot)),
          UInt64(argument: Self.readBytes), pointers: 0b1, result: bytes, next: close))
      unsafe close.initialize(to: Atom(SystemCall.close, UInt64(argument: descriptor), pointers: 0b1))
    }
  }

  private func record(_ slot: Int) -> UnsafeMutableRawPointer { unsafe slots.buffer(slot) + Self.readBytes }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    slots.set(slot, 0, argument: 1, unsafe UInt64(argument: tree[item].path))
    unsafe slots.word(slot, 1).pointee = -1
    if isExamining { unsafe StatxRecord.forget(record(slot)) }
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.reason == .ended && completion.result == 0 && completion.executed == atomsExecuted
      && (!isExamining || StatxRecord.size(record(slot)) == tree[item].byteCount)
      && slots.word(slot, 1).pointee == min(tree[item].byteCount, Self.readBytes)
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    let file = unsafe tree[item]
    let path = unsafe String(cString: file.path)
    let expected = unsafe min(file.byteCount, Self.readBytes)
    guard completion.reason == .ended, completion.result == 0 else { return "\(path): it \(completion.account)" }
    if isExamining, case let size = unsafe StatxRecord.size(record(slot)), unsafe size != file.byteCount {
      return unsafe "\(path): statx gave the size \(size), not \(file.byteCount)"
    }
    let bytes = unsafe slots.word(slot, 1).pointee
    guard bytes == expected else { return "\(path): \(bytes) bytes were read, not \(expected)" }
    return unsafe tree.compare(item, with: UnsafeRawBufferPointer(start: slots.buffer(slot), count: bytes))
      ? nil
      : "\(path): its bytes were read wrong"
  }

  func byteCount(of items: Range<Int>) -> Int {
    items.reduce(0) { unsafe $0 + min(tree[$1 % tree.count].byteCount, Self.readBytes) }
  }
}
