// Where the server's files come from: each gives a future of the event loop that asks.

import NIOCore
import NIOFileSystem
import NIOPosix
import SysletRing
import SystemPackage

protocol FileSource: Sendable {
  func read(_ path: FilePath, on loop: any EventLoop) -> EventLoopFuture<ByteBuffer>
}

/// Files are not longer than this.
private let sizeMax = 1 << 20

/// SysletRing: open, read and close are one program, so that the way to another thread and back is gone once.
struct SysletFiles: FileSource {
  let runtime: SysletRuntime

  func read(_ path: FilePath, on loop: any EventLoop) -> EventLoopFuture<ByteBuffer> {
    let promise = loop.makePromise(of: ByteBuffer.self)
    // Begun on the thread that runs the program, and so without a way from the pool of Swift's threads to it.
    Task(executorPreference: runtime.executor) {
      do { promise.succeed(ByteBuffer(bytes: try await runtime.readFile(path, limit: sizeMax))) } catch { promise.fail(error) }
    }
    return promise.futureResult
  }
}

/// NonBlockingFileIO: opening and reading go to a thread of the pool, and come back, one after the other; closing is done on the event loop.
struct PoolFiles: FileSource {
  let io: NonBlockingFileIO

  func read(_ path: FilePath, on loop: any EventLoop) -> EventLoopFuture<ByteBuffer> {
    io.openFile(_deprecatedPath: path.string, eventLoop: loop).flatMap { file, region in
      io.read(fileRegion: region, allocator: ByteBufferAllocator(), eventLoop: loop).always { _ in try? file.close() }
    }
  }
}

/// NIOFileSystem: opening, asking for the size, reading and closing go to a thread of its pool each.
struct FileSystemFiles: FileSource {
  func read(_ path: FilePath, on loop: any EventLoop) -> EventLoopFuture<ByteBuffer> {
    let promise = loop.makePromise(of: ByteBuffer.self)
    promise.completeWithTask {
      try await FileSystem.shared.withFileHandle(forReadingAt: path) {
        try await $0.readToEnd(maximumSizeAllowed: .bytes(Int64(sizeMax)))
      }
    }
    return promise.futureResult
  }
}
