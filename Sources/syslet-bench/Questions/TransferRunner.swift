// What bringing completions to the program costs by itself, when they are all there and nothing has to be waited for.

internal import SysletRing

/// 256 no-ops complete; then, and only that is timed, their completions are taken. An operation is one completion.
@safe final class TransferRunner: Contestant {
  enum Way {
    /// `wait(into:)`, so many at a time.
    case copy(batch: Int)
    /// Slots of the completion ring that are read and cleared. That the engine wrote them is not in the time.
    case slots
    /// Nothing but the 8 bytes of a pointer each, from one array to another: the least that any transfer does.
    case pointers
  }

  static let count = 256

  let name: String
  private let way: Way
  private let engine: SysletEngine
  private let workload: NopWorkload
  private let completions: UnsafeMutableBufferPointer<Completion>
  private let ring: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
  private let taken: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>

  init(_ way: Way) throws(Failure) {
    self.way = way
    name =
      switch way {
      case .copy(let batch): "wait(into:) of \(batch)"
      case .slots: "reading and clearing a slot"
      case .pointers: "copying 8 bytes"
      }
    workload = NopWorkload(atomCount: 1, depth: Self.count)
    unsafe completions = .allocate(capacity: Self.count)
    unsafe ring = .allocate(capacity: Self.count)
    unsafe ring.initialize(repeating: nil)
    unsafe taken = .allocate(capacity: Self.count)
    unsafe taken.initialize(repeating: nil)
    engine = try EngineMaker.make(.ring, sqes: Self.count)
    do throws(EngineError) {
      if case .slots = way { try unsafe engine.register(ring) }
      if case .pointers = way { try unsafe engine.register(ring) }
    } catch {
      throw Failure(error)
    }
  }

  deinit {
    EngineMaker.close(engine)
    unsafe completions.deallocate()
    unsafe ring.deallocate()
    unsafe taken.deallocate()
  }

  func run(_ count: Int) throws(Failure) -> Sample {
    var sample = Sample()
    let rounds = (count + Self.count - 1) / Self.count
    do throws(EngineError) {
      for _ in 0..<rounds {
        for slot in 0..<Self.count { try unsafe engine.enqueue(workload.arm(slot, item: 0)) }
        while try engine.wait(atLeast: Self.count) < Self.count, engine.pending > 0 {}
        let begin = Clock.wall()
        let count =
          switch way {
          case .copy(let batch): try copy(batch)
          case .slots: readSlots()
          case .pointers: copyPointers()
          }
        sample.wallNanoseconds += Clock.wall() - begin
        if count != Self.count || !areAll() { sample.problem = "\(count) of \(Self.count) completions came, or one came twice" }
        if case .pointers = way { unsafe ring.update(repeating: nil) }
        if sample.problem != nil || Interrupt.isNoted { break }
      }
    } catch {
      throw Failure(error)
    }
    sample.syslets = rounds * Self.count
    return sample
  }

  private func copy(_ batch: Int) throws(EngineError) -> Int {
    var count = 0
    while count < Self.count {
      let rest = unsafe UnsafeMutableBufferPointer(rebasing: completions[count..<min(count + batch, Self.count)])
      let got = try unsafe engine.wait(into: rest, atLeast: rest.count)
      if got == 0 { break }
      count += got
    }
    return count
  }

  private func readSlots() -> Int {
    var count = 0
    for position in 0..<Self.count {
      guard let atom = unsafe ring[position] else { break }
      unsafe taken[position] = atom
      unsafe ring[position] = nil
      count += 1
    }
    return count
  }

  @inline(never)
  private func copyPointers() -> Int {
    unsafe taken.baseAddress!.update(from: ring.baseAddress!, count: Self.count)
    return Self.count
  }

  /// Whether each of the syslets has come once. Not timed.
  private func areAll() -> Bool {
    var seen = [Bool](repeating: false, count: Self.count)
    for index in 0..<Self.count {
      var atom: UnsafeMutableRawPointer?
      if case .copy = way { unsafe atom = completions[index].atom } else { unsafe atom = taken[index] }
      guard let found = unsafe atom, let slot = unsafe workload.slots.slot(of: found) else { return false }
      seen[slot] = true
    }
    return seen.allSatisfy { $0 }
  }
}
