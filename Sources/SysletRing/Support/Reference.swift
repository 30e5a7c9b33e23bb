// A pointer whose memory is known to outlive every use of it, so that using it needs no further argument.
//
// Unsafe fence: whoever makes a reference (a slab, a table, a staging buffer) owns the memory and answers for its life; nobody else can make
// one by accident, because making one is what is marked unsafe.

@safe struct Reference<Pointee: ~Copyable> {
  private let pointer: UnsafeMutablePointer<Pointee>

  /// - Parameter pointer: Initialised memory that outlives the reference and everything that it is copied to.
  @unsafe init(_ pointer: UnsafeMutablePointer<Pointee>) { unsafe self.pointer = unsafe pointer }

  /// The value `count` places behind it in the same memory.
  @inline(__always)
  func following(_ count: Int) -> Reference { unsafe Reference(pointer + count) }

  // Addressors, as UnsafeMutablePointer has them: a field is read where it is, and nothing is copied for it.
  var pointee: Pointee {
    unsafeAddress { unsafe UnsafePointer(pointer) }
    nonmutating unsafeMutableAddress { unsafe pointer }
  }
}

extension Reference: @unchecked Sendable where Pointee: ~Copyable {}
