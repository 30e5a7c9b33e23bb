// The conformance table of docs/SEMANTICS.md, C1 to C11 and C14 to C24 where they are about one syslet at a time; C12, C13, C15 and C17 are
// in ConformanceCases+Completions.swift. Each case is written once and holds on every backend, in every form and delivery.

import Glibc
import SysletRing

struct ConformanceCase: Sendable, CustomStringConvertible {
  let name: String
  /// Whether its heads carry ASYNC in any case, so that a second turn with ASYNC on the head would be the same again.
  let setsAsync: Bool
  /// The backends on which the case cannot hold; C15 alone has one, as it needs two syslets that sleep at once.
  let excused: Set<SysletEngine.Backend>
  /// Whether it writes what stands in an atom: one that is prepared has been read by then.
  let writesAtoms: Bool
  let run: @Sendable (Conformance) throws -> Void

  init(
    name: String, setsAsync: Bool = false, writesAtoms: Bool = false, excused: Set<SysletEngine.Backend> = [],
    run: @escaping @Sendable (Conformance) throws -> Void
  ) {
    self.name = name
    self.setsAsync = setsAsync
    self.writesAtoms = writesAtoms
    self.excused = excused
    self.run = run
  }

  var description: String { name }

  static let all: [ConformanceCase] = singleSyslets + completions
}

/// errno values as results.
enum Failure {
  static let permission = -Int(EPERM)
  static let missing = -Int(ENOENT)
  static let cancelled = -Int(ECANCELED)
  static let badDescriptor = -Int(EBADF)
  static let fault = -Int(EFAULT)
  static let invalid = -Int(EINVAL)
  static let unknownCall = -Int(ENOSYS)
  static let isDirectory = -Int(EISDIR)
}

extension Program {
  /// A file of the scratch directory opened for writing, as an argument.
  func opened(_ name: String, _ flags: Int32 = O_WRONLY) -> Argument {
    .int(descriptors.open(scratch.file(name), flags))
  }

  /// A file with content but without a name, as an argument: the cheapest there is, for cases that need hundreds.
  func filled(_ content: String) -> Argument { .int(descriptors.file(Array(content.utf8))) }
}

extension ConformanceCase {
  private static var currentDirectory: Program.Argument { .int(AT_FDCWD) }
  private static let tenBytes = "0123456789"

  static let singleSyslets: [ConformanceCase] = [
    ConformanceCase(name: "C1 one call") { c in
      try c.run(Expected(atom: 0, result: Int(getpid()), executed: 1, reason: .ended, neverBlocks: true)) {
        $0.atom(SystemCall.getpid, result: $0.word())
      } check: {
        try c.equal($0.comparedWords[0].value, Int(getpid()), "the process id")
      }
    },

    ConformanceCase(name: "C2 open, fstat, read, close") { c in
      try c.run(Expected(atom: 3, result: 0, executed: 4, reason: .ended)) { p in
        let path = p.path(p.scratch.file("file", tenBytes))
        let (descriptor, read) = (p.word(-1, compared: false), p.word())
        p.atom(
          SystemCall.openat, currentDirectory, .to(path), .int(O_RDONLY | O_CLOEXEC), 0, flags: .stopOnNegative,
          result: descriptor)
        p.atom(SystemCall.fstat, .pointed(descriptor), .to(p.buffer(256, compared: false)), result: p.word())
        p.atom(SystemCall.read, .pointed(descriptor), .to(p.buffer(16)), 10, result: read)
        p.atom(SystemCall.close, .pointed(descriptor), result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [10, 0, 0], "results of read, fstat and close")
        try c.equal(p.comparedBuffers[0].text, tenBytes, "what was read")
      }
    },

    ConformanceCase(name: "C3 a failed open stops") { c in
      try c.run(Expected(atom: 0, result: Failure.missing, executed: 1, reason: .stopped)) { p in
        let descriptor = p.word()
        p.atom(
          SystemCall.openat, currentDirectory, .to(p.path(p.scratch.path("missing"))), .int(O_RDONLY), 0,
          flags: .stopOnNegative, result: descriptor)
        p.atom(SystemCall.read, .pointed(descriptor), .to(p.buffer(16)), 10, result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [Failure.missing, Program.untouched], "results of open and read")
      }
    },

    ConformanceCase(name: "C4 a read loop with a skip") { c in
      try c.run(Expected(atom: 2, result: 0, executed: 9, reason: .ended)) { p in
        let path = p.path(p.scratch.file("file", tenBytes))
        let (descriptor, read, total) = (p.word(-1, compared: false), p.word(), p.word(0))
        p.atom(SystemCall.openat, currentDirectory, .to(path), .int(O_RDONLY | O_CLOEXEC), 0, result: descriptor)
        p.atom(
          SystemCall.read, .pointed(descriptor), .to(p.buffer(4)), 4, flags: [.stopOnNonPositive, .skipToNextOnStop],
          result: read, next: .atom(3))
        p.atom(SystemCall.close, .pointed(descriptor), result: p.word(), next: .end)
        p.atom(umemAdd, .to(total), .pointed(read), next: .atom(1))
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [0, 10, 0], "the last read, the total, close")
      }
    },

    ConformanceCase(name: "C5 a loop that counts") { c in
      try c.run(Expected(atom: 0, result: 0, executed: 9, reason: .stopped, neverBlocks: true)) { p in
        let (i, k) = (p.word(5), p.word(0))
        p.atom(umemAdd, .to(i), -1, flags: .stopOnZero, next: .atom(1))
        p.atom(umemAdd, .to(k), 1, next: .atom(0))
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [0, 4], "i and k")
      }
    },

    ConformanceCase(name: "C6 every result, stop condition and skip") { c in
      // Results -1, 0 and 1 of a pseudo call, which runs inline, and of a read, which the ring can run.
      for (flags, fires) in stopConditions {
        for result in -1...1 {
          for skips in [false, true] {
            let isFired = fires[result + 1]
            let last = isFired ? (skips ? 1 : 0) : 2
            let counts = isFired && !skips ? 1 : 2
            let reason: Completion.Reason = isFired && !skips ? .stopped : .ended
            let flags = skips ? flags.union(.skipToNextOnStop) : flags
            try c.run(Expected(atom: last, result: counts == 1 ? result : 1, executed: counts, reason: reason, neverBlocks: true)) { p in
              p.atom(umemAdd, .to(p.word(0)), .int(result), flags: flags, result: p.word(), next: .atom(2))
              p.atom(umemAdd, .to(p.word(0)), 1, result: p.word(), next: .end)
              p.atom(umemAdd, .to(p.word(0)), 1, result: p.word(), next: .end)
            }
            let read = [Failure.badDescriptor, 0, 1][result + 1]
            try c.run(Expected(atom: last, result: counts == 1 ? read : 1, executed: counts, reason: reason)) { p in
              let file: Program.Argument = result < 0 ? -1 : p.filled(result == 0 ? "" : "x")
              p.atom(SystemCall.read, file, .to(p.buffer(4)), 4, flags: flags, result: p.word(), next: .atom(2))
              p.atom(umemAdd, .to(p.word(0)), 1, result: p.word(), next: .end)
              p.atom(umemAdd, .to(p.word(0)), 1, result: p.word(), next: .end)
            }
          }
        }
      }
    },

    ConformanceCase(name: "C7 a list that ends early, and a literal zero") { c in
      try c.run(Expected(atom: 0, result: 0, executed: 1, reason: .ended, neverBlocks: true)) { p in
        p.atom(SystemCall.lseek, p.filled(tenBytes), result: p.word())
        // The third argument stays behind the end of the list, where it must not be seen.
        p.store(.int(SEEK_END), behindListOf: 0, 2)
      }
      try c.run(Expected(atom: 0, result: 10, executed: 1, reason: .ended, neverBlocks: true)) { p in
        p.atom(SystemCall.lseek, p.filled(tenBytes), 0, .int(SEEK_END), result: p.word())
      }
    },

    ConformanceCase(name: "C8 no place for the result") { c in
      try c.run(Expected(atom: 0, result: -1, executed: 1, reason: .stopped, neverBlocks: true)) { p in
        p.atom(umemAdd, .to(p.word(0)), -1, flags: .stopOnNegative)
        p.atom(umemAdd, .to(p.word(0)), 1, result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [-1, 0, Program.untouched], "memory")
      }
    },

    ConformanceCase(name: "C9 a result that cannot be stored") { c in
      for place in [Wild.inaccessible, Wild.readOnly] {
        try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .stopped), isChecked: true) { p in
          p.atom(umemAdd, .to(p.word(0)), 5, flags: .stopOnNegative)
          p.setResult(of: 0, to: place)
          p.atom(umemAdd, .to(p.word(0)), 1)
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [5, 0], "the effect stands, the next atom did not run")
        }
        // The call itself succeeds, so only the place of the result can stop what follows.
        for flags in [AtomFlags.stopOnNegative, .stopOnNonPositive, .stopOnNonzero] {
          try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .stopped), isChecked: true) { p in
            let file = p.opened("file")
            p.atom(SystemCall.pwrite64, file, .to(p.buffer(4)), 4, 0, flags: flags)
            p.setResult(of: 0, to: place)
            p.atom(SystemCall.pwrite64, file, .to(p.buffer(4)), 4, 4, result: p.word())
          } check: { p in
            try c.equal(p.scratch.content("file")?.count, 4, "L1: bytes written")
          }
        }
        // Nothing stops on it: the syslet goes on.
        try c.run(Expected(atom: 1, result: 1, executed: 2, reason: .ended), isChecked: true) { p in
          let file = p.opened("file")
          p.atom(SystemCall.write, file, .to(p.buffer(4)), 4)
          p.setResult(of: 0, to: place)
          p.atom(umemAdd, .to(p.word(0)), 1, result: p.word())
        } check: { p in
          try c.equal(p.scratch.content("file")?.count, 4, "bytes written")
        }
        // It is the last one.
        try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .ended), isChecked: true) { p in
          p.atom(SystemCall.pread64, p.filled(tenBytes), .to(p.buffer(4)), 4, 0)
          p.setResult(of: 0, to: place)
        }
      }
    },

    ConformanceCase(name: "C10 pointers that are bad") { c in
      let wild = Wild.inaccessible
      // The head.
      let engine = try c.engine { $0.isChecked = true }
      for attempt in ["exec", "enqueue"] {
        do {
          if attempt == "exec" {
            _ = try engine.execWild(wild, c.setting.form)
          } else {
            try engine.enqueueWild(wild, c.setting.form)
          }
          throw ConformanceFailure("\(attempt) of a head that cannot be read did not throw")
        } catch let error as EngineError {
          try c.equal(error, .unreadableAtom(address: UInt(wild)), "the error of \(attempt)")
        }
      }
      try c.equal(engine.pending, 0, "pending after a refused head")
      try c.equal(try engine.take(), [], "completions of a refused head")

      // An edge.
      try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .faulted), isChecked: true) { p in
        p.atom(umemAdd, .to(p.word(0)), 1, result: p.word(), next: .wild(wild))
      }
      try c.run(Expected(atom: 1, result: Failure.fault, executed: 2, reason: .faulted), isChecked: true) { p in
        let file = p.filled(tenBytes)
        p.atom(SystemCall.read, file, .to(p.buffer(4)), 4, result: p.word())
        p.atom(SystemCall.read, file, .to(p.buffer(4)), 4, flags: .noComplete, result: p.word(), next: .wild(wild))
      }
      // An argument, of the head and of a later atom.
      try c.run(Expected(atom: 0, result: Failure.fault, executed: 0, reason: .faulted), isChecked: true) { p in
        p.atom(umemAdd, .to(p.word(0)), .wild(wild), result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [0, Program.untouched], "the call was not made")
      }
      try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .faulted), isChecked: true) { p in
        let file = p.opened("file")
        p.atom(SystemCall.write, file, .to(p.buffer(4)), 4, result: p.word())
        p.atom(SystemCall.write, file, .to(p.buffer(4)), .wild(wild), result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [4, Program.untouched], "the second call was not made")
        try c.equal(p.scratch.content("file")?.count, 4, "bytes written")
      }
    },

    ConformanceCase(name: "C11 calls that are unknown or refused") { c in
      for unknown in [60_000, 65_535] {
        try c.run(Expected(atom: 0, result: Failure.unknownCall, executed: 1, reason: .stopped)) { p in
          p.atom(unknown, flags: .stopOnNegative, result: p.word())
          p.atom(umemAdd, .to(p.word(0)), 1)
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [Failure.unknownCall, 0], "stored and tested")
        }
        try c.run(Expected(atom: 1, result: 1, executed: 2, reason: .ended)) { p in
          p.atom(unknown, flags: .stopOnZero, result: p.word())
          p.atom(umemAdd, .to(p.word(0)), 1)
        }
      }
      for call in refusedCalls {
        try c.run(Expected(atom: 0, result: Failure.permission, executed: 1, reason: .stopped)) { p in
          p.atom(call, flags: .stopOnNegative, result: p.word())
          p.atom(umemAdd, .to(p.word(0)), 1)
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [Failure.permission, 0], "stored and tested")
        }
      }
    },

    ConformanceCase(name: "C14 no completion") { c in
      // On the final atom.
      try c.run(Expected(atom: 1, result: 2, executed: 2, reason: .ended, posts: false)) { p in
        let word = p.word(0)
        p.atom(umemAdd, .to(word), 1)
        p.atom(umemAdd, .to(word), 1, flags: .noComplete)
      }
      try c.run(Expected(atom: 1, result: 4, executed: 2, reason: .ended, posts: false)) { p in
        let file = p.filled(tenBytes)
        p.atom(SystemCall.pread64, file, .to(p.buffer(4)), 4, 0)
        p.atom(SystemCall.pread64, file, .to(p.buffer(4)), 4, 4, flags: .noComplete)
      }
      // On an atom that is passed.
      try c.run(Expected(atom: 1, result: 4, executed: 2, reason: .ended)) { p in
        let file = p.filled(tenBytes)
        p.atom(SystemCall.pread64, file, .to(p.buffer(4)), 4, 0, flags: .noComplete)
        p.atom(SystemCall.pread64, file, .to(p.buffer(4)), 4, 4)
      }
      // On the atom that stops.
      try c.run(Expected(atom: 0, result: Failure.badDescriptor, executed: 1, reason: .stopped, posts: false)) { p in
        p.atom(SystemCall.pread64, -1, .to(p.buffer(4)), 4, 0, flags: [.noComplete, .stopOnNegative], result: p.word())
        p.atom(umemAdd, .to(p.word(0)), 1)
      }
    },

    ConformanceCase(name: "C16 umem_add reads, adds and faults") { c in
      for (increment, value) in [(0, 40), (2, 42), (-41, -1)] {
        try c.run(Expected(atom: 0, result: value, executed: 1, reason: .ended, neverBlocks: true)) { p in
          p.atom(umemAdd, .to(p.word(40)), .int(increment), result: p.word())
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [value, value], "the word and the result")
        }
      }
      for place in [0, Wild.inaccessible, Wild.readOnly] {
        try c.run(Expected(atom: 0, result: Failure.fault, executed: 1, reason: .stopped), isChecked: true) { p in
          p.atom(umemAdd, .value(place), 1, flags: .stopOnNegative, result: p.word())
        }
      }
    },

    ConformanceCase(name: "C18 what comes before ASYNC runs first") { c in
      let engine = try c.engine()
      let program = c.program { p in
        p.atom(umemAdd, .to(p.word(0)), 1, result: p.word())
        p.atom(SystemCall.getpid, flags: .async, result: p.word())
      }
      try c.equal(try engine.exec(program), nil, "what exec returned")
      try c.equal(program.comparedWords[0].value, 1, "the word when exec returned")
      let taken = try engine.take()
      try c.equal(taken.map { program.index($0.atom) }, [1], "the completion")
      try c.equal(taken.map(\.executed), [2], "atoms executed")
      try c.equal(program.comparedWords.map(\.value), [1, 1, Int(getpid())], "the word and the results")

      try c.run(Expected(atom: 1, result: Int(getpid()), executed: 2, reason: .ended)) { p in
        p.atom(umemAdd, .to(p.word(0)), 1, result: p.word())
        p.atom(SystemCall.getpid, flags: .async, result: p.word())
      }
    },

    ConformanceCase(name: "C19 a result that is a later argument", writesAtoms: true) { c in
      for _ in 0..<2 {
        // A position becomes a length; a count that was read becomes a length.
        try c.run(Expected(atom: 1, result: 4, executed: 2, reason: .ended)) { p in
          let file = p.filled(tenBytes)
          p.atom(SystemCall.lseek, file, 4, .int(SEEK_SET))
          p.atom(SystemCall.pread64, file, .to(p.buffer(16)), 1, 0, result: p.word())
          p.setResult(of: 0, to: p.argumentAddress(of: 1, 2))
        }
        try c.run(Expected(atom: 2, result: 7, executed: 3, reason: .ended)) { p in
          let (from, to) = (p.filled("seven77"), p.opened("to"))
          let buffer = p.buffer(16)
          p.atom(SystemCall.pread64, from, .to(buffer), 16, 0, flags: .stopOnNegative)
          p.atom(SystemCall.pread64, from, .to(p.buffer(16)), 2, 0)
          p.atom(SystemCall.pwrite64, to, .to(buffer), 1, 0, result: p.word())
          p.setResult(of: 0, to: p.argumentAddress(of: 2, 2))
        } check: { p in
          try c.equal(p.scratch.text("to"), "seven77", "the copy")
        }
      }
      // The same atoms twice.
      let engine = try c.engine()
      let program = c.program { p in
        let file = p.filled(tenBytes)
        p.atom(SystemCall.lseek, file, 4, .int(SEEK_SET))
        p.atom(SystemCall.pread64, file, .to(p.buffer(16)), 1, 0, result: p.word())
        p.setResult(of: 0, to: p.argumentAddress(of: 1, 2))
      }
      for turn in 1...2 {
        program.comparedWords[0].value = Program.untouched
        try c.submit(program, to: engine)
        try c.equal(try engine.take().map(\.result), [4], "turn \(turn)")
        try c.equal(program.comparedWords[0].value, 4, "turn \(turn)")
      }
    },

    ConformanceCase(name: "C20 a buffer that is a later argument", writesAtoms: true) { c in
      // The bytes of an increment.
      try c.run(Expected(atom: 1, result: 42, executed: 2, reason: .ended)) { p in
        let increment: [UInt8] = [41, 0, 0, 0, 0, 0, 0, 0]
        let file = p.descriptors.open(p.scratch.file("file", increment), O_RDONLY)
        p.atom(SystemCall.pread64, .int(file), 0, 8, 0, flags: .stopOnNegative, result: p.word())
        p.atom(umemAdd, .to(p.word(1)), 1, result: p.word())
        p.setArgument(of: 0, 1, to: p.argumentAddress(of: 1, 1))
      }
      // The bytes of a length, all calls on the ring.
      try c.run(Expected(atom: 1, result: 3, executed: 2, reason: .ended)) { p in
        let length: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0]
        let file = p.descriptors.open(p.scratch.file("file", length), O_RDONLY)
        p.atom(SystemCall.pread64, .int(file), 0, 8, 0, flags: .stopOnNegative, result: p.word())
        p.atom(SystemCall.pread64, .int(file), .to(p.buffer(8)), 8, 0, result: p.word())
        p.setArgument(of: 0, 1, to: p.argumentAddress(of: 1, 2))
      }
      // A path.
      try c.run(Expected(atom: 2, result: 0, executed: 3, reason: .ended)) { p in
        let target = p.scratch.file("target", tenBytes)
        let (path, descriptor) = (p.buffer(4096, compared: false), p.word(-1, compared: false))
        let pointer = p.filled(target + "\0")
        p.atom(SystemCall.pread64, pointer, .to(path), 4096, 0, flags: .stopOnNegative)
        p.atom(
          SystemCall.openat, currentDirectory, .to(path), .int(O_RDONLY | O_CLOEXEC), 0, flags: .stopOnNegative,
          result: descriptor)
        p.atom(SystemCall.close, .pointed(descriptor), result: p.word())
      }
    },

    ConformanceCase(name: "C21 a failed fsync does not let the rename run") { c in
      try c.run(Expected(atom: 1, result: Failure.invalid, executed: 2, reason: .stopped)) { p in
        let log = p.opened("log")
        p.scratch.file("new", "new")
        p.atom(SystemCall.write, log, .to(p.buffer(4)), 4, flags: .stopOnNegative, result: p.word())
        p.atom(SystemCall.fsync, .int(p.descriptors.pipe().write), flags: .stopOnNegative, result: p.word())
        p.atom(
          SystemCall.renameat2, currentDirectory, .to(p.path(p.scratch.path("new"))), currentDirectory,
          .to(p.path(p.scratch.path("current"))), 0, result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [4, Failure.invalid, Program.untouched], "results")
        try c.expect(p.scratch.exists("new") && !p.scratch.exists("current"), "L1: the rename happened")
        try c.equal(p.scratch.content("log")?.count, 4, "bytes in the log")
      }
    },

    ConformanceCase(name: "C22 short is not negative") { c in
      try c.run(Expected(atom: 1, result: 100, executed: 2, reason: .ended)) { p in
        let (from, to) = (p.filled(tenBytes), p.opened("to"))
        let buffer = p.buffer(100)
        p.atom(SystemCall.read, from, .to(buffer), 100, flags: .stopOnNegative, result: p.word())
        p.atom(SystemCall.write, to, .to(buffer), 100, flags: .stopOnNegative, result: p.word())
      } check: { p in
        try c.equal(p.comparedWords.map(\.value), [10, 100], "read and written")
      }
      for flags in [0, Int(MSG_DONTWAIT)] {
        try c.run(Expected(atom: 1, result: 3, executed: 2, reason: .ended)) { p in
          let (near, far) = p.descriptors.socketPair()
          let sent = plainCall(SystemCall.write, .int(far), p.path("abc").address, 3)
          try c.equal(sent, 3, "the fixture's write")
          let buffer = p.buffer(100)
          p.atom(SystemCall.recvfrom, .int(near), .to(buffer), 100, .int(flags), 0, 0, flags: .stopOnNegative, result: p.word())
          p.atom(SystemCall.sendto, .int(near), .to(buffer), 3, 0, 0, 0, flags: .stopOnNegative, result: p.word())
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [3, 3], "received and sent")
        }
      }
    },

    ConformanceCase(name: "C23 a thousand atoms on a short queue") { c in
      let count = 1000
      try c.run(Expected(atom: count - 1, result: count, executed: count, reason: .ended, neverBlocks: true), capacity: count) { p in
        let word = p.word(0)
        for _ in 0..<count { p.atom(umemAdd, .to(word), 1, result: p.word()) }
      }
      let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
      let engine = try c.engine { $0.entries = 64 }
      let program = c.program(
        { p in
          let file = p.descriptors.open(p.scratch.file("file", content), O_RDONLY)
          let buffer = p.buffer(count)
          for position in 0..<count {
            // Each reads the byte at the file's position, so any other order shows.
            p.atom(
              SystemCall.read, .int(file), .value(buffer.address + UInt64(position)), 1, flags: .stopOnNonPositive,
              result: p.word())
          }
        }, capacity: count)
      try c.submit(program, to: engine)
      let taken = try engine.take()
      try c.equal(taken.map(\.executed), [count], "atoms executed")
      try c.equal(taken.map { program.index($0.atom) }, [count - 1], "the last atom")
      try c.equal(program.comparedBuffers[0].bytes, content, "the order of the atoms")
      try c.expect(program.comparedWords.allSatisfy { $0.value == 1 }, "each result is 1")
    },

    ConformanceCase(name: "C24 a close that is reached on both ways") { c in
      // A descriptor of a directory can be opened and not be read: the skip leads to the close that a good read leads to as well.
      for isDirectory in [true, false] {
        try c.run(Expected(atom: 2, result: 0, executed: 3, reason: .ended)) { p in
          let path = p.path(isDirectory ? p.scratch.path : p.scratch.file("file", tenBytes))
          let descriptor = p.word(-1, compared: false)
          p.atom(
            SystemCall.openat, currentDirectory, .to(path), .int(O_RDONLY | O_CLOEXEC), 0, flags: .stopOnNegative,
            result: descriptor)
          p.atom(
            SystemCall.read, .pointed(descriptor), .to(p.buffer(16)), 16, flags: [.stopOnNegative, .skipToNextOnStop],
            result: p.word())
          p.atom(SystemCall.close, .pointed(descriptor), result: p.word())
        } check: { p in
          try c.equal(p.comparedWords.map(\.value), [isDirectory ? Failure.isDirectory : 10, 0], "read and close")
        }
      }
    },
  ]

  /// Stop bits, and whether they fire on -1, 0 and 1.
  private static let stopConditions: [(AtomFlags, [Bool])] = [
    ([], [false, false, false]),
    (.stopOnNonzero, [true, false, true]),
    (.stopOnZero, [false, true, false]),
    (.stopOnNegative, [true, false, false]),
    (.stopOnNonPositive, [true, true, false]),
    ([.stopOnNonzero, .stopOnZero], [true, true, true]),
    ([.stopOnZero, .stopOnNegative], [true, true, false]),
  ]
}
