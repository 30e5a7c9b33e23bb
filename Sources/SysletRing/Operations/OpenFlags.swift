// What an open opens, and which of its flags decide where it is made.

internal import CLiburing
internal import Glibc

/// Flags of open(2) that a choice of place depends on.
enum OpenFlags {
  /// O_CREAT, O_TRUNC, and O_TMPFILE's own bit (the rest of that constant is O_DIRECTORY).
  static let creating = UInt32(O_CREAT | O_TRUNC) | temporaryFile
  private static let temporaryFile: UInt32 = 0o20000000
  /// O_PATH.
  static let pathOnly: UInt32 = 0o10000000
  /// O_LARGEFILE, which the kernel sees on 64-bit machines too when a program sets it.
  static let large: UInt32 = 0o100000
  /// RESOLVE_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH, _IN_ROOT.
  static let resolving: UInt64 = 0x1F
  /// The last two of them, which exclude each other.
  static let scoping: UInt64 = 0x18

  /// Whether an open with these flags that has not waited may be of a FIFO that open(2) would have waited for.
  static func mayHaveToWait(_ flags: UInt32) -> Bool {
    flags & (pathOnly | UInt32(O_DIRECTORY | O_NONBLOCK)) == 0 && flags & UInt32(O_ACCMODE) == UInt32(O_RDONLY)
  }
}

extension OperationForm {
  /// Whether an open of a FIFO that has not waited should have; of openat2 only its structure knows.
  func mayOpenAndHaveToWait(_ a: Arguments) -> Bool {
    switch encoding {
    case .open: OpenFlags.mayHaveToWait(a.low(1))
    case .openAt: OpenFlags.mayHaveToWait(a.low(2))
    default: encoding == .openAt2
    }
  }

  /// What an open, openat or creat opens, as openat takes it.
  func openArguments(_ a: Arguments) -> (directory: Int32, path: UInt64, flags: Int32, mode: UInt32) {
    switch encoding {
    case .openAt: (a.descriptor(0), a[1], Int32(bitPattern: a.low(2)), a.low(3))
    case .create: (AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, a.low(1))
    default: (AT_FDCWD, a[0], Int32(bitPattern: a.low(1)), a.low(2))
    }
  }
}
