// What other threads want of an executor's.

internal import Glibc

/// Filled by any thread, emptied by the executor's.
@safe final class Inbox: @unchecked Sendable {
  enum Message {
    case job(UnownedJob)
    case cancel(Awaiting.Ticket)
    case close
  }

  /// Guards the two below. The memory is the inbox's.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var messages: [Message] = []
  private var isClosed = false

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

  /// False when nobody will ever take it.
  func put(_ message: Message) -> Bool {
    locked {
      if !isClosed { messages.append(message) }
      return !isClosed
    }
  }

  /// Exchanges what there is for `empty`, whose memory is used on.
  func take(_ empty: inout [Message]) { locked { swap(&messages, &empty) } }

  /// Whether nothing is left; then nothing can be put in any more.
  func closeIfEmpty() -> Bool {
    locked {
      isClosed = messages.isEmpty
      return isClosed
    }
  }
}
