// What plain calls are expected to take, by what they took.

import Testing

@testable import SysletRing

@Suite("Costs of plain calls")
struct PlainCostTests {
  private static let limit: Int64 = 1_000_000

  private static func withCosts(_ body: (PlainCosts, UInt16) -> Void) {
    let costs = PlainCosts(OperationTable.shared)
    defer { costs.free() }
    body(costs, OperationTable.shared.row(SystemCall.statx))
  }

  @Test("A call that took longer than the limit counts at once, and comes back when it has been quick for a while")
  func slowOnce() {
    Self.withCosts { costs, row in
      let first = costs[row]
      #expect(first > 0 && first < PlainCosts.briefMax)
      costs.note(row, 5_000_000, calls: 1, limit: Self.limit)
      #expect(costs[row] == 5_000_000)
      // Another slow one, but less so: no better.
      costs.note(row, 2_000_000, calls: 1, limit: Self.limit)
      #expect(costs[row] == 5_000_000)
      var (notes, last) = (0, costs[row])
      while costs[row] > Self.limit, notes < 1000 {
        costs.note(row, 2000, calls: 1, limit: Self.limit)
        #expect(costs[row] < last)
        last = costs[row]
        notes += 1
      }
      #expect((5...50).contains(notes))
      for _ in 0..<100 { costs.note(row, 2000, calls: 1, limit: Self.limit) }
      #expect((2000..<3000).contains(costs[row]))
    }
  }

  @Test("A call that was interrupted counts with a part of its time, and one that goes on being slow with all of it")
  func surprise() {
    Self.withCosts { costs, row in
      let first = costs[row]
      costs.note(row, 900_000, calls: 1, limit: Self.limit)
      #expect(costs[row] > first && costs[row] < PlainCosts.briefMax)
      for _ in 0..<100 { costs.note(row, 900_000, calls: 1, limit: Self.limit) }
      #expect(costs[row] > 800_000 && costs[row] <= 900_000)
    }
  }

  @Test("Times and limits of any size are taken")
  func extremes() {
    Self.withCosts { costs, row in
      for limit in [Int64.min, -1, 0, Self.limit, .max] {
        for measured in [0, 1, Int64.max] {
          costs.note(row, measured, calls: 1, limit: limit)
          #expect(costs[row] >= 0)
        }
      }
      // No limit is exceeded by nothing, and a limit of nothing by anything that was measured.
      let known = costs[row]
      costs.note(row, 1, calls: 1, limit: 0)
      #expect(costs[row] == known)
    }
  }

  @Test("Each kind of call has a cost of its own")
  func rows() {
    Self.withCosts { costs, row in
      let other = OperationTable.shared.row(SystemCall.fsync)
      let before = costs[other]
      costs.note(row, 5_000_000, calls: 1, limit: Self.limit)
      #expect(costs[other] == before)
    }
  }

  @Test("A run of many calls counts whole, and each of its calls with its part")
  func parts() {
    Self.withCosts { costs, row in
      for _ in 0..<100 { costs.note(row, 800_000, calls: 200, limit: Self.limit) }
      #expect(costs[row] > 700_000)
      #expect((3900...4100).contains(costs.each(row)))
      costs.note(row, 5_000_000, calls: 200, limit: Self.limit)
      #expect(costs[row] == 5_000_000)
      #expect(costs.each(row) < 10_000)
      costs.note(row, 5_000_000, calls: 0, limit: Self.limit)
      #expect(costs.each(row) == 5_000_000)
    }
  }

  @Test("Opens that create, and transfers past the page cache, have costs of their own, and what is not measured any more fades")
  func kinds() throws {
    let (memory, scratch) = (AtomMemory(table: OperationTable.shared, isChecked: false), CallScratch())
    let program = Program(.direct)
    program.atom(SystemCall.statx)
    let head = unsafe AtomAddress(UnsafeMutableRawPointer(program.directAtom(0)))
    let call = scratch.call
    #expect(memory.fetch(head, .direct, into: call) == .call)
    Self.withCosts { costs, row in
      #expect(costs.row(call, .punted) == row)
      let others = [costs.row(call, .creation), costs.row(call, .device)]
      #expect(Set(others + [row]).count == 3 && others.allSatisfy { $0 >= OperationTable.shared.rowCount })
      for other in others { costs.note(other, 5_000_000, calls: 1, limit: Self.limit) }
      #expect(costs[row] < PlainCosts.briefMax)
      var fades = 0
      while costs[others[1]] > Self.limit, fades < 1000 {
        costs.fade(others[1])
        fades += 1
      }
      #expect((50...200).contains(fades))
      #expect(costs[others[0]] == 5_000_000)
    }
  }
}
