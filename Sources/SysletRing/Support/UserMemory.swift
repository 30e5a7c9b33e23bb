// Memory that may not be mapped: read and written through the kernel, which answers EFAULT where a load would crash.

internal import CLiburing
internal import Glibc

enum UserMemory {
  /// The value at `address`, or nil if it is not readable.
  static func load<Value: BitwiseCopyable>(_ address: UInt64, as type: Value.Type) -> Value? {
    unsafe withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { local in
      let result = unsafe syslet_memory_read(
        UnsafeRawPointer(bitPattern: UInt(address)), local.baseAddress!, MemoryLayout<Value>.size)
      return unsafe result == 0 ? local[0] : nil
    }
  }

  /// Whether `value` could be stored at `address`.
  static func store<Value: BitwiseCopyable>(_ value: Value, _ address: UInt64) -> Bool {
    unsafe withUnsafePointer(to: value) {
      unsafe syslet_memory_write(UnsafeMutableRawPointer(bitPattern: UInt(address)), $0, MemoryLayout<Value>.size) == 0
    }
  }

  /// nil, or the errno with which this kernel refuses such copies: a seccomp filter may.
  static func obstacle() -> Int32? {
    let probe = unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2) { words in
      unsafe words.initialize(repeating: 0)
      return unsafe syslet_memory_read(words.baseAddress!, words.baseAddress! + 1, 8)
    }
    return probe == 0 ? nil : Int32(-probe)
  }
}
