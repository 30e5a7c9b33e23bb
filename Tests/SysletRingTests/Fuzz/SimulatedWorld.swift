// A world in memory: files, a pipe, a socket and a directory whose calls cost nothing and fail when they are told to. Both sides use it,
// the oracle by calls and the engine by calls and SQEs, so it need not be like Linux in everything; it must be the same to both.

import CLiburing
import Glibc

@testable import SysletRing

final class SimulatedWorld: World {
  private final class Node {
    var bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
  }

  private enum Object {
    case file(Node)
    case source, sink, socket, folder
  }

  private enum Call {
    case read(UInt64, Int, Int?)
    case write(UInt64, Int, Int?)
    case receive(UInt64, Int, isAll: Bool)
    case send(UInt64, Int)
    case seek(Int)
    case synchronise
    case truncate(Int)
    case close
    case open(String, isCreating: Bool)
    case rename(String, String)
    case unlink(String)
    case makeDirectory(String)

    var isTransfer: Bool {
      switch self {
      case .read, .write, .receive, .send: true
      default: false
      }
    }
  }

  private let identifier: UInt64
  private var objects: [Int: Object] = [:]
  private var positions: [Int: Int] = [:]
  private var names: [String: Node?]
  private var pipe: [UInt8]
  private var inbox: [UInt8]
  private var sunk: [UInt8] = []
  private var sent: [UInt8] = []
  private var nextNumber = 16
  private var faults: [Int: Recipe.Fault]
  private var callCount = 0
  /// Calls that took effect, in their order.
  private(set) var log: [LogEntry] = []

  enum Kind { case read, write, receive, send, seek, synchronise, truncate, close, open, rename, unlink, makeDirectory }

  struct LogEntry: Equatable {
    var handle: Int
    var kind: Kind
    /// Length and offset, where there are.
    var first = 0
    var second = 0
    var result: Int
  }

  init(_ faults: [Int: Recipe.Fault] = [:]) {
    self.faults = faults
    names = ["a": Node(Array("0123456789".utf8)), "b": Node(Array("xyz".utf8)), "c": Node?.none]
    pipe = Self.pipeContent
    inbox = Self.socketContent
    identifier = Self.worlds.add()
    objects = [
      Thing.file.rawValue: .file(Node(Self.fileContent)), Thing.other.rawValue: .file(Node(Self.otherContent)),
      Thing.source.rawValue: .source, Thing.sink.rawValue: .sink, Thing.socket.rawValue: .socket, Thing.folder.rawValue: .folder,
    ]
    Self.worlds[identifier] = self
  }

  deinit { Self.worlds[identifier] = nil }

  func descriptor(_ thing: Thing) -> UInt64 { descriptor(thing.rawValue) }
  private func descriptor(_ number: Int) -> UInt64 { 1 << UInt64(SYSLET_SIMULATED_BIT) | identifier << 8 | UInt64(number) }

  /// A number as any world of the same program would have it.
  static func plain(_ value: Int) -> Int { value >> Int(SYSLET_SIMULATED_BIT) == 1 ? value & 0xFF : value }

  func look(_ view: inout View) {
    for thing in [Thing.file, .other] {
      guard case .file(let node) = objects[thing.rawValue] else { continue }
      view.add("file", index: thing.rawValue, node.bytes)
      view.add("position", index: thing.rawValue, positions[thing.rawValue] ?? 0)
    }
    view.add("pipe", pipe)
    view.add("inbox", inbox)
    view.add("sunk", sunk)
    view.add("sent", sent)
    for (name, node) in names.sorted(by: { $0.key < $1.key }) {
      view.add("name", Array(name.utf8))
      view.add("content", node?.bytes ?? [0xFF, 0xFF])
    }
    for handle in objects.keys.sorted() { view.add("open", handle) }
  }

  // MARK: plain calls

  func call(_ number: Int, _ a: [UInt64]) -> Int? {
    guard a[0] >> UInt64(SYSLET_SIMULATED_BIT) == 1 else { return nil }
    let handle = Int(a[0] & 0xFF)
    // A length that was the result of a call that failed.
    if Self.transfers.contains(number), Int64(bitPattern: a[2]) < 0 { return -Int(EINVAL) }
    switch number {
    case SystemCall.fstat: return status(handle, a[1])
    case SystemCall.fstatfs: return fileSystem(handle, a[1])
    case SystemCall.getsockopt: return option(handle, Int32(truncatingIfNeeded: a[2]), a[3])
    case SystemCall.fcntl: return objects[handle] == nil ? -Int(EBADF) : 0
    case SystemCall.read: return make(.read(a[1], Int(a[2]), nil), handle)
    case SystemCall.pread64: return make(.read(a[1], Int(a[2]), Int(truncatingIfNeeded: a[3])), handle)
    case SystemCall.write: return make(.write(a[1], Int(a[2]), nil), handle)
    case SystemCall.pwrite64: return make(.write(a[1], Int(a[2]), Int(truncatingIfNeeded: a[3])), handle)
    // The engine's tries without waiting, of one buffer.
    case SystemCall.preadv2, SystemCall.pwritev2:
      let vector = unsafe UnsafePointer<iovec>(bitPattern: UInt(a[1]))!.pointee
      let buffer = unsafe UInt64(UInt(bitPattern: vector.iov_base))
      let length = unsafe vector.iov_len
      return make(number == SystemCall.preadv2 ? .read(buffer, length, nil) : .write(buffer, length, nil), handle)
    case SystemCall.recvfrom: return make(.receive(a[1], Int(a[2]), isAll: a[3] & 0x100 != 0), handle)
    case SystemCall.sendto: return make(.send(a[1], Int(a[2])), handle)
    // The engine's own question, whether there are offsets at all.
    case SystemCall.lseek where a[2] == UInt64(SEEK_CUR):
      if case .file = objects[handle] { return positions[handle] ?? 0 }
      return -Int(objects[handle] == nil ? EBADF : ESPIPE)
    case SystemCall.lseek: return make(.seek(Int(truncatingIfNeeded: a[1])), handle)
    case SystemCall.fsync, SystemCall.fdatasync: return make(.synchronise, handle)
    case SystemCall.ftruncate: return make(.truncate(Int(truncatingIfNeeded: a[1])), handle)
    case SystemCall.close: return make(.close, handle)
    case SystemCall.openat:
      // A try that would have to wait is made again by a worker, so it must not count.
      if case .failure(EAGAIN) = faults[callCount], objects[handle] != nil, a[2] & UInt64(O_NONBLOCK) != 0 { return -Int(EAGAIN) }
      return make(.open(Self.path(a[1]), isCreating: a[2] & UInt64(O_CREAT) != 0), handle)
    case SystemCall.renameat2: return make(.rename(Self.path(a[1]), Self.path(a[3])), handle)
    case SystemCall.unlinkat: return make(.unlink(Self.path(a[1])), handle)
    case SystemCall.mkdirat: return make(.makeDirectory(Self.path(a[1])), handle)
    default: return nil
    }
  }

  private static let transfers: Set<Int> = [
    SystemCall.read, SystemCall.pread64, SystemCall.write, SystemCall.pwrite64, SystemCall.recvfrom, SystemCall.sendto,
  ]

  private static func path(_ address: UInt64) -> String { unsafe String(cString: UnsafePointer<CChar>(bitPattern: UInt(address))!) }

  /// Only the type is asked for.
  private func status(_ handle: Int, _ address: UInt64) -> Int {
    guard let object = objects[handle] else { return -Int(EBADF) }
    let status = unsafe UnsafeMutablePointer<stat>(bitPattern: UInt(address))!
    unsafe status.pointee = stat()
    // Each kind is on a file system of its own, whose number no real one has.
    unsafe status.pointee.st_dev = 1 << 60
    if case .source = object { unsafe status.pointee.st_dev += 1 }
    if case .sink = object { unsafe status.pointee.st_dev += 1 }
    unsafe status.pointee.st_mode =
      switch object {
      case .file: S_IFREG
      case .source, .sink: S_IFIFO
      case .socket: S_IFSOCK
      case .folder: S_IFDIR
      }
    return 0
  }

  /// ext4's number, or the pipes'.
  private func fileSystem(_ handle: Int, _ address: UInt64) -> Int {
    guard let object = objects[handle] else { return -Int(EBADF) }
    switch object {
    case .source, .sink: unsafe UnsafeMutablePointer<Int>(bitPattern: UInt(address))!.pointee = 0x5049_5045
    default: unsafe UnsafeMutablePointer<Int>(bitPattern: UInt(address))!.pointee = 0xEF53
    }
    return 0
  }

  /// A stream of AF_UNIX that has nothing set.
  private func option(_ handle: Int, _ name: Int32, _ address: UInt64) -> Int {
    guard let object = objects[handle] else { return -Int(EBADF) }
    guard case .socket = object else { return -Int(ENOTSOCK) }
    if name == SO_RCVTIMEO || name == SO_SNDTIMEO {
      let time = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))!
      unsafe time.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryLayout<timeval>.size)
    } else {
      unsafe UnsafeMutablePointer<Int32>(bitPattern: UInt(address))!.pointee = 1
    }
    return 0
  }

  // MARK: SQEs

  /// What came of a request to the simulated kernel; nil while it has to wait.
  static func perform(_ request: SimulatedKernel.Request) -> Int? {
    let sqe = request.sqe
    let word = UInt64(UInt32(bitPattern: sqe.fd))
    guard word >> UInt64(SYSLET_SIMULATED_BIT) == 1, let world = worlds[(word >> 8) & 0x3F_FFFF] else { return -Int(EBADF) }
    let handle = Int(word & 0xFF)
    if case .delay(let times) = world.faults[world.callCount] {
      world.faults[world.callCount] = times > 1 ? .delay(times - 1) : nil
      return nil
    }
    let offset = sqe.off == .max ? nil : Int(truncatingIfNeeded: sqe.off)
    switch Int(sqe.opcode) {
    case SYSLET_OP_READ: return world.make(.read(sqe.addr, Int(sqe.len), offset), handle)
    case SYSLET_OP_WRITE: return world.make(.write(sqe.addr, Int(sqe.len), offset), handle)
    case SYSLET_OP_RECV: return world.make(.receive(sqe.addr, Int(sqe.len), isAll: sqe.op_flags & 0x100 != 0), handle)
    case SYSLET_OP_SEND: return world.make(.send(sqe.addr, Int(sqe.len)), handle)
    case SYSLET_OP_FSYNC: return world.make(.synchronise, handle)
    case SYSLET_OP_FTRUNCATE: return world.make(.truncate(Int(truncatingIfNeeded: sqe.off)), handle)
    case SYSLET_OP_CLOSE: return world.make(.close, handle)
    case SYSLET_OP_OPENAT: return world.make(.open(request.paths[0], isCreating: sqe.op_flags & UInt32(O_CREAT) != 0), handle)
    case SYSLET_OP_RENAMEAT: return world.make(.rename(request.paths[0], request.paths[1]), handle)
    case SYSLET_OP_UNLINKAT: return world.make(.unlink(request.paths[0]), handle)
    case SYSLET_OP_MKDIRAT: return world.make(.makeDirectory(request.paths[0]), handle)
    default: fatalError("the simulated world has no operation \(sqe.opcode)")
    }
  }

  // MARK: effects

  private func make(_ call: Call, _ handle: Int) -> Int {
    let fault = faults[callCount]
    var result: Int
    if case .failure(let errno) = fault, objects[handle] != nil {
      // A transfer that may wait never says "not now": to whoever tries without waiting that means to wait.
      result = -Int(errno == EAGAIN && call.isTransfer ? EIO : errno)
    } else {
      var limit = Int.max
      if case .short(let bytes) = fault { limit = bytes }
      result = effect(call, handle, limit)
    }
    // These the ring may be asked for first and a worker then, so they must not count.
    if ![-Int(EINVAL), -Int(EACCES), -Int(EOPNOTSUPP)].contains(result) {
      callCount += 1
      // Addresses differ between two builds of a program, so they are not told.
      func note(_ kind: Kind, _ first: Int = 0, _ second: Int = 0) {
        log.append(LogEntry(handle: handle, kind: kind, first: first, second: second, result: Self.plain(result)))
      }
      switch call {
      case .read(_, let length, let offset): note(.read, length, offset ?? -1)
      case .write(_, let length, let offset): note(.write, length, offset ?? -1)
      case .receive(_, let length, let isAll): note(.receive, length, isAll ? 1 : 0)
      case .send(_, let length): note(.send, length)
      case .seek(let offset): note(.seek, offset)
      case .synchronise: note(.synchronise)
      case .truncate(let length): note(.truncate, length)
      case .close: note(.close)
      case .open(let name, let isCreating): note(.open, name.utf8.count, isCreating ? 1 : 0)
      case .rename(let old, let new): note(.rename, old.utf8.count, new.utf8.count)
      case .unlink(let name): note(.unlink, name.utf8.count)
      case .makeDirectory(let name): note(.makeDirectory, name.utf8.count)
      }
    }
    return result
  }

  private func effect(_ call: Call, _ handle: Int, _ limit: Int) -> Int {
    guard let object = objects[handle] else { return -Int(EBADF) }
    switch (call, object) {
    case (.read(let address, let length, let offset), .file(let node)):
      if let offset, offset < 0 { return -Int(EINVAL) }
      let start = offset ?? positions[handle] ?? 0
      let bytes = start < node.bytes.count ? node.bytes[start...].prefix(min(length, limit)) : []
      Self.store(Array(bytes), address)
      if offset == nil { positions[handle] = start + bytes.count }
      return bytes.count
    case (.read(let address, let length, nil), .source): return Self.take(&pipe, min(length, limit), address)
    case (.read(let address, let length, nil), .socket): return Self.take(&inbox, min(length, limit), address)
    case (.read(_, _, .some), .source), (.read(_, _, .some), .socket), (.write(_, _, .some), .sink), (.seek, .source):
      return -Int(ESPIPE)
    case (.receive(let address, let length, _), .socket): return Self.take(&inbox, min(length, limit), address)
    case (.write(let address, let length, let offset), .file(let node)):
      if let offset, offset < 0 { return -Int(EINVAL) }
      let start = offset ?? positions[handle] ?? 0
      let count = min(length, limit)
      guard start <= 1 << 16 else { return -Int(EFBIG) }
      if count > 0 {
        if node.bytes.count < start + count { node.bytes += [UInt8](repeating: 0, count: start + count - node.bytes.count) }
        node.bytes.replaceSubrange(start..<start + count, with: Self.load(address, count))
      }
      if offset == nil { positions[handle] = start + count }
      return count
    case (.write(let address, let length, nil), .sink):
      sunk += Self.load(address, min(length, limit))
      return min(length, limit)
    case (.send(let address, let length), .socket):
      sent += Self.load(address, min(length, limit))
      return min(length, limit)
    case (.seek(let offset), .file):
      guard offset >= 0 else { return -Int(EINVAL) }
      positions[handle] = offset
      return offset
    case (.synchronise, .file): return 0
    case (.truncate(let length), .file(let node)):
      guard length >= 0 else { return -Int(EINVAL) }
      guard length <= 1 << 16 else { return -Int(EFBIG) }
      if length < node.bytes.count {
        node.bytes.removeLast(node.bytes.count - length)
      } else {
        node.bytes += [UInt8](repeating: 0, count: length - node.bytes.count)
      }
      return 0
    case (.close, _):
      objects[handle] = nil
      positions[handle] = nil
      return 0
    case (.open(let name, let isCreating), .folder):
      if let entry = names[name] {
        guard let node = entry else { return -Int(EISDIR) }
        return add(node)
      }
      guard isCreating, !name.isEmpty else { return -Int(ENOENT) }
      let node = Node([])
      names[name] = node
      return add(node)
    case (.rename(let old, let new), .folder):
      guard let entry = names[old] else { return -Int(ENOENT) }
      guard !new.isEmpty else { return -Int(ENOENT) }
      if old == new { return 0 }
      if let target = names[new], (target == nil) != (entry == nil) { return entry == nil ? -Int(ENOTDIR) : -Int(EISDIR) }
      names[old] = nil
      names.updateValue(entry, forKey: new)
      return 0
    case (.unlink(let name), .folder):
      guard let entry = names[name] else { return -Int(ENOENT) }
      guard entry != nil else { return -Int(EISDIR) }
      names.removeValue(forKey: name)
      return 0
    case (.makeDirectory(let name), .folder):
      guard !name.isEmpty else { return -Int(ENOENT) }
      guard names[name] == nil else { return -Int(EEXIST) }
      names.updateValue(nil, forKey: name)
      return 0
    default: return -Int(EINVAL)
    }
  }

  private func add(_ node: Node) -> Int {
    guard nextNumber < 256 else { return -Int(EMFILE) }
    objects[nextNumber] = .file(node)
    nextNumber += 1
    return Int(descriptor(nextNumber - 1))
  }

  private static func take(_ bytes: inout [UInt8], _ count: Int, _ address: UInt64) -> Int {
    let taken = Array(bytes.prefix(count))
    bytes.removeFirst(taken.count)
    store(taken, address)
    return taken.count
  }

  private static func store(_ bytes: [UInt8], _ address: UInt64) {
    guard !bytes.isEmpty else { return }
    unsafe UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: UInt(address)), count: bytes.count).copyBytes(
      from: bytes)
  }

  private static func load(_ address: UInt64, _ count: Int) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(address)), count: count))
  }

  // MARK: all worlds

  /// The number of no world: its descriptors are files to whoever asks what they are, and calls on them are a simulated kernel's alone.
  private static let nowhere: UInt64 = 0x3F_FFFF

  /// A descriptor of no world. It has five bits that a test may use.
  static func descriptorNowhere(_ bits: UInt64 = 0) -> UInt64 {
    // Whoever asks for one may be the first who simulates.
    _ = worlds
    return 1 << UInt64(SYSLET_SIMULATED_BIT) | nowhere << 8 | bits
  }

  private static func answer(_ number: Int, _ address: UInt64) -> Int {
    switch number {
    case SystemCall.fstat:
      let status = unsafe UnsafeMutablePointer<stat>(bitPattern: UInt(address))!
      unsafe status.pointee = stat()
      unsafe status.pointee.st_dev = 1 << 60
      unsafe status.pointee.st_mode = S_IFREG
      return 0
    case SystemCall.fstatfs:
      unsafe UnsafeMutablePointer<Int>(bitPattern: UInt(address))!.pointee = 0xEF53
      return 0
    case SystemCall.fcntl: return 0
    default: return -Int(EBADF)
    }
  }

  /// The worlds by their numbers, for calls that name one by a descriptor. A world is used by one thread at a time, as its run is; the table
  /// by all, under its lock.
  private final class Worlds: Sendable {
    private struct Entry: @unchecked Sendable { weak var world: SimulatedWorld? }
    private let state = Locked<(next: UInt64, entries: [UInt64: Entry])>((1, [:]))

    init() {
      unsafe syslet_call_simulate { number, arguments in
        let arguments = unsafe Array(UnsafeBufferPointer(start: arguments, count: 6))
        let identifier = (arguments[0] >> 8) & 0x3F_FFFF
        if identifier == SimulatedWorld.nowhere { return SimulatedWorld.answer(number, arguments[1]) }
        guard let world = SimulatedWorld.worlds[identifier] else { return -Int(EBADF) }
        return world.call(number, arguments) ?? -Int(ENOSYS)
      }
    }

    func add() -> UInt64 {
      state.withLock { state in
        state.next = (state.next + 1) % SimulatedWorld.nowhere
        return state.next
      }
    }

    subscript(identifier: UInt64) -> SimulatedWorld? {
      get { state.withLock { $0.entries[identifier] }?.world }
      set {
        let entry = newValue.map { Entry(world: $0) }
        state.withLock { $0.entries[identifier] = entry }
      }
    }
  }

  private static let worlds = Worlds()
}
