// Calls that a file server has seen are made once, and what it answers counts (input 3 of the parity review, and its siblings).

import CTestSupport
import Glibc
import SysletRing
import Testing

@Suite("Parity: file servers", .leavesNothingBehind)
struct FileServerParityTests {
  /// What the ring answers by itself where it cannot do something, and a file server may answer too.
  static let errors: [Int32] = [EACCES, EIO, EINVAL, EOPNOTSUPP]

  /// Runs the body on a thread of its own, with a server; reports what it says, or that there can be none.
  static func withServer(_ title: String, _ body: @escaping @Sendable (FileServer) throws -> [String]) {
    if let obstacle = FileServer.obstacle { return reportSkipped(title, obstacle) }
    let attempt: @Sendable () -> [String] = { do { return try body(try FileServer()) } catch { return ["\(error)"] } }
    let ended = Parity.onThreads([attempt], deadline: Deadline.usual)
    guard let failures = ended[0] else {
      Issue.record("\(title): does not return")
      return
    }
    for failure in failures { Issue.record("\(title): \(failure)") }
  }

  /// One call, in its surroundings: its result.
  static func result(
    _ surroundings: Parity.Surroundings, on backend: SysletEngine.Backend, _ call: ParityCall
  ) throws -> Int {
    let program = Program(.direct)
    let result = program.word()
    let flags: AtomFlags = surroundings == .softChain ? .stopOnNegative : []
    let isChain = surroundings == .hardChain || surroundings == .softChain
    if isChain { program.atom(noOperation, flags: flags) }
    program.atom(call.number, list: call.arguments.map { .value($0) }, flags: flags, result: result)
    if isChain { program.atom(noOperation) }
    // Many at once, so that it is not by chance where it runs.
    let others = Program(.direct, capacity: 32)
    if surroundings == .crowd { for _ in 0..<32 { others.atom(noOperation, next: .end) } }
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    for index in 0..<others.count { try engine.enqueue(others, index) }
    if surroundings == .executed {
      if try engine.exec(program) == nil { _ = try engine.take() }
    } else {
      try engine.enqueue(program)
      _ = try engine.takeAll(others.count + 1)
    }
    return result.value
  }

  // The ring's EACCES was taken for its own refusal, and close was made again: on a number that was free already, or somebody else's.
  @Test("A close that fails is told once, and has let go of the number", arguments: SysletEngine.Backend.available, errors)
  func close(backend: SysletEngine.Backend, errno: Int32) {
    Self.withServer("a close whose flush answers \(errno)") { server in
      server.add("file", 100)
      var failures: [String] = []
      for surroundings in Parity.Surroundings.allCases {
        server.fail(.flush, 0)
        let descriptor = server.openHigh("file", O_RDWR)
        if descriptor < 0 { return ["open: \(descriptor)"] }
        server.fail(.flush, errno)
        let seen = server.seen(.flush)
        let result = try Self.result(surroundings, on: backend, ParityCall(SystemCall.close, .int(descriptor)))
        if result != -Int(errno) { failures.append("\(surroundings): \(result) instead of \(-errno)") }
        if server.seen(.flush) != seen + 1 { failures.append("\(surroundings): the server saw it \(server.seen(.flush) - seen) times") }
        let again = try Self.result(surroundings, on: backend, ParityCall(SystemCall.close, .int(descriptor)))
        if again != -Int(EBADF) { failures.append("\(surroundings): the next close gives \(again)") }
      }
      return failures
    }
  }

  /// A call on the file "file" or the descriptor of it, by which request the server sees it, and the call's own arguments.
  struct Request: Sendable, CustomStringConvertible {
    let description: String
    let request: FileServer.Request
    let call: @Sendable (FileServer, Stage, UInt64) -> ParityCall

    init(_ description: String, _ request: FileServer.Request, _ call: @escaping @Sendable (FileServer, Stage, UInt64) -> ParityCall) {
      (self.description, self.request, self.call) = (description, request, call)
    }
  }

  static let requests: [Request] = [
    Request("openat", .open) { server, s, _ in
      ParityCall(SystemCall.openat, .int(server.root), s.arena.path("file").address, .int(O_RDWR | O_CLOEXEC), 0)
    },
    Request("openat with O_CREAT and O_EXCL", .create) { server, s, _ in
      // Created by the server although it answers an error: who asks again finds it there.
      let name = "new-\(UInt32.random(in: 0...UInt32.max))"
      return ParityCall(
        SystemCall.openat, .int(server.root), s.arena.path(name).address, .int(O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC), .int(0o600))
    },
    Request("openat with O_TRUNC", .setattr) { server, s, _ in
      ParityCall(SystemCall.openat, .int(server.root), s.arena.path("file").address, .int(O_RDWR | O_TRUNC | O_CLOEXEC), 0)
    },
    Request("pread64", .read) { _, s, file in ParityCall(SystemCall.pread64, file, s.arena.buffer(8).address, 8, 0) },
    Request("pwrite64", .write) { _, s, file in ParityCall(SystemCall.pwrite64, file, s.arena.buffer(8).address, 8, 0) },
    Request("read", .read) { _, s, file in ParityCall(SystemCall.read, file, s.arena.buffer(8).address, 8) },
    Request("write", .write) { _, s, file in ParityCall(SystemCall.write, file, s.arena.buffer(8).address, 8) },
    Request("fsync", .fsync) { _, _, file in ParityCall(SystemCall.fsync, file) },
    Request("ftruncate", .setattr) { _, _, file in ParityCall(SystemCall.ftruncate, file, 50) },
    Request("statx", .getattr) { _, s, file in
      // AT_EMPTY_PATH | AT_STATX_FORCE_SYNC
      ParityCall(SystemCall.statx, file, s.arena.path("").address, 0x1000 | 0x2000, 0x7ff, s.arena.buffer(256).address)
    },
    Request("unlinkat", .unlink) { server, s, _ in
      let name = "old-\(UInt32.random(in: 0...UInt32.max))"
      server.add(name, 1)
      return ParityCall(SystemCall.unlinkat, .int(server.root), s.arena.path(name).address, 0)
    },
  ]

  @Test(
    "A request that a file server has refused is not made again, whatever it answered", arguments: SysletEngine.Backend.available, requests)
  func once(backend: SysletEngine.Backend, request: Request) {
    Self.withServer("\(request)") { server in
      server.add("file", 100)
      let stage = Stage()
      let file = stage.descriptors.adopt(server.open("file", O_RDWR))
      var failures: [String] = []
      for errno in Self.errors {
        server.fail(request.request, errno)
        var seen = server.seen(request.request)
        let call = request.call(server, stage, .int(file))
        let plain = plainCall(call.number, call.arguments)
        let times = server.seen(request.request) - seen
        if plain != -Int(errno) { failures.append("the plain call gives \(plain)") }
        for surroundings in Parity.Surroundings.allCases {
          seen = server.seen(request.request)
          let result = try Self.result(surroundings, on: backend, request.call(server, stage, .int(file)))
          let count = server.seen(request.request) - seen
          if result != plain { failures.append("\(surroundings): \(result) instead of \(plain)") }
          if count != times { failures.append("\(surroundings), \(errno): the server saw it \(count) times instead of \(times)") }
        }
        server.fail(request.request, 0)
      }
      return failures
    }
  }

  @Test(
    "What file system a descriptor is on, is found without asking the file server",
    .enabled(if: ReferenceKernel.isHere, "before Linux 6.8 there is no statmount"), arguments: SysletEngine.Backend.available)
  func fileSystem(backend: SysletEngine.Backend) {
    Self.withServer("a kept statfs") { server in
      server.add("file", 100)
      let file = server.open("file", O_RDWR)
      defer { Glibc.close(file) }
      let program = Program(.direct)
      program.atom(SystemCall.pread64, .int(file), .to(program.buffer(8)), 8, 0, next: .end)
      server.hold(.statfs, true)
      let guardian = Release(server, .statfs)
      defer { guardian.finish() }
      let engine = try Parity.engine(backend)
      defer { try? engine.close() }
      let start = test_milliseconds()
      try engine.enqueue(program)
      let taken = try engine.take()
      var failures = taken.map(\.result) == [8] ? [] : ["it gives \(taken)"]
      if test_milliseconds() - start > 2000 { failures.append("it waits for the server") }
      if server.seen(.statfs) > 0 { failures.append("the server is asked") }
      return failures
    }
  }

  /// A call, and the request that it makes.
  struct Kept: Sendable, CustomStringConvertible {
    let call: Int
    let name: String
    let request: FileServer.Request
    var description: String { "\(name), which asks for \(request)" }
  }

  static let kept: [Kept] = [
    Kept(call: SystemCall.pread64, name: "pread64", request: .read),
    Kept(call: SystemCall.statx, name: "statx", request: .getattr),
    Kept(call: SystemCall.fstat, name: "fstat", request: .getattr),
    Kept(call: SystemCall.lseek, name: "lseek to the end", request: .getattr),
    Kept(call: SystemCall.openat, name: "openat", request: .open),
    Kept(call: SystemCall.openat, name: "openat", request: .lookup),
    Kept(call: SystemCall.close, name: "close", request: .flush),
  ]

  // What a descriptor is was asked with fstat, on the engine's thread: a server that hangs then held all other syslets.
  @Test("While a file server keeps a request, the engine's other syslets go on", arguments: LifeRegressionTests.asynchronous, kept)
  func hanging(backend: SysletEngine.Backend, kept: Kept) {
    let request = kept.request
    Self.withServer("a kept \(kept)") { server in
      server.add("file", 100)
      let stage = Stage()
      let file = server.open("file", O_RDWR)
      defer { if kept.call != SystemCall.close { Glibc.close(file) } }
      let program = Program(.direct)
      switch kept.call {
      case SystemCall.pread64: program.atom(kept.call, .int(file), .to(program.buffer(8)), 8, 0, next: .end)
      case SystemCall.statx:
        program.atom(kept.call, .int(file), .to(program.path("")), 0x3000, 0x7ff, .to(program.buffer(256)), next: .end)
      case SystemCall.fstat: program.atom(kept.call, .int(file), .to(program.buffer(256)), next: .end)
      case SystemCall.lseek: program.atom(kept.call, .int(file), 0, .int(SEEK_END), next: .end)
      case SystemCall.close: program.atom(kept.call, .int(file), next: .end)
      default: program.atom(kept.call, .int(server.root), .to(program.path("file")), .int(O_RDONLY | O_CLOEXEC), 0, next: .end)
      }
      let quick = program.atom(SystemCall.pread64, .int(stage.descriptors.file([1, 2, 3])), .to(program.buffer(8)), 8, 0, next: .end)
      server.hold(request, true)
      let guardian = Release(server, request)
      defer { guardian.finish() }
      // In place a first call of its kind may hold the owner's thread for as long as it takes: with a limit of zero it may not.
      let engine = try Parity.engine(backend) { $0.inlineLimit = .zero }
      defer { try? engine.close() }
      try engine.enqueue(program)
      try engine.flush()
      var failures: [String] = []
      if !server.awaitHeld(1) { failures.append("the server did not get the request") }
      try engine.enqueue(program, quick)
      let other = try engine.take(timeout: .seconds(2))
      if other.map(\.result) != [3] { failures.append("the other one: \(other)") }
      server.hold(request, false)
      let taken = try engine.takeAll(2 - other.count)
      if taken.contains(where: { $0.result < 0 }) { failures.append("what was kept: \(taken)") }
      for one in taken where kept.call == SystemCall.openat { if one.atom == program.address(0) { Glibc.close(Int32(one.result)) } }
      return failures
    }
  }
}
