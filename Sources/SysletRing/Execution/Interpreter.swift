// Making a call plainly: the same code serves the caller's thread and the workers. It *is* the emulation.

internal import CLiburing
internal import Glibc

enum Interpreter {
  /// Makes `call` on this thread and gives its result: non-negative or -errno. On the owner's thread or on a worker: a signal that it raises becomes its
  /// result (law L12), for which the owner lowers its shield (`syslet_shield_lower`) before it sleeps and before it returns to the program.
  static func make(_ call: Reference<Call>, isChecked: Bool) -> Int { makeInLine(call, isChecked: isChecked) }

  /// The same for the one place where entering and leaving a function shows: a loop of increments takes a tenth less.
  @inline(__always)
  static func makeInLine(_ call: Reference<Call>, isChecked: Bool) -> Int {
    let traits = call.pointee.traits
    if !traits.isDisjoint(with: [.refused, .signalMask, .ownThread]), isRefused(call) { return -Int(EPERM) }
    let words = call.pointee.arguments.words
    // Above 16 bits x86-64 has a second set of numbers for the same calls (x32), which no row would recognise.
    guard call.pointee.number <= 0xFFFF else { return -Int(ENOSYS) }
    if traits.contains(.pseudo) {
      guard call.pointee.number == Operation.umemAddNumber else {
        if let operation = WordOperation(rawValue: call.pointee.number) { return operation.make(words.0, words.1) }
        // The cheapest system call that glibc does not answer from memory stands for the one that does nothing.
        _ = syslet_call(SystemCall.getppid, 0, 0, 0, 0, 0, 0)
        return 0
      }
      var sum = 0
      let result = unsafe syslet_memory_add(
        UnsafeMutablePointer(bitPattern: UInt(words.0)), Int(bitPattern: UInt(words.1)), isChecked ? 1 : 0, &sum)
      return result < 0 ? Int(result) : sum
    }
    return syslet_call_for_syslet(call.pointee.number, words.0, words.1, words.2, words.3, words.4, words.5)
  }

  /// Whether a call of which some are refused is one of them.
  private static func isRefused(_ call: Reference<Call>) -> Bool {
    let traits = call.pointee.traits
    return traits.contains(.refused) || traits.contains(.signalMask) && hasSignalMask(call.pointee.number, call.pointee.arguments)
      || call.pointee.threadNeed == .refused
  }

  /// Makes `call`, which is no cached read, on the owner's thread; nil where an open would have to wait, and then nothing has happened.
  @inline(__always)
  static func makeWithoutWaiting(_ call: Reference<Call>, _ reason: Placement.PlainReason) -> Int? {
    guard reason == .lookUp || reason == .creation else { return make(call, isChecked: false) }
    let open = call.pointee.form.openArguments(call.pointee.arguments)
    // Without waiting is what it asks for: EAGAIN and ENXIO are its own results.
    if reason == .creation, open.flags & O_NONBLOCK != 0 { return make(call, isChecked: false) }
    let path = unsafe UnsafePointer<CChar>(bitPattern: UInt(open.path))
    let result =
      unsafe reason == .lookUp
      ? syslet_open_cached(open.directory, path, open.flags) : syslet_open_now(open.directory, path, open.flags, open.mode)
    return result == -Int(EAGAIN) ? nil : result
  }

  /// Whether `descriptor` names a pipe: of one that was opened by name, a FIFO.
  static func isFIFO(_ descriptor: Int32) -> Bool {
    // What has a position is none, and to ask for that costs less.
    guard syslet_call(SystemCall.lseek, UInt64(argument: descriptor), 0, UInt64(argument: SEEK_CUR), 0, 0, 0) == -Int(ESPIPE) else {
      return false
    }
    var status = stat()
    let result = unsafe withUnsafeMutablePointer(to: &status) {
      unsafe syslet_call(SystemCall.fstat, UInt64(argument: descriptor), UInt64(argument: $0), 0, 0, 0, 0)
    }
    return result == 0 && status.st_mode & S_IFMT == S_IFIFO
  }

  /// Reads on the owner's thread; nil where that would have to wait, and then nothing has happened.
  ///
  /// A read with an offset, which fails on what is no file, is made as it is: so it waits for a device now and then, and the caller takes the
  /// time. So is one of a descriptor that is `nonblocking`.
  @inline(__always)
  static func readWithoutWaiting(_ call: Reference<Call>, isNonblocking: Bool) -> Int? {
    let words = call.pointee.arguments.words
    let result =
      isNonblocking || call.pointee.form.encoding == .readAt
      ? syslet_call(call.pointee.number, words.0, words.1, words.2, words.3, words.4, words.5)
      : unsafe syslet_read_cached(
        call.pointee.arguments.descriptor(0), UnsafeMutableRawPointer(bitPattern: UInt(words.1)), Int(bitPattern: UInt(words.2)))
    return result == -Int(EAGAIN) ? nil : result
  }

  /// Whether a call that may be given a signal mask is given one.
  private static func hasSignalMask(_ number: Int, _ arguments: Arguments) -> Bool {
    switch number {
    case SystemCall.ppoll: arguments[3] != 0
    // The sixth argument points to the mask's address and its size.
    case SystemCall.pselect6, SystemCall.io_pgetevents: arguments[5] != 0 && UserMemory.load(arguments[5], as: UInt64.self) != 0
    default: arguments[4] != 0
    }
  }
}
