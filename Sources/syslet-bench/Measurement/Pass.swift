// The measuring loop: keeps `depth` syslets in flight until a pass is done.

internal import CSysletBench
internal import Glibc
internal import Histogram
internal import SysletRing

/// One backend's engine at work on one workload. The engine, the workload and the slots belong to the thread that calls.
@safe final class PassRunner {
  private let engine: SysletEngine
  private let workload: any Workload
  private let depth: Int
  /// How many completions to wait for. Half of what is in flight: each enter then carries at least that many submissions and brings as many
  /// completions, while the other half keeps the device and the workers busy. A wait for one would enter once per completion where
  /// completions trickle in; a wait for all would let the device run dry. Every backend waits alike.
  private let batch: Int
  private let completions: UnsafeMutableBufferPointer<Completion>
  /// The item and the time of arming of each slot in flight.
  private let items: UnsafeMutablePointer<Int>
  private let armed: UnsafeMutablePointer<UInt64>
  /// The slots that were armed and whose syslets have not been provoked yet, for workloads that want that.
  private let fresh: UnsafeMutablePointer<Int>
  private(set) var latencies = Latencies.empty()

  init(engine: SysletEngine, workload: any Workload, depth: Int) {
    self.engine = engine
    self.workload = workload
    self.depth = depth
    batch = max(1, depth / 2)
    unsafe completions = .allocate(capacity: depth)
    unsafe items = .allocate(capacity: depth)
    unsafe items.initialize(repeating: 0, count: depth)
    unsafe armed = .allocate(capacity: depth)
    unsafe armed.initialize(repeating: 0, count: depth)
    unsafe fresh = .allocate(capacity: depth)
    unsafe fresh.initialize(repeating: 0, count: depth)
  }

  deinit {
    unsafe completions.deallocate()
    unsafe items.deallocate()
    unsafe armed.deallocate()
    unsafe fresh.deallocate()
  }

  func forgetLatencies() { latencies.reset() }

  /// Runs the syslets of `count` items from `first` on. `isThorough`: also compares all data, and the time means nothing.
  func pass(first: Int, count: Int, isThorough: Bool = false, checkingAllFiles: Bool = false) throws(Failure) -> Sample {
    try workload.beginPass()
    var sample = Sample()
    let before = Proof(engine.statistics, allocations: Int(syslet_bench_allocations()))
    let cpu = Clock.cpu()
    let wall = Clock.wall()
    let wrong = try loop(first: first, count: count, isThorough: isThorough)
    sample.wallNanoseconds = Clock.wall() - wall
    sample.cpuNanoseconds = Clock.cpu() - cpu
    let after = Proof(engine.statistics, allocations: Int(syslet_bench_allocations()))
    sample.proof.add(after, since: before)
    sample.syslets = count
    sample.byteCount = workload.byteCount(of: first..<(first + count))
    sample.problem = wrong ?? workload.endPass(isThorough: isThorough || checkingAllFiles)
    return sample
  }

  /// Returns the first wrong result.
  private func loop(first: Int, count: Int, isThorough: Bool) throws(Failure) -> String? {
    // Out of the existential once: the loop asks for them with every completion.
    let slots = workload.slots
    let itemCount = workload.itemCount
    let layout = workload.layout
    let isProvoked = workload.isProvoked
    var freshCount = 0
    var problem: String?
    var unarmed = count
    var inFlight = 0
    var item = first % itemCount
    var now = Clock.wall()

    func arm(_ slot: Int) throws(EngineError) {
      unsafe items[slot] = item
      unsafe armed[slot] = now
      let head = unsafe workload.arm(slot, item: item)
      try unsafe engine.enqueue(head, as: layout)
      if isProvoked {
        unsafe fresh[freshCount] = slot
        freshCount += 1
      }
      item += 1
      if item == itemCount { item = 0 }
      unarmed -= 1
      inFlight += 1
    }

    do throws(EngineError) {
      for slot in 0..<min(depth, count) { try arm(slot) }
      while inFlight > 0 {
        if freshCount > 0 {
          // So that they wait already for what is going to happen.
          try engine.flush()
          try awaitBegun(freshCount)
          for index in 0..<freshCount { try unsafe workload.provoke(fresh[index], on: engine) }
          freshCount = 0
        }
        let reaped = try unsafe engine.wait(into: completions, atLeast: min(batch, inFlight))
        if reaped == 0 {
          if engine.pending == 0 { return "\(inFlight) completions never came" }
          // A signal has ended the wait. What is in flight must come back all the same.
          if Interrupt.isNoted { unarmed = 0 }
          continue
        }
        now = Clock.wall()
        var latency: UInt64 = 0
        var latencyCount: UInt32 = 0
        for index in 0..<reaped {
          let completion = unsafe completions[index]
          guard let slot = unsafe slots.slot(of: completion.atom) else {
            return "a completion names an atom that was never submitted"
          }
          inFlight -= 1
          // Slots that were armed together finish together: one record for all of them keeps the histogram out of the figures.
          let elapsed = unsafe now &- armed[slot]
          if elapsed != latency {
            if latencyCount > 0 { record(latency, latencyCount) }
            latency = elapsed
            latencyCount = 0
          }
          latencyCount += 1
          let isRight = unsafe workload.check(slot, item: items[slot], completion)
          if !isRight || isThorough, problem == nil { problem = describe(slot, isRight, completion) }
          if unarmed > 0 { try arm(slot) }
        }
        record(latency, latencyCount)
        // What is in flight must come back before its memory may go.
        if Interrupt.isNoted { unarmed = 0 }
      }
    } catch {
      throw Failure(error)
    }
    try Interrupt.check()
    return problem
  }

  /// Waits until the fresh syslets have begun to wait. What workers have begun comes back to the engine first, in a flush.
  private func awaitBegun(_ freshCount: Int) throws(EngineError) {
    for index in 0..<freshCount {
      while unsafe !workload.hasBegun(fresh[index]) {
        sched_yield()
        try engine.flush()
      }
    }
  }

  private func record(_ latency: UInt64, _ count: UInt32) {
    latencies.record(min(max(latency, 1), Latencies.longest), count: count)
  }

  private func describe(_ slot: Int, _ isRight: Bool, _ completion: Completion) -> String? {
    let found = unsafe workload.inspect(slot, item: items[slot], completion)
    return isRight ? found : found ?? "a syslet \(completion.account)"
  }
}
