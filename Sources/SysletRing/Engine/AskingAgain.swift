// When something that did not do what it was asked is asked again: soon at first, because it may have been between two things, and then ever more
// seldom, because it may be a device that takes its time.

internal import CLiburing

struct AskingAgain {
  private(set) var pause: Int64 = 0
  private var next: Int64 = 0

  private static let pauseMin: Int64 = 1_000_000
  private static let pauseMax: Int64 = 100_000_000

  /// Whether it is to be asked now.
  var isDue: Bool { next == 0 || syslet_now() >= next }

  /// In so many nanoseconds it is to be asked.
  var left: Int64 { next == 0 ? 0 : max(0, next - syslet_now()) }

  /// It was asked, and did not answer as it should.
  mutating func wait() {
    pause = min(max(pause * 2, Self.pauseMin), Self.pauseMax)
    next = syslet_now() + pause
  }

  /// It has answered, or there is somebody else to be asked.
  mutating func reset() { self = AskingAgain() }
}
