// Directories and files that a test has for itself.

import CTestSupport
import Foundation
import Glibc
import SysletRing

/// A directory of its own, removed with everything in it when this goes.
final class Scratch {
  let path: String
  private let ledger = Ledger.current

  init() {
    let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    path = "\(base)/syslet-tests-\(getpid())-\(UUID().uuidString)"
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      fatalError("the tests need a directory that they can write to (TMPDIR): \(error)")
    }
    ledger?.add(1)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
    ledger?.add(-1)
  }

  func path(_ name: String) -> String { "\(path)/\(name)" }

  @discardableResult
  func file(_ name: String, _ content: [UInt8]) -> String {
    let isMade = FileManager.default.createFile(
      atPath: path(name), contents: Data(content), attributes: [.posixPermissions: 0o644])
    precondition(isMade, "the file \(name) of a fixture could not be made")
    return path(name)
  }

  @discardableResult
  func file(_ name: String, _ content: String = "") -> String { file(name, Array(content.utf8)) }

  /// A file's bytes, by plain calls: Foundation leaks a page for each empty file, and the leak checks would show it.
  func content(_ name: String) -> [UInt8]? {
    let arena = Arena()
    let (path, buffer) = (arena.path(path(name)), arena.buffer(16384))
    let file = plainCall(SystemCall.openat, .int(AT_FDCWD), path.address, .int(O_RDONLY | O_CLOEXEC), 0)
    guard file >= 0 else { return nil }
    defer { plainCall(SystemCall.close, .int(file)) }
    var bytes: [UInt8] = []
    while case let count = plainCall(SystemCall.read, .int(file), buffer.address, .int(buffer.count)), count > 0 {
      bytes += buffer.bytes.prefix(count)
    }
    return bytes
  }

  func text(_ name: String) -> String? { content(name).map { String(decoding: $0, as: UTF8.self) } }

  func exists(_ name: String) -> Bool { (try? FileManager.default.attributesOfItem(atPath: path(name))) != nil }

  @discardableResult
  func directory(_ name: String) -> String {
    try? FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: false)
    return path(name)
  }

  /// What can be seen of this directory: each name with its kind, links, permissions and content.
  func listing() -> [String] {
    let names = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
    return names.sorted().map { name in
      let facts = try? FileManager.default.attributesOfItem(atPath: path(name))
      let kind = facts?[.type] as? FileAttributeType ?? .typeUnknown
      let permissions = (facts?[.posixPermissions] as? Int).map { String($0, radix: 8) } ?? "?"
      var line = "\(name): \(kind.rawValue) \(permissions) links \(facts?[.referenceCount] as? Int ?? 0)"
      switch kind {
      case .typeSymbolicLink:
        line += " -> \((try? FileManager.default.destinationOfSymbolicLink(atPath: path(name))) ?? "?")"
      case .typeRegular:
        let content = content(name) ?? []
        line += " \(content.count) bytes \(content.prefix(64))"
      default: break
      }
      return line
    }
  }
}

/// Descriptors that are closed when this goes.
final class Descriptors {
  private(set) var opened: [Int32] = []
  private let ledger = Ledger.current

  init() { ledger?.add(1) }

  func adopt(_ descriptor: Int32) -> Int32 {
    precondition(descriptor >= 0, "a descriptor for a fixture: errno \(errno)")
    opened.append(descriptor)
    return descriptor
  }

  func open(_ path: String, _ flags: Int32, mode: mode_t = 0o644) -> Int32 {
    adopt(unsafe Glibc.open(path, flags | O_CLOEXEC, mode))
  }

  func pipe() -> (read: Int32, write: Int32) {
    let arena = Arena()
    let ends = arena.buffer(8)
    precondition(plainCall(SystemCall.pipe2, ends.address, .int(O_CLOEXEC)) == 0)
    return (adopt(ends.load(0, as: Int32.self)), adopt(ends.load(4, as: Int32.self)))
  }

  func socketPair(_ type: __socket_type = SOCK_STREAM) -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    let result = unsafe socketpair(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends)
    precondition(result == 0)
    return (adopt(ends[0]), adopt(ends[1]))
  }

  /// A file without a name, at its beginning: on a disk, because `automatic` gives nothing of one that is in memory to the ring.
  func file(_ content: [UInt8]) -> Int32 {
    let arena = Arena()
    let descriptor = adopt(test_disk_file())
    let written = plainCall(SystemCall.pwrite64, .int(descriptor), arena.buffer(bytes: content).address, .int(content.count), 0)
    precondition(written == content.count)
    return descriptor
  }

  func event(_ count: UInt32) -> Int32 { adopt(Int32(plainCall(SystemCall.eventfd2, .int(count), .int(O_CLOEXEC)))) }

  /// The call under test has closed it.
  func forget(_ descriptor: Int32) { opened.removeAll { $0 == descriptor } }

  deinit {
    for descriptor in opened { close(descriptor) }
    ledger?.add(-1)
  }
}

extension Scratch {
  /// How many descriptors from `base` on name something in the folder, and are not the folder's own: engines have others.
  func openFiles(from base: Int32 = 0) -> Int {
    (base..<base + 512).count { number in
      var name = [UInt8](repeating: 0, count: 4096)
      let length = unsafe name.withUnsafeMutableBytes { unsafe readlink("/proc/self/fd/\(number)", $0.baseAddress!, $0.count) }
      return length > 0 && String(decoding: name.prefix(length), as: UTF8.self).hasPrefix("\(path)/")
    }
  }
}
