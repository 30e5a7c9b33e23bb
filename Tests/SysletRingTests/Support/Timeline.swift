// What happens around a call while it waits: others send, open, take and let go, each a while after the call has begun.

import Foundation
import Glibc
import SysletRing

/// Events of a test's world, on a thread of their own.
final class Timeline: @unchecked Sendable {
  /// The times are multiplied by this: a difference that the machine's slowness makes goes away with more time.
  private let scale: Int
  /// Written before `begin` by the thread that made the world, read after it by the events' thread.
  private var events: [(milliseconds: Int, body: @Sendable () -> Void)] = []
  private let ended = DispatchSemaphore(value: 0)
  private var hasBegun = false
  /// What has been opened. Written by the events' thread, read when it has ended.
  private var opened: [Int32] = []

  init(scale: Int = 1) { self.scale = scale }

  /// `milliseconds` after the call has been handed over. Events come one after the other, in the order of their times.
  func after(_ milliseconds: Int, _ body: @escaping @Sendable () -> Void) {
    precondition(!hasBegun)
    events.append((milliseconds * scale, body))
  }

  func begin() {
    hasBegun = true
    if events.isEmpty { return }
    let events = events.sorted { $0.milliseconds < $1.milliseconds }
    Thread.detachNewThread { [self] in
      let start = ContinuousClock.now
      for event in events {
        let left = start + .milliseconds(event.milliseconds) - .now
        if left > .zero { usleep(UInt32(left / .microseconds(1))) }
        event.body()
      }
      ended.signal()
    }
  }

  /// Waits until all has happened, and closes what was opened.
  func end() {
    guard hasBegun, !events.isEmpty else { return }
    ended.wait()
    for descriptor in opened { Glibc.close(descriptor) }
    opened = []
    events = []
  }

  // MARK: what happens often

  func write(_ text: String, to descriptor: UInt64, after milliseconds: Int) {
    after(milliseconds) {
      let bytes = Array(text.utf8)
      _ = unsafe Glibc.write(Int32(descriptor), bytes, bytes.count)
    }
  }

  /// Takes up to `count` bytes, waiting for the first ones.
  func read(_ count: Int, from descriptor: UInt64, after milliseconds: Int) {
    after(milliseconds) {
      var left = count
      var bytes = [UInt8](repeating: 0, count: min(count, 65_536))
      while left > 0 {
        let taken = unsafe Glibc.read(Int32(descriptor), &bytes, min(left, bytes.count))
        if taken <= 0 { break }
        left -= taken
      }
    }
  }

  func shutDown(_ descriptor: UInt64, after milliseconds: Int) {
    after(milliseconds) { _ = Glibc.shutdown(Int32(descriptor), Int32(SHUT_RDWR)) }
  }

  func endReading(_ descriptor: UInt64, after milliseconds: Int) {
    after(milliseconds) { _ = Glibc.shutdown(Int32(descriptor), Int32(SHUT_RD)) }
  }

  /// Opens `path`, and keeps it until the end: a call that is late finds it open. Without waiting for another end: nobody may be there.
  func open(_ path: String, _ flags: Int32, after milliseconds: Int) {
    after(milliseconds) { [unowned self] in
      let end = ContinuousClock.now + Deadline.usual
      var descriptor: Int32 = -1
      while descriptor < 0, ContinuousClock.now < end {
        descriptor = unsafe Glibc.open(path, flags | O_NONBLOCK | O_CLOEXEC)
        // A writer that does not wait finds nobody until the reader is there.
        if descriptor < 0 { usleep(500) }
      }
      if descriptor >= 0 { self.opened.append(descriptor) }
    }
  }
}
