// What is known about this kernel's links: the table's reference, less what the start-up self-test saw not to hold.

internal import CLiburing

/// On which results a soft link severs, per operation code, as far as it may be relied on (law L1).
///
/// The reference alone is never enough: since about Linux 6.0 a failing fsync, rename, statx and others do not sever, and a rename
/// behind a failed fsync would run. A class counts only if the table expects it *and* the self-test saw it on this kernel.
///
/// A table is filled by whoever makes it and then only read, from any thread. A process makes three at the most and never frees them, so
/// that a copy is a pointer: the router carries one, and it is read for every call.
@safe struct Severing: @unchecked Sendable {
  private struct Entry {
    var confirmed: ResultClasses = []
    /// This kernel takes the operation code.
    var isSupported = false
  }

  private let entries: UnsafeMutablePointer<Entry>

  private init() {
    unsafe entries = .allocate(capacity: 256)
    unsafe entries.initialize(repeating: Entry(), count: 256)
  }

  /// The table as a word, for an atomic to keep; 0 is none.
  var kept: UInt { unsafe UInt(bitPattern: entries) }

  init?(kept word: UInt) {
    guard let entries = unsafe UnsafeMutablePointer<Entry>(bitPattern: word) else { return nil }
    unsafe self.entries = unsafe entries
  }

  /// A new table with nothing supported and nothing confirmed: every call is alone, and none goes to the ring.
  static func empty() -> Severing { Severing() }

  /// The table of an engine without a ring.
  static let none = Severing.empty()

  /// What Linux 6.18 does: every operation supported, links severed as docs/TRANSLATION.md says. For listings that must not depend on
  /// the machine they are made on.
  static let reference: Severing = {
    let severing = Severing.empty()
    for extra in extras { severing.support(Int16(extra)) }
    for operation in Operation.ringRows {
      severing.support(operation.opcode)
      let runsOn: Bool = Self.runOnAfterFailure.contains(operation.form.encoding)
      severing.confirm(runsOn ? [] : [.negative, .zero, .short], for: operation.opcode)
    }
    return severing
  }()

  /// The encodings whose failures do not sever a soft link on the reference kernel; of a futex it is the wait that is cancelled.
  static let runOnAfterFailure: Set<Encoding> = [
    .fsync, .fdatasync, .syncFileRange, .fallocate, .ftruncate, .statx, .unlink, .unlinkAt, .rmdir, .rename, .renameAt, .renameAt2,
    .mkdir, .mkdirAt, .symlink, .symlinkAt, .link, .linkAt, .setxattr, .fsetxattr, .getxattr, .fgetxattr, .madvise, .shutdown, .futex,
  ]

  /// Operations that no row names and that are asked for all the same: the other one of futexes, and the mark of kernels on which messages are whole
  /// (`areMessagesWhole`).
  static let extras = [SYSLET_OP_FUTEX_WAKE, SYSLET_OP_SEND_ZC]

  /// A message that is to be transferred whole, and that ends early, gives what was transferred. Before Linux 5.19 a blocking send is not whole
  /// whatever it is told, and before 6.0, which brought this operation, one that has begun and fails gives its error alone: what a receive had
  /// taken was lost.
  var areMessagesWhole: Bool { isSupported(Int16(SYSLET_OP_SEND_ZC)) }

  func support(_ opcode: Int16, _ isSupported: Bool = true) { unsafe entries[Int(opcode)].isSupported = isSupported }
  func confirm(_ classes: ResultClasses, for opcode: Int16) { unsafe entries[Int(opcode)].confirmed = classes }

  func isSupported(_ opcode: Int16) -> Bool { unsafe opcode >= 0 && entries[Int(opcode)].isSupported }

  /// The results on which a soft link after this call is known to sever: `B` of the link rule.
  func results(_ form: OperationForm, _ arguments: Arguments) -> ResultClasses {
    unsafe form.severingResults(arguments).intersection(entries[Int(form.opcode)].confirmed)
  }

  /// The classes confirmed for an operation code, whatever the arguments.
  func confirmedResults(_ opcode: Int16) -> ResultClasses { unsafe entries[Int(opcode)].confirmed }
}
