// The ring's runs, as the loop takes them back.

internal import CLiburing
internal import Glibc
internal import Synchronization

extension Core {
  /// Enters the ring, as `RingPlace.enter` does, and reaps at once what keeps the kernel from taking more, after a while if that goes on: the callers come
  /// again.
  @inline(__always)
  mutating func enter(waitFor count: Int, nanoseconds: Int64?) -> Int {
    let result = inRing.enter(waitFor: count, nanoseconds: nanoseconds)
    if RingPlace.isRefusal(result) {
      reap()
      if inRing.refusals.count > Self.refusalsAtOnce { usleep(1000) }
    }
    return result
  }

  private static let refusalsAtOnce = 20

  /// Takes all that the kernel has answered.
  mutating func reap() {
    inRing.reap(&activations, &translator.descriptors)
  }
}
