// SwiftNIO's file I/O: NonBlockingFileIO on a thread pool.

internal import Glibc
internal import Measuring
internal import NIOCore
internal import NIOPosix

/// `depth` operations in flight, each one started by the completion of another on the event loop. A file costs two hops to the pool: one to open it
/// and one to read it; NIO closes it on the event loop.
final class NIOPeer: Peer {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  /// As many threads as NIO takes by default.
  private let pool = NIOThreadPool(numberOfThreads: System.coreCount)
  private let job: Job
  /// One for each read in flight, because a handle refuses a second one, and each on a descriptor of its own.
  private let handles: [NIOFileHandle]
  private let paths: [String]

  init(_ job: Job) {
    self.job = job
    switch job.subject {
    case .reads(let file):
      handles = (0..<job.depth).map { _ in NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: dup(file.descriptor)) }
      paths = []
    case .files(let tree):
      handles = []
      paths = (0..<tree.count).map { unsafe String(cString: tree.paths[$0]!) }
    }
    pool.start()
  }

  deinit {
    for handle in handles { try? handle.close() }
    try? pool.syncShutdownGracefully()
    try? group.syncShutdownGracefully()
  }

  func run(first: Int, count: Int) throws -> Int {
    let loop = group.next()
    let io = NonBlockingFileIO(threadPool: pool)
    let flight = Flight(job, handles, paths, io, loop, first: first, count: count)
    return try loop.flatSubmit { flight.start() }.wait()
  }

  /// One run. Everything happens on the event loop, which is what makes it safe to share.
  private final class Flight: @unchecked Sendable {
    private let job: Job
    private let io: NonBlockingFileIO
    private let loop: any EventLoop
    private let count: Int
    private let allocator = ByteBufferAllocator()
    private let handles: [NIOFileHandle]
    private let paths: [String]
    private let promise: EventLoopPromise<Int>
    private var item: Int
    private var (started, finished, bytes) = (0, 0, 0)

    init(
      _ job: Job, _ handles: [NIOFileHandle], _ paths: [String], _ io: NonBlockingFileIO, _ loop: any EventLoop, first: Int, count: Int
    ) {
      self.job = job
      self.handles = handles
      self.paths = paths
      self.io = io
      self.loop = loop
      self.count = count
      item = first % job.itemCount
      promise = loop.makePromise()
    }

    func start() -> EventLoopFuture<Int> {
      for slot in 0..<min(job.depth, count) { next(slot) }
      return promise.futureResult
    }

    private func next(_ slot: Int) {
      guard started < count else { return }
      started += 1
      let current = item
      item += 1
      if item == job.itemCount { item = 0 }
      switch job.subject {
      case .reads(let file):
        io.read(
          fileHandle: handles[slot], fromOffset: Int64(file.offsets[current]), byteCount: CachedFile.block, allocator: allocator,
          eventLoop: loop
        ).whenComplete { self.took($0, slot) }
      case .files:
        io.openFile(_deprecatedPath: paths[current], mode: .read, eventLoop: loop).whenComplete { opened in
          switch opened {
          case .failure(let error): self.took(.failure(error), slot)
          case .success(let handle):
            self.io.read(
              fileHandle: handle, fromOffset: 0, byteCount: CachedFile.block, allocator: self.allocator, eventLoop: self.loop
            ).whenComplete {
              try? handle.close()
              self.took($0, slot)
            }
          }
        }
      }
    }

    private func took(_ result: Result<ByteBuffer, any Error>, _ slot: Int) {
      switch result {
      case .failure(let error):
        promise.fail(error)
      case .success(let buffer):
        finished += 1
        bytes += buffer.readableBytes
        if finished == count { promise.succeed(bytes) } else { next(slot) }
      }
    }
  }
}
