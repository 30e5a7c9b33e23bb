// What `automatic` decides, by what it was told that calls have taken: no ring and no thread takes part, and nothing is measured.

import Glibc
import Testing

@testable import SysletRing

@Suite("The placer")
struct PlacerTests {
  private static let limit: Int64 = 1_000_000

  private static func placer(isAutomatic: Bool = true) -> Placer { Placer(isAutomatic: isAutomatic, inlineLimit: limit) }

  /// The first call of a program, as the engine would have fetched it, for as long as `body` lasts.
  private static func withCall<R>(
    _ number: Int, _ arguments: [Program.Argument] = [], _ body: (Reference<Call>) throws -> R
  ) rethrows -> R {
    let program = Program(.direct)
    program.atom(number, list: arguments)
    let scratch = CallScratch()
    let fetched = AtomMemory(table: OperationTable.shared, isChecked: false)
      .fetch(unsafe AtomAddress(UnsafeMutableRawPointer(program.directAtom(0))), .direct, into: scratch.call)
    #expect(fetched == .call)
    return try withExtendedLifetime((program, scratch)) { try body(scratch.call) }
  }

  private static func begin(_ placer: inout Placer, runs: Int = 1, nanosecondsMax: Int64 = .max) {
    placer.beginTurn(runs: runs, nanosecondsMax: nanosecondsMax, isAlone: runs == 1, mayShare: true)
    placer.beginRun(isAllowed: true)
  }

  /// `#expect` would copy what it looks at, and a placer cannot be.
  private func expect(_ isTrue: Bool, _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(isTrue, "\(what)", sourceLocation: sourceLocation)
  }

  @Test("On other backends it has no opinion of any call")
  func others() {
    var placer = Self.placer(isAutomatic: false)
    var descriptors = DescriptorFacts()
    Self.begin(&placer)
    for row in Operation.rows {
      Self.withCall(row.number) {
        expect(placer.place($0, &descriptors, mayTry: true) == nil, "\(row.name)")
        expect(placer.leavesRead($0), "\(row.name)")
      }
    }
  }

  @Test("A call that was slow is a worker's until such calls have been quick for a while")
  func slow() {
    var placer = Self.placer()
    let row = OperationTable.shared.row(SystemCall.statx)
    Self.begin(&placer)
    expect(placer.mayMake(row))
    placer.noteCost(row, 5_000_000, calls: 1)
    expect(!placer.mayMake(row))
    var quick = 0
    while !placer.mayMake(row), quick < 1000 {
      placer.noteCost(row, 2000, calls: 1)
      quick += 1
    }
    expect((2...100).contains(quick))
  }

  @Test("A call may take as long as the turn allows, and nothing where the run may not be executed here")
  func brief() {
    var placer = Self.placer()
    let row = OperationTable.shared.row(SystemCall.statx)
    for _ in 0..<200 { placer.noteCost(row, 300_000, calls: 1) }
    Self.begin(&placer)
    expect(placer.mayMake(row))
    Self.begin(&placer, nanosecondsMax: PlainCosts.briefMax)
    expect(!placer.mayMake(row))
    Self.begin(&placer)
    placer.beginRun(isAllowed: false)
    expect(!placer.mayMake(row))
    for _ in 0..<200 { placer.noteCost(row, 0, calls: 1) }
    expect(!placer.mayMake(row))
  }

  @Test("A long run of quick calls may go on here while nobody else is waited for")
  func patient() {
    var placer = Self.placer()
    let row = OperationTable.shared.row(SystemCall.statx)
    for _ in 0..<200 { placer.noteCost(row, 5_000_000, calls: 1000) }
    Self.begin(&placer)
    placer.turn.beginWait()
    expect(placer.mayMake(row))
    Self.begin(&placer, runs: 2)
    expect(!placer.mayMake(row))
  }

  @Test("What may be shared is: from so much work on, and what blocks goes to workers")
  func sharing() {
    let row = OperationTable.shared.row(SystemCall.statx)
    Self.withCall(SystemCall.statx) { call in
      for (cost, runs, expected) in [
        (1000, 4, Placer.Share.here), (1000, 100, .shared), (20_000, 4, .shared), (20_000, 1, .here), (500_000, 4, .worker),
      ] {
        var placer = Self.placer()
        for _ in 0..<400 { placer.noteCost(row, Int64(cost), calls: 1) }
        Self.begin(&placer, runs: runs)
        expect(placer.sharing.isCollecting == (runs >= 4))
        expect(placer.share(call, costing: row) == expected, "\(runs) of \(cost) ns")
      }
    }
    // What never blocks is the owner's too, however long its runs are: with all workers blocked nobody else would make it.
    Self.withCall(SystemCall.getppid) { call in
      var placer = Self.placer()
      let row = call.pointee.row
      for _ in 0..<400 { placer.noteCost(row, 500_000, calls: 1000) }
      Self.begin(&placer, runs: 4)
      expect(placer.share(call, costing: row) == .shared)
    }
  }

  @Test("Offers of which workers take nothing are made ever more seldom, and as before when they take some")
  func pauses() {
    /// In how many of 400 turns runs are collected, where the owner does `own` of 64 itself.
    func collected(own: Int, _ placer: inout Placer) -> Int {
      var turns = 0
      for _ in 0..<400 {
        Self.begin(&placer, runs: 64)
        guard placer.sharing.isCollecting else { continue }
        turns += 1
        placer.sharing.noteOffer(64)
        placer.sharing.noteOwn(own)
      }
      return turns
    }
    var placer = Self.placer()
    expect(collected(own: 32, &placer) == 400)
    let without = collected(own: 64, &placer)
    expect((5...20).contains(without))
    // The last pause ends, and from then on each turn offers again.
    _ = collected(own: 0, &placer)
    expect(collected(own: 0, &placer) == 400)
  }

  @Test("How many runs the owner takes back at once follows from what those take that were put aside in this turn")
  func reclaimed() {
    let row = OperationTable.shared.row(SystemCall.statx)
    Self.withCall(SystemCall.statx) { call in
      for (cost, count) in [(1000, 16), (10_000, 2), (45_000, 1)] {
        var placer = Self.placer()
        for _ in 0..<400 { placer.noteCost(row, Int64(cost), calls: 1) }
        // The second turn does not count what the first one has put aside.
        for _ in 0..<2 {
          Self.begin(&placer, runs: 64)
          for _ in 0..<64 { expect(placer.share(call, costing: row) == .shared) }
          expect(placer.sharing.nanoseconds == 64 * placer.costs[row])
          placer.sharing.noteOffer(64)
          // Costs come near what was measured from above, to within 8 ns.
          expect((count - 1...count).contains(placer.sharing.reclaimCount), "\(placer.sharing.reclaimCount) of \(cost) ns")
          expect(placer.sharing.isOffering)
          placer.sharing.endOffer()
          expect(!placer.sharing.isOffering)
        }
      }
    }
  }

  @Test("A slow read leaves the next ones of its descriptor to the ring, and a quick one does not")
  func reads() {
    var placer = Self.placer()
    var descriptors = DescriptorFacts()
    // No such descriptor: nothing is found out about it but what it is told.
    let descriptor: Int32 = 60_000
    Self.withCall(SystemCall.pread64, [.int(Int(descriptor)), 0, 512, 0]) { call in
      Self.begin(&placer)
      placer.hints.note(descriptor, .buffered)
      expect(placer.place(call, &descriptors, mayTry: true) == .plain(.cached))
      expect(!placer.noteRead(descriptor, isSlow: false))
      expect(placer.counts.slowReads == 0)
      expect(placer.noteRead(descriptor, isSlow: true))
      expect(placer.counts.slowReads == 1)
      expect(placer.reads.areSlow)
      for _ in 0..<4 { expect(placer.place(call, &descriptors, mayTry: true) == nil) }
      // Many at a time, or on its way to the ring, a short read is the ring's in any case.
      placer.hints.note(descriptor, .buffered)
      placer.prefersPlain = false
      expect(placer.leavesRead(call) && placer.place(call, &descriptors, mayTry: true) == nil)
    }
  }

  @Test("A listing decides with what is known by then, and changes nothing of it")
  func listing() {
    let placer = Self.placer()
    let row = OperationTable.shared.row(SystemCall.fsync)
    let assumed = placer.costs[row]
    placer.noteCost(row, 5_000_000, calls: 1)
    var listing = Placer(listing: placer)
    expect(listing.costs[row] == 5_000_000 && !listing.mayMake(row))
    for _ in 0..<1000 { listing.noteCost(row, 0, calls: 1) }
    expect(placer.costs[row] == 5_000_000 && assumed < 5_000_000)
  }
}
