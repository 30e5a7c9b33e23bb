// Ours: syslets, `depth` in flight.

internal import Measuring
internal import SysletRing

@safe class EnginePeer: Peer {
  class var backend: SysletEngine.Backend { .automatic }

  private let job: Job
  private let engine: SysletEngine
  private let syslets: Syslets
  private let completions: UnsafeMutableBufferPointer<Completion>

  required init(_ job: Job) throws {
    self.job = job
    do {
      engine = try SysletEngine(.init(Self.backend))
    } catch {
      throw Failure("\(error)", exitCode: 3)
    }
    syslets = Syslets(job)
    unsafe completions = .allocate(capacity: job.depth)
  }

  deinit {
    // Before the syslets' memory goes.
    try? engine.close()
    unsafe completions.deallocate()
  }

  func run(first: Int, count: Int) throws -> Int {
    // Half of what is in flight: an enter carries as many, and the other half keeps the device and the workers busy.
    let batch = max(1, job.depth / 2)
    let items = job.itemCount
    var item = first % items
    var (started, finished, bytes) = (0, 0, 0)

    func start(_ slot: Int) throws {
      let head = unsafe syslets.arm(slot, item: item)
      item += 1
      if item == items { item = 0 }
      started += 1
      try unsafe engine.enqueue(head)
    }

    for slot in 0..<min(job.depth, count) { try start(slot) }
    while finished < count {
      let got = try unsafe engine.wait(into: completions, atLeast: min(batch, started - finished))
      for index in 0..<got {
        let completion = unsafe completions[index]
        bytes += try syslets.bytes(syslets.slot(completion), completion)
      }
      finished += got
      for index in 0..<got where started < count { try start(syslets.slot(unsafe completions[index])) }
    }
    return bytes
  }
}

final class RingPeer: EnginePeer {
  override class var backend: SysletEngine.Backend { .ring }
}

final class ThreadsPeer: EnginePeer {
  override class var backend: SysletEngine.Backend { .threads }
}

extension SysletEngine.Options {
  /// The defaults, on a backend.
  init(_ backend: SysletEngine.Backend) {
    self.init()
    self.backend = backend
  }
}
