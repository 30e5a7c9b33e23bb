// Steps on descriptors, with swift-system's names: what FileDescriptor does now, this does when the program runs.

internal import CLiburing
internal import Glibc
public import SystemPackage

/// What stands behind a descriptor's step: its recorder, its operand and its place.
struct DescriptorStep {
  let builder: SysletBuilder
  let descriptor: Operand
  let name: String
  let place: SourcePlace

  init(_ value: SysletValue<FileDescriptor>, _ name: String, _ fileID: StaticString, _ line: UInt) {
    guard let builder = value.origin?.builder else { fatalError("a descriptor is never a literal") }
    (self.builder, self.name) = (builder, name)
    place = SourcePlace(fileID: fileID, line: line)
    descriptor = builder.operand(value, name, place)
  }

  func operand<T>(_ value: SysletValue<T>) -> Operand { builder.operand(value, name, place) }

  /// The address and the size of a buffer.
  func memory(_ buffer: SysletBuffer) -> (Operand, Operand) {
    builder.check(buffer.origin, name, place)
    return (.address(region: buffer.region), .integer(buffer.count))
  }

  /// The address of a buffer, and how many of its bytes are meant.
  func memory(_ buffer: SysletBuffer, _ count: SysletValue<Int>) -> (Operand, Operand) {
    builder.memory(buffer, count, name, place, descriptor: descriptor)
  }

  func append(_ node: Node) { builder.append(node, place) }

  /// The same of what was lent.
  func memory<T>(_ lent: SysletValue<T>) -> (Operand, Operand) { (operand(lent), lent.count ?? .zero) }

  @discardableResult
  func call(_ number: Int, _ arguments: Operand...) -> SysletValue<Int> {
    builder.value(builder.call(number, [descriptor] + arguments, name, place, descriptor: descriptor), name, place)
  }

  /// Reads or writes until all of it is done; `isFilling`: or until nothing comes any more. The word with what was done.
  ///
  /// What is done in one go, which is usual, takes two steps.
  @discardableResult
  func complete(
    _ number: Int, _ address: Operand, _ count: Operand, at offset: Operand? = nil, flags: Operand? = nil, isFilling: Bool
  ) -> Int {
    let (done, moved) = (builder.newWord(), builder.newWord())
    func transfer(_ address: Operand, _ count: Operand, _ offset: Operand?, into word: Int) {
      builder.call(
        number, [descriptor, address, count] + [offset, flags].compactMap { $0 }, name, place, descriptor: descriptor, result: word)
    }
    func word(_ operation: WordOperation, _ first: Operand, _ second: Operand, into word: Int) {
      builder.word(operation, first, second, into: word, place)
    }
    transfer(address, count, offset, into: done)
    let rest = builder.record(.branch, place) {
      let (next, left, at) = (builder.newWord(), builder.newWord(), builder.newWord())
      word(.add, address, .word(done), into: next)
      word(.subtract, count, .word(done), into: left)
      if let offset { word(.add, offset, .word(done), into: at) }
      let again = builder.record(.loop, place) {
        transfer(.word(next), .word(left), offset == nil ? nil : .word(at), into: moved)
        let isOver = Comparison(left: .word(moved), right: .zero, holdsForLess: false, holdsForEqual: true, holdsForGreater: false)
        append(.exit(isOver, ObjectIdentifier(builder.block)))
        for (total, operation) in [(done, WordOperation.add), (next, .add), (left, .subtract)] {
          word(operation, .word(total), .word(moved), into: total)
        }
        if offset != nil { word(.add, .word(at), .word(moved), into: at) }
        let isDone = Comparison(left: .word(left), right: .zero, holdsForLess: true, holdsForEqual: true, holdsForGreater: false)
        append(.exit(isDone, ObjectIdentifier(builder.block)))
      }
      append(.loop(again))
      if !isFilling {
        // Nothing was taken, and no error told.
        let isShort = Comparison(left: .word(left), right: .zero, holdsForLess: false, holdsForEqual: false, holdsForGreater: true)
        append(.when(isShort, builder.failing(.integer(-EIO), name, place, descriptor), builder.record(.branch, place) {}))
      }
    }
    let isShort = Comparison(left: .word(done), right: count, holdsForLess: true, holdsForEqual: false, holdsForGreater: false)
    let goOn = Node.when(isShort, rest, builder.record(.branch, place) {})
    if isFilling {
      // The end, which its result tells at once.
      let isSome = Comparison(left: .word(done), right: .zero, holdsForLess: false, holdsForEqual: false, holdsForGreater: true)
      append(.when(isSome, builder.record(.branch, place) { append(goOn) }, builder.record(.branch, place) {}))
    } else {
      append(goOn)
    }
    return done
  }
}

extension SysletValue where Wrapped == FileDescriptor {
  /// Reads at the file's own position, up to as much as the buffer holds: how many bytes, 0 at the end. read(2).
  public func read(into buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(buffer)
    return step.call(SystemCall.read, address, count).bounded(buffer.count)
  }

  /// Reads from an offset on. pread(2).
  public func read(
    fromAbsoluteOffset offset: SysletValue<Int>, into buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(buffer)
    return step.call(SystemCall.pread64, address, count, step.operand(offset)).bounded(buffer.count)
  }

  /// Reads from an offset on, up to as much as was lent: how many bytes, 0 at the end. pread(2).
  public func read(
    fromAbsoluteOffset offset: SysletValue<Int>, into lent: SysletValue<MutableBytes>, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(lent)
    return step.call(SystemCall.pread64, address, count, step.operand(offset))
  }

  /// Reads until what was lent is full, or the file ends: how many bytes. read(2).
  public func read(filling lent: SysletValue<MutableBytes>, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(lent)
    return step.fill(SystemCall.read, address, count)
  }

  /// Reads until the buffer is full, or the file ends: how many bytes. read(2).
  public func read(filling buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(buffer)
    return step.fill(SystemCall.read, address, count).bounded(buffer.count)
  }

  /// Reads from an offset on until the buffer is full, or the file ends: how many bytes. pread(2).
  public func read(
    fromAbsoluteOffset offset: SysletValue<Int>, filling buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(buffer)
    return step.fill(SystemCall.pread64, address, count, at: step.operand(offset)).bounded(buffer.count)
  }

  /// Reads from an offset on until what was lent is full, or the file ends: how many bytes. pread(2).
  public func read(
    fromAbsoluteOffset offset: SysletValue<Int>, filling lent: SysletValue<MutableBytes>, fileID: StaticString = #fileID,
    line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "read", fileID, line)
    let (address, count) = step.memory(lent)
    return step.fill(SystemCall.pread64, address, count, at: step.operand(offset))
  }

  /// Writes at the file's own position: how many bytes, which may be fewer than were given. write(2).
  public func write(_ lent: SysletValue<Bytes>, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "write", fileID, line)
    let (address, count) = step.memory(lent)
    return step.call(SystemCall.write, address, count)
  }

  /// Writes the first `count` bytes of a buffer: how many, which may be fewer. write(2).
  public func write(
    _ buffer: SysletBuffer, count: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "write", fileID, line)
    let (address, count) = step.memory(buffer, count)
    return step.call(SystemCall.write, address, count)
  }

  /// Writes all that was lent. write(2), pwrite(2).
  public func writeAll(
    _ lent: SysletValue<Bytes>, toAbsoluteOffset offset: SysletValue<Int>? = nil, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let step = DescriptorStep(self, "writeAll", fileID, line)
    let (address, count) = step.memory(lent)
    step.writeAll(address, count, offset)
  }

  /// Writes the first `count` bytes of a buffer, all of them. write(2), pwrite(2).
  public func writeAll(
    _ buffer: SysletBuffer, count: SysletValue<Int>, toAbsoluteOffset offset: SysletValue<Int>? = nil, fileID: StaticString = #fileID,
    line: UInt = #line
  ) {
    let step = DescriptorStep(self, "writeAll", fileID, line)
    let (address, count) = step.memory(buffer, count)
    step.writeAll(address, count, offset)
  }

  /// Moves the file's own position: where it is then. lseek(2).
  @discardableResult
  public func seek(
    offset: SysletValue<Int>, from whence: FileDescriptor.SeekOrigin, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<Int> {
    let step = DescriptorStep(self, "seek", fileID, line)
    return step.call(SystemCall.lseek, step.operand(offset), .integer(whence.rawValue))
  }

  /// Gives the file so many bytes. ftruncate(2).
  public func resize(to size: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line) {
    let step = DescriptorStep(self, "resize", fileID, line)
    step.call(SystemCall.ftruncate, step.operand(size))
  }

  /// Has the device keep what was written. fsync(2), fdatasync(2).
  public func sync(dataOnly: Bool = false, fileID: StaticString = #fileID, line: UInt = #line) {
    let step = DescriptorStep(self, "sync", fileID, line)
    step.call(dataOnly ? SystemCall.fdatasync : SystemCall.fsync)
  }

  /// What it names. statx(2).
  public func status(fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<SysletStatus> {
    let step = DescriptorStep(self, "status", fileID, line)
    let path = Operand.address(region: step.builder.emptyPath)
    return step.builder.status(
      step.descriptor, path, SysletStatus.emptyPath, "status", step.place, path: nil, descriptor: step.descriptor)
  }

  /// Closes it, here and not at the end of the block; its error counts. close(2).
  public func close(fileID: StaticString = #fileID, line: UInt = #line) {
    guard let builder = origin?.builder else { fatalError("a descriptor is never a literal") }
    builder.close(self, SourcePlace(fileID: fileID, line: line))
  }

  /// How a path is looked up beneath a folder. openat2(2).
  public struct Resolution: OptionSet, Sendable {
    /// `RESOLVE_…` of openat2(2).
    public let rawValue: UInt64
    /// The bits of openat2(2).
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    /// Nothing outside the folder is reached. `RESOLVE_BENEATH`.
    public static var beneath: Resolution { Resolution(rawValue: 0x08) }
    /// The folder is its root. `RESOLVE_IN_ROOT`.
    public static var inRoot: Resolution { Resolution(rawValue: 0x10) }
    /// No symbolic link is followed. `RESOLVE_NO_SYMLINKS`.
    public static var noSymlinks: Resolution { Resolution(rawValue: 0x04) }
  }

  /// Opens a file in this folder. The end of the block closes it. openat(2), and openat2(2) with `resolve`.
  public func open(
    _ path: SysletValue<FilePath>, _ mode: FileDescriptor.AccessMode, options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions? = nil, resolve: Resolution = [], fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<FileDescriptor> {
    let step = DescriptorStep(self, "open", fileID, line)
    if options.contains(.create), permissions == nil {
      step.builder.complain(
        "open creates a file and is given no permissions", step.place, "say which it is to have: permissions: .ownerReadWrite")
    }
    let path = step.operand(path)
    let flags = mode.rawValue | options.rawValue | O_CLOEXEC
    if resolve.isEmpty {
      return step.builder.open(
        SystemCall.openat, [step.descriptor, path, .integer(flags), .integer(permissions?.rawValue ?? 0)], "open", step.place, path: path,
        descriptor: step.descriptor)
    }
    let how = step.builder.words([Int(flags), Int(permissions?.rawValue ?? 0), Int(bitPattern: UInt(resolve.rawValue))])
    return step.builder.open(
      SystemCall.openat2, [step.descriptor, path, .address(region: how), .integer(24)], "open", step.place, path: path,
      descriptor: step.descriptor)
  }

  // MARK: Sockets

  /// Takes what has come, up to as much as the buffer holds: how many bytes, 0 when the other side has closed. recvfrom(2).
  @discardableResult
  public func receive(into buffer: SysletBuffer, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "receive", fileID, line)
    let (address, count) = step.memory(buffer)
    return step.call(SystemCall.recvfrom, address, count, .zero, .zero, .zero).bounded(buffer.count)
  }

  /// Takes what has come, up to as much as was lent: how many bytes, 0 when the other side has closed. recvfrom(2).
  public func receive(into lent: SysletValue<MutableBytes>, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "receive", fileID, line)
    let (address, count) = step.memory(lent)
    return step.call(SystemCall.recvfrom, address, count, .zero, .zero, .zero)
  }

  /// Receives until what was lent is full, or the other side closes: how many bytes. recvfrom(2).
  public func receive(filling lent: SysletValue<MutableBytes>, fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<Int> {
    let step = DescriptorStep(self, "receive", fileID, line)
    let (address, count) = step.memory(lent)
    return step.fill(SystemCall.recvfrom, address, count, flags: .zero)
  }

  /// Sends the first `count` bytes of a buffer, all of them. sendto(2).
  public func sendAll(
    _ buffer: SysletBuffer, count: SysletValue<Int>, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    let step = DescriptorStep(self, "sendAll", fileID, line)
    let (address, count) = step.memory(buffer, count)
    step.complete(SystemCall.sendto, address, count, flags: .zero, isFilling: false)
  }

  /// Sends all that was lent. sendto(2).
  public func sendAll(_ lent: SysletValue<Bytes>, fileID: StaticString = #fileID, line: UInt = #line) {
    let step = DescriptorStep(self, "sendAll", fileID, line)
    let (address, count) = step.memory(lent)
    step.complete(SystemCall.sendto, address, count, flags: .zero, isFilling: false)
  }

  /// Gives the socket an address of its own. bind(2).
  public func bind(to address: SysletValue<SysletSocketAddress>, fileID: StaticString = #fileID, line: UInt = #line) {
    self.address(SystemCall.bind, "bind", address, fileID, line)
  }

  func address(
    _ number: Int, _ name: String, _ address: SysletValue<SysletSocketAddress>, _ fileID: StaticString, _ line: UInt
  ) {
    let step = DescriptorStep(self, name, fileID, line)
    step.call(number, step.operand(address), address.count ?? .zero)
  }

  /// Lets others connect: so many may wait to be accepted. listen(2).
  public func listen(backlog: Int = 128, fileID: StaticString = #fileID, line: UInt = #line) {
    let step = DescriptorStep(self, "listen", fileID, line)
    step.call(SystemCall.listen, .integer(backlog))
  }

  /// Accepts a connection. The end of the block closes it, unless the program returns it. accept4(2).
  public func accept(fileID: StaticString = #fileID, line: UInt = #line) -> SysletValue<FileDescriptor> {
    let step = DescriptorStep(self, "accept", fileID, line)
    return step.builder.open(
      SystemCall.accept4, [step.descriptor, .zero, .zero, .integer(SOCK_CLOEXEC.rawValue)], "accept", step.place,
      descriptor: step.descriptor)
  }

  /// Ends one direction of a connection, or both. shutdown(2).
  public func shutdown(_ how: SysletShutdown, fileID: StaticString = #fileID, line: UInt = #line) {
    let step = DescriptorStep(self, "shutdown", fileID, line)
    step.call(SystemCall.shutdown, .integer(how.rawValue))
  }
}

/// Which direction of a connection ends.
public enum SysletShutdown: Int32, Sendable {
  /// No more is received.
  case receiving = 0
  /// No more is sent.
  case sending = 1
  /// Both.
  case both = 2
}

extension DescriptorStep {
  func fill(
    _ number: Int, _ address: Operand, _ count: Operand, at offset: Operand? = nil, flags: Operand? = nil
  ) -> SysletValue<Int> {
    builder.value(complete(number, address, count, at: offset, flags: flags, isFilling: true), name, place)
  }

  func writeAll(_ address: Operand, _ count: Operand, _ offset: SysletValue<Int>?) {
    guard let offset else {
      complete(SystemCall.write, address, count, isFilling: false)
      return
    }
    complete(SystemCall.pwrite64, address, count, at: operand(offset), isFilling: false)
  }
}

extension SysletValue where Wrapped == Int {
  func bounded(_ count: Int) -> SysletValue {
    var value = self
    value.bound = count
    return value
  }
}

extension SysletValue where Wrapped == SysletStatus {
  /// Bytes.
  public var size: SysletValue<Int> { field(.load8, SysletStatus.sizeOffset, "size") }
  /// Type and permissions, as `st_mode`.
  public var mode: SysletValue<Int> { field(.load2, SysletStatus.modeOffset, "mode") }

  private func field(_ operation: WordOperation, _ offset: Int, _ name: String) -> SysletValue<Int> {
    guard let origin, case .operand(let operand) = content else { fatalError("a status is no literal") }
    let (builder, place) = (origin.builder, origin.place)
    builder.check(origin, name, place)
    let address: Operand =
      switch operand {
      case .address(let region, _): .address(region: region, offset: offset)
      // Chosen when the program runs.
      default: .word(builder.word(.add, operand, .integer(offset), place))
      }
    return builder.value(builder.word(operation, address, .zero, place), name, place)
  }
}
