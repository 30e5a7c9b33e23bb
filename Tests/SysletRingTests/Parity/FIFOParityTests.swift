// Opening FIFOs against plain calls: the first one waits for the other (inputs 6 and 7 of the parity review).

import Glibc
import SysletRing
import Testing

@Suite("Parity: opening a FIFO", .leavesNothingBehind)
struct FIFOParityTests {
  enum Opener: String, CaseIterable {
    case openat, openat2, open, creat

    /// Not every architecture has the old ones.
    var isThere: Bool { self == .open ? SystemCall.open >= 0 : self == .creat ? SystemCall.creat >= 0 : true }
  }

  private static func scene(_ opener: Opener, _ s: Stage, _ path: String, _ flags: Int32) -> ParityScene {
    let flags = flags | O_CLOEXEC
    let name = s.arena.path(path).address
    switch opener {
    case .openat: return ParityScene(SystemCall.openat, .int(AT_FDCWD), name, .int(flags), .int(0o600))
    case .openat2:
      let how = s.arena.buffer(24)
      how.store(UInt64.int(flags), at: 0)
      how.store(UInt64(flags & O_CREAT != 0 ? 0o600 : 0), at: 8)
      return ParityScene(SystemCall.openat2, .int(AT_FDCWD), name, how.address, 24)
    case .open: return ParityScene(SystemCall.open, name, .int(flags), .int(0o600))
    case .creat: return ParityScene(SystemCall.creat, name, .int(0o600))
    }
  }

  /// An open that waits for `other`, or for nobody.
  private static func opens(
    _ title: String, _ opener: Opener, _ flags: Int32, other: Int32? = nil, milliseconds: Int = 0, fails errno: Int32? = nil
  ) -> ParityCase {
    var testCase = ParityCase("\(opener), \(title)", milliseconds: milliseconds, givesDescriptor: true) { s, t in
      let path = s.fifo("fifo")
      if let other { t.open(path, other, after: 100) }
      return scene(opener, s, path, flags)
    }
    testCase.expected = [errno.map { -Int($0) } ?? 0]
    return testCase
  }

  static let cases: [ParityCase] =
    [Opener.openat, .openat2, .open].filter(\.isThere).flatMap { opener in
      [
        opens("the writer comes first", opener, O_WRONLY, other: O_RDONLY, milliseconds: 100),
        opens("the reader comes first", opener, O_RDONLY, other: O_WRONLY, milliseconds: 100),
        opens("the reader comes first and would create it", opener, O_RDONLY | O_CREAT, other: O_WRONLY, milliseconds: 100),
        opens("the writer comes first and truncates it", opener, O_WRONLY | O_TRUNC, other: O_RDONLY, milliseconds: 100),
        opens("both ends at once", opener, O_RDWR),
        opens("the reader does not wait", opener, O_RDONLY | O_NONBLOCK),
        opens("the writer does not wait and finds nobody", opener, O_WRONLY | O_NONBLOCK, fails: ENXIO),
        opens("the writer does not wait, would create it and finds nobody", opener, O_WRONLY | O_NONBLOCK | O_CREAT, fails: ENXIO),
        opens("only its place", opener, OpenFlag.path),
        opens("as what it is not", opener, O_RDONLY | O_DIRECTORY, fails: ENOTDIR),
      ]
    } + (Opener.creat.isThere ? [opens("the writer comes first", .creat, 0, other: O_RDONLY, milliseconds: 100)] : [])

  @Test("Opening a FIFO waits for the other end, and only where the call would", arguments: SysletEngine.Backend.available, cases)
  func opening(backend: SysletEngine.Backend, testCase: ParityCase) {
    #expect(Parity.differences(testCase, on: backend) == [])
  }
}
