// What a runtime counts and gauges: the trait `Metrics`.
//
// A program that gives its result meets nothing of it: how many run is read now and then, and what is counted are programs that give none.

#if Metrics
  internal import CoreMetrics
  internal import SystemPackage

  /// Used by any thread.
  final class RuntimeMetrics: Sendable {
    /// What a counter of failures is told apart by: there are as many as steps that have failed, times their errors.
    private struct Failure: Hashable {
      let operation: String
      let step: String
      let error: String
    }

    private let factory: any MetricsFactory
    private let prefix: String
    private let failures = Locked<[Failure: Counter]>([:])
    private let refusedFull: Counter
    private let refusedClosed: Counter
    private let cancelled: Counter
    private let load: LoadGauges
    /// Sets the gauges until it is cancelled.
    private let sampling: Task<Void, Never>

    init(_ factory: any MetricsFactory, _ prefix: String, _ interval: Duration, _ admission: Admission) {
      (self.factory, self.prefix) = (factory, prefix)
      refusedFull = Counter(label: "\(prefix).programs.refused", dimensions: [("reason", "full")], factory: factory)
      refusedClosed = Counter(label: "\(prefix).programs.refused", dimensions: [("reason", "closed")], factory: factory)
      cancelled = Counter(label: "\(prefix).programs.cancelled", factory: factory)
      let load = LoadGauges(prefix, admission, factory)
      self.load = load
      // It has the gauges only, so that the runtime can end, and nothing of the task that makes the runtime.
      sampling = Task.detached(priority: .utility) {
        while !Task.isCancelled {
          load.sample()
          try? await Task.sleep(for: interval)
        }
      }
    }

    deinit { sampling.cancel() }

    /// A program has no result.
    func failed(_ error: any Error) {
      guard let error = error as? SysletError else { return cancelled.increment() }
      switch error.reason.kind {
      case .full: refusedFull.increment()
      // With steps behind it, it was cut short by the runtime's end.
      case .closed where error.executed == 0: refusedClosed.increment()
      default:
        let failure = Failure(operation: error.operation, step: error.step.map { "\($0)" } ?? "", error: Self.name(of: error.reason))
        counter(failure).increment()
      }
    }

    private func counter(_ failure: Failure) -> Counter {
      failures.withLock { failures in
        if let counter = failures[failure] { return counter }
        let counter = Counter(
          label: "\(prefix).programs.failed",
          dimensions: [("operation", failure.operation), ("step", failure.step), ("error", failure.error)], factory: factory)
        failures[failure] = counter
        return counter
      }
    }

    private static func name(of reason: SysletError.Reason) -> String {
      switch reason.kind {
      case .failed(let errno): String(ErrorNumber.name(errno.rawValue).prefix { $0 != "(" }.dropLast())
      case .timedOut: "timedOut"
      case .stepLimit: "stepLimit"
      case .full: "full"
      case .closed: "closed"
      case .engine: "engine"
      case .limitExceeded: "limitExceeded"
      case .endOfStream: "endOfStream"
      }
    }

    /// The runtime has ended: the gauges have their last values.
    func end() {
      sampling.cancel()
      load.sample()
    }
  }

  /// How many programs run, and how many wait for their turn.
  private struct LoadGauges: Sendable {
    private let admission: Admission
    private let running: Gauge
    private let waiting: Gauge

    init(_ prefix: String, _ admission: Admission, _ factory: any MetricsFactory) {
      self.admission = admission
      running = Gauge(label: "\(prefix).programs.running", factory: factory)
      waiting = Gauge(label: "\(prefix).programs.waiting", factory: factory)
    }

    func sample() {
      let counts = admission.counts
      running.record(counts.running)
      waiting.record(counts.waiting)
    }
  }
#endif
