// Every workload gives the right results on the caller's thread, and notices results that are wrong.

import CSysletBench
import Foundation
import Glibc
import Testing

@testable import SysletRing
@testable import syslet_bench

@Suite struct WorkloadTests {
  @Test("Every workload passes its own checks", arguments: WorkloadCatalog.all, [1, 3])
  func passes(_ description: WorkloadDescription, depth: Int) throws {
    try withInputs { inputs in
      for variant in description.variants {
        let workload: any Workload
        do {
          workload = try variant.make(inputs, depth: depth)
        } catch Failure.skipped {
          // This filesystem has no O_DIRECT, or there are fewer connections than syslets; the run would say so in its table.
          continue
        }
        let count = min(8, workload.itemCount, workload.passMax)
        #expect(try problem(of: workload, depth: depth, count: count) == nil)
        #expect(!workload.subject.isEmpty)
        #expect(workload.byteCount(of: 0..<count) >= 0)
      }
    }
  }

  @Test("A workload's atoms are what it says it executes")
  func atoms() throws {
    try withInputs { inputs in
      for variant in WorkloadCatalog.all.flatMap(\.variants) {
        guard let workload = try? variant.make(inputs, depth: 1) else { continue }
        let engine = try EngineMaker.make(backend(for: workload), sqes: 1)
        defer { EngineMaker.close(engine) }
        try workload.beginPass()
        let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 1)
        defer { unsafe completions.deallocate() }
        try unsafe engine.enqueue(workload.arm(0, item: 0), as: workload.layout)
        if workload.isProvoked {
          repeat { try engine.flush() } while !workload.hasBegun(0)
          try workload.provoke(0, on: engine)
        }
        #expect(try unsafe engine.wait(into: completions) == 1)
        #expect(unsafe completions[0].executed == workload.atomsExecuted)
        #expect(unsafe workload.slots.slot(of: completions[0].atom) == 0)
      }
    }
  }

  @Test("Of every workload what is submitted is what its listing says, raw, prepared, and from what was translated before")
  func listings() throws {
    var compared = Set<String>()
    try withInputs { inputs in
      for description in WorkloadCatalog.all {
        for variant in description.variants {
          guard let workload = try? variant.make(inputs, depth: 1) else { continue }
          let kernel = RecordingKernel(entries: 64)
          var options = SysletEngine.Options()
          options.backend = .ring
          let engine = try SysletEngine(options, on: kernel.ring, believing: LinkModel.modern.findings)
          defer {
            EngineMaker.close(engine)
            withExtendedLifetime(kernel) {}
          }
          try workload.beginPass()
          let head = unsafe workload.arm(0, item: 0)
          let explanation = unsafe engine.explain(head, as: workload.layout)
          let expected = RecordingKernel.listed(explanation)
          if expected.isEmpty { continue }
          let prepared = unsafe try workload.layout == .direct ? engine.prepare(head) : engine.prepare(head.indirect)
          #expect(RecordingKernel.listed(engine.explain(prepared)) == expected)
          for round in 0..<3 {
            kernel.submitted = []
            if round == 0 { unsafe try engine.enqueue(head, as: workload.layout) } else { try engine.enqueue(prepared) }
            try engine.flush()
            #expect(kernel.submitted == expected, "\(description.name) \(workload.variant), round \(round)\n\(explanation)")
            let completions = UnsafeMutableBufferPointer<Completion>.allocate(capacity: 1)
            defer { unsafe completions.deallocate() }
            #expect(unsafe try engine.wait(into: completions) == 1)
          }
          compared.insert(description.name)
        }
      }
    }
    // The others begin with what is no ring's: a write, a read at the file's position, an addition.
    let expected: Set = ["nop", "read-cached", "open-read-close", "open-fstat-read-close", "stat-walk", "echo"]
    #expect(compared.isSuperset(of: expected), "compared: \(compared.sorted())")
  }

  @Test("Slots are told apart by their atoms' addresses")
  func slots() {
    let memory = SlotMemory(count: 3, atoms: 2, words: 1, bufferBytes: 10)
    for slot in 0..<3 {
      for atom in 0..<2 { #expect(unsafe memory.slot(of: UnsafeMutableRawPointer(memory.atom(slot, atom))) == slot) }
    }
    #expect(unsafe memory.slot(of: UnsafeMutableRawPointer(memory.atom(0, 0)) - 8) == nil)
    #expect(unsafe memory.slot(of: UnsafeMutableRawPointer(memory.atom(3, 0))) == nil)
    #expect(unsafe UInt(bitPattern: memory.buffer(1)) % 4096 == 0)
  }

  @Test("nop: a syslet that ran too few atoms, or failed, is wrong")
  func nop() {
    let workload = NopWorkload(atomCount: 4, depth: 1)
    #expect(workload.check(0, item: 0, completion(of: workload, executed: 4)))
    #expect(!workload.check(0, item: 0, completion(of: workload, executed: 3)))
    #expect(!workload.check(0, item: 0, completion(of: workload, result: -1, executed: 4)))
    #expect(!workload.check(0, item: 0, completion(of: workload, executed: 4, reason: .cancelled)))
  }

  @Test("count-loop: counters that are off by one are wrong")
  func countLoop() throws {
    let workload = CountLoopWorkload(depth: 1)
    #expect(try problem(of: workload, depth: 1, count: 2) == nil)
    let right = completion(of: workload, executed: 199, reason: .stopped)
    #expect(workload.check(0, item: 0, right))
    unsafe workload.slots.word(0, 1).pointee -= 1
    #expect(!workload.check(0, item: 0, right))
    #expect(workload.inspect(0, item: 0, right) != nil)
  }

  @Test("read-cached: a changed byte anywhere in the file is found")
  func read() throws {
    try withInputs { inputs in
      let workload = try ReadWorkload(cached: inputs, depth: 2)
      let path = inputs.scratch.path + "/read"
      // One byte in the middle of each block: the quick check does not look there, the thorough one does.
      for block in 0..<workload.itemCount { overwrite(path, at: block * 4096 + 1000, with: [0xFF]) }
      #expect(try problem(of: workload, depth: 2, count: 4)?.contains("read wrong") == true)
      for block in 0..<workload.itemCount { overwrite(path, at: block * 4096, with: [UInt8](repeating: 0, count: 8)) }
      let engine = try EngineMaker.make(.inline, sqes: 1)
      defer { EngineMaker.close(engine) }
      #expect(try PassRunner(engine: engine, workload: workload, depth: 2).pass(first: 0, count: 4).problem != nil)
    }
  }

  @Test("read-cached: a file that became shorter is found")
  func readShort() throws {
    try withInputs { inputs in
      let workload = try ReadWorkload(cached: inputs, depth: 1)
      #expect(unsafe truncate(inputs.scratch.path + "/read", 0) == 0)
      #expect(try problem(of: workload, depth: 1, count: 1)?.contains("result 0") == true)
    }
  }

  @Test("open-read-close: a file of another length, a missing file and a wrong byte are found")
  func openReadClose() throws {
    try withInputs { inputs in
      let workload = try OpenReadCloseWorkload(inputs, isExamining: false, depth: 1)
      let tree = inputs.scratch.path + "/tree"
      #expect(try problem(of: workload, depth: 1, count: 2) == nil)
      let bytes = unsafe workload.slots.word(0, 1).pointee
      let right = completion(of: workload, executed: 3)
      #expect(workload.inspect(0, item: 1, right) == nil)
      unsafe workload.slots.buffer(0).storeBytes(of: 0, as: UInt8.self)
      #expect(workload.inspect(0, item: 1, right)?.contains("read wrong") == true)
      unsafe workload.slots.word(0, 1).pointee = bytes - 1
      #expect(!workload.check(0, item: 1, right))

      overwrite(tree + "/a", at: 1000, with: [1])
      #expect(try problem(of: workload, depth: 1, count: 2)?.contains("/a") == true)
      #expect(unsafe unlink(tree + "/a") == 0)
      #expect(try problem(of: workload, depth: 1, count: 2)?.contains("No such file") == true)
    }
  }

  @Test("open-fstat-read-close: a file whose size statx gives wrong is found")
  func openExamineReadClose() throws {
    try withInputs { inputs in
      let workload = try OpenReadCloseWorkload(inputs, isExamining: true, depth: 1)
      #expect(try problem(of: workload, depth: 1, count: 2) == nil)
      let right = completion(of: workload, executed: 4)
      #expect(workload.check(0, item: 1, right))
      #expect(!workload.check(0, item: 1, completion(of: workload, executed: 3)))
      unsafe StatxRecord.forget(workload.slots.buffer(0) + OpenReadCloseWorkload.readBytes)
      #expect(!workload.check(0, item: 1, right))
      #expect(workload.inspect(0, item: 1, right)?.contains("statx gave the size -1") == true)
      // The read gives one page of it, as before; only statx can know.
      overwrite(inputs.scratch.path + "/tree/a", at: 0, with: [UInt8](repeating: 1, count: OpenReadCloseWorkload.readBytes))
      overwrite(inputs.scratch.path + "/tree/b", at: 0, with: [UInt8](repeating: 1, count: OpenReadCloseWorkload.readBytes))
      let larger = try OpenReadCloseWorkload(
        Inputs(scratch: inputs.scratch, isScratchExplicit: true, tree: inputs.scratch.path + "/tree", seed: 1, scale: .miniature),
        isExamining: true, depth: 1)
      overwrite(inputs.scratch.path + "/tree/a", at: OpenReadCloseWorkload.readBytes, with: [1])
      #expect(try problem(of: larger, depth: 1, count: 2)?.contains("size 4097, not 4096") == true)
    }
  }

  @Test("arguments: an argument or a result that did not arrive is found", arguments: ["direct", "pmap", "indirect"])
  func arguments(_ name: String) throws {
    let workload = ArgumentsWorkload(try #require(ArgumentsWorkload.Form(rawValue: name)), depth: 2)
    #expect(workload.variant == name)
    #expect(try problem(of: workload, depth: 2, count: 5) == nil)
    // Item 4 was the last one of slot 0: 4 + 7.
    let right = completion(of: workload, result: 11, executed: 32)
    #expect(workload.check(0, item: 4, right))
    #expect(!workload.check(0, item: 3, right))
    #expect(!workload.check(0, item: 4, completion(of: workload, result: 11, executed: 31)))
    #expect(!workload.check(0, item: 4, completion(of: workload, result: 11, executed: 32, reason: .cancelled)))
    // What umem_add adds is behind a pointer in all forms but the direct one.
    unsafe workload.slots.word(0, 7).pointee = 8
    let found = try problem(of: workload, depth: 1, count: 1)
    #expect((found == nil) == (name == "direct"))
    unsafe workload.slots.word(0, 7).pointee = 7
    unsafe workload.slots.word(0, 9).pointee = 1
    #expect(workload.inspect(0, item: 4, right)?.contains("getppid gave 1,") == true)
  }

  @Test("mixed-direct: a block that was not written, or was read wrong, is found, and the file is restored")
  func mixed() throws {
    try withInputs { inputs in
      guard (try? inputs.directFile()) != nil else { return }
      let path = try inputs.directFile().path
      do {
        let workload = try MixedWorkload(inputs, depth: 2)
        let count = workload.itemCount
        #expect(try problem(of: workload, depth: 2, count: count) == nil)
        #expect(try problem(of: workload, depth: 2, count: count) == nil)
        let writes = (0..<count).filter { unsafe workload.arm(0, item: $0) == workload.slots.atom(0, 1) }
        let reads = (0..<count).filter { !writes.contains($0) }
        #expect(!writes.isEmpty && reads.count > writes.count)
        // Those writes were armed and never made.
        #expect(workload.endPass(isThorough: false)?.contains("is not what was written last") == true)
        _ = workload.endPass(isThorough: false)
      }
      let file = try inputs.readFile()
      let reader = try ReadWorkload(direct: inputs, depth: 1)
      #expect(try problem(of: reader, depth: 1, count: reader.itemCount) == nil)
      #expect(file.byteCount == inputs.scale.readFileBytes)

      let workload = try MixedWorkload(inputs, depth: 1)
      for block in 0..<workload.itemCount { overwrite(path, at: block * 4096 + 1000, with: [0xFF]) }
      #expect(try problem(of: workload, depth: 1, count: workload.itemCount)?.contains("was read wrong") == true)
    }
  }

  @Test("atomic-replace: a target that is old, torn, too long or missing is found, and so is a leftover")
  func atomicReplace() throws {
    try withInputs { inputs in
      let path = inputs.scratch.path + "/replaced-1"
      do {
        let workload = try AtomicReplaceWorkload(inputs, depth: 2)
        #expect(workload.endPass(isThorough: true) == nil)
        #expect(try problem(of: workload, depth: 2, count: 6) == nil)
        overwrite(path, at: 1000, with: [1])
        #expect(workload.endPass(isThorough: false)?.contains("replaced-1 is not version 3") == true)
        #expect(try problem(of: workload, depth: 2, count: 6) == nil)
        overwrite(path, at: AtomicReplaceWorkload.contentBytes, with: [1])
        #expect(workload.endPass(isThorough: false) != nil)
        #expect(try problem(of: workload, depth: 2, count: 6) == nil)
        // A replacement that the engine says was made and was not.
        _ = unsafe workload.arm(1, item: 0)
        #expect(workload.endPass(isThorough: false)?.contains("is not version 10") == true)
        #expect(!workload.check(1, item: 0, completion(of: workload, executed: 5)))
        #expect(unsafe unlink(path) == 0)
        #expect(workload.endPass(isThorough: false)?.contains("cannot be read back") == true)
        #expect(try problem(of: workload, depth: 2, count: 2) == nil)
        let leftover = Descriptor.open(path + ".new", O_WRONLY | O_CREAT)
        #expect(leftover != nil)
        #expect(workload.endPass(isThorough: false)?.contains("still there") == true)
      }
      for suffix in ["", ".new"] { #expect(unsafe access(path + suffix, F_OK) != 0) }
    }
  }

  @Test("echo: a message that does not come back as it was sent is found", arguments: [1, 64], [EchoWorkload.Transport.pairs, .tcp])
  func echo(_ connections: Int, _ transport: EchoWorkload.Transport) throws {
    try withInputs { inputs in
      let depth = min(connections, 3)
      let workload = try EchoWorkload(inputs, connections: connections, over: transport, depth: depth)
      #expect(try problem(of: workload, depth: depth, count: 200) == nil)
      let right = completion(of: workload, result: 64, executed: 2)
      // Nothing has been sent.
      _ = unsafe workload.arm(0, item: 0)
      #expect(!workload.check(0, item: 0, right))
      #expect(workload.inspect(0, item: 0, right)?.contains("-1 bytes came back") == true)
      // The syslet echoes another message than the one that came.
      let engine = try EngineMaker.make(.threads, sqes: 1)
      defer { EngineMaker.close(engine) }
      let head = unsafe workload.arm(0, item: 1)
      try unsafe engine.enqueue(head)
      try engine.flush()
      workload.provoke(0, on: engine)
      #expect(try engine.wait(atLeast: 1) == 1)
      unsafe (workload.slots.buffer(0) + EchoWorkload.messageBytes).storeBytes(of: 0, as: UInt8.self)
      #expect(!workload.check(0, item: 1, right))
      #expect(workload.inspect(0, item: 1, right)?.contains("the echo is not the message") == true)
      // A message that nobody has taken.
      _ = unsafe workload.arm(0, item: 2)
      workload.provoke(0, on: engine)
      #expect(workload.endPass(isThorough: false)?.contains("at its server") == true)
    }
  }

  @Test("echo: more syslets than connections cannot run")
  func echoDepth() throws {
    try withInputs { inputs in
      let failure = try #require(throws: Failure.self) { _ = try EchoWorkload(inputs, connections: 1, over: .pairs, depth: 2) }
      guard case .skipped(let reason) = failure else { throw failure }
      #expect(reason.contains("need 2 connections"))
    }
  }

  @Test("cancel: a sleep that ended, or an atom that ran behind it, is wrong")
  func cancel() throws {
    let workload = CancelWorkload(depth: 2)
    #expect(try problem(of: workload, depth: 2, count: 6) == nil)
    let right = completion(of: workload, result: 1, executed: 1, reason: .cancelled)
    #expect(workload.check(0, item: 0, right))
    #expect(!workload.check(0, item: 0, completion(of: workload, executed: 3)))
    #expect(!workload.check(0, item: 0, completion(of: workload, result: -Int(EINTR), executed: 2, reason: .cancelled)))
    // One that had not begun.
    #expect(!workload.check(0, item: 0, completion(of: workload, result: -Int(ECANCELED), executed: 0, reason: .cancelled)))
    unsafe workload.slots.word(0, 3).pointee = 1
    #expect(!workload.check(0, item: 0, right))
    #expect(workload.inspect(0, item: 0, right)?.contains("1 atoms ran behind the sleep") == true)
  }

  @Test("A workload that would wait for its own thread says so, and has no row there")
  func obstacles() throws {
    #expect(CancelWorkload(depth: 1).obstacle(on: .inline) != nil)
    #expect(CancelWorkload(depth: 1).obstacle(on: .threads) == nil)
    #expect(NopWorkload(atomCount: 1, depth: 1).obstacle(on: .inline) == nil)
    #expect(SysletBench.exitCode(running: ["run", "cancel", "--backend", "inline", "--seconds", "0.01"]) == 3)
    #expect(Skip(workload: "cancel", backend: .inline, reason: "").name == "cancel on inline")
  }

  @Test("stat-walk: a file of another size is found")
  func statWalk() throws {
    try withInputs { inputs in
      let workload = try StatWalkWorkload(inputs, depth: 1)
      overwrite(inputs.scratch.path + "/tree/b", at: 500, with: [1])
      let found = try problem(of: workload, depth: 1, count: 2)
      #expect(found?.contains("/tree/b") == true)
      #expect(found?.contains("501") == true)
    }
  }

  @Test("log-append: a record that is missing, or wrong, is found")
  func logAppend() throws {
    try withInputs { inputs in
      let workload = try LogAppendWorkload(inputs, depth: 2)
      let path = inputs.scratch.path + "/log-0"
      #expect(try problem(of: workload, depth: 2, count: 6) == nil)
      #expect(try problem(of: workload, depth: 2, count: 6) == nil)
      // An append that the engine says was made and was not.
      _ = unsafe workload.arm(0, item: 0)
      #expect(workload.endPass(isThorough: true)?.contains("not 7 records") == true)
      // One that was made with other bytes.
      _ = unsafe workload.arm(0, item: 0)
      overwrite(path, at: 6 * LogAppendWorkload.recordBytes, with: [UInt8](repeating: 0, count: 2 * LogAppendWorkload.recordBytes))
      #expect(workload.endPass(isThorough: true)?.contains("record 7 is wrong") == true)
    }
  }

  @Test("copy: a copy that is short, or differs in a byte, is found")
  func copy() throws {
    try withInputs { inputs in
      let workload = try CopyWorkload(inputs, depth: 2)
      #expect(try problem(of: workload, depth: 2, count: 2) == nil)
      let path = inputs.scratch.path + "/copy-1"
      overwrite(path, at: 70_000, with: [0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA])
      #expect(workload.endPass(isThorough: false) == nil)
      #expect(workload.endPass(isThorough: true)?.contains("copy-1") == true)
      #expect(unsafe truncate(path, 100) == 0)
      #expect(workload.endPass(isThorough: false)?.contains("100 bytes") == true)
    }
  }

  @Test("Files of a workload are gone when it is")
  func cleanUp() throws {
    try withInputs { inputs in
      do {
        let workload = try LogAppendWorkload(inputs, depth: 2)
        #expect(unsafe access(inputs.scratch.path + "/log-0", F_OK) == 0)
        withExtendedLifetime(workload) {}
      }
      #expect(unsafe access(inputs.scratch.path + "/log-0", F_OK) != 0)
    }
  }
}

@Suite struct MeasurementTests {
  @Test("Allocations are counted where the C library allows it")
  func allocations() throws {
    guard syslet_bench_counts_allocations() else { return }
    let before = syslet_bench_allocations()
    for _ in 0..<10 { unsafe UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 8).deallocate() }
    #expect(syslet_bench_allocations() >= before + 10)
  }

  @Test("A cell gives a row per backend and the ratios between them")
  func cell() throws {
    let workload = NopWorkload(atomCount: 1, depth: 2)
    var report = report([])
    let cell = Cell(
      name: "nop", workload: workload, depth: 2, backends: [.inline, .threads], repeatNanoseconds: 1e5, repeats: 3)
    try cell.measure(into: &report, progress: Progress(total: 1, isShown: false))
    #expect(report.rows.map(\.backend) == [.inline, .threads])
    for row in report.rows {
      #expect(row.isChecked)
      #expect(row.repeats.count == 3)
      #expect(row.syslets > 0)
      #expect(row.latency.p50 > 0 && row.latency.p50 <= row.latency.max)
    }
    #expect(report.rows[0].perSyslet(\.inlineCalls) == 1)
    #expect(report.rows[1].perSyslet(\.workerHops) == 1)
    #expect(report.ratios.count == 1)
  }

  @Test("A run in a process of its own ends with 0 and leaves no scratch folder")
  func wholeRun() async throws {
    await #expect(processExitsWith: .exitCode(0)) {
      let code = SysletBench.exitCode(running: [
        "run", "nop", "count-loop", "--backend", "inline", "--seconds", "0.01", "--repeats", "2", "--depth", "1",
      ])
      Glibc.exit(code)
    }
  }

  /// A sleep of 300 ms, which a signal finds waiting.
  private final class SleepWorkload: Workload {
    let slots = SlotMemory(count: 1, atoms: 1, words: 2)
    let variant = ""
    let subject = "a sleep"
    let atomsExecuted = 1
    let itemCount = 1

    init() {
      unsafe slots.word(0, 1).pointee = 300_000_000
      unsafe slots.atom(0, 0).initialize(to: Atom(SystemCall.nanosleep, UInt64(argument: slots.word(0, 0)), 0))
    }

    func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> { unsafe slots.atom(0, 0) }
    func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool { completion.reason == .ended }
  }

  // A signal ends the engine's wait. The loop took that for a syslet that never completes: Ctrl-C showed WRONG results, and the syslet was
  // still in flight when its slot was armed again.
  @Test("A signal in the middle of a wait ends a pass once everything is back, and nothing is wrong")
  func interruptedWait() async throws {
    await #expect(processExitsWith: .success) {
      var signals = sigset_t()
      unsafe sigemptyset(&signals)
      unsafe sigaddset(&signals, SIGINT)
      // The threads that tests run on block signals.
      unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
      try Interrupt.note()
      let thread = pthread_self()
      Thread.detachNewThread {
        usleep(100_000)
        pthread_kill(thread, SIGINT)
      }
      // Without a ring the wait is one that the kernel takes up again.
      let engine = try EngineMaker.make(.automatic, sqes: 1)
      defer { EngineMaker.close(engine) }
      let runner = PassRunner(engine: engine, workload: SleepWorkload(), depth: 1)
      #expect(throws: Failure.interrupted(signal: SIGINT)) {
        let sample = try runner.pass(first: 0, count: 1000)
        Issue.record("the pass ended: \(sample.problem ?? "")")
      }
      #expect(engine.pending == 0)
      #expect(engine.statistics.completed == engine.statistics.accepted)
    }
  }

  @Test("A noted signal ends a run with 128 + its number, and the scratch folder is removed")
  func interrupted() async throws {
    await #expect(processExitsWith: .exitCode(130)) {
      syslet_bench_set_interrupt(SIGINT)
      Glibc.exit(SysletBench.exitCode(running: ["run", "nop", "--backend", "inline", "--seconds", "0.01"]))
    }
  }
}
