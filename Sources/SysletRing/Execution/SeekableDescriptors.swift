// Which descriptors take offsets. A pread on a pipe fails with ESPIPE; io_uring ignores the offset and reads, and bytes would be gone.

internal import CLiburing
internal import Glibc

/// What this engine has found out about descriptors during the present call into it. The owner's.
///
/// Between two calls the program may close a descriptor and get its number again for a pipe, so nothing is kept longer: a batch of reads from
/// one file asks once (some 200 ns), a read alone asks each time. Unsafe fence: the memory is this value's own.
@safe struct SeekableDescriptors: ~Copyable {
  private static let capacity = 65_536
  /// For each descriptor the turn in which it was last found to take offsets.
  private let turns: UnsafeMutablePointer<UInt32>
  private var turn: UInt32 = 1

  init() {
    // calloc: pages that no descriptor needs are never touched.
    unsafe turns = unsafe calloc(Self.capacity, MemoryLayout<UInt32>.stride).assumingMemoryBound(to: UInt32.self)
  }

  deinit { unsafe free(turns) }

  /// The program has had the thread: what was known may not hold any more.
  mutating func forgetAll() {
    turn &+= 1
    // After a full turn of the counter old marks would count again.
    if turn == 0 {
      for index in 0..<Self.capacity { unsafe turns[index] = 0 }
      turn = 1
    }
  }

  /// A call of this engine closes `descriptor`.
  func forget(_ descriptor: Int32) {
    let index = Int(descriptor)
    if index >= 0, index < Self.capacity { unsafe turns[index] = 0 }
  }

  /// Whether a call with an offset on `descriptor` does on the ring what the system call does.
  func takesOffsets(_ descriptor: Int32) -> Bool {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return ask(descriptor) }
    if unsafe turns[index] == turn { return true }
    guard ask(descriptor) else { return false }
    unsafe turns[index] = turn
    return true
  }

  private func ask(_ descriptor: Int32) -> Bool {
    let result = syslet_call(SystemCall.lseek, UInt64(argument: descriptor), 0, UInt64(argument: SEEK_CUR), 0, 0, 0)
    return result != -Int(ESPIPE)
  }
}
