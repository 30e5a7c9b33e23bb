// Errors that plain calls, and the sharing of runs between the owner and its workers, once made: each test failed when it was written.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Regressions of plain calls", .leavesNothingBehind)
struct PlainCallRegressionTests {
  // MARK: reads

  // A length that is no Int ended the process with a trap on its way to the kernel, which says EFAULT to it. Only `automatic` reads so.
  @Test("A read of more bytes than there can be fails as the plain call does", arguments: SysletEngine.Backend.available)
  func hugeRead(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck(after: 20)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let file = program.descriptors.memory([1, 2, 3])
      let buffer = program.buffer(64)
      for (index, length) in [UInt64.max, UInt64(Int.max) + 1].enumerated() {
        program.atom(SystemCall.read, .int(file), .to(buffer), .value(length), next: .end)
        try engine.enqueue(program, index)
        #expect(try engine.take().map(\.result) == [plainCall(SystemCall.read, .int(file), buffer.address, length)])
      }
      try engine.close()
    }
  }
}
