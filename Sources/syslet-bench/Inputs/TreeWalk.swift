// Finds the regular files of a tree.

internal import Glibc

struct TreeWalk {
  /// Every regular file, in the order of its path.
  private(set) var paths: [String] = []
  private(set) var unreadableFolders = 0
  /// The walk ended at `filesMax`.
  private(set) var isCutOff = false

  /// Walks `root`, which may itself be a symbolic link; links inside are not followed.
  init(_ root: String, filesMax: Int) throws(Failure) {
    var status = stat()
    guard unsafe stat(root, &status) == 0 else {
      throw Failure.usage("the tree \(root) cannot be used: \(Errno.meaning(errno)). Name an existing folder with --dir")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure.usage("the tree \(root) is not a folder") }
    guard let top = FolderListing.entries(of: root, followingLink: true) else {
      throw Failure.usage("the tree \(root) cannot be read: \(Errno.meaning(errno))")
    }
    let base = root.hasSuffix("/") ? root : root + "/"
    var folders: [String] = []
    take(top, in: base, &folders, filesMax)
    while !isCutOff, let folder = folders.popLast() {
      try Interrupt.check()
      guard let entries = FolderListing.entries(of: folder, followingLink: false) else {
        unreadableFolders += 1
        continue
      }
      take(entries, in: folder + "/", &folders, filesMax)
    }
    paths.sort()
  }

  private mutating func take(
    _ entries: [FolderEntry], in base: String, _ folders: inout [String], _ filesMax: Int
  ) {
    // A folder's order on disk differs between machines; where the walk is cut off it would decide what is measured.
    for entry in entries.sorted(by: { $0.name < $1.name }) {
      switch entry.kind {
      case .folder: folders.append(base + entry.name)
      case .other: continue
      case .regularFile:
        if paths.count == filesMax {
          isCutOff = true
          return
        }
        paths.append(base + entry.name)
      }
    }
  }
}
