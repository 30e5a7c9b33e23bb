// What a parameter costs by itself: atoms that never enter the kernel, with parameters in each form that an atom can name them.

internal import SysletRing

/// 32 × `umem_add(&sum, 7, …)` with up to six parameters, of which it looks at two: the engine has to bring the others all the same.
///
/// Unlike `arguments`, which calls getppid, nothing here takes long enough to hide a nanosecond.
final class ParametersWorkload: Workload {
  enum Form: Equatable {
    /// In the atom; the first `pointers` of them behind pointers that `pmap` names.
    case direct(pointers: Int)
    /// Molnar's layout.
    case indirect
  }

  static let parametersMax = 6
  static let atomCount = 32
  private static let increment = 7
  private static let lineBytes = 64

  let slots: SlotMemory
  let variant: String
  let subject: String
  let atomsExecuted = ParametersWorkload.atomCount
  let segmentMax = 1
  let itemCount = Int.max
  let layout: AtomLayoutTag
  private let variables: ParameterVariables

  /// - Parameter isScattered: Each variable has a cache line of its own, far from its neighbours'; otherwise the atoms of a slot share six
  ///   words that lie together.
  init(_ form: Form, parameters: Int, depth: Int, isScattered: Bool = false) {
    precondition((2...Self.parametersMax).contains(parameters), "umem_add looks at two parameters, and an atom has six")
    layout = form == .indirect ? .indirect : .direct
    variant = "\(form), \(parameters) parameters" + (isScattered ? ", scattered" : "")
    slots = SlotMemory(count: depth, atoms: Self.atomCount, words: 1)
    variables = ParameterVariables(slots: depth, atoms: isScattered ? Self.atomCount : 1, isScattered: isScattered)
    subject = "\(Self.atomCount) atoms, umem_add with \(parameters) parameters"
    for slot in 0..<depth {
      for index in 0..<Self.atomCount { write(form, parameters, slot, index, group: isScattered ? index : 0) }
    }
  }

  private func write(_ form: Form, _ parameters: Int, _ slot: Int, _ index: Int, group: Int) {
    let sum = unsafe slots.word(slot, 0)
    let values = [UInt(bitPattern: sum), UInt(Self.increment), 3, 4, 5, 6]
    for (position, value) in values.enumerated() { unsafe variables.word(slot, group, position).pointee = value }
    func pointer(_ position: Int) -> UnsafeMutablePointer<UInt>? {
      unsafe position < parameters ? variables.word(slot, group, position) : nil
    }
    let atom = unsafe slots.atom(slot, index)
    let next = unsafe index + 1 < Self.atomCount ? slots.atom(slot, index + 1) : nil
    switch form {
    case .direct(let pointers):
      func argument(_ position: Int) -> UInt64 {
        position < pointers ? unsafe UInt64(argument: variables.word(slot, group, position)) : UInt64(values[position])
      }
      unsafe atom.initialize(
        to: Atom(
          umemAdd, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5),
          pointers: UInt8((1 << pointers) - 1), next: next))
      unsafe atom.pointee.nparams = UInt8(parameters)
    case .indirect:
      unsafe atom.indirect.initialize(
        to: IndirectAtom(
          umemAdd, pointer(0), pointer(1), pointer(2), pointer(3), pointer(4), pointer(5), next: next?.indirect))
    }
  }

  /// Bytes in which the variables lie.
  static func scatteredBytes(depth: Int) -> Int { depth * atomCount * parametersMax * lineBytes }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.word(slot, 0).pointee = item
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.result == item &+ Self.atomCount * Self.increment && slots.word(slot, 0).pointee == completion.result
      && completion.executed == Self.atomCount && completion.reason == .ended
  }
}

/// The variables that arguments behind pointers are read from.
@safe private final class ParameterVariables {
  private let base: UnsafeMutableRawPointer
  private let atoms: Int
  private let lineBytes: Int
  private let lines: Int
  private let stride: Int

  init(slots: Int, atoms: Int, isScattered: Bool) {
    self.atoms = atoms
    lineBytes = isScattered ? 64 : 8
    lines = slots * atoms * ParametersWorkload.parametersMax
    // A prime that divides no count of lines used here, so that every variable has a line and neighbours lie far apart.
    stride = isScattered ? 514_229 : 1
    unsafe base = .allocate(byteCount: lines * lineBytes, alignment: 64)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: lines * lineBytes)
  }

  deinit { unsafe base.deallocate() }

  func word(_ slot: Int, _ atom: Int, _ position: Int) -> UnsafeMutablePointer<UInt> {
    let index = (slot * atoms + atom) * ParametersWorkload.parametersMax + position
    return unsafe (base + index * stride % lines * lineBytes).assumingMemoryBound(to: UInt.self)
  }
}
