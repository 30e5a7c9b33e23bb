// Terminals against plain calls: when a read of a serial line returns is the line's own matter (input 5 of the parity review).

import Glibc
import SysletRing
import Testing

@Suite("Parity: terminals", .leavesNothingBehind)
struct TerminalParityTests {
  private static func read(
    _ title: String, _ expected: Int, milliseconds: Int = 0, minimum: Int32?, tenths: Int32 = 0,
    _ events: @escaping @Sendable (Timeline, UInt64) -> Void = { _, _ in }
  ) -> ParityCase {
    ParityCase(title, expected, milliseconds: milliseconds) { s, t in
      let terminal = s.terminal(minimum: minimum, tenths: tenths)
      events(t, terminal.far)
      return ParityScene(SystemCall.read, terminal.line, s.buffer("b", 64).address, 64)
    }
  }

  static let cases: [ParityCase] = [
    read("VMIN 0, VTIME 0: nothing is there, at once", 0, minimum: 0),
    read("VMIN 0, VTIME 2: nothing, after 0.2 s", 0, milliseconds: 200, minimum: 0, tenths: 2),
    read("VMIN 0, VTIME 9: what comes meanwhile", 3, minimum: 0, tenths: 9) { $0.write("abc", to: $1, after: 60) },
    read("VMIN 5: when five are there", 5, minimum: 5) {
      $0.write("abc", to: $1, after: 30)
      $0.write("de", to: $1, after: 150)
    },
    read("VMIN 5, VTIME 2: what has come when nothing more comes", 3, milliseconds: 200, minimum: 5, tenths: 2) {
      $0.write("abc", to: $1, after: 60)
    },
    read("canonical: when the line is complete", 6, minimum: nil) {
      $0.write("abc", to: $1, after: 30)
      $0.write("de\nf", to: $1, after: 150)
    },
    read("canonical: the end of the input", 0, minimum: nil) { $0.write("\u{4}", to: $1, after: 60) },
    ParityCase("readv, VMIN 0", 0) { s, _ in
      ParityScene(SystemCall.readv, s.terminal(minimum: 0).line, s.vector(s.buffer("a", 8), s.buffer("b", 8)), 2)
    },
    ParityCase("preadv2 at the position, VMIN 0", 0) { s, _ in
      ParityScene(SystemCall.preadv2, s.terminal(minimum: 0).line, s.vector(s.buffer("a", 8)), 1, .int(-1), 0, 0)
    },
    ParityCase("write") { s, _ in
      let terminal = s.terminal(minimum: 0)
      return ParityScene(SystemCall.write, terminal.line, s.text("hello").address, 5) { _ in [s.drained(terminal.far)] }
    },
    ParityCase("a line without its other end", -Int(EIO)) { s, _ in
      let terminal = s.terminal(minimum: 1)
      close(Int32(terminal.far))
      s.descriptors.forget(Int32(terminal.far))
      return ParityScene(SystemCall.write, terminal.line, s.text("hello").address, 5)
    },
    ParityCase("the controlling side reads what the line has written", 5) { s, t in
      let terminal = s.terminal(minimum: 0)
      t.write("hello", to: terminal.line, after: 60)
      return ParityScene(SystemCall.read, terminal.far, s.buffer("b", 64).address, 64)
    },
  ]

  @Test("A terminal's read and write are the line's own", arguments: SysletEngine.Backend.available, cases)
  func terminal(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }
}
