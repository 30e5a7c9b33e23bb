// Errors that plain calls, and the sharing of runs between the owner and its workers, once made: each test failed when it was written.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Regressions of plain calls", .leavesNothingBehind)
struct PlainCallRegressionTests {
  // MARK: reads

  // A length that is no Int ended the process with a trap on its way to the kernel, which says EFAULT to it. Only `automatic` reads so.
  @Test("A read of more bytes than there can be fails as the plain call does", arguments: SysletEngine.Backend.available)
  func hugeRead(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let file = program.descriptors.file([1, 2, 3])
      let buffer = program.buffer(64)
      for (index, length) in [UInt64.max, UInt64(Int.max) + 1].enumerated() {
        program.atom(SystemCall.read, .int(file), .to(buffer), .value(length), next: .end)
        try engine.enqueue(program, index)
        #expect(try engine.take().map(\.result) == [plainCall(SystemCall.read, .int(file), buffer.address, length)])
      }
      try engine.closeHere()
    }
  }

  // A number that named a file names a pipe now, and what was noted about the file made the owner wait until the whole buffer was full. A packet
  // was joined with the next one besides: only of a regular file does a second read bring the rest of the first.
  @Test(
    "A pipe or a socket under a number that was a file's gives what it has, and packets one by one",
    arguments: SysletEngine.Backend.available)
  func staleHint(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      // So long a read is made plainly.
      let length = 32_768
      for isPipe in [true, false] {
        let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
        let program = Program(.direct)
        let (buffer, result) = (program.buffer(length), program.word())
        let number = program.descriptors.open(program.scratch.file("file", [UInt8](repeating: 1, count: length)), O_RDONLY)
        program.atom(SystemCall.read, .int(number), .to(buffer), .int(length), result: result)
        if try engine.exec(program) == nil { _ = try engine.take() }
        #expect(result.value == length)
        let ends = isPipe ? program.descriptors.pipe() : program.descriptors.socketPair(SOCK_SEQPACKET)
        #expect(dup2(ends.0, number) == number)
        #expect(plainCall(SystemCall.write, .int(ends.1), program.path("abc").address, 3) == 3)
        if !isPipe { #expect(plainCall(SystemCall.write, .int(ends.1), program.path("defgh").address, 5) == 5) }
        for expected in isPipe ? [3] : [3, 5] {
          if try engine.exec(program) == nil { _ = try engine.take() }
          #expect(result.value == expected, "a pipe: \(isPipe)")
        }
        try engine.closeHere()
      }
    }
  }

  // MARK: descriptors that were opened

  // The descriptor of an open that was tried without waiting has O_NONBLOCK until more is done with it than reading, and a read with SYNC was
  // taken for a read as any other. It gave EAGAIN where the caller had asked to be made to wait.
  @Test("A read with SYNC behind an open waits for a FIFO's bytes", arguments: SysletEngine.Backend.available)
  func synchronousReadOfOpened(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let path = program.scratch.path("fifo")
    #expect(unsafe mkfifo(path, 0o600) == 0)
    let writer = program.descriptors.open(path, O_RDWR)
    let (descriptor, result) = (program.word(), program.word())
    program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDONLY | O_CLOEXEC), flags: .stopOnNegative, result: descriptor)
    program.atom(SystemCall.read, .pointed(descriptor), .to(program.buffer(8)), 8, flags: .sync, result: result)
    program.atom(SystemCall.close, .pointed(descriptor), flags: .sync)
    #expect(test_write_later(writer, 3, 20) == 0)
    if try engine.exec(program) == nil { _ = try engine.take() }
    #expect(result.value == 3)
  }

  // What a descriptor is was asked for a write into the page cache, and kept although a call with SYNC put something else under its number
  // within the same call into the engine. The ring then waited on an O_NONBLOCK pipe, whose read fails at once.
  @Test("What a call with SYNC does to a descriptor is known to the next call", arguments: SysletEngine.Backend.available)
  func synchronousDuplicate(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let number = program.descriptors.file([1, 2, 3])
    let pipe = program.descriptors.pipe()
    #expect(fcntl(pipe.read, F_SETFL, O_NONBLOCK) == 0)
    let result = program.word()
    program.atom(SystemCall.write, .int(number), .to(program.buffer(8)), 8)
    program.atom(SystemCall.dup3, .int(pipe.read), .int(number), 0, flags: .sync)
    program.atom(SystemCall.read, .int(number), .to(program.buffer(8)), 8, result: result)
    if try engine.exec(program) == nil { _ = try engine.take(timeout: Deadline.usual) }
    #expect(result.value == -Int(EAGAIN))
  }

  // MARK: cancelling

  // A cancellation is given to the kernel by the next flush or wait, but a wait that only looks did not do so. Whoever looks in turns never saw
  // the end of the syslet.
  @Test(
    "A cancelled syslet ends for a caller that only looks what there is", arguments: LifeRegressionTests.asynchronous, [0, 1])
  func cancelledForLooker(backend: SysletEngine.Backend, atLeast: Int) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8)
    try engine.enqueue(program)
    try engine.flush()
    try engine.cancel(program)
    var taken: [Taken] = []
    let end = test_milliseconds() + 30_000
    while taken.isEmpty, test_milliseconds() < end {
      taken = try engine.take(atLeast: atLeast, timeout: .zero)
      sched_yield()
    }
    #expect(taken.map(\.reason) == [.cancelled])
  }

  // MARK: sharing

  // While it waited, the owner took shared runs back, came to a call that is a worker's, and went to sleep before it had handed the run over. With
  // a worker blocked until that call was made it slept for ever.
  @Test(
    "A run that the owner takes back and that goes on on a worker gets there before the owner sleeps",
    arguments: SysletEngine.Backend.available)
  func handedOverWhileHelping(backend: SysletEngine.Backend) throws {
    guard backend != .inline else { return }
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let count = 100
    let program = Program(.direct, capacity: 5 * count)
    let pipe = program.descriptors.pipe()
    let (path, byte) = (program.path(program.scratch.file("file", "x")), program.buffer(1))
    for index in 0..<count {
      program.atom(SystemCall.read, .int(pipe.read), .to(byte), 1, flags: [.sync], next: index == count - 1 ? .end : .following)
    }
    program.addFlags(.async, to: 0)
    try engine.enqueue(program)
    for _ in 0..<count {
      let (head, descriptor) = (program.count, program.word(compared: false))
      program.atom(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(program.buffer(256, compared: false)))
      program.atom(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_CREAT | O_RDONLY | O_CLOEXEC), 0o600, result: descriptor)
      program.atom(SystemCall.close, .pointed(descriptor))
      program.atom(SystemCall.write, .int(pipe.write), .to(byte), 1, next: .end)
      try engine.enqueue(program, head)
    }
    let taken = try engine.take(atLeast: count + 1, capacity: count + 1, timeout: Deadline.usual)
    #expect(taken.count == count + 1)
    #expect(taken.allSatisfy { $0.reason == .ended && ($0.executed == 4 || $0.executed == count) })
    while engine.pending > 0 {
      _ = plainCall(SystemCall.write, .int(pipe.write), byte.address, 1)
      _ = try engine.take(capacity: 200)
    }
  }

  // The owner took back shared runs until there were none left, whatever the time. A wait of a moment took as long as all of them.
  @Test("A wait ends at its timeout although there are shared runs to help with")
  func helpEndsAtTimeout() throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    // Tenths of a second of work: also a thread that a busy machine keeps waiting for long is back before it is done.
    let (count, calls) = (1000, 1000)
    let program = Program(.direct, capacity: calls)
    for index in 0..<calls { program.atom(SystemCall.getppid, next: index == calls - 1 ? .end : .following) }
    for _ in 0..<count { try engine.enqueue(program) }
    _ = try engine.take(atLeast: count, capacity: count, timeout: .milliseconds(1))
    #expect(engine.pending > 0)
    while engine.pending > 0 { #expect(try engine.take(atLeast: count, capacity: count).allSatisfy { $0.executed == calls }) }
  }

  // Calls that never block were offered to workers, all of them busy for good, and only a wait for completions took them back. A caller that only
  // flushes, or only looks, never saw them done.
  @Test(
    "Calls that never block are made by flush, and by a wait for nothing, when no worker is free",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"), arguments: [true, false])
  func sharedWithoutWaiting(isFlush: Bool) throws {
    let engine = try BadInputTests.engine(.automatic) { $0.maxWorkers = 1 }
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8, flags: [.sync, .async], next: .end)
    program.atom(SystemCall.getppid, next: .end)
    #expect(try engine.exec(program) == nil)
    let (count, end) = (500, test_milliseconds() + 30_000)
    for _ in 0..<count { try engine.enqueue(program, 1) }
    while engine.pending > 1, test_milliseconds() < end {
      if isFlush { try engine.flush() } else { _ = try engine.wait(atLeast: 0) }
    }
    #expect(engine.pending == 1)
    #expect(try engine.take(atLeast: count, capacity: 2 * count, timeout: .zero).count == count)
  }

  // No more workers than there are processors take shared runs, and one that blocks in a run takes none. After a flush nobody else did: the runs
  // lay there for as long as the program did not call the engine.
  @Test("After a flush shared runs go on without the owner, although some block the workers that took them")
  func sharedBesideBlocked() throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let count = 300
    let program = Program(.direct, capacity: 2 * count)
    let (pipe, counter) = (program.descriptors.pipe(), program.word(0))
    let (path, status) = (program.path("/"), program.buffer(256, compared: false))
    for index in 0..<count {
      program.atom(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(status))
      // Every tenth waits for a byte that comes later.
      if index % 10 == 5 {
        program.atom(SystemCall.read, .int(pipe.read), .to(program.buffer(8)), 1, next: .end)
      } else {
        program.atom(umemAdd, .to(counter), 1, next: .end)
      }
      try engine.enqueue(program, 2 * index)
    }
    try engine.flush()
    let end = test_milliseconds() + 30_000
    let sum = { Int(bitPattern: UInt(test_load(counter.address, 8).value)) }
    while sum() < count * 9 / 10, test_milliseconds() < end { usleep(100) }
    #expect(sum() == count * 9 / 10)
    #expect(plainCall(SystemCall.write, .int(pipe.write), program.buffer(count).address, .int(count / 10)) == count / 10)
    #expect(try engine.takeAll(count).count == count)
  }

  // Many calls that never block wanted a worker's help, and where no thread can be started the wait threw instead of making them itself. They had
  // not needed one before.
  @Test(
    "Where no thread can be started many calls that never block, and plain calls, are made by the owner",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"))
  func sharedWithoutThreads() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      // A call that is held up goes to a worker, and there is none.
      let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = .seconds(100) }
      let program = Program(.direct)
      program.atom(SystemCall.getppid, next: .end)
      program.atom(SystemCall.statx, .int(AT_FDCWD), .to(program.path("/")), 0, 0xFFF, .to(program.buffer(256)), next: .end)
      // clone3: the same number everywhere.
      #expect(test_deny(435, EAGAIN) == 0)
      let count = 500
      for index in 0..<count { try engine.enqueue(program, index % 2) }
      #expect(try engine.takeAll(count).allSatisfy { $0.reason == .ended && $0.result >= 0 })
      #expect(engine.statistics.completed == count)
      #expect(engine.statistics.workerHops == 0 && engine.statistics.inlineCalls == count)
      try engine.closeHere()
    }
  }

  // Calls that never block, of runs so long that they cost more than a hop, were given to the workers for good instead of shared with them. With all
  // workers blocked they were never made, and before there was sharing the owner had made them.
  @Test(
    "Long runs of calls that never block are the owner's too",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"))
  func longRunsAreShared() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.maxWorkers = 1 }
    defer { try? engine.close() }
    let (count, calls) = (63, 250)
    let program = Program(.direct, capacity: calls + 1)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8, flags: [.sync, .async], next: .end)
    // Makes a pipe, has nowhere to put it, and throws it away: some microseconds.
    for index in 0..<calls { program.atom(SystemCall.pipe2, 0, 0, next: index == calls - 1 ? .end : .following) }
    #expect(try engine.exec(program) == nil)
    // The first ones are measured: every 64th syslet is, and with it all that come together.
    for _ in 0..<3 {
      for _ in 0..<count { try engine.enqueue(program, 1) }
      let taken = try engine.take(atLeast: count, capacity: count, timeout: Deadline.usual)
      #expect(taken.map(\.executed) == [Int](repeating: calls, count: count))
    }
  }

  // Runs that were offered counted as handed to a worker, and were taken off the count when the owner took them back. A count that only grows
  // went down between two looks at it.
  @Test(
    "Counts only grow, also when the owner takes back what it has offered",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"))
  func countsGrow() throws {
    let engine = try BadInputTests.engine(.automatic) { $0.maxWorkers = 1 }
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8, flags: [.sync, .async], next: .end)
    program.atom(SystemCall.getppid, next: .end)
    #expect(try engine.exec(program) == nil)
    let count = 500
    for _ in 0..<count { try engine.enqueue(program, 1) }
    var hops = engine.statistics.workerHops
    try engine.flush()
    while engine.pending > 1 {
      #expect(engine.statistics.workerHops >= hops)
      hops = engine.statistics.workerHops
      _ = try engine.take(atLeast: min(16, engine.pending - 1), capacity: count)
    }
  }

  // A run that found no room in the ring left the time at which its plain call had begun to the next one. What the caller had slept meanwhile
  // counted as the call's cost, and calls of its kind went to workers.
  @Test(
    "What a run waits for room in the ring is not what its plain call took",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"),
    .enabled(if: ReferenceKernel.isHere, "calls are not quick on the emulated processors that other kernels are tested on"))
  func blockedIsNoCost() throws {
    let engine = try BadInputTests.engine(.automatic) { ($0.entries, $0.completionEntries, $0.inlineLimit) = (1, 1, .milliseconds(20)) }
    defer { try? engine.close() }
    let program = Program(.direct)
    let (first, second) = (program.descriptors.pipe(), program.descriptors.pipe())
    let (path, status, buffer) = (program.path("/"), program.buffer(256), program.buffer(1))
    program.atom(SystemCall.read, .int(first.read), .to(buffer), 1, next: .end)
    program.atom(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(status))
    program.atom(SystemCall.read, .int(second.read), .to(buffer), 1, next: .end)
    program.atom(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(status), next: .end)
    if try engine.exec(program, 3) == nil { _ = try engine.take() }
    try engine.enqueue(program)
    try engine.flush()
    try engine.enqueue(program, 1)
    #expect(try engine.take(timeout: .milliseconds(50)) == [])
    for end in [first.write, second.write] { #expect(plainCall(SystemCall.write, .int(end), buffer.address, 1) == 1) }
    #expect(try engine.takeAll(2).map(\.result) == [1, 1])
    #expect(try engine.exec(program, 3) == 3)
  }
}
