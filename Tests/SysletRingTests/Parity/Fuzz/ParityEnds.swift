// Makes the descriptors of a parity fuzzer's world, by plain calls, each anew.

import CTestSupport
import Glibc

@testable import SysletRing

/// A descriptor under test and what is at its other end; -1 for what is not there.
struct ParityEnds {
  var subject = -1
  var peer = -1
  /// One more that only keeps something alive.
  var third = -1
}

/// Makes descriptors of each kind. Its folder is the process's working directory.
@safe final class ParityMaterial {
  let shared: String
  /// 64 KiB to write from and read into, outside of what is compared, and small structures behind.
  private let memory: UnsafeMutableRawPointer
  private let size = 1 << 17

  /// `shared` is a directory in memory.
  init(shared: String) {
    self.shared = shared
    unsafe memory = .allocate(byteCount: 1 << 17, alignment: 4096)
    for position in 0..<size {
      unsafe memory.storeBytes(of: UInt8(65 + position % 53), toByteOffset: position, as: UInt8.self)
    }
  }

  deinit { unsafe memory.deallocate() }

  var content: Int { unsafe Int(bitPattern: memory) }
  /// Where `read` and the like may put something.
  var room: Int { content + (1 << 16) }
  func hash(_ count: Int) -> Int { unsafe Int(truncatingIfNeeded: test_hash(memory + (1 << 16), count)) }

  func roomWord<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
    unsafe memory.load(fromByteOffset: (1 << 16) + offset, as: type)
  }

  private var scratch: Int { content + size - 512 }
  func text(_ text: String) -> Int {
    let bytes = Array(text.utf8) + [0]
    unsafe bytes.withUnsafeBytes { unsafe (memory + size - 512).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    return scratch
  }
  private func put(_ values: [Int32], at offset: Int = 256) -> Int {
    for (index, value) in values.enumerated() {
      unsafe memory.storeBytes(of: value, toByteOffset: size - 512 + offset + 4 * index, as: Int32.self)
    }
    return scratch + offset
  }
  private func got(_ index: Int, at offset: Int = 256) -> Int {
    unsafe Int(memory.load(fromByteOffset: size - 512 + offset + 4 * index, as: Int32.self))
  }

  // MARK: making

  func make(_ kind: ParityKind, slot: Int) -> ParityEnds {
    switch kind {
    case .regular: return file("f\(slot)", Int(O_RDWR))
    case .regularDirect: return file("f\(slot)", Int(O_RDWR) | directFlag)
    case .regularAppend: return file("f\(slot)", Int(O_RDWR | O_APPEND))
    case .regularReadOnly: return file("f\(slot)", Int(O_RDONLY))
    case .regularWriteOnly: return file("f\(slot)", Int(O_WRONLY))
    case .regularSync: return file("f\(slot)", Int(O_RDWR) | 0o4010000)
    case .tmpfs: return file("\(shared)/f\(slot)", Int(O_RDWR))
    case .tmpfsDirect: return file("\(shared)/f\(slot)", Int(O_RDWR) | directFlag)
    case .tmpfsAppend: return file("\(shared)/f\(slot)", Int(O_RDWR | O_APPEND))
    case .tmpfsReadOnly: return file("\(shared)/f\(slot)", Int(O_RDONLY))
    case .pathOnly: return file("f\(slot)", 0o10000000)
    case .locked:
      let file = file("f\(slot)", Int(O_RDWR), isKept: true)
      kernel(SystemCall.flock, file.peer, 2)
      return file
    case .memfdSealed:
      let file = kernel(SystemCall.memfd_create, text("sealed"), 3)
      kernel(SystemCall.write, file, content, 5000)
      kernel(SystemCall.lseek, file, 0, 0)
      // F_ADD_SEALS: no shrinking, no growing.
      kernel(SystemCall.fcntl, file, 1033, 6)
      return ParityEnds(subject: file)
    case .directory: return ParityEnds(subject: open(".", Int(O_RDONLY | O_DIRECTORY)))
    case .devNull: return ParityEnds(subject: open("/dev/null", Int(O_RDWR)))
    case .devZero: return ParityEnds(subject: open("/dev/zero", Int(O_RDWR)))
    case .devFull: return ParityEnds(subject: open("/dev/full", Int(O_RDWR)))
    case .devRandom: return ParityEnds(subject: open("/dev/urandom", Int(O_RDONLY)))
    case .procStat: return ParityEnds(subject: open("/proc/self/stat", Int(O_RDONLY)))
    case .procVersion: return ParityEnds(subject: open("/proc/version", Int(O_RDONLY)))
    case .procDirectory: return ParityEnds(subject: open("/proc/self", Int(O_RDONLY | O_DIRECTORY)))
    case .sysFile: return ParityEnds(subject: open("/sys/kernel/mm/transparent_hugepage/enabled", Int(O_RDONLY)))
    case .bad: return ParityEnds(subject: -1)
    case .fuse: return ParityEnds(subject: -1)
    case .closed:
      let file = open("/dev/null", Int(O_RDWR))
      kernel(SystemCall.close, file)
      return ParityEnds(subject: file)
    case .process: return ParityEnds(subject: kernel(SystemCall.pidfd_open, Int(getpid()), 0))
    case .eventEmpty: return ParityEnds(subject: kernel(SystemCall.eventfd2, 0, 0))
    case .eventCount: return ParityEnds(subject: kernel(SystemCall.eventfd2, 5, 0))
    case .eventSemaphore: return ParityEnds(subject: kernel(SystemCall.eventfd2, 5, 1))
    case .eventFull:
      let event = kernel(SystemCall.eventfd2, 0, 0)
      kernel(SystemCall.write, event, put([-2, -1]), 8)
      return ParityEnds(subject: event)
    case .timerDisarmed: return timer(nil)
    case .timerExpired: return timer(1)
    // Long behind the millisecond for which others wait, also where the processor is busy.
    case .timerSoon: return timer(30_000_000)
    case .signals:
      return ParityEnds(subject: kernel(SystemCall.signalfd4, -1, put([0, 1 << 16]), 8, 0))
    case .inotifyEmpty, .inotifyData:
      let watch = kernel(SystemCall.inotify_init1, 0)
      kernel(SystemCall.inotify_add_watch, watch, text("."), 0x100)
      if kind == .inotifyData { kernel(SystemCall.mknodat, -100, text("n"), 0o100600) }
      return ParityEnds(subject: watch)
    case .epollNothing: return ParityEnds(subject: kernel(SystemCall.epoll_create1, 0))
    case .epollEmpty, .epollReady:
      let ends = pipe()
      let epoll = kernel(SystemCall.epoll_create1, 0)
      kernel(SystemCall.epoll_ctl, epoll, 1, ends.0, put([1, 42, 0]))
      if kind == .epollReady { kernel(SystemCall.write, ends.1, content, 1) }
      return ParityEnds(subject: epoll, peer: ends.1, third: ends.0)
    case .queueEmpty, .queueData, .queueFull: return queue(kind)
    case .ptyMaster, .ptyMasterData, .ptyRaw, .ptyRawData, .ptyRawAtOnce, .ptyCanonical, .ptyCanonicalLine, .ptyClosed:
      return terminal(kind)
    default: return kind.isPipe ? pipeEnds(kind, slot) : socketEnds(kind, slot)
    }
  }

  func open(_ path: String, _ flags: Int, _ mode: Int = 0) -> Int { kernel(SystemCall.openat, -100, text(path), flags, mode) }

  /// 5,000 bytes, and no name any more.
  private func file(_ path: String, _ flags: Int, isKept: Bool = false) -> ParityEnds {
    let made = open(path, Int(O_RDWR | O_CREAT | O_TRUNC), 0o600)
    kernel(SystemCall.write, made, content, 5000)
    guard flags != Int(O_RDWR) || isKept else {
      kernel(SystemCall.unlinkat, -100, text(path), 0)
      kernel(SystemCall.lseek, made, 0, 0)
      return ParityEnds(subject: made)
    }
    let file = open(path, flags)
    kernel(SystemCall.unlinkat, -100, text(path), 0)
    if isKept { return ParityEnds(subject: file, peer: made) }
    kernel(SystemCall.close, made)
    return ParityEnds(subject: file)
  }

  private func timer(_ nanoseconds: Int?) -> ParityEnds {
    let timer = kernel(SystemCall.timerfd_create, 1, 0)
    guard let nanoseconds else { return ParityEnds(subject: timer) }
    kernel(SystemCall.timerfd_settime, timer, 0, put([0, 0, 0, 0, 0, 0, Int32(nanoseconds), 0]), 0)
    if nanoseconds == 1 { awaitEvents(timer, 1) }
    return ParityEnds(subject: timer)
  }

  private func queue(_ kind: ParityKind) -> ParityEnds {
    let name = text("parity-\(getpid())")
    // mq_flags, mq_maxmsg 2, mq_msgsize 64.
    let attributes = put([0, 0, 2, 0, 64, 0, 0, 0])
    let queue = kernel(SystemCall.mq_open, name, Int(O_RDWR | O_CREAT), 0o600, attributes)
    kernel(SystemCall.mq_unlink, name)
    for _ in 0..<(kind == .queueData ? 1 : kind == .queueFull ? 2 : 0) { kernel(SystemCall.mq_timedsend, queue, content, 10, 3) }
    return ParityEnds(subject: queue)
  }

  private func terminal(_ kind: ParityKind) -> ParityEnds {
    let master = open("/dev/ptmx", Int(O_RDWR | O_NOCTTY))
    kernel(SystemCall.ioctl, master, 0x4004_5431, put([0]))
    let slave = kernel(SystemCall.ioctl, master, 0x5441, Int(O_RDWR | O_NOCTTY))
    let isCanonical = kind == .ptyCanonical || kind == .ptyCanonicalLine
    if !isCanonical { test_make_raw(Int32(slave), kind == .ptyRawAtOnce ? 0 : 1, 0) }
    switch kind {
    case .ptyMasterData:
      kernel(SystemCall.write, slave, content, 10)
      awaitEvents(master, 1)
    case .ptyRawData:
      kernel(SystemCall.write, master, content, 10)
      awaitEvents(slave, 1)
    case .ptyCanonicalLine:
      kernel(SystemCall.write, master, text("line\nrest"), 9)
      awaitEvents(slave, 1)
      awaitEvents(master, 1)
    case .ptyCanonical:
      kernel(SystemCall.write, master, text("half"), 4)
      // What the terminal echoes says that it has come.
      awaitEvents(master, 1)
    case .ptyClosed: kernel(SystemCall.close, slave)
    default: break
    }
    switch kind {
    case .ptyMaster, .ptyMasterData: return ParityEnds(subject: master, peer: slave)
    case .ptyClosed: return ParityEnds(subject: master)
    default: return ParityEnds(subject: slave, peer: master)
    }
  }

  func awaitEvents(_ descriptor: Int, _ events: Int32) {
    kernel(SystemCall.poll, put([Int32(descriptor), events], at: 448), 1, 1000)
  }

  func pipe() -> (Int, Int) {
    kernel(SystemCall.pipe2, put([0, 0]), 0)
    return (got(0), got(1))
  }

  func socketPair(_ type: Int) -> (Int, Int) {
    kernel(SystemCall.socketpair, 1, type, 0, put([0, 0]))
    return (got(0), got(1))
  }

  /// Writes without waiting until no more fits.
  func fill(_ descriptor: Int, _ count: Int) {
    let flags = kernel(SystemCall.fcntl, descriptor, 3)
    kernel(SystemCall.fcntl, descriptor, 4, flags | Int(O_NONBLOCK))
    while kernel(SystemCall.write, descriptor, content, count) > 0 {}
    kernel(SystemCall.fcntl, descriptor, 4, flags)
  }

  func address(_ words: [Int32]) -> Int { put(words) }
  func addressWord(_ index: Int) -> Int { got(index) }
}
