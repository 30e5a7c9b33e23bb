// Fetching an atom and storing its result, in either layout, on checked or trusted memory. The one place that reads atoms.
//
// Unsafe fence: atoms, variables and buffers belong to the user, who keeps them alive until the syslet's completion (docs/SEMANTICS.md,
// "Atoms"). A trusted engine relies on that; a checked one asks the kernel to copy, which answers EFAULT where a load would crash.

internal import CLiburing
internal import Glibc

/// A fetched atom: what it calls, with which arguments, and where execution goes on.
@safe struct Call {
  var operation: Reference<Operation>
  /// The row's traits, form and use of memory, beside the arguments that are looked at with them.
  var traits: Operation.Traits
  var form: OperationForm
  var hasMemory: Bool
  /// The row's position in the table.
  var row: UInt16
  var number: Int
  var arguments: Arguments
  /// For each argument that was behind a pointer, that pointer; 0 for direct ones.
  var pointers: Arguments
  var flags: AtomFlags
  var atom: AtomAddress
  /// Where the result is to be stored; 0 for nowhere.
  var result: UInt
  var next: AtomAddress?
  var hasPointers: Bool
  /// `atom` and `next` are steps of a prepared syslet.
  var isPrepared = false

  /// Whether it may wait for another party; on a worker it keeps one which others may need.
  var mayWait: Bool {
    @inline(__always) get { traits.contains(.waits) && traits.mayWait(number, arguments) }
  }

  /// Where it may be made.
  var threadNeed: ThreadNeed {
    // Looked at for each atom, and for most there is nothing to see: no call, and no copy of the arguments.
    @inline(__always) get { traits.contains(.ownThread) ? traits.threadNeed(number, arguments) : .none }
  }

  /// A call that has not been fetched.
  static var none: Call {
    let row = OperationTable.shared.row(-1)
    let operation = OperationTable.shared[row]
    return Call(
      operation: operation, traits: operation.pointee.traits, form: operation.pointee.form, hasMemory: false, row: row, number: -1,
      arguments: Arguments(), pointers: Arguments(), flags: [],
      atom: .nowhere, result: 0, next: nil, hasPointers: false)
  }
}

/// Room for one call. Calls are passed by reference: Swift copied all their 153 bytes for a borrowed parameter, a tenth of a nop syslet.
@safe final class CallScratch {
  private let memory: UnsafeMutablePointer<Call>

  init() {
    unsafe memory = .allocate(capacity: 1)
    unsafe memory.initialize(to: .none)
  }

  deinit { unsafe memory.deallocate() }

  /// Valid as long as the scratch is.
  var call: Reference<Call> { unsafe Reference(memory) }
}

/// What came of reading an atom.
enum Fetch {
  case call
  /// The atom or one of its arguments is not readable.
  case fault
  /// The atom's words break a rule.
  case malformed
}

@safe struct AtomMemory {
  let table: OperationTable
  let isChecked: Bool

  /// Reads the atom at `address` and its arguments into `call`. Inlined, as what it calls on the trusted way: a fifth of an engine's own
  /// instructions were the entries and exits of its small functions.
  @inline(__always)
  func fetch(_ address: AtomAddress, _ layout: AtomForm, into call: Reference<Call>) -> Fetch {
    isChecked || layout != .direct ? fetchOther(address, layout, into: call) : fetchDirect(address, into: call)
  }

  /// The same where the call is only looked at: it is in `scratch`, or the step's own where that is as it will be.
  @inline(__always)
  func fetch(_ address: AtomAddress, _ layout: AtomForm, orInto scratch: Reference<Call>) -> (fetch: Fetch, call: Reference<Call>) {
    if layout == .prepared, address.step.pointee.isSettled { return (.call, address.stepCall) }
    return (fetch(address, layout, into: scratch), scratch)
  }

  @inline(never)
  private func fetchOther(_ address: AtomAddress, _ layout: AtomForm, into call: Reference<Call>) -> Fetch {
    if layout == .prepared { return fetchStep(address, into: call) }
    return isChecked ? fetchChecked(address, layout, into: call) : fetchIndirect(address, into: call)
  }

  /// Whether the atom at `address` can be accepted as a head: readable and well-formed. Its arguments are loaded when it is reached. Not for steps, whose
  /// head has been looked at.
  @inline(__always)
  func check(_ address: AtomAddress, _ layout: AtomForm) -> Fetch {
    if isChecked { return checkOther(address, layout) }
    let atom = unsafe address.pointer.assumingMemoryBound(to: syslet_atom.self)
    guard unsafe atom.pointee.flags & ~AtomFlags.known.rawValue == 0 else { return .malformed }
    return unsafe layout == .direct && atom.pointee.nparams > 6 ? .malformed : .call
  }

  @inline(never)
  private func checkOther(_ address: AtomAddress, _ layout: AtomForm) -> Fetch {
    let scratch = CallScratch()
    let fetched = fetchChecked(address, layout, into: scratch.call)
    // An argument that cannot be read is the syslet's fault, told by its completion; only the atom itself is looked at here.
    return unsafe fetched == .fault && UserMemory.loadAtom(UInt64(address.word), as: syslet_atom.self) != nil ? .call : fetched
  }

  @inline(__always)
  private func fetchDirect(_ address: AtomAddress, into call: Reference<Call>) -> Fetch {
    let atom = unsafe address.pointer.assumingMemoryBound(to: syslet_atom.self)
    let isKnown = unsafe header(flags: atom.pointee.flags, Int(atom.pointee.nr), atom.pointee.ret_ptr, atom.pointee.next, address, call)
    guard isKnown else { return .malformed }
    return unsafe direct(atom, call)
  }

  private func fetchIndirect(_ address: AtomAddress, into call: Reference<Call>) -> Fetch {
    let atom = unsafe address.pointer.assumingMemoryBound(to: syslet_uatom.self)
    let isKnown = unsafe header(flags: atom.pointee.flags, Int(atom.pointee.nr), atom.pointee.ret_ptr, atom.pointee.next, address, call)
    guard isKnown else { return .malformed }
    return unsafe indirect(atom, call)
  }

  private func fetchChecked(_ address: AtomAddress, _ layout: AtomForm, into call: Reference<Call>) -> Fetch {
    let word = UInt64(address.word)
    switch layout {
    case .direct:
      guard let atom = unsafe UserMemory.loadAtom(word, as: syslet_atom.self) else { return .fault }
      guard unsafe header(flags: atom.flags, Int(atom.nr), atom.ret_ptr, atom.next, address, call) else { return .malformed }
      return unsafe withUnsafePointer(to: atom) { unsafe direct($0, call) }
    case .prepared: preconditionFailure("a step is no atom")
    case .indirect:
      guard let atom = unsafe UserMemory.loadAtom(word, as: syslet_uatom.self) else { return .fault }
      guard unsafe header(flags: atom.flags, Int(atom.nr), atom.ret_ptr, atom.next, address, call) else { return .malformed }
      return unsafe withUnsafePointer(to: atom) { unsafe indirect($0, call) }
    }
  }

  @inline(__always)
  func header(
    flags: UInt32, _ number: Int, _ result: UnsafeMutablePointer<Int>?, _ next: UnsafeMutableRawPointer?,
    _ address: AtomAddress, _ call: Reference<Call>
  ) -> Bool {
    guard flags & ~AtomFlags.known.rawValue == 0 else { return false }
    call.pointee.flags = AtomFlags(rawValue: flags)
    call.pointee.number = number
    let row = table.row(number)
    let operation = table[row]
    call.pointee.row = row
    call.pointee.operation = operation
    call.pointee.traits = operation.pointee.traits
    call.pointee.form = operation.pointee.form
    call.pointee.hasMemory = operation.pointee.hasMemory
    call.pointee.atom = address
    call.pointee.isPrepared = false
    call.pointee.result = UInt(bitPattern: result)
    call.pointee.next = unsafe AtomAddress(next)
    return true
  }

  @inline(__always)
  private func direct(_ atom: UnsafePointer<syslet_atom>, _ call: Reference<Call>) -> Fetch {
    let count = unsafe Int(atom.pointee.nparams)
    guard count <= 6 else { return .malformed }
    let pmap = unsafe atom.pointee.pmap
    call.pointee.hasPointers = pmap != 0
    call.pointee.arguments = unsafe Arguments(atom.pointee.args)
    // The words past nparams are 0 whatever the atom holds there.
    call.pointee.arguments.clear(from: count)
    return pmap == 0 ? .call : load(pmap, count, call)
  }

  /// Loads the arguments that are behind pointers.
  private func load(_ pmap: UInt8, _ count: Int, _ call: Reference<Call>) -> Fetch {
    call.pointee.pointers = Arguments()
    for index in 0..<count where pmap & (1 << UInt8(index)) != 0 {
      let pointer = call.pointee.arguments[index]
      guard let value = argument(pointer) else { return .fault }
      call.pointee.pointers[index] = pointer
      call.pointee.arguments[index] = value
    }
    return .call
  }

  private func indirect(_ atom: UnsafePointer<syslet_uatom>, _ call: Reference<Call>) -> Fetch {
    call.pointee.hasPointers = true
    call.pointee.pointers = Arguments()
    call.pointee.arguments = Arguments()
    let pointers = unsafe atom.pointee.arg_ptr
    for index in 0..<6 {
      let pointer: UnsafeMutablePointer<UInt>? =
        switch index {
        case 0: unsafe pointers.0
        case 1: unsafe pointers.1
        case 2: unsafe pointers.2
        case 3: unsafe pointers.3
        case 4: unsafe pointers.4
        default: unsafe pointers.5
        }
      guard let pointer = unsafe pointer else { break }
      let word = UInt64(UInt(bitPattern: pointer))
      guard let value = argument(word) else { return .fault }
      call.pointee.pointers[index] = word
      call.pointee.arguments[index] = value
    }
    return .call
  }

  /// The argument behind `pointer`.
  func argument(_ pointer: UInt64) -> UInt64? {
    if isChecked { return UserMemory.load(pointer, as: UInt64.self) }
    // A null pointer with its pmap bit set is the one wild pointer that is likely enough, and cheap enough, to catch here too.
    return unsafe UnsafePointer<UInt64>(bitPattern: UInt(pointer))?.pointee
  }

  /// Stores a result and gives what the stop conditions test: the result, or -EFAULT where it cannot be stored.
  @inline(__always)
  func store(_ result: Int, _ address: UInt) -> Int {
    guard address != 0 else { return result }
    if isChecked { return UserMemory.store(result, UInt64(address)) ? result : -Int(EFAULT) }
    unsafe UnsafeMutablePointer<Int>(bitPattern: address)!.pointee = result
    return result
  }

  /// Whether `count` no-ops or more follow the one that `call` is. A guess: they may change before they are reached, so that only a choice of
  /// place may depend on it. An edge is followed only from well-formed atoms that write nothing and cannot stop, so that it is the one that will be
  /// taken; others may have anything in its place.
  func hasIdleCalls(_ count: Int, behind call: Reference<Call>) -> Bool {
    guard call.pointee.result == 0, call.pointee.flags.isDisjoint(with: .stops) else { return false }
    if call.pointee.isPrepared { return hasIdleSteps(count, behind: call) }
    guard !isChecked else { return false }
    var next = call.pointee.next
    for _ in 0..<count {
      guard let address = next else { return false }
      // Both layouts have their edges in the same place, and on a little-endian machine their number's low half; its high half is 0 where
      // the direct layout has its count and its map of arguments.
      let atom = unsafe address.pointer.assumingMemoryBound(to: syslet_atom.self)
      guard unsafe Int(atom.pointee.nr) == Operation.noOperationNumber, unsafe atom.pointee.nparams <= 6 else { return false }
      guard unsafe atom.pointee.ret_ptr == nil, unsafe atom.pointee.flags & ~AtomFlags.calm.rawValue == 0 else { return false }
      next = unsafe AtomAddress(atom.pointee.next)
    }
    return true
  }

  /// The rule that the atom at `address` breaks, in words; for errors only.
  func brokenRule(_ address: AtomAddress, _ layout: AtomForm) -> String {
    let atom = unsafe address.pointer.assumingMemoryBound(to: syslet_atom.self).pointee
    let unknown = unsafe atom.flags & ~AtomFlags.known.rawValue
    if unknown != 0 {
      return "the flag bits \(hex(UInt(unknown))) are unknown; only 0x01 to 0x80 have a meaning"
    }
    return unsafe "nparams is \(atom.nparams), and a system call has at most 6 arguments"
  }

  /// The user's word of the atom at `address`.
  @inline(__always)
  func privateData(_ address: AtomAddress) -> UnsafeMutableRawPointer? {
    let offset = unsafe MemoryLayout<syslet_atom>.offset(of: \syslet_atom.private)!
    guard isChecked else { return unsafe address.pointer.load(fromByteOffset: offset, as: UnsafeMutableRawPointer?.self) }
    let word = UserMemory.load(UInt64(address.word + UInt(offset)), as: UInt.self) ?? 0
    return unsafe UnsafeMutableRawPointer(bitPattern: word)
  }
}

extension UserMemory {
  /// An atom, which as a C struct with pointers is not BitwiseCopyable to Swift, but is to C.
  static func loadAtom<Layout: AtomLayout>(_ address: UInt64, as type: Layout.Type) -> Layout? {
    unsafe withUnsafeTemporaryAllocation(of: Layout.self, capacity: 1) { local in
      let result = unsafe syslet_memory_read(
        UnsafeRawPointer(bitPattern: UInt(address)), local.baseAddress!, MemoryLayout<Layout>.size)
      return unsafe result == 0 ? local[0] : nil
    }
  }
}
