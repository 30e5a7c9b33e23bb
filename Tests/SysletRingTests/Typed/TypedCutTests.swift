// Typed programs that are cut short behind each of their steps, by each of what cuts them short.

import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Typed programs cut short", .leavesNothingBehind, .timeLimit(.minutes(15)))
struct TypedCutTests {
  /// What cuts a program short.
  enum Way: CaseIterable { case cancelled, late, steps }

  /// Runs what is bound in a frame; it is cut short behind so many steps, unless it is at its end before.
  static func run(_ frame: SysletFrame, on engine: SysletEngine, behind steps: Int, by way: Way) throws -> (Activation.Ending, wasCut: Bool)
  {
    var activation = Activation(frame, nil, Admission(max: 1, mayWait: false))
    var next = activation.begin
    var left = steps
    var wasCut = false
    while let step = next {
      engine.limitSteps(to: wasCut || activation.isShielded ? nil : max(1, left))
      _ = try engine.enqueue(frame.head, from: frame.address(ofStep: step), waiter: 0)
      var completion = try take(engine)
      left -= completion.executed
      if completion.reason == .stepLimit {
        wasCut = true
        if way != .steps { completion.reason = .cancelled }
      }
      next = activation.follow(completion, isLate: wasCut && way == .late)
    }
    return (activation.ending(), wasCut)
  }

  private static func take(_ engine: SysletEngine) throws -> Completion {
    let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 1)
    defer { unsafe completions.deallocate() }
    let count = unsafe try engine.wait(into: completions, atLeast: 1, timeout: Deadline.usual)
    try #require(count == 1)
    return unsafe completions[0]
  }

  /// Cuts a program short behind each of its steps until it comes to its end, and looks each time.
  ///
  /// - Parameter bind: Gives a frame its arguments. Not as a parameter pack, by which the optimizer of Swift 6.3.1 crashes here.
  private func enumerate(
    _ program: TypedProgram, on engine: SysletEngine, by way: Way, lending bytes: [UInt8] = [], stepsMin: Int = 4,
    bind: (SysletFrame) -> Void,
    prepare: () throws -> Void = {}, look: (Activation.Ending, Bool) throws -> Void
  ) throws {
    let frame = program.pool.take()
    defer { program.pool.giveBack(frame) }
    for steps in 1... {
      try prepare()
      frame.reset()
      bind(frame)
      let (ending, wasCut) = try unsafe bytes.withUnsafeBytes { bytes in
        if unsafe !bytes.isEmpty { unsafe program.lend(bytes, to: frame) }
        return try Self.run(frame, on: engine, behind: steps, by: way)
      }
      switch (wasCut, way) {
      case (true, .cancelled): #expect(ending.error is CancellationError)
      case (true, .late): #expect((ending.error as? SysletError)?.reason == .timedOut)
      case (true, .steps): #expect((ending.error as? SysletError)?.reason.kind == .stepLimit)
      case (false, _): break
      }
      try look(ending, wasCut)
      if !wasCut {
        #expect(steps >= stepsMin)
        return
      }
      try #require(steps < 500)
    }
  }

  /// The two ends of a connection, the caller's to close.
  private func socketPair() throws -> [Int32] {
    var pair: [Int32] = [0, 0]
    let made = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
    try #require(made == 0)
    return pair
  }

  private func withEngines(_ body: (SysletEngine) throws -> Void) throws {
    // Those on which a run is cut short behind a given step: workers count for themselves.
    for backend in SysletEngine.Backend.available where backend == .inline || backend == .ring {
      var options = SysletEngine.Options()
      options.backend = backend
      let engine = try SysletEngine(options)
      defer { try? engine.close() }
      try TypedFuzzTests.warm(engine)
      try body(engine)
    }
  }

  @Test("Behind each step of a replacement nothing is left of it, and the target is the old one or the new one", arguments: Way.allCases)
  func replace(way: Way) throws {
    let scratch = Scratch()
    let (temporary, target) = (FilePath(scratch.path("temporary")), FilePath(scratch.path("target")))
    try withEngines { engine in
      var isNew: [Bool] = []
      try enumerate(Files.replace.program, on: engine, by: way, lending: Array("new".utf8)) {
        Files.replace.bind(temporary, target, FilePath(scratch.path), Bytes(), to: $0)
      } prepare: {
        scratch.file("target", "old")
      } look: { ending, wasCut in
        let text = scratch.text("target")
        #expect(text == "old" || text == "new")
        isNew.append(text == "new")
        #expect(wasCut || ending.error == nil && text == "new")
        #expect(scratch.content("temporary") == nil && scratch.openFiles() == 0)
      }
      // From one step on it is the new one.
      #expect(isNew == isNew.sorted { !$0 && $1 } && isNew.first == false)
    }
  }

  @Test("Behind each step of a copy its descriptors are closed", arguments: Way.allCases)
  func copy(way: Way) throws {
    let scratch = Scratch()
    let content = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let (from, to) = (FilePath(scratch.file("from", content)), FilePath(scratch.path("to")))
    try withEngines { engine in
      try enumerate(Files.copy.program, on: engine, by: way) {
        Files.copy.bind(from, to, to: $0)
      } look: { ending, wasCut in
        #expect(scratch.openFiles() == 0)
        #expect(content.starts(with: scratch.content("to") ?? []))
        #expect(wasCut || scratch.content("to")?.count == 600_000)
      }
    }
  }

  @Test("Behind each step of reading, of a status and of an append nothing is open", arguments: Way.allCases)
  func others(way: Way) throws {
    let scratch = Scratch()
    let path = FilePath(scratch.file("file", "0123456789"))
    try withEngines { engine in
      try enumerate(Files.read.program, on: engine, by: way, lending: [UInt8](repeating: 0, count: 64)) {
        Files.read.bind(path, MutableBytes(), to: $0)
      } look: { _, _ in
        #expect(scratch.openFiles() == 0)
      }
      let log = try FileDescriptor.open(path, .readWrite)
      defer { try? log.close() }
      try enumerate(Files.append.program, on: engine, by: way, lending: Array("more".utf8)) {
        Files.append.bind(log, Bytes(), to: $0)
      } prepare: {
        try log.resize(to: 10)
      } look: { ending, wasCut in
        let text = scratch.text("file")
        #expect(text == "0123456789" || text == "0123456789more")
        #expect(wasCut || ending.error == nil && text == "0123456789more")
        #expect(scratch.openFiles() == 1)
      }
    }
  }

  @Test(
    "Behind each step of a response and of a status nothing is open, and what has been sent is how the file begins", arguments: Way.allCases
  )
  func respond(way: Way) throws {
    let scratch = Scratch()
    let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 11) }
    let path = FilePath(scratch.file("page", content))
    let folder = try FileDescriptor.open(FilePath(scratch.path), .readOnly, options: .directory)
    defer { try? folder.close() }
    let pair = try socketPair()
    defer { for end in pair { close(end) } }
    func drain(_ end: Int32) -> [UInt8] {
      var all: [UInt8] = []
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while case let count = unsafe recv(end, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count > 0 { all += bytes.prefix(count) }
      return all
    }
    try withEngines { engine in
      try enumerate(Files.status.program, on: engine, by: way, stepsMin: 1) {
        Files.status.bind(path, to: $0)
      } look: { _, _ in
        #expect(scratch.openFiles() == 0)
      }
      try enumerate(Files.respond.program, on: engine, by: way) {
        Files.respond.bind(FileDescriptor(rawValue: pair[0]), folder, to: $0)
      } prepare: {
        // What a response that was cut before it has not taken.
        _ = drain(pair[0])
        let request = Array("page".utf8) + [0]
        let sent = unsafe send(pair[1], request, request.count, 0)
        #expect(sent == request.count)
      } look: { ending, wasCut in
        let sent = drain(pair[1])
        #expect(content.starts(with: sent) && scratch.openFiles() == 0)
        #expect(wasCut || ending.error == nil && sent.count == content.count)
      }
    }
  }

  static let answer = Syslet(FileDescriptor.self, FileDescriptor.self) { s, connection, root in
    s.within(.seconds(100)) {
      let file = root.open("answer", .readOnly)
      s.ensure { _ = connection.write(s.greeting(), count: 1) }
      s.attempt {
        file.resize(to: 3)
      } onFailure: { _ in
        let chunk = s.buffer(count: 64)
        connection.sendAll(chunk, count: file.read(into: chunk))
      }
    }
  }

  @Test(
    "Behind each step of an answer with a limit, a handler and a clean-up, the latter has run once if the file was open",
    arguments: Way.allCases)
  func answer(way: Way) throws {
    let scratch = Scratch()
    scratch.file("answer", "abc")
    let folder = try FileDescriptor.open(FilePath(scratch.path), .readOnly, options: .directory)
    defer { try? folder.close() }
    let pair = try socketPair()
    defer { for end in pair { close(end) } }
    try withEngines { engine in
      try enumerate(Self.answer.program, on: engine, by: way) {
        Self.answer.bind(FileDescriptor(rawValue: pair[0]), folder, to: $0)
      } look: { ending, wasCut in
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe recv(pair[1], &bytes, bytes.count, Int32(MSG_DONTWAIT))
        let opened = (ending.last ?? 0) >= 1
        #expect(!opened || bytes.prefix(max(0, count)).contains(0), "\(ending)")
        #expect(wasCut || count == 4)
        #expect(scratch.openFiles() == 0)
      }
    }
  }
}

extension SysletBuilder {
  /// A byte that is 0.
  fileprivate func greeting() -> SysletBuffer { buffer(count: 1) }
}
