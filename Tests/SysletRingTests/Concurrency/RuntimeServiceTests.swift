// A runtime among a process's services: the trait `ServiceLifecycle`.

#if ServiceLifecycle
  import ServiceLifecycle
  import ServiceLifecycleTestKit
  import SystemPackage
  import Testing

  @testable import SysletRing

  @Suite("A runtime as a service", .leavesNothingBehind, .timeLimit(.minutes(5)))
  struct RuntimeServiceTests {
    /// Waits until there is something to read, and says how much.
    private static let wait = Syslet(FileDescriptor.self) { s, pipe in
      let buffer = s.buffer(count: 1)
      return pipe.read(into: buffer)
    }

    private struct Scene {
      let runtime: SysletRuntime
      let reading: FileDescriptor
      let writing: FileDescriptor

      init(grace: Duration) throws {
        var options = SysletRuntime.Options()
        options.shards = 1
        options.gracePeriod = grace
        runtime = try SysletRuntime(options)
        (reading, writing) = try FileDescriptor.pipe()
      }

      /// A program that waits for the pipe, and runs when this returns.
      func begin() async -> Task<Int, any Error> {
        let task = Task { try await runtime.run(RuntimeServiceTests.wait, reading) }
        while runtime.admission.counts.running == 0 { await Task.yield() }
        return task
      }

      func isRefused() async -> Bool {
        do { _ = try await runtime.run(RuntimeServiceTests.wait, reading) } catch {
          return (error as? SysletError)?.reason == .closed
        }
        return false
      }

      func close() throws {
        try reading.close()
        try writing.close()
      }
    }

    @Test("When it is asked to shut down, what runs comes to its end, and nothing new begins")
    func graceful() async throws {
      let scene = try Scene(grace: .seconds(600))
      let task = await scene.begin()
      try await testGracefulShutdown { trigger in
        let service = Task { try await scene.runtime.run() }
        trigger.triggerGracefulShutdown()
        while !scene.runtime.admission.isClosed { await Task.yield() }
        #expect(await scene.isRefused())
        _ = try scene.writing.writeAll([1])
        try await service.value
      }
      let count = try await task.value
      #expect(count == 1)
      try scene.close()
    }

    @Test("What has not ended when the grace period has is cut short")
    func late() async throws {
      let scene = try Scene(grace: .milliseconds(1))
      let task = await scene.begin()
      try await testGracefulShutdown { trigger in
        trigger.triggerGracefulShutdown()
        try await scene.runtime.run()
      }
      await #expect { _ = try await task.value } throws: { ($0 as? SysletError)?.reason == .closed }
      try scene.close()
    }

    @Test("A service whose task is cancelled waits for no grace, before it is asked to shut down or behind it", arguments: [false, true])
    func cancelled(isAsked: Bool) async throws {
      let scene = try Scene(grace: .seconds(600))
      let task = await scene.begin()
      await testGracefulShutdown { trigger in
        let service = Task { try await scene.runtime.run() }
        if isAsked {
          trigger.triggerGracefulShutdown()
          while !scene.runtime.admission.isClosed { await Task.yield() }
        }
        service.cancel()
        let result = await service.result
        #expect(((try? result.get()) != nil) == isAsked)
      }
      await #expect { _ = try await task.value } throws: { ($0 as? SysletError)?.reason == .closed }
      try scene.close()
    }

    @Test("The process's runtime has no end and is no service")
    func shared() async {
      await #expect(processExitsWith: .failure) { try await SysletRuntime.shared.run() }
    }
  }
#endif
