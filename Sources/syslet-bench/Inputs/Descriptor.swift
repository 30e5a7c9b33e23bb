// A file descriptor that closes itself, and reading small files whole.

internal import Glibc

final class Descriptor {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close(number) }

  /// Opens `path`, close-on-exec. nil: `errno` says why.
  static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o600) -> Descriptor? {
    let number = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
    return number < 0 ? nil : Descriptor(number)
  }
}

enum Errno {
  static func meaning(_ errno: Int32) -> String { unsafe String(cString: strerror(errno)) }
}

/// The whole text of a small file, such as those of /proc; nil if it cannot be read.
func textOfFile(_ path: String) -> String? {
  guard let descriptor = Descriptor.open(path, O_RDONLY) else { return nil }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 16384)
  while true {
    let count = unsafe read(descriptor.number, &chunk, chunk.count)
    if count < 0 { return nil }
    if count == 0 { return String(decoding: bytes, as: UTF8.self) }
    bytes += chunk[..<count]
  }
}

/// `path` without symbolic links; nil if it does not exist.
func resolvedPath(_ path: String) -> String? {
  guard let resolved = unsafe realpath(path, nil) else { return nil }
  defer { unsafe free(resolved) }
  return unsafe String(cString: resolved)
}

/// What `name` is in the environment, unless it is empty.
func environmentVariable(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  let text = unsafe String(cString: value)
  return text.isEmpty ? nil : text
}
