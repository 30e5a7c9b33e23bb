// The listings of `explain` as golden texts. They are made for the reference kernel, not for the one at hand, so that they say what the
// translator decides and not where the test runs.

import Glibc
import Testing

@testable import SysletRing

@Suite("Listings", .leavesNothingBehind)
struct ExplanationTests {
  /// The listing on an engine of the reference kernel.
  static func listing(_ backend: EngineBackend, _ program: Program, after learn: (inout Placer) -> Void = { _ in }) -> String {
    let hasRing = backend == .ring || backend == .automatic
    let router = Router(backend: backend, hasRing: hasRing, severing: hasRing ? .reference : .none)
    let memory = AtomMemory(table: OperationTable.shared, isChecked: false)
    var known = Placer(isAutomatic: router.isAutomatic, inlineLimit: 1_000_000)
    learn(&known)
    var placer = Placer(listing: known)
    let isIndirect = program.form.isIndirect
    let head = unsafe isIndirect ? UnsafeMutableRawPointer(program.indirectAtom(0)) : UnsafeMutableRawPointer(program.directAtom(0))
    let address = unsafe AtomAddress(head)
    do {
      var translator = try Translator(memory: memory, router: router, callsMax: 256)
      guard program.form.isPrepared else { return translator.explain(address, isIndirect ? .indirect : .direct, &placer).description }
      let syslet = try memory.prepare(address, isIndirect ? .indirect : .direct)
      return withExtendedLifetime(syslet) { translator.explain(syslet.head, .prepared, &placer).description }
    } catch {
      return "\(error)"
    }
  }

  static func openReadClose(_ form: Form) -> Program {
    let p = Program(form)
    let descriptor = p.word(-1)
    p.atom(SystemCall.openat, .int(AT_FDCWD), .to(p.path("/etc/hostname")), .int(O_RDONLY), 0, flags: .stopOnNegative, result: descriptor)
    p.atom(SystemCall.read, .pointed(descriptor), .to(p.buffer(64)), 64, flags: .stopOnNegative, result: p.word())
    p.atom(SystemCall.close, .pointed(descriptor))
    return p
  }

  static func writeSyncRename(_ form: Form) -> Program {
    let p = Program(form)
    let file = Program.Argument.int(Int(p.descriptors.open(p.scratch.file("file"), O_RDWR)))
    p.atom(SystemCall.pwrite64, file, .to(p.buffer(64)), 64, 0, flags: .stopOnNegative)
    p.atom(SystemCall.fsync, file, flags: .stopOnNegative)
    p.atom(SystemCall.renameat, .int(AT_FDCWD), .to(p.path("new")), .int(AT_FDCWD), .to(p.path("current")))
    return p
  }

  static func readLoop(_ form: Form) -> Program {
    let p = Program(form)
    let (descriptor, read, total) = (p.word(-1), p.word(), p.word(0))
    p.atom(SystemCall.openat, .int(AT_FDCWD), .to(p.path("file")), .int(O_RDONLY), 0, result: descriptor)
    p.atom(
      SystemCall.read, .pointed(descriptor), .to(p.buffer(4)), 4, flags: [.stopOnNonPositive, .skipToNextOnStop], result: read,
      next: .atom(3))
    p.atom(SystemCall.close, .pointed(descriptor), next: .end)
    p.atom(umemAdd, .to(total), .pointed(read), next: .atom(1))
    return p
  }

  static func fourReads(_ form: Form) -> Program {
    let p = Program(form)
    let file = Program.Argument.int(Int(p.descriptors.open(p.scratch.file("file"), O_RDONLY)))
    for position in 0..<4 {
      p.atom(
        SystemCall.pread64, file, .to(p.buffer(4096)), 4096, .int(position * 4096),
        flags: position % 2 == 0 ? .stopOnNonPositive : .stopOnNegative)
    }
    return p
  }

  /// A soft link behind a transfer that stops the syslet on less than severs the link.
  static func early(_ stops: String) -> String {
    "IOSQE_IO_LINK: the syslet stops on \(stops), a link severs on negative, zero and short; severed early, it is resumed"
  }

  @Test("open-read-close: behind the open it depends on what the descriptor names by then", arguments: Form.allCases)
  func openReadClose(form: Form) {
    #expect(
      Self.listing(.ring, Self.openReadClose(form)) == """
        3 atoms on ring
        atom 0: openat, stops on negative, next atom 1
            ring, segment 1: \(Cut.open)
        atom 1: read, stops on negative, next atom 2
            worker: \(RingObstacle.isClosed)
        atom 2: close
            worker: \(RingObstacle.isClosed)

        """)
  }

  @Test("open-read-close: automatic makes plain calls of it", arguments: Form.allCases)
  func openReadCloseOnAutomatic(form: Form) {
    #expect(
      Self.listing(.automatic, Self.openReadClose(form)) == """
        3 atoms on automatic
        atom 0: openat, stops on negative, next atom 1
            inline: \(Placement.PlainReason.lookUp)
        atom 1: read, stops on negative, next atom 2
            inline: \(Placement.PlainReason.cached)
        atom 2: close
            inline: \(Placement.PlainReason.close)
        many at a time: calls made inline are shared with workers from 40 µs of work on

        """)
  }

  @Test("L1: write, fsync, rename: the ring is cut behind the fsync, whose failure severs nothing", arguments: Form.allCases)
  func writeSyncRename(form: Form) {
    #expect(
      Self.listing(.ring, Self.writeSyncRename(form)) == """
        3 atoms on ring
        atom 0: pwrite64, stops on negative, next atom 1
            ring, segment 1, \(Self.early("negative"))
        atom 1: fsync, stops on negative, next atom 2
            ring, segment 1: cut: the syslet stops on negative, and this kernel's links do not
        atom 2: renameat
            worker: \(RingObstacle.isNeverKnown)

        """)
    #expect(
      Self.listing(.automatic, Self.writeSyncRename(form)) == """
        3 atoms on automatic
        atom 0: pwrite64, stops on negative, next atom 1
            inline: \(Placement.PlainReason.buffered)
        atom 1: fsync, stops on negative, next atom 2
            worker: \(Placement.PlainReason.punted); such a run takes some 200 µs, and is made here only while nothing else is waited for
        atom 2: renameat
            worker: the worker that has the syslet makes it too
        many at a time: calls made inline are shared with workers from 40 µs of work on

        """)
  }

  @Test("A read loop is cut at its branch, and counts inline", arguments: Form.allCases)
  func readLoop(form: Form) {
    #expect(
      Self.listing(.ring, Self.readLoop(form)) == """
        4 atoms on ring
        atom 0: openat, next atom 1
            ring, segment 1: \(Cut.open)
        atom 1: read, stops on non-positive, then atom 3, next atom 2
            worker: \(RingObstacle.isClosed)
        atom 2: umem_add, next atom 1
            worker: the worker that has the syslet makes it too
        atom 3: close
            worker: \(RingObstacle.isClosed)

        """)
  }

  @Test("Four reads that stop on failure, or at the end of the file, are one chain of soft links", arguments: Form.allCases)
  func fourReads(form: Form) {
    #expect(
      Self.listing(.ring, Self.fourReads(form)) == """
        4 atoms on ring
        atom 0: pread64, stops on non-positive, next atom 1
            ring, segment 1, \(Self.early("negative and zero"))
        atom 1: pread64, stops on negative, next atom 2
            ring, segment 1, \(Self.early("negative"))
        atom 2: pread64, stops on non-positive, next atom 3
            ring, segment 1, \(Self.early("negative and zero"))
        atom 3: pread64, stops on negative
            ring, segment 1: the syslet ends here

        """)
    #expect(
      Self.listing(.automatic, Self.fourReads(form)) == """
        4 atoms on automatic
        atom 0: pread64, stops on non-positive, next atom 1
            inline: \(Placement.PlainReason.cached)
        atom 1: pread64, stops on negative, next atom 2
            inline: \(Placement.PlainReason.cached)
        atom 2: pread64, stops on non-positive, next atom 3
            inline: \(Placement.PlainReason.cached)
        atom 3: pread64, stops on negative
            inline: \(Placement.PlainReason.cached)
        many at a time: calls made inline are shared with workers from 40 µs of work on

        """)
  }

  @Test("What has been measured lately and decides is told", arguments: Form.allCases)
  func lately(form: Form) {
    let program = Self.openReadClose(form)
    #expect(!Self.listing(.automatic, program).contains("lately"))
    let slow = Self.listing(.automatic, program) { _ = $0.noteRead(60_000, isSlow: true) }
    #expect(slow.contains("lately: reads that should have been in memory were slow"))
    let row = OperationTable.shared.row(SystemCall.openat)
    let handed = Self.listing(.automatic, program) { $0.noteCost(row, 900_000_000, calls: 1) }
    #expect(handed.contains("such a run takes some 900000 µs") && !handed.contains("lately"))
    let paused = Self.listing(.automatic, program) { placer in
      for _ in 0..<3 {
        placer.sharing.noteOffer(64)
        placer.sharing.noteOwn(64)
      }
    }
    #expect(paused.contains("lately: workers took little"))
  }

  @Test("Without a ring the listing says that everything runs on a worker, or on the calling thread")
  func withoutRing() {
    #expect(
      Self.listing(.threads, Self.writeSyncRename(.direct)) == """
        3 atoms on threads
        atom 0: pwrite64, stops on negative, next atom 1
            worker: there is no ring
        atom 1: fsync, stops on negative, next atom 2
            worker: in the same hop; there is no ring
        atom 2: renameat
            worker: in the same hop; there is no ring

        """)
    #expect(
      Self.listing(.inline, Self.openReadClose(.indirect)) == """
        3 atoms on inline
        atom 0: openat, stops on negative, next atom 1
            inline: everything runs on the calling thread
        atom 1: read, stops on negative, next atom 2
            inline: everything runs on the calling thread
        atom 2: close
            inline: everything runs on the calling thread

        """)
  }

  @Test("explain executes nothing, and lists for the engine that it is asked of", arguments: SysletEngine.Backend.available, Form.allCases)
  func executesNothing(backend: SysletEngine.Backend, form: Form) throws {
    var options = SysletEngine.Options()
    options.backend = backend
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let program = Program(form)
    let (sum, descriptor) = (program.word(0), program.word())
    program.atom(umemAdd, .to(sum), 1)
    program.atom(
      SystemCall.openat, .int(AT_FDCWD), .to(program.path(program.scratch.path("new"))), .int(O_WRONLY | O_CREAT), 0o600, result: descriptor
    )
    let listing = engine.explain(program)
    #expect(listing.hasPrefix("2 atoms on \(engine.backend.rawValue)\n"))
    #expect(listing.contains("umem_add") && listing.contains("openat"))
    #expect([sum.value, descriptor.value] == [0, Program.untouched])
    #expect(!program.scratch.exists("new"))
    #expect(engine.statistics == Statistics())
    #expect(engine.pending == 0)
  }
}
