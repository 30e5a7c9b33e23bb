// The conformance cases that are about several syslets, or about one that does not end by itself.

import CTestSupport
import SysletRing

/// The calls that docs/SEMANTICS.md refuses by name.
let refusedCalls: [Int] = (Int32(0)...).lazy.map { test_refused($0) }.prefix { $0 >= 0 }.map { $0 }

extension ConformanceCase {
  /// A syslet of one atom that ends at once.
  private static func single(_ c: Conformance) -> Program {
    c.program { p in p.atom(umemAdd, .to(p.word(0)), 1, result: p.word()) }
  }

  /// A sleep of `milliseconds`, asynchronous.
  private static func sleep(_ c: Conformance, milliseconds: Int) -> Program {
    c.program { p in
      let time = p.buffer(16)
      time.store(Int64(milliseconds / 1000), at: 0)
      time.store(Int64(milliseconds % 1000) * 1_000_000, at: 8)
      p.atom(SystemCall.nanosleep, .to(time), 0, flags: .async, result: p.word())
    }
  }

  static let completions: [ConformanceCase] = [
    ConformanceCase(name: "C12 a ring of four, reaped one by one") { c in
      let (engine, ring) = (try c.engine(), c.ring(4))
      try engine.register(ring)
      for slot in [0, 1, 2, 3, 0, 1] {
        let program = single(c)
        try c.submit(program, to: engine)
        try c.equal(try engine.wait(atLeast: 1, timeout: Deadline.usual), 1, "visible completions")
        var expected: [UInt64] = [0, 0, 0, 0]
        expected[slot] = program.address(0)
        try c.equal(ring.entries, expected, "the ring")
        ring.clear(slot)
      }
      try c.equal(try engine.wait(atLeast: 1, timeout: Deadline.usual), 0, "visible completions at the end")
      try c.equal(engine.overflowed, 0, "overflowed")
      try c.equal(engine.lost, 0, "lost")
    },

    ConformanceCase(name: "C13 a ring of two, nothing reaped") { c in
      let (engine, ring) = (try c.engine(), c.ring(2))
      try engine.register(ring)
      let programs = (0..<3).map { _ in single(c) }
      let addresses = programs.map { $0.address(0) }
      for program in programs {
        try c.submit(program, to: engine)
        try c.finishAll(engine)
      }
      try c.equal(try engine.wait(atLeast: 1, timeout: Deadline.usual), 2, "visible completions")
      try c.equal(ring.entries, [addresses[0], addresses[1]], "the ring")
      try c.equal(engine.overflowed, 1, "overflowed")
      ring.clear(0)
      _ = try engine.wait(atLeast: 2, timeout: Deadline.usual)
      try c.equal(ring.entries, [addresses[2], addresses[1]], "L5: the ring after its first slot was cleared")
      ring.clear(0)
      ring.clear(1)
      try c.equal(try engine.wait(atLeast: 1, timeout: Deadline.usual), 0, "visible completions at the end")
      try c.equal(engine.lost, 0, "lost")
    },

    ConformanceCase(name: "C13 a strict ring of two, nothing reaped") { c in
      let (engine, ring) = (try c.engine { $0.strictRing = true }, c.ring(2))
      try engine.register(ring)
      let programs = (0..<3).map { _ in single(c) }
      for program in programs {
        try c.submit(program, to: engine)
        try c.finishAll(engine)
      }
      try c.equal(ring.entries, [programs[0].address(0), programs[1].address(0)], "the ring")
      try c.equal(engine.lost, 1, "lost")
      ring.clear(0)
      ring.clear(1)
      try c.equal(try engine.wait(atLeast: 1, timeout: Deadline.usual), 0, "visible completions afterwards")
      try c.equal(ring.entries, [0, 0], "the ring afterwards")
    },

    ConformanceCase(name: "C15 the shorter of two sleeps ends first", setsAsync: true, excused: [.inline]) { c in
      // A busy machine may keep the short one from beginning for long: then longer sleeps tell.
      for scale in [1, 4, 16, 64] {
        let engine = try c.engine()
        let (long, short) = (sleep(c, milliseconds: 150 * scale), sleep(c, milliseconds: 50 * scale))
        let ring = c.ring(4)
        if c.setting.delivery == .ring { try engine.register(ring) }
        let start = test_milliseconds()
        for program in [long, short] {
          if c.setting.delivery == .batch {
            try engine.enqueue(program)
          } else {
            try c.equal(try engine.exec(program), nil, "exec of an asynchronous sleep")
          }
        }
        var order: [UInt64] = []
        if c.setting.delivery == .ring {
          try c.equal(try engine.wait(atLeast: 5, timeout: Deadline.usual), 2, "wait(5)")
          order = ring.entries
          try c.equal(order.suffix(2), [0, 0], "the rest of the ring")
        } else {
          let taken = try engine.take(atLeast: 5)
          order = taken.map(\.atom)
          try c.equal(taken.map(\.result), [0, 0], "the results")
        }
        try c.expect(test_milliseconds() - start >= Int64(150 * scale - 1), "the long sleep was cut short")
        if scale < 64, order.first == long.address(0) { continue }
        try c.equal(order.prefix(2), [short.address(0), long.address(0)], "the order of completions")
        return
      }
    },

    ConformanceCase(name: "C17 an endless loop is ended", setsAsync: true) { c in
      // Inline, exec or wait would never come back to cancel it: there a step limit ends it (docs/SEMANTICS.md, C17).
      let isLimited = c.setting.backend == .inline
      let engine = try c.engine { $0.maxSteps = isLimited ? 10_000 : nil }
      let program = c.program { p in
        p.atom(umemAdd, .to(p.word(0)), 1, flags: .async, next: .atom(0))
      }
      if c.setting.delivery == .batch {
        try engine.enqueue(program)
      } else {
        try c.equal(try engine.exec(program), nil, "exec of an asynchronous loop")
      }
      if !isLimited {
        // It is running, and a wait for it does not return early.
        try c.equal(try engine.take(timeout: .milliseconds(2)), [], "completions of an endless loop")
        try engine.cancel(program)
      }
      let taken = try engine.take()
      try c.equal(taken.count, 1, "completions")
      try c.equal(taken[0].reason, isLimited ? .stepLimit : .cancelled, "the reason")
      try c.equal(taken[0].executed, program.comparedWords[0].value, "the count of atoms")
      // Cancelled before its first atom it has no result of its own.
      let count = program.comparedWords[0].value
      try c.equal(taken[0].result, count == 0 ? Failure.cancelled : count, "the last result")
      if isLimited { try c.equal(taken[0].executed, 10_000, "the count of atoms at the limit") }
      try c.equal(engine.pending, 0, "pending")
      do {
        try engine.cancel(program)
        throw ConformanceFailure("a second cancel did not throw")
      } catch let error as EngineError {
        try c.equal(error, .notPending(address: UInt(program.address(0))), "a second cancel")
      }
    },

    ConformanceCase(name: "C17 an endless loop of calls is cancelled, or limited", setsAsync: true) { c in
      let isLimited = c.setting.backend == .inline
      let engine = try c.engine { $0.maxSteps = isLimited ? 1000 : nil }
      let program = c.program { p in
        let file = p.filled("x")
        p.atom(SystemCall.pread64, file, .to(p.buffer(4)), 4, 0, flags: .async)
        p.atom(umemAdd, .to(p.word(0)), 1, next: .atom(0))
      }
      if c.setting.delivery == .batch {
        try engine.enqueue(program)
      } else {
        try c.equal(try engine.exec(program), nil, "exec of an asynchronous loop")
      }
      if !isLimited {
        try c.equal(try engine.take(timeout: .milliseconds(2)), [], "completions of an endless loop")
        try engine.cancel(program)
      }
      let taken = try engine.take()
      try c.equal(taken.map(\.reason), [isLimited ? .stepLimit : .cancelled], "the reason")
      let rounds = program.comparedWords[0].value
      try c.expect(taken[0].executed / 2 == rounds, "\(taken[0].executed) atoms in \(rounds) rounds of two")
    },
  ]
}
