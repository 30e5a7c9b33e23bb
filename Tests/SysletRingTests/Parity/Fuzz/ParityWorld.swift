// A world of one case: its descriptors, names and memory, made anew by plain calls, and all that can be seen of it afterwards. Worlds
// come one after the other in a process that opens nothing else meanwhile, so that descriptors have the same numbers in each.

import CTestSupport
import Glibc

@testable import SysletRing

/// What can be seen of a world, in numbers.
struct ParityView {
  private var items: [(what: StaticString, index: Int, value: Int)] = []

  mutating func add(_ what: StaticString, _ index: Int, _ value: Int) { items.append((what, index, value)) }

  /// The first thing in which it is not as it was by plain calls.
  func difference(_ plain: ParityView) -> String? {
    for (here, there) in zip(items, plain.items) where here.index != there.index || here.value != there.value {
      return "\(there.what) \(there.index): \(Self.text(there.value)) by plain calls, here \(Self.text(here.value))"
    }
    return items.count == plain.items.count ? nil : "more is to be seen here than by plain calls, or less"
  }

  private static func text(_ value: Int) -> String { value.magnitude < 1 << 32 ? "\(value)" : String(UInt(bitPattern: value), radix: 16) }
}

final class ParityWorld {
  private let tried: FuzzCase
  private let material: ParityMaterial
  private let arena: ParityArena
  private let base: Int
  private(set) var ends = ParityEnds()
  private var otherEnds = ParityEnds()
  private static let descriptorsMax = 28
  private static let names = ["a", "b", "d/x", "d", "l", "m", "p", "n", "q0", "q1", "f0", "f1"]
  private let usesNames: Bool

  /// Descriptors are given from `base` on. The working directory becomes `folder`.
  init(_ tried: FuzzCase, _ material: ParityMaterial, _ arena: ParityArena, base: Int, folder: Int) {
    (self.tried, self.material, self.arena, self.base) = (tried, material, arena, base)
    // What is removed by name must be the fuzzer's.
    precondition(kernel(SystemCall.fchdir, folder) == 0)
    let takesNames = tried.calls.contains { call in ParityForm.all.contains { $0.name == call.name && $0.group == .name } }
    usesNames = takesNames || tried.kind == .directory || tried.kind == .inotifyEmpty || tried.kind == .inotifyData
    if usesNames { makeNames() }
    ends = material.make(tried.kind, slot: 0)
    if tried.usesOther { otherEnds = material.make(tried.other, slot: 1) }
    setStates()
    arena.reset()
    for call in tried.calls { for store in call.stores { put(store) } }
  }

  /// Closes and removes everything. What is with the kernel still has its files.
  func end() {
    limitFileSize(nil)
    // A connection that is reset waits for nobody: thousands would use up all ports.
    if tried.kind.rawValue.hasPrefix("tcp") || tried.kind == .listeningTCPPending || tried.kind == .listeningTCP {
      material.setOption(ends.subject, 13, [1, 0])
      if ends.peer >= 0 { material.setOption(ends.peer, 13, [1, 0]) }
    }
    kernel(SystemCall.close_range, base, Int(UInt32.max), 0)
    if usesNames {
      for name in Self.names where kernel(SystemCall.unlinkat, -100, material.text(name), 0) == -Int(EISDIR) {
        kernel(SystemCall.unlinkat, -100, material.text(name), 0x200)
      }
    }
  }

  private func makeNames() {
    let file = material.open("a", Int(O_WRONLY | O_CREAT), 0o644)
    kernel(SystemCall.write, file, material.content, 10)
    kernel(SystemCall.close, file)
    kernel(SystemCall.mkdirat, -100, material.text("d"), 0o755)
    kernel(SystemCall.mknodat, -100, material.text("p"), 0o010644)
    link("a", "l")
    link("missing", "m")
  }

  private func link(_ target: String, _ name: String) {
    let path = Array((target + "\0").utf8)
    unsafe path.withUnsafeBytes { path in
      let address = Int(bitPattern: path.baseAddress!)
      kernel(SystemCall.symlinkat, address, -100, material.text(name))
    }
  }

  private func setStates() {
    let states = tried.states
    let subject = ends.subject
    if states.contains(.receiveLowWater) { material.setOption(subject, 18, [8]) }
    if states.contains(.receiveTimeout) { material.setOption(subject, 20, [0, 0, 4000, 0]) }
    if states.contains(.sendTimeout) { material.setOption(subject, 21, [0, 0, 4000, 0]) }
    if states.contains(.middle) { kernel(SystemCall.lseek, subject, 2500, 0) }
    if states.contains(.atEnd) { kernel(SystemCall.lseek, subject, 0, 2) }
    var flags = 0
    if states.contains(.nonblocking) { flags |= Int(O_NONBLOCK) }
    if states.contains(.append) { flags |= Int(O_APPEND) }
    if flags != 0 { add(flags, to: subject) }
    if states.contains(.otherNonblocking), tried.usesOther { add(Int(O_NONBLOCK), to: otherEnds.subject) }
    if states.contains(.fileSizeLimit) { limitFileSize(8192) }
  }

  private func add(_ flags: Int, to descriptor: Int) {
    kernel(SystemCall.fcntl, descriptor, 4, kernel(SystemCall.fcntl, descriptor, 3) | flags)
  }

  private func limitFileSize(_ count: Int32?) {
    guard tried.states.contains(.fileSizeLimit) else { return }
    let limit: [Int32] = count.map { [$0, 0, -1, -1] } ?? [-1, -1, -1, -1]
    kernel(SystemCall.setrlimit, 1, material.address(limit))
  }

  // MARK: arguments

  func word(_ argument: FuzzCall.Argument) -> UInt64 {
    switch argument {
    case .number(let value): .int(value)
    case .subject: .int(ends.subject)
    case .other: .int(otherEnds.subject)
    case .at(let offset): arena.address(offset)
    case .null: 0
    case .inaccessible: arena.address(ParityArena.Place.inaccessible)
    case .readOnly: arena.address(ParityArena.Place.readOnly)
    }
  }

  private func put(_ store: FuzzCall.Store) {
    switch store.content {
    case .bytes(let bytes): arena.store(bytes, at: store.offset)
    case .word(let value): arena.store(value, at: store.offset)
    case .half(let value): arena.store(value, at: store.offset)
    case .argument(let argument): arena.store(word(argument), at: store.offset)
    case .descriptor(let argument): arena.store(Int32(truncatingIfNeeded: word(argument)), at: store.offset)
    case .bit(let argument):
      let descriptor = Int32(truncatingIfNeeded: word(argument))
      if (0..<128).contains(descriptor) { arena.store(UInt8(1 << (descriptor % 8)), at: store.offset + Int(descriptor / 8)) }
    }
  }

  /// The calls of another thread that end a wait, seven words each.
  var event: [UInt64] {
    switch tried.event {
    case .ofKind(let number):
      return material.event(tried.kind, number, ends).flatMap { words in
        (words + [Int](repeating: 0, count: 7 - words.count)).map { .int($0) }
      }
    case .ofCall:
      guard let call = tried.calls.first(where: { !$0.event.isEmpty }) else { return [] }
      let words = call.event.map(word)
      return words + [UInt64](repeating: 0, count: 7 - words.count)
    case nil: return []
    }
  }

  // MARK: what can be seen

  /// All that is to be seen now; what is unread is read by this.
  func look() -> ParityView {
    var view = ParityView()
    limitFileSize(nil)
    lookAtDescriptors(&view)
    if usesNames { lookAtNames(&view) }
    for (index, descriptor) in [ends.subject, ends.peer, otherEnds.subject, otherEnds.peer].enumerated() where descriptor >= 0 {
      let kind = index < 2 ? tried.kind : tried.other
      if !kind.isRandom, kind != .timerDisarmed, kind != .timerExpired { drain(descriptor, index, kind, &view) }
    }
    return view
  }

  private func lookAtDescriptors(_ view: inout ParityView) {
    let own = [ends.subject, ends.peer, ends.third, otherEnds.subject, otherEnds.peer, otherEnds.third]
    // Of those that the case has made only how many there are and what they are: their order is no promise.
    var (count, sum) = (0, 0)
    for descriptor in base..<base + Self.descriptorsMax {
      let closing = kernel(SystemCall.fcntl, descriptor, 1)
      let isOwn = own.contains(descriptor)
      if closing < 0 {
        if isOwn { view.add("closed descriptor", descriptor - base, 1) }
        continue
      }
      let flags = kernel(SystemCall.fcntl, descriptor, 3)
      kernel(SystemCall.fstat, descriptor, material.room)
      let (mode, size) = material.modeAndSize
      if isOwn {
        view.add("descriptor", descriptor - base, closing)
        view.add("flags of descriptor", descriptor - base, flags)
        view.add("mode of descriptor", descriptor - base, mode)
        if mode & 0o170000 == 0o100000 {
          if tried.kind != .sysFile { view.add("size of descriptor", descriptor - base, size) }
          view.add("position of descriptor", descriptor - base, kernel(SystemCall.lseek, descriptor, 0, 1))
        }
      } else {
        count += 1
        sum = sum &+ (closing * 31 &+ flags) * 31 &+ mode
      }
    }
    view.add("number of new descriptors", 0, count)
    view.add("kinds of new descriptors", 0, sum)
  }

  private func lookAtNames(_ view: inout ParityView) {
    for (index, name) in Self.names.enumerated() {
      // AT_SYMLINK_NOFOLLOW.
      let result = kernel(SystemCall.newfstatat, -100, material.text(name), material.room, 0x100)
      view.add("name", index, result)
      guard result == 0 else { continue }
      let (mode, size) = material.modeAndSize
      view.add("mode of name", index, mode)
      if mode & 0o170000 == 0o100000 { view.add("size of name", index, size) }
    }
  }

  private func drain(_ descriptor: Int, _ index: Int, _ kind: ParityKind, _ view: inout ParityView) {
    kernel(SystemCall.fstat, descriptor, material.room)
    let (mode, size) = material.modeAndSize
    func add(_ result: Int) {
      view.add("what is left in", index, result)
      if result > 0, !tried.isRandom { view.add("bytes left in", index, material.hash(min(result, 60_000))) }
    }
    switch mode & 0o170000 {
    case 0o100000:
      if kernel(SystemCall.fcntl, descriptor, 3) & directFlag != 0 { kernel(SystemCall.fcntl, descriptor, 4, 0) }
      add(kernel(SystemCall.pread64, descriptor, material.room, 60_000, 0))
      if size > 60_000 { add(kernel(SystemCall.pread64, descriptor, material.room, 4096, size - 4096)) }
    case 0o040000: break
    default:
      if [.devNull, .devZero, .devFull, .directory].contains(kind) { return }
      if kind.rawValue.hasPrefix("epoll"), index == 0 {
        view.add("events at", index, kernel(SystemCall.epoll_wait, descriptor, material.room, 8, 0))
        return
      }
      if kind.isListener, index == 0 {
        self.add(Int(O_NONBLOCK), to: descriptor)
        view.add("connection at", index, min(kernel(SystemCall.accept4, descriptor, 0, 0, 0), 0))
        return
      }
      self.add(Int(O_NONBLOCK), to: descriptor)
      for _ in 0..<6 {
        let result = kernel(SystemCall.read, descriptor, material.room, 60_000)
        add(result)
        if result <= 0 || kind.rawValue.hasPrefix("queue") { break }
      }
    }
  }
}

extension ParityMaterial {
  /// What `fstat` has just put into the room.
  var modeAndSize: (mode: Int, size: Int) { (Int(roomWord(24, as: UInt32.self)), Int(roomWord(48, as: Int64.self))) }
}
