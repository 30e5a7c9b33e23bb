// The syslet that opens a file, reads from it and closes it, as all of the programs here measure it.

internal import Glibc
public import SysletRing

extension UnsafeMutablePointer<Atom> {
  /// Makes three atoms here of it: `openat → descriptor, stop on negative → pread64(*descriptor, 0) → close(*descriptor)`. The path, the openat's
  /// second argument, is still to be set. Read at the file's own position, what may be a pipe is never linked to what stands before it.
  ///
  /// - Parameters:
  ///   - descriptor: Where the descriptor is stored and read from.
  ///   - buffer: What is read goes here, up to `byteCount` bytes.
  ///   - count: Where the read's result is stored.
  public func initializeOpenReadClose(
    descriptor: UnsafeMutablePointer<Int>, buffer: UnsafeMutableRawPointer?, byteCount: Int, count: UnsafeMutablePointer<Int>
  ) {
    unsafe initialize(
      to: Atom(
        SystemCall.openat, UInt64(argument: AT_FDCWD), 0, UInt64(argument: O_RDONLY), flags: .stopOnNegative, result: descriptor,
        next: self + 1))
    unsafe (self + 1).initialize(
      to: Atom(
        SystemCall.pread64, UInt64(argument: descriptor), UInt64(argument: buffer), UInt64(argument: byteCount), 0, pointers: 0b1,
        result: count, next: self + 2))
    unsafe (self + 2).initialize(to: Atom(SystemCall.close, UInt64(argument: descriptor), pointers: 0b1))
  }
}
