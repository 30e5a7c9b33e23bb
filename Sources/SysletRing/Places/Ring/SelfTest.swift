// The start-up self-test: which results sever a soft link on *this* kernel. Once per process, on a ring of its own.
//
// Each probe is a call that is made to fail (or to transfer less than asked) *inside its operation*, between two nops: hard-linked to the one
// before it, softly to the one behind it. What became of the second nop is the finding. The first tells whether the probe came to its
// operation at all: a failure while the SQE is prepared cancels the whole chain, the first nop included, and proves nothing; nor does a bad
// descriptor, which fails before the operation. Such failures sever on every kernel, while the operation's own may not
// (docs/TRANSLATION.md).
//
// Then waits are cancelled, each with a nop softly linked behind it: a cancellation goes other ways in the kernel than a failure, and the one
// of a futex severs nothing there.
//
// Unsafe fence: buffers and descriptors belong to the test. They are released once every CQE has been reaped; if one stays out past the
// deadline, they are left alone for good rather than freed under the kernel (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

enum SelfTest {
  /// What this process found. Made at the first use and kept; a test that could not be made is made again at the next.
  ///
  /// Reads and writes of `found`: any thread. Two threads may both make the test, and then one table of equal content is left unused.
  static func severing() throws(KernelError) -> Severing {
    if let table = Severing(kept: found.load(ordering: .acquiring)) { return table }
    let table = try runApart()
    // The release publishes the table's content to the acquire above.
    found.store(table.kept, ordering: .releasing)
    return table
  }

  private static let found = Atomic<UInt>(0)

  private struct Probe {
    let opcode: Int
    let expected: ResultClasses
    let asked: Int
    let sqe: syslet_sqe
    /// A bad descriptor is what this operation itself looks for.
    var isAboutDescriptors: Bool { opcode == SYSLET_OP_CLOSE || opcode == SYSLET_OP_POLL_ADD }
  }

  /// What became of a probe and of the nops around it; nil for what did not answer in time.
  private struct Finding {
    var before: Int?
    var result: Int?
    var after: Int?
  }

  private static let deadlineNanoseconds: Int64 = 1_000_000_000

  private final class Answer { var result: Result<Severing, KernelError> = .failure(KernelError(errno: EAGAIN)) }

  /// On a thread of its own: taking a ring down interrupts, with -EINTR, what its thread does next, and that may be a call of the program's. Where
  /// no thread can be started (RLIMIT_NPROC), that is the lesser evil.
  private static func runApart() throws(KernelError) -> Severing {
    let answer = Answer()
    let started = unsafe syslet_thread_run(
      { context in
        let answer = unsafe Unmanaged<Answer>.fromOpaque(context!).takeUnretainedValue()
        do throws(KernelError) { answer.result = .success(try SelfTest.run()) } catch { answer.result = .failure(error) }
        return nil
      }, Unmanaged.passUnretained(answer).toOpaque())
    if started == -EAGAIN { return try run() }
    guard started == 0 else { throw KernelError(call: "pthread_create", errno: -started) }
    return try answer.result.get()
  }

  /// The kernel may run the probes in any order: those that it passes to its workers come in the reverse one on Linux 6.1. So no probe may
  /// need another to come first; with `backwards`, a test sees to it.
  static func run(backwards: Bool = false) throws(KernelError) -> Severing {
    // Without its objects every probe would fail for a bad descriptor, and prove what is not so.
    let fixture = try Fixture()
    let ring = try Ring.largest(entries: 256, completionEntries: 512, entriesMin: 32)
    defer { ring.close() }
    let supported = ring.supportedOperations()
    let probes = fixture.probes().filter { supported[$0.opcode] }
    var results = [Int?](repeating: nil, count: probes.count * 3)
    var errno: Int32?
    var left = (backwards ? probes.indices.reversed() : Array(probes.indices))[...]
    // A ring that is small for want of memory takes them in several submissions.
    while !left.isEmpty, errno == nil {
      let batch = left.prefix(Int(ring.facts.sq_entries) / 3)
      left = left.dropFirst(batch.count)
      for index in batch {
        var chain = [syslet_sqe(), probes[index].sqe, syslet_sqe()]
        chain[0].opcode = UInt8(SYSLET_OP_NOP)
        chain[0].flags = UInt8(SYSLET_SQE_HARDLINK)
        chain[1].flags = UInt8(SYSLET_SQE_LINK)
        chain[2].opcode = UInt8(SYSLET_OP_NOP)
        for position in 0..<3 { chain[position].user_data = UInt64(index * 3 + position) }
        let isIssued = unsafe ring.issue(chain, 3)
        precondition(isIssued, "L2: the self-test's ring has no room for its probes")
      }
      errno = collect(ring, batch.count * 3, into: &results)
      // What has not answered may answer later, to whom it does not concern.
      if batch.contains(where: { results[$0 * 3..<$0 * 3 + 3].contains(nil) }) { break }
    }
    // Something did not answer: its memory must stay.
    if results.contains(nil) { _ = unsafe Unmanaged.passRetained(fixture) }
    // A ring that cannot be entered is none.
    if let errno { throw KernelError(call: "io_uring_enter", errno: errno) }

    let severing = Severing.empty()
    for operation in Operation.ringRows where supported[Int(operation.opcode)] { severing.support(operation.opcode) }
    for extra in Severing.extras where supported[Int(extra)] { severing.support(Int16(extra)) }
    for (index, probe) in probes.enumerated() {
      let finding = Finding(before: results[index * 3], result: results[index * 3 + 1], after: results[index * 3 + 2])
      note(finding, of: probe, in: severing)
    }
    let waits = fixture.waits().filter { supported[$0.opcode] }
    if !cancel(waits, on: ring, severing) { _ = unsafe Unmanaged.passRetained(fixture) }
    // A nop cannot fail, and a futex has two operations of which the table names the first.
    severing.confirm(.negative, for: Int16(SYSLET_OP_NOP))
    let futex = severing.confirmedResults(Int16(SYSLET_OP_FUTEX_WAIT))
      .intersection(severing.confirmedResults(Int16(SYSLET_OP_FUTEX_WAKE)))
    severing.confirm(futex, for: Int16(SYSLET_OP_FUTEX_WAIT))
    severing.confirm(futex, for: Int16(SYSLET_OP_FUTEX_WAKE))
    PlainCosts.noteBreakEven(breakEven(on: ring))
    return severing
  }

  /// So many calls at a time, and entering the ring once costs less than as many system calls. Some 100 µs.
  private static func breakEven(on ring: Ring) -> Int {
    func shortest(_ body: () -> Void) -> Int64 {
      (0..<8).map { _ in
        let begin = syslet_now()
        body()
        return syslet_now() - begin
      }.min()!
    }
    let calls: Int64 = 32
    let plain = shortest { for _ in 0..<calls { _ = syslet_call(SystemCall.getppid, 0, 0, 0, 0, 0, 0) } } / calls
    var nop = syslet_sqe()
    nop.opcode = UInt8(SYSLET_OP_NOP)
    for count in [4, 8, 16, 32] {
      let time = shortest {
        for _ in 0..<count { _ = unsafe ring.issue(&nop, 1) }
        _ = ring.enter(waitFor: count, nanoseconds: deadlineNanoseconds)
        ring.advance(ring.ready)
      }
      // What the engine does for a call on the ring takes that much longer than what it does for a plain one.
      if time + Int64(count) * 30 <= plain * Int64(count) { return count }
    }
    return 64
  }

  /// Adds what a probe proved to the table. The probes of an operation come in the order negative, short, zero.
  private static func note(_ finding: Finding, of probe: Probe, in severing: Severing) {
    let opcode = Int16(probe.opcode)
    let known = severing.confirmedResults(opcode)
    guard let before = finding.before, let result = finding.result, let after = finding.after else { return }
    let hasRun = before == 0 && (result != -Int(EBADF) || probe.isAboutDescriptors)
    let seen: ResultClasses = result < 0 ? .negative : result == 0 ? .zero : result < probe.asked ? .short : .complete
    let hasSevered = hasRun && seen == probe.expected && after == -Int(ECANCELED)
    // The kernel compares a transfer's result with its length: what severs on short severs on zero, which no write can be made to give.
    // Reads and recvs are probed for zero all the same, and one that does not hold takes both away.
    if probe.expected == .zero {
      if !hasSevered { severing.confirm(known.subtracting([.zero, .short]), for: opcode) }
    } else if hasSevered {
      severing.confirm(known.union(probe.expected == .short ? [.short, .zero] : probe.expected), for: opcode)
    }
  }

  /// Takes everything from an operation whose cancelled wait lets the next request run: a syslet that is cancelled stops there. False if
  /// something has not answered.
  private static func cancel(_ waits: [Probe], on ring: Ring, _ severing: Severing) -> Bool {
    for (index, wait) in waits.enumerated() {
      var chain = [wait.sqe, syslet_sqe()]
      chain[0].flags = UInt8(SYSLET_SQE_LINK)
      chain[0].user_data = UInt64(index * 2)
      chain[1].opcode = UInt8(SYSLET_OP_NOP)
      chain[1].user_data = UInt64(index * 2 + 1)
      let isIssued = unsafe ring.issue(chain, 2)
      precondition(isIssued, "L2: the self-test's ring has no room for its waits")
    }
    // A submission of its own: what is to be cancelled must wait by then.
    _ = ring.enter(waitFor: 0, nanoseconds: nil)
    for index in waits.indices {
      var sqe = syslet_sqe()
      sqe.opcode = UInt8(SYSLET_OP_ASYNC_CANCEL)
      sqe.fd = -1
      sqe.addr = UInt64(index * 2)
      sqe.user_data = UInt64(waits.count * 2 + index)
      let isIssued = unsafe ring.issue(&sqe, 1)
      precondition(isIssued, "L2: the self-test's ring has no room for its cancellations")
    }
    var results = [Int?](repeating: nil, count: waits.count * 3)
    _ = collect(ring, results.count, into: &results)
    for (index, wait) in waits.enumerated() {
      let hasSevered = results[index * 2] ?? 0 < 0 && results[index * 2 + 1] == -Int(ECANCELED)
      if !hasSevered { severing.confirm([], for: Int16(wait.opcode)) }
    }
    return !results.contains(nil)
  }

  /// Stores `count` results by position, those that answer in time, and gives the errno with which the ring failed.
  private static func collect(_ ring: Ring, _ count: Int, into results: inout [Int?]) -> Int32? {
    var missing = count
    let end = syslet_now() + deadlineNanoseconds
    var cqes = [syslet_cqe](repeating: syslet_cqe(), count: 64)
    while missing > 0 {
      let left = end - syslet_now()
      guard left > 0 else { break }
      let entered = ring.enter(waitFor: missing, nanoseconds: left)
      if entered < 0, ![-Int(EINTR), -Int(EAGAIN), -Int(EBUSY), -Int(ETIME)].contains(entered) {
        return Int32(-entered)
      }
      while case let reaped = unsafe ring.reap(into: &cqes, 64), reaped > 0 {
        for cqe in cqes[..<reaped] {
          results[Int(cqe.user_data)] = Int(cqe.res)
          missing -= 1
        }
      }
    }
    return nil
  }

  /// What the probes work on: objects that fail in the way each operation needs.
  @safe private final class Fixture {
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

    /// Calls that nothing ends. One for each of the ways in which the kernel waits: for a file to be ready, for a time, for a word.
    func waits() -> [Probe] {
      func wait(
        _ opcode: Int, fd: Int32 = -1, off: UInt64 = 0, addr: UInt64 = 0, len: UInt32 = 0, flags: UInt32 = 0, addr3: UInt64 = 0
      ) -> Probe {
        var sqe = syslet_sqe()
        sqe.opcode = UInt8(opcode)
        sqe.fd = fd
        sqe.off = off
        sqe.addr = addr
        sqe.len = len
        sqe.op_flags = flags
        sqe.addr3 = addr3
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
        var sqe = syslet_sqe()
        sqe.opcode = UInt8(opcode)
        sqe.fd = fd
        sqe.off = off
        sqe.addr = addr
        sqe.len = len
        sqe.op_flags = flags
        sqe.file_index = UInt32(bitPattern: index)
        sqe.addr3 = addr3
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
      unsafe add(SYSLET_OP_FUTEX_WAIT, fd: Int32(SYSLET_FUTEX2_SIZE_U32), off: 7, addr: UInt64(argument: word), addr3: 0xFFFF_FFFF)
      unsafe add(SYSLET_OP_FUTEX_WAKE, fd: Int32(SYSLET_FUTEX2_SIZE_U32), off: 1, addr: UInt64(argument: word) + 1, addr3: 0xFFFF_FFFF)
      add(SYSLET_OP_WAITID, fd: Int32.max, off: memory, len: UInt32(P_PID.rawValue), index: Int32(WEXITED))
      add(SYSLET_OP_PIPE, addr: nowhere)
      return probes
    }
  }
}
