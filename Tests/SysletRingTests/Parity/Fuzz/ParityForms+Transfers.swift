// The catalogue's calls that move bytes.

import Glibc

@testable import SysletRing

extension ParityForm {
  static let transfers: [ParityForm] = [
    ParityForm("read", SystemCall.read, .transfer, weight: 10) { [$0.subject(), $0.buffer(), $0.length()] },
    ParityForm("pread64", SystemCall.pread64, .positioned, weight: 8) { [$0.subject(), $0.buffer(), $0.length(), $0.offset()] },
    ParityForm("readv", SystemCall.readv, .transfer, weight: 5) { [$0.subject()] + $0.vector() },
    ParityForm("preadv", SystemCall.preadv, .positioned, weight: 4) { [$0.subject()] + $0.vector() + [$0.offset(), .number(0)] },
    ParityForm("preadv2", SystemCall.preadv2, .positioned, weight: 6) {
      [$0.subject()] + $0.vector() + [$0.offset(), .number(0), $0.transferFlags()]
    },
    ParityForm("write", SystemCall.write, .transfer, weight: 10) { [$0.subject(), $0.buffer(), $0.length()] },
    ParityForm("pwrite64", SystemCall.pwrite64, .positioned, weight: 8) { [$0.subject(), $0.buffer(), $0.length(), $0.offset()] },
    ParityForm("writev", SystemCall.writev, .transfer, weight: 5) { [$0.subject()] + $0.vector() },
    ParityForm("pwritev", SystemCall.pwritev, .positioned, weight: 4) { [$0.subject()] + $0.vector() + [$0.offset(), .number(0)] },
    ParityForm("pwritev2", SystemCall.pwritev2, .positioned, weight: 6) {
      [$0.subject()] + $0.vector() + [$0.offset(), .number(0), $0.transferFlags()]
    },
    ParityForm("lseek", SystemCall.lseek, .positioned, weight: 3) { [$0.subject(), $0.offset(), $0.number([0, 0, 1, 2, 3, 4, 5])] },

    ParityForm("splice", SystemCall.splice, .splice, weight: 6) { maker in
      let ends: [FuzzCall.Argument] = maker.random.chance(50) ? [.subject, .other] : [.other, .subject]
      return [ends[0], maker.offsetPointer(0x310), ends[1], maker.offsetPointer(0x318), maker.length(), maker.spliceFlags()]
    },
    ParityForm("tee", SystemCall.tee, .splice, weight: 4) { maker in
      let ends: [FuzzCall.Argument] = maker.random.chance(50) ? [.subject, .other] : [.other, .subject]
      return [ends[0], ends[1], maker.length(), maker.spliceFlags()]
    },
    ParityForm("vmsplice", SystemCall.vmsplice, .splice, weight: 2) { [$0.subject()] + $0.vector() + [$0.spliceFlags()] },
    ParityForm("sendfile", SystemCall.sendfile, .splice, weight: 3) { maker in
      let ends: [FuzzCall.Argument] = maker.random.chance(50) ? [.subject, .other] : [.other, .subject]
      return ends + [maker.offsetPointer(0x310), maker.length()]
    },
    ParityForm("copy_file_range", SystemCall.copy_file_range, .splice, weight: 3) { maker in
      let ends: [FuzzCall.Argument] = maker.random.chance(50) ? [.subject, .other] : [.other, .subject]
      return [ends[0], maker.offsetPointer(0x310), ends[1], maker.offsetPointer(0x318), maker.length(), maker.mostly(0, [1])]
    },
    ParityForm("mq_timedsend", SystemCall.mq_timedsend, .queue, weight: 4) { maker in
      [maker.subject(), maker.buffer(), maker.number([0, 1, 8, 64, 65, 4096]), maker.number([0, 1, 40_000]), maker.queueTime()]
    },
    ParityForm("mq_timedreceive", SystemCall.mq_timedreceive, .queue, weight: 4) { maker in
      maker.store(.half(-1), 0x780)
      let priority: FuzzCall.Argument = maker.random.chance(50) ? .null : .at(maker.structures + 0x780)
      return [maker.subject(), maker.buffer(), maker.number([0, 8, 64, 64, 4096]), priority, maker.queueTime()]
    },
    ParityForm("mq_getsetattr", SystemCall.mq_getsetattr, .queue, weight: 2) { maker in
      maker.store(.word(maker.random.pick([0, Int(O_NONBLOCK), -1])), 0x100)
      return [maker.subject(), maker.random.chance(50) ? .null : .at(maker.structures + 0x100), .at(maker.structures + 0x180)]
    },
  ]

  /// Calls on a file as a whole, by its descriptor.
  static let files: [ParityForm] = [
    ParityForm("close", SystemCall.close, .any, weight: 4) { [$0.subject()] },
    ParityForm("fsync", SystemCall.fsync, .file, weight: 1) { [$0.subject()] },
    ParityForm("fdatasync", SystemCall.fdatasync, .file, weight: 1) { [$0.subject()] },
    ParityForm("sync_file_range", SystemCall.sync_file_range, .file) {
      [$0.subject(), $0.offset(), $0.offset(), $0.number([0, 1, 2, 4, 7, 8])]
    },
    ParityForm("fallocate", SystemCall.fallocate, .file, weight: 4) {
      [
        $0.subject(), $0.number([0, 0, 1, 2, 3, 4, 8, 0x10, 0x20, 0x40, 0x80]), $0.number([0, 1, 2500, 4096, 8192, -1, Int.max]),
        $0.number([0, 1, 4096, 10_000, -1, Int.max]),
      ]
    },
    ParityForm("ftruncate", SystemCall.ftruncate, .file, weight: 3) {
      [$0.subject(), $0.number([0, 1, 2500, 4096, 5000, 10_000, 1 << 20, -1, Int.max, 1 << 40])]
    },
    ParityForm("fadvise64", SystemCall.fadvise64, .file) {
      [$0.subject(), $0.offset(), $0.number([0, 1, 4096, -1, 1 << 33]), $0.number([0, 1, 2, 3, 4, 5, 6, 99])]
    },
    ParityForm("madvise", SystemCall.madvise, .any, weight: 1) {
      // Only the second buffer, and nothing that breaks memory.
      [
        .at(ParityArena.Place.buffers[1]), $0.number([0, 1, 4096, 8192, -1, 1 << 32]), $0.number([0, 1, 2, 3, 10, 11, 14, 15, 20, 99]),
      ]
    },
    ParityForm("fstat", SystemCall.fstat, .any) { maker in
      maker.call.masks.append(maker.structures + 0x500..<maker.structures + 0x590)
      return [maker.subject(), maker.random.chance(5) ? .null : .at(maker.structures + 0x500)]
    },
    ParityForm("fstatfs", SystemCall.fstatfs, .file, weight: 1) { maker in
      maker.call.masks.append(maker.structures + 0x500..<maker.structures + 0x580)
      return [maker.subject(), .at(maker.structures + 0x500)]
    },
    ParityForm("fchmod", SystemCall.fchmod, .file, weight: 1) { [$0.subject(), $0.number([0o600, 0o644, 0o4755, 0, -1])] },
    ParityForm("flock", SystemCall.flock, .file, weight: 4) { [$0.subject(), $0.number([1, 2, 5, 6, 8, 3, 99])] },
    ParityForm("dup", SystemCall.dup, .any) { [$0.subject()] },
    ParityForm("fcntl", SystemCall.fcntl, .any, weight: 3) {
      [
        $0.subject(), $0.number([1, 2, 3, 4, 0, 1030, 1032, 1034, 99]),
        $0.number([0, 1, Int(O_NONBLOCK), Int(O_APPEND), directFlag, 65_536]),
      ]
    },
    ParityForm("ioctl", SystemCall.ioctl, .any, weight: 3) { maker in
      // FIONREAD, FIONBIO (its 0 or 1 is in the same word), FIOCLEX, and one that nothing knows.
      maker.store(.word(maker.random.below(2)), 0x780)
      return [maker.subject(), maker.number([0x541B, 0x541B, 0x5421, 0x5451, 0x7fff]), .at(maker.structures + 0x780)]
    },
    ParityForm("getdents64", SystemCall.getdents64, .directory, weight: 4) { maker in
      // Inode numbers, and in which order names come, are the file system's matter.
      maker.call.masks.append(maker.mainBuffer..<maker.mainBuffer + 8192)
      maker.call.masks.append(ParityArena.Place.half..<ParityArena.Place.observed)
      let buffer = maker.buffer()
      return [maker.subject(), buffer, maker.number([0, 1, 24, 4096, 8192])]
    },
    ParityForm("fsetxattr", SystemCall.fsetxattr, .file) { maker in
      [maker.subject(), maker.attribute(), .at(maker.mainBuffer), maker.number([0, 1, 64, 5000, 70_000]), maker.number([0, 0, 1, 2, 3])]
    },
    ParityForm("fgetxattr", SystemCall.fgetxattr, .file) { maker in
      [maker.subject(), maker.attribute(), maker.buffer(), maker.number([0, 1, 64, 70_000])]
    },
    ParityForm("timerfd_settime", SystemCall.timerfd_settime, .timer, weight: 3) { maker in
      let time = maker.time(at: 0x130, [0, 1, 100_000])
      maker.call.masks.append(maker.structures + 0x180..<maker.structures + 0x1a0)
      return [
        maker.subject(), maker.mostly(0, [1, 2, 3, 4]), time == .at(maker.structures + 0x130) ? .at(maker.structures + 0x120) : time,
        .at(maker.structures + 0x180),
      ]
    },
    ParityForm("timerfd_gettime", SystemCall.timerfd_gettime, .timer) { maker in
      maker.call.masks.append(maker.structures + 0x180..<maker.structures + 0x1a0)
      return [maker.subject(), .at(maker.structures + 0x180)]
    },
  ]
}

extension ParityMaker {
  mutating func offsetPointer(_ offset: Int) -> Argument {
    guard random.chance(25) else { return .null }
    let value = random.pick([0, 1, 2500, 5000, 5001, -1, Int.max])
    store(.word(value), offset)
    note("offset \(value)")
    return .at(structures + offset)
  }

  mutating func spliceFlags() -> Argument { mostly(0, [1, 2, 3, 4, 8, 0x10, 0x8000_0000]) }

  /// A time in the past, soon, or none: the queue's clock is CLOCK_REALTIME.
  mutating func queueTime() -> Argument {
    if random.chance(50) { return .null }
    store(.word(random.pick([0, 1, -1])), 0x320)
    store(.word(random.pick([0, 999_999_999, 1_000_000_000])), 0x328)
    note("a time long past")
    return .at(structures + 0x320)
  }

  mutating func attribute() -> Argument {
    let name = random.pick(["user.a", "user.a", "user.missing", "trusted.a", "bad", ""])
    store(.bytes(Array(name.utf8) + [0]), 0x7a0)
    note("\"\(name)\"")
    return random.chance(4) ? .null : .at(structures + 0x7a0)
  }
}
