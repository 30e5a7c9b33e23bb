// One activation of a typed program: the engine runs its steps, and here is decided where it goes on when a limit begins or ends, and when it is cut short.

internal import CLiburing
internal import Glibc
internal import SystemPackage

enum Activation {
  /// Why a program is cut short. What cleans up goes on.
  private enum Cut { case cancelled, late, closed, tooLong }

  static func error(_ reason: SysletError.Reason) -> SysletError {
    SysletError(reason: reason, operation: "", path: nil, descriptor: nil, step: nil, executed: 0)
  }

  /// Runs the program in `frame` to its end, on the shard's thread: what is thrown, if anything.
  ///
  /// - Parameter admission: Says when the runtime is being shut down.
  static nonisolated(nonsending) func perform(
    _ frame: SysletFrame, _ deadline: Int64?, on shard: SysletExecutor, _ admission: Admission
  ) async -> (any Error)? {
    let templates = frame.program.templates
    guard !templates.isEmpty else { return nil }
    var limits: [Int64] = []
    var shields = 0
    var cut: Cut?
    var executed = 0
    var last: Int?
    var next: Int? = 0
    while let step = next {
      let isShielded = shields > 0 || cut != nil
      let limit = isShielded ? nil : [deadline, limits.min()].compactMap { $0 }.min()
      let (completion, isLate): (Completion, Bool)
      do throws(EngineError) {
        guard shard.isOwner else { throw .closed }
        (completion, isLate) = try await shard.runHere(
          frame.head, .prepared, from: frame.address(ofStep: step), deadline: limit, isShielded: isShielded,
          isCancelled: !isShielded && admission.isClosed)
      } catch {
        // Nothing can be run any more, so nothing is cleaned up either. Where the kernel has failed, it may still have the memory.
        if shard.hasFailed { frame.isLost = true }
        return error == .closed ? self.error(.closed) : self.error(SysletError.Reason(kind: .engine(error)))
      }
      executed += completion.executed
      if completion.executed > 0 { last = unsafe frame.number(of: completion.atom) }
      guard completion.reason == .cancelled || completion.reason == .stepLimit else {
        // Its memory is its own, and is there.
        precondition(completion.reason == .ended, "L5: a typed program ended as \(completion.reason)")
        next = nil
        guard let number = last, let control = templates[number].control else { continue }
        switch control {
        case .beginLimit(let nanoseconds): limits.append(syslet_now() + nanoseconds)
        case .endLimit: limits.removeLast()
        case .beginShield: shields += 1
        case .endShield: shields -= 1
        }
        next = templates[number].positive
        guard cut == nil, shields == 0 else { continue }
        if Task.isCancelled {
          cut = .cancelled
        } else if admission.isClosed {
          cut = .closed
        } else if let deadline, deadline <= syslet_now() {
          cut = .late
        } else {
          continue
        }
        next = templates[number].landingDone
        continue
      }
      cut =
        cut
        ?? (completion.reason == .stepLimit ? .tooLong : isLate ? .late : admission.isClosed && !Task.isCancelled ? .closed : .cancelled)
      guard let number = last else { break }
      let hasFailed = templates[number].mayFail && completion.executed > 0 && frame[templates[number].result] < 0
      next = hasFailed ? templates[number].landingFailed : templates[number].landingDone
    }
    switch cut {
    case .cancelled: return CancellationError()
    case .late, .closed, .tooLong:
      var error = self.error(cut == .late ? .timedOut : cut == .closed ? .closed : SysletError.Reason(kind: .stepLimit))
      error.executed = executed
      return error
    case nil: break
    }
    return frame.failedStep.map { failure(frame, $0, executed) }
  }

  /// The error of a step that failed.
  private static func failure(_ frame: SysletFrame, _ number: Int, _ executed: Int) -> SysletError {
    let template = frame.program.templates[number]
    var error = SysletError(
      reason: .failed(Errno(rawValue: CInt(truncatingIfNeeded: -frame[template.result]))), operation: template.name,
      path: template.path.flatMap { path(frame.value($0)) },
      descriptor: template.descriptor.map { FileDescriptor(rawValue: CInt(truncatingIfNeeded: frame.value($0))) },
      step: template.location, executed: executed)
    error.program = frame.program.name
    error.number = number + 1
    return error
  }

  private static func path(_ address: Int) -> FilePath? {
    unsafe UnsafePointer<CChar>(bitPattern: address).map { unsafe FilePath(platformString: $0) }
  }
}
