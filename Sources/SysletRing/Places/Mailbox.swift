// How runs come back from other threads, and how the owner is woken for them and by others (law L8).
//
// Unsafe fence: a run in the mailbox belongs to nobody else, and its memory is the engine's, which does not end before it is taken (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

final class Mailbox: Sendable {
  private let runs: RunMemory
  /// The newest run that came back; older ones follow through `RunLinks.next`. Workers push, the owner takes all.
  private let newest = Atomic<UInt32>(RunSlab.end)
  /// How many more deliveries the sleeping owner wants before it is woken. 0 or negative when it does not sleep.
  private let wanted = Atomic<Int>(0)
  /// The sleeping owner sleeps on the doorbell. Written before `wanted`, which publishes it; read after it.
  private let isAtDoorbell = Atomic<Bool>(false)
  /// Somebody on another thread wants the owner's attention. As mail does, it keeps an owner that announces its sleep awake.
  private let isOwnerCalled = Atomic<Bool>(false)
  /// What an owner sleeps on that waits for nothing but this.
  private let bell = Bell()
  /// The eventfd on which an owner sleeps that waits for descriptors too, be it in its ring or in epoll.
  let doorbell: Int32

  init(runs: RunMemory) throws(KernelError) {
    let descriptor = syslet_doorbell_open()
    guard descriptor >= 0 else { throw KernelError(errno: -descriptor) }
    doorbell = descriptor
    self.runs = runs
  }

  deinit { close(doorbell) }

  // MARK: The owner's side

  /// The runs that have come back, oldest first.
  func take(_ body: (Reference<Run>) -> Void) {
    // Acquire pairs with the release of `deliver`: what the worker wrote into the run is visible.
    var slot = newest.exchange(RunSlab.end, ordering: .acquiring)
    var oldest = RunSlab.end
    while slot != RunSlab.end {
      let next = runs[slot].pointee.links.next
      runs[slot].pointee.links.next = oldest
      oldest = slot
      slot = next
    }
    while oldest != RunSlab.end {
      let run = runs[oldest]
      oldest = run.pointee.links.next
      body(run)
    }
  }

  var hasMail: Bool { newest.load(ordering: .sequentiallyConsistent) != RunSlab.end }

  var hasCall: Bool { isOwnerCalled.load(ordering: .sequentiallyConsistent) }

  /// Whether the owner was called since it asked last.
  func answerCall() -> Bool {
    // The exchange only when there is something to answer: it is asked in every turn.
    isOwnerCalled.load(ordering: .relaxed) && isOwnerCalled.exchange(false, ordering: .sequentiallyConsistent)
  }

  /// Announces that the owner will sleep until `count` more runs have come back, or one that needs it at once. False: there is mail
  /// already, do not sleep.
  ///
  /// Sequentially consistent, as is `deliver`: either the worker sees the announcement or the owner sees the mail.
  func announceSleep(until count: Int, atDoorbell: Bool) -> Bool {
    bell.reset()
    isAtDoorbell.store(atDoorbell, ordering: .relaxed)
    wanted.store(count, ordering: .sequentiallyConsistent)
    guard hasMail || hasCall else { return true }
    wanted.store(0, ordering: .relaxed)
    return false
  }

  /// Sleeps until enough runs have come back or the time is up. Call after `announceSleep`. False when a signal came.
  func sleep(nanoseconds: Int64?) -> Bool {
    defer { endSleep() }
    return bell.sleep(nanoseconds: nanoseconds) != .signal
  }

  func endSleep() { wanted.store(0, ordering: .relaxed) }

  // MARK: Other threads' side

  /// Wakes the owner if it sleeps, and keeps it from sleeping until it has `answerCall`ed. On any thread.
  func callOwner() {
    // Sequentially consistent, as `deliver` is: either the owner sees the call when it announces its sleep, or this sees the announcement.
    isOwnerCalled.store(true, ordering: .sequentiallyConsistent)
    if wanted.exchange(0, ordering: .sequentiallyConsistent) > 0 { wakeOwner() }
  }

  /// Gives a run back.
  func deliver(_ run: Reference<Run>) {
    // Read before the owner can have it.
    let needsOwner = run.pointee.onWorker.verdict == .route
    var head = newest.load(ordering: .relaxed)
    while true {
      run.pointee.links.next = head
      // Release publishes the run; sequentially consistent because of `announceSleep`.
      let (exchanged, original) = newest.weakCompareExchange(
        expected: head, desired: run.pointee.slot, ordering: .sequentiallyConsistent)
      if exchanged { break }
      head = original
    }
    // A run that goes on elsewhere keeps others waiting while the owner sleeps for more.
    let isDue =
      needsOwner
      ? wanted.exchange(0, ordering: .sequentiallyConsistent) > 0
      : wanted.wrappingSubtract(1, ordering: .sequentiallyConsistent).oldValue == 1
    if isDue { wakeOwner() }
  }

  private func wakeOwner() {
    if isAtDoorbell.load(ordering: .relaxed) { syslet_doorbell_ring(doorbell) } else { bell.ring() }
  }
}
