// Ctrl-C and its like: noted, and acted on where a run can stop tidily.

internal import CSysletBench

enum Interrupt {
  /// From now on a signal that asks the process to end is noted; a second one ends it at once.
  static func note() throws(Failure) {
    let result = syslet_bench_note_interrupts()
    if result != 0 { throw Failure.machine("sigaction failed: \(Errno.meaning(-result))") }
  }

  static var isNoted: Bool { syslet_bench_interrupt() != 0 }

  /// Throws if a signal has been noted. Preparations call it in their loops: a large file or tree takes seconds.
  static func check() throws(Failure) {
    let signal = syslet_bench_interrupt()
    if signal != 0 { throw Failure.interrupted(signal: signal) }
  }
}
