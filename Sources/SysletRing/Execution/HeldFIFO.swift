// A FIFO that an open for reading has opened without waiting, and that a worker opens again, waiting: meanwhile the run holds what was opened, so that the
// FIFO has a reader, as it has while an open waits.

internal import CLiburing
internal import Glibc

extension Run {
  /// Holds `opened`, under a number out of the way: an open that waits takes one number, the lowest that is free, and so does the worker's then. Where there is
  /// no other number (RLIMIT_NOFILE) nothing is held: of one number the open has more need.
  mutating func hold(_ opened: Int32) {
    for lowest in [Self.outOfTheWay(of: opened), opened + 1] where reached.heldDescriptor < 0 {
      reached.heldDescriptor = Int32(
        truncatingIfNeeded: syslet_call(
          SystemCall.fcntl, UInt64(argument: opened), UInt64(argument: F_DUPFD_CLOEXEC), UInt64(argument: lowest), 0, 0, 0))
    }
    if reached.heldDescriptor < 0 { reached.heldDescriptor = -1 }
    close(opened)
  }

  /// The open that waits has been made, or will not be.
  mutating func letGo() {
    close(reached.heldDescriptor)
    reached.heldDescriptor = -1
  }

  /// From where on a number is looked for: near the end of the table of descriptors as it is. The kernel lets it grow to a power of two, from 64 on, and where
  /// threads share it waits for all processors each time.
  private static func outOfTheWay(of opened: Int32) -> Int32 {
    let margin: Int32 = 16
    var end: Int32 = 64
    while end < opened + 2 * margin, end < 1 << 29 { end *= 2 }
    return end - margin
  }
}
