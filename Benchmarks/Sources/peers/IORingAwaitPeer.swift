// io_uring wrapped in async/await as one does it without an executor: an actor around swift-system's IORing, on Swift's own threads.
//
// No package that does it could be had for these measurements; this one is ours, and has what is good for it: completions that are there
// when a read has been submitted are taken at once, and only for the others a dispatch source watches an eventfd.

internal import CPeers
@unsafe @preconcurrency internal import Dispatch
internal import Glibc
internal import Measuring
internal import Programs
internal import SystemPackage

final class IORingAwaitPeer: Peer {
  private let job: Job
  private let file: CachedFile
  private let reader: Reader

  init(_ job: Job) throws {
    guard case .reads(let file) = job.subject else { throw Failure("it reads only", exitCode: 3) }
    (self.job, self.file) = (job, file)
    reader = try Reader(file.descriptor, depth: job.depth)
  }

  func run(first: Int, count: Int) throws -> Int {
    let (job, offsets, reader) = (job, file.offsets, reader)
    return try Blocking.run { try await job.inTasks(first, count) { slot, item in try await reader.read(slot, offsets[item]) } }
  }
}

@safe private actor Reader {
  private let buffers: Buffers
  private let file: FileDescriptor
  private let bell: Int32
  // Set up before and taken down after all else.
  private nonisolated(unsafe) let source: any DispatchSourceRead
  /// Owned here.
  private nonisolated(unsafe) let ring: UnsafeMutablePointer<IORing>
  private var waiting: [CheckedContinuation<Int, any Error>?]

  init(_ descriptor: Int32, depth: Int) throws {
    buffers = Buffers(depth)
    file = FileDescriptor(rawValue: descriptor)
    waiting = Array(repeating: nil, count: depth)
    bell = peer_eventfd()
    unsafe source = DispatchSource.makeReadSource(fileDescriptor: bell)
    let made: IORing
    do {
      made = try IORing(queueDepth: 64, flags: [.continueSubmittingOnError])
    } catch {
      throw Failure("swift-system's IORing cannot be made: \(error)", exitCode: 3)
    }
    unsafe ring = .allocate(capacity: 1)
    unsafe ring.initialize(to: made)
    try unsafe ring.pointee.registerEventFD(FileDescriptor(rawValue: bell))
    unsafe source.setEventHandler { [weak self] in Task { await self?.hear() } }
    unsafe source.activate()
  }

  deinit {
    unsafe source.cancel()
    unsafe ring.deinitialize(count: 1)
    unsafe ring.deallocate()
    close(bell)
  }

  func read(_ slot: Int, _ offset: UInt64) async throws -> Int {
    try await withCheckedThrowingContinuation { continuation in
      waiting[slot] = continuation
      do {
        guard unsafe ring.pointee.prepare(request: .read(file, into: buffers[slot], at: offset, context: UInt64(slot))) else {
          throw Failure("IORing's submission queue is full")
        }
        try unsafe ring.pointee.submitPreparedRequests()
        take()
      } catch {
        waiting[slot] = nil
        continuation.resume(throwing: error)
      }
    }
  }

  private func hear() {
    var rings: UInt64 = 0
    _ = unsafe Glibc.read(bell, &rings, 8)
    take()
  }

  private func take() {
    while let completion = unsafe ring.pointee.tryConsumeCompletion() {
      let slot = Int(completion.context)
      waiting[slot]?.resume(returning: Int(completion.result))
      waiting[slot] = nil
    }
  }
}
