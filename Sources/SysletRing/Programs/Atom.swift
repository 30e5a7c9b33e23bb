// The two layouts of an atom as Swift sees them. The structs themselves are C's (CLiburing/include/syslet.h): programs in other
// languages and the 2007 interface read them, and Swift may reuse a struct's tail padding where C may not.

// Exported: a user who fills in atoms needs their fields, and with MemberImportVisibility those of a C struct belong to its module.
@_exported public import CLiburing

/// Davide Libenzi's layout: direct arguments, and a bitmap of those that are pointers to the argument.
public typealias Atom = syslet_atom

/// Ingo Molnar's layout: every argument is behind a pointer.
public typealias IndirectAtom = syslet_uatom

/// The number of the pseudo call `umem_add(long *ptr, long inc)`, which adds `inc` to the word at `ptr`, stores and returns the
/// new value; `inc` = 0 only reads. `SYSLET_NR_umem_add` in C.
public let umemAdd = Int(SYSLET_NR_umem_add)

/// The number of the pseudo call that does nothing: `IORING_OP_NOP` on the ring, `getppid` elsewhere; its result is always 0.
/// It measures what a syslet costs. `SYSLET_NR_nop` in C.
public let noOperation = Int(SYSLET_NR_nop)

/// One of the two layouts of an atom. Nothing else can conform in a useful way.
public protocol AtomLayout {
  /// Which of the two it is.
  static var layout: AtomLayoutTag { get }
}

/// Tells the two layouts apart at run time.
public enum AtomLayoutTag: UInt8, Sendable {
  /// `syslet_atom`.
  case direct
  /// `syslet_uatom`.
  case indirect
}

extension AtomLayout {
  /// `layout`, without asking the type for it where it is the usual one: a fifth of `enqueue`'s instructions.
  @inline(__always)
  static var form: AtomForm { unsafe self == syslet_atom.self || layout == .direct ? .direct : .indirect }
}

/// What an `AtomAddress` is the address of.
enum AtomForm: UInt8 {
  case direct, indirect
  /// A `Step`.
  case prepared
}

extension syslet_atom: AtomLayout {
  /// Its arguments are in the atom.
  public static var layout: AtomLayoutTag { .direct }

  /// An atom that makes system call `number` with up to six arguments.
  ///
  /// - Parameters:
  ///   - number: A system call's number (`SystemCall` names them), `umemAdd` or `noOperation`. One that does not fit the layout's
  ///     16 bits becomes 65535, which no call has: its result is `-ENOSYS`.
  ///   - arguments: Integers or pointers, each a 64-bit pattern; `UInt64(argument:)` makes one of either. With more than six the
  ///     atom is malformed and is refused when it is submitted.
  ///   - flags: Stop conditions and the rest.
  ///   - pmap: Bit N set: argument N is a pointer to the argument, which is loaded when the atom is reached.
  ///   - result: Where to store the result; nil stores nothing.
  ///   - next: The atom that follows; nil ends the syslet.
  public init(
    _ number: Int, _ arguments: UInt64..., flags: AtomFlags = [], pointers pmap: UInt8 = 0,
    @_nonEphemeral result: UnsafeMutablePointer<Int>? = nil, @_nonEphemeral next: UnsafeMutablePointer<syslet_atom>? = nil
  ) {
    unsafe self.init()
    unsafe self.flags = flags.rawValue
    unsafe nr = UInt16(exactly: number) ?? .max
    unsafe nparams = UInt8(clamping: arguments.count)
    unsafe self.pmap = pmap
    unsafe ret_ptr = unsafe result
    unsafe self.next = unsafe next
    func argument(_ index: Int) -> UInt64 { index < arguments.count ? arguments[index] : 0 }
    unsafe args = (argument(0), argument(1), argument(2), argument(3), argument(4), argument(5))
  }
}

extension syslet_uatom: AtomLayout {
  /// Its arguments are behind pointers.
  public static var layout: AtomLayoutTag { .indirect }

  /// An atom that makes system call `number` with up to six arguments, each behind a pointer.
  ///
  /// - Parameters:
  ///   - number: A system call's number (`SystemCall` names them), `umemAdd` or `noOperation`.
  ///   - arguments: Pointers to the arguments, which are loaded when the atom is reached. The first nil ends the list, the rest
  ///     are 0; a literal 0 in the middle is a pointer to a zero. More than six cannot be stored and end the process here.
  ///   - flags: Stop conditions and the rest.
  ///   - result: Where to store the result; nil stores nothing.
  ///   - next: The atom that follows; nil ends the syslet.
  public init(
    _ number: Int, _ arguments: UnsafeMutablePointer<UInt>?..., flags: AtomFlags = [],
    @_nonEphemeral result: UnsafeMutablePointer<Int>? = nil, @_nonEphemeral next: UnsafeMutablePointer<syslet_uatom>? = nil
  ) {
    unsafe precondition(
      arguments.count <= 6, unsafe "an atom has at most 6 arguments, and \(arguments.count) were given for system call \(number)")
    unsafe self.init()
    unsafe self.flags = flags.rawValue
    unsafe nr = UInt32(exactly: number) ?? .max
    unsafe ret_ptr = unsafe result
    unsafe self.next = unsafe next
    func argument(_ index: Int) -> UnsafeMutablePointer<UInt>? { unsafe index < arguments.count ? arguments[index] : nil }
    unsafe arg_ptr = unsafe (argument(0), argument(1), argument(2), argument(3), argument(4), argument(5))
  }
}

/// What can be a system call's argument as an address: the pointer types.
///
/// A protocol, because Swift makes a pointer of an array, a string or `&variable` by itself where a pointer's type is asked for, and takes it away again when
/// the call returns, long before an atom is reached. It does not where any type of these is.
public protocol AtomPointer {
  /// The address.
  var addressWord: UInt { get }
}

extension UnsafeRawPointer: AtomPointer {
  /// The address.
  public var addressWord: UInt { UInt(bitPattern: self) }
}

extension UnsafeMutableRawPointer: AtomPointer {
  /// The address.
  public var addressWord: UInt { UInt(bitPattern: self) }
}

extension UnsafePointer: AtomPointer {
  /// The address.
  public var addressWord: UInt { UInt(bitPattern: self) }
}

extension UnsafeMutablePointer: AtomPointer {
  /// The address.
  public var addressWord: UInt { UInt(bitPattern: self) }
}

extension UInt64 {
  /// The argument of a system call that is a pointer.
  public init<Pointer: AtomPointer>(argument pointer: Pointer) { self = UInt64(pointer.addressWord) }

  /// The argument of a system call that is a pointer, or none.
  public init<Pointer: AtomPointer>(argument pointer: Pointer?) { self = pointer.map { UInt64($0.addressWord) } ?? 0 }

  /// As that of `argument:`, also of what is a pointer only while the call lasts that this is for.
  init(duringCall pointer: UnsafeRawPointer?) { self = UInt64(UInt(bitPattern: pointer)) }

  /// The argument of a system call that is an integer, sign-extended as C does.
  public init(argument value: some BinaryInteger) { self.init(truncatingIfNeeded: value) }
}
