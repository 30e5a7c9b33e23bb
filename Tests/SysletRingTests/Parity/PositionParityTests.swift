// Reading and writing at a file's own position against plain calls: on the ring it moved late, or never (input 1 of the parity review).

import CTestSupport
import Glibc
import SysletRing
import Testing

private let atPosition = UInt64.int(-1)

@Suite("Parity: a file's position", .leavesNothingBehind)
struct PositionParityTests {
  /// Whether the file system of the scratch directories takes O_DIRECT.
  static let isDirectPossible: Bool = {
    let scratch = Scratch()
    let descriptor = unsafe Glibc.open(scratch.file("f", "x"), O_RDONLY | OpenFlag.direct | O_CLOEXEC)
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
  }()

  private static let content = String(repeating: "0123456789", count: 500)

  /// Calls on one descriptor of a file of 5,000 bytes; `opened` with or without O_DIRECT.
  private static func onFile(
    _ title: String, _ expected: Int..., flags: Int32 = O_RDWR, make: @escaping @Sendable (Stage, UInt64) -> ParityScene
  ) -> [ParityCase] {
    [0, OpenFlag.direct].map { direct in
      var testCase = ParityCase("\(title), \(direct == 0 ? "buffered" : "O_DIRECT")") { s, _ in
        let file = s.file("f", content, flags | direct)
        // Not in memory any more: only then the ring gives it to others.
        fdatasync(Int32(file))
        posix_fadvise(Int32(file), 0, 0, Int32(POSIX_FADV_DONTNEED))
        return make(s, file)
      }
      testCase.expected = expected
      return testCase
    }
  }

  static let cases: [ParityCase] =
    [
      onFile("read twice", 5000, 0) { s, file in
        let buffer = s.page("b", 8192).address
        return ParityScene(ParityCall(SystemCall.read, file, buffer, 8192), ParityCall(SystemCall.read, file, buffer, 8192))
      },
      onFile("read three times", 4096, 904, 0) { s, file in
        let (one, two) = (s.page("a"), s.page("b"))
        return ParityScene(
          ParityCall(SystemCall.read, file, one.address, 4096), ParityCall(SystemCall.read, file, two.address, 4096),
          ParityCall(SystemCall.read, file, s.page("c").address, 4096))
      },
      onFile("readv twice", 4096, 904) { s, file in
        let calls = ["a", "b"].map { ParityCall(SystemCall.readv, file, s.vector(s.page($0)), 1) }
        return ParityScene(calls[0], calls[1])
      },
      onFile("preadv2 with offset -1 twice", 4096, 904) { s, file in
        let calls = ["a", "b"].map { ParityCall(SystemCall.preadv2, file, s.vector(s.page($0)), 1, atPosition, 0, 0) }
        return ParityScene(calls[0], calls[1])
      },
      onFile("a read after a read with an offset", 904, 4096) { s, file in
        ParityScene(
          ParityCall(SystemCall.pread64, file, s.page("a").address, 4096, 4096),
          ParityCall(SystemCall.read, file, s.page("b").address, 4096))
      },
      onFile("lseek to the end, read", 5000, 0) { s, file in
        ParityScene(
          ParityCall(SystemCall.lseek, file, 0, .int(SEEK_END)), ParityCall(SystemCall.read, file, s.page("b").address, 4096))
      },
      onFile("read, write, read", 4096, 4096, 0) { s, file in
        ParityScene(
          ParityCall(SystemCall.read, file, s.page("a").address, 4096), ParityCall(SystemCall.write, file, s.page("b").address, 4096),
          ParityCall(SystemCall.read, file, s.page("c").address, 4096))
      },
      onFile("write twice", 4096, 4096) { s, file in
        let page = s.page("a").address
        return ParityScene(ParityCall(SystemCall.write, file, page, 4096), ParityCall(SystemCall.write, file, page, 4096))
      },
      onFile("writev, pwritev2 with offset -1", 4096, 4096) { s, file in
        let vector = s.vector(s.page("a"))
        return ParityScene(
          ParityCall(SystemCall.writev, file, vector, 1), ParityCall(SystemCall.pwritev2, file, vector, 1, atPosition, 0, 0))
      },
    ].flatMap { $0 } + appended

  /// With O_APPEND, where a write with an offset appends too.
  private static let appended: [ParityCase] = [
    ParityCase("appending, write and pwrite64", 3, 3, 3) { s, _ in
      let (file, text) = (s.file("f", "0123456789", O_RDWR | O_APPEND), s.text("abc").address)
      return ParityScene(
        ParityCall(SystemCall.write, file, text, 3), ParityCall(SystemCall.pwrite64, file, text, 3, 0),
        ParityCall(SystemCall.write, file, text, 3))
    },
    ParityCase("appending, read, write, read", 4, 3, 0) { s, _ in
      let file = s.file("f", "0123456789", O_RDWR | O_APPEND)
      return ParityScene(
        ParityCall(SystemCall.read, file, s.buffer("a", 4).address, 4), ParityCall(SystemCall.write, file, s.text("abc").address, 3),
        ParityCall(SystemCall.read, file, s.buffer("b", 4).address, 4))
    },
  ]

  @Test(
    "Reads and writes at the position move it, one after the other", arguments: SysletEngine.Backend.available, cases)
  func position(backend: SysletEngine.Backend, testCase: ParityCase) {
    if testCase.title.hasSuffix("O_DIRECT"), !Self.isDirectPossible {
      return reportSkipped(testCase.title, "the file system of TMPDIR refuses O_DIRECT")
    }
    #expect(Parity.differences(testCase, on: backend) == [])
  }

  // MARK: the loop of the article on the raw API

  @Test(
    "A file is read to its end, with O_DIRECT too, and what was read is counted once", arguments: SysletEngine.Backend.available,
    [true, false])
  func loop(backend: SysletEngine.Backend, isBatch: Bool) throws {
    guard Self.isDirectPossible else { return reportSkipped("reading to the end", "the file system of TMPDIR refuses O_DIRECT") }
    for surroundings in [Parity.Surroundings.alone, .crowd] {
      for call in [SystemCall.read, SystemCall.readv, SystemCall.preadv2] {
        let (stage, program) = (Stage(), Program(.direct))
        let file = stage.file("f", Self.content, O_RDONLY | OpenFlag.direct)
        let page = stage.page("b")
        let (result, total) = (program.word(), program.word(0))
        var arguments: [UInt64] = [file, page.address, 4096]
        if call != SystemCall.read { arguments = [file, stage.vector(page), 1] }
        if call == SystemCall.preadv2 { arguments += [atPosition, 0, 0] }
        program.atom(call, list: arguments.map { .value($0) }, flags: .stopOnNonPositive, result: result)
        program.atom(umemAdd, .to(total), .pointed(result), next: .atom(0))
        let others = Program(.direct)
        if surroundings == .crowd { for _ in 0..<32 { others.atom(noOperation, next: .end) } }
        let engine = try Parity.engine(backend) { $0.maxSteps = 400 }
        defer { try? engine.close() }
        for index in 0..<others.count { try engine.enqueue(others, index) }
        if isBatch {
          try engine.enqueue(program)
          _ = try engine.takeAll(others.count + 1)
        } else {
          if try engine.exec(program) == nil { _ = try engine.takeAll(others.count + 1) }
        }
        #expect(total.value == 5000, "call \(call), \(surroundings)")
        #expect(result.value == 0, "call \(call), \(surroundings)")
      }
    }
  }

  // MARK: two syslets on one descriptor

  // Two buffered reads that were not in memory both began at the old position.
  @Test(
    "Two syslets that read one descriptor get each byte once", arguments: SysletEngine.Backend.available,
    [SystemCall.read, SystemCall.readv])
  func twoReaders(backend: SysletEngine.Backend, call: Int) throws {
    for direct in [0, OpenFlag.direct] where direct == 0 || Self.isDirectPossible {
      let (stage, program) = (Stage(), Program(.direct))
      let file = stage.descriptors.open(
        stage.scratch.file("f", String(repeating: "a", count: 4096) + String(repeating: "b", count: 4096)), O_RDONLY | direct)
      fdatasync(file)
      posix_fadvise(file, 0, 0, Int32(POSIX_FADV_DONTNEED))
      let pages = [stage.page("one"), stage.page("two")]
      for page in pages {
        let arguments: [UInt64] =
          call == SystemCall.read ? [.int(file), page.address, 4096] : [.int(file), stage.vector(page), 1]
        program.atom(call, list: arguments.map { .value($0) }, next: .end)
      }
      let engine = try Parity.engine(backend)
      defer { try? engine.close() }
      try engine.enqueue(program, 0)
      try engine.enqueue(program, 1)
      #expect(try engine.takeAll(2).map(\.result) == [4096, 4096])
      #expect(Set(pages.map(\.text.first)) == ["a", "b"], "direct \(direct)")
      #expect(lseek(file, 0, SEEK_CUR) == 8192, "direct \(direct)")
    }
  }

  @Test(
    "Many syslets that write at one descriptor's position write each byte once", arguments: SysletEngine.Backend.available, [0, O_APPEND])
  func manyWriters(backend: SysletEngine.Backend, flags: Int32) throws {
    let (stage, program) = (Stage(), Program(.direct))
    let file = stage.descriptors.open(stage.scratch.file("f"), O_RDWR | flags)
    for index in 0..<32 {
      let text = program.buffer(16)
      text.bytes = [UInt8](repeating: UInt8(ascii: "a") + UInt8(index % 26), count: 16)
      program.atom(SystemCall.write, .int(file), .to(text), 16, next: .end)
    }
    let engine = try Parity.engine(backend)
    defer { try? engine.close() }
    for index in 0..<32 { try engine.enqueue(program, index) }
    #expect(try engine.takeAll(32).allSatisfy { $0.result == 16 })
    let content = try #require(stage.scratch.content("f"))
    #expect(content.count == 32 * 16)
    #expect(stride(from: 0, to: content.count, by: 16).allSatisfy { Set(content[$0..<min($0 + 16, content.count)]).count == 1 })
    #expect(lseek(file, 0, SEEK_CUR) == 32 * 16)
  }
}
