// Engines for measuring, and what becomes of a backend that this machine does not have.

internal import SysletRing

enum EngineMaker {
  static func make(_ options: SysletEngine.Options) throws(Failure) -> SysletEngine {
    var options = options
    // `adapt` has told it.
    options.onFallback = { _ in }
    do throws(EngineError) {
      return try SysletEngine(options)
    } catch {
      throw Failure(error)
    }
  }

  /// An engine whose submission queue takes a whole batch: a queue that is too short would turn one enter into several.
  static func make(_ backend: Backend, sqes: Int) throws(Failure) -> SysletEngine {
    var options = SysletEngine.Options()
    options.backend = backend
    let sqesMax = 4096
    while options.entries < min(sqes, sqesMax) { options.entries *= 2 }
    return try make(options)
  }

  /// Closes an engine of this thread: its memory is free afterwards.
  static func close(_ engine: SysletEngine) {
    do throws(EngineError) {
      try engine.close()
    } catch {
      // Only another thread or a forked child can get here, and this program has neither.
      Console.complain("an engine could not be closed: \(error)")
    }
  }

  /// Leaves the ring out of `plan` where this machine has none; where the user asked for it, that is the end. Returns what to tell the
  /// user.
  static func adapt(_ plan: inout RunPlan) throws(Failure) -> [String] {
    var consequences: [String] = []
    var reason: EngineError?
    for backend in plan.backends {
      var options = SysletEngine.Options()
      options.backend = backend
      options.onFallback = { _ in }
      do throws(EngineError) {
        let engine = try SysletEngine(options)
        if let obstacle = engine.ringUnavailability {
          reason = obstacle
          consequences.append("the backend automatic runs on threads")
        }
        close(engine)
      } catch {
        guard case .ringUnavailable = error, backend == .ring, !plan.isBackendExplicit else { throw Failure(error) }
        plan.drop(backend)
        reason = error
        consequences.append("the backend ring is left out")
      }
    }
    return reason.map { ["\(consequences.joined(separator: ", ")): \($0)"] } ?? []
  }
}
