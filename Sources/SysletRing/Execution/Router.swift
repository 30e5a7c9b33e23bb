// Where a call runs: inline, plainly, on the ring, or on a worker, as far as the call itself tells. What its descriptor has to say to that, and what the poller has
// instead of a worker, is `Translator.place`'s. Runs and queues are the engine's.

internal import CLiburing
internal import Glibc

/// What an engine runs on.
public enum EngineBackend: String, CaseIterable, Sendable {
  /// The ring where it pays and is known to do as the system call does, workers and the caller's thread elsewhere; as `threads` where io_uring cannot
  /// be used.
  case automatic
  /// The ring for every call that io_uring is known to make as the system call does; for the rest what `threads` has. Making such an engine fails
  /// where io_uring cannot be used.
  case ring
  /// Worker threads: the emulation. Calls that never block run in `exec`; what waits for another party is tried, and waits in an epoll where it can.
  case threads
  /// The calling thread: `exec`, or `flush` and `wait` for what was enqueued. Blocks where the calls block.
  case inline
}

/// A call's place, and why.
enum Placement: Equatable {
  case inline(InlineReason)
  /// A plain call, on the thread that is nearest: the owner's while such calls cost little, a worker's when they do not or are many.
  case plain(PlainReason)
  case ring
  /// Tried here without waiting, and parked while it would have to wait: without the ring, for this reason, and without a thread.
  case poller(WorkerReason)
  case worker(WorkerReason)

  enum InlineReason: UInt8 { case neverBlocks, refused, synchronous, backend, ownThread }
  enum PlainReason: UInt8 {
    /// io_uring would hand it to a kernel worker.
    case punted
    /// A path look-up, tried without waiting.
    case lookUp
    /// An open that creates or truncates, tried without waiting for another party.
    case creation
    case close
    /// Calls that do nothing, too few for an enter of the ring.
    case few
    /// A write into the page cache.
    case buffered
    /// A read out of the page cache, tried without waiting: few at a time, or of so many bytes that copying them is all of the cost.
    case cached
    /// A read or a write past the page cache while nothing else is waited for.
    case device
    /// A call at a file of which all is in memory.
    case memory
  }

  enum WorkerReason: Equatable {
    case obstacle(RingObstacle)
    case unsupported
    case punted
    case synchronous
    case noRing
    case surroundings
    case fullRing
    /// It may wait, and mostly need not.
    case seldomWaits
    /// It needs a timer, which the poller has.
    case timer
  }
}

/// The rules of placement for one engine. Constant after the start, so workers read it too.
struct Router: Sendable {
  let backend: EngineBackend
  let isAutomatic: Bool
  /// The backend is ring, or automatic with a ring at hand.
  let hasRing: Bool
  let severing: Severing
  /// A call with none of these traits goes to the ring unless something about its arguments speaks against it.
  private let diverted: Operation.Traits

  init(backend: EngineBackend, hasRing: Bool, severing: Severing) {
    self.backend = backend
    isAutomatic = backend == .automatic
    self.hasRing = hasRing
    self.severing = severing
    diverted = isAutomatic ? [.refused, .neverBlocks, .ownThread, .punted, .mayPunt] : [.refused, .neverBlocks, .ownThread]
  }

  /// Where `call` runs. `sqe` is filled when the answer is the ring.
  ///
  /// - Parameter isSynchronous: The run is still in the caller's context.
  @inline(__always)
  func place(_ call: Reference<Call>, isSynchronous: Bool, encodingInto sqe: Reference<syslet_sqe>) -> Placement {
    // The way of most calls, in as few looks as possible.
    guard hasRing, call.pointee.traits.isDisjoint(with: diverted), !call.pointee.flags.contains(.sync), call.pointee.form.hasOpcode else {
      return placeDiverted(call, isSynchronous: isSynchronous, encodingInto: sqe)
    }
    return encode(call, into: sqe)
  }

  private func placeDiverted(_ call: Reference<Call>, isSynchronous: Bool, encodingInto sqe: Reference<syslet_sqe>) -> Placement {
    let traits = call.pointee.traits
    if traits.contains(.refused) { return .inline(.refused) }
    switch call.pointee.threadNeed {
    case .none: break
    case .inPlace: return .inline(.ownThread)
    case .refused: return .inline(.refused)
    }
    switch backend {
    case .inline:
      return .inline(.backend)
    case .ring, .automatic, .threads:
      if call.pointee.flags.contains(.sync) { return isSynchronous ? .inline(.synchronous) : .worker(.synchronous) }
      guard hasRing else {
        // Once it is asynchronous a syslet is the worker's, whatever it calls: the owner's thread is not there for loops of others.
        return traits.contains(.neverBlocks) && isSynchronous ? .inline(.neverBlocks) : .worker(.noRing)
      }
      if traits.contains(.neverBlocks) { return .inline(.neverBlocks) }
      guard call.pointee.form.hasOpcode else { return .worker(.obstacle(.noOperation)) }
      return encode(call, into: sqe)
    }
  }

  @inline(__always)
  private func encode(_ call: Reference<Call>, into sqe: Reference<syslet_sqe>) -> Placement {
    sqe.pointee = syslet_sqe()
    if let obstacle = call.pointee.form.encode(call.pointee.arguments, into: &sqe.pointee) { return .worker(.obstacle(obstacle)) }
    guard severing.isSupported(Int16(sqe.pointee.opcode)) else {
      return call.pointee.traits.contains(.neverBlocks) ? .inline(.neverBlocks) : .worker(.unsupported)
    }
    return .ring
  }

  /// Whether a worker that has the run should make this call too, rather than give the run back to the owner.
  func staysOnWorker(_ call: Reference<Call>) -> Bool {
    if call.pointee.flags.contains(.sync) { return true }
    // What waits for another party waits without a thread.
    if Waiting.isTried(call.pointee.form) { return false }
    if call.pointee.form.isTransfer, !call.pointee.form.takesOffset(call.pointee.arguments),
      DescriptorKind.mayWait(call.pointee.arguments.descriptor(0))
    {
      return false
    }
    guard hasRing else { return true }
    let traits = call.pointee.traits
    let hasOpcode = call.pointee.form.hasOpcode
    if traits.contains(.neverBlocks) || !hasOpcode { return true }
    // One hop for a run of calls, but a call that may wait for long gives the worker free: the ring waits at no cost.
    if isAutomatic, !traits.contains(.waits) { return true }
    var scratch = syslet_sqe()
    guard call.pointee.form.encode(call.pointee.arguments, into: &scratch) == nil else { return true }
    return !severing.isSupported(Int16(scratch.opcode))
  }
}
