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
    case .prepared, .preparedIndirect:
      guard let last = unsafe try exec(prepared(program, index)) else { return nil }
      address = UInt64(UInt(bitPattern: last))
    }
    guard let last = program.index(address) else { throw ConformanceFailure("exec returned \(address), which is no atom of the program") }
    return last
  }

  func enqueue(_ program: Program, _ index: Int = 0) throws {
    switch program.form {
    case .direct, .pointers: unsafe try enqueue(program.directAtom(index))
    case .indirect: unsafe try enqueue(program.indirectAtom(index))
    case .prepared, .preparedIndirect: try enqueue(prepared(program, index))
    }
  }

  func cancel(_ program: Program, _ index: Int = 0) throws {
    switch program.form {
    case .direct, .pointers: unsafe try cancel(program.directAtom(index))
    case .indirect: unsafe try cancel(program.indirectAtom(index))
    case .prepared, .preparedIndirect: try cancel(prepared(program, index))
    }
  }

  func explain(_ program: Program, _ index: Int = 0) -> String {
    switch program.form {
    case .direct, .pointers: unsafe explain(program.directAtom(index)).description
    case .indirect: unsafe explain(program.indirectAtom(index)).description
    case .prepared, .preparedIndirect: (try? explain(prepared(program, index)).description) ?? "cannot be prepared"
    }
  }

  func prepared(_ program: Program, _ index: Int = 0) throws -> PreparedSyslet {
    try program.prepared(index) { program in
      try unsafe program.form.isIndirect ? prepare(program.indirectAtom(index)) : prepare(program.directAtom(index))
    }
  }

  /// Executes at an address that is not an atom.
  func execWild(_ address: UInt64, _ form: Form) throws -> Bool {
    let (direct, indirect) = unsafe (
      UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!, UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!
    )
    return switch form {
    case .direct, .pointers: unsafe try exec(direct) != nil
    case .indirect: unsafe try exec(indirect) != nil
    case .prepared: unsafe try exec(prepare(direct)) != nil
    case .preparedIndirect: unsafe try exec(prepare(indirect)) != nil
    }
  }

  func enqueueWild(_ address: UInt64, _ form: Form) throws {
    let (direct, indirect) = unsafe (
      UnsafeMutablePointer<Atom>(bitPattern: UInt(address))!, UnsafeMutablePointer<IndirectAtom>(bitPattern: UInt(address))!
    )
    switch form {
    case .direct, .pointers: unsafe try enqueue(direct)
    case .indirect: unsafe try enqueue(indirect)
    case .prepared: unsafe try enqueue(prepare(direct))
    case .preparedIndirect: unsafe try enqueue(prepare(indirect))
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

// What is not for tasks, for tests whose closures are asynchronous because an exit test's is: the thread is the same from the engine's begin to its end.
extension SysletEngine {
  func closeHere() throws { try close() }
  func flushHere() throws { try flush() }
  func renewWorkersHere() throws { try renewWorkers() }

  func waitHere(atLeast count: Int, timeout: Duration? = nil) throws -> Int { try wait(atLeast: count, timeout: timeout) }

  func waitHere(into completions: UnsafeMutableBufferPointer<Completion>, atLeast count: Int, timeout: Duration? = nil) throws -> Int {
    unsafe try wait(into: completions, atLeast: count, timeout: timeout)
  }
}
