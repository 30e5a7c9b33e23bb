// What a descriptor names, where the ring and the system call part ways over it: a pread on a pipe fails with ESPIPE, while io_uring ignores
// the offset and reads; a read with O_NONBLOCK fails with EAGAIN, while io_uring waits; a write to a full pipe or socket waits until all is
// written, while io_uring writes what fits.

internal import CLiburing
internal import Glibc

/// What a descriptor names, as far as it matters to the ring.
enum DescriptorKind: UInt8 {
  /// Not asked.
  case unknown
  /// A regular file, a folder or a block device: takes offsets, and its calls cannot be waiting for another party.
  case file
  /// A pipe.
  case pipe
  /// Anything else that may make its caller wait.
  case stream
  /// A pipe or a stream with O_NONBLOCK.
  case nonblocking
  /// No descriptor: the call's own -EBADF is the same everywhere. Not kept, because it is what opening a file changes.
  case closed
  /// Not O_NONBLOCK, and nothing else has been asked: enough for calls that fail on all but sockets, and a system call less.
  case blocking
}

/// What this engine has found out about descriptors during the present call into it. The owner's.
///
/// Between two calls the program may close a descriptor and get its number again for something else, and a worker may do so, or set
/// O_NONBLOCK, so nothing is kept longer: a batch of reads from one file asks once (some 200 ns), a read alone asks each time. Unsafe fence: the memory is this value's own.
@safe struct DescriptorKinds: ~Copyable {
  private static let capacity = 65_536
  /// For each descriptor its kind (3 bits), and the turn in which it was found out.
  private let findings: UnsafeMutablePointer<UInt32>
  private var turn: UInt32 = 1

  init() {
    // calloc: pages that no descriptor needs are never touched.
    unsafe findings = unsafe calloc(Self.capacity, MemoryLayout<UInt32>.stride).assumingMemoryBound(to: UInt32.self)
  }

  deinit { unsafe free(findings) }

  /// The program has had the thread: what was known may not hold any more.
  mutating func forgetAll() {
    turn = (turn &+ 1) & 0x1FFF_FFFF
    // After a full round of the counter old findings would count again.
    guard turn == 0 else { return }
    for index in 0..<Self.capacity { unsafe findings[index] = 0 }
    turn = 1
  }

  /// A call of this engine closes `descriptor`.
  func forget(_ descriptor: Int32) {
    let index = Int(descriptor)
    if index >= 0, index < Self.capacity { unsafe findings[index] = 0 }
  }

  /// - Parameter isSocket: The call is one that fails on everything else, so that only its flags are to be asked for.
  func kind(_ descriptor: Int32, isSocket: Bool = false) -> DescriptorKind {
    let index = Int(descriptor)
    guard index >= 0, index < Self.capacity else { return Self.ask(descriptor) }
    let finding = unsafe findings[index]
    if finding >> 3 == turn, let kind = DescriptorKind(rawValue: UInt8(finding & 7)), isSocket || kind != .blocking { return kind }
    let kind = isSocket ? Self.askFlags(descriptor, otherwise: .blocking) : Self.ask(descriptor)
    if kind == .closed { return kind }
    unsafe findings[index] = turn << 3 | UInt32(kind.rawValue)
    return kind
  }

  /// Whether an offset means something to `descriptor`, which is no `.file`.
  static func takesOffsets(_ descriptor: Int32) -> Bool {
    syslet_call(SystemCall.lseek, UInt64(argument: descriptor), 0, UInt64(argument: SEEK_CUR), 0, 0, 0) != -Int(ESPIPE)
  }

  /// Whether `descriptor` names a regular file.
  static func isRegular(_ descriptor: Int32) -> Bool { type(descriptor).type == S_IFREG }

  private static func ask(_ descriptor: Int32) -> DescriptorKind {
    let (result, type) = type(descriptor)
    guard result == 0 else { return result == -Int(EBADF) ? .closed : .file }
    if type == S_IFREG || type == S_IFDIR || type == S_IFBLK { return .file }
    return askFlags(descriptor, otherwise: type == S_IFIFO ? .pipe : .stream)
  }

  private static func askFlags(_ descriptor: Int32, otherwise kind: DescriptorKind) -> DescriptorKind {
    let flags = syslet_call(SystemCall.fcntl, UInt64(argument: descriptor), UInt64(argument: F_GETFL), 0, 0, 0, 0)
    if flags == -Int(EBADF) { return .closed }
    return flags >= 0 && flags & Int(O_NONBLOCK) != 0 ? .nonblocking : kind
  }

  private static func type(_ descriptor: Int32) -> (result: Int, type: mode_t) {
    var status = stat()
    let result = unsafe withUnsafeMutablePointer(to: &status) {
      unsafe syslet_call(SystemCall.fstat, UInt64(argument: descriptor), UInt64(argument: $0), 0, 0, 0, 0)
    }
    return (result, result == 0 ? status.st_mode & S_IFMT : 0)
  }
}
