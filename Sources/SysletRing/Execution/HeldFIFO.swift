// A FIFO that an open for reading has opened without waiting, and that a worker opens again, waiting: meanwhile the run holds what was opened, so that the
// FIFO has a reader, as it has while an open waits.

internal import CLiburing
internal import Glibc

extension Run {
  /// Holds `opened` under a number out of the way: an open that waits takes one number, the lowest that is free, and so does the worker's then. Where there is
  /// no other number (RLIMIT_NOFILE) that one is kept, and exchanged in the end.
  mutating func hold(_ opened: Int32) {
    let moved = syslet_call(
      SystemCall.fcntl, UInt64(argument: opened), UInt64(argument: F_DUPFD_CLOEXEC), UInt64(argument: opened + Self.outOfTheWay), 0, 0, 0)
    isHeldInPlace = moved < 0
    heldDescriptor = isHeldInPlace ? opened : Int32(truncatingIfNeeded: moved)
    if !isHeldInPlace { close(opened) }
  }

  /// Ends the holding, with the result of the open that has waited, or nil if none was made; gives that open's result.
  mutating func letGo(for result: Int?) -> Int? {
    let held = heldDescriptor
    heldDescriptor = -1
    guard isHeldInPlace, let result, result >= 0 else {
      close(held)
      return result
    }
    let flags = syslet_call(SystemCall.fcntl, UInt64(result), UInt64(argument: F_GETFD), 0, 0, 0, 0)
    let exchanged = syslet_call(
      SystemCall.dup3, UInt64(result), UInt64(argument: held), flags & Int(FD_CLOEXEC) != 0 ? UInt64(argument: O_CLOEXEC) : 0, 0, 0, 0)
    guard exchanged >= 0 else {
      close(held)
      return result
    }
    close(Int32(truncatingIfNeeded: result))
    return exchanged
  }

  /// So far that few programs come to it, and so near that the kernel's table of descriptors need not grow by much: it is as long as the highest number.
  private static let outOfTheWay: Int32 = 192
}
