// What a runtime tells a logger: the trait `Logging`.

#if Logging
  import InMemoryLogging
  import Logging
  import SystemPackage
  import Testing

  @testable import SysletRing

  @Suite("A runtime's logger", .leavesNothingBehind, .timeLimit(.minutes(5)))
  struct RuntimeLogTests {
    @Test("It is told of failures with their steps, of the end, and of doing without io_uring")
    func told() async throws {
      let handler = InMemoryLogHandler()
      var logger = Logger(label: "test") { _ in handler }
      logger.logLevel = .debug
      var options = SysletRuntime.Options()
      options.logger = logger
      let runtime = try SysletRuntime(options)
      _ = try? await runtime.run(Files.status, "/nowhere")
      _ = await runtime.outcome(of: Files.status, "/nowhere")
      await runtime.shutDown()

      var entries = handler.entries
      if runtime.ringUnavailability != nil { #expect(entries.removeFirst().level == .warning) }
      #expect(entries.map { "\($0.message)" } == ["a program gave no result", "a program gave no result", "shutting down", "shut down"])
      for entry in entries.prefix(2) {
        #expect(entry.level == .debug)
        #expect(entry.metadata["operation"] == "status" && entry.metadata["executed"] != nil)
        #expect("\(entry.metadata["step"] ?? "")".hasPrefix("SixPrograms.swift:"))
        #expect("\(entry.metadata["error"] ?? "")".hasPrefix("status \"/nowhere\": ENOENT"))
      }
    }

    @Test("At its usual level it hears of no program")
    func quiet() async throws {
      let handler = InMemoryLogHandler()
      var options = SysletRuntime.Options()
      options.logger = Logger(label: "test") { _ in handler }
      let runtime = try SysletRuntime(options)
      _ = try? await runtime.run(Files.status, "/nowhere")
      #expect(handler.entries.allSatisfy { $0.level == .warning })
      await runtime.shutDown()
    }
  }
#endif
