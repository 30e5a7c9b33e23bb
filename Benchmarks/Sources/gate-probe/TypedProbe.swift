// A row of typed programs: tasks on a runtime's executor, each of which runs one program after the other.

internal import Programs
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
    let wrong: Int
    do {
      wrong = try Blocking.run(on: runtime.executor) {
        await withTaskGroup { group in
          for slot in 0..<row.depth {
            group.addTask {
              var wrong = 0
              for item in stride(from: slot, to: count, by: row.depth) {
                let got =
                  row == .typedRead32
                  ? try? await runtime.run(TypedProbe.read, file, item * 37 % 256 * block)
                  : try? await runtime.run(TypedProbe.readFile, paths[item % fileCount])
                if got != block { wrong += 1 }
              }
              return wrong
            }
          }
          return await group.reduce(0, +)
        }
      }
    } catch {
      throw .machine("\(error)")
    }
    if wrong > 0 { throw .wrong("\(row.rawValue): \(wrong) results are wrong") }
    print("completed\t\(count)")
  }
}
