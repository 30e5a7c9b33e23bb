// What this process may use.

internal import CSysletBench

enum Limits {
  struct Limit {
    let name: String
    let soft: UInt64
    let hard: UInt64

    /// "unlimited" or the number.
    static func text(_ value: UInt64) -> String { value == .max ? "unlimited" : "\(value)" }
  }

  static func all() -> [Limit] {
    [
      ("RLIMIT_MEMLOCK", SYSLET_BENCH_MEMLOCK), ("RLIMIT_NOFILE", SYSLET_BENCH_NOFILE), ("RLIMIT_NPROC", SYSLET_BENCH_NPROC),
    ].compactMap { name, resource in
      var (soft, hard) = (UInt64(0), UInt64(0))
      guard unsafe syslet_bench_limit(Int32(resource), &soft, &hard) == 0 else { return nil }
      return Limit(name: name, soft: soft, hard: hard)
    }
  }

  /// Deep runs hold two descriptors per syslet; the usual soft limit of 1024 is far below the hard one.
  static func raiseDescriptors() {
    // Where it fails, an open will fail with a message of its own.
    _ = syslet_bench_raise_nofile()
  }

  /// Processors that this process may run on.
  static func cpus() -> Int { Int(syslet_bench_cpus()) }
}
