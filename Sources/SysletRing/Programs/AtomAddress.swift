// Where an atom is, or the step of a prepared syslet that was made of one. What stands in an atom only `AtomMemory` looks at.

/// The address of an atom in the user's memory, in whichever layout, or of a `Step`.
@safe struct AtomAddress: Hashable, @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer

  /// The size of an atom, the same in both layouts (asserted in syslet.h).
  static let stride: UInt = 80

  init(_ pointer: UnsafeMutableRawPointer) { unsafe self.pointer = unsafe pointer }

  init?(_ pointer: UnsafeMutableRawPointer?) {
    guard let pointer = unsafe pointer else { return nil }
    unsafe self.pointer = unsafe pointer
  }

  /// No atom's address; what a slot holds before it is used.
  static let nowhere = unsafe AtomAddress(UnsafeMutableRawPointer(bitPattern: 1)!)

  var word: UInt { unsafe UInt(bitPattern: pointer) }

  // Written out: what the compiler derives is not marked for the strict memory safety that it then asks for.
  static func == (left: AtomAddress, right: AtomAddress) -> Bool { left.word == right.word }
  func hash(into hasher: inout Hasher) { hasher.combine(word) }

  /// The linearly next atom: where SKIP_TO_NEXT_ON_STOP goes.
  var neighbour: AtomAddress { unsafe AtomAddress(pointer + Int(Self.stride)) }
}
