// Whose rights a call has: those of the owner's thread, whatever thread makes it.

import CTestSupport
import Foundation
import Glibc
import SysletRing
import Testing

/// Rights of the calling thread alone, by raw system calls: the C library's functions change all threads, but for setfsuid and setfsgid.
enum ThreadRights {
  static let nobody: UInt64 = 65534
  /// Whom the file belongs to that only he may use.
  static let user: UInt64 = 1234
  private static let none = UInt64(UInt32.max)

  static func setFileSystemUser(_ id: UInt64) { plainCall(SystemCall.setfsuid, id) }
  static func setFileSystemGroup(_ id: UInt64) { plainCall(SystemCall.setfsgid, id) }
  static func setEffectiveUser(_ id: UInt64) { plainCall(SystemCall.setresuid, none, id, none) }

  static func setGroups(_ groups: [UInt32]) {
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let list = arena.buffer(4 * max(groups.count, 1))
    for (position, group) in groups.enumerated() { list.store(group, at: 4 * position) }
    plainCall(SystemCall.setgroups, .int(groups.count), list.address)
  }

  /// Gives up what lets root use files that are not its own, or takes it again.
  static func overrideFiles(_ mayOverride: Bool) {
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let (header, data) = (arena.buffer(8), arena.buffer(24))
    header.store(UInt32(0x2008_0522), at: 0)  // _LINUX_CAPABILITY_VERSION_3
    plainCall(SystemCall.capget, header.address, data.address)
    // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER.
    let permitted = data.load(4, as: UInt32.self)
    data.store(mayOverride ? permitted : permitted & ~0xF, at: 0)
    plainCall(SystemCall.capset, header.address, data.address)
  }

  static var isRoot: Bool { geteuid() == 0 }
}

extension Scratch {
  /// Gives a file or a folder to a user and his group.
  fileprivate func give(_ name: String, to user: UInt64, _ mode: mode_t) {
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let path = arena.path(path(name)).address
    precondition(plainCall(SystemCall.fchownat, .int(AT_FDCWD), path, user, user, 0) == 0)
    precondition(plainCall(SystemCall.fchmodat, .int(AT_FDCWD), path, .int(mode)) == 0)
  }
}

@Suite("Rights", .enabled(if: ThreadRights.isRoot, "only root can take on other rights"))
struct RightsTests {
  /// A way to have fewer rights than before.
  enum Loss: String, CaseIterable, Sendable {
    case fileSystemUser, fileSystemGroup, effectiveUser, supplementaryGroups, capabilities

    /// What the thread has to be so that it has something to lose.
    func prepare() {
      switch self {
      case .fileSystemUser, .effectiveUser, .capabilities: break
      case .fileSystemGroup:
        ThreadRights.setFileSystemUser(ThreadRights.nobody)
        ThreadRights.setFileSystemGroup(ThreadRights.user)
      case .supplementaryGroups:
        ThreadRights.setGroups([UInt32(ThreadRights.user)])
        ThreadRights.setFileSystemUser(ThreadRights.nobody)
      }
    }

    func lose() {
      switch self {
      case .fileSystemUser: ThreadRights.setFileSystemUser(ThreadRights.nobody)
      case .fileSystemGroup: ThreadRights.setFileSystemGroup(ThreadRights.nobody)
      case .effectiveUser: ThreadRights.setEffectiveUser(ThreadRights.nobody)
      case .supplementaryGroups: ThreadRights.setGroups([])
      case .capabilities: ThreadRights.overrideFiles(false)
      }
    }

    func restore() {
      ThreadRights.setEffectiveUser(0)
      ThreadRights.setFileSystemUser(0)
      ThreadRights.setFileSystemGroup(0)
      ThreadRights.overrideFiles(true)
    }
  }

  /// A folder and files in it that are one user's and his group's, and a folder that is everybody's.
  struct Files {
    let scratch = Scratch()
    let arena = Arena()
    let descriptors = Descriptors()
    let lock: UInt64

    init() {
      scratch.directory("private")
      scratch.directory("public")
      for name in ["read", "truncate", "unlink"] { scratch.file("private/\(name)", "content") }
      lock = .int(descriptors.open(scratch.file("lock"), O_RDWR))
      scratch.give("", to: 0, 0o755)
      for name in ["read", "truncate", "unlink"] { scratch.give("private/\(name)", to: ThreadRights.user, 0o660) }
      scratch.give("private", to: ThreadRights.user, 0o770)
      scratch.give("public", to: 0, 0o777)
    }

    func path(_ name: String) -> UInt64 { arena.path(scratch.path(name)).address }

    /// Calls that need the rights, by what they are called.
    var calls: [(String, Int, [UInt64])] {
      let here = UInt64.int(AT_FDCWD)
      return [
        ("openat", SystemCall.openat, [here, path("private/read"), .int(O_RDWR | O_CLOEXEC), 0]),
        ("openat with O_CREAT", SystemCall.openat, [here, path("private/new"), .int(O_RDWR | O_CREAT | O_CLOEXEC), 0o600]),
        ("truncate", SystemCall.truncate, [path("private/truncate"), 0]),
        ("statx", SystemCall.statx, [here, path("private/read"), 0, 0x7FF, arena.buffer(256).address]),
        ("mkdirat", SystemCall.mkdirat, [here, path("private/folder"), 0o700]),
        ("renameat", SystemCall.renameat, [here, path("private/unlink"), here, path("private/renamed")]),
        ("unlinkat", SystemCall.unlinkat, [here, path("private/unlink"), 0]),
        ("unlink", SystemCall.unlink, [path("private/unlink")]),
      ]
    }
  }

  @Test(
    "A call has the rights that the owner's thread has when it submits, not those of workers that were started before",
    arguments: SysletEngine.Backend.available, Loss.allCases)
  func loss(backend: SysletEngine.Backend, loss: Loss) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String, loss = loss.rawValue as String] in
      ProcessSettings.endIfStuck()
      let (backend, loss) = (SysletEngine.Backend(rawValue: backend)!, Loss(rawValue: loss)!)
      let files = Files()
      let engine = try BadInputTests.engine(backend)
      func result(_ number: Int, _ arguments: [UInt64], isBehindWorker: Bool) throws -> Int? {
        let program = Program(.direct)
        if isBehindWorker { program.atom(SystemCall.flock, .value(files.lock), .int(LOCK_EX)) }
        let word = program.word()
        program.atom(number, list: arguments.map { .value($0) }, result: word)
        let taken = try RegressionTests.completion(of: program, on: engine, isBatch: true)
        #expect(taken?.executed == (isBehindWorker ? 2 : 1))
        return word.value
      }
      loss.prepare()
      #expect(plainCall(SystemCall.statx, files.calls[3].2) == 0, "there is nothing to lose")
      // It starts a worker, and is on several of them: 16 at a time.
      #expect(try RegressionTests.result(of: SystemCall.flock, [files.lock, .int(LOCK_EX)], on: engine) == 0)
      let sleeps = Program(.direct)
      for _ in 0..<16 { sleeps.atom(SystemCall.flock, .value(files.lock), .int(LOCK_EX), flags: .async, next: .end) }
      for head in 0..<16 { try engine.enqueue(sleeps, head) }
      #expect(try engine.takeAll(16).count == 16)

      loss.lose()
      for isBehindWorker in [false, true] {
        for (name, number, arguments) in files.calls {
          #expect(plainCall(number, arguments) == -Int(EACCES), "\(name)")
          #expect(try result(number, arguments, isBehindWorker: isBehindWorker) == -Int(EACCES), "\(name) on \(backend)")
        }
        // What is made belongs to whoever the thread is now.
        let path = files.path("public/new-\(isBehindWorker)")
        let file = try result(
          SystemCall.openat, [.int(AT_FDCWD), path, .int(O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC), 0o600], isBehindWorker: isBehindWorker)
        let information = files.arena.buffer(256)
        #expect(plainCall(SystemCall.statx, .int(file ?? -1), files.path(""), 0x1000, 0x7FF, information.address) <= 0)
        #expect(plainCall(SystemCall.statx, .int(AT_FDCWD), path, 0, 0x7FF, information.address) == 0)
        #expect(information.load(20, as: UInt32.self) == (loss == .capabilities ? 0 : 65534))
      }
      loss.restore()
      // With the rights the calls work again.
      loss.prepare()
      for (name, number, arguments) in files.calls where name != "unlink" && name != "unlinkat" {
        #expect(try result(number, arguments, isBehindWorker: false) ?? -1 >= 0, "\(name) on \(backend)")
      }
      loss.restore()
      try engine.closeHere()
    }
  }

  /// How often the owner's thread becomes another user.
  private static var switches: Int { Int(ProcessInfo.processInfo.environment["SYSLETRING_RIGHTS_ROUNDS"] ?? "") ?? 10_000 }

  @Test(
    "Whoever the owner's thread is in turn, and whatever is pending: each call has his rights, and threads do not pile up",
    arguments: SysletEngine.Backend.available)
  func turns(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck(after: 300)
      let backend = SysletEngine.Backend(rawValue: backend)!
      let engine = try BadInputTests.engine(backend) { $0.maxWorkers = 8 }
      let users: [UInt64] = [65532, 65533, 65534]
      let scratch = Scratch()
      scratch.give("", to: 0, 0o755)
      let program = Program(.direct, capacity: 80)
      let paths = users.map { user -> UInt64 in
        let path = scratch.file("\(user)", "content")
        scratch.give("\(user)", to: user, 0o600)
        return program.path(path).address
      }
      // Half of the atoms open, the other half truncate, which io_uring cannot; the last ones wait for a lock.
      let count = 64
      for _ in 0..<count / 2 {
        program.atom(SystemCall.openat, .int(AT_FDCWD), 0, .int(O_RDWR | O_CLOEXEC), next: .end)
        program.atom(SystemCall.truncate, 0, 7, next: .end)
      }
      scratch.file("lock")
      func open() -> Int32 { program.descriptors.open(scratch.path("lock"), O_RDWR) }
      let holder = open()
      let waiters = backend == .inline ? 0 : 3
      let waiting = (0..<waiters).map { _ in open() }
      for descriptor in waiting { program.atom(SystemCall.flock, .int(descriptor), .int(LOCK_SH), next: .end) }
      func lock() throws {
        for descriptor in waiting { plainCall(SystemCall.flock, .int(descriptor), .int(LOCK_UN)) }
        #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_EX)) == 0)
        for waiter in 0..<waiters { try engine.enqueue(program, count + waiter) }
      }

      var expected = [Int?](repeating: nil, count: count)
      var (free, locksOut, wrong, threadsMax, generator) = (Array(0..<count), waiters, 0, 0, SystemRandomNumberGenerator())
      func take(_ taken: [Taken]) {
        for completion in taken {
          let atom = completion.userWord - Program.userWordBase
          guard atom < count else {
            if completion.result != 0 { wrong += 1 }
            locksOut -= 1
            continue
          }
          if completion.result >= 0 ? expected[atom] != 0 : completion.result != expected[atom] { wrong += 1 }
          if completion.result > 0 { plainCall(SystemCall.close, .int(completion.result)) }
          expected[atom] = nil
          free.append(atom)
        }
      }
      try lock()
      let rounds = Self.switches
      for round in 0..<rounds {
        let user = Int.random(in: 0..<users.count, using: &generator)
        ThreadRights.setFileSystemUser(users[user])
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          guard let atom = free.popLast() else { break }
          let other = Int.random(in: 0..<users.count, using: &generator)
          program.setArgument(of: atom, atom % 2 == 0 ? 1 : 0, to: paths[other])
          expected[atom] = user == other ? 0 : -Int(EACCES)
          try engine.enqueue(program, atom)
        }
        try engine.flushHere()
        take(try engine.take(atLeast: free.count < 16 ? 16 : 0, capacity: 64, timeout: free.count < 16 ? Deadline.usual : .zero))
        if round % 50 == 49 {
          #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_UN)) == 0)
          while locksOut > 0 { take(try engine.take(capacity: 64)) }
          locksOut = waiters
          try lock()
          threadsMax = max(threadsMax, ProcessCounts.threads)
        }
      }
      #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_UN)) == 0)
      while engine.pending > 0 { take(try engine.take(capacity: 64)) }
      ThreadRights.setFileSystemUser(0)
      #expect(wrong == 0, "\(wrong) results of others' rights on \(backend)")
      // 8, 2, 3 for each of the other two users, and some that are about to end; and the test's own.
      #expect(threadsMax < 48)
      try engine.closeHere()
    }
  }

  @Test("While all workers wait with other rights, calls are made with the present ones", arguments: blocking)
  func othersWait(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let engine = try BadInputTests.engine(SysletEngine.Backend(rawValue: backend)!) { $0.maxWorkers = 2 }
      let program = Program(.direct)
      let lock = program.scratch.file("lock")
      let holder = program.descriptors.open(lock, O_RDWR)
      #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_EX)) == 0)
      let users: [UInt64] = [65532, 65533, 65534]
      program.scratch.give("", to: 0, 0o755)
      func wait() -> Int {
        program.atom(SystemCall.flock, .int(program.descriptors.open(lock, O_RDWR)), .int(LOCK_SH), next: .end)
      }
      // Twice: the second time each is at home again.
      for user in users + users {
        program.scratch.file("\(user)", "content")
        program.scratch.give("\(user)", to: user, 0o600)
        let waiters = [wait(), wait(), wait()]
        let path = program.path(program.scratch.path("\(user)"))
        let truncate = program.atom(SystemCall.truncate, .to(path), 7, next: .end)
        ThreadRights.setFileSystemUser(user)
        for waiter in waiters { try engine.enqueue(program, waiter) }
        for _ in 0..<3 {
          try engine.enqueue(program, truncate)
          #expect(try engine.take().map(\.result) == [0])
        }
        ThreadRights.setFileSystemUser(0)
      }
      #expect(ProcessCounts.threads < 24)
      #expect(plainCall(SystemCall.flock, .int(holder), .int(LOCK_UN)) == 0)
      #expect(try engine.takeAll(18).map(\.result) == [Int](repeating: 0, count: 18))
      try engine.closeHere()
    }
  }

  private static let blocking = SysletEngine.Backend.available.filter { $0 != .inline }

  /// A worker that is stuck in the open of a FIFO, and a syslet behind it that truncates a file, when the C library makes the whole process
  /// somebody else. How the syslet ends, and how many bytes the file has then.
  private static func becoming(_ before: uid_t, _ after: uid_t) throws -> (Taken, Int) {
    let engine = try BadInputTests.engine(.threads) { $0.maxWorkers = 1 }
    let program = Program(.direct)
    let (fifo, file) = (program.path(program.scratch.path("fifo")), program.path(program.scratch.file("file", "content")))
    program.scratch.give("", to: 0, 0o755)
    program.scratch.give("file", to: 0, 0o600)
    #expect(plainCall(SystemCall.mknodat, .int(AT_FDCWD), fifo.address, .int(S_IFIFO | 0o666), 0) == 0)
    program.scratch.give("fifo", to: 0, 0o666)
    program.atom(SystemCall.openat, .int(AT_FDCWD), .to(fifo), .int(O_RDONLY | O_CLOEXEC), next: .end)
    program.atom(SystemCall.truncate, .to(file), 3, next: .end)
    #expect(seteuid(before) == 0)
    for head in 0..<2 { try engine.enqueue(program, head) }
    try engine.flush()
    #expect(seteuid(after) == 0)
    // It is for both, and so its open does not wait.
    _ = program.descriptors.open(program.scratch.path("fifo"), O_RDWR)
    let taken = try engine.takeAll(2)
    for completion in taken where completion.result > 0 { plainCall(SystemCall.close, .int(completion.result)) }
    #expect(seteuid(0) == 0)
    try engine.close()
    return (try #require(taken.first { $0.userWord == Program.userWordBase + 1 }), program.scratch.content("file")?.count ?? -1)
  }

  @Test("When the C library makes the whole process somebody else, workers do not do with more rights what was handed over with fewer")
  func wholeProcess() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let (gained, count) = try Self.becoming(65534, 0)
      #expect(gained.reason == .cancelled)
      #expect(count == 7, "truncated with root's rights")
      // Rights that the process has given up are gone.
      let (lost, left) = try Self.becoming(0, 65534)
      #expect(lost.result == -Int(EACCES))
      #expect(left == 7)
      let (same, rest) = try Self.becoming(0, 0)
      #expect(same.result == 0)
      #expect(rest == 3)
    }
  }

  @Test("An executor's workers are renewed by a task on its thread")
  func executorRenewal() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      let executor = try SysletExecutor()
      let program = Program(.direct)
      program.scratch.file("name-of-its-own", "content")
      program.atom(SystemCall.truncate, .to(program.path("name-of-its-own")), 7)
      let folder = program.path(program.scratch.path).address
      #expect(try await executor.run(program).result == -Int(ENOENT))
      await withTaskExecutorPreference(executor) {
        #expect(plainCall(SystemCall.unshare, 0x200) == 0)  // CLONE_FS
        #expect(plainCall(SystemCall.chdir, folder) == 0)
      }
      try await executor.renewWorkers()
      #expect(try await executor.run(program).result == 0)
      executor.close()
      await #expect(throws: EngineError.closed) {
        while true { try await executor.renewWorkers() }
      }
    }
  }

  @Test(
    "After renewWorkers, calls are made where the owner's thread has its own working directory", arguments: SysletEngine.Backend.available)
  func renewal(backend: SysletEngine.Backend) async {
    await #expect(processExitsWith: .success) { [backend = backend.rawValue as String] in
      ProcessSettings.endIfStuck()
      let backend = SysletEngine.Backend(rawValue: backend)!
      let engine = try BadInputTests.engine(backend)
      let program = Program(.direct)
      program.scratch.file("name-of-its-own", "content")
      let path = program.path("name-of-its-own")
      func truncate() throws -> Int? { try RegressionTests.result(of: SystemCall.truncate, [path.address, 7], on: engine) }
      #expect(try truncate() == -Int(ENOENT))
      #expect(plainCall(SystemCall.unshare, 0x200) == 0)  // CLONE_FS
      #expect(plainCall(SystemCall.chdir, program.path(program.scratch.path).address) == 0)
      try engine.renewWorkersHere()
      #expect(try truncate() == 0)
      try engine.closeHere()
    }
  }
}
