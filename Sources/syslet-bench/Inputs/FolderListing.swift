// The entries of one folder, by kind. Symbolic links are entries of their own; they are never followed below the folder itself.

internal import Glibc

struct FolderEntry {
  enum Kind {
    case folder
    case regularFile
    /// A link, a socket, a device, …
    case other
  }

  let name: String
  let kind: Kind
}

enum FolderListing {
  /// Everything in the folder at `path`. nil: `errno` says why. `followingLink`: `path` itself may be a symbolic link.
  static func entries(of path: String, followingLink: Bool) -> [FolderEntry]? {
    let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (followingLink ? 0 : O_NOFOLLOW))
    guard descriptor >= 0 else { return nil }
    guard let stream = unsafe fdopendir(descriptor) else {
      close(descriptor)
      return nil
    }
    defer { unsafe closedir(stream) }
    var found: [FolderEntry] = []
    while let entry = unsafe readdir(stream) {
      // The name is an array inside the entry, which is valid until the next readdir.
      let name = unsafe String(cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
      if name == "." || name == ".." { continue }
      found.append(FolderEntry(name: name, kind: unsafe kind(of: name, type: entry.pointee.d_type, in: descriptor)))
    }
    return found
  }

  private static let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name)!

  private static func kind(of name: String, type: UInt8, in folder: Int32) -> FolderEntry.Kind {
    switch Int(type) {
    case Int(DT_DIR): return .folder
    case Int(DT_REG): return .regularFile
    case Int(DT_UNKNOWN):
      // Some filesystems do not say; an entry that is gone by now is nothing.
      var status = stat()
      guard unsafe fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return .other }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: return .folder
      case S_IFREG: return .regularFile
      default: return .other
      }
    default: return .other
    }
  }
}
