// The two clocks of a measurement.

internal import Glibc

enum Clock {
  /// Wall time since some moment, in nanoseconds.
  static func wall() -> UInt64 { read(CLOCK_MONOTONIC) }

  /// CPU time of the whole process in nanoseconds: user and kernel, its worker threads and the kernel's workers for its rings
  /// included. The same as `getrusage` gives, without its rounding.
  static func cpu() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}
