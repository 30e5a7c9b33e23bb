// The kernel's ring: SQEs in, CQEs out, one enter for both. The only user of CLiburing's ring but for the self-test beside it.
//
// Unsafe fence: the ring's memory is CLiburing's, from `init` to `close`; the thread that makes a ring is the only one to use it and
// closes it before it ends (law L8).

internal import CLiburing
internal import Glibc
internal import Synchronization

/// A value so that the engine can use it without counting references; whoever opens it closes it.
@safe struct Ring {
  // `let` pointers: no exclusivity checks on the way to the queues (41-55 instructions per nop; 189 with the ring stored inline).
  private let handle: OpaquePointer
  private let queues: UnsafeMutablePointer<syslet_queues>
  let facts: syslet_ring_facts
  /// What becomes of a request is looked after in enters alone. Otherwise (before Linux 6.1) the thread does so whenever it is in the kernel, in other sleeps
  /// too: then a read that waits takes what has come before another sleep sees it.
  var isDeferred: Bool { facts.setup_flags & Self.deferred != 0 }
  /// IORING_SETUP_DEFER_TASKRUN.
  private static let deferred: UInt32 = 1 << 13

  /// Opens a ring, or gives the errno with which io_uring_setup failed.
  init(entries: Int, completionEntries: Int) throws(KernelError) {
    var handle: OpaquePointer?
    var facts = syslet_ring_facts()
    let result = unsafe syslet_ring_open(&handle, UInt32(entries), UInt32(completionEntries), &facts)
    guard result == 0, let handle = unsafe handle else { throw KernelError(errno: -result) }
    unsafe self.handle = unsafe handle
    unsafe queues = syslet_ring_queues(handle)
    self.facts = facts
    Census.countRing(1)
    // Unset, the bound for unbounded work is RLIMIT_NPROC: one slow disk could start thousands of kernel threads. Kernels before 5.15
    // refuse, and keep theirs.
    _ = unsafe syslet_ring_limit_workers(handle, UInt32(4 * max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))), 256)
  }

  /// Opens a ring of these sizes or, where there is too little memory for it (RLIMIT_MEMLOCK, a control group), of half of them, a quarter and so on, down
  /// to `entriesMin` and twice as many CQEs.
  static func largest(entries: Int, completionEntries: Int, entriesMin: Int = 8) throws(KernelError) -> Ring {
    var sizes = (entries, completionEntries)
    while true {
      do throws(KernelError) {
        return try Ring(entries: sizes.0, completionEntries: sizes.1)
      } catch {
        guard error.errno == ENOMEM else { throw error }
        // A closed ring's memory, such as the self-test's, counts until the kernel has taken it down, some 30 ms later.
        if syslet_now() - closedLast.load(ordering: .relaxed) < closingNanoseconds {
          usleep(1_000)
          continue
        }
        guard sizes.0 > entriesMin || sizes.1 > 2 * entriesMin else { throw error }
        sizes = (max(sizes.0 / 2, min(sizes.0, entriesMin)), max(sizes.1 / 2, min(sizes.1, 2 * entriesMin)))
      }
    }
  }

  /// When this process closed a ring last. Relaxed: a little late is no harm.
  private static let closedLast = Atomic<Int64>(.min / 2)
  private static let closingNanoseconds: Int64 = 50_000_000

  /// A ring without a kernel (`SimulatedKernel`). Both sizes are powers of two.
  init(entries: Int, completionEntries: Int, simulation: syslet_simulation) {
    var handle: OpaquePointer?
    let result = unsafe syslet_ring_open_simulated(&handle, UInt32(entries), UInt32(completionEntries), simulation)
    guard result == 0, let handle = unsafe handle else { fatalError("there is no memory for a simulated ring") }
    unsafe self.handle = unsafe handle
    unsafe queues = syslet_ring_queues(handle)
    Census.countRing(1)
    facts = syslet_ring_facts(
      sq_entries: UInt32(entries), cq_entries: UInt32(completionEntries), features: .max, setup_flags: 0)
  }

  /// The kernel's side of a simulated ring: the next SQE.
  func takeSubmitted() -> syslet_sqe? {
    var sqe = syslet_sqe()
    return unsafe syslet_ring_take(handle, &sqe) ? sqe : nil
  }

  /// The kernel's side of a simulated ring: false when the completion queue is full.
  func post(_ cqe: syslet_cqe) -> Bool { unsafe syslet_ring_post(handle, cqe) }

  /// Closes the ring. The kernel cancels what is still in flight, some time after this.
  func close() {
    unsafe syslet_ring_close(handle)
    Self.closedLast.store(syslet_now(), ordering: .relaxed)
    Census.countRing(-1)
  }

  /// In a forked child: lets go of the ring without touching its memory, which the child does not have.
  func abandon() {
    unsafe syslet_ring_abandon(handle)
    Census.countRing(-1)
  }

  /// CQEs that wait to be taken.
  var ready: Int { unsafe Int(syslet_queue_ready(queues)) }
  /// SQEs that can be issued before the next enter.
  var room: Int { unsafe Int(syslet_queue_room(queues)) }
  /// SQEs that are issued and not yet with the kernel.
  var queued: Int { unsafe Int(syslet_queue_queued(queues)) }

  /// The next slots of the submission queue, to be filled in place. What is in them is nobody's before `issue`.
  var slots: SQESlots { unsafe SQESlots(base: queues.pointee.sqes, first: queues.pointee.sq_tail, mask: queues.pointee.sq_mask) }

  /// Issues the next `count` slots, which have been filled, as one submission (law L2). The caller has looked at `room`.
  func issue(_ count: Int) { unsafe queues.pointee.sq_tail &+= UInt32(truncatingIfNeeded: count) }

  /// Fills slots with copies of `count` SQEs and issues them: all of them, or none and false for want of room.
  func issue(_ sqes: UnsafePointer<syslet_sqe>, _ count: Int) -> Bool {
    guard room >= count else { return false }
    for position in 0..<count { slots[position].pointee = unsafe sqes[position] }
    issue(count)
    return true
  }

  /// Submits what was issued and waits for `count` CQEs: the SQEs taken, or -errno. nil waits without a limit.
  func enter(waitFor count: Int, nanoseconds: Int64?) -> Int {
    unsafe Int(syslet_ring_enter(handle, UInt32(count), nanoseconds ?? -1))
  }

  /// Takes back the last issued SQE that the kernel has not taken: its user_data. nil when there is none.
  func retract() -> UInt64? {
    var word: UInt64 = 0
    return unsafe syslet_ring_retract(handle, &word) ? word : nil
  }

  /// Withdraws the rest of a chain of which the kernel took only a part: those calls come back as not started (laws L1 and L2).
  func mend() { _ = unsafe syslet_ring_mend(handle, UserData.withdrawn) }

  /// The CQEs that are ready, oldest first, and what comes behind them. Valid until `advance`.
  var cqes: CQESlots {
    unsafe CQESlots(base: queues.pointee.cqes, first: queues.pointee.cq_head.pointee, mask: queues.pointee.cq_mask)
  }

  /// Gives the slots of the oldest `count` CQEs back.
  func advance(_ count: Int) { unsafe syslet_queue_advance(queues, UInt32(truncatingIfNeeded: count)) }

  /// Copies up to `count` CQEs.
  func reap(into cqes: UnsafeMutablePointer<syslet_cqe>, _ count: Int) -> Int {
    let count = min(count, ready)
    let slots = self.cqes
    for position in 0..<count { unsafe cqes[position] = slots[position] }
    advance(count)
    return count
  }

  /// The operation codes that this kernel takes.
  func supportedOperations() -> [Bool] {
    var supported = [UInt8](repeating: 0, count: 256)
    guard unsafe syslet_ring_probe(handle, &supported) == 0 else { return Array(repeating: false, count: 256) }
    return supported.map { $0 != 0 }
  }
}

/// Slots of a completion queue, one behind the other in a ring of a power of two.
@safe struct CQESlots {
  private let base: UnsafePointer<syslet_cqe>
  private let first: UInt32
  private let mask: UInt32

  /// - Parameter base: The queue's, until the ring is closed.
  @unsafe init(base: UnsafePointer<syslet_cqe>, first: UInt32, mask: UInt32) {
    unsafe self.base = unsafe base
    self.first = first
    self.mask = mask
  }

  subscript(position: Int) -> syslet_cqe { unsafe base[Int((first &+ UInt32(truncatingIfNeeded: position)) & mask)] }
}

/// An errno from the kernel, and the call that gave it.
struct KernelError: Error {
  var call = "io_uring_setup"
  let errno: Int32
}
