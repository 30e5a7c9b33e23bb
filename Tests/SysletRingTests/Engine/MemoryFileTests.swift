// Files of which all is in memory: io_uring has no way that does not wait there, and hands each call to a kernel worker.

import CLiburing
import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("Files in memory", .leavesNothingBehind)
struct MemoryFileTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let number: Int
    /// What follows the descriptor; the buffer has 4 KiB.
    let arguments: @Sendable (_ buffer: Program.Argument, _ index: Int) -> [Program.Argument]
    let result: Int
    var testDescription: String { name }
  }

  static let size = 4096

  static let cases = [
    Case(name: "pread64", number: SystemCall.pread64, arguments: { [$0, .int(size), .int($1 * size)] }, result: size),
    Case(name: "read", number: SystemCall.read, arguments: { buffer, _ in [buffer, .int(64)] }, result: 64),
    Case(name: "pwrite64", number: SystemCall.pwrite64, arguments: { [$0, .int(size), .int($1 * size)] }, result: size),
    Case(name: "write", number: SystemCall.write, arguments: { buffer, _ in [buffer, .int(64)] }, result: 64),
    Case(name: "fdatasync", number: SystemCall.fdatasync, arguments: { _, _ in [] }, result: 0),
    Case(name: "fsync", number: SystemCall.fsync, arguments: { _, _ in [] }, result: 0),
  ]

  @Test(
    "automatic gives their calls to nobody that waits for them, few at a time or many, be it with O_DIRECT",
    .enabled(if: ringObstacle == nil, "without a ring automatic is threads"), arguments: cases, [1, 32])
  func plain(testCase: Case, depth: Int) throws {
    // On a busy machine any call may seem slow, and slow ones are a worker's.
    let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(60) }
    defer { try? engine.close() }
    let descriptor = test_memory_file()
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(ftruncate(descriptor, 64 * Self.size) == 0)
    // Before Linux 6.6 there is no O_DIRECT there.
    for flags in [0, Int32(SYSLET_O_DIRECT)] where fcntl(descriptor, F_SETFL, flags) == 0 {
      let before = engine.statistics
      for _ in 0..<3 {
        lseek(descriptor, 0, SEEK_SET)
        let program = Program(.direct)
        // 4 KiB at a border of as many, which O_DIRECT wants.
        let buffer = program.buffer(2 * Self.size)
        let aligned = Program.Argument.value(.int((Int(buffer.address) + Self.size - 1) / Self.size * Self.size))
        for index in 0..<depth {
          program.atom(testCase.number, list: [.int(descriptor)] + testCase.arguments(aligned, index), next: .end)
        }
        for index in 0..<depth { try engine.enqueue(program, index) }
        let taken = try engine.takeAll(depth)
        #expect(taken.map(\.result) == [Int](repeating: testCase.result, count: depth))
      }
      let after = engine.statistics
      #expect(after.sqes == before.sqes, "some were the ring's, with flags \(flags)")
      if depth == 1 { #expect(after.workerHops == before.workerHops, "some were a worker's, with flags \(flags)") }
    }
  }

  /// Whether files in /dev/shm are in memory.
  private static var isMemory: Bool {
    let scratch = "/dev/shm/syslet-test-is-memory-\(getpid())"
    let descriptor = unsafe open(scratch, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer {
      close(descriptor)
      unsafe unlink(scratch)
    }
    return syslet_descriptor_is_memory(descriptor) != 0
  }

  // What a syslet has opened itself is read with pread where its position is to be, as long as nobody else can see that. A hint that ran out in
  // between had the 32nd read made at the file's beginning.
  @Test(
    "A syslet reads on and on in what it has opened itself, and so do others after it", .enabled(if: isMemory),
    arguments: SysletEngine.Backend.available, [false, true])
  func opened(backend: SysletEngine.Backend, isBatch: Bool) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let path = "/dev/shm/syslet-test-\(getpid())"
    let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    try #require(file >= 0)
    defer {
      close(file)
      unsafe unlink(path)
    }
    let content = (0..<100).map { UInt8($0) }
    try #require(unsafe write(file, content, content.count) == content.count)
    let program = Program(.direct, capacity: 64)
    let (descriptor, bytes) = (program.word(-1), program.buffer(64))
    program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDONLY | O_CLOEXEC), 0, flags: .stopOnNegative, result: descriptor)
    let count = 60
    for index in 0..<count {
      program.atom(SystemCall.read, .pointed(descriptor), .value(bytes.address + UInt64(index)), 1, flags: .stopOnNonPositive)
    }
    if isBatch { try engine.enqueue(program, 0) }
    let isHere = try !isBatch && engine.exec(program, 0) != nil
    if !isHere { #expect(try engine.take().first?.executed == count + 1) }
    #expect((0..<count).map { bytes.load($0, as: UInt8.self) } == Array(content[..<count]))
    let left = Int32(descriptor.value)
    defer { close(left) }
    #expect(lseek(left, 0, SEEK_CUR) == count)
  }
}
