// The memory of the parity fuzzer's worlds. Both have it, one after the other and at the same addresses, so that whatever a call leaves in
// it can be compared byte by byte.
//
// Unsafe fence: the mapping is the arena's and is never unmapped, because a call that did not end may still use it.

import CTestSupport
import Glibc
import SysletRing

@safe final class ParityArena {
  /// Offsets. Beyond `observed` lie a page without access, one that can only be read, and another one without access.
  enum Place {
    /// The first and the second call's buffer.
    static let buffers = [0, 0x12000]
    static let bufferSize = 0x12000
    /// The first and the second call's structures, a page each.
    static let structures = [0x24000, 0x25000]
    /// 2,048 bytes that end where nothing is mapped.
    static let half = 0x26800
    static let observed = 0x27000
    static let inaccessible = 0x27000
    static let readOnly = 0x28000
    static let total = 0x2a000
  }

  private let base: UnsafeMutableRawPointer
  private let template: UnsafeMutableRawPointer
  /// What two orders of two syslets have left.
  private let snapshots: [UnsafeMutableRawPointer]

  init() {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    unsafe base = mmap(nil, Place.total, PROT_READ | PROT_WRITE, flags, -1, 0)
    unsafe precondition(base != MAP_FAILED)
    unsafe mprotect(base + Place.inaccessible, 4096, PROT_NONE)
    unsafe mprotect(base + Place.readOnly, 4096, PROT_READ)
    unsafe mprotect(base + Place.readOnly + 4096, 4096, PROT_NONE)
    unsafe template = .allocate(byteCount: Place.observed, alignment: 4096)
    unsafe snapshots = [.allocate(byteCount: Place.observed, alignment: 4096), .allocate(byteCount: Place.observed, alignment: 4096)]
    for position in 0..<Place.observed {
      let byte = position < Place.structures[0] || position >= Place.half ? UInt8(truncatingIfNeeded: 33 + (position &* 7) % 90) : 0
      unsafe template.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
    }
  }

  // The arena that a stuck call may still use is never let go of; its copies are.
  deinit {
    unsafe template.deallocate()
    unsafe snapshots[0].deallocate()
    unsafe snapshots[1].deallocate()
  }

  func address(_ offset: Int) -> UInt64 { unsafe UInt64(UInt(bitPattern: base + offset)) }

  func reset() { unsafe base.copyMemory(from: template, byteCount: Place.observed) }

  func store(_ bytes: [UInt8], at offset: Int) {
    unsafe bytes.withUnsafeBytes { unsafe (base + offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
  }

  func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    unsafe base.storeBytes(of: value, toByteOffset: offset, as: Value.self)
  }

  func byte(_ offset: Int) -> UInt8 { unsafe base.load(fromByteOffset: offset, as: UInt8.self) }

  /// Keeps what the memory holds now, to compare with.
  func remember(_ order: Int) { unsafe snapshots[order].copyMemory(from: base, byteCount: Place.observed) }

  /// Where it holds something else than what was remembered, but for what is masked; nil if nowhere.
  func difference(_ order: Int, masks: [Range<Int>]) -> String? {
    let snapshot = unsafe snapshots[order]
    func rememberedByte(_ offset: Int) -> UInt8 { unsafe snapshot.load(fromByteOffset: offset, as: UInt8.self) }
    for mask in masks {
      unsafe memset(base + mask.lowerBound, 0, mask.count)
      unsafe memset(snapshot + mask.lowerBound, 0, mask.count)
    }
    let position = unsafe test_first_difference(base, snapshot, Place.observed)
    guard position >= 0 else { return nil }
    let end = min(position + 8, Place.observed)
    return
      "memory from \(Self.name(position)) on: \((position..<end).map(rememberedByte)) by plain calls, here \((position..<end).map(byte))"
  }

  private static func name(_ position: Int) -> String {
    switch position {
    case ..<Place.buffers[1]: "byte \(position) of the first buffer"
    case ..<Place.structures[0]: "byte \(position - Place.buffers[1]) of the second buffer"
    case ..<Place.structures[1]: "byte \(position - Place.structures[0]) of the first structures"
    case ..<Place.half: "byte \(position - Place.structures[1]) of the second structures"
    default: "byte \(position - Place.half) of the half mapped buffer"
    }
  }
}

/// A system call by plain words, without the array that `plainCall` needs.
@discardableResult
func kernel(_ number: Int, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0) -> Int {
  test_call(number, .int(a), .int(b), .int(c), .int(d), .int(e), .int(f))
}
