// What a runtime counts and gauges: the trait `Metrics`.

#if Metrics
  import CoreMetrics
  import MetricsTestKit
  import SystemPackage
  import Testing

  @testable import SysletRing

  @Suite("A runtime's metrics", .leavesNothingBehind, .timeLimit(.minutes(5)))
  struct RuntimeMetricsTests {
    private static let wait = Syslet(FileDescriptor.self) { s, pipe in
      let buffer = s.buffer(count: 1)
      return pipe.read(into: buffer)
    }

    private static func runtime(_ metrics: TestMetrics, _ adjust: (inout SysletRuntime.Options) -> Void = { _ in }) throws -> SysletRuntime
    {
      var options = SysletRuntime.Options()
      options.shards = 1
      options.metrics = metrics
      options.metricsInterval = .milliseconds(1)
      options.metricsPrefix = "test"
      adjust(&options)
      return try SysletRuntime(options)
    }

    @Test("Failures are counted by operation, step and error, and what is refused by the reason")
    func failures() async throws {
      let metrics = TestMetrics()
      let runtime = try Self.runtime(metrics)
      for _ in 0..<3 { _ = try? await runtime.run(Files.status, "/nowhere") }
      _ = try await runtime.run(Files.status, "/")
      let task = Task { try await runtime.run(Files.status, "/") }
      task.cancel()
      _ = await task.result
      await runtime.shutDown()
      _ = try? await runtime.run(Files.status, "/")

      let failed = metrics.counters(label: "test.programs.failed")
      #expect(failed.count == 1 && failed.first?.totalValue == 3)
      let dimensions = Dictionary(uniqueKeysWithValues: failed.first?.dimensions ?? [])
      #expect(dimensions["operation"] == "status" && dimensions["error"] == "ENOENT")
      #expect(dimensions["step"]?.hasPrefix("SixPrograms.swift:") == true)
      #expect(metrics.counterTotal(label: "test.programs.refused", dimensions: [("reason", "closed")]) == 1)
    }

    @Test("The gauges say how many run and how many wait, and in the end that none does")
    func gauges() async throws {
      let metrics = TestMetrics()
      let runtime = try Self.runtime(metrics) { $0.maxPending = 1 }
      let (reading, writing) = try FileDescriptor.pipe()
      let tasks = (0..<3).map { _ in Task { try await runtime.run(Self.wait, reading) } }
      let (running, waiting) = (try metrics.expectGauge("test.programs.running"), try metrics.expectGauge("test.programs.waiting"))
      while running.lastValue != 1 || waiting.lastValue != 2 { await Task.yield() }
      _ = try writing.writeAll([1, 2, 3])
      for task in tasks { _ = try await task.value }
      await runtime.shutDown()
      #expect(running.lastValue == 0 && waiting.lastValue == 0)
      try reading.close()
      try writing.close()
    }

    @Test("What is refused because there are too many is counted")
    func full() async throws {
      let metrics = TestMetrics()
      let runtime = try Self.runtime(metrics) {
        $0.maxPending = 1
        $0.overload = .refuse
      }
      let (reading, writing) = try FileDescriptor.pipe()
      let task = Task { try await runtime.run(Self.wait, reading) }
      while runtime.admission.counts.running == 0 { await Task.yield() }
      _ = try? await runtime.run(Files.status, "/")
      #expect(metrics.counterTotal(label: "test.programs.refused", dimensions: [("reason", "full")]) == 1)
      task.cancel()
      _ = await task.result
      #expect(metrics.counterTotal(label: "test.programs.cancelled") == 1)
      await runtime.shutDown()
      try reading.close()
      try writing.close()
    }

    @Test("An interval that is none is refused")
    func interval() {
      #expect(throws: EngineError.self) { try Self.runtime(TestMetrics()) { $0.metricsInterval = .zero } }
    }

    @Test("A runtime that nobody has any more ends, and its sampling with it")
    func forgotten() async throws {
      let metrics = TestMetrics()
      weak var admission: Admission?
      do {
        let runtime = try Self.runtime(metrics)
        admission = runtime.admission
        _ = try await runtime.run(Files.status, "/")
      }
      while admission != nil { await Task.yield() }
    }
  }
#endif
