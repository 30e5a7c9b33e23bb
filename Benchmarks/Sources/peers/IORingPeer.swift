// swift-system's IORing, as its interface offers it.

internal import Glibc
internal import Measuring
internal import SystemPackage

/// For the files: `open → read` linked, into a direct descriptor. The close is a request of its own once the read has completed: a read that is
/// shorter than its buffer severs the soft link, which is the only one that IORing has, and the close behind it would be cancelled.
@safe final class IORingPeer: Peer {
  private let job: Job
  private let buffers: Buffers
  /// Behind a pointer, because each use of a ring stored in the class would be checked for exclusivity. Owned here.
  private let ring: UnsafeMutablePointer<IORing>
  private var slots: [IORing.RegisteredFile] = []
  private var paths: [FilePath] = []

  /// Which request of a slot a completion belongs to: the low bits of its context.
  private enum Step: UInt64 {
    case open, read, close
  }

  init(_ job: Job) throws {
    self.job = job
    buffers = Buffers(job.depth)
    let made: IORing
    do {
      made = try IORing(queueDepth: 256, flags: [.singleSubmissionThread, .deferRunningTasks, .continueSubmittingOnError])
    } catch {
      throw Failure("swift-system's IORing cannot be made: \(error)", exitCode: 3)
    }
    unsafe ring = .allocate(capacity: 1)
    unsafe ring.initialize(to: made)
    if case .files(let tree) = job.subject {
      slots = try unsafe Array(ring.pointee.registerFileSlots(count: job.depth))
      paths = (0..<tree.count).map { unsafe FilePath(platformString: tree.paths[$0]!) }
    }
  }

  deinit {
    unsafe ring.deinitialize(count: 1)
    unsafe ring.deallocate()
  }

  func run(first: Int, count: Int) throws -> Int {
    let items = job.itemCount
    var item = first % items
    var (started, finished, bytes) = (0, 0, 0)
    /// Completions that are still to come.
    var expected = 0
    /// Contexts of requests that have completed.
    var free = Array((0..<job.depth).reversed())
    var read: [Int] = []

    func start(_ slot: Int) throws {
      let context = UInt64(slot) << 2
      let isPrepared: Bool
      switch job.subject {
      case .reads(let file):
        expected += 1
        isPrepared = unsafe ring.pointee.prepare(
          request: .read(
            FileDescriptor(rawValue: file.descriptor), into: buffers[slot], at: file.offsets[item], context: context | Step.read.rawValue))
      case .files:
        expected += 2
        isPrepared = unsafe ring.pointee.prepare(
          linkedRequests: .open(
            paths[item], in: FileDescriptor(rawValue: AT_FDCWD), into: slots[slot], mode: .readOnly, context: context | Step.open.rawValue),
          .read(slots[slot], into: buffers[slot], at: 0, context: context | Step.read.rawValue))
      }
      guard isPrepared else { throw Failure("IORing's submission queue is full") }
      started += 1
      item += 1
      if item == items { item = 0 }
    }

    func take(_ completion: borrowing IORing.Completion) {
      expected -= 1
      let slot = Int(completion.context >> 2)
      switch Step(rawValue: completion.context & 3)! {
      case .open: break
      case .read:
        bytes += Int(completion.result)
        if slots.isEmpty {
          finished += 1
          free.append(slot)
        } else {
          read.append(slot)
        }
      case .close:
        finished += 1
        free.append(slot)
      }
    }

    while finished < count {
      while started < count, let slot = free.popLast() { try start(slot) }
      for slot in read {
        expected += 1
        guard unsafe ring.pointee.prepare(request: .close(slots[slot], context: UInt64(slot) << 2 | Step.close.rawValue)) else {
          throw Failure("IORing's submission queue is full")
        }
      }
      read.removeAll(keepingCapacity: true)
      try unsafe ring.pointee.submitPreparedRequests()
      // What has completed by now is taken first: `blockingConsumeCompletions` would take it and then wait for all of `minimumCount` again, more
      // than may still come.
      var needed = max(1, expected / 2)
      while let completion = unsafe ring.pointee.tryConsumeCompletion() {
        guard completion.result >= 0 else { throw Failure("a request of IORing failed: errno \(-completion.result)") }
        take(completion)
        needed -= 1
      }
      if needed > 0 {
        try unsafe ring.pointee.blockingConsumeCompletions(minimumCount: UInt32(needed)) { (completion, error, _) throws(Errno) in
          if let error { throw error }
          if let completion { take(completion) }
        }
      }
    }
    return bytes
  }
}
