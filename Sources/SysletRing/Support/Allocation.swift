// Memory whose size an option decides: it may be refused, which is the engine's answer and not the process's end.
//
// Unsafe fence: whoever asks for the memory owns it, and frees it with `free`.

internal import Glibc

enum Allocation {
  /// Memory for `count` values, not initialised and, where it is much, not touched: address space only, until it is used.
  ///
  /// - Parameter option: The option that its size comes from.
  static func make<Value: ~Copyable>(_ count: Int, of: Value.Type, for option: String) throws(EngineError) -> UnsafeMutablePointer<Value> {
    precondition(MemoryLayout<Value>.alignment <= 16, "malloc aligns no value so far")
    let (byteCount, isHuge) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
    guard !isHuge, let memory = unsafe malloc(max(1, byteCount)) else {
      throw .kernel(call: "mmap of \(byteCount) bytes for Options.\(option)", errno: ENOMEM)
    }
    return unsafe memory.assumingMemoryBound(to: Value.self)
  }
}
