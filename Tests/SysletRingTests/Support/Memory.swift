// Memory that the kernel and syslets may touch, with safe access for the tests: the fence around raw pointers.

import CTestSupport

/// Owns blocks of memory that keep their addresses for its life.
@safe final class Arena {
  private var blocks: [Buffer] = []

  /// `count` zeroed bytes, aligned for anything the kernel reads.
  func buffer(_ count: Int) -> Buffer {
    let base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: max(count, 1))
    let buffer = unsafe Buffer(base: base, count: count)
    blocks.append(buffer)
    return buffer
  }

  func buffer(bytes: [UInt8]) -> Buffer {
    let buffer = buffer(bytes.count)
    buffer.bytes = bytes
    return buffer
  }

  /// A path as the kernel takes it.
  func path(_ path: String) -> Buffer { buffer(bytes: Array(path.utf8) + [0]) }

  func word(_ value: Int) -> Word {
    let buffer = buffer(8)
    let word = unsafe Word(pointer: buffer.base.assumingMemoryBound(to: Int.self))
    word.value = value
    return word
  }

  deinit {
    for block in blocks { unsafe block.base.deallocate() }
  }
}

/// A variable of a syslet: an argument, or where a result goes. The arena that made it owns the memory.
@safe struct Word {
  let pointer: UnsafeMutablePointer<Int>

  var value: Int {
    get { unsafe pointer.pointee }
    nonmutating set { unsafe pointer.pointee = newValue }
  }
  var address: UInt64 { unsafe UInt64(UInt(bitPattern: pointer)) }
}

/// Bytes with a fixed address. The arena that made it owns the memory.
@safe struct Buffer {
  let base: UnsafeMutableRawPointer
  let count: Int

  var address: UInt64 { unsafe UInt64(UInt(bitPattern: base)) }

  var bytes: [UInt8] {
    get { unsafe Array(UnsafeRawBufferPointer(start: base, count: count)) }
    nonmutating set {
      precondition(newValue.count <= count)
      unsafe UnsafeMutableRawBufferPointer(start: base, count: count).copyBytes(from: newValue)
    }
  }

  /// The bytes up to the first zero, as text.
  var text: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

  /// The integer at `offset`.
  func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
    precondition(offset + MemoryLayout<Value>.size <= count)
    return unsafe base.loadUnaligned(fromByteOffset: offset, as: type)
  }

  func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    precondition(offset + MemoryLayout<Value>.size <= count)
    unsafe base.storeBytes(of: value, toByteOffset: offset, as: Value.self)
  }
}

/// An address that nothing can read or write, and one that can only be read.
enum Wild {
  static var inaccessible: UInt64 { test_inaccessible_page() }
  static var readOnly: UInt64 { test_read_only_page() }
  /// 8,192 bytes, of which the second half cannot be touched: a write of them is short.
  static var torn: UInt64 { test_torn_pages() }
}

extension UInt64 {
  /// An integer argument, sign-extended as C does.
  static func int(_ value: some BinaryInteger) -> UInt64 { UInt64(truncatingIfNeeded: value) }
}

/// A plain system call, which shares nothing with the library: the result, or -errno.
@discardableResult
func plainCall(_ number: Int, _ arguments: UInt64...) -> Int { plainCall(number, arguments) }

@discardableResult
func plainCall(_ number: Int, _ arguments: [UInt64]) -> Int {
  let a = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
  return test_call(number, a[0], a[1], a[2], a[3], a[4], a[5])
}
