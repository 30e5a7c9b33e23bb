// Making a call plainly: the same code serves the caller's thread and the workers. It *is* the emulation.

internal import CLiburing
internal import Glibc

enum Interpreter {
  /// Makes `call` on this thread and gives its result: non-negative or -errno.
  static func make(_ call: Reference<Call>, isChecked: Bool) -> Int {
    let traits = call.pointee.traits
    if traits.contains(.refused) { return -Int(EPERM) }
    let words = call.pointee.arguments.words
    if traits.contains(.pseudo) {
      guard call.pointee.number == Operation.umemAddNumber else {
        // The cheapest system call that glibc does not answer from memory stands for the one that does nothing.
        _ = syslet_call(SystemCall.getppid, 0, 0, 0, 0, 0, 0)
        return 0
      }
      var sum = 0
      let result = unsafe syslet_memory_add(
        UnsafeMutablePointer(bitPattern: UInt(words.0)), Int(bitPattern: UInt(words.1)), isChecked ? 1 : 0, &sum)
      return result < 0 ? Int(result) : sum
    }
    return syslet_call(call.pointee.number, words.0, words.1, words.2, words.3, words.4, words.5)
  }
}
