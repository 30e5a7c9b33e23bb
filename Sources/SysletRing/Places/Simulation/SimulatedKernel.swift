// A kernel for tests: takes SQEs and posts CQEs as docs/TRANSLATION.md says that io_uring does, in an order and with faults that a seed
// decides. It stands at the system call: the queues, the mending of split chains and everything above them are the real ones.
//
// What a call does is not its business: `perform` says what came of it, or nil while the call has to wait.
//
// Unsafe fence: the ring's memory is CLiburing's until the engine closes it; paths are read where the engine's SQEs say they are.

internal import CLiburing
internal import Glibc

final class SimulatedKernel {
  /// How this kernel behaves. Chances are in percent.
  struct Settings {
    var seed: UInt64
    var entries = 16
    var completionEntries = 32
    var links = LinkModel.modern
    /// A request may wait for up to so many steps of others.
    var delayMax = 4
    /// Requests that could run are taken in any order, not by age.
    var isReordering = true
    /// An enter fails with EINTR, EAGAIN or EBUSY, and nothing was taken.
    var failedEnters = 0
    /// An enter fails in the same way although it took SQEs.
    var lateFailures = 0
    /// An enter takes fewer SQEs than it was given.
    var partialSubmissions = 0
    /// A wait comes back with fewer CQEs than it was to wait for.
    var earlyReturns = 0
    /// A request is refused when it is prepared, with EINVAL: its whole chain is cancelled.
    var refusals = 0
    /// A request is refused when it is issued, with EOPNOTSUPP.
    var unsupported = 0
    /// A cancellation comes when the request is running (it ends with EINTR), or just after it ended.
    var lateCancellations = 0
    /// From this enter on all fail with `deathErrno`.
    var deathAfter = Int.max
    var deathErrno = EOWNERDEAD
  }

  /// An SQE as it was when it was submitted.
  struct Request {
    let sqe: syslet_sqe
    /// What the kernel captures of paths when a request is submitted.
    let paths: [String]
    fileprivate var next: Int?
    fileprivate var delay = 0
    fileprivate var isInterrupted = false

    fileprivate var isHard: Bool { sqe.flags & UInt8(SYSLET_SQE_HARDLINK) != 0 }
    fileprivate var isLinked: Bool { sqe.flags & UInt8(SYSLET_SQE_HARDLINK | SYSLET_SQE_LINK) != 0 }
    /// A read that the engine makes for itself, of a descriptor that is not simulated.
    fileprivate var isDoorbell: Bool { UserData.kind(sqe.user_data) == UserData.doorbell }
    fileprivate var isCall: Bool { UserData.kind(sqe.user_data) == 0 }
    /// A call that the engine makes again when the ring refuses it.
    fileprivate var isRepeatable: Bool {
      guard isCall, Int(sqe.opcode) != SYSLET_OP_NOP else { return false }
      if Int(sqe.opcode) == SYSLET_OP_READ { return sqe.off != .max }
      return Operation.ringRows.first { Int($0.opcode) == Int(sqe.opcode) }?.form.nature.contains(.repeatable) ?? false
    }
  }

  let settings: Settings
  private(set) var ring: Ring!
  /// What came of a call: its result, or nil as long as it has to wait.
  private let perform: (Request) -> Int?
  private var random: SeededGenerator
  private var requests: [Request] = []
  /// The requests that could run: the first of each chain that is left of it.
  private var heads: [Int] = []
  /// CQEs that found the queue full.
  private var backlog: [syslet_cqe] = []
  private var failuresInRow = 0
  private var idleWaits = 0
  /// When the first of them began.
  private var idleSince: Int64 = 0
  private(set) var enters = 0
  private(set) var overflowed = 0
  /// The engine waited for what could not come.
  private(set) var isStuck = false

  init(_ settings: Settings, perform: @escaping (Request) -> Int?) {
    self.settings = settings
    self.perform = perform
    random = SeededGenerator(seed: settings.seed)
    // Unretained: whoever made the kernel keeps it until its engine is closed.
    let simulation = unsafe syslet_simulation(
      context: Unmanaged.passUnretained(self).toOpaque(),
      enter: { context, submit, wait, timeout in
        unsafe Int32(
          Unmanaged<SimulatedKernel>.fromOpaque(context!).takeUnretainedValue().enter(Int(submit), waitFor: Int(wait), timeout))
      })
    ring = unsafe Ring(entries: settings.entries, completionEntries: settings.completionEntries, simulation: simulation)
  }

  /// So many waits that ran out, one after the other, with nothing that could come, are one that does not end.
  private static let idleWaitsMax = 100
  /// If they last that long at the least.
  private static let idleMax: Int64 = 300_000_000
  private static let nanosecondsPerWait: Int64 = 1_000_000

  // MARK: enter

  private func enter(_ submit: Int, waitFor count: Int, _ timeout: Int64) -> Int {
    enters += 1
    if enters > settings.deathAfter { return -Int(settings.deathErrno) }
    flushBacklog()
    // Not for ever: a kernel that takes nothing at all is a broken one.
    if failuresInRow < 3, random.chance(settings.failedEnters) {
      failuresInRow += 1
      return -Int(random.pick([EINTR, EAGAIN, EBUSY]))
    }
    failuresInRow = 0
    let isPartial = submit > 1 && random.chance(settings.partialSubmissions)
    let taken = take(isPartial ? 1 + random.below(submit - 1) : submit)
    for _ in 0..<random.below(4) { step() }
    if submit > 0, random.chance(settings.lateFailures) { return -Int(EINTR) }
    // The kernel does not wait behind a submission of which it left a part.
    if isPartial { return taken }
    while ring.ready < count {
      if random.chance(settings.earlyReturns) { break }
      // What has to wait is asked again: it may have to wait for a few times only.
      if (0..<4).contains(where: { _ in step() }) || waitForDoorbell(timeout) {
        idleWaits = 0
        continue
      }
      if idleWaits == 0 { idleSince = syslet_now() }
      idleWaits += 1
      // A program that sleeps again and again has as many waits, in less time.
      if timeout >= 0, idleWaits < Self.idleWaitsMax || syslet_now() - idleSince < Self.idleMax {
        // The engine's timers are real ones.
        if taken == 0 { usleep(UInt32(min(timeout, Self.nanosecondsPerWait) / 1000)) }
        return taken > 0 ? taken : -Int(ETIME)
      }
      isStuck = true
      return -Int(EDEADLK)
    }
    return taken
  }

  /// Takes up to `count` SQEs and makes chains of them. A link flag on the last one links it to nothing.
  private func take(_ count: Int) -> Int {
    var chain: [Int] = []
    var taken = 0
    while taken < count, let sqe = ring.takeSubmitted() {
      taken += 1
      if Int(sqe.opcode) == SYSLET_OP_ASYNC_CANCEL {
        post(sqe, cancel(sqe.addr))
        continue
      }
      requests.append(Request(sqe: sqe, paths: Self.paths(sqe), delay: random.below(settings.delayMax + 1)))
      chain.append(requests.count - 1)
      if !requests[requests.count - 1].isLinked || taken == count {
        begin(chain)
        chain.removeAll(keepingCapacity: true)
      }
    }
    if !chain.isEmpty { begin(chain) }
    return taken
  }

  private func begin(_ chain: [Int]) {
    let refused = chain.first { requests[$0].isRepeatable && random.chance(settings.refusals) }
    if let refused {
      let errno = EINVAL
      for index in chain { post(requests[index].sqe, index == refused ? -Int(errno) : -Int(ECANCELED)) }
      return
    }
    for (index, next) in zip(chain, chain.dropFirst()) { requests[index].next = next }
    heads.append(chain[0])
  }

  // MARK: running

  /// Runs one request if any can; false if all that are left have to wait for somebody else.
  @discardableResult
  private func step() -> Bool {
    guard !heads.isEmpty else {
      requests.removeAll(keepingCapacity: true)
      return false
    }
    let first = settings.isReordering ? random.below(heads.count) : 0
    for offset in 0..<heads.count {
      let position = (first + offset) % heads.count
      let index = heads[position]
      if requests[index].delay > 0 {
        requests[index].delay -= 1
        return true
      }
      guard let result = result(requests[index]) else { continue }
      heads.remove(at: position)
      finish(index, result)
      return true
    }
    return false
  }

  private func result(_ request: Request) -> Int? {
    if request.isDoorbell { return Self.readDoorbell(request.sqe, milliseconds: 0) }
    if request.isInterrupted { return -Int(EINTR) }
    // Not where the next call runs in any case: then it is too late to make this one elsewhere, and the engine takes it as the result.
    if request.isRepeatable, !request.isHard, random.chance(settings.unsupported) {
      return -Int(EOPNOTSUPP)
    }
    switch Int(request.sqe.opcode) {
    case SYSLET_OP_NOP: return 0
    case SYSLET_OP_TIMEOUT: return -Int(ETIME)
    default: return perform(request)
    }
  }

  private func finish(_ index: Int, _ result: Int) {
    let request = requests[index]
    post(request.sqe, result)
    guard let next = request.next else { return }
    if request.isHard || !settings.links.severs(request.sqe, result) {
      requests[next].delay = random.below(settings.delayMax + 1)
      heads.append(next)
    } else {
      var severed: Int? = next
      while let index = severed {
        post(requests[index].sqe, -Int(ECANCELED))
        severed = requests[index].next
      }
    }
  }

  /// Cancels the request that `userData` names: the result of the cancellation.
  private func cancel(_ userData: UInt64) -> Int {
    // Only the head of a chain is found.
    guard let position = heads.firstIndex(where: { requests[$0].sqe.user_data == userData }) else { return -Int(ENOENT) }
    let index = heads[position]
    if random.chance(settings.lateCancellations) {
      if random.chance(50), let result = result(requests[index]) {
        heads.remove(at: position)
        finish(index, result)
        return -Int(ENOENT)
      }
      requests[index].isInterrupted = true
      return -Int(EALREADY)
    }
    heads.remove(at: position)
    finish(index, -Int(ECANCELED))
    return 0
  }

  // MARK: CQEs

  private func post(_ sqe: syslet_sqe, _ result: Int) {
    let cqe = syslet_cqe(user_data: sqe.user_data, res: Int32(truncatingIfNeeded: result), flags: 0)
    if !backlog.isEmpty || !ring.post(cqe) {
      overflowed += 1
      backlog.append(cqe)
    }
  }

  private func flushBacklog() {
    while let cqe = backlog.first, ring.post(cqe) { backlog.removeFirst() }
  }

  // MARK: outside

  /// Waits for a worker, the only party outside that can end a wait, for up to `timeout` nanoseconds; false if none is expected, or has come.
  private func waitForDoorbell(_ timeout: Int64) -> Bool {
    guard let position = heads.firstIndex(where: { requests[$0].isDoorbell }) else { return false }
    let index = heads[position]
    let milliseconds = timeout < 0 ? Self.workersPatience : min(Self.workersPatience, (timeout + 999_999) / 1_000_000)
    guard let result = Self.readDoorbell(requests[index].sqe, milliseconds: Int32(milliseconds)) else { return false }
    heads.remove(at: position)
    finish(index, result)
    return true
  }

  /// In milliseconds: a machine that is busy with something else may not let a worker run for seconds.
  private static let workersPatience: Int64 = 30_000

  private static func readDoorbell(_ sqe: syslet_sqe, milliseconds: Int32) -> Int? {
    var entry = pollfd(fd: sqe.fd, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, milliseconds) == 1 else { return nil }
    return unsafe read(sqe.fd, UnsafeMutableRawPointer(bitPattern: UInt(sqe.addr)), Int(sqe.len))
  }

  private static func paths(_ sqe: syslet_sqe) -> [String] {
    func path(_ address: UInt64) -> String {
      unsafe UnsafePointer<CChar>(bitPattern: UInt(address)).map { unsafe String(cString: $0) } ?? ""
    }
    switch Int(sqe.opcode) {
    case SYSLET_OP_OPENAT, SYSLET_OP_UNLINKAT, SYSLET_OP_MKDIRAT, SYSLET_OP_STATX: return [path(sqe.addr)]
    case SYSLET_OP_RENAMEAT, SYSLET_OP_LINKAT: return [path(sqe.addr), path(sqe.off)]
    default: return []
    }
  }
}
