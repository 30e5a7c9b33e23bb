// A file that is mostly holes, copied.

internal import CPeers
internal import Foundation
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

enum SparseCopy {
  static func ways(_ folder: String) throws -> [Way] {
    let runtime = try Ours.make()
    let files = Files(folder)
    let file = try FileDescriptor.open(files.source, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    try file.closeAfter {
      let megabyte = [UInt8](repeating: 0xA5, count: 1 << 20)
      for number in 0..<64 { _ = try file.writeAll(toAbsoluteOffset: Int64(number * 16 << 20), megabyte) }
      try file.resize(to: 1 << 30)
      guard fsync(file.rawValue) == 0 else { throw Failure("fsync: errno \(errno)") }
    }
    func way(_ name: String, _ copy: @escaping () throws -> Void) -> Way {
      Way(name) {
        unsafe unlink(files.target.string)
        sync()
        let begin = Program.now()
        try copy()
        let elapsed = Program.now() - begin
        let copied = try FileDescriptor.open(files.target, .readOnly)
        defer { try? copied.close() }
        let (size, there) = (peer_file_size(copied.rawValue), peer_bytes_on_device(copied.rawValue))
        guard size == 1 << 30, there < 66 << 20 else { throw Failure("\(name): the copy has \(size) bytes, \(there) on the device") }
        return Double(elapsed)
      }
    }
    return [
      way("copyFile") {
        let (source, target) = (files.source, files.target)
        _ = try Blocking.run { try await runtime.copyFile(from: source, to: target) }
      },
      way("cp") {
        let cp = Process()
        cp.executableURL = URL(fileURLWithPath: "/bin/cp")
        cp.arguments = [files.source.string, files.target.string]
        try cp.run()
        cp.waitUntilExit()
      },
    ]
  }

  /// Removed at the end of the process's last use of them.
  private final class Files {
    let (source, target): (FilePath, FilePath)
    init(_ folder: String) {
      let base = "\(folder)/syslet-everyday-\(getpid())"
      (source, target) = (FilePath(base + ".source"), FilePath(base + ".target"))
    }
    deinit { for path in [source, target] { unsafe unlink(path.string) } }
  }
}
