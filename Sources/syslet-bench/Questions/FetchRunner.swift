// Bringing six arguments out of an atom and nothing else: the engine's fetch without the engine around it, and what it would be without
// `nparams` and without `pmap`. The engine has no such form to be compared with, so the comparison is made here.

internal import SysletRing

/// Fetches the arguments of 32 atoms again and again. An operation is one atom.
@safe final class FetchRunner: Contestant {
  enum Form: String, CaseIterable {
    case six = "six direct words, copied as they are"
    case parameters = "nparams of them (6), the rest 0"
    case map = "the same, pmap looked at and 0"
    case mapped = "pmap with all six bits set"
    case indirect = "syslet_uatom, six pointers"
  }

  private static let atomCount = 32

  var name: String { form.rawValue }
  private let form: Form
  private let slots = SlotMemory(count: 1, atoms: FetchRunner.atomCount, words: 6)
  /// Where the words are brought, as the engine brings them into its call.
  private let words: UnsafeMutablePointer<UInt64>

  init(_ form: Form) {
    self.form = form
    unsafe words = .allocate(capacity: 6)
    unsafe words.initialize(repeating: 0, count: 6)
    for position in 0..<6 { unsafe slots.word(0, position).pointee = position + 1 }
    func at(_ position: Int) -> UInt64 { unsafe UInt64(argument: slots.word(0, position)) }
    func pointer(_ position: Int) -> UnsafeMutablePointer<UInt> { unsafe slots.argument(0, position) }
    for index in 0..<Self.atomCount {
      let atom = unsafe slots.atom(0, index)
      switch form {
      case .six, .parameters, .map: unsafe atom.initialize(to: Atom(SystemCall.getppid, 1, 2, 3, 4, 5, 6))
      case .mapped: unsafe atom.initialize(to: Atom(SystemCall.getppid, at(0), at(1), at(2), at(3), at(4), at(5), pointers: 0b11_1111))
      case .indirect:
        unsafe atom.indirect.initialize(
          to: IndirectAtom(SystemCall.getppid, pointer(0), pointer(1), pointer(2), pointer(3), pointer(4), pointer(5)))
      }
    }
  }

  deinit { unsafe words.deallocate() }

  func run(_ count: Int) -> Sample {
    let rounds = (count + Self.atomCount - 1) / Self.atomCount
    var sum: UInt64 = 0
    var sample = Sample()
    let begin = Clock.wall()
    switch form {
    case .six: sum = unsafe each(rounds) { unsafe fetchSix($0, words) }
    case .parameters: sum = unsafe each(rounds) { unsafe fetchParameters($0, words) }
    case .map, .mapped: sum = unsafe each(rounds) { unsafe fetchMapped($0, words) }
    case .indirect: sum = unsafe each(rounds) { unsafe fetchIndirect($0, words) }
    }
    sample.wallNanoseconds = Clock.wall() - begin
    sample.syslets = rounds * Self.atomCount
    // 1 + 2 + … + 6 for each atom.
    if sum != UInt64(sample.syslets) * 21 { sample.problem = "the arguments of \(sample.syslets) atoms add up to \(sum)" }
    return sample
  }

  /// The sum of everything that was fetched: it proves the work, and keeps the compiler from leaving it out.
  @inline(__always)
  private func each(_ rounds: Int, _ fetch: (UnsafeMutablePointer<Atom>) -> Void) -> UInt64 {
    var sum: UInt64 = 0
    for _ in 0..<rounds {
      for index in 0..<Self.atomCount {
        unsafe fetch(slots.atom(0, index))
        unsafe sum &+= add(words[0], words[1], words[2], words[3], words[4], words[5])
      }
    }
    return sum
  }
}

/// Takes the words in registers, as a system call does: loops over memory become vector loads, which wait for narrower stores.
@inline(never)
private func add(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64, _ f: UInt64) -> UInt64 {
  a &+ b &+ c &+ d &+ e &+ f
}

// Never inlined: all forms pay the same call, and none is merged with the loop around it.

@inline(never)
private func fetchSix(_ atom: UnsafeMutablePointer<Atom>, _ words: UnsafeMutablePointer<UInt64>) {
  let arguments = unsafe atom.pointee.args
  unsafe words[0] = arguments.0
  unsafe words[1] = arguments.1
  unsafe words[2] = arguments.2
  unsafe words[3] = arguments.3
  unsafe words[4] = arguments.4
  unsafe words[5] = arguments.5
}

@inline(__always)
private func copyParameters(_ atom: UnsafeMutablePointer<Atom>, _ count: UInt8, _ words: UnsafeMutablePointer<UInt64>) {
  let arguments = unsafe atom.pointee.args
  unsafe words[0] = count > 0 ? arguments.0 : 0
  unsafe words[1] = count > 1 ? arguments.1 : 0
  unsafe words[2] = count > 2 ? arguments.2 : 0
  unsafe words[3] = count > 3 ? arguments.3 : 0
  unsafe words[4] = count > 4 ? arguments.4 : 0
  unsafe words[5] = count > 5 ? arguments.5 : 0
}

@inline(never)
private func fetchParameters(_ atom: UnsafeMutablePointer<Atom>, _ words: UnsafeMutablePointer<UInt64>) {
  unsafe copyParameters(atom, atom.pointee.nparams, words)
}

@inline(never)
private func fetchMapped(_ atom: UnsafeMutablePointer<Atom>, _ words: UnsafeMutablePointer<UInt64>) {
  let count = unsafe atom.pointee.nparams
  let pmap = unsafe atom.pointee.pmap
  unsafe copyParameters(atom, count, words)
  guard pmap != 0 else { return }
  for index in 0..<Int(count) where pmap & (1 << UInt8(index)) != 0 {
    guard let pointer = unsafe UnsafePointer<UInt64>(bitPattern: UInt(words[index])) else { return }
    unsafe words[index] = pointer.pointee
  }
}

@inline(never)
private func fetchIndirect(_ atom: UnsafeMutablePointer<Atom>, _ words: UnsafeMutablePointer<UInt64>) {
  let pointers = unsafe atom.indirect.pointee.arg_ptr
  for position in 0..<6 { unsafe words[position] = 0 }
  guard let first = unsafe pointers.0 else { return }
  unsafe words[0] = UInt64(first.pointee)
  guard let second = unsafe pointers.1 else { return }
  unsafe words[1] = UInt64(second.pointee)
  guard let third = unsafe pointers.2 else { return }
  unsafe words[2] = UInt64(third.pointee)
  guard let fourth = unsafe pointers.3 else { return }
  unsafe words[3] = UInt64(fourth.pointee)
  guard let fifth = unsafe pointers.4 else { return }
  unsafe words[4] = UInt64(fifth.pointee)
  guard let sixth = unsafe pointers.5 else { return }
  unsafe words[5] = UInt64(sixth.pointee)
}
