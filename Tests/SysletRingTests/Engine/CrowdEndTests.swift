// Thousands of syslets in flight that are cancelled, or whose engine is closed, while others complete (laws L4, L5).

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Thousands in flight: closing and cancelling")
struct CrowdEndTests {
  /// Syslets that end by themselves among syslets that wait for bytes, which share a few pipes.
  private final class Crowd {
    enum Kind: Int, CaseIterable { case read, nop, sleep, file, worker }

    let program: Program
    let kinds: [Kind]
    let buffers: [Buffer]
    let pipes: [(read: Int32, write: Int32)]

    init(_ count: Int, kinds: [Kind] = Kind.allCases, sleep seconds: Int) {
      let program = Program(.direct, capacity: count)
      let pipes = (0..<16).map { _ in program.descriptors.pipe() }
      let file = program.descriptors.file(Array("0123456789".utf8))
      let time = LifeRegressionTests.time(program, milliseconds: seconds * 1000 + 1)
      self.kinds = (0..<count).map { kinds[$0 % kinds.count] }
      buffers = self.kinds.enumerated().map { number, kind in
        let buffer = program.buffer(8)
        switch kind {
        case .read: program.atom(SystemCall.read, .int(pipes[number % 16].read), .to(buffer), 1, next: .end)
        case .nop: program.atom(noOperation, next: .end)
        case .sleep: program.atom(SystemCall.nanosleep, .to(time), 0, next: .end)
        case .file: program.atom(SystemCall.pread64, .int(file), .to(buffer), 4, 3, next: .end)
        case .worker:
          program.atom(SystemCall.read, .int(pipes[number % 16].read), .to(buffer), 1, flags: [.sync, .async], next: .end)
        }
        return buffer
      }
      (self.program, self.pipes) = (program, pipes)
    }

    /// What is in the pipes, taken out of them.
    func drained() -> Int {
      let buffer = program.buffer(4096)
      return pipes.reduce(0) { sum, pipe in
        sum + (LifeRegressionTests.isReadable(pipe.read) ? plainCall(SystemCall.read, .int(pipe.read), buffer.address, 4096) : 0)
      }
    }

    func write(_ count: Int) {
      let bytes = program.buffer(count)
      for pipe in pipes { precondition(plainCall(SystemCall.write, .int(pipe.write), bytes.address, .int(count)) == count) }
    }

    /// Fills the buffers of reads with something that no read brings.
    func poison() {
      for buffer in buffers { buffer.bytes = [UInt8](repeating: 0xA5, count: 8) }
    }
    var isPoisoned: Bool { buffers.allSatisfy { $0.bytes == [UInt8](repeating: 0xA5, count: 8) } }
  }

  @Test(
    "An engine closed with 3,000 syslets in flight is closed soon, leaves no descriptor and no thread, and nobody touches memory afterwards",
    arguments: LifeRegressionTests.asynchronous, [true, false])
  func closed(backend: SysletEngine.Backend, isDropped: Bool) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, isDropped = isDropped as Bool] in
      ProcessSettings.endIfStuck()
      let backend = SysletEngine.Backend(rawValue: backend)!
      try BadInputTests.engine(backend).closeHere()
      let threads = ProcessCounts.settled({ ProcessCounts.threads }, limit: 0)
      let crowd = Crowd(3000, sleep: 1000)
      let descriptors = ProcessCounts.descriptors
      var start: Int64 = 0
      do {
        let engine = try BadInputTests.engine(backend) { $0.entries = 64 }
        for head in 0..<3000 { try engine.enqueue(crowd.program, head) }
        // Some have ended and are not taken, some are with the kernel and with workers, some wait for their turn.
        _ = try engine.waitHere(atLeast: 100, timeout: .milliseconds(50))
        #expect(engine.pending > 1000)
        start = test_milliseconds()
        if !isDropped {
          try engine.closeHere()
          #expect(engine.pending == 0)
        }
      }
      #expect(test_milliseconds() - start < 30_000)
      #expect(ProcessCounts.settled({ ProcessCounts.descriptors }, limit: descriptors) <= descriptors)
      #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: threads) <= threads)
      // L4: as many bytes as there could be readers, and all of them stay.
      crowd.poison()
      crowd.write(200)
      #expect(crowd.drained() == 16 * 200)
      #expect(crowd.isPoisoned)
    }
  }

  @Test(
    "A storm of cancellations, some of them twice, while others complete: each syslet completes once, cancelled or ended, and no byte is lost",
    arguments: LifeRegressionTests.asynchronous, [1, 2] as [UInt64])
  func storm(backend: SysletEngine.Backend, seed: UInt64) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, seed = seed as UInt64] in
      ProcessSettings.endIfStuck()
      let count = 2000
      let crowd = Crowd(count, sleep: 0)
      crowd.poison()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { ($0.entries, $0.completionEntries) = (64, 512) }
      var random = SeededGenerator(seed: seed)
      var order = Array(0..<count)
      order.shuffle(using: &random)
      for head in 0..<count { try engine.enqueue(crowd.program, head) }
      try engine.flushHere()
      var taken: [Taken] = []
      var (refused, written) = (0, 0)
      for (position, head) in order.enumerated() {
        // Taken before: not pending. Asked before: pending until its completion is made, so both answers are right, and nothing more comes of it.
        let isTwice = random.next() % 8 == 0
        for _ in 0..<(isTwice ? 2 : 1) {
          do throws(EngineError) {
            try cancel(engine, crowd.program, head)
          } catch {
            #expect(error == .notPending(address: UInt(crowd.program.address(head))))
            refused += 1
          }
        }
        if position % 50 == 0 {
          crowd.write(1)
          written += 16
          taken += try engine.take(atLeast: 0, capacity: 64, timeout: .zero)
        }
      }
      while engine.pending > 0 { taken += try engine.take(capacity: 512, timeout: .seconds(10)) }
      taken += try engine.take(atLeast: 0, capacity: count, timeout: .zero)

      #expect(taken.count == count, "L5")
      #expect(Set(taken.map(\.atom)).count == count, "L5: twice")
      let (ended, cancelled) = (taken.filter { $0.reason == .ended }, taken.filter { $0.reason == .cancelled })
      #expect(ended.count + cancelled.count == count)
      #expect(ended.count > 0 && cancelled.count > 0 && refused > 0)
      #expect(cancelled.allSatisfy { $0.executed == 0 && $0.result == -Int(ECANCELED) })
      #expect(ended.allSatisfy { $0.executed == 1 && $0.result >= 0 })
      #expect(engine.statistics.accepted == count && engine.statistics.completed == count)
      // What a cancelled read has not reported it has not taken, and nothing was written for it.
      let results = Dictionary(uniqueKeysWithValues: taken.map { (crowd.program.index($0.atom)!, $0) })
      let isRead = { (kind: Crowd.Kind) in kind == .read || kind == .worker }
      let reported = (0..<count).reduce(0) { isRead(crowd.kinds[$1]) ? $0 + max(0, results[$1]!.result) : $0 }
      #expect(reported + crowd.drained() == written)
      for number in 0..<count where results[number]!.reason == .cancelled {
        #expect(crowd.buffers[number].bytes == [UInt8](repeating: 0xA5, count: 8))
      }
      try engine.closeHere()
    }
  }

  @Test(
    "Ten times as many calls as the completion queue holds: those that wait let the others through in their turn, and all complete",
    arguments: LifeRegressionTests.asynchronous)
  func tenfold(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let count = 1280
      let crowd = Crowd(count, kinds: [.read, .nop], sleep: 0)
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) {
        ($0.entries, $0.completionEntries, $0.maxWorkers) = (16, 64, 8)
      }
      for head in 0..<count { try engine.enqueue(crowd.program, head) }
      try engine.flushHere()
      #expect(engine.pending > 0)
      // 640 reads of one byte each, from the eight pipes with an even number.
      crowd.write(80)
      let taken = try engine.takeAll(count)
      #expect(taken.count == count)
      #expect(Set(taken.map(\.atom)).count == count)
      #expect(taken.allSatisfy { $0.reason == .ended && $0.result == (crowd.kinds[crowd.program.index($0.atom)!] == .read ? 1 : 0) })
      #expect(engine.pending == 0)
      #expect(crowd.drained() == 8 * 80)
      try engine.closeHere()
    }
  }
}

/// With the error's type, which the programs' `cancel` does not say.
private func cancel(_ engine: SysletEngine, _ program: Program, _ head: Int) throws(EngineError) {
  unsafe try engine.cancel(program.directAtom(head))
}
