// Ours as a program would use it: typed programs, run by `depth` tasks on a runtime's executor.

internal import Measuring
internal import Programs
internal import SysletRing
internal import SystemPackage

/// On a ring, so that what it takes longer than `RingPeer` is what types and awaiting cost.
class TypedPeer: Peer {
  class var backend: SysletEngine.Backend { .ring }

  private enum Work: Sendable {
    case reads(FileDescriptor, [Int])
    case files([FilePath])
  }

  private static let read = Syslet(FileDescriptor.self, Int.self) { s, file, offset in
    file.read(fromAbsoluteOffset: offset, into: s.buffer(count: CachedFile.block))
  }
  private static let readFile = Syslet(FilePath.self) { s, path in
    let file = s.open(path, .readOnly)
    return file.read(into: s.buffer(count: CachedFile.block))
  }

  private let job: Job
  private let work: Work
  private let runtime: SysletRuntime

  required init(_ job: Job) throws {
    self.job = job
    work =
      switch job.subject {
      case .reads(let file): .reads(FileDescriptor(rawValue: file.descriptor), file.offsets.map { Int($0) })
      case .files(let tree): .files(unsafe tree.paths.map { unsafe FilePath(platformString: $0!) })
      }
    var options = SysletRuntime.Options()
    options.shards = 1
    options.engine.backend = Self.backend
    do {
      runtime = try SysletRuntime(options)
    } catch {
      throw Failure("\(error)", exitCode: 3)
    }
  }

  func run(first: Int, count: Int) throws -> Int {
    let (job, runtime) = (job, runtime)
    switch work {
    case .reads(let file, let offsets):
      return try Blocking.run(on: runtime.executor) {
        try await job.inTasks(first, count) { _, item in try await runtime.run(TypedPeer.read, file, offsets[item]) }
      }
    case .files(let paths):
      return try Blocking.run(on: runtime.executor) {
        try await job.inTasks(first, count) { _, item in try await runtime.run(TypedPeer.readFile, paths[item]) }
      }
    }
  }
}

/// On what a program gets that says nothing.
final class TypedAutomaticPeer: TypedPeer {
  override class var backend: SysletEngine.Backend { .automatic }
}
