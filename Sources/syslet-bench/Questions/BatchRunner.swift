// A batch of syslets in, all of them out again, and the next batch: with each of the two ways in which completions reach the program.

internal import SysletRing

/// `batch` syslets of a workload of one atom are enqueued, and waited for together. An operation is one syslet.
@safe final class BatchRunner<W: Workload>: Contestant {
  enum Transfer: String {
    /// The completion ring of 2007: wait until they are posted, read each slot and clear it.
    case ring
    /// `async_wait(r, n)`: wait until they are there and have them copied.
    case copy
  }

  let name: String
  private let engine: SysletEngine
  private let workload: W
  private let batch: Int
  private let transfer: Transfer
  private let completions: UnsafeMutableBufferPointer<Completion>
  private let ring: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>
  /// The next slot of the ring to read.
  private var position = 0
  /// Where the atoms store their results: the ring brings an atom's address and no result. For the copy as well, so that the transfer
  /// is all that differs.
  private let results: UnsafeMutablePointer<Int>
  private let items: UnsafeMutablePointer<Int>

  init(_ workload: W, batch: Int, _ transfer: Transfer) throws(Failure) {
    precondition(workload.atomsExecuted == 1, "the ring's completions carry no count of atoms")
    name = "\(transfer.rawValue), batch \(batch)"
    self.workload = workload
    self.batch = batch
    self.transfer = transfer
    unsafe completions = .allocate(capacity: batch)
    unsafe ring = .allocate(capacity: batch)
    unsafe ring.initialize(repeating: nil)
    unsafe results = .allocate(capacity: batch)
    unsafe results.initialize(repeating: 0, count: batch)
    unsafe items = .allocate(capacity: batch)
    unsafe items.initialize(repeating: 0, count: batch)
    engine = try EngineMaker.make(.ring, sqes: batch)
    for slot in 0..<batch { unsafe workload.slots.atom(slot, 0).pointee.ret_ptr = results + slot }
    do throws(EngineError) {
      if transfer == .ring { try unsafe engine.register(ring) }
    } catch {
      throw Failure(error)
    }
  }

  deinit {
    EngineMaker.close(engine)
    unsafe completions.deallocate()
    unsafe ring.deallocate()
    unsafe results.deallocate()
    unsafe items.deallocate()
  }

  func run(_ count: Int) throws(Failure) -> Sample {
    var sample = Sample()
    let rounds = (count + batch - 1) / batch
    do throws(EngineError) {
      let begin = Clock.wall()
      for round in 0..<rounds {
        for slot in 0..<batch {
          let item = (round &* batch &+ slot) % workload.itemCount
          unsafe items[slot] = item
          unsafe results[slot] = .min
          try unsafe engine.enqueue(workload.arm(slot, item: item))
        }
        let right = transfer == .ring ? try takeFromRing() : try takeCopies()
        if right != batch, sample.problem == nil { sample.problem = "\(right) of \(batch) results were right" }
        if Interrupt.isNoted { break }
      }
      sample.wallNanoseconds = Clock.wall() - begin
    } catch {
      throw Failure(error)
    }
    sample.syslets = rounds * batch
    return sample
  }

  /// Waits for the batch; how many of it were right.
  @inline(__always)
  private func takeCopies() throws(EngineError) -> Int {
    var right = 0
    var taken = 0
    while taken < batch {
      // Less than all of them only when a signal ends the wait.
      let count = try unsafe engine.wait(into: completions, atLeast: batch - taken)
      if count == 0, engine.pending == 0 { break }
      for index in 0..<count { right += unsafe isRight(completions[index].atom) ? 1 : 0 }
      taken += count
    }
    return right
  }

  @inline(__always)
  private func takeFromRing() throws(EngineError) -> Int {
    var right = 0
    while try engine.wait(atLeast: batch) < batch, engine.pending > 0 {}
    for _ in 0..<batch {
      guard let atom = unsafe ring[position] else { break }
      right += unsafe isRight(atom) ? 1 : 0
      unsafe ring[position] = nil
      position = position + 1 == batch ? 0 : position + 1
    }
    return right
  }

  @inline(__always)
  private func isRight(_ atom: UnsafeMutableRawPointer) -> Bool {
    guard let slot = unsafe workload.slots.slot(of: atom), slot < batch else { return false }
    return unsafe workload.check(slot, item: items[slot], Completion(atom: atom, result: results[slot], executed: 1))
  }
}

/// The same atoms, their calls made plainly, one after the other, as a loop without this library would. An operation is one call.
@safe final class PlainRunner<W: Workload>: Contestant {
  let name: String
  private let workload: W
  private let buffers: Int
  private let call: (UnsafeMutablePointer<Atom>) -> Int

  /// - Parameters:
  ///   - buffers: 1: the same buffer again and again, as a loop does that is done with a block before it reads the next. More: in turn,
  ///     as a program needs them that keeps what it has read, and as a batch on the ring has them.
  ///   - call: Makes the atom's call. To call it costs about a nanosecond that a loop written for one call would not have.
  init(_ workload: W, buffers: Int = 1, _ call: @escaping (UnsafeMutablePointer<Atom>) -> Int) {
    name = "plain calls, \(buffers) buffers"
    self.workload = workload
    self.buffers = buffers
    unsafe self.call = unsafe call
  }

  func run(_ count: Int) -> Sample {
    var sample = Sample()
    let begin = Clock.wall()
    for round in 0..<count {
      let slot = round % buffers
      let item = round % workload.itemCount
      let atom = unsafe workload.arm(slot, item: item)
      let completion = unsafe Completion(atom: UnsafeMutableRawPointer(atom), result: call(atom), executed: 1)
      if !workload.check(slot, item: item, completion), sample.problem == nil { sample.problem = "call \(round) \(completion.account)" }
    }
    sample.wallNanoseconds = Clock.wall() - begin
    sample.syslets = count
    return sample
  }
}
