// A tree of which nothing is in the page cache, read and hashed.

internal import Dispatch
internal import Glibc
internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

enum ColdTree {
  static func ways(_ tree: TreeFiles) throws -> [Way] {
    let names = unsafe (0..<tree.count).map { unsafe String(cString: tree.paths[$0]!) }
    let paths = names.map { FilePath($0) }
    let runtime = try Ours.make()
    let whole = try digest(names)
    func way(_ name: String, _ work: @escaping () throws -> Int) -> Way {
      Way(name) {
        try drop(names)
        let begin = Program.now()
        let sum = try work()
        let elapsed = Program.now() - begin
        guard sum == whole else { throw Failure("\(name) has the sum \(sum), and not \(whole)") }
        return Double(elapsed) / Double(names.count)
      }
    }
    return [
      way("readFile, 32 tasks") {
        try Blocking.run(on: runtime.executor) {
          try await ReadFile.inTasks(names.count) { index in
            let bytes = try await runtime.readFile(paths[index], limit: ReadFile.limit)
            return unsafe bytes.withUnsafeBytes { unsafe hash($0) }
          }
        }
      },
      way("plain calls, one thread") { try digest(names) },
      way("Dispatch, 32 threads") {
        let queue = DispatchQueue(label: "cold", attributes: .concurrent)
        let sums = Sums()
        let group = DispatchGroup()
        for first in 0..<ReadFile.tasks {
          queue.async(group: group) {
            for index in stride(from: first, to: names.count, by: ReadFile.tasks) { sums.add((try? digest([names[index]])) ?? 0) }
          }
        }
        group.wait()
        return sums.value
      },
    ]
  }

  /// The sum of the files' hashes.
  static func digest(_ names: [String]) throws -> Int {
    var sum = 0
    _ = try ReadFile.read(names) { unsafe sum &+= hash($0) }
    return sum
  }

  /// Eight bytes at a time, so that reading is most of the work.
  static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    var offset = 0
    while offset + 8 <= bytes.count {
      hash = unsafe (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01B3
      offset += 8
    }
    while offset < bytes.count {
      hash = unsafe (hash ^ UInt64(bytes[offset])) &* 0x100_0000_01B3
      offset += 1
    }
    return Int(truncatingIfNeeded: hash >> 16)
  }

  private static func drop(_ names: [String]) throws {
    for name in names {
      let descriptor = unsafe open(name, O_RDONLY)
      guard descriptor >= 0 else { throw Failure("\(name) cannot be opened: errno \(errno)") }
      posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
      close(descriptor)
    }
  }

  /// A sum that threads add to.
  private final class Sums: @unchecked Sendable {
    private let queue = DispatchQueue(label: "sum")
    private var sum = 0
    var value: Int { queue.sync { sum } }
    func add(_ value: Int) { queue.sync { sum &+= value } }
  }
}
