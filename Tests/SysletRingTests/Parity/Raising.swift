// Calls that raise a signal, and the ways in which a call is handed to an engine.

import CLiburing
import CTestSupport
import Glibc
import SysletRing

/// How a call is made.
enum CallWay: String, CaseIterable {
  case exec, enqueued, synchronous, asynchronous, inMidChain

  /// The result of one call.
  func result(of number: Int, _ arguments: [UInt64], on engine: SysletEngine) throws -> Int? {
    let program = Program(.direct)
    let word = program.word()
    if self == .inMidChain { program.atom(SystemCall.getppid) }
    let flags: AtomFlags = self == .synchronous ? .sync : self == .asynchronous ? .async : []
    program.atom(number, list: arguments.map { .value($0) }, flags: flags, result: word)
    if self == .inMidChain { program.atom(SystemCall.getppid) }
    if self == .enqueued || self == .inMidChain {
      try engine.enqueue(program)
    } else if try engine.exec(program) != nil {
      return word.value
    }
    let taken = try engine.take()
    return taken.isEmpty ? nil : word.value
  }
}

struct Raising: Sendable {
  let name: String
  let number: Int
  let arguments: @Sendable (Scene) -> [UInt64]

  /// What the calls are about, for one of them.
  @safe final class Scene {
    let stage = Stage()
    /// A pipe that nobody reads, and a socket whose peer is closed.
    let pipe: Int32
    let socket: Int32
    /// A pipe with bytes in it.
    let full: Int32
    /// A file of 4,096 bytes, at its end; the same past the page cache, where the file system can do that; and a page to write there.
    let file: Int32
    let direct: Int32
    let page: UInt64
    let content: Buffer

    init() {
      let descriptors = stage.descriptors
      let broken = descriptors.pipe()
      close(broken.read)
      descriptors.forget(broken.read)
      pipe = broken.write
      let pair = descriptors.socketPair()
      close(pair.1)
      descriptors.forget(pair.1)
      socket = pair.0
      content = stage.arena.buffer(9000)
      let source = descriptors.pipe()
      plainCall(SystemCall.write, .int(source.write), content.address, 100)
      full = source.read
      file = descriptors.open(stage.scratch.file("file", [UInt8](repeating: 1, count: 4096)), O_RDWR)
      plainCall(SystemCall.lseek, .int(file), 0, .int(SEEK_END))
      let past = plainCall(
        SystemCall.openat, .int(AT_FDCWD), stage.path("file"), .int(O_RDWR | O_CLOEXEC | Int32(SYSLET_O_DIRECT)), 0)
      direct = past < 0 ? file : descriptors.adopt(Int32(past))
      page = stage.page("page").address
    }

    func vector(_ count: Int) -> UInt64 {
      let vector = stage.arena.buffer(16)
      vector.store(content.address, at: 0)
      vector.store(UInt64(count), at: 8)
      return vector.address
    }

    var message: UInt64 {
      let header = stage.arena.buffer(64)
      header.store(vector(5), at: 16)
      header.store(UInt64(1), at: 24)
      return header.address
    }
  }

  static let brokenPipe: [Raising] = [
    Raising(name: "write 5", number: SystemCall.write) { [.int($0.pipe), $0.content.address, 5] },
    Raising(name: "write 9000", number: SystemCall.write) { [.int($0.pipe), $0.content.address, 9000] },
    Raising(name: "writev", number: SystemCall.writev) { [.int($0.pipe), $0.vector(5), 1] },
    Raising(name: "write to a socket", number: SystemCall.write) { [.int($0.socket), $0.content.address, 5] },
    Raising(name: "writev to a socket", number: SystemCall.writev) { [.int($0.socket), $0.vector(5), 1] },
    Raising(name: "sendto", number: SystemCall.sendto) { [.int($0.socket), $0.content.address, 5, 0, 0, 0] },
    Raising(name: "sendmsg", number: SystemCall.sendmsg) { [.int($0.socket), $0.message, 0] },
    Raising(name: "sendmmsg", number: SystemCall.sendmmsg) { [.int($0.socket), $0.message, 1, 0] },
    Raising(name: "splice", number: SystemCall.splice) { [.int($0.full), 0, .int($0.pipe), 0, 100, 0] },
    Raising(name: "tee", number: SystemCall.tee) { [.int($0.full), .int($0.pipe), 100, 0] },
    Raising(name: "vmsplice", number: SystemCall.vmsplice) { [.int($0.pipe), $0.vector(5), 1, 0] },
    Raising(name: "sendfile", number: SystemCall.sendfile) {
      let zero = $0.stage.arena.buffer(8)
      return [.int($0.pipe), .int($0.file), zero.address, 100]
    },
  ]

  static let fileTooLarge: [Raising] = [
    Raising(name: "write", number: SystemCall.write) { [.int($0.file), $0.content.address, 5] },
    Raising(name: "pwrite64", number: SystemCall.pwrite64) { [.int($0.file), $0.content.address, 5, 4096] },
    Raising(name: "pwrite64 past the page cache", number: SystemCall.pwrite64) { [.int($0.direct), $0.page, 4096, 4096] },
    Raising(name: "writev", number: SystemCall.writev) { [.int($0.file), $0.vector(5), 1] },
    Raising(name: "pwritev", number: SystemCall.pwritev) { [.int($0.file), $0.vector(5), 1, 4096, 0] },
    Raising(name: "ftruncate", number: SystemCall.ftruncate) { [.int($0.file), 5000] },
    Raising(name: "fallocate", number: SystemCall.fallocate) { [.int($0.file), 0, 4096, 100] },
  ]

  /// A thread of this process is in write.
  static var isSomebodyWriting: Bool { unsafe test_count_threads("syscall", "\(SystemCall.write) ") > 0 }
}

/// This process's worker threads.
enum Workers {
  static var count: Int { unsafe Int(test_count_threads("comm", "syslet-worker")) }
}
