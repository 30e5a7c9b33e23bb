// A syslet that was read once: its atoms decoded into steps, in memory of the library's.
//
// Unsafe fence: the steps, and the count of who uses them in front of them, go with the last of their `PreparedSyslet`, its activations and engines' plans of
// it; the steps are written before anybody else has them.

internal import Glibc
internal import Synchronization

/// A syslet whose atoms have been read, as a prepared statement has been: `SysletEngine.prepare` makes one, and engines and executors run it as often
/// as they are asked to, several times at once too.
///
/// What the atoms say is read once: they may be changed or freed afterwards. What stands behind pointers is not: arguments behind pointers are read when
/// their atom is reached, results are stored, and buffers, paths and variables are the system call's, so that these must stay in place until the completion.
/// A completion names the atom of the user's, as it does of a syslet that was not prepared, and its `private` word as it was.
///
/// It may be used on any thread. What has been read lives until its last reference and its last activation have ended; an engine that has run it lets go of it
/// in its next wait or flush, or when it is closed.
///
/// Source: docs/SEMANTICS.md, "Prepared syslets".
@safe public final class PreparedSyslet: @unchecked Sendable {
  /// The first step.
  let head: AtomAddress
  /// How many atoms it has: those that can be reached from its head.
  public let count: Int

  /// - Parameter atoms: The atoms that can be reached, the head first.
  fileprivate init(_ atoms: [DecodedAtom]) {
    count = atoms.count
    let steps = unsafe Step.allocate(atoms.count)
    unsafe head = AtomAddress(UnsafeMutableRawPointer(steps))
    let syslet = Step.nextSyslet()
    var numbers: [AtomAddress: Int] = [:]
    for (number, atom) in atoms.enumerated() { numbers[atom.call.atom] = number }
    func step(_ atom: AtomAddress?) -> AtomAddress? {
      guard let atom, let number = numbers[atom] else { return nil }
      return unsafe AtomAddress(UnsafeMutableRawPointer(steps + number))
    }
    for (number, atom) in atoms.enumerated() {
      var call = atom.call
      call.atom = step(atom.call.atom)!
      call.next = step(atom.call.next)
      call.isPrepared = true
      unsafe (steps + number).initialize(
        to: Step(
          call: call, pointers: atom.pointers, reading: atom.reading, isSettled: atom.reading == .call && atom.pointers == 0,
          skips: Skips(step(atom.skip) ?? .nowhere), atom: atom.call.atom, privateData: atom.privateData, number: number, count: count,
          syslet: syslet))
    }
  }

  deinit { head.disown() }
}

/// An atom on its way into a step.
@safe private struct DecodedAtom {
  var call: Call
  var pointers: UInt8 = 0
  var reading = Fetch.call
  var skip: AtomAddress?
  var privateData: UnsafeMutableRawPointer?
}

extension AtomMemory {
  /// More than a program has: from what is no atom, and is read as one, there may be no end.
  static var preparedMax: Int { 65_536 }

  /// Reads the atoms that can be reached from `head`: along their edges, and to the linear neighbour where a stop condition may go on there.
  ///
  /// A later atom that cannot be read, or is malformed, ends the syslet with a fault when it is reached, as if it had not been prepared.
  func prepare(_ head: AtomAddress, _ layout: AtomLayoutTag) throws(EngineError) -> PreparedSyslet {
    // Through the kernel, because where no stop condition ever goes on there need not be an atom.
    if let errno = UserMemory.obstacle() { throw .kernel(call: "process_vm_readv, which preparing needs,", errno: errno) }
    let reader = AtomMemory(table: table, isChecked: true)
    var atoms: [DecodedAtom] = []
    var known: Set<AtomAddress> = []
    var stack = [head]
    while let address = stack.popLast() {
      guard known.insert(address).inserted else { continue }
      guard atoms.count < Self.preparedMax else {
        throw .malformedAtom(
          address: head.word,
          rule: "more than \(Self.preparedMax) atoms can be reached from it, and a prepared syslet has no more than that")
      }
      let atom = reader.decode(address, layout)
      atoms.append(atom)
      if address == head {
        if atom.reading == .fault { throw .unreadableAtom(address: head.word) }
        if atom.reading == .malformed {
          throw .malformedAtom(address: head.word, rule: brokenRule(head, layout == .direct ? .direct : .indirect))
        }
      }
      if let skip = atom.skip { stack.append(skip) }
      if let next = atom.call.next { stack.append(next) }
    }
    return PreparedSyslet(atoms)
  }

  /// The atom at `address`, its pointers not followed.
  private func decode(_ address: AtomAddress, _ layout: AtomLayoutTag) -> DecodedAtom {
    let scratch = CallScratch()
    let call = scratch.call
    // Without their pointers, the arguments need not be readable.
    let reading = fetchUnloaded(address, layout, into: call)
    guard reading.fetch == .call else {
      var atom = unsafe DecodedAtom(call: .none, reading: reading.fetch)
      atom.call.atom = address
      return atom
    }
    return unsafe DecodedAtom(
      call: call.pointee, pointers: reading.pointers, skip: call.pointee.flags.canSkip ? address.neighbour : nil,
      privateData: privateData(address))
  }

  /// The atom with its arguments as they stand in it, and which of them are pointers to the argument.
  private func fetchUnloaded(_ address: AtomAddress, _ layout: AtomLayoutTag, into call: Reference<Call>) -> (fetch: Fetch, pointers: UInt8)
  {
    var words: [UInt64] = []
    var pointers: UInt8 = 0
    if layout == .direct {
      guard let atom = unsafe load(address, as: syslet_atom.self) else { return (.fault, 0) }
      let isKnown = unsafe header(flags: atom.flags, Int(atom.nr), atom.ret_ptr, atom.next, address, call)
      guard isKnown, unsafe atom.nparams <= 6 else { return (.malformed, 0) }
      words = unsafe (0..<Int(atom.nparams)).map { [arguments = Arguments(atom.args)] in arguments[$0] }
      pointers = unsafe atom.pmap & ~(.max << atom.nparams)
      call.pointee.hasPointers = unsafe atom.pmap != 0
    } else {
      guard let atom = unsafe load(address, as: syslet_uatom.self) else { return (.fault, 0) }
      guard unsafe header(flags: atom.flags, Int(atom.nr), atom.ret_ptr, atom.next, address, call) else { return (.malformed, 0) }
      let (first, second, third, fourth, fifth, sixth) = unsafe atom.arg_ptr
      words = unsafe [first, second, third, fourth, fifth, sixth].prefix { unsafe $0 != nil }.map { UInt64(UInt(bitPattern: $0)) }
      pointers = ~(.max << UInt8(words.count))
      call.pointee.hasPointers = true
    }
    call.pointee.arguments = Arguments()
    call.pointee.pointers = Arguments()
    for (index, word) in words.enumerated() {
      call.pointee.arguments[index] = word
      if pointers & (1 << UInt8(index)) != 0 { call.pointee.pointers[index] = word }
    }
    return (.call, pointers)
  }

  private func load<Layout: AtomLayout>(_ address: AtomAddress, as type: Layout.Type) -> Layout? {
    guard isChecked else { return unsafe address.pointer.assumingMemoryBound(to: type).pointee }
    return UserMemory.loadAtom(UInt64(address.word), as: type)
  }

  /// What `fetch` is for atoms: the step's call, with the arguments that are behind pointers loaded.
  func fetchStep(_ address: AtomAddress, into call: Reference<Call>) -> Fetch {
    let step = address.step
    guard step.pointee.reading == .call else { return step.pointee.reading }
    call.pointee = step.pointee.call
    let pointers = step.pointee.pointers
    return pointers == 0 ? .call : loadStep(pointers, call)
  }

  private func loadStep(_ pointers: UInt8, _ call: Reference<Call>) -> Fetch {
    for index in 0..<6 where pointers & (1 << UInt8(index)) != 0 {
      guard let value = argument(call.pointee.pointers[index]) else { return .fault }
      call.pointee.arguments[index] = value
    }
    return .call
  }

  /// `hasIdleCalls` of steps.
  func hasIdleSteps(_ count: Int, behind call: Reference<Call>) -> Bool {
    var next = call.pointee.next
    for _ in 0..<count {
      guard let step = next?.step, step.pointee.reading == .call else { return false }
      guard step.pointee.call.number == Operation.noOperationNumber, step.pointee.call.result == 0 else { return false }
      guard step.pointee.call.flags.rawValue & ~AtomFlags.calm.rawValue == 0 else { return false }
      next = step.pointee.call.next
    }
    return true
  }
}
