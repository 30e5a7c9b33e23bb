// Settings and counts of the whole test process.

import CTestSupport

enum ProcessSettings {
  private static let applied: Void = test_ignore_broken_pipes()

  /// A write to a pipe that nobody reads gives EPIPE instead of ending the process.
  static func apply() { applied }
}

/// What the process holds. Only meaningful in a process where no other test runs.
enum ProcessCounts {
  static var descriptors: Int { unsafe Int(test_count_entries("fd")) }
  static var threads: Int { unsafe Int(test_count_entries("task")) }
}
