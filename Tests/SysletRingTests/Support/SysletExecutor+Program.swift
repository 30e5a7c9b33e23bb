// The executor's calls with programs instead of pointers, and what tests of tasks need.

import Foundation
import Glibc
import SysletRing

extension SysletExecutor {
  /// Runs the program from atom `index`, in whatever task.
  nonisolated(nonsending) func run(_ program: Program, _ index: Int = 0) async throws(EngineError) -> Taken {
    guard program.form.isPrepared else { return try await run(at: program.address(index), program.form) }
    let syslet: PreparedSyslet
    do {
      syslet = try program.prepared(index) { program in
        try unsafe program.form.isIndirect ? prepare(program.indirectAtom(index)) : prepare(program.directAtom(index))
      }
    } catch {
      throw error as! EngineError
    }
    return Taken(try await run(syslet))
  }

  /// On the executor's thread, as long as there is one: what a test changes for all rings nobody else may be reading.
  func perform(_ body: @escaping @Sendable () -> Void) async { await Task(executorPreference: self) { body() }.value }

  /// Closes it and waits until its engine is closed: then what prefers it runs elsewhere.
  func closeAndWait() async {
    close()
    while await Task(
      executorPreference: self, operation: { try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8) == "syslet-executor\n" }
    ).value == true {}
  }

  nonisolated(nonsending) func run(at address: UInt64, _ form: Form) async throws(EngineError) -> Taken {
    switch form {
    case .direct, .pointers: Taken(try await unsafe run(UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!))
    case .indirect: Taken(try await unsafe run(UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!))
    case .prepared: Taken(try await run(unsafe prepare(UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!)))
    case .preparedIndirect: Taken(try await run(unsafe prepare(UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!)))
    }
  }
}

/// What became of the syslet, in words.
nonisolated(nonsending) func outcome(_ executor: SysletExecutor, _ address: UInt64) async -> String {
  do throws(EngineError) { return "\(try await executor.run(at: address, .direct).reason)" } catch { return "\(error)" }
}

/// An isolation that others keep busy.
actor Busy {
  private(set) var count = 0

  func hold(microseconds: UInt32) {
    usleep(microseconds)
    count += 1
  }

  func run(_ executor: SysletExecutor, _ address: UInt64) async throws(EngineError) -> Taken {
    try await executor.run(at: address, .direct)
  }
}
