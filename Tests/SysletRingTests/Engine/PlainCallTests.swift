// Calls that `automatic` makes plainly, on the owner's thread or shared with workers: they give what the plain calls of a program give, and the
// other backends' results. How long they may hold the owner is in PlainCostTests.

import CTestSupport
import Foundation
import Glibc
import Testing

@testable import SysletRing

@Suite("Plain calls", .leavesNothingBehind)
struct PlainCallTests {
  /// Executes or enqueues a syslet and waits for its end: its last result.
  @discardableResult
  private static func run(_ engine: SysletEngine, _ program: Program, _ head: Int = 0, isBatch: Bool) throws -> Taken? {
    if isBatch { try engine.enqueue(program, head) } else if try engine.exec(program, head) != nil { return nil }
    return try engine.take().first
  }

  private static func flags(_ descriptor: Int) -> Int { plainCall(SystemCall.fcntl, .int(descriptor), .int(F_GETFL)) }

  @Test(
    "What goes to workers because of the time that such calls take is counted",
    .enabled(if: ringObstacle == nil, "io_uring cannot be used here: automatic is threads"))
  func handOvers() throws {
    for (limit, handOvers) in [(Duration.zero, 1), (.seconds(100), 0)] {
      let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = limit }
      defer { try? engine.close() }
      let program = Program(.direct)
      program.atom(SystemCall.statx, .int(AT_FDCWD), .to(program.path("/")), 0, 0xFFF, .to(program.buffer(256)))
      #expect(try Self.run(engine, program, isBatch: true)?.result == 0)
      #expect(engine.statistics.plainHandOvers == handOvers && engine.statistics.workerHops == handOvers)
    }
  }

  // MARK: descriptors that were opened

  /// How a syslet goes on behind an open.
  enum Sequel: String, CaseIterable, Sendable {
    case ends, stops, reads, readsAndStops, readsVector, examines, duplicates, duplicatesPlainly, seeks, opensAnother, waits, works, skips
    case faults, limits
  }

  private static func openFlags(_ sequel: Sequel) -> [Int32] {
    guard sequel == .ends || sequel == .reads else { return [O_RDONLY, O_RDWR | O_APPEND, O_RDONLY | O_NONBLOCK] }
    return [O_RDONLY, O_RDONLY | O_CLOEXEC, O_RDONLY | O_NONBLOCK, O_RDWR | O_APPEND, O_RDWR | O_SYNC, O_RDWR | O_NOFOLLOW | O_NONBLOCK]
  }

  // An open that is tried without waiting is given O_NONBLOCK, which the program did not ask for. Whatever the syslet does next, and wherever,
  // nobody else may ever see it.
  @Test(
    "A descriptor has the flags that it was opened with", arguments: SysletEngine.Backend.available, Sequel.allCases)
  func flags(backend: SysletEngine.Backend, sequel: Sequel) throws {
    let engine = try BadInputTests.engine(backend) {
      $0.isChecked = sequel == .faults
      $0.maxSteps = sequel == .limits ? 2 : nil
    }
    defer { try? engine.close() }
    let scratch = Scratch()
    let path = scratch.file("file", "0123456789")
    for flags in Self.openFlags(sequel) {
      for isBatch in [false, true] {
        let program = Program(.direct)
        let expected = Self.flags(Int(program.descriptors.open(path, flags)))
        let (descriptor, copy) = (program.word(-1), program.word(-1))
        let buffer = program.buffer(256)
        program.atom(
          SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(flags), 0,
          flags: sequel == .stops ? .stopOnNonzero : .stopOnNegative, result: descriptor)
        let read = { (flags: AtomFlags, next: Program.Edge) in
          program.atom(SystemCall.read, .pointed(descriptor), .to(buffer), 4, flags: flags, next: next)
        }
        switch sequel {
        case .ends: break
        case .stops, .reads: _ = read([], .end)
        case .readsAndStops: _ = [read(.stopOnNonzero, .following), read([], .end)]
        case .readsVector:
          let vector = program.buffer(16)
          vector.store(buffer.address, at: 0)
          vector.store(UInt64(4), at: 8)
          program.atom(SystemCall.readv, .pointed(descriptor), .to(vector), 1)
        case .examines: program.atom(SystemCall.statx, .pointed(descriptor), .to(program.path("")), 0x1000, 0xFFF, .to(buffer))
        case .duplicates: program.atom(SystemCall.dup, .pointed(descriptor), result: copy)
        case .duplicatesPlainly: program.atom(SystemCall.fcntl, .pointed(descriptor), .int(F_DUPFD_CLOEXEC), 0, flags: .sync, result: copy)
        case .seeks: program.atom(SystemCall.lseek, .pointed(descriptor), 2, .int(SEEK_SET))
        case .opensAnother:
          program.atom(SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(flags), 0, flags: .stopOnNegative, result: copy)
          program.atom(SystemCall.read, .pointed(copy), .to(buffer), 4)
        case .waits:
          let time = program.buffer(16)
          time.store(Int64(1), at: 8)
          _ = read([], .following)
          program.atom(SystemCall.nanosleep, .to(time), 0)
        case .works:
          _ = read([], .following)
          program.atom(SystemCall.getrandom, .to(buffer), 4, 0)
        case .skips:
          program.atom(noOperation, flags: [.stopOnZero, .skipToNextOnStop], next: .end)
          _ = read(.async, .end)
        case .faults: _ = read([], .wild(Wild.inaccessible))
        case .limits: _ = [read([], .following), read([], .following), read([], .end)]
        }
        let taken = try Self.run(engine, program, isBatch: isBatch)
        if sequel == .faults { #expect(taken?.reason == .faulted) }
        if sequel == .limits { #expect(taken?.reason == .stepLimit) }
        for opened in [descriptor, copy] where opened.value >= 0 {
          #expect(Self.flags(opened.value) == expected, "open flags \(String(flags, radix: 8)), a batch: \(isBatch)")
          close(Int32(opened.value))
        }
        #expect(descriptor.value >= 0)
      }
    }
  }

  @Test("A cancelled syslet leaves a descriptor with the flags that it was opened with", arguments: LifeRegressionTests.asynchronous)
  func cancelledFlags(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct)
    let path = program.scratch.file("file", "0123456789")
    let descriptor = program.word(-1)
    program.atom(SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDWR), 0, result: descriptor)
    program.atom(SystemCall.read, .pointed(descriptor), .to(program.buffer(8)), 4)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8)
    try engine.enqueue(program)
    let end = ContinuousClock.now + Deadline.usual
    repeat { try engine.flush() } while Int(bitPattern: UInt(test_load(descriptor.address, 8).value)) < 0 && ContinuousClock.now < end
    try engine.cancel(program)
    #expect(try engine.take(timeout: Deadline.usual).map(\.reason) == [.cancelled])
    #expect(Self.flags(descriptor.value) == Self.flags(Int(program.descriptors.open(path, O_RDWR))))
    close(Int32(descriptor.value))
  }

  // MARK: results

  // openat2 knows what it does not know, where openat looks away. Each open here gives what the plain call gives, whatever it is tried with.
  @Test("An open gives the plain call's result", arguments: SysletEngine.Backend.available)
  func openResults(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let program = Program(.direct, capacity: 256)
    let scratch = program.scratch
    let file = scratch.file("file", "0123456789")
    #expect(unsafe symlink(file, scratch.path("link")) == 0)
    let folder = program.descriptors.open(scratch.path, O_RDONLY | O_DIRECTORY)
    let regular = program.descriptors.open(file, O_RDONLY)
    let (pathOnly, temporary): (Int32, Int32) = (0o10000000, 0o20000000 | O_DIRECTORY)
    let long = program.path("/" + String(repeating: "x", count: 5000))
    let names = ["file", "link", "missing", "file/x", "", ".", "../\(scratch.path.split(separator: "/").last!)/file"].map {
      program.path($0)
    }
    let flags: [Int32] = [
      O_RDONLY, O_WRONLY, O_RDWR, 3, O_DIRECTORY, O_NOFOLLOW, pathOnly, pathOnly | O_NOFOLLOW, temporary | O_RDWR, 1 << 30,
      O_RDONLY | 1 << 30, O_EXCL, O_TRUNC, O_SYNC, 1 << 29, .min,
    ]
    var expected: [(result: Int, what: String)] = []
    var results: [Word] = []
    func add(_ directory: Int32, _ path: UInt64, _ flags: Int32, _ mode: UInt64, _ what: String) {
      let plain = plainCall(SystemCall.openat, .int(directory), path, .int(flags), mode)
      if plain >= 0 { close(Int32(plain)) }
      expected.append((plain, "\(what) flags \(String(flags, radix: 8)) mode \(mode)"))
      results.append(program.word(compared: false))
      program.atom(SystemCall.openat, .int(directory), .value(path), .int(flags), .value(mode), result: results.last!, next: .end)
    }
    for flags in flags {
      for name in names { add(folder, name.address, flags, 0, name.text) }
    }
    for mode in [0o777, UInt64.max] { add(folder, names[0].address, O_RDONLY, mode, "a mode") }
    add(-1, names[0].address, O_RDONLY, 0, "no folder")
    add(regular, names[0].address, O_RDONLY, 0, "a file as a folder")
    add(AT_FDCWD, program.path(file).address, O_RDONLY, 0, "the whole path")
    add(folder, 0, O_RDONLY, 0, "no path")
    add(folder, Wild.inaccessible, O_RDONLY, 0, "a wild path")
    add(folder, long.address, O_RDONLY, 0, "a long path")
    for isBatch in [false, true] {
      for index in expected.indices {
        results[index].value = Program.untouched
        try Self.run(engine, program, index, isBatch: isBatch)
        let (result, plain) = (results[index].value, expected[index].result)
        #expect(result == plain || result >= 0 && plain >= 0, "\(expected[index].what): \(result) instead of \(plain)")
        if result >= 0 { close(Int32(result)) }
      }
    }
  }

  /// A read at the position: the file is opened by the syslet or was open, and its bytes are in memory, or but the first page.
  @Test(
    "Reads at the file's position follow each other, to the end of the file and no further", arguments: SysletEngine.Backend.available,
    [1000, 20_000])
  func positions(backend: SysletEngine.Backend, length: Int) throws {
    let engine = try BadInputTests.engine(backend)
    defer { try? engine.close() }
    let scratch = Scratch()
    let content = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 8) }
    for size in [50_000, 2 * length, 1, 0] {
      for isOpened in [false, true] {
        for isCold in size == 50_000 ? [false, true] : [false] {
          for isBatch in [false, true] {
            let program = Program(.direct)
            let path = scratch.file("file", Array(content.prefix(size)))
            let given = program.descriptors.open(path, O_RDONLY)
            if isCold {
              _ = fsync(given)
              _ = posix_fadvise(given, 0, 0, POSIX_FADV_DONTNEED)
              _ = posix_fadvise(given, 0, 0, POSIX_FADV_RANDOM)
              _ = plainCall(SystemCall.pread64, .int(given), program.buffer(4096).address, 4096, 0)
            }
            let descriptor = program.word(Int(given), compared: false)
            if isOpened {
              program.atom(
                SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(O_RDONLY), 0, flags: .stopOnNegative, result: descriptor)
            }
            let buffers = (0..<4).map { _ in program.buffer(length) }
            let results = (0..<4).map { _ in program.word() }
            for (buffer, result) in zip(buffers, results) {
              program.atom(SystemCall.read, .pointed(descriptor), .to(buffer), .int(length), result: result)
            }
            try Self.run(engine, program, isBatch: isBatch)
            var position = 0
            for (buffer, result) in zip(buffers, results) {
              let expected = content[..<size].dropFirst(position).prefix(length)
              #expect(result.value == expected.count)
              #expect(buffer.bytes.prefix(expected.count) == expected)
              position += expected.count
            }
            #expect(lseek(Int32(descriptor.value), 0, SEEK_CUR) == position)
            if isOpened { close(Int32(descriptor.value)) }
          }
        }
      }
    }
  }

  // MARK: the owner is not held

  @Test(
    "Opening a FIFO never blocks the owner, whether somebody has its other end or not",
    arguments: [SysletEngine.Backend.automatic, .threads])
  func fifo(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      for isBatch in [false, true] {
        for flags in [O_RDONLY, O_WRONLY, O_RDONLY | O_CREAT, O_WRONLY | O_TRUNC] {
          let program = Program(.direct)
          let (path, descriptor) = (program.scratch.path("fifo"), program.word(-1))
          #expect(unsafe mkfifo(path, 0o600) == 0)
          program.atom(SystemCall.openat, .int(AT_FDCWD), .to(program.path(path)), .int(flags), 0o600, result: isBatch ? nil : descriptor)
          // Enough to be shared.
          let count = isBatch ? 20 : 1
          if isBatch {
            for _ in 0..<count { try engine.enqueue(program) }
            try engine.flushHere()
          } else if try engine.exec(program) != nil {
            #expect(descriptor.value >= 0)
            continue
          }
          // Only now the other end: whoever waits for it is somebody else.
          let end = program.descriptors.open(path, O_RDWR | O_NONBLOCK)
          #expect(end >= 0)
          #expect(try engine.takeAll(count).allSatisfy { $0.result >= 0 })
        }
      }
      try engine.closeHere()
    }
  }

  @Test(
    "Reading an empty pipe under a number that was a file's never blocks the owner", arguments: LifeRegressionTests.asynchronous,
    [8, 32_768])
  func staleNumber(backend: SysletEngine.Backend, length: Int) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, length = length as Int] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let file = program.descriptors.open(program.scratch.file("file", [UInt8](repeating: 1, count: length)), O_RDONLY)
      let result = program.word()
      program.atom(SystemCall.read, .int(file), .to(program.buffer(length)), .int(length), result: result)
      try Self.run(engine, program, isBatch: false)
      #expect(result.value == length)
      let pipe = program.descriptors.pipe()
      #expect(dup2(pipe.read, file) == file)
      for isBatch in [false, true] {
        if isBatch {
          try engine.enqueue(program)
          try engine.flushHere()
        } else {
          #expect(try engine.exec(program) == nil)
        }
        #expect(try engine.take(timeout: .milliseconds(20)) == [])
        #expect(plainCall(SystemCall.write, .int(pipe.write), program.path("abc").address, 3) == 3)
        #expect(try engine.take().map(\.result) == [3])
      }
      try engine.closeHere()
    }
  }

  // A write is placed by what its descriptor was the last time, and has no try that does not wait.
  @Test("Writing into a full pipe under a number that was a file's never blocks the owner", arguments: LifeRegressionTests.asynchronous)
  func staleNumberWritten(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!)
      let program = Program(.direct)
      let file = program.descriptors.open(program.scratch.file("file"), O_RDWR)
      let (buffer, result) = (program.buffer(65_536), program.word())
      program.atom(SystemCall.write, .int(file), .to(buffer), 5000, result: result, next: .end)
      program.atom(SystemCall.write, .int(file), .to(buffer), 5000)
      try Self.run(engine, program, isBatch: false)
      #expect(result.value == 5000)
      let pipe = program.descriptors.pipe()
      #expect(dup2(pipe.write, file) == file)
      #expect(fcntl(pipe.read, F_SETFL, O_NONBLOCK) == 0)
      for count in [1, 1, 20] {
        #expect(fcntl(pipe.write, F_SETFL, O_NONBLOCK) == 0)
        while plainCall(SystemCall.write, .int(pipe.write), buffer.address, 4096) > 0 {}
        #expect(fcntl(pipe.write, F_SETFL, 0) == 0)
        // Enough of them to be shared.
        if count == 1 {
          #expect(try engine.exec(program, 1) == nil)
        } else {
          for _ in 0..<count { try engine.enqueue(program, 1) }
          try engine.flushHere()
        }
        #expect(try engine.take(timeout: .milliseconds(20)) == [])
        var left = count
        while left > 0 {
          // Nothing, when all is written and the last completion is still on its way.
          #expect(plainCall(SystemCall.read, .int(pipe.read), buffer.address, 5000) != 0)
          left -= try engine.take(timeout: .zero).filter { $0.result == 5000 }.count
        }
      }
      try engine.closeHere()
    }
  }

  /// Some calls of every kind that is made plainly, and one that never blocks.
  private static func mixture(_ program: Program, _ scratch: Scratch, _ name: Int) -> [Word] {
    let path = program.path(scratch.file("\(name)", [UInt8](repeating: 5, count: 40_000)))
    let (descriptor, buffer) = (program.word(compared: false), program.buffer(40_000))
    var results: [Word] = []
    func add(_ number: Int, _ arguments: Program.Argument...) {
      results.append(program.word())
      program.atom(number, list: arguments, result: results.last!)
    }
    program.atom(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_RDWR | O_CLOEXEC), flags: .stopOnNegative, result: descriptor)
    add(SystemCall.read, .pointed(descriptor), .to(buffer), 100)
    add(SystemCall.read, .pointed(descriptor), .to(buffer), 39_000)
    add(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(program.buffer(256, compared: false)))
    add(SystemCall.pwrite64, .pointed(descriptor), .to(buffer), 20, 3)
    add(SystemCall.fsync, .pointed(descriptor))
    add(SystemCall.ftruncate, .pointed(descriptor), 5)
    add(SystemCall.unlinkat, .int(AT_FDCWD), .to(path), 0)
    add(SystemCall.close, .pointed(descriptor))
    add(noOperation)
    results.append(program.word(compared: false))
    program.atom(SystemCall.getppid, result: results.last!)
    return results
  }

  // Nothing that may block is made on the owner's thread when it may not be held at all. A limit that no call reaches is one like
  // others.
  @Test(
    "inlineLimit decides where calls are made and never what they give",
    arguments: [Duration.zero, .nanoseconds(1), .milliseconds(1), .seconds(Int64.max)])
  func limits(limit: Duration) throws {
    let scratch = Scratch()
    for isBatch in [false, true] {
      let engine = try BadInputTests.engine(.automatic) { $0.inlineLimit = limit }
      defer { try? engine.close() }
      let count = isBatch ? 20 : 1
      let programs = (0..<count).map { _ in Program(.direct) }
      let results = programs.enumerated().map { Self.mixture($1, scratch, $0) }
      for program in programs {
        if isBatch { try engine.enqueue(program) } else { try Self.run(engine, program, isBatch: false) }
      }
      if isBatch { #expect(try engine.takeAll(count).count == count) }
      for results in results { #expect(results.map(\.value) == [100, 39_000, 0, 20, 0, 0, 0, 0, 0, Int(getppid())]) }
      // An optimised build ends an array's life at its last use.
      withExtendedLifetime(programs) {}
      let statistics = engine.statistics
      #expect(statistics.inlineCalls + statistics.workerCalls + statistics.cqes == 11 * count)
      if engine.backend == .automatic, limit <= .zero { #expect(statistics.inlineCalls <= count) }
    }
  }

  // MARK: cancelling

  @Test(
    "A syslet that was cancelled ends with a wait as the only other call, and the kernel is asked by a flush", arguments: [false, true])
  func cancelled(isFlush: Bool) throws {
    let engine = try BadInputTests.engine(.automatic)
    defer { try? engine.close() }
    let program = Program(.direct)
    program.atom(SystemCall.read, .int(program.descriptors.pipe().read), .to(program.buffer(8)), 8)
    #expect(try engine.exec(program) == nil)
    let before = engine.statistics.auxiliarySQEs
    try engine.cancel(program)
    if isFlush {
      try engine.flush()
      if ringObstacle == nil { #expect(engine.statistics.auxiliarySQEs == before + 1) }
    }
    #expect(try engine.take(timeout: Deadline.usual).map(\.reason) == [.cancelled])
  }

  // MARK: many at a time

  /// Syslets that look at a file, that read one, and that count down in a loop.
  @safe private final class Crowd {
    static let loops = 20
    let program: Program
    let heads: [Int]
    let lasts: [Int: Int]
    let executed: [Int]
    let results: [Int]
    private let descriptors: [Word]
    private let closed: [Word]
    let counters: [Word]

    init(_ count: Int) {
      let program = Program(.direct, capacity: 3 * count)
      let path = program.path(program.scratch.file("file", "0123456789"))
      let (status, buffer) = (program.buffer(256, compared: false), program.buffer(16))
      var (heads, executed, results, descriptors, closed, counters): ([Int], [Int], [Int], [Word], [Word], [Word]) = (
        [], [], [], [], [], []
      )
      for number in 0..<count {
        heads.append(program.count)
        switch number % 3 {
        case 0:
          program.atom(SystemCall.statx, .int(AT_FDCWD), .to(path), 0, 0xFFF, .to(status), next: .end)
          executed.append(1)
        case 1:
          let (descriptor, result) = (program.word(-1, compared: false), program.word(compared: false))
          program.atom(SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_RDONLY | O_CLOEXEC), flags: .stopOnNegative, result: descriptor)
          program.atom(SystemCall.read, .pointed(descriptor), .to(buffer), 16)
          program.atom(SystemCall.close, .pointed(descriptor), result: result, next: .end)
          descriptors.append(descriptor)
          closed.append(result)
          executed.append(3)
        default:
          let counter = program.word(Self.loops, compared: false)
          program.atom(umemAdd, .to(counter), .int(-1), flags: .stopOnZero)
          program.atom(SystemCall.getppid, next: .atom(program.count - 1))
          counters.append(counter)
          executed.append(2 * Self.loops - 1)
        }
        results.append(0)
      }
      lasts = Dictionary(
        uniqueKeysWithValues: heads.indices.flatMap { number in
          (heads[number]..<(number + 1 < heads.count ? heads[number + 1] : program.count)).map { ($0, number) }
        })
      self.program = program
      (self.heads, self.executed, self.results) = (heads, executed, results)
      (self.descriptors, self.closed, self.counters) = (descriptors, closed, counters)
    }

    /// Closes what cancelled syslets have left open.
    func closeLeft() {
      for (descriptor, closed) in zip(descriptors, closed) where descriptor.value >= 0 && closed.value == Program.untouched {
        close(Int32(descriptor.value))
      }
    }

    /// That each syslet has completed once, with its own result unless it was cancelled.
    func check(_ taken: [Taken], mayBeCancelled: Bool = false) {
      let numbers = taken.compactMap { program.index($0.atom).flatMap { lasts[$0] } }
      #expect(numbers.count == heads.count, "L5: completions")
      #expect(Set(numbers).count == heads.count, "L5: each syslet once")
      for (number, taken) in zip(numbers, taken) {
        if mayBeCancelled, taken.reason == .cancelled {
          #expect(taken.executed < executed[number])
        } else {
          #expect(taken.reason == (number % 3 == 2 ? .stopped : .ended))
          #expect(taken.executed == executed[number] && taken.result == results[number])
        }
      }
      if !mayBeCancelled { #expect(counters.allSatisfy { $0.value == 0 }) }
    }
  }

  enum Way: String, CaseIterable, Sendable {
    case one, half, all, looking, flushing, ring, close, cancelsAtOnce, cancelsInBetween, cancelsWhileFlushing
  }

  // Both sides take from one queue, and what one of them begins the other must not. However the caller waits, or does not, or gives up:
  // each syslet ends once.
  @Test(
    "Many syslets at a time complete once each, with their own results, however they are waited for", arguments: Way.allCases, [1, 2, 64])
  func crowds(way: Way, workers: Int) throws {
    let count = 300
    let engine = try BadInputTests.engine(.automatic) { $0.maxWorkers = workers }
    defer { try? engine.close() }
    let crowd = Crowd(count)
    defer { crowd.closeLeft() }
    // The second time the workers are there from the beginning.
    for round in 0..<2 {
      for counter in crowd.counters { counter.value = Crowd.loops }
      let before = engine.statistics
      for head in crowd.heads { try engine.enqueue(crowd.program, head) }
      var taken: [Taken] = []
      let end = ContinuousClock.now + .seconds(10)
      func rest() throws {
        while engine.pending > 0, ContinuousClock.now < end {
          taken += try engine.take(atLeast: count, capacity: count, timeout: Deadline.usual)
        }
        taken += try engine.take(atLeast: 0, capacity: count)
      }
      switch way {
      case .one:
        while taken.count < count, ContinuousClock.now < end { taken += try engine.take(capacity: 7, timeout: Deadline.usual) }
      case .half:
        taken = try engine.take(atLeast: count / 2, capacity: count, timeout: Deadline.usual)
        #expect(taken.count >= count / 2)
        taken += try engine.take(atLeast: count - taken.count, capacity: count, timeout: Deadline.usual)
      case .all: taken = try engine.take(atLeast: count, capacity: count, timeout: Deadline.usual)
      case .looking:
        while taken.count < count, ContinuousClock.now < end { taken += try engine.take(atLeast: 3, capacity: count, timeout: .zero) }
      case .flushing:
        while engine.pending > 0, ContinuousClock.now < end { try engine.flush() }
        taken = try engine.take(atLeast: count, capacity: count, timeout: .zero)
      case .ring:
        let ring = CompletionRing(count)
        try engine.register(ring)
        #expect(try engine.wait(atLeast: count, timeout: Deadline.usual) == count)
        #expect(Set(ring.entries.compactMap { crowd.program.index($0).flatMap { crowd.lasts[$0] } }).count == count)
        try engine.unregister()
        continue
      case .close:
        _ = try engine.take(atLeast: round, capacity: 16, timeout: .zero)
        try engine.close()
        #expect(engine.pending == 0 && engine.statistics.completed == count)
        return
      case .cancelsAtOnce, .cancelsInBetween, .cancelsWhileFlushing:
        if way == .cancelsInBetween { taken = try engine.take(capacity: 16, timeout: Deadline.usual) }
        if way == .cancelsWhileFlushing { try engine.flush() }
        for head in crowd.heads { try? engine.cancel(crowd.program, head) }
        try rest()
        crowd.check(taken, mayBeCancelled: true)
        #expect(engine.pending == 0)
        return
      }
      crowd.check(taken)
      #expect(engine.pending == 0)
      let now = engine.statistics
      #expect(now.completed - before.completed == count)
      let calls = [\Statistics.inlineCalls, \.workerCalls, \.cqes].reduce(0) { $0 + now[keyPath: $1] - before[keyPath: $1] }
      #expect(calls == crowd.executed.reduce(0, +))
      #expect((0...2 * count).contains(now.workerHops - before.workerHops))
    }
  }
}
