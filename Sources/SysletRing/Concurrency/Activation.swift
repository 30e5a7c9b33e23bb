// One activation of a typed program: the engine runs its steps, and here is decided where it goes on when a limit begins or ends, and when it is cut short.

internal import CLiburing
internal import Glibc
internal import SystemPackage

/// Its runs begin on the thread of the shard; its first one may be followed on another, where the task has been on the shard's by chance.
struct Activation {
  /// How it ended, and how far it came.
  struct Ending {
    /// What is thrown, if anything.
    var error: (any Error)?
    /// Steps, those that clean up included.
    var executed = 0
    /// The last step before it was cut short, or of all.
    var last: Int?
  }

  /// Why a program is cut short. What cleans up goes on.
  enum Cut { case cancelled, late, closed, tooLong }

  private let frame: SysletFrame
  private let deadline: Int64?
  private let admission: Admission
  /// When the time limits end in which it is, from the outside in, and the steps that began them.
  private var limits: [(moment: Int64, step: Int)] = []
  private var shields = 0
  private var cut: Cut?
  private var executed = 0
  private var last: Int?
  private var hasLastFailed = false
  /// `last` when it was cut short.
  private var lastBefore: Int?

  init(_ frame: SysletFrame, _ deadline: Int64?, _ admission: Admission) {
    (self.frame, self.deadline, self.admission) = (frame, deadline, admission)
  }

  static func error(_ reason: SysletError.Reason) -> SysletError {
    SysletError(reason: reason, operation: "", path: nil, descriptor: nil, step: nil, executed: 0)
  }

  /// Runs the program from `step` on to its end, on the shard's thread.
  nonisolated(nonsending) mutating func perform(from step: Int, on shard: SysletExecutor) async -> Ending {
    var next: Int? = step
    while let step = next {
      do throws(EngineError) {
        guard shard.isOwner else { throw .closed }
        next = try await run(from: step, on: shard, isCancelled: Task.isCancelled)
      } catch {
        return ending(error, on: shard)
      }
    }
    return ending()
  }

  /// One run of the engine's, on the shard's thread: where it goes on.
  ///
  /// - Parameter isCancelled: The task is, as far as anybody has looked.
  @inline(__always)
  nonisolated(nonsending) mutating func run(
    from step: Int, on shard: SysletExecutor, isCancelled: Bool
  ) async throws(EngineError) -> Int? {
    let isShielded = isShielded
    let (completion, isLate) = try await shard.runHere(
      frame.head, .prepared, from: frame.address(ofStep: step), deadline: limit, isShielded: isShielded,
      isCancelled: !isShielded && (isCancelled || admission.isCut))
    return follow(completion, isLate: isLate)
  }

  /// Nothing can be run any more, so nothing is cleaned up either. Where the kernel has failed, it may still have the memory.
  func ending(_ error: EngineError, on shard: SysletExecutor) -> Ending {
    if shard.hasFailed { frame.lose() }
    return ending(error == .closed ? Self.error(.closed) : Self.error(SysletError.Reason(kind: .engine(error))))
  }

  /// Where it begins; nil for a program without steps.
  var begin: Int? { frame.program.begin }

  /// Nothing cuts it short now.
  var isShielded: Bool { shields > 0 || cut != nil }

  /// When the next run is cut short.
  private var limit: Int64? {
    guard !isShielded else { return nil }
    return limits.reduce(deadline) { min($0 ?? .max, $1.moment) }
  }

  /// Where it goes on; nil: it is at its end.
  mutating func follow(_ completion: Completion, isLate: Bool) -> Int? {
    executed += completion.executed
    if completion.executed > 0 {
      let number = unsafe frame.number(of: completion.atom)
      let template = frame.program.templates[number]
      (last, hasLastFailed) = (number, template.mayFail && frame[template.result] < 0)
    }
    guard completion.reason == .cancelled || completion.reason == .stepLimit else {
      // Its memory is its own, and is there.
      guard completion.reason == .ended else { fatalError("L5: a typed program ended as \(completion.reason)") }
      guard let last, let control = frame.program.templates[last].control else { return nil }
      return take(control, last)
    }
    guard let last else {
      cut = cut ?? reason(completion, isLate: isLate)
      return nil
    }
    let template = frame.program.templates[last]
    let landings = hasLastFailed ? template.landingsFailed : template.landingsDone
    if cut == nil, isLate, let landing = passLimit() { return landings[landing] }
    if cut == nil { (cut, lastBefore) = (reason(completion, isLate: isLate), last) }
    return landings[0]
  }

  private func reason(_ completion: Completion, isLate: Bool) -> Cut {
    completion.reason == .stepLimit ? .tooLong : isLate ? .late : admission.isCut && !Task.isCancelled ? .closed : .cancelled
  }

  /// Behind a step with which a limit or a shield begins or ends.
  private mutating func take(_ control: Control, _ number: Int) -> Int? {
    let template = frame.program.templates[number]
    switch control {
    case .beginLimit(let nanoseconds):
      let (moment, overflow) = syslet_now().addingReportingOverflow(nanoseconds)
      limits.append((overflow ? .max : moment, number))
    case .endLimit: limits.removeLast()
    case .beginShield: shields += 1
    case .endShield: shields -= 1
    }
    guard !isShielded else { return template.positive }
    // What came while nothing was to interrupt it.
    if Task.isCancelled {
      cut = .cancelled
    } else if admission.isCut {
      cut = .closed
    } else if let deadline, deadline <= syslet_now() {
      cut = .late
    } else if let landing = passLimit() {
      return template.landingsDone[landing]
    } else {
      return template.positive
    }
    lastBefore = last
    return template.landingsDone[0]
  }

  /// If a time limit has passed, and the program's has not, it fails with the outermost of these: which of a step's landings that is.
  private mutating func passLimit() -> Int? {
    let now = syslet_now()
    if let deadline, deadline <= now { return nil }
    guard let index = limits.firstIndex(where: { $0.moment <= now }) else { return nil }
    frame[frame.program.failure] = limits[index].step + 1
    // What cleans up for those in it ends them.
    for inner in index..<limits.count { limits[inner].moment = .max }
    return index + 1
  }

  func ending(_ error: SysletError? = nil) -> Ending {
    var ending = Ending(executed: executed, last: lastBefore ?? frame.failedStep ?? last)
    if var error {
      error.executed = executed
      ending.error = error
      return ending
    }
    switch cut {
    case .cancelled: ending.error = CancellationError()
    case .late, .closed, .tooLong:
      var error = Self.error(cut == .late ? .timedOut : cut == .closed ? .closed : SysletError.Reason(kind: .stepLimit))
      error.executed = executed
      ending.error = error
    case nil: ending.error = frame.failedStep.map(failure)
    }
    return ending
  }

  /// The error of a step that failed.
  private func failure(_ number: Int) -> SysletError {
    let template = frame.program.templates[number]
    let isLimit = template.control != nil
    var error = SysletError(
      reason: isLimit ? .timedOut : .failed(Errno(rawValue: CInt(truncatingIfNeeded: -frame[template.result]))),
      operation: template.name, path: template.path.flatMap { path(frame.value($0)) },
      descriptor: template.descriptor.map { FileDescriptor(rawValue: CInt(truncatingIfNeeded: frame.value($0))) },
      step: template.location, executed: executed)
    error.program = frame.program.name
    error.number = number + 1
    return error
  }

  private func path(_ address: Int) -> FilePath? {
    unsafe UnsafePointer<CChar>(bitPattern: address).map { unsafe FilePath(platformString: $0) }
  }
}
