// log-append: records that are on the disk when their syslet completes.

internal import Glibc
internal import SysletRing

/// `write(record), stop on negative → fdatasync`, on a log of its own per slot: two writers of one log would wait for one another.
@safe final class LogAppendWorkload: Workload {
  static let recordBytes = 128

  let slots: SlotMemory
  let variant = ""
  let subject: String
  let atomsExecuted = 2
  let itemCount = Int.max
  private let logs: [ScratchFile]
  private let pattern: Pattern
  /// Records that each slot's log must hold, and those that it held when the pass began. The logs grow from pass to pass: truncating
  /// them would give the journal other work than appending does.
  private let appended: UnsafeMutablePointer<Int>
  private let verified: UnsafeMutablePointer<Int>

  init(_ inputs: Inputs, depth: Int) throws(Failure) {
    var logs: [ScratchFile] = []
    for slot in 0..<depth { logs.append(try inputs.scratch.create("log-\(slot)", flags: O_RDWR | O_APPEND)) }
    self.logs = logs
    pattern = Pattern(seed: inputs.seed)
    subject = "records of \(Text.bytes(Self.recordBytes)), a log per syslet in flight, on \(inputs.scratch.filesystem)"
    slots = SlotMemory(count: depth, atoms: 2, words: 1, bufferBytes: Self.recordBytes)
    unsafe appended = .allocate(capacity: depth)
    unsafe appended.initialize(repeating: 0, count: depth)
    unsafe verified = .allocate(capacity: depth)
    unsafe verified.initialize(repeating: 0, count: depth)
    for slot in 0..<depth {
      let (write, sync) = unsafe (slots.atom(slot, 0), slots.atom(slot, 1))
      let log = UInt64(argument: logs[slot].descriptor.number)
      unsafe write.initialize(
        to: Atom(
          SystemCall.write, log, UInt64(argument: slots.buffer(slot)), UInt64(argument: Self.recordBytes),
          flags: .stopOnNegative, result: slots.word(slot, 0), next: sync))
      unsafe sync.initialize(to: Atom(SystemCall.fdatasync, log))
      for position in 0..<Self.recordBytes / 8 {
        unsafe slots.buffer(slot).storeBytes(of: word(slot, position, sequence: 0), toByteOffset: position * 8, as: UInt64.self)
      }
    }
  }

  deinit {
    unsafe appended.deallocate()
    unsafe verified.deallocate()
  }

  /// A record starts with its number; the rest tells the slot's records from other slots'.
  private func word(_ slot: Int, _ position: Int, sequence: Int) -> UInt64 {
    position == 0 ? UInt64(sequence) : pattern.word(at: (slot * Self.recordBytes) + position * 8)
  }

  func arm(_ slot: Int, item: Int) -> UnsafeMutablePointer<Atom> {
    unsafe slots.buffer(slot).storeBytes(of: UInt64(appended[slot]), as: UInt64.self)
    unsafe appended[slot] += 1
    unsafe slots.word(slot, 0).pointee = -1
    return unsafe slots.atom(slot, 0)
  }

  func check(_ slot: Int, item: Int, _ completion: Completion) -> Bool {
    unsafe completion.result == 0 && completion.executed == 2 && slots.word(slot, 0).pointee == Self.recordBytes
  }

  func inspect(_ slot: Int, item: Int, _ completion: Completion) -> String? {
    check(slot, item: item, completion)
      ? nil : unsafe "\(logs[slot].path): it \(completion.account), and write gave \(slots.word(slot, 0).pointee)"
  }

  /// Reads back what the pass appended, whatever `isThorough` says: the records are few.
  func endPass(isThorough: Bool) -> String? {
    for (slot, log) in logs.enumerated() {
      let expected = unsafe verified[slot]..<appended[slot]
      unsafe verified[slot] = appended[slot]
      if let wrong = problem(slot, log, expected) { return wrong }
    }
    return nil
  }

  private func problem(_ slot: Int, _ log: ScratchFile, _ expected: Range<Int>) -> String? {
    guard log.byteCount() == expected.upperBound * Self.recordBytes else {
      return "\(log.path) has \(log.byteCount() ?? -1) bytes, not \(expected.upperBound) records of \(Self.recordBytes)"
    }
    guard let content = log.content(from: expected.lowerBound * Self.recordBytes) else { return "\(log.path) cannot be read back" }
    for sequence in expected {
      let record = (sequence - expected.lowerBound) * Self.recordBytes
      for position in 0..<Self.recordBytes / 8 {
        let stored = unsafe content.withUnsafeBytes {
          unsafe $0.loadUnaligned(fromByteOffset: record + position * 8, as: UInt64.self)
        }
        guard stored == word(slot, position, sequence: sequence) else { return "\(log.path): record \(sequence) is wrong" }
      }
    }
    return nil
  }

  func byteCount(of items: Range<Int>) -> Int { items.count * Self.recordBytes }
}
