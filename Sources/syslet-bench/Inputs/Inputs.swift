// What the workloads of one run share: the scratch folder, the tree, the large files. Each is made when it is first needed.

internal import Glibc

final class Inputs {
  let scratch: Scratch
  let seed: UInt64
  let scale: Scale
  private let treeRoot: String?
  /// The user chose the scratch folder: then nothing is written anywhere else.
  private let isScratchExplicit: Bool
  private var madeTree: TreeFiles?
  private var madeReadFile: PatternFile?
  private var madeDirectFile: PatternFile?
  private var madeCopySource: PatternFile?

  init(scratch: Scratch, isScratchExplicit: Bool, tree: String?, seed: UInt64, scale: Scale) {
    self.scratch = scratch
    self.isScratchExplicit = isScratchExplicit
    treeRoot = tree
    self.seed = seed
    self.scale = scale
  }

  /// A few small files in `scratch` and nothing else: enough to build each workload's syslet.
  static func miniature(in scratch: Scratch, seed: UInt64 = 2007) throws(Failure) -> Inputs {
    let folder = scratch.path + "/tree"
    guard unsafe mkdir(folder, 0o700) == 0 else { throw scratch.refusal("\(folder) cannot be made", errno) }
    for (name, text) in [("a", "the first of two files\n"), ("b", "the second\n")] {
      guard let file = Descriptor.open(folder + "/" + name, O_WRONLY | O_CREAT | O_EXCL) else {
        throw scratch.refusal("\(folder)/\(name) cannot be made", errno)
      }
      let wrote = unsafe write(file.number, text, text.utf8.count)
      guard wrote == text.utf8.count else { throw scratch.refusal("\(folder)/\(name) cannot be written", wrote < 0 ? errno : ENOSPC) }
    }
    return Inputs(scratch: scratch, isScratchExplicit: true, tree: folder, seed: seed, scale: .miniature)
  }

  func tree() throws(Failure) -> TreeFiles {
    if let madeTree { return madeTree }
    let made: TreeFiles
    if let treeRoot {
      made = try TreeFiles(treeRoot, walk: TreeWalk(treeRoot, filesMax: scale.treeFilesMax), seed: seed)
    } else {
      let (root, walk) = try SystemTree.walk(filesMax: scale.treeFilesMax)
      made = try TreeFiles(root, walk: walk, seed: seed)
    }
    madeTree = made
    return made
  }

  /// The file of the read workloads.
  func readFile() throws(Failure) -> PatternFile {
    if let madeReadFile { return madeReadFile }
    let made = try PatternFile("read", byteCount: scale.readFileBytes, seed: seed, in: scratch)
    madeReadFile = made
    return made
  }

  /// The same file if its filesystem can read past the page cache, or else, where the user left the choice, one in a folder that can:
  /// /tmp is in memory on many machines.
  func directFile() throws(Failure) -> PatternFile {
    if let madeDirectFile { return madeDirectFile }
    let first = try readFile()
    do {
      _ = try first.openDirect()
      madeDirectFile = first
      return first
    } catch {
      guard !isScratchExplicit, let other = otherDirectFile() else { throw error }
      madeDirectFile = other
      return other
    }
  }

  private func otherDirectFile() -> PatternFile? {
    for folder in ["/var/tmp", "."] {
      guard let elsewhere = try? Scratch(in: folder),
        let file = try? PatternFile("read", byteCount: scale.readFileBytes, seed: seed, in: elsewhere),
        (try? file.openDirect()) != nil
      else { continue }
      Console.complain(
        "read-direct and mixed-direct use \(elsewhere.path): \(scratch.path) is on \(scratch.filesystem), which has no O_DIRECT")
      return file
    }
    return nil
  }

  func copySource() throws(Failure) -> PatternFile {
    if let madeCopySource { return madeCopySource }
    let made = try PatternFile("source", byteCount: scale.copyFileBytes, seed: seed, in: scratch)
    madeCopySource = made
    return made
  }
}
