// stat-walk: the files of a tree, each examined by one statx.

internal import Glibc
internal import SysletRing

final class StatWalkWorkload: Workload {
  let slots: SlotMemory
  let variant = ""
  let subject: String
  let atomsExecuted = 1
  var itemCount: Int { tree.count }
  private let tree: TreeFiles

  init(_ inputs: Inputs, depth: Int) throws(Failure) {
    tree = try inputs.tree()
    subject = tree.summary
    slots = SlotMemory(count: depth, atoms: 1, bufferBytes: StatxRecord.byteCount)
    for slot in 0..<depth {
      unsafe slots.atom(slot, 0).initialize(
        to: Atom(
          SystemCall.statx, UInt64(argument: AT_FDCWD), 0, UInt64(argument: AT_SYMLINK_NOFOLLOW),
          UInt64(argument: StatxRecord.basicStats), UInt64(argument: slots.buffer(slot))))
    }
  }

  private func size(_ slot: Int) -> Int { unsafe StatxRecord.size(slots.buffer(slot)) }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    slots.set(slot, 0, argument: 1, unsafe UInt64(argument: tree[item].path))
    unsafe StatxRecord.forget(slots.buffer(slot))
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.result == 0 && completion.executed == 1 && size(slot) == tree[item].byteCount
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    if check(slot, item: item, completion) { return nil }
    let file = unsafe tree[item]
    return unsafe "\(String(cString: file.path)): it \(completion.account), and the size is \(size(slot)), not \(file.byteCount)"
  }
}
