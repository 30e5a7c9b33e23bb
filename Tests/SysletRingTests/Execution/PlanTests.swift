// What was translated of a prepared syslet is used again only while what it rests on holds: descriptors are exchanged under it, calls fail that had
// succeeded, limits change, and other syslets take its place.

import CTestSupport
import Glibc
import Testing

@testable import SysletRing

@Suite("Plans of prepared syslets", .leavesNothingBehind)
struct PlanTests {
  /// What a descriptor may name.
  enum State: CaseIterable {
    case file, appending, empty, pipe, writingEnd, nonblocking, ended, stream, datagram, lowWater, closed

    /// Opens one as `number`; what it is connected with stays open in `descriptors`.
    func open(as number: Int32, _ descriptors: Descriptors) {
      let content = Array("0123456789".utf8)
      func fill(_ descriptor: Int32) {
        #expect(unsafe Glibc.write(descriptor, content, 10) == 10)
      }
      let made: Int32
      switch self {
      case .file: made = descriptors.file(content)
      case .appending:
        made = descriptors.file(content)
        #expect(fcntl(made, F_SETFL, O_APPEND) == 0)
      case .empty: made = descriptors.file([])
      case .pipe:
        let pipe = descriptors.pipe()
        fill(pipe.write)
        made = pipe.read
      case .writingEnd: made = descriptors.pipe().write
      case .nonblocking:
        made = descriptors.pipe().read
        #expect(fcntl(made, F_SETFL, O_NONBLOCK) == 0)
      case .ended:
        let pipe = descriptors.pipe()
        Glibc.close(pipe.write)
        descriptors.forget(pipe.write)
        made = pipe.read
      case .stream, .datagram, .lowWater:
        let pair = descriptors.socketPair(self == .datagram ? SOCK_DGRAM : SOCK_STREAM)
        made = pair.0
        if self == .lowWater {
          var least: Int32 = 10
          #expect(unsafe setsockopt(made, SOL_SOCKET, SO_RCVLOWAT, &least, 4) == 0)
        }
        fill(pair.1)
      case .closed:
        Glibc.close(number)
        return
      }
      #expect(dup2(made, number) == number)
    }
  }

  private typealias TestedCall = (name: String, number: Int, arguments: [Program.Argument])

  /// Calls of which none waits, whatever the descriptor names: each is the first of a chain, or the last of one.
  private static var calls: [TestedCall] {
    [
      ("read", SystemCall.read, [4]), ("read of nothing", SystemCall.read, [0]), ("pread64", SystemCall.pread64, [4, 2]),
      ("write", SystemCall.write, [2]), ("pwrite64", SystemCall.pwrite64, [2, 1]), ("recvfrom", SystemCall.recvfrom, [4, 0, 0, 0]),
      ("sendto", SystemCall.sendto, [2, .int(MSG_NOSIGNAL), 0, 0]), ("fsync", SystemCall.fsync, []),
      ("ftruncate", SystemCall.ftruncate, [3]),
    ]
  }

  /// The arguments of such a call of `descriptor`; `isPointed`: a descriptor and an offset stand behind pointers.
  private static func arguments(_ call: TestedCall, _ descriptor: Int32, _ program: Program, isPointed: Bool = false) -> [Program.Argument]
  {
    let hasBuffer = call.number != SystemCall.fsync && call.number != SystemCall.ftruncate
    var arguments = [.int(descriptor)] + (hasBuffer ? [.to(program.buffer(4))] : []) + call.arguments
    guard isPointed else { return arguments }
    arguments[0] = .pointed(program.word(Int(descriptor), compared: false))
    if call.number == SystemCall.pread64 || call.number == SystemCall.pwrite64, case .value(let offset) = arguments[3] {
      arguments[3] = .pointed(program.word(Int(offset), compared: false))
    }
    return arguments
  }

  @Test(
    "What a descriptor names is looked at for each activation: another thing under the same number gives what the plain call gives",
    arguments: LifeRegressionTests.asynchronous, [(0, false), (1, false), (0, true), (1, true)])
  func exchanged(backend: SysletEngine.Backend, shape: (position: Int, isPointed: Bool)) throws {
    let position = shape.position
    let engine = try BadInputTests.engine(backend)
    let plain = Program(.direct)
    let number = plain.descriptors.file([])
    let twin = plain.descriptors.file([])
    let null = plain.descriptors.open("/dev/null", O_RDWR)
    for call in Self.calls {
      let program = Program(.prepared)
      let results = (0..<2).map { index in
        let result = program.word()
        let next: Program.Edge = index == 1 ? .end : .following
        if index == position {
          program.atom(
            call.number, list: Self.arguments(call, number, program, isPointed: shape.isPointed), flags: .stopOnNegative, result: result,
            next: next)
        } else {
          program.atom(noOperation, result: result, next: next)
        }
        return result
      }
      let words = Self.arguments(call, twin, plain).map { argument -> UInt64 in
        guard case .value(let value) = argument else { preconditionFailure() }
        return value
      }
      for first in State.allCases {
        for state in State.allCases.flatMap({ [first, $0] }) {
          let descriptors = Descriptors()
          for buffer in program.comparedBuffers + plain.comparedBuffers { buffer.bytes = [0, 0, 0, 0] }
          state.open(as: twin, descriptors)
          let expected = plainCall(call.number, words)
          state.open(as: number, descriptors)
          for result in results { result.value = Program.untouched }
          try engine.enqueue(program)
          let taken = try engine.take()
          let story: Comment = "\(call.name) of \(state), after \(first)"
          #expect(results[position].value == expected, story)
          #expect(results[1 - position].value == (position == 0 && expected < 0 ? Program.untouched : 0), story)
          #expect(taken.map(\.reason) == [expected < 0 ? .stopped : .ended], story)
          #expect(program.comparedBuffers.first?.bytes == plain.comparedBuffers.last?.bytes || program.comparedBuffers.isEmpty, story)
          #expect(lseek(number, 0, SEEK_CUR) == lseek(twin, 0, SEEK_CUR), story)
          #expect(dup2(null, twin) == twin && dup2(null, number) == number)
        }
      }
    }
    try engine.close()
  }

  @Test(
    "A chain stops where a call fails that had succeeded, and goes on as before when it succeeds again",
    arguments: LifeRegressionTests.asynchronous)
  func failing(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.prepared)
    let file = program.descriptors.file(Array("0123456789".utf8))
    let buffer = program.buffer(8)
    let count = 20
    // No result is stored: how far it came, the completion tells.
    for index in 0..<count {
      program.atom(
        SystemCall.pread64, .int(file), .to(buffer), 8, index == 7 ? 2 : 0, flags: [.stopOnNonPositive],
        next: index == count - 1 ? .end : .following)
    }
    for (length, executed, result) in [(10, 20, 8), (10, 20, 8), (2, 8, 0), (1, 8, 0), (0, 1, 0), (10, 20, 8), (5, 20, 5)] {
      #expect(ftruncate(file, off_t(length)) == 0)
      try engine.enqueue(program)
      let taken = try engine.take()
      #expect(taken.map(\.executed) == [executed] && taken.map(\.result) == [result], "with \(length) bytes")
      #expect(taken.map(\.reason) == [executed == count ? .ended : .stopped], "with \(length) bytes")
      #expect(taken.map(\.atom) == [program.address(executed - 1)], "with \(length) bytes")
    }
    try engine.close()
  }

  @Test("A limit on files that comes later is heeded, without a signal")
  func sizeLimit() async {
    await #expect(processExitsWith: .success) {
      ProcessSettings.endIfStuck()
      for backend in LifeRegressionTests.asynchronous {
        let engine = try BadInputTests.engine(backend)
        let program = Program(.prepared)
        let file = program.descriptors.open(program.scratch.path("file"), O_CREAT | O_RDWR)
        program.atom(SystemCall.pwrite64, .int(file), .to(program.buffer(100)), 100, 8000, flags: .stopOnNegative)
        program.atom(noOperation, next: .end)
        var old = rlimit()
        #expect(unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &old) == 0)
        for limit in [old.rlim_cur, 4096, old.rlim_cur] {
          var new = rlimit(rlim_cur: limit, rlim_max: old.rlim_max)
          #expect(unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &new) == 0)
          try engine.enqueue(program)
          #expect(try engine.take().map(\.result) == [limit == 4096 ? -Int(EFBIG) : 0], "\(backend)")
        }
        try engine.closeHere()
      }
    }
  }

  @Test(
    "A chain that waits ends when it is cancelled, and nothing behind it runs; the next activation is as the first",
    arguments: LifeRegressionTests.asynchronous)
  func cancelled(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.prepared)
    let (pipe, other) = (program.descriptors.pipe(), program.descriptors.pipe())
    let buffer = program.buffer(1)
    program.atom(noOperation)
    program.atom(SystemCall.read, .int(pipe.read), .to(buffer), 1)
    program.atom(SystemCall.write, .int(other.write), .to(buffer), 1, next: .end)
    for turn in 0..<6 {
      try engine.enqueue(program)
      try engine.flush()
      if turn % 2 == 0 { try engine.cancel(program) } else { #expect(unsafe write(pipe.write, [UInt8(turn)], 1) == 1) }
      let taken = try engine.take()
      #expect(
        taken.map(\.reason) == [turn % 2 == 0 ? .cancelled : .ended]
          && (turn % 2 == 0 ? [0, 1] : [3]).contains(taken.first?.executed ?? -1))
      var moved: UInt8 = 0
      #expect(fcntl(other.read, F_SETFL, O_NONBLOCK) == 0)
      #expect(unsafe read(other.read, &moved, 1) == (turn % 2 == 0 ? -1 : 1) && moved == (turn % 2 == 0 ? 0 : UInt8(turn)))
    }
    try engine.close()
  }

  @Test(
    "More syslets than an engine has plans for, and longer ones than it plans, come to the same",
    arguments: LifeRegressionTests.asynchronous)
  func many(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let programs = (0..<150).map { number -> (Program, Buffer, Int) in
      let program = Program(.prepared, capacity: 1200)
      let file = program.descriptors.file([UInt8(number)])
      let buffer = program.buffer(1)
      let count = number == 77 ? 1100 : 1 + number % 5
      for _ in 1..<count { program.atom(noOperation) }
      program.atom(SystemCall.pread64, .int(file), .to(buffer), 1, next: .end)
      return (program, buffer, count)
    }
    for _ in 0..<3 {
      // One by one, so that they take their places from each other, and all together, so that they cannot.
      for (number, (program, buffer, count)) in programs.enumerated() {
        buffer.bytes = [255]
        try engine.enqueue(program)
        #expect(try engine.take().map(\.executed) == [count] && buffer.bytes == [UInt8(number)])
      }
      for (program, buffer, _) in programs {
        buffer.bytes = [255]
        try engine.enqueue(program)
      }
      let taken = try engine.takeAll(programs.count)
      #expect(taken.count == programs.count && taken.map(\.executed).sorted() == programs.map(\.2).sorted())
      #expect(programs.map(\.1.bytes) == (0..<150).map { [UInt8($0)] })
    }
    try engine.close()
  }

  @Test(
    "Descriptors and offsets behind pointers are read for each activation, and the right one is closed",
    arguments: LifeRegressionTests.asynchronous)
  func pointed(backend: SysletEngine.Backend) throws {
    let engine = try BadInputTests.engine(backend)
    let program = Program(.prepared)
    let (descriptor, offset, buffer) = (program.word(compared: false), program.word(compared: false), program.buffer(3))
    program.atom(SystemCall.pread64, .pointed(descriptor), .to(buffer), 3, .pointed(offset), flags: .stopOnNonPositive)
    program.atom(SystemCall.close, .pointed(descriptor), flags: .stopOnNegative)
    program.atom(SystemCall.getpid, next: .end)
    let descriptors = Descriptors()
    for turn in 0..<40 {
      let file = descriptors.file(Array("\(1000 + turn)abcdef".utf8))
      let other = descriptors.file([])
      descriptor.value = Int(file)
      offset.value = turn % 8 == 7 ? -1 : turn % 9
      try engine.enqueue(program)
      let taken = try engine.take()
      if offset.value < 0 {
        #expect(taken.map(\.result) == [-Int(EINVAL)] && taken.map(\.executed) == [1])
        #expect(fcntl(file, F_GETFD) >= 0)
      } else {
        #expect(taken.map(\.result) == [Int(getpid())] && taken.map(\.executed) == [3])
        let expected = Array("\(1000 + turn)abcdef".utf8).dropFirst(offset.value).prefix(3)
        #expect(Array(buffer.bytes.prefix(expected.count)) == Array(expected))
        #expect(fcntl(file, F_GETFD) == -1 && fcntl(other, F_GETFD) >= 0)
        descriptors.forget(file)
      }
      // The number is free again: whatever gets it next is asked for what it is.
      if turn % 3 == 0 { _ = descriptors.pipe() }
    }
    descriptor.value = -1
    offset.value = 0
    try engine.enqueue(program)
    #expect(try engine.take().map(\.result) == [-Int(EBADF)])
    try engine.close()
  }

  @Test("Only the rows that say so have an SQE that follows from what stands behind an argument")
  func encodedMemory() throws {
    let page = unsafe mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    defer { unsafe munmap(page, 4096) }
    let words: [UInt64] = [0, 1, 24, 100, .max, UInt64(UInt(bitPattern: page))]
    var random = SeededGenerator(seed: 1)
    for row in Operation.ringRows {
      let differs = (0..<1000).contains { _ in
        let arguments = Arguments(
          (random.pick(words), random.pick(words), random.pick(words), random.pick(words), random.pick(words), random.pick(words)))
        let encodings = [PROT_READ, PROT_NONE].map { protection in
          unsafe mprotect(page, 4096, protection)
          var sqe = syslet_sqe()
          let obstacle = row.form.encode(arguments, into: &sqe)
          return unsafe withUnsafeBytes(of: sqe) { "\(String(describing: obstacle)) \(unsafe obstacle == nil ? Array($0) : [])" }
        }
        return encodings[0] != encodings[1]
      }
      #expect(differs == row.form.encoding.encodesMemory, "\(row.name)")
    }
  }

  @Test("What is filled into an SQE is all that it says of its argument")
  func patched() {
    var random = SeededGenerator(seed: 2)
    for row in Operation.ringRows {
      for index in 0..<6 where row.form.encoding.patchableArguments & (1 << UInt8(index)) != 0 {
        for _ in 0..<300 {
          var arguments = Arguments()
          for position in 0..<6 { arguments[position] = random.pick([0, 1, 3, 24, 100]) }
          var (first, second) = (syslet_sqe(), syslet_sqe())
          guard row.form.encode(arguments, into: &first) == nil else { continue }
          let role = row.role(index).kind
          #expect(role == .value && row.form.lengthArgument != index, "\(row.name)")
          let old = arguments
          arguments[index] = random.pick([2, 7, 77, 1 << 31 - 1])
          #expect(row.form.encode(arguments, into: &second) == nil, "\(row.name)")
          if index == 0 { first.fd = arguments.descriptor(0) } else { first.off = arguments[index] }
          #expect(unsafe withUnsafeBytes(of: first) { unsafe Array($0) } == withUnsafeBytes(of: second) { unsafe Array($0) }, "\(row.name)")
          #expect(row.form.reachableResults(old) == row.form.reachableResults(arguments), "\(row.name)")
          #expect(row.form.severingResults(old) == row.form.severingResults(arguments), "\(row.name)")
        }
      }
    }
  }
}
