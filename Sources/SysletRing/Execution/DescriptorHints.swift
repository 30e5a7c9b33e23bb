// Which descriptors name files that are read and written through the page cache: for these a plain call is often the shortest way. A hint may be
// out of date, because the program closes and opens files as it likes, so nothing but the speed of a call may depend on it: what has no try that
// does not wait is asked for its file before it is made here (`Placer.isFile`).

internal import CLiburing
internal import Glibc

/// The owner's. Unsafe fence: the memory is this value's own.
@safe struct DescriptorHints: ~Copyable {
  enum Hint: UInt8 {
    case unknown
    /// A regular file without O_DIRECT.
    case buffered
    /// No file, or one whose bytes were not in memory the last time.
    case other
    /// A regular file with O_DIRECT.
    case direct
    /// A regular file of which all is in memory (tmpfs), be it with O_DIRECT.
    case memory
  }

  static let capacity = 65_536
  /// A hint is good for so many uses: asking costs 650 ns, so 20 for each of them.
  static let usesMax: UInt8 = 31
  /// For each descriptor the hint (3 bits) and how many more times it may be used. calloc: pages that no descriptor needs are never touched.
  private let entries: UnsafeMutablePointer<UInt8>
  private var fileSystems = FileSystems()

  init() { unsafe entries = unsafe calloc(Self.capacity, 1).assumingMemoryBound(to: UInt8.self) }

  deinit { unsafe free(entries) }

  @inline(__always)
  mutating func hint(_ descriptor: Int32) -> Hint {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return .other }
    let entry = unsafe entries[index]
    guard entry >> 3 > 0 else {
      let hint = ask(descriptor)
      note(descriptor, hint)
      return hint
    }
    unsafe entries[index] = entry - 8
    return Hint(rawValue: entry & 7) ?? .unknown
  }

  func note(_ descriptor: Int32, _ hint: Hint, uses: UInt8 = usesMax) {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return }
    unsafe entries[index] = hint == .unknown ? 0 : uses << 3 | hint.rawValue
  }

  private mutating func ask(_ descriptor: Int32) -> Hint {
    if syslet_descriptor_is_memory(descriptor) != 0 { return .memory }
    // On a file system that is not known somebody else may have to be waited for.
    guard fileSystems.isFile(descriptor) else { return .other }
    return syslet_descriptor_is_direct(descriptor) == 0 ? .buffered : .direct
  }
}
