// The log itself: whoever appends waits for a commit, and one commit takes all that has come while the last one was under way.

import SysletRing
import SystemPackage

actor Log {
  /// A commit: the bytes are in the file and the device has them, or the file is as it was.
  private static let commit = Syslet(FileDescriptor.self, Int.self, Bytes.self) { s, file, end, bytes in
    s.onFailure { file.resize(to: end) }
    file.writeAll(bytes, toAbsoluteOffset: end)
    file.sync(dataOnly: true)
  }

  private let runtime: SysletRuntime
  private let file: FileDescriptor
  private var end: Int
  /// What the next commit is to write, and who waits for it, with where their records are in it.
  private var bytes: [UInt8] = []
  private var waiting: [(offset: Int, continuation: CheckedContinuation<Int, any Error>)] = []
  private var isCommitting = false
  private var failure: (any Error)?
  private(set) var commitCount = 0

  /// - Parameter end: Where the records that are in the file end.
  init(_ file: FileDescriptor, end: Int, on runtime: SysletRuntime) { (self.file, self.end, self.runtime) = (file, end, runtime) }

  /// Appends a record: when this returns it has been synced.
  ///
  /// - Returns: Where it begins.
  func append(_ payload: [UInt8]) async throws -> Int {
    precondition(payload.count <= Record.payloadMax)
    if let failure { throw failure }
    return try await withCheckedThrowingContinuation { continuation in
      waiting.append((end + bytes.count, continuation))
      Record.append(payload, to: &bytes, commit: end)
      if !isCommitting { Task(executorPreference: runtime.executor) { await self.commitAll() } }
      isCommitting = true
    }
  }

  /// Until nobody waits.
  private func commitAll() async {
    while !waiting.isEmpty {
      let (bytes, waiting) = (self.bytes, self.waiting)
      (self.bytes, self.waiting) = ([], [])
      let start = end
      // What comes from here on begins behind this.
      end += bytes.count
      do {
        if let failure { throw failure }
        try await runtime.run(Self.commit, file, start, from: bytes.span)
        commitCount += 1
        for (offset, continuation) in waiting { continuation.resume(returning: offset) }
      } catch {
        // What a device has kept is not known after a sync that has failed: nothing more is written, and the next start looks at what is there.
        failure = error
        for (_, continuation) in waiting { continuation.resume(throwing: error) }
      }
    }
    isCommitting = false
  }
}
