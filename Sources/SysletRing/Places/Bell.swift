// What one thread sleeps on and others ring.
//
// Unsafe fence: the word is the bell's, and whoever rings or sleeps holds the bell.

internal import CLiburing
internal import Glibc
internal import Synchronization

@safe final class Bell: @unchecked Sendable {
  enum End { case rung, signal, timeout }

  /// The futex: 1 = rung. `Atomic<UInt32>` has the word's layout.
  private let word: UnsafeMutablePointer<Atomic<UInt32>>

  init() {
    unsafe word = .allocate(capacity: 1)
    unsafe word.initialize(to: Atomic(0))
  }

  deinit {
    unsafe word.deinitialize(count: 1)
    unsafe word.deallocate()
  }

  /// By whoever is to sleep, before others may ring.
  func reset() { unsafe word.pointee.store(0, ordering: .relaxed) }

  func ring() {
    // The release is met by the sleeper's acquire.
    unsafe word.pointee.store(1, ordering: .releasing)
    unsafe syslet_futex_wake(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self), 1)
  }

  /// Sleeps until somebody rings, a signal comes, or the time is up; nil for no limit.
  func sleep(nanoseconds: Int64?) -> End {
    while unsafe word.pointee.load(ordering: .acquiring) == 0 {
      switch unsafe -syslet_futex_wait(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self), 0, nanoseconds ?? -1) {
      case 0: continue
      case EINTR: return .signal
      default: return .timeout
      }
    }
    return .rung
  }
}
