// One backend's part of a soak: engines that come and go, each with a crowd of mixed syslets, some of which are cancelled or left behind.

import CTestSupport
import Foundation
import Glibc
import Synchronization

@testable import SysletRing

/// What a shift has done, for the thread that samples. Written by the shift's thread alone; each number stands for itself.
final class SoakCounts: Sendable {
  let accepted = Atomic(0)
  /// Syslets with a completion of their own, `exec`'s answer included.
  let completed = Atomic(0)
  let cancelled = Atomic(0)
  /// Syslets that were pending when their engine was closed, whose completions nobody could take any more.
  let dropped = Atomic(0)
  let engines = Atomic(0)
  let pendingMax = Atomic(0)
  let problems = Locked<[String]>([])

  var pending: Int {
    accepted.load(ordering: .relaxed) - completed.load(ordering: .relaxed) - dropped.load(ordering: .relaxed)
  }

  func report(_ problem: String) {
    // The first ones say enough, and an exit test that reports more than its pipe holds never ends.
    problems.withLock { if $0.count < 5 { $0.append(problem) } }
  }
}

@safe final class SoakShift {
  enum Kind: CaseIterable {
    case nops, loop, read, openReadClose, missing, badDescriptor, unknown, refused, pipe, socket, sync, sleep
    /// End only when they are cancelled, or with their engine.
    case forever, blocked

    var mustBeCancelled: Bool { self == .forever || self == .blocked }
    /// Calls that wait for a while, or for the disk: few of them, or they would be all that is measured.
    var isSlow: Bool { self == .sync || self == .sleep }
  }

  private struct Slot {
    let kind: Kind
    let head: Int
    /// What it comes to, unless it is cancelled.
    let last: Int
    let executed: Int
    let result: Int?
    let reason: Completion.Reason
    /// The descriptor that it opens, and what closing it gave.
    let opened: (descriptor: Word, closed: Word)?
    /// What must hold its first value at the start.
    let reset: [(word: Word, value: Int)]
  }

  static let slotCount = 2000
  private let backend: SysletEngine.Backend
  private let counts: SoakCounts
  private var random: SeededGenerator
  private let program = Program(.direct, capacity: 3 * slotCount)
  private var slots: [Slot] = []
  /// The slot to which an atom belongs.
  private var slotOfAtom: [Int] = []
  private var isInFlight = [Bool](repeating: false, count: slotCount)
  private var isCancelled = [Bool](repeating: false, count: slotCount)
  private var inFlight = 0
  private let pipes: [(read: Int32, write: Int32)]
  private let sockets: [(Int32, Int32)]
  private let ring = CompletionRing(512)
  private var ringPosition = 0
  private let leftovers: Buffer

  init(_ backend: SysletEngine.Backend, seed: UInt64, counts: SoakCounts) {
    self.backend = backend
    self.counts = counts
    random = SeededGenerator(seed: seed)
    let program = program
    leftovers = program.arena.buffer(4096)
    pipes = (0..<8).map { _ in program.descriptors.pipe() }
    sockets = (0..<8).map { _ in program.descriptors.socketPair() }
    let kinds = Kind.allCases.filter { backend != .inline || !$0.mustBeCancelled }
    let quick = kinds.filter { !$0.isSlow }
    let path = program.path(program.scratch.file("file", "0123456789"))
    let file = program.descriptors.open(program.scratch.path("file"), O_RDONLY)
    let synced = program.descriptors.open(program.scratch.file("synced"), O_WRONLY)
    let silent = program.descriptors.pipe()
    let missing = program.path(program.scratch.path("missing"))
    let (short, hour) = (LifeRegressionTests.time(program, milliseconds: 1), LifeRegressionTests.time(program, milliseconds: 3_600_000))
    for number in 0..<Self.slotCount {
      let kind = number % 50 == 0 ? .sleep : number % 250 == 1 ? .sync : quick[number % quick.count]
      addSlot(kind, number, path: path, file: file, synced: synced, silent: silent.read, missing: missing, short: short, hour: hour)
    }
  }

  private func addSlot(
    _ kind: Kind, _ number: Int, path: Buffer, file: Int32, synced: Int32, silent: Int32, missing: Buffer, short: Buffer, hour: Buffer
  ) {
    let head = program.count
    let (first, second) = (program.word(0), program.word(0))
    var (executed, result, reason): (Int?, Int?, Completion.Reason) = (nil, nil, .ended)
    var opened: (Word, Word)?
    var reset = [(first, 0)]
    switch kind {
    case .nops:
      program.atom(noOperation)
      program.atom(noOperation)
      program.atom(umemAdd, .to(first), 1, next: .end)
      result = 1
    case .loop:
      reset = [(first, 20)]
      let up = program.count + 1
      program.atom(umemAdd, .to(first), -1, flags: .stopOnZero, next: .atom(up))
      program.atom(umemAdd, .to(second), 1, next: .atom(head))
      (executed, result, reason) = (39, 0, .stopped)
    case .read:
      let bytes = program.buffer(16)
      program.atom(SystemCall.pread64, .int(file), .to(bytes), 16, 2, flags: .stopOnNonPositive, result: second)
      program.atom(umemAdd, .to(first), .pointed(second), next: .end)
      result = 8
    case .openReadClose:
      let (descriptor, closed) = (program.word(-1), program.word(Program.untouched))
      program.atom(
        SystemCall.openat, .int(AT_FDCWD), .to(path), .int(O_RDONLY | O_CLOEXEC), flags: .stopOnNegative, result: descriptor)
      program.atom(SystemCall.read, .pointed(descriptor), .to(program.buffer(16)), 16)
      program.atom(SystemCall.close, .pointed(descriptor), result: closed, next: .end)
      opened = (descriptor, closed)
      reset = [(descriptor, -1), (closed, Program.untouched)]
      result = 0
    case .missing:
      program.atom(SystemCall.openat, .int(AT_FDCWD), .to(missing), .int(O_RDONLY), flags: .stopOnNegative)
      program.atom(umemAdd, .to(first), 1, next: .end)
      (executed, result, reason) = (1, -Int(ENOENT), .stopped)
    case .badDescriptor:
      program.atom(SystemCall.read, .int(-1), .to(program.buffer(16)), 16, flags: .stopOnNegative)
      program.atom(umemAdd, .to(first), 1, next: .end)
      (executed, result, reason) = (1, -Int(EBADF), .stopped)
    case .unknown:
      program.atom(4000, next: .end)
      result = -Int(ENOSYS)
    case .refused:
      program.atom(SystemCall.exit_group, 1, next: .end)
      result = -Int(EPERM)
    case .pipe:
      // Others use the same pipe, and each of them writes as much as it reads.
      let ends = pipes[number % pipes.count]
      let bytes = program.buffer(8)
      program.atom(SystemCall.write, .int(ends.write), .to(bytes), 8, flags: .stopOnNonPositive)
      program.atom(SystemCall.read, .int(ends.read), .to(program.buffer(8)), 8, next: .end)
      result = 8
    case .socket:
      let (near, far) = sockets[number % sockets.count]
      program.atom(SystemCall.sendto, .int(near), .to(program.buffer(8)), 8, 0, 0, 0, flags: .stopOnNonPositive)
      program.atom(SystemCall.recvfrom, .int(far), .to(program.buffer(8)), 8, 0, 0, 0, next: .end)
      result = 8
    case .sync:
      program.atom(SystemCall.pwrite64, .int(synced), .to(program.buffer(64)), 64, .int(number * 64), flags: .stopOnNegative)
      program.atom(SystemCall.fdatasync, .int(synced), next: .end)
      result = 0
    case .sleep:
      program.atom(SystemCall.nanosleep, .to(short), 0)
      program.atom(umemAdd, .to(first), 1, next: .end)
      result = 1
    case .forever:
      program.atom(SystemCall.nanosleep, .to(hour), 0)
      program.atom(umemAdd, .to(first), 1, next: .end)
    case .blocked:
      program.atom(SystemCall.read, .int(silent), .to(program.buffer(8)), 8)
      program.atom(umemAdd, .to(first), 1, next: .end)
    }
    let last = executed == 1 || kind == .loop ? head : program.count - 1
    for _ in head..<program.count { slotOfAtom.append(number) }
    slots.append(
      Slot(
        kind: kind, head: head, last: last, executed: executed ?? program.count - head, result: result, reason: reason, opened: opened,
        reset: reset))
  }

  // MARK: an engine's life

  func work(until end: ContinuousClock.Instant) {
    do {
      // Once at least, also where making all this took the time.
      repeat { try life() } while ContinuousClock.now < end && counts.problems.withLock { $0.isEmpty }
    } catch {
      counts.report("\(backend): \(error)")
    }
  }

  private func life() throws {
    var options = SysletEngine.Options()
    options.backend = backend
    options.entries = random.pick([8, 64, 256])
    options.completionEntries = max(options.entries, random.pick([64, 1024, 4096]))
    options.maxWorkers = random.pick([2, 8, 64])
    options.maxPending = 4096
    options.isChecked = random.chance(10)
    let engine = try SysletEngine(options)
    counts.engines.add(1, ordering: .relaxed)
    let usesRing = random.chance(30)
    ringPosition = 0
    if usesRing { try engine.register(ring) }
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      try submit(engine, count: random.chance(50) ? Self.slotCount : Int.random(in: 1...200, using: &random), usesRing)
      if random.chance(15) { break }
      try cancelSome(engine)
      try takeAll(engine, usesRing)
      emptyPipes()
    }
    try engine.close()
    // Nothing can come any more. (What close drops is neither lost nor told twice: it is told by nobody.)
    let statistics = engine.statistics
    if statistics.accepted != statistics.completed || engine.pending != 0 {
      counts.report("\(backend): closed with \(statistics.accepted) accepted and \(statistics.completed) completed")
    }
    counts.dropped.add(inFlight, ordering: .relaxed)
    for number in slots.indices where isInFlight[number] { leave(number) }
    inFlight = 0
    for index in 0..<ring.count { ring.clear(index) }
    emptyPipes()
  }

  private func submit(_ engine: SysletEngine, count: Int, _ usesRing: Bool) throws {
    for number in slots.indices.shuffled(using: &random).prefix(count) {
      let slot = slots[number]
      for (word, value) in slot.reset { word.value = value }
      isCancelled[number] = false
      isInFlight[number] = true
      inFlight += 1
      counts.accepted.add(1, ordering: .relaxed)
      if random.chance(80) {
        try engine.enqueue(program, slot.head)
      } else if let last = try engine.exec(program, slot.head) {
        finish(last, result: slot.result ?? 0, executed: slot.executed, slot.reason)
      }
      if random.chance(1) { try engine.flush() }
      if random.chance(1) { try take(engine, usesRing, atLeast: 0) }
    }
    counts.pendingMax.store(max(counts.pendingMax.load(ordering: .relaxed), engine.pending), ordering: .relaxed)
    try engine.flush()
  }

  /// All that would never end, and some that would.
  private func cancelSome(_ engine: SysletEngine) throws {
    for number in slots.indices where isInFlight[number] {
      guard slots[number].kind.mustBeCancelled || random.chance(3) else { continue }
      isCancelled[number] = true
      do {
        try engine.cancel(program, slots[number].head)
        counts.cancelled.add(1, ordering: .relaxed)
      } catch EngineError.notPending where !slots[number].kind.mustBeCancelled {
        // Its completion has come and was not taken yet.
      }
    }
  }

  // MARK: completions

  private func takeAll(_ engine: SysletEngine, _ usesRing: Bool) throws {
    let end = ContinuousClock.now + Deadline.usual
    while inFlight > 0, counts.problems.withLock({ $0.isEmpty }) {
      try take(engine, usesRing, atLeast: 1)
      if ContinuousClock.now > end { counts.report("\(backend): \(inFlight) syslets have no completion after \(Deadline.usual)") }
    }
    if engine.pending != 0 { counts.report("\(backend): \(engine.pending) pending, though all have completed") }
    if usesRing ? try engine.wait(atLeast: 1) != 0 : try !engine.take(timeout: .zero).isEmpty {
      counts.report("\(backend): L5: a completion more than there were syslets")
    }
  }

  private func take(_ engine: SysletEngine, _ usesRing: Bool, atLeast count: Int) throws {
    guard usesRing else {
      for taken in try engine.take(atLeast: count, capacity: 512, timeout: .seconds(1)) {
        guard let atom = program.index(taken.atom) else {
          return counts.report("\(backend): L6: a completion names no atom of the program")
        }
        finish(atom, result: taken.result, executed: taken.executed, taken.reason)
      }
      return
    }
    _ = try engine.wait(atLeast: count, timeout: .seconds(1))
    while ring[ringPosition] != 0 {
      guard let atom = program.index(ring[ringPosition]) else {
        return counts.report("\(backend): L6: the ring names no atom of the program")
      }
      ring.clear(ringPosition)
      ringPosition = (ringPosition + 1) % ring.count
      finish(atom, result: nil, executed: nil, nil)
    }
  }

  /// The completion of the syslet to which `atom` belongs. A completion ring tells no more than the atom.
  private func finish(_ atom: Int, result: Int?, executed: Int?, _ reason: Completion.Reason?) {
    let number = slotOfAtom[atom]
    let slot = slots[number]
    guard isInFlight[number] else { return counts.report("\(backend): L5: \(slot.kind) completed twice") }
    let isAsExpected =
      atom == slot.last && (result == nil || slot.result == nil || result == slot.result) && (executed ?? slot.executed) == slot.executed
      && (reason ?? slot.reason) == slot.reason && !slot.kind.mustBeCancelled
    let isCutOff = isCancelled[number] && (reason ?? .cancelled) == .cancelled
    if !isAsExpected && !isCutOff {
      counts.report("\(backend): \(slot.kind) gave \(result ?? 0) after \(executed ?? 0) atoms, \(reason.map { "\($0)" } ?? "in the ring")")
    }
    leave(number)
    inFlight -= 1
    counts.completed.add(1, ordering: .relaxed)
  }

  /// Closes what a syslet that was cut off has left open.
  private func leave(_ number: Int) {
    isInFlight[number] = false
    guard let (descriptor, closed) = slots[number].opened, descriptor.value >= 0, closed.value == Program.untouched else { return }
    plainCall(SystemCall.close, .int(descriptor.value))
  }

  /// Takes what syslets that were cut off have left in pipes and sockets. Nothing is in flight.
  private func emptyPipes() {
    guard inFlight == 0 else { return }
    for descriptor in pipes.map(\.read) + sockets.map(\.1) {
      var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      while unsafe poll(&entry, 1, 0) == 1, plainCall(SystemCall.read, .int(descriptor), leftovers.address, .int(leftovers.count)) > 0 {}
    }
  }
}
