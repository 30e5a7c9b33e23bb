// The engine's calls with programs instead of pointers, and a completion ring whose slots can be read safely.

import Glibc
import SysletRing

extension SysletEngine {
  /// Executes the program from atom `index`: the index of the last executed atom, or nil if it went on asynchronously.
  func exec(_ program: Program, _ index: Int = 0) throws -> Int? {
    let address: UInt64
    switch program.form {
    case .direct, .pointers:
      guard let last = unsafe try exec(program.directAtom(index)) else { return nil }
      address = UInt64(UInt(bitPattern: last))
    case .indirect:
      guard let last = unsafe try exec(program.indirectAtom(index)) else { return nil }
      address = UInt64(UInt(bitPattern: last))
    }
    guard let last = program.index(address) else { throw ConformanceFailure("exec returned \(address), which is no atom of the program") }
    return last
  }

  func enqueue(_ program: Program, _ index: Int = 0) throws {
    switch program.form {
    case .direct, .pointers: unsafe try enqueue(program.directAtom(index))
    case .indirect: unsafe try enqueue(program.indirectAtom(index))
    }
  }

  func cancel(_ program: Program, _ index: Int = 0) throws {
    switch program.form {
    case .direct, .pointers: unsafe try cancel(program.directAtom(index))
    case .indirect: unsafe try cancel(program.indirectAtom(index))
    }
  }

  func explain(_ program: Program, _ index: Int = 0) -> String {
    switch program.form {
    case .direct, .pointers: unsafe explain(program.directAtom(index)).description
    case .indirect: unsafe explain(program.indirectAtom(index)).description
    }
  }

  /// Executes at an address that is not an atom.
  func execWild(_ address: UInt64, _ form: Form) throws -> Bool {
    switch form {
    case .direct, .pointers:
      return unsafe try exec(UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!) != nil
    case .indirect:
      return unsafe try exec(UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!) != nil
    }
  }

  func enqueueWild(_ address: UInt64, _ form: Form) throws {
    switch form {
    case .direct, .pointers: unsafe try enqueue(UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!)
    case .indirect: unsafe try enqueue(UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!)
    }
  }

  /// Takes completions: `wait(into:)`.
  func take(atLeast count: Int = 1, capacity: Int = 16, timeout: Duration? = Deadline.usual) throws -> [Taken] {
    let buffer = UnsafeMutableBufferPointer<Completion>.allocate(capacity: capacity)
    defer { unsafe buffer.deallocate() }
    let taken = unsafe try wait(into: buffer, atLeast: count, timeout: timeout)
    return (0..<taken).map { unsafe Taken(buffer[$0]) }
  }

  /// Takes completions until `count` are there: the call may give fewer only when the deadline passes or nothing is pending.
  func takeAll(_ count: Int, capacity: Int = 512) throws -> [Taken] {
    var all: [Taken] = []
    while all.count < count {
      let some = try take(atLeast: min(count - all.count, capacity), capacity: capacity)
      if some.isEmpty { break }
      all += some
    }
    return all
  }

  func register(_ ring: CompletionRing) throws { unsafe try register(ring.slots) }
}

/// How long a test waits for what must come.
enum Deadline {
  /// SYSLETRING_DEADLINE, in seconds, is for whoever looks for what does not come and would rather not wait so long.
  static let usual: Duration = .seconds(unsafe getenv("SYSLETRING_DEADLINE").flatMap { unsafe Int(String(cString: $0)) } ?? 30)
}

/// A completion without pointers.
struct Taken: Equatable {
  var atom: UInt64
  var userWord: Int
  var result: Int
  var executed: Int
  var reason: Completion.Reason

  init(_ completion: Completion) {
    atom = unsafe UInt64(UInt(bitPattern: completion.atom))
    userWord = unsafe Int(bitPattern: completion.privateData)
    result = completion.result
    executed = completion.executed
    reason = completion.reason
  }
}

/// A completion ring in memory of the test's own.
@safe final class CompletionRing {
  let slots: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>

  init(_ count: Int) {
    unsafe slots = .allocate(capacity: count)
    unsafe slots.initialize(repeating: nil)
  }

  var count: Int { unsafe slots.count }

  /// The address in a slot; 0 if it is empty.
  subscript(_ index: Int) -> UInt64 {
    get { unsafe UInt64(UInt(bitPattern: slots[index])) }
    set { unsafe slots[index] = UnsafeMutableRawPointer(bitPattern: UInt(newValue)) }
  }

  var entries: [UInt64] { (0..<count).map { self[$0] } }

  func clear(_ index: Int) { self[index] = 0 }

  deinit { unsafe slots.deallocate() }
}
