// A tree of folders, entry by entry, with a bounded number of them on their way.

internal import CLiburing
internal import Glibc
public import SystemPackage

extension SysletRuntime {
  /// Goes through all that is below a folder, and gives the status of each entry.
  ///
  /// ```swift
  /// for try await entry in runtime.walk("/usr/include") { print(entry.path, try entry.status.get().size) }
  /// ```
  ///
  /// The order is not promised. Symbolic links are entries, and are not followed, but for `root` itself, which is not among the entries, and where a folder on the way becomes one
  /// meanwhile. What cannot be looked
  /// at, or not be listed, is an entry with the error: a folder that cannot be listed is there twice then, once with its status. It begins with the first
  /// look for an entry, and ends when nobody looks any more. The corresponding C functions are `getdents64` and `statx`.
  ///
  /// - Parameters:
  ///   - root: The folder.
  ///   - width: Entries that are on their way, or have come and nobody has taken yet, at the most.
  public func walk(_ root: FilePath, width: Int = 64) -> DirectoryTree {
    DirectoryTree(runtime: self, root: root, width: max(1, width))
  }
}

/// An entry of a tree of folders.
public struct DirectoryEntry: Sendable {
  /// Where it is, below the root as that was given.
  public var path: FilePath
  /// What it is, or why that cannot be told.
  public var status: Result<SysletStatus, SysletError>
}

/// All that is below a folder.
public struct DirectoryTree: AsyncSequence, Sendable {
  /// An entry of it.
  public typealias Element = DirectoryEntry

  let runtime: SysletRuntime
  let root: FilePath
  let width: Int

  /// Begins anew.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(tree: self, stream: ResultStream(width: width)) }

  /// Gives the entries as they come.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let tree: DirectoryTree
    fileprivate let stream: ResultStream<DirectoryEntry>

    /// The next entry, nil behind the last one.
    ///
    /// - Throws: `CancellationError` when the task is cancelled; `SysletError` when the runtime is shut down.
    public mutating func next() async throws -> DirectoryEntry? {
      stream.begin { [tree] queue in await tree.work(queue) }
      return try await stream.next()
    }
  }
}

extension DirectoryTree {
  /// Folders that are listed at a time, each with a buffer.
  private static let listingsMax = 8

  /// Some entries of a folder, and the folder if there may be more of them.
  private struct Listing: Sendable {
    var folder: OpenFolder?
    var paths: [FilePath] = []
    var folders: [FilePath] = []
    var error: DirectoryEntry?
  }

  private func work(_ queue: ResultQueue<DirectoryEntry>) async {
    do {
      try await withThrowingDiscardingTaskGroup { statuses in
        try await withThrowingTaskGroup(of: Listing.self) { listings in
          // The last is the first: what is open, and what lies deepest, is done with before more is begun.
          var waiting = [root]
          var running = 0
          func begin() {
            while running < Self.listingsMax, let path = waiting.popLast() {
              running += 1
              listings.addTask { try await list(OpenFolder(path: path), opening: true) }
            }
          }
          begin()
          while let listing = try await listings.next() {
            running -= 1
            if let folder = listing.folder {
              running += 1
              listings.addTask { try await list(folder, opening: false) }
            }
            waiting += listing.folders
            begin()
            for path in listing.paths {
              guard await queue.hasRoom() else { throw CancellationError() }
              statuses.addTask {
                do { queue.put(DirectoryEntry(path: path, status: try await status(of: path))) } catch {
                  // Its room is not given back, for which whoever has begun it may be waiting.
                  if !Task.isCancelled { queue.end(error) }
                  throw error
                }
              }
            }
            if let error = listing.error {
              guard await queue.hasRoom() else { throw CancellationError() }
              queue.put(error)
            }
          }
        }
      }
      queue.end(nil)
    } catch {
      queue.end(error)
    }
  }

  private func status(of path: FilePath) async throws -> Result<SysletStatus, SysletError> {
    do { return .success(try await runtime.run(Everyday.statusOfLink, path)) } catch let error as SysletError where error.reason != .closed
    {
      return .failure(error)
    }
  }

  /// The next entries of a folder.
  private func list(_ folder: OpenFolder, opening: Bool) async throws -> Listing {
    var listing = Listing()
    do {
      if opening { folder.opened(try await runtime.run(folder.path == root ? Everyday.openRoot : Everyday.openFolder, folder.path)) }
      let bytes = try await runtime.run(Everyday.entries, folder.descriptor)
      if bytes.isEmpty { return listing }
      listing.folder = folder
      for (name, type) in DirectoryRecords(bytes) {
        let path = folder.path.appending(name)
        listing.paths.append(path)
        if try await isFolder(path, type) { listing.folders.append(path) }
      }
    } catch let error as SysletError where error.reason != .closed {
      listing.error = DirectoryEntry(path: folder.path, status: .failure(error))
    }
    return listing
  }

  private func isFolder(_ path: FilePath, _ type: UInt8) async throws -> Bool {
    guard type == UInt8(DT_UNKNOWN) else { return type == UInt8(DT_DIR) }
    // Some file systems do not tell.
    return (try? await status(of: path).get())?.isDirectory ?? false
  }
}

/// A folder whose entries are being read. One task has it at a time.
private final class OpenFolder: Sendable {
  let path: FilePath
  private let number = Locked<Int32>(-1)

  init(path: FilePath) { self.path = path }

  // A close of a folder that was only read has nothing to wait for.
  deinit { if descriptor.rawValue >= 0 { try? descriptor.close() } }

  var descriptor: FileDescriptor { FileDescriptor(rawValue: number.withLock { $0 }) }

  func opened(_ descriptor: FileDescriptor) { number.withLock { $0 = descriptor.rawValue } }
}

/// The records that getdents64(2) gives, but for `.` and `..`.
struct DirectoryRecords: Sequence, IteratorProtocol {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> (name: FilePath.Component, type: UInt8)? {
    // struct linux_dirent64: inode and offset, 8 bytes each, the record's length, 2, its type, 1, and the name.
    while position + 19 <= bytes.count {
      let length = Int(bytes[position + 16]) | Int(bytes[position + 17]) << 8
      guard length > 19, position + length <= bytes.count else { return nil }
      let record = bytes[position..<position + length]
      position += length
      let name = record.dropFirst(19).prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      let component = unsafe name.withUnsafeBufferPointer { unsafe FilePath.Component(platformString: $0.baseAddress!) }
      guard let component, component.kind == .regular else { continue }
      return (component, record[record.startIndex + 18])
    }
    return nil
  }
}
