// A FUSE file system that fails and hangs as a test says, and a block device whose sectors it has.

import CTestSupport
import Foundation
import Glibc

@testable import SysletRing

@safe final class FileServer: @unchecked Sendable {
  /// Requests, as linux/fuse.h numbers them.
  enum Request: Int32, Sendable {
    case lookup = 1
    case getattr = 3
    case setattr = 4
    case unlink = 10
    case open = 14
    case read = 15
    case statfs = 17
    case write = 16
    case release = 18
    case fsync = 20
    case flush = 25
    case create = 35
  }

  /// Why there is none here; nil if there is.
  static let obstacle: String? = {
    do throws(Refusal) { try FileServer().stop() } catch { return error.text }
    return nil
  }()

  struct Refusal: Error { let text: String }

  /// Nil once it has been stopped. All that is behind it is atomic.
  private var server: OpaquePointer?

  init() throws(Refusal) {
    var error: Int32 = 0
    guard let server = unsafe test_fuse_start(&error) else {
      throw Refusal(text: "no FUSE file system can be mounted here (errno \(-error); it takes /dev/fuse and root)")
    }
    unsafe self.server = server
  }

  /// The root, for `openat` and its kind.
  var root: Int32 { unsafe test_fuse_root(server) }

  /// A path by which others than `openat` get there too.
  func path(_ name: String) -> String { "/proc/\(getpid())/fd/\(root)/\(name)" }

  /// Adds a file whose bytes are the alphabet again and again.
  func add(_ name: String, _ byteCount: Int) {
    let result = unsafe test_fuse_add(server, name, Int32(byteCount))
    precondition(result == 0)
  }

  func fail(_ request: Request, _ errno: Int32) { unsafe test_fuse_fail(server, request.rawValue, errno) }
  func hold(_ request: Request, _ holds: Bool) { unsafe test_fuse_hold(server, request.rawValue, holds) }
  func seen(_ request: Request) -> Int { unsafe Int(test_fuse_seen(server, request.rawValue)) }
  var held: Int { unsafe Int(test_fuse_held(server)) }

  /// Waits until `count` requests are kept.
  func awaitHeld(_ count: Int) -> Bool {
    let end = ContinuousClock.now + Deadline.usual
    while held < count, ContinuousClock.now < end { usleep(500) }
    return held >= count
  }

  /// Opens a file, in plain calls.
  func open(_ name: String, _ flags: Int32) -> Int32 {
    let arena = Arena()
    return Int32(plainCall(SystemCall.openat, .int(root), arena.path(name).address, .int(flags | O_CLOEXEC), .int(0o600)))
  }

  /// As `open`, under a number that nobody gets by chance once it is free.
  func openHigh(_ name: String, _ flags: Int32) -> Int32 {
    let low = open(name, flags)
    if low < 0 { return low }
    defer { Glibc.close(low) }
    return fcntl(low, F_DUPFD_CLOEXEC, 900)
  }

  /// Everything that is held is answered, and what is still open fails from now on.
  func stop() {
    if let server = unsafe server { unsafe test_fuse_stop(server) }
    unsafe server = nil
  }

  deinit { stop() }
}

/// Lets go of what a server keeps after a while, whatever becomes of the test: a thread that waits for it cannot be ended otherwise.
final class Release: Sendable {
  private let isOver = Locked(false)

  init(_ server: FileServer, _ request: FileServer.Request, after duration: Duration = .seconds(10)) {
    let end = ContinuousClock.now + duration
    Thread.detachNewThread { [isOver] in
      while !isOver.withLock({ $0 }) {
        if ContinuousClock.now > end { return server.hold(request, false) }
        usleep(10_000)
      }
    }
  }

  func finish() { isOver.withLock { $0 = true } }
}
