// SYNC: an atom that asks for the caller's context gets it, even if it blocks.

import CTestSupport
import SysletRing
import Testing

@Suite("SYNC", .leavesNothingBehind)
struct SynchronousTests {
  @Test("A call with SYNC blocks in exec, and the syslet is cached", arguments: SysletEngine.Backend.available, Form.allCases)
  func blocksInExec(backend: SysletEngine.Backend, form: Form) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let program = Program(form)
    let pipe = program.descriptors.pipe()
    let sum = program.word(0)
    #expect(test_write_later(pipe.write, 3, 5) == 0)
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: [.sync, .stopOnNonPositive], result: program.word())
    program.atom(umemAdd, .to(sum), 1)
    #expect(try engine.exec(program) == 1)
    #expect(program.comparedWords.map(\.value) == [1, 3])
    #expect(engine.pending == 0)
    #expect(try engine.take(timeout: .zero) == [])
  }

  @Test(
    "A call with SYNC in a syslet that has gone asynchronous does not hold up the owner",
    arguments: [SysletEngine.Backend.ring, .threads].filter { SysletEngine.Backend.available.contains($0) })
  func doesNotBlockLater(backend: SysletEngine.Backend) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let program = Program(.direct)
    let pipe = program.descriptors.pipe()
    program.atom(umemAdd, .to(program.word(0)), 1, flags: .async)
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 8, flags: .sync, result: program.word())
    #expect(try engine.exec(program) == nil)
    #expect(try engine.take(timeout: .milliseconds(1)) == [])
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3)
    #expect(try engine.take().map(\.result) == [3])
  }
}
