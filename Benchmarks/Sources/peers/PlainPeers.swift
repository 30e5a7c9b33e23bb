// The peers without a library of their own: plain calls, and POSIX AIO.

internal import CPeers
internal import Glibc
internal import Measuring

/// System calls, one after the other, on the calling thread.
final class PlainPeer: Peer {
  private let job: Job
  private let buffers = Buffers(1)

  init(_ job: Job) { self.job = job }

  func run(first: Int, count: Int) throws -> Int {
    let itemCount = job.itemCount
    let buffer = unsafe buffers[0]
    var item = first % itemCount
    var bytes = 0
    for _ in 0..<count {
      let got: Int
      switch job.subject {
      case .reads(let file):
        got = unsafe pread(file.descriptor, buffer.baseAddress, buffer.count, off_t(file.offsets[item]))
      case .files(let tree):
        let descriptor = unsafe open(tree.paths[item]!, O_RDONLY)
        guard descriptor >= 0 else { throw Failure("a file cannot be opened: errno \(errno)") }
        got = unsafe read(descriptor, buffer.baseAddress, buffer.count)
        close(descriptor)
      }
      guard got >= 0 else { throw Failure("a read failed: errno \(errno)") }
      bytes += got
      item += 1
      if item == itemCount { item = 0 }
    }
    return bytes
  }
}

/// `aio_read` and `aio_suspend`.
final class AIOPeer: Peer {
  private let job: Job
  private let buffers: Buffers

  init(_ job: Job) {
    self.job = job
    buffers = Buffers(job.depth)
  }

  func run(first: Int, count: Int) throws -> Int {
    let (from, many, depth) = (UInt32(first % job.itemCount), UInt32(count), UInt32(job.depth))
    let memory = unsafe buffers.start.assumingMemoryBound(to: CChar.self)
    let result =
      switch job.subject {
      case .reads(let file):
        unsafe file.offsets.withUnsafeBufferPointer {
          unsafe peer_aio_reads(file.descriptor, $0.baseAddress!, UInt32($0.count), from, many, depth, memory)
        }
      case .files(let tree):
        unsafe peer_aio_files(tree.paths.baseAddress!, UInt32(tree.count), from, many, depth, memory)
      }
    guard result >= 0 else { throw Failure("POSIX AIO failed: errno \(-result)") }
    return Int(result)
  }
}
