// A row of typed programs: tasks on a runtime's executor, each of which runs one program after the other.

internal import Glibc
internal import SysletRing
internal import SystemPackage

enum TypedProbe {
  private static let block = 4096
  private static let fileCount = 64
  private static let read = Syslet(FileDescriptor.self, Int.self) { s, file, offset in
    file.read(fromAbsoluteOffset: offset, into: s.buffer(count: block))
  }
  private static let readFile = Syslet(FilePath.self) { s, path in
    let file = s.open(path, .readOnly)
    return file.read(into: s.buffer(count: block))
  }

  /// Runs `count` programs, and says how many results were wrong.
  static func run(_ row: Row, _ count: Int) throws(Failure) {
    let scratch = try Scratch(files: row == .typedReadFile32 ? fileCount : 0, blocks: row == .typedRead32 ? 256 : 0)
    var options = SysletRuntime.Options()
    options.shards = 1
    options.engine.backend = row.backend
    let runtime: SysletRuntime
    do { runtime = try SysletRuntime(options) } catch { throw .machine("\(error)") }
    let file = FileDescriptor(rawValue: scratch.descriptor)
    let paths = (0..<scratch.pathCount).map { unsafe FilePath(platformString: scratch.path($0)) }
    let ended = Ended()
    Task(executorPreference: runtime.executor) {
      await withTaskGroup { group in
        for slot in 0..<row.depth {
          group.addTask {
            for item in stride(from: slot, to: count, by: row.depth) {
              let got =
                row == .typedRead32
                ? try? await runtime.run(TypedProbe.read, file, item * 37 % 256 * block)
                : try? await runtime.run(TypedProbe.readFile, paths[item % fileCount])
              if got != block { ended.noteWrong() }
            }
          }
        }
      }
      ended.post()
    }
    let wrong = ended.wait()
    if wrong > 0 { throw .wrong("\(row.rawValue): \(wrong) results are wrong") }
    print("completed\t\(count)")
  }
}

/// Waits on a thread for a task.
@safe private final class Ended: @unchecked Sendable {
  private let semaphore: UnsafeMutablePointer<sem_t>
  /// Written on the executor's one thread, and read when it is done.
  private var wrong = 0

  init() {
    unsafe semaphore = .allocate(capacity: 1)
    unsafe semaphore.initialize(to: sem_t())
    unsafe sem_init(semaphore, 0, 0)
  }

  deinit {
    unsafe sem_destroy(semaphore)
    unsafe semaphore.deallocate()
  }

  func noteWrong() { wrong += 1 }
  func post() { unsafe sem_post(semaphore) }

  func wait() -> Int {
    while unsafe sem_wait(semaphore) != 0 {}
    return wrong
  }
}
