// Which memory the calls of a segment write, so that a later call that depends on it is not translated too early.
//
// What the kernel captures of a call is captured when the whole segment is submitted, before its first call has run. A call may
// therefore join a segment only if nothing that is read for it early is written by a call before it. Ranges are compared; where a
// range is not known (the buffers of an iovec, the length of a path) the answer is the careful one, which costs a cut (law L1).

internal import Glibc

/// Why a call may not join the segment.
enum Hazard: Equatable {
  /// The atom itself is written by an earlier call.
  case atom
  /// The word behind argument N is.
  case argument(Int)
  /// Memory that the kernel captures through argument N is.
  case captured(Int)
  /// Memory that the call reads or fills through argument N holds a result that may be stored only when the segment is done.
  case result(Int)
  /// An earlier call fills memory that only its iovec or its kernel knows.
  case unknown
  /// What its descriptor names is not known before an earlier call has closed it, or opened it.
  case descriptor
}

@safe struct Hazards: ~Copyable {
  struct Range {
    var low: UInt
    var high: UInt
    func overlaps(_ other: Range) -> Bool { low < other.high && other.low < high }
  }

  /// Ranges in the order they were noted, and a box around all of them: most calls are far from the box, and then no list is walked.
  @safe private struct Ranges {
    private let list: UnsafeMutablePointer<Range>
    let capacity: Int
    var count = 0
    var box = Range(low: .max, high: 0)

    init(capacity: Int) throws(EngineError) {
      self.capacity = capacity
      unsafe list = try Allocation.make(capacity, of: Range.self, for: "entries")
    }

    func free() { unsafe Glibc.free(list) }

    mutating func clear() {
      count = 0
      box = Range(low: .max, high: 0)
    }

    mutating func insert(_ range: Range) {
      guard range.low < range.high else { return }
      box = Range(low: min(box.low, range.low), high: max(box.high, range.high))
      // Full: from here on the box itself is the answer, which is careful enough.
      guard count < capacity else { return }
      unsafe list[count] = range
      count += 1
    }

    func overlaps(_ range: Range) -> Bool {
      guard range.low < range.high, box.overlaps(range) else { return false }
      if count == capacity { return true }
      for index in 0..<count where unsafe list[index].overlaps(range) { return true }
      return false
    }
  }

  /// Filled by the kernel while the segment runs.
  private var filled: Ranges
  /// Stored by the engine when the whole segment has been reaped, at the latest: results, and poll's revents.
  private var deferred: Ranges
  private var isUnknown = false
  /// Nothing has been noted: nothing can be a hazard. Many calls write no memory of the program's.
  private(set) var isEmpty = true

  init(callsMax: Int) throws(EngineError) {
    let filled = try Ranges(capacity: callsMax * 2)
    let deferred: Ranges
    do {
      deferred = try Ranges(capacity: callsMax * 2)
    } catch {
      filled.free()
      throw error
    }
    self.filled = filled
    self.deferred = deferred
  }

  deinit {
    filled.free()
    deferred.free()
  }

  @inline(__always)
  mutating func clear() {
    guard !isEmpty else { return }
    filled.clear()
    deferred.clear()
    isUnknown = false
    isEmpty = true
  }

  /// Takes in what `call` writes.
  @inline(__always)
  mutating func note(_ call: Reference<Call>) {
    if call.pointee.result != 0 || call.pointee.hasMemory { noteWrites(call) }
  }

  private mutating func noteWrites(_ call: Reference<Call>) {
    isEmpty = false
    if call.pointee.result != 0 { deferred.insert(Range(low: call.pointee.result, high: call.pointee.result &+ 8)) }
    guard call.pointee.hasMemory else { return }
    for index in 0..<6 {
      let role = call.pointee.operation.pointee.role(index)
      switch role.kind {
      case .value, .path, .captured, .read, .vectorRead, .messageRead: break
      case .filled, .exchanged: filled.insert(range(call, index, role))
      case .deferred: deferred.insert(range(call, index, role))
      case .vectorFilled, .messageFilled, .filledUnbounded: isUnknown = true
      }
    }
  }

  /// Whether the atom at `address` may be read before the noted calls have run.
  func hazard(atom address: AtomAddress) -> Hazard? {
    if isUnknown { return .unknown }
    let range = Range(low: address.word, high: address.word &+ AtomAddress.stride)
    return filled.overlaps(range) || deferred.overlaps(range) ? .atom : nil
  }

  /// Whether `call` may be submitted before the noted calls have run.
  func hazard(_ call: Reference<Call>) -> Hazard? {
    if call.pointee.hasPointers {
      for index in 0..<6 where call.pointee.pointers[index] != 0 {
        let low = UInt(call.pointee.pointers[index])
        let range = Range(low: low, high: low &+ 8)
        if filled.overlaps(range) || deferred.overlaps(range) { return .argument(index) }
      }
    }
    guard call.pointee.hasMemory else { return nil }
    for index in 0..<6 {
      let role = call.pointee.operation.pointee.role(index)
      switch role.kind {
      case .value: break
      case .path, .captured, .exchanged, .deferred:
        let range = range(call, index, role)
        if filled.overlaps(range) || deferred.overlaps(range) { return .captured(index) }
      case .read, .filled:
        if deferred.overlaps(range(call, index, role)) { return .result(index) }
      case .messageRead, .messageFilled:
        // The header names further memory that is captured with it: the name, the iovecs.
        if filled.count > 0 || deferred.count > 0 { return .captured(index) }
      case .vectorRead, .vectorFilled, .filledUnbounded:
        let range = range(call, index, role)
        if filled.overlaps(range) || deferred.overlaps(range) { return .captured(index) }
        // The buffers behind it may be anywhere, so also where a result will be stored.
        if deferred.count > 0 { return .result(index) }
      }
    }
    return nil
  }

  /// The memory behind argument `index`, as large as it can be.
  private func range(_ call: Reference<Call>, _ index: Int, _ role: ArgumentRole) -> Range {
    let low = UInt(call.pointee.arguments[index])
    guard low != 0 else { return Range(low: 0, high: 0) }
    var size = role.byteCount >= 0 ? UInt(role.byteCount) : UInt(call.pointee.arguments[Int(-(role.byteCount + 1))])
    if role.kind == .vectorRead || role.kind == .vectorFilled { size = size.multipliedReportingOverflow(by: 16).partialValue }
    let (high, overflow) = low.addingReportingOverflow(size)
    return Range(low: low, high: overflow ? .max : high)
  }
}
