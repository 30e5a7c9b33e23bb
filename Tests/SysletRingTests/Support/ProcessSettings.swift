// Settings and counts of the whole test process.

import CTestSupport
import Glibc

enum ProcessSettings {
  private static let applied: Void = test_ignore_broken_pipes()

  /// Ends an exit test's process well, past the leak sanitizer: what the kernel may still write to has been left alone for good there.
  static func endPastLeakSanitizer() { _exit(0) }

  /// Ends the process, with everything printed.
  static func endNow(_ status: Int32) -> Never {
    fflush(nil)
    _exit(status)
  }

  /// A write to a pipe that nobody reads gives EPIPE instead of ending the process.
  static func apply() { applied }
}

/// What the process holds. Only meaningful in a process where no other test runs.
enum ProcessCounts {
  static var descriptors: Int { unsafe Int(test_count_entries("fd")) }
  static var threads: Int { unsafe Int(test_count_entries("task")) }

  /// Waits for a count to come down to `limit`: threads end a moment after their engine is closed. Twice in a row, because the kernel's list
  /// of threads leaves some out while others end.
  static func settled(_ count: () -> Int, limit: Int) -> Int {
    let end = test_milliseconds() + (limit == 0 ? 200 : 30_000)
    var (last, now) = (count(), count())
    while max(last, now) > limit, test_milliseconds() < end {
      sched_yield()
      (last, now) = (now, count())
    }
    return max(last, now)
  }
}
