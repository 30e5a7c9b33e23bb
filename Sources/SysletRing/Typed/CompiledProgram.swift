// A compiled program, and the frames in which it runs: each has the program's words and buffers, and its steps with the addresses of these.
//
// Unsafe fence: a frame's memory is its own; a run has the frame until its completion has been taken, and the kernel has let go of it by then (law L4).

internal import CLiburing
internal import Glibc
internal import Synchronization

/// What is known of a program without running it. Immutable.
final class CompiledProgram: Sendable {
  /// A step with its operands as numbers of words and regions.
  struct Template: Sendable {
    fileprivate(set) var number: Int
    let arguments: [Operand]
    let result: Int
    let negative: Int?
    let zero: Int?
    let positive: Int?
    let control: Control?
    /// Where cleaning up begins if the program is cut short behind it, when it has failed and when it has not: by what nothing catches, and by each of the time
    /// limits around it, from the outside in.
    let landingsFailed: [Int?]
    let landingsDone: [Int?]
    // For errors.
    let name: String
    let location: SysletError.SourceLocation
    let path: Operand?
    let descriptor: Operand?
    let mayFail: Bool
  }

  let templates: [Template]
  /// The first step that is made; nil if none is.
  let begin: Int?
  let layout: FrameLayout
  let failure: Int
  /// How many descriptors of its own it has open at most.
  let descriptors: Int
  let name: String

  init(_ compiler: consuming ProgramCompiler, name: String) {
    templates = compiler.drafts.enumerated().map { number, draft in
      Template(
        number: draft.node.number, arguments: draft.node.arguments, result: draft.node.result, negative: compiler.step(draft.negative),
        zero: compiler.step(draft.zero), positive: compiler.step(draft.positive), control: draft.control,
        landingsFailed: compiler.landings(number, failed: true), landingsDone: compiler.landings(number, failed: false),
        name: draft.node.name, location: draft.node.place.location, path: draft.node.path, descriptor: draft.node.descriptor,
        mayFail: draft.node.mayFail)
    }
    begin = compiler.begin
    layout = compiler.layout
    failure = compiler.failure
    descriptors = compiler.descriptors
    self.name = name
  }

  private init(_ other: CompiledProgram, _ templates: [Template]) {
    (self.templates, begin, layout) = (templates, other.begin, other.layout)
    (failure, descriptors, name) = (other.failure, other.descriptors, other.name)
  }

  /// The same with another operation in place of a step's. For tests.
  func replacing(_ step: Int, number: Int) -> CompiledProgram {
    var templates = templates
    templates[step].number = number
    return CompiledProgram(self, templates)
  }
}

/// The memory of one activation, for one after the other.
@safe final class SysletFrame: @unchecked Sendable {
  let program: CompiledProgram
  /// What `memory` is the aligned part of.
  private let block: UnsafeMutableRawPointer
  private let memory: UnsafeMutableRawPointer
  private let steps: UnsafeMutablePointer<Step>
  /// What of it changes. Not stored in the object: an activation has it alone, and what Swift would check again took 60 instructions each time.
  private let state: UnsafeMutablePointer<State>

  private struct State {
    /// What parameters needed beyond the frame, freed when it is done with.
    var owned: [Int] = []
    var isLost = false
  }

  init(_ program: CompiledProgram) {
    self.program = program
    let layout = program.layout
    // Zeros that take no memory before they are used: a task that waits for its turn has a frame, and has not used its buffers.
    guard let block = unsafe calloc(1, layout.byteCount + 64) else { fatalError("there is no memory for a syslet's frame") }
    unsafe self.block = unsafe block
    unsafe memory = UnsafeMutableRawPointer(bitPattern: (UInt(bitPattern: block) + 63) & ~63)!
    for (region, bytes) in layout.contents {
      unsafe memory.advanced(by: layout.offset(ofRegion: region)).copyMemory(from: bytes, byteCount: bytes.count)
    }
    unsafe steps = Step.allocate(max(1, program.templates.count), isFrame: true)
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: State())
    makeSteps()
    reset()
  }

  deinit {
    unsafe free(block)
    unsafe state.deinitialize(count: 1)
    unsafe state.deallocate()
    head.disown()
  }

  /// The first step, whichever one a run begins with.
  var head: AtomAddress { address(ofStep: 0) }

  func address(ofStep number: Int) -> AtomAddress { unsafe AtomAddress(UnsafeMutableRawPointer(steps + number)) }

  /// The number of the step that a completion names.
  func number(of atom: UnsafeMutableRawPointer) -> Int { unsafe atom.assumingMemoryBound(to: Step.self) - steps }

  private func makeSteps() {
    let syslet = Step.nextSyslet(isFrame: true)
    for (number, template) in program.templates.enumerated() { unsafe (steps + number).initialize(to: step(template, number, syslet)) }
  }

  private func step(_ template: CompiledProgram.Template, _ number: Int, _ syslet: UInt64) -> Step {
    func target(_ step: Int?) -> AtomAddress { step.map { address(ofStep: $0) } ?? .nowhere }
    var call = Call.none
    if let operation = WordOperation(rawValue: template.number)?.row() {
      (call.operation, call.row) = (operation, OperationTable.shared.row(Operation.umemAddNumber))
    } else {
      call.row = OperationTable.shared.row(template.number)
      call.operation = OperationTable.shared[call.row]
    }
    call.traits = call.operation.pointee.traits
    call.form = call.operation.pointee.form
    call.hasMemory = call.operation.pointee.hasMemory
    call.number = template.number
    call.atom = address(ofStep: number)
    call.isPrepared = true
    call.result = UInt(bitPattern: address(.word(template.result)))
    var pointers: UInt8 = 0
    for (index, operand) in template.arguments.enumerated() {
      switch operand {
      case .constant(let value): call.arguments[index] = value
      case .address: call.arguments[index] = UInt64(UInt(bitPattern: address(operand)))
      case .word:
        pointers |= 1 << UInt8(index)
        let pointer = UInt64(UInt(bitPattern: address(operand)))
        (call.arguments[index], call.pointers[index]) = (pointer, pointer)
      }
    }
    call.hasPointers = pointers != 0
    // Straight on is where it goes if the result is above 0; other classes leave the way if they go elsewhere. What ends the activation does so in any case.
    let isEnd = template.control != nil
    if !isEnd {
      call.next = template.positive.map { address(ofStep: $0) }
      if template.negative != template.positive { call.flags.formUnion([.stopOnNegative, .skipToNextOnStop]) }
      if template.zero != template.positive { call.flags.formUnion([.stopOnZero, .skipToNextOnStop]) }
    }
    return unsafe Step(
      call: call, pointers: pointers, reading: .call, isSettled: pointers == 0,
      skips: Skips(negative: target(template.negative), zero: target(template.zero), positive: target(template.positive)),
      atom: call.atom, privateData: nil, number: number, count: program.templates.count, syslet: syslet)
  }

  // MARK: Memory

  /// Where a word or a region is.
  func address(_ operand: Operand) -> Int {
    switch operand {
    case .constant(let value): return Int(bitPattern: UInt(value))
    case .word(let word): return unsafe Int(bitPattern: memory) + program.layout.offset(ofWord: word)
    case .address(let region, let offset):
      return unsafe Int(bitPattern: memory) + program.layout.offset(ofRegion: region) + offset
    }
  }

  /// What an operand is now.
  func value(_ operand: Operand) -> Int {
    guard case .word(let word) = operand else { return address(operand) }
    return self[word]
  }

  subscript(word: Int) -> Int {
    get { unsafe memory.load(fromByteOffset: program.layout.offset(ofWord: word), as: Int.self) }
    set { unsafe memory.storeBytes(of: newValue, toByteOffset: program.layout.offset(ofWord: word), as: Int.self) }
  }

  /// The words as they are at the program's begin.
  func reset() {
    for (word, value) in program.layout.words.enumerated() { self[word] = value }
  }

  /// Keeps `count` bytes and a zero behind them for as long as the activation lasts: where they are.
  func keep(_ bytes: UnsafePointer<CChar>, _ count: Int, inlineRegion: Int, inlineMax: Int) -> Int {
    if count < inlineMax {
      let address = address(.address(region: inlineRegion))
      unsafe UnsafeMutableRawPointer(bitPattern: address)!.copyMemory(from: bytes, byteCount: count + 1)
      return address
    }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: count + 1, alignment: 1)
    unsafe copy.copyMemory(from: bytes, byteCount: count + 1)
    unsafe state.pointee.owned.append(Int(bitPattern: copy))
    return Int(bitPattern: copy)
  }

  /// What stands where an operand's value points to.
  func record(_ operand: Operand) -> UnsafeRawPointer { unsafe UnsafeRawPointer(bitPattern: value(operand))! }

  fileprivate func freeOwned() {
    guard unsafe !state.pointee.owned.isEmpty else { return }
    for copy in unsafe state.pointee.owned { unsafe UnsafeMutableRawPointer(bitPattern: copy)!.deallocate() }
    unsafe state.pointee.owned.removeAll(keepingCapacity: true)
  }

  /// The kernel may have it for good: it is not used again, and not freed.
  func lose() { unsafe state.pointee.isLost = true }
  fileprivate var isLost: Bool { unsafe state.pointee.isLost }

  // MARK: What became of it

  /// The step that failed, if one did that nothing has caught.
  var failedStep: Int? {
    let number = self[program.failure]
    return number == 0 ? nil : number - 1
  }
}

/// The frames of a program that nobody uses: an activation takes one, so that in the long run nothing is allocated.
final class FramePool: Sendable {
  private let program: CompiledProgram
  /// The one that was given back last, as an unmanaged reference that counts; 0 for none. Acquired with what was done to it, and released. A task that runs one
  /// program after the other takes what it has just given back, for which a lock, twice, took 20 ns.
  private let last = Atomic<UInt>(0)
  private let free = Locked<[SysletFrame]>([])
  /// So many are kept: of a program with large buffers fewer, so that a crowd that was there once does not have the memory for ever.
  private let framesMax: Int

  init(_ program: CompiledProgram) {
    self.program = program
    framesMax = max(64, Self.bytesMax / max(program.layout.byteCount, 1))
  }

  private static let bytesMax = 32 << 20

  deinit { _ = takeLast() }

  func take() -> SysletFrame {
    guard let frame = takeLast() ?? free.withLock({ $0.popLast() }) else { return SysletFrame(program) }
    frame.reset()
    return frame
  }

  private func takeLast() -> SysletFrame? {
    let word = last.exchange(0, ordering: .acquiring)
    return unsafe UnsafeRawPointer(bitPattern: word).map { unsafe Unmanaged<SysletFrame>.fromOpaque($0).takeRetainedValue() }
  }

  func giveBack(_ frame: SysletFrame) {
    let retained = unsafe Unmanaged.passRetained(frame)
    // Law L4.
    guard !frame.isLost else { return }
    frame.freeOwned()
    let word = unsafe UInt(bitPattern: retained.toOpaque())
    guard !last.compareExchange(expected: 0, desired: word, ordering: .releasing).exchanged else { return }
    free.withLock { if $0.count < framesMax { $0.append(frame) } }
    unsafe retained.release()
  }
}
