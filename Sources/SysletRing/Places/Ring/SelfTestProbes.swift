// The calls that the self-test makes, and the objects on which they fail as it wants them to.
//
// Unsafe fence: buffers and descriptors are the fixture's, which `SelfTest` keeps for good when the kernel does not let go of one (law L4).

internal import CLiburing
internal import Glibc

extension SelfTest {
  /// What the probes work on: objects that fail in the way each operation needs.
  @safe final class Fixture {
    let file: Int32  // 4,096 bytes
    let pipe: (read: Int32, write: Int32)  // 10 bytes, for splice
    let event: Int32
    let epoll: Int32
    let silent: (Int32, Int32)  // a connection on which nothing arrives
    let closing: (Int32, Int32)  // 10 bytes arrive at .0, then the end; .1 cannot send any more
    let ended: (Int32, Int32)  // only the end arrives at .0
    let unbound: Int32
    let memory: UnsafeMutableRawPointer
    let pages: UnsafeMutableRawPointer?  // two, of which the second cannot be touched
    let torn: UInt64  // 8,192 bytes there, of which the second half cannot be touched: a write of them is short
    let absent: UnsafeMutablePointer<CChar>
    let attribute: UnsafeMutablePointer<CChar>
    let vector: UnsafeMutablePointer<iovec>
    let tornVector: UnsafeMutablePointer<iovec>
    let badVector: UnsafeMutablePointer<iovec>
    let message: UnsafeMutablePointer<msghdr>
    let address: UnsafeMutablePointer<sockaddr_un>
    let how: UnsafeMutablePointer<UInt64>
    let time: UnsafeMutablePointer<Int64>
    let hour: UnsafeMutablePointer<Int64>
    let word: UnsafeMutablePointer<UInt32>
    let interest: UnsafeMutablePointer<UInt64>  // room for one epoll_event

    init() throws(KernelError) {
      // Plain calls where Swift's Glibc module has no function. MFD_CLOEXEC.
      file = unsafe "syslet-self-test".withCString { unsafe Self.call(SystemCall.memfd_create, UInt64(argument: $0), 1) }
      _ = ftruncate(file, 4096)
      pipe = unsafe Self.pair { unsafe Self.call(SystemCall.pipe2, UInt64(argument: $0), UInt64(argument: O_CLOEXEC)) }
      event = Self.call(SystemCall.eventfd2, 0, UInt64(argument: O_CLOEXEC))
      epoll = Self.call(SystemCall.epoll_create1, UInt64(argument: O_CLOEXEC), 0)
      let stream = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      silent = unsafe Self.pair { unsafe socketpair(AF_UNIX, stream, 0, $0) }
      closing = unsafe Self.pair { unsafe socketpair(AF_UNIX, stream, 0, $0) }
      ended = unsafe Self.pair { unsafe socketpair(AF_UNIX, stream, 0, $0) }
      unbound = socket(AF_UNIX, stream, 0)
      unsafe memory = .allocate(byteCount: 8192, alignment: 4096)
      unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: 8192)
      // If there is no memory for it, its writes fail instead of being short, and prove nothing.
      let page = Self.page
      let mapped = unsafe mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      unsafe pages = unsafe mapped == MAP_FAILED ? nil : mapped
      torn = unsafe pages.map { unsafe UInt64(argument: $0 + page - 4096) } ?? 8
      if let pages = unsafe pages { _ = unsafe mprotect(pages + page, page, PROT_NONE) }
      unsafe absent = unsafe strdup("/dev/null/absent")
      unsafe attribute = unsafe strdup("user.syslet")
      unsafe vector = .allocate(capacity: 1)
      unsafe vector.initialize(to: iovec(iov_base: memory, iov_len: 8192))
      unsafe tornVector = .allocate(capacity: 1)
      unsafe tornVector.initialize(to: iovec(iov_base: UnsafeMutableRawPointer(bitPattern: UInt(torn)), iov_len: 8192))
      unsafe badVector = .allocate(capacity: 1)
      unsafe badVector.initialize(to: iovec(iov_base: UnsafeMutableRawPointer(bitPattern: 8), iov_len: 16))
      unsafe message = .allocate(capacity: 1)
      unsafe message.initialize(to: msghdr())
      unsafe message.pointee.msg_iov = unsafe vector
      unsafe message.pointee.msg_iovlen = 1
      unsafe address = .allocate(capacity: 1)
      unsafe address.initialize(to: sockaddr_un())
      unsafe address.pointee.sun_family = sa_family_t(AF_UNIX)
      unsafe withUnsafeMutableBytes(of: &address.pointee.sun_path) { unsafe $0.copyBytes(from: "/dev/null/absent".utf8) }
      unsafe how = .allocate(capacity: 3)
      unsafe how.initialize(repeating: 0, count: 3)
      unsafe time = .allocate(capacity: 2)
      unsafe time.initialize(repeating: 0, count: 2)
      unsafe time[1] = 1
      unsafe hour = .allocate(capacity: 2)
      unsafe hour.initialize(repeating: 0, count: 2)
      unsafe hour[0] = 3600
      unsafe word = .allocate(capacity: 1)
      unsafe word.initialize(to: 1)
      unsafe interest = .allocate(capacity: 2)
      unsafe interest.initialize(repeating: 0, count: 2)
      _ = unsafe write(pipe.write, memory, 10)
      _ = unsafe write(closing.1, memory, 10)
      _ = shutdown(closing.1, Int32(SHUT_WR))
      _ = shutdown(ended.1, Int32(SHUT_WR))
      // All stored: from here on deinit cleans up.
      guard let failed = descriptors.firstIndex(where: { $0 < 0 }) else { return }
      // Which of them it is the order of `descriptors` tells. Its errno is what another one gets.
      let another = Self.call(SystemCall.eventfd2, 0, UInt64(argument: O_CLOEXEC))
      if another >= 0 { close(another) }
      let call =
        switch failed {
        case 0: "memfd_create"
        case 1..<7: "pipe2"
        case 7: "eventfd2"
        case 8: "epoll_create1"
        case 15: "socket"
        default: "socketpair"
        }
      throw KernelError(call: call + ", for the start-up self-test,", errno: another < 0 ? -another : EMFILE)
    }

    private var descriptors: [Int32] {
      [
        file, pipe.read, pipe.write, event, epoll, silent.0, silent.1, closing.0,
        closing.1, ended.0, ended.1, unbound,
      ]
    }

    deinit {
      for descriptor in descriptors where descriptor >= 0 { close(descriptor) }
      unsafe memory.deallocate()
      if let pages = unsafe pages { _ = unsafe munmap(pages, 2 * Self.page) }
      unsafe free(absent)
      unsafe free(attribute)
      unsafe vector.deallocate()
      unsafe tornVector.deallocate()
      unsafe badVector.deallocate()
      unsafe message.deallocate()
      unsafe address.deallocate()
      unsafe how.deallocate()
      unsafe time.deallocate()
      unsafe hour.deallocate()
      unsafe word.deallocate()
      unsafe interest.deallocate()
    }

    private static let page = Int(getpagesize())

    private static func call(_ number: Int, _ first: UInt64, _ second: UInt64) -> Int32 {
      Int32(truncatingIfNeeded: syslet_call(number, first, second, 0, 0, 0, 0))
    }

    private static func pair(_ make: (UnsafeMutablePointer<Int32>) -> Int32) -> (Int32, Int32) {
      var pair: [Int32] = [-1, -1]
      _ = unsafe make(&pair)
      return (pair[0], pair[1])
    }

    private static func sqe(
      _ opcode: Int, fd: Int32, off: UInt64, addr: UInt64, len: UInt32, flags: UInt32, index: Int32 = 0, addr3: UInt64
    ) -> syslet_sqe {
      var sqe = syslet_sqe()
      sqe.opcode = UInt8(opcode)
      sqe.fd = fd
      sqe.off = off
      sqe.addr = addr
      sqe.len = len
      sqe.op_flags = flags
      sqe.file_index = UInt32(bitPattern: index)
      sqe.addr3 = addr3
      return sqe
    }

    /// Calls that nothing ends. One for each of the ways in which the kernel waits: for a file to be ready, for a time, for a word.
    func waits() -> [Probe] {
      func wait(
        _ opcode: Int, fd: Int32 = -1, off: UInt64 = 0, addr: UInt64 = 0, len: UInt32 = 0, flags: UInt32 = 0, addr3: UInt64 = 0
      ) -> Probe {
        let sqe = Self.sqe(opcode, fd: fd, off: off, addr: addr, len: len, flags: flags, addr3: addr3)
        return Probe(opcode: opcode, expected: .negative, asked: 0, sqe: sqe)
      }
      let memory = unsafe UInt64(argument: memory)
      return unsafe [
        wait(SYSLET_OP_READ, fd: silent.0, off: .max, addr: memory, len: 4),
        wait(SYSLET_OP_READV, fd: silent.0, off: .max, addr: UInt64(argument: vector), len: 1),
        wait(SYSLET_OP_RECV, fd: silent.0, addr: memory, len: 4),
        wait(SYSLET_OP_RECVMSG, fd: silent.0, addr: UInt64(argument: message), len: 1),
        wait(SYSLET_OP_POLL_ADD, fd: event, flags: UInt32(POLLIN)),
        wait(SYSLET_OP_EPOLL_WAIT, fd: epoll, addr: UInt64(argument: interest), len: 1),
        wait(SYSLET_OP_TIMEOUT, addr: UInt64(argument: hour), len: 1),
        wait(SYSLET_OP_FUTEX_WAIT, fd: Int32(SYSLET_FUTEX2_SIZE_U32), off: 1, addr: UInt64(argument: word), addr3: 0xFFFF_FFFF),
      ]
    }

    func probes() -> [Probe] {
      let absent = unsafe UInt64(argument: absent)
      let memory = unsafe UInt64(argument: memory)
      let nowhere: UInt64 = 8
      let here = AT_FDCWD
      var probes: [Probe] = []
      func add(
        _ opcode: Int, _ expected: ResultClasses = .negative, asked: Int? = nil, fd: Int32 = 0, off: UInt64 = 0, addr: UInt64 = 0,
        len: UInt32 = 0, flags: UInt32 = 0, index: Int32 = 0, addr3: UInt64 = 0
      ) {
        let sqe = Self.sqe(opcode, fd: fd, off: off, addr: addr, len: len, flags: flags, index: index, addr3: addr3)
        probes.append(Probe(opcode: opcode, expected: expected, asked: asked ?? Int(len), sqe: sqe))
      }
      add(SYSLET_OP_READ, fd: file, addr: nowhere, len: 16)
      add(SYSLET_OP_READ, .short, fd: file, addr: memory, len: 8192)
      add(SYSLET_OP_READ, .zero, fd: file, off: 4096, addr: memory, len: 8192)
      unsafe add(SYSLET_OP_READV, fd: file, addr: UInt64(argument: badVector), len: 1)
      unsafe add(SYSLET_OP_READV, .short, asked: 8192, fd: file, addr: UInt64(argument: vector), len: 1)
      add(SYSLET_OP_WRITE, fd: file, addr: nowhere, len: 16)
      // Not across the end of a file that may not grow: from Linux 6.12 on nothing at all is written then.
      add(SYSLET_OP_WRITE, .short, fd: file, addr: torn, len: 8192)
      unsafe add(SYSLET_OP_WRITEV, fd: file, addr: UInt64(argument: badVector), len: 1)
      unsafe add(SYSLET_OP_WRITEV, .short, asked: 8192, fd: file, addr: UInt64(argument: tornVector), len: 1)
      add(SYSLET_OP_OPENAT, fd: here, addr: absent)
      unsafe add(SYSLET_OP_OPENAT2, fd: here, off: UInt64(argument: how), addr: absent, len: 24)
      add(SYSLET_OP_CLOSE, fd: 1 << 29)
      add(SYSLET_OP_FSYNC, fd: event)
      add(SYSLET_OP_SYNC_FILE_RANGE, fd: pipe.write)
      add(SYSLET_OP_FALLOCATE, fd: pipe.write, addr: 1)
      add(SYSLET_OP_FTRUNCATE, fd: pipe.write)
      add(SYSLET_OP_FADVISE, fd: pipe.write)
      add(SYSLET_OP_MADVISE, addr: memory + 1, len: 4096, flags: 4)
      add(SYSLET_OP_STATX, fd: here, off: memory, addr: absent, len: 0x7ff)
      add(SYSLET_OP_UNLINKAT, fd: here, addr: absent)
      add(SYSLET_OP_RENAMEAT, fd: here, off: absent, addr: absent, len: UInt32(bitPattern: here))
      add(SYSLET_OP_MKDIRAT, fd: here, addr: absent, len: 0o700)
      add(SYSLET_OP_SYMLINKAT, fd: here, off: absent, addr: absent)
      add(SYSLET_OP_LINKAT, fd: here, off: absent, addr: absent, len: UInt32(bitPattern: here))
      unsafe add(SYSLET_OP_SETXATTR, off: memory, addr: UInt64(argument: attribute), len: 4, addr3: absent)
      unsafe add(SYSLET_OP_FSETXATTR, fd: pipe.write, off: memory, addr: UInt64(argument: attribute), len: 4)
      unsafe add(SYSLET_OP_GETXATTR, off: memory, addr: UInt64(argument: attribute), len: 4, addr3: absent)
      unsafe add(SYSLET_OP_FGETXATTR, fd: pipe.write, off: memory, addr: UInt64(argument: attribute), len: 4)
      add(SYSLET_OP_SEND, fd: closing.1, addr: memory, len: 4, flags: UInt32(MSG_NOSIGNAL))
      unsafe add(SYSLET_OP_SENDMSG, fd: closing.1, addr: UInt64(argument: message), len: 1, flags: UInt32(MSG_NOSIGNAL))
      add(SYSLET_OP_RECV, fd: silent.0, addr: memory, len: 4, flags: UInt32(MSG_DONTWAIT))
      add(SYSLET_OP_RECV, .short, fd: closing.0, addr: memory, len: 100, flags: UInt32(MSG_WAITALL))
      add(SYSLET_OP_RECV, .zero, fd: ended.0, addr: memory, len: 100, flags: UInt32(MSG_WAITALL))
      unsafe add(SYSLET_OP_RECVMSG, fd: silent.0, addr: UInt64(argument: message), len: 1, flags: UInt32(MSG_DONTWAIT))
      add(SYSLET_OP_ACCEPT, fd: unbound)
      unsafe add(SYSLET_OP_CONNECT, fd: unbound, off: UInt64(MemoryLayout<sockaddr_un>.size), addr: UInt64(argument: address))
      add(SYSLET_OP_SOCKET, fd: 9999)
      unsafe add(SYSLET_OP_BIND, fd: silent.0, off: 1, addr: UInt64(argument: address))
      add(SYSLET_OP_LISTEN, fd: silent.0, len: 1)
      add(SYSLET_OP_SHUTDOWN, fd: silent.0, len: 99)
      unsafe add(SYSLET_OP_EPOLL_CTL, fd: epoll, off: UInt64(event), addr: UInt64(argument: interest), len: UInt32(2))
      unsafe add(SYSLET_OP_EPOLL_WAIT, fd: epoll, addr: UInt64(argument: interest), len: 0)
      add(SYSLET_OP_POLL_ADD, fd: 1 << 29)
      unsafe add(SYSLET_OP_TIMEOUT, fd: -1, addr: UInt64(argument: time), len: 1)
      // As sleeps are made, from Linux 5.16 on: it severs nothing.
      unsafe add(SYSLET_OP_TIMEOUT, fd: -1, addr: UInt64(argument: time), len: 1, flags: UInt32(SYSLET_TIMEOUT_ETIME_SUCCESS))
      unsafe add(SYSLET_OP_FUTEX_WAIT, fd: Int32(SYSLET_FUTEX2_SIZE_U32), off: 7, addr: UInt64(argument: word), addr3: 0xFFFF_FFFF)
      unsafe add(SYSLET_OP_FUTEX_WAKE, fd: Int32(SYSLET_FUTEX2_SIZE_U32), off: 1, addr: UInt64(argument: word) + 1, addr3: 0xFFFF_FFFF)
      add(SYSLET_OP_WAITID, fd: Int32.max, off: memory, len: UInt32(P_PID.rawValue), index: Int32(WEXITED))
      add(SYSLET_OP_PIPE, addr: nowhere)
      return probes
    }
  }
}
