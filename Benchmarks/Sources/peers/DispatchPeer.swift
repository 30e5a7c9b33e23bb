// DispatchIO: channels for random access, whose reads libdispatch's own threads make.

internal import Dispatch
internal import Glibc
internal import Measuring

final class DispatchPeer: Peer {
  private let job: Job

  init(_ job: Job) { self.job = job }

  func run(first: Int, count: Int) throws -> Int {
    let flight = Flight(job, first: first, count: count)
    flight.start()
    flight.done.wait()
    if flight.error != 0 { throw Failure("DispatchIO failed: errno \(flight.error)") }
    return flight.bytes
  }

  /// One run. All state is `queue`'s until `done` is signalled, which publishes it to the thread that waits.
  private final class Flight: @unchecked Sendable {
    private let job: Job
    private let count: Int
    private let queue = DispatchQueue(label: "peer")
    private var channel: DispatchIO?
    private var item: Int
    private var (started, finished) = (0, 0)
    private(set) var (bytes, error) = (0, Int32(0))
    let done = DispatchSemaphore(value: 0)

    init(_ job: Job, first: Int, count: Int) {
      self.job = job
      self.count = count
      item = first % job.itemCount
    }

    func start() {
      queue.async { [self] in
        if case .reads(let file) = job.subject {
          channel = DispatchIO(type: .random, fileDescriptor: file.descriptor, queue: queue) { _ in }
        }
        for _ in 0..<min(job.depth, count) { next() }
      }
    }

    private func next() {
      guard started < count else { return }
      started += 1
      let current = item
      item += 1
      if item == job.itemCount { item = 0 }
      switch job.subject {
      case .reads(let file):
        read(channel!, at: off_t(file.offsets[current])) { self.took() }
      case .files(let tree):
        // The cleanup handler runs once the file is closed: only then the piece of work is done.
        guard
          let file = unsafe DispatchIO(
            type: .random, path: tree.paths[current]!, oflag: O_RDONLY, mode: 0, queue: queue,
            cleanupHandler: { error in
              if error != 0 { self.error = error }
              self.took()
            })
        else {
          error = EINVAL
          return took()
        }
        read(file, at: 0) { file.close() }
      }
    }

    private func read(_ channel: DispatchIO, at offset: off_t, whenDone: @escaping () -> Void) {
      channel.read(offset: offset, length: CachedFile.block, queue: queue) { isDone, data, error in
        if error != 0 { self.error = error }
        if let data { self.bytes += data.count }
        if isDone { whenDone() }
      }
    }

    private func took() {
      finished += 1
      if finished == count {
        channel?.close()
        done.signal()
      } else {
        next()
      }
    }
  }
}
