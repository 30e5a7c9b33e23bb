// The file that a run has opened just now by a plain call, before anybody else can know of it: its open did not wait, and its flags and position are set when
// that could be seen.

internal import CLiburing
internal import Glibc

/// The owner's, for one run's turn.
@safe struct OpenedFile {
  /// -1 for none.
  private(set) var descriptor: Int32 = -1
  /// As the program has given them: what was opened has O_NONBLOCK.
  private var flags: Int32 = 0
  /// Nobody has looked yet whether it is a FIFO, whose open should have waited.
  private(set) var mayBeFIFO = false
  /// It is one.
  private(set) var isFIFO = false
  /// Where it is read next: the file's own position is set when somebody else can see it, or never.
  private var position = 0
  /// The run as it was before that open, which is taken back if it should have waited.
  private var before = RunState()

  private struct RunState {
    var opening = AtomAddress.nowhere
    var last = LastCall()
  }

  var isThere: Bool { descriptor >= 0 }

  mutating func begin(_ descriptor: Int32, _ flags: Int32, mayBeFIFO: Bool) {
    self.descriptor = descriptor
    self.flags = flags
    position = 0
    isFIFO = false
    self.mayBeFIFO = mayBeFIFO
  }

  /// It has been closed.
  mutating func forget(_ closed: Int32) {
    if closed == descriptor { descriptor = -1 }
  }

  // MARK: FIFOs

  /// Keeps what the run was before `call`, its open.
  mutating func remember(_ run: Reference<Run>, _ call: Reference<Call>) {
    before = RunState(opening: call.pointee.atom, last: run.pointee.last)
  }

  /// Whether it is a FIFO, whose open should have waited. A question of 0.25 µs.
  mutating func lookForFIFO() -> Bool {
    guard mayBeFIFO else { return false }
    mayBeFIFO = false
    isFIFO = Interpreter.isFIFO(descriptor)
    return isFIFO
  }

  /// It is no pipe: it took an offset.
  mutating func noteFile() { mayBeFIFO = false }

  /// Whether `call` asks, by descriptor alone, for its status. The path, which should be empty, is not looked at.
  func isStatus(_ call: Reference<Call>) -> Bool {
    call.pointee.form.encoding == .statx && call.pointee.arguments.descriptor(0) == descriptor
      && call.pointee.arguments.low(2) & Self.emptyPath != 0 && call.pointee.arguments[1] != 0
  }

  /// Whether it is a FIFO, by what a statx has told of it, which may be repeated. A question less: 5 % of open, statx, read, close.
  mutating func isFIFO(after call: Reference<Call>, _ result: Int) -> Bool {
    // The kernel has just read the path, and written the answer.
    guard result == 0, let path = unsafe UnsafePointer<CChar>(bitPattern: UInt(call.pointee.arguments[1])), unsafe path[0] == 0,
      let answer = unsafe UnsafeRawPointer(bitPattern: UInt(call.pointee.arguments[4]))
    else { return lookForFIFO() }
    mayBeFIFO = false
    isFIFO = unsafe mode_t(answer.loadUnaligned(fromByteOffset: Self.statxMode, as: UInt16.self)) & S_IFMT == S_IFIFO
    return isFIFO
  }

  // AT_EMPTY_PATH, and where stx_mode is in struct statx: glibc has them not everywhere.
  private static let emptyPath: UInt32 = 0x1000
  private static let statxMode = 28

  /// Gives the descriptor to the run for whoever makes the open as it is to be made: meanwhile the FIFO has a reader, as it has while an open waits.
  mutating func hold(_ run: Reference<Run>) {
    run.pointee.hold(descriptor)
    run.pointee.reached.isThere = true
    descriptor = -1
    isFIFO = false
  }

  /// The same, and the run is what it was before.
  mutating func takeBack(_ run: Reference<Run>) {
    hold(run)
    run.pointee.cursor = before.opening
    run.pointee.last = before.last
    run.pointee.executed -= 1
  }

  // MARK: Reading

  /// Reads it at the place where its position is to be: of a FIFO that fails, so that nobody has to be asked what was opened. nil: it takes no offsets, and is
  /// settled now, or a FIFO.
  mutating func read(_ call: Reference<Call>) -> Int? {
    let words = call.pointee.arguments.words
    let result = syslet_call(SystemCall.pread64, words.0, words.1, words.2, UInt64(position), 0, 0)
    if result == -Int(ESPIPE) {
      if !lookForFIFO() { settleFlags() }
      return nil
    }
    if result >= 0 {
      mayBeFIFO = false
      position += result
    }
    return result
  }

  /// Before anything but reading, examining and closing is done with it, or could be: gives it the flags and the position that it should have.
  @inline(__always)
  mutating func settle() {
    if isThere { settleFlags() }
  }

  @inline(never)
  private mutating func settleFlags() {
    syslet_open_settle(descriptor, flags)
    if position > 0 {
      _ = syslet_call(SystemCall.lseek, UInt64(argument: descriptor), UInt64(position), UInt64(argument: SEEK_SET), 0, 0, 0)
    }
    descriptor = -1
    mayBeFIFO = false
  }
}
