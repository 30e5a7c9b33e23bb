// atomic-replace: a file gets a new content, all of it or none, and on the disk when its syslet completes.

internal import Glibc
internal import SysletRing

/// `openat(new, CREAT|WRONLY|TRUNC) → write → fsync → close → renameat(new, target)`, stop on negative everywhere: a file that is not
/// complete and on the disk never gets the name.
///
/// Every slot has a target of its own. A failure leaves a descriptor open, and the run wrong.
@safe final class AtomicReplaceWorkload: Workload {
  static let contentBytes = 4096

  let slots: SlotMemory
  let variant = ""
  let subject: String
  let atomsExecuted = 5
  let itemCount = Int.max
  private let files: [ReplacedFile]
  private let blocks: VersionedBlocks
  /// The version that each slot's target must have; 0: there must be none.
  private let versions: UnsafeMutablePointer<Int>

  init(_ inputs: Inputs, depth: Int) throws(Failure) {
    try inputs.scratch.requireSpace(2 * Self.contentBytes * depth, for: "\(depth) files of \(Text.bytes(Self.contentBytes)), twice")
    files = (0..<depth).map { ReplacedFile(inputs.scratch.path + "/replaced-\($0)") }
    subject = "files of \(Text.bytes(Self.contentBytes)), one per syslet in flight, on \(inputs.scratch.filesystem)"
    blocks = VersionedBlocks(byteCount: Self.contentBytes, seed: inputs.seed)
    slots = SlotMemory(count: depth, atoms: 5, words: 2, bufferBytes: Self.contentBytes)
    unsafe versions = .allocate(capacity: depth)
    unsafe versions.initialize(repeating: 0, count: depth)
    for slot in 0..<depth {
      unsafe blocks.fill(slots.buffer(slot), owner: slot)
      // `explain` looks what a descriptor is; 0 would be standard input.
      unsafe slots.word(slot, 0).pointee = -1
      writeAtoms(slot)
    }
  }

  deinit { unsafe versions.deallocate() }

  private func writeAtoms(_ slot: Int) {
    let (open, write, sync) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1), slots.atom(slot, 2))
    let (close, rename) = unsafe (slots.atom(slot, 3), slots.atom(slot, 4))
    let descriptor = unsafe UInt64(argument: slots.word(slot, 0))
    let (folder, new) = unsafe (UInt64(argument: AT_FDCWD), UInt64(argument: files[slot].newPath))
    unsafe open.initialize(
      to: Atom(
        SystemCall.openat, folder, new, UInt64(argument: O_CREAT | O_WRONLY | O_TRUNC), 0o600, flags: .stopOnNegative,
        result: slots.word(slot, 0), next: write))
    unsafe write.initialize(
      to: Atom(
        SystemCall.write, descriptor, UInt64(argument: slots.buffer(slot)), UInt64(argument: Self.contentBytes),
        flags: .stopOnNegative, pointers: 0b1, result: slots.word(slot, 1), next: sync))
    unsafe sync.initialize(to: Atom(SystemCall.fsync, descriptor, flags: .stopOnNegative, pointers: 0b1, next: close))
    unsafe close.initialize(to: Atom(SystemCall.close, descriptor, flags: .stopOnNegative, pointers: 0b1, next: rename))
    unsafe rename.initialize(
      to: Atom(SystemCall.renameat, folder, new, folder, UInt64(argument: files[slot].path), flags: .stopOnNegative))
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe versions[slot] += 1
    unsafe blocks.stamp(slots.buffer(slot), tag: versions[slot])
    unsafe slots.word(slot, 1).pointee = -1
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.result == 0 && completion.executed == 5 && completion.reason == .ended
      && slots.word(slot, 1).pointee == Self.contentBytes
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    guard check(slot, item: item, completion) else {
      return unsafe "\(files[slot].name): it \(completion.account), and write gave \(slots.word(slot, 1).pointee)"
    }
    return problem(slot)
  }

  /// Reads back all targets, whatever `isThorough` says: they are few.
  func endPass(isThorough: Bool) -> String? {
    for slot in files.indices {
      if let wrong = problem(slot) { return wrong }
    }
    return nil
  }

  private func problem(_ slot: Int) -> String? {
    let file = files[slot]
    guard !file.hasLeftover else { return "\(file.name).new is still there" }
    let version = unsafe versions[slot]
    guard let content = file.content() else { return version == 0 ? nil : "\(file.name) cannot be read back" }
    let isRight = unsafe content.withUnsafeBytes { unsafe blocks.matches($0, owner: slot, tag: version) }
    return version > 0 && isRight ? nil : "\(file.name) is not version \(version)"
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * Self.contentBytes }
}

/// The paths of a file and of what shall replace it, both removed with the value.
@safe private final class ReplacedFile {
  let path: UnsafeMutablePointer<CChar>
  let newPath: UnsafeMutablePointer<CChar>

  init(_ path: String) {
    unsafe self.path = strdup(path)
    unsafe newPath = strdup(path + ".new")
  }

  deinit {
    unsafe unlink(path)
    unsafe unlink(newPath)
    unsafe free(path)
    unsafe free(newPath)
  }

  var name: String { unsafe String(cString: path) }
  var hasLeftover: Bool { unsafe access(newPath, F_OK) == 0 }

  func content() -> [UInt8]? {
    guard let descriptor = Descriptor.open(name, O_RDONLY) else { return nil }
    // One byte more than there should be, so that too much is found out.
    var bytes = [UInt8](repeating: 0, count: AtomicReplaceWorkload.contentBytes + 1)
    let count = unsafe read(descriptor.number, &bytes, bytes.count)
    return count < 0 ? nil : Array(bytes.prefix(count))
  }
}
