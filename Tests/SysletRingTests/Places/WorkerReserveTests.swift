// Workers when all of them wait, when calls that seemed quick do not come back, and when there is nothing to do.

import CLiburing
import CTestSupport
import Glibc
import Synchronization
import Testing

@testable import SysletRing

@Suite("Workers that wait, and idle ones")
struct WorkerReserveTests {
  /// A lock that is held, and syslets that wait for it.
  private struct Crowd {
    let program: Program
    let holder: Int32
    let count: Int
    private let path: String

    init(_ count: Int) {
      program = Program(.direct, capacity: count + 8)
      self.count = count
      path = program.scratch.file("lock")
      holder = program.descriptors.open(path, O_RDWR)
      #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_EX)) == 0)
      for _ in 0..<count {
        program.atom(SystemCall.flock, .int(program.descriptors.open(path, O_RDWR)), .int(LOCK_SH), flags: .async, next: .end)
      }
    }

    func enqueue(on engine: SysletEngine) throws { for head in 0..<count { try engine.enqueue(program, head) } }
    func release() { #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_UN)) == 0) }
  }

  private static let blocking = SysletEngine.Backend.available.filter { $0 != .inline }

  @Test("When all workers wait for a lock, other calls are made all the same", arguments: blocking, [4, 64])
  func reserve(backend: SysletEngine.Backend, workers: Int) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, workers = workers as Int] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { $0.maxWorkers = workers }
      let crowd = Crowd(2 * workers)
      let (program, before) = (crowd.program, ProcessCounts.threads)
      let file = program.descriptors.open(program.scratch.file("file", "content"), O_RDONLY)
      let folder = program.descriptors.open(program.scratch.path, O_RDONLY | O_DIRECTORY)
      let buffer = program.buffer(4096)
      let read = program.atom(SystemCall.pread64, .int(file), .to(buffer), 7, 0, flags: .async, next: .end)
      let list = program.atom(SystemCall.getdents64, .int(folder), .to(buffer), 4096, flags: .async)
      // In the middle of a run it comes to a call that waits: this is given back, and the reserve is free again.
      program.atom(SystemCall.flock, .int(program.descriptors.open(program.scratch.path("lock"), O_RDWR)), .int(LOCK_SH), next: .end)
      try crowd.enqueue(on: engine)
      while engine.statistics.fullWaits == 0 { _ = try engine.waitHere(atLeast: 1, timeout: .milliseconds(1)) }
      for _ in 0..<20 {
        try engine.enqueue(program, read)
        #expect(try engine.take().map(\.result) == [7])
      }
      let runs = engine.statistics.reserveRuns
      for _ in 0..<3 { try engine.enqueue(program, list) }
      while engine.statistics.reserveRuns < runs + 3 { _ = try engine.waitHere(atLeast: 1, timeout: .milliseconds(1)) }
      try engine.enqueue(program, read)
      #expect(try engine.take().map(\.result) == [7])
      // None is needed; on a busy machine a thread may be late by the 20 ms after which one is started all the same.
      #expect(engine.statistics.reliefWorkers < 3)
      #expect(ProcessCounts.threads <= before + workers + 2 + engine.statistics.reliefWorkers)
      crowd.release()
      let rest = try engine.takeAll(crowd.count + 3)
      #expect(rest.count == crowd.count + 3)
      #expect(rest.allSatisfy { $0.result == 0 && $0.reason == .ended })
      try engine.closeHere()
    }
  }

  @Test("When all workers open FIFOs that nobody else opens, a read is made all the same", arguments: [8, 64], [false, true])
  func relief(workers: Int, isPolling: Bool) async {
    await #expect(processExitsWith: .success) { [workers = workers as Int, isPolling = isPolling as Bool] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(.threads) { $0.maxWorkers = workers }
      let program = Program(.direct, capacity: 2 * workers)
      let fifo = program.scratch.path("fifo")
      let path = program.path(fifo)
      #expect(plainCall(SystemCall.mknodat, .int(AT_FDCWD), path.address, .int(S_IFIFO | 0o600), 0) == 0)
      for _ in 0..<workers + 2 {
        program.atom(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_RDONLY | O_CLOEXEC), flags: .async, next: .end)
      }
      let file = program.descriptors.open(program.scratch.file("file", "content"), O_RDONLY)
      let read = program.atom(SystemCall.pread64, .int(file), .to(program.buffer(7)), 7, 0, flags: .async, next: .end)
      for head in 0..<workers + 2 { try engine.enqueue(program, head) }
      try engine.enqueue(program, read)
      // A program that only looks is helped too.
      var taken: [Taken] = []
      while taken.isEmpty { taken = isPolling ? try engine.take(timeout: .zero) : try engine.take() }
      #expect(taken.map(\.result) == [7])
      #expect((3...5).contains(engine.statistics.reliefWorkers))
      // Linux opens a FIFO for both without waiting, and then its readers have somebody.
      let writer = program.descriptors.open(fifo, O_RDWR)
      #expect(writer >= 0)
      let opened = try engine.takeAll(workers + 2)
      #expect(opened.count == workers + 2)
      for completion in opened { #expect(plainCall(SystemCall.close, .int(completion.result)) == 0) }
      try engine.closeHere()
    }
  }

  @Test("A message is sent although all workers wait for it", arguments: blocking)
  func sender(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { $0.maxWorkers = 4 }
      let program = Program(.direct)
      let queue = plainCall(SystemCall.msgget, 0, 0o600)
      #expect(queue >= 0)
      defer { plainCall(SystemCall.msgctl, .int(queue), 0, 0) }
      let message = program.buffer(16, compared: false)
      message.store(Int64(1), at: 0)
      for _ in 0..<6 { program.atom(SystemCall.msgrcv, .int(queue), .to(program.buffer(16)), 8, 0, 0, flags: .async, next: .end) }
      program.atom(SystemCall.msgsnd, .int(queue), .to(message), 8, 0, flags: .async, next: .end)
      for head in 0..<6 { try engine.enqueue(program, head) }
      while engine.statistics.fullWaits == 0 { _ = try engine.waitHere(atLeast: 1, timeout: .milliseconds(1)) }
      for _ in 0..<6 { try engine.enqueue(program, 6) }
      #expect(try engine.takeAll(12).map(\.result).sorted() == [0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8])
      try engine.closeHere()
    }
  }

  @Test("A call that waits behind workers that all wait can be cancelled, and the engine closed", arguments: blocking)
  func cancelled(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      for isClosed in [false, true] {
        let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { $0.maxWorkers = 2 }
        let crowd = Crowd(6)
        try crowd.enqueue(on: engine)
        while engine.statistics.fullWaits == 0 { _ = try engine.waitHere(atLeast: 1, timeout: .milliseconds(1)) }
        if !isClosed {
          for head in 0..<6 { try engine.cancel(crowd.program, head) }
          let taken = try engine.takeAll(6)
          #expect(taken.map(\.reason) == [Completion.Reason](repeating: .cancelled, count: 6))
        }
        try engine.closeHere()
        #expect(engine.pending == 0)
      }
    }
  }

  @Test("Idle workers end, and others take their places")
  func idle() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      WorkerPool.idleNanosecondsMax.store(20_000_000, ordering: .relaxed)
      let engine = try BadInputTests.engine(.threads)
      let before = ProcessCounts.threads
      for _ in 0..<3 {
        let crowd = Crowd(32)
        try crowd.enqueue(on: engine)
        try engine.flushHere()
        while Census.current.workers < 32 { sched_yield() }
        crowd.release()
        #expect(try engine.takeAll(32).count == 32)
        #expect(ProcessCounts.settled({ ProcessCounts.threads }, limit: before) <= before)
        #expect(Census.current.workers == 0)
      }
      #expect(engine.statistics.workerGenerations == 1)
      try engine.closeHere()
    }
  }

  @Test("A worker that is about to end when it is called makes the call")
  func ending() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      WorkerPool.idleNanosecondsMax.store(50_000, ordering: .relaxed)
      let engine = try BadInputTests.engine(.threads)
      let program = Program(.direct)
      for _ in 0..<8 { program.atom(SystemCall.sched_yield, flags: .async, next: .end) }
      for round in 0..<3000 {
        let count = 1 + round % 8
        for head in 0..<count { try engine.enqueue(program, head) }
        #expect(try engine.takeAll(count).count == count)
        // As long as idle threads are kept, more or less: this is what is to meet their end.
        let end = syslet_now() + Int64(round % 100) * 1000
        while syslet_now() < end {}
      }
      try engine.closeHere()
    }
  }
}
