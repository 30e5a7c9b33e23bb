// A runtime as a service that is started and ended with the others of a process: the trait `ServiceLifecycle`.

#if ServiceLifecycle
  public import ServiceLifecycle

  extension SysletRuntime: Service {
    /// Waits until the service group shuts down gracefully, and ends the runtime then, as `shutDown(grace:)` with `Options.gracePeriod` does: new programs
    /// and those that wait for their turn are refused, those that run may come to their end for so long, and are then cut short, with what cleans up.
    ///
    /// A task that is cancelled instead, or meanwhile, waits for no grace. A group shuts its services down in reverse, so the runtime stands before those
    /// that run programs on it. It takes programs before it is run as a service too; behind its end it takes none. `shared` has no end, and cannot be run.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before the group shuts down.
    public func run() async throws {
      guard !isShared else { fatalError(Self.sharedHasNoEnd) }
      do { try await gracefulShutdown() } catch {
        await shutDown()
        throw error
      }
      await shutDown(grace: gracePeriod)
    }
  }
#endif
