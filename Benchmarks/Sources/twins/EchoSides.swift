// The two sides of the echo rows: a server with one thread, whose clients another thread is.

internal import CTwins
internal import Glibc
internal import Measuring
internal import SysletRing

/// The connections, which both sides serve in turn.
@safe final class EchoClients {
  let count: Int
  fileprivate let clients: OpaquePointer

  init(count: Int) throws {
    self.count = count
    var opened: OpaquePointer?
    let result = unsafe twin_clients_open(&opened, UInt32(count))
    guard let made = unsafe opened else {
      throw Failure("\(count) TCP connections over loopback cannot be made: errno \(-result)", exitCode: 3)
    }
    unsafe clients = made
  }

  deinit { unsafe twin_clients_close(clients) }

  fileprivate func server(_ index: Int) -> Int32 { unsafe twin_clients_server(clients, UInt32(index)) }
}

extension RowName {
  /// How long the server computes for each message, in nanoseconds.
  fileprivate var work: Int64 { isWorking ? 2000 : 0 }

  /// What counts: the server's thread, or how soon all has been answered.
  fileprivate func elapsed(_ times: twin_times) -> Int64 { isWorking ? times.wall : times.cpu }
}

/// C's side: with io_uring, or with epoll where there is work to do.
@safe final class EchoTwinSide: Side {
  private let name: RowName
  private let clients: EchoClients
  private let twin: OpaquePointer
  private(set) var bytes: UInt64 = 0

  init(_ name: RowName, _ clients: EchoClients) throws {
    self.name = name
    self.clients = clients
    unsafe twin = try TwinSide.open(clients.count)
  }

  deinit { unsafe twin_close(twin) }

  func run(batches: Int) throws -> Int64 {
    var times = twin_times()
    let result = unsafe twin_echo(twin, name.isWorking ? TWIN_EPOLL : TWIN_RING, clients.clients, UInt32(batches), name.work, &times)
    guard result == 0 else { throw Failure("\(name.rawValue): C's run failed with errno \(-result)") }
    bytes &+= UInt64(batches * clients.count * Int(TWIN_MESSAGE))
    return name.elapsed(times)
  }
}

/// Ours: `send the answer → receive the next message` is a syslet, whose completion brings the message.
@safe final class EchoEngineSide: Side {
  private let name: RowName
  private let clients: EchoClients
  private let engine: SysletEngine
  private(set) var bytes: UInt64 = 0

  // All owned here; the engine is closed before any of it goes.
  private let atoms: UnsafeMutablePointer<Atom>
  private let buffers: UnsafeMutableRawPointer
  private let left: UnsafeMutablePointer<Int>
  private let completions: UnsafeMutableBufferPointer<Completion>
  /// By connection, in the order of `Part`.
  private var prepared: [PreparedSyslet] = []

  /// The syslets of a connection, each with its head among the connection's atoms.
  private enum Part: Int, CaseIterable {
    case receives, answersAndReceives, answers

    static let atomsPerConnection = 4
    var head: Int {
      switch self {
      case .receives: 0
      case .answersAndReceives: 1
      case .answers: 3
      }
    }
  }

  init(_ name: RowName, _ clients: EchoClients) throws {
    self.name = name
    self.clients = clients
    let count = clients.count
    engine = try .onRing()
    unsafe atoms = .allocate(capacity: count * Part.atomsPerConnection)
    unsafe buffers = .allocate(byteCount: count * Int(TWIN_MESSAGE), alignment: 64)
    unsafe buffers.initializeMemory(as: UInt8.self, repeating: 0, count: count * Int(TWIN_MESSAGE))
    unsafe left = .allocate(capacity: count)
    unsafe left.initialize(repeating: 0, count: count)
    unsafe completions = .allocate(capacity: count)
    for index in 0..<count {
      let first = unsafe atoms + index * Part.atomsPerConnection
      let (server, buffer) = unsafe (UInt64(argument: clients.server(index)), UInt64(argument: buffers + index * Int(TWIN_MESSAGE)))
      let receive = unsafe Atom(
        SystemCall.recvfrom, server, buffer, UInt64(argument: TWIN_MESSAGE), 0, 0, 0)
      let answer = unsafe Atom(
        SystemCall.sendto, server, buffer, UInt64(argument: TWIN_MESSAGE), UInt64(argument: Int32(MSG_NOSIGNAL)), 0, 0,
        flags: .stopOnNegative,
        next: first + 2)
      unsafe first.initialize(to: receive)
      unsafe (first + 1).initialize(to: answer)
      unsafe (first + 2).initialize(to: receive)
      unsafe (first + 3).initialize(to: answer)
      unsafe first[3].next = nil
    }
    guard name.isPrepared else { return }
    var heads: [UnsafeMutablePointer<Atom>] = unsafe []
    for index in 0..<count {
      for part in Part.allCases { unsafe heads.append(atoms + index * Part.atomsPerConnection + part.head) }
    }
    prepared = try unsafe engine.prepare(heads)
  }

  deinit {
    try? engine.close()
    unsafe atoms.deallocate()
    unsafe buffers.deallocate()
    unsafe left.deallocate()
    unsafe completions.deallocate()
  }

  @inline(__always)
  private func enqueue(_ index: Int, _ part: Part) throws {
    if name.isPrepared {
      try engine.enqueue(prepared[index * Part.allCases.count + part.rawValue])
    } else {
      try unsafe engine.enqueue(atoms + index * Part.atomsPerConnection + part.head)
    }
  }

  func run(batches: Int) throws -> Int64 {
    let begin = twin_now()
    let result = unsafe twin_clients_begin(clients.clients, UInt32(batches))
    guard result == 0 else { throw Failure("\(name.rawValue): there is no thread for the clients: errno \(-result)", exitCode: 3) }
    let served = Result { try serve(batches) }
    let end = twin_now()
    // In any case: the thread has the connections.
    let ended = unsafe twin_clients_end(clients.clients)
    if let problem = try served.get() { throw Failure("\(name.rawValue): \(problem)") }
    guard ended == 0 else { throw Failure("\(name.rawValue): an echo of ours is not the message: errno \(-ended)") }
    return name.elapsed(twin_times(wall: end.wall - begin.wall, cpu: end.cpu - begin.cpu))
  }

  private func serve(_ rounds: Int) throws -> String? {
    for index in 0..<clients.count {
      unsafe left[index] = rounds
      try enqueue(index, .receives)
    }
    let work = name.work
    // The last answer of each connection completes too.
    var pending = clients.count * (rounds + 1)
    while pending > 0 {
      let count = try unsafe engine.wait(into: completions, atLeast: 1)
      for position in 0..<count {
        let completion = unsafe completions[position]
        guard completion.result == Int(TWIN_MESSAGE) else { return "a call gave \(completion.result), \(TWIN_MESSAGE) was expected" }
        let index = unsafe (completion.atom - UnsafeMutableRawPointer(atoms)) / (MemoryLayout<Atom>.stride * Part.atomsPerConnection)
        guard unsafe left[index] > 0 else { continue }
        twin_work(work)
        bytes &+= UInt64(TWIN_MESSAGE)
        unsafe left[index] &-= 1
        try unsafe enqueue(index, left[index] > 0 ? .answersAndReceives : .answers)
      }
      pending -= count
    }
    return nil
  }
}
