// Files written, replaced and added to.

internal import Glibc
public import SystemPackage

extension FilePermissions {
  /// What a file is made with unless told otherwise: its owner may write it, and everybody read it, less the process's mask (umask).
  public static var sysletDefault: FilePermissions { [.ownerReadWrite, .groupRead, .otherRead] }
}

extension SysletRuntime {
  /// Writes a file: makes it, or empties it first. The corresponding C functions are `open`, `write` and `close`.
  ///
  /// Whoever reads it meanwhile finds a part, and so does everybody after a failure: `replaceFile(at:from:permissions:)` has no such moment.
  ///
  /// - Parameters:
  ///   - path: Which file.
  ///   - bytes: All that it is to have. They are not copied.
  ///   - permissions: Of a file that is made, less the process's mask (umask).
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func writeFile(
    _ path: FilePath, from bytes: borrowing Span<UInt8>, permissions: FilePermissions = .sysletDefault
  ) async throws {
    do { try await run(Everyday.write, path, Int(permissions.rawValue), from: bytes) } catch { throw Everyday.naming(path, error) }
  }

  /// Replaces a file durably: whoever looks finds the old one or the new one, whole, also after a crash of the machine; and when this returns it is the new one.
  ///
  /// The bytes go to a new file in the same folder (`.syslet-` and 16 digits), which is synced, gets the name, and the folder is synced. On failure and
  /// when the task is cancelled that file is removed. What the name stood for is let go of: a symbolic link is replaced, not followed, and owner and permissions
  /// are those of a new file. The corresponding C functions are `open`, `write`, `fsync`, `rename` and `fsync`.
  ///
  /// - Throws: `SysletError`; `CancellationError`. After an error of the folder's sync, and cancelled behind the rename, the new file has the name, and may
  ///   not survive a crash.
  public nonisolated(nonsending) func replaceFile(
    at path: FilePath, from bytes: borrowing Span<UInt8>, permissions: FilePermissions = .sysletDefault
  ) async throws {
    guard path.lastComponent != nil else {
      throw Everyday.error("replaceFile", path, .failed(path.isEmpty ? .noSuchFileOrDirectory : .isDirectory))
    }
    var folder = path.removingLastComponent()
    if folder.isEmpty { folder = "." }
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    let temporary = folder.appending(".syslet-" + String(repeating: "0", count: 16 - digits.count) + digits)
    do { try await run(Everyday.replace, temporary, path, folder, Int(permissions.rawValue), from: bytes) } catch {
      throw Everyday.naming(path, error)
    }
  }

  /// Appends to a file, durably: when this returns, the bytes have been synced. The corresponding C functions are `lseek`, `pwrite` and `fdatasync`.
  ///
  /// On failure, and when the task is cancelled before the sync, the file has its old size again: no part of a record is left. Appends
  /// to one descriptor by one runtime take turns, in the order in which they come; whoever appends to the file by another one must see to that itself.
  ///
  /// - Parameters:
  ///   - bytes: What is added. They are not copied.
  ///   - file: Open for writing, without `append`: with that flag the kernel writes at the end whatever the offset.
  /// - Returns: Where the bytes begin.
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func append(_ bytes: borrowing Span<UInt8>, to file: FileDescriptor) async throws -> Int {
    try await appends.begin(file.rawValue)
    defer { appends.end(file.rawValue) }
    return try await run(Everyday.append, file, from: bytes)
  }

  /// Takes a file's name away. The corresponding C function is `unlink`.
  ///
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func removeFile(_ path: FilePath) async throws { try await run(Everyday.remove, path) }

  /// Makes a folder. The corresponding C function is `mkdir`.
  ///
  /// - Parameters:
  ///   - path: Its name; the folder that it is in has to be there.
  ///   - permissions: Less the process's mask (umask).
  /// - Throws: `SysletError`; `CancellationError`.
  public nonisolated(nonsending) func makeDirectory(
    _ path: FilePath, permissions: FilePermissions = [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute]
  ) async throws {
    try await run(Everyday.makeDirectory, path, Int(permissions.rawValue))
  }
}
