// Durations as the kernel counts them.

extension Duration {
  /// In whole nanoseconds, as many as fit.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, isHuge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isHuger) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isHuge || isHuger ? (seconds < 0 ? .min : .max) : sum
  }
}
