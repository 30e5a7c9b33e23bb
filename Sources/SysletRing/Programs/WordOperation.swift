// What a compiled program does with its words: steps that never enter the kernel. No atom can name them: their numbers are below 0.

internal import Glibc

/// An operation on words, by the number that stands for it in a step.
enum WordOperation: Int, CaseIterable {
  /// The first word.
  case move = -2
  /// The sum, and the difference, without a look at overflow.
  case add = -3
  case subtract = -4
  /// The smaller one, as signed numbers.
  case minimum = -5
  /// -1, 0 or 1: how the first word compares with the second, as signed numbers.
  case compare = -6
  /// What stands at the address that is the first word: so many bytes, zero-extended.
  case load1 = -7
  case load2 = -8
  case load4 = -9
  case load8 = -10
  /// Stores the second word's lowest byte at the address that is the first.
  case store1 = -11
  /// Stores the second word at the address that is the first.
  case store8 = -12
  /// The bits that both words have.
  case and = -13

  var name: StaticString {
    switch self {
    case .move: "move"
    case .add: "add"
    case .subtract: "subtract"
    case .minimum: "minimum"
    case .compare: "compare"
    case .load1: "load1"
    case .load2: "load2"
    case .load4: "load4"
    case .load8: "load8"
    case .store1: "store1"
    case .store8: "store8"
    case .and: "and"
    }
  }

  /// The result; addresses are the program's own, or memory that was lent to it.
  @inline(__always)
  func make(_ first: UInt64, _ second: UInt64) -> Int {
    let (left, right) = (Int(bitPattern: UInt(first)), Int(bitPattern: UInt(second)))
    switch self {
    case .move: return left
    case .add: return left &+ right
    case .subtract: return left &- right
    case .minimum: return min(left, right)
    case .compare: return left < right ? -1 : left == right ? 0 : 1
    case .load1: return unsafe Int(UnsafePointer<UInt8>(bitPattern: left)!.pointee)
    case .load2: return unsafe Int(UnsafeRawPointer(bitPattern: left)!.loadUnaligned(as: UInt16.self))
    case .load4: return unsafe Int(UnsafeRawPointer(bitPattern: left)!.loadUnaligned(as: UInt32.self))
    case .load8: return unsafe Int(bitPattern: UnsafeRawPointer(bitPattern: left)!.loadUnaligned(as: UInt.self))
    case .store1:
      unsafe UnsafeMutablePointer<UInt8>(bitPattern: left)!.pointee = UInt8(truncatingIfNeeded: right)
      return 0
    case .store8:
      unsafe UnsafeMutableRawPointer(bitPattern: left)!.storeBytes(of: right, as: Int.self)
      return 0
    case .and: return left & right
    }
  }

  /// The row of each: made once, and kept as the table's rows are. The costs are those of `umem_add`'s row.
  func row() -> Reference<Operation> { Self.rows[self.rawValue - Self.and.rawValue] }

  private static let rows: [Reference<Operation>] = {
    let memory = UnsafeMutablePointer<Operation>.allocate(capacity: allCases.count)
    return allCases.sorted { $0.rawValue < $1.rawValue }.enumerated().map { index, operation in
      unsafe (memory + index).initialize(
        to: Operation(operation.rawValue, operation.name, [.pseudo, .neverBlocks], results: .any))
      return unsafe Reference(memory + index)
    }
  }()
}
