// The catalogue's calls that take names.

import Glibc

@testable import SysletRing

extension ParityForm {
  static let names: [ParityForm] = [
    ParityForm("open", SystemCall.open, .name, weight: 5) { [$0.openedPath(), $0.openFlags(), $0.number([0o600, 0o644, 0, -1])] },
    ParityForm("openat", SystemCall.openat, .name, weight: 8) {
      [$0.folder(), $0.openedPath(), $0.openFlags(), $0.number([0o600, 0o644, 0, -1])]
    },
    ParityForm("openat2", SystemCall.openat2, .name, weight: 5) { maker in
      guard case .number(let flags) = maker.openFlags() else { return [] }
      maker.store(.word(flags), 0x600)
      maker.store(.word(flags & Int(O_CREAT) != 0 && maker.random.chance(90) ? 0o600 : 0), 0x608)
      maker.store(.word(maker.random.chance(60) ? 0 : maker.random.pick([1, 2, 4, 8, 0x10, 0x20, 0x40])), 0x610)
      maker.note("open_how \(String(flags, radix: 8))")
      return [maker.folder(), maker.openedPath(), .at(maker.structures + 0x600), maker.mostly(24, [0, 16, 32, 4096, -1])]
    },
    ParityForm("creat", SystemCall.creat, .name) { [$0.openedPath(), $0.number([0o600, 0o644])] },
    ParityForm("statx", SystemCall.statx, .name, weight: 4) { maker in
      maker.call.masks.append(maker.structures + 0x500..<maker.structures + 0x600)
      let (folder, path): (FuzzCall.Argument, FuzzCall.Argument) =
        maker.random.chance(40) ? (.subject, maker.emptyPath()) : (maker.folder(), maker.path())
      return [
        folder, path, maker.number([0, 0x100, 0x1000, 0x1100, 0x2000, 0x4000, 0x6000, 0x1000, 0x40000]),
        maker.number([0x7ff, 0x17ff, 0, -1]),
        maker.random.chance(5) ? .null : .at(maker.structures + 0x500),
      ]
    },
    ParityForm("newfstatat", SystemCall.newfstatat, .name, weight: 2) { maker in
      maker.call.masks.append(maker.structures + 0x500..<maker.structures + 0x590)
      return [maker.folder(), maker.path(), .at(maker.structures + 0x500), maker.number([0, 0x100, 0x1000])]
    },
    ParityForm("readlinkat", SystemCall.readlinkat, .name) {
      [$0.folder(), $0.path(), $0.buffer(), $0.number([0, 1, 64, 4096, -1])]
    },
    ParityForm("faccessat", SystemCall.faccessat, .name, weight: 1) { [$0.folder(), $0.path(), $0.number([0, 4, 7, 8])] },
    ParityForm("fchmodat", SystemCall.fchmodat, .name, weight: 1) { [$0.folder(), $0.path(), $0.number([0o600, 0o755])] },
    ParityForm("truncate", SystemCall.truncate, .name, weight: 1) { [$0.path(), $0.number([0, 5, 100, -1, Int.max])] },
    ParityForm("unlink", SystemCall.unlink, .name) { [$0.path()] },
    ParityForm("unlinkat", SystemCall.unlinkat, .name, weight: 3) { [$0.folder(), $0.path(), $0.mostly(0, [0x200, 1, 0x100])] },
    ParityForm("rmdir", SystemCall.rmdir, .name) { [$0.path()] },
    ParityForm("rename", SystemCall.rename, .name) { [$0.path(), $0.path(at: 0x440)] },
    ParityForm("renameat", SystemCall.renameat, .name) { [$0.folder(), $0.path(), $0.folder(), $0.path(at: 0x440)] },
    ParityForm("renameat2", SystemCall.renameat2, .name, weight: 3) {
      [$0.folder(), $0.path(), $0.folder(), $0.path(at: 0x440), $0.mostly(0, [1, 2, 3, 4, 8])]
    },
    ParityForm("mkdir", SystemCall.mkdir, .name) { [$0.path(), $0.number([0o700, 0o7777, -1])] },
    ParityForm("mkdirat", SystemCall.mkdirat, .name) { [$0.folder(), $0.path(), $0.number([0o700, 0o1777])] },
    ParityForm("symlink", SystemCall.symlink, .name) { [$0.path(), $0.path(at: 0x440)] },
    ParityForm("symlinkat", SystemCall.symlinkat, .name) { [$0.path(), $0.folder(), $0.path(at: 0x440)] },
    ParityForm("link", SystemCall.link, .name) { [$0.path(), $0.path(at: 0x440)] },
    ParityForm("linkat", SystemCall.linkat, .name, weight: 3) {
      [$0.folder(), $0.path(), $0.folder(), $0.path(at: 0x440), $0.mostly(0, [0x400, 0x1000, 0x100])]
    },
    ParityForm("setxattr", SystemCall.setxattr, .name) {
      [$0.path(), $0.attribute(), .at($0.mainBuffer), $0.number([0, 1, 64, 5000, 70_000]), $0.number([0, 0, 1, 2, 3])]
    },
    ParityForm("getxattr", SystemCall.getxattr, .name) { [$0.path(), $0.attribute(), $0.buffer(), $0.number([0, 1, 64, 70_000])] },
  ]
}

extension ParityMaker {
  /// A name to open, and another thread that opens the other end if it is the FIFO.
  mutating func openedPath() -> Argument {
    let path = path()
    // Both ends at once, so that it neither waits nor fails.
    call.event = [.number(SystemCall.openat), .number(-100), path, .number(Int(O_RDWR)), .number(0)]
    call.result = .sign
    return path
  }

  mutating func emptyPath() -> Argument {
    store(.bytes([0]), 0x340)
    note("\"\"")
    return random.chance(10) ? .null : .at(structures + 0x340)
  }
}
