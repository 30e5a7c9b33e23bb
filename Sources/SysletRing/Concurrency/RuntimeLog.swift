// What a runtime tells its logger: the trait `Logging`.

#if Logging
  internal import Logging

  /// Used by any thread. Without a logger nobody is told.
  struct RuntimeLog: Sendable {
    let logger: Logger?

    func fellBack(_ reason: EngineError) {
      logger?.warning("io_uring cannot be used, running on threads", metadata: ["reason": "\(reason)"])
    }

    /// A program has no result. Whether that is a failure of more than the program, only its caller knows.
    func failed(_ error: any Error) {
      guard let logger, logger.logLevel <= .debug else { return }
      guard let error = error as? SysletError else { return logger.debug("a program was cancelled") }
      var metadata: Logger.Metadata = ["error": "\(error)", "executed": "\(error.executed)"]
      if !error.operation.isEmpty { metadata["operation"] = "\(error.operation)" }
      if let step = error.step { metadata["step"] = "\(step)" }
      logger.debug("a program gave no result", metadata: metadata)
    }

    func begunEnding(_ admission: Admission, _ grace: Duration) {
      guard let logger else { return }
      let (running, waiting) = admission.counts
      logger.info("shutting down", metadata: ["running": "\(running)", "waiting": "\(waiting)", "grace": "\(grace)"])
    }

    func ended() { logger?.info("shut down") }
  }
#endif
