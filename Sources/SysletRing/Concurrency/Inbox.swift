// What other threads want of an executor's.
//
// The runtime lends an executor to `enqueue` for as long as the job's task lives. Once the job can be taken, the executor's thread may run it to
// the task's end, and end itself with the executor's last reference, while the sender is still at work in it. So the thread does not end before
// the senders have left.

internal import Glibc
internal import Synchronization

/// Filled by any thread, emptied by the executor's.
@safe final class Inbox: @unchecked Sendable {
  enum Message {
    case job(UnownedJob)
    case cancel(Awaiting.Ticket)
    case cancelAll
    case explain(ExplanationRequest)
    case close
  }

  /// Guards the two below it. The memory is the inbox's.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var messages: [Message] = []
  private var isClosed = false
  /// Who has put a message in and has not left yet. Added to under the mutex.
  private let senders = Atomic(0)

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  private func locked<T>(_ body: () -> T) -> T {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Puts a message in and has the owner called. False when nobody will ever take it.
  func put(_ message: Message, callOwner: () -> Void) -> Bool {
    let isIn = locked {
      guard !isClosed else { return false }
      messages.append(message)
      senders.add(1, ordering: .relaxed)
      return true
    }
    guard isIn else { return false }
    callOwner()
    // From here on all of this may be gone. The release is met by `closeIfEmpty`'s acquire.
    senders.subtract(1, ordering: .releasing)
    return true
  }

  /// Exchanges what there is for `empty`, whose memory is used on.
  func take(_ empty: inout [Message]) { locked { swap(&messages, &empty) } }

  /// Whether nothing is left and every sender has left; then nothing can be put in any more.
  func closeIfEmpty() -> Bool {
    locked {
      isClosed = messages.isEmpty && senders.load(ordering: .acquiring) == 0
      return isClosed
    }
  }
}
