// Syslets of one call, which need no record in the ring while all goes well (`StagedCall.isLone`), where it does not.

import Glibc
import Testing

@testable import SysletRing

@Suite("Lone calls", .leavesNothingBehind)
struct LoneCallTests {
  private static func engine(_ backend: SysletEngine.Backend, isChecked: Bool = false) throws -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    options.isChecked = isChecked
    return try SysletEngine(options)
  }

  @Test(
    "A result that cannot be stored is the call's, with its stop and without its completion",
    arguments: SysletEngine.Backend.available, Form.allCases)
  func unwritable(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try Self.engine(backend, isChecked: true)
    for flags in [AtomFlags(), .stopOnNegative, [.stopOnNegative, .noComplete]] {
      for _ in 0..<3 {
        let program = Program(form)
        let file = program.descriptors.file(Array("0123456789".utf8))
        let nowhere = unsafe Word(pointer: UnsafeMutablePointer(bitPattern: 8)!)
        program.atom(SystemCall.pread64, .int(file), .to(program.buffer(16)), 4, 0, flags: flags, result: nowhere, next: .end)
        try engine.enqueue(program)
        let taken = try engine.take()
        guard !flags.contains(.noComplete) else {
          #expect(taken.isEmpty)
          continue
        }
        #expect(taken.map(\.result) == [-Int(EFAULT)] && taken.map(\.executed) == [1])
        #expect(taken.map(\.reason) == [flags.contains(.stopOnNegative) ? .stopped : .ended])
      }
    }
    #expect(engine.pending == 0)
    try engine.close()
  }

  @Test(
    "A read of a pipe that is cancelled before or after the flush, or has ended meanwhile, has one completion; closed with some pending, none is left",
    arguments: LifeRegressionTests.asynchronous, Form.allCases)
  func cancelled(backend: SysletEngine.Backend, form: Form) throws {
    let engine = try Self.engine(backend)
    for turn in 0..<60 {
      let program = Program(form)
      let pipe = program.descriptors.pipe()
      program.atom(
        SystemCall.read, .int(pipe.read), .to(program.buffer(16)), 4, flags: turn & 1 == 0 ? [] : .stopOnNegative, result: program.word(),
        next: .end)
      try engine.enqueue(program)
      if turn % 3 != 0 { try engine.flush() }
      if turn % 5 == 4 {
        var byte: UInt8 = 1
        #expect(unsafe write(pipe.write, &byte, 1) == 1)
      }
      if turn % 7 == 6 { _ = try engine.wait(atLeast: 1, timeout: .microseconds(100)) }
      do { try engine.cancel(program) } catch EngineError.notPending {}
      let taken = try engine.take()
      #expect(taken.count == 1)
      guard turn % 5 != 4 else { continue }
      #expect(taken.map(\.reason) == [.cancelled] && taken.map(\.executed) == [0] && taken.map(\.result) == [-Int(ECANCELED)])
    }
    let program = Program(form)
    let pipe = program.descriptors.pipe()
    program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(16)), 4, next: .end)
    for _ in 0..<5 { try engine.enqueue(program) }
    try engine.flush()
    try engine.close()
    #expect(engine.pending == 0)
  }
}
