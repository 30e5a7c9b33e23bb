// The listing of a syslet: each atom, where it runs and why, where segments end and why. Made by the translator itself, so that it cannot tell
// another story than what happens.

internal import CLiburing

/// How a syslet would run on an engine, atom by atom.
public struct Explanation: Sendable, CustomStringConvertible {
  /// One atom.
  public struct Line: Sendable {
    /// The atom's position in the order of discovery: the head is 0, `next` edges first. Of a typed program the number of the step, from 0.
    public var atom: Int
    /// The system call's name.
    public var call: String
    /// What the atom asks for: stop conditions, other flags, the atoms that may follow.
    public var edges: String
    /// Where it runs: "inline", "ring", "poller" or "worker".
    public var place: String
    /// The number of its linked submission, from 1; nil off the ring.
    public var segment: Int?
    /// The SQE's link flag; nil without one.
    public var sqeFlag: String?
    /// Why it runs there, and why it is linked or cut as it is.
    public var reason: String
    /// Where the step of a typed program stands in the source; nil for an atom.
    public var location: String?
  }

  /// The backend that it was explained for.
  public var backend: EngineBackend
  /// The atoms, in the order of discovery.
  public var lines: [Line]
  /// What changes when many such syslets are ready or waiting at a time.
  public var notes: [String] = []
  /// What `automatic` has measured lately that decides, and that no line's reason tells.
  public var lately: [String] = []

  /// The listing as a text of a line and its reason for each atom.
  public var description: String {
    let isTyped = lines.contains { $0.location != nil }
    var text = "\(lines.count) \(isTyped ? "step" : "atom")\(lines.count == 1 ? "" : "s") on \(backend.rawValue)\n"
    for line in lines {
      // As the errors of a typed program count its steps.
      text += isTyped ? "step \(line.atom + 1): " : "atom \(line.atom): "
      text += "\(line.call)\(line.edges.isEmpty ? "" : ", \(line.edges)")"
      text += line.location.map { ", at \($0)\n" } ?? "\n"
      text += "    \(line.place)"
      if let segment = line.segment { text += ", segment \(segment)" }
      if let sqeFlag = line.sqeFlag { text += ", \(sqeFlag)" }
      text += ": \(line.reason)\n"
    }
    for note in notes { text += "many at a time: \(note)\n" }
    for finding in lately { text += "lately: \(finding)\n" }
    return text
  }
}

extension Translator {
  /// More atoms than this are not listed: the program is not the kind that a person reads.
  private static var atomsListedMax: Int { 10_000 }

  /// Lists the syslet at `head` as it would run asynchronously, with the memory as it is now.
  ///
  /// - Parameter placer: One for listings.
  mutating func explain(_ head: AtomAddress, _ layout: AtomForm, _ placer: inout Placer) -> Explanation {
    let inlineLimit = placer.turn.limit
    let numbers = number(head, layout)
    let order = numbers.sorted { $0.value < $1.value }.map(\.key)
    var lines: [AtomAddress: Explanation.Line] = [:]
    var segments = 0
    var hasLine = false
    for start in order where lines[start] == nil {
      var cursor: AtomAddress? = start
      var isOnWorker = false
      placer.beginListing()
      // Where the descriptor will be that a look-up of this syslet opens.
      var opened: UInt = 0
      while let atom = cursor, lines[atom] == nil, numbers[atom] != nil {
        let scratch = CallScratch()
        let call = scratch.call
        guard case .call = memory.fetch(atom, layout, into: call) else {
          lines[atom] = Explanation.Line(
            atom: numbers[atom]!, call: "?", edges: "", place: "none", segment: nil, sqeFlag: nil,
            reason: "the atom or an argument cannot be read, or is malformed: the syslet ends here with a fault")
          break
        }
        begin()
        var placement =
          placer.takeIdleCall(call, memory)
          ? .plain(.few) : placer.place(call, &descriptors, mayTry: true) ?? place(call, isSynchronous: false)
        if opened != 0, UInt(call.pointee.pointers[0]) == opened, call.pointee.form.isPlainRead { placement = .plain(.cached) }
        if isOnWorker, !router.staysOnWorker(call) { isOnWorker = false }
        switch placement {
        case .inline(let why) where !isOnWorker:
          lines[atom] = line(call, numbers, place: "inline", reason: why.description)
          cursor = call.pointee.next
        case .inline:
          lines[atom] = line(call, numbers, place: "worker", reason: "the worker that has the syslet makes it too")
          cursor = call.pointee.next
        case .plain where isOnWorker:
          lines[atom] = line(call, numbers, place: "worker", reason: "the worker that has the syslet makes it too")
          cursor = call.pointee.next
        case .plain(.device):
          lines[atom] = line(call, numbers, place: "inline", reason: Placement.PlainReason.device.description)
          cursor = call.pointee.next
        case .plain(let why):
          if why == .lookUp || why == .creation { opened = call.pointee.result }
          let cost = placer.costs[placer.costs.row(call, why)]
          isOnWorker = cost > min(PlainCosts.briefMax, inlineLimit)
          lines[atom] = line(
            call, numbers, place: isOnWorker ? "worker" : "inline",
            reason: isOnWorker
              ? "\(why); such a run takes some \(cost / 1000) µs\(cost <= inlineLimit ? ", and is made here only while nothing else is waited for" : "")"
              : why.description)
          cursor = call.pointee.next
        case .poller(let why):
          // A worker gives it back: it holds no thread.
          isOnWorker = false
          lines[atom] = line(call, numbers, place: "poller", reason: why.description)
          cursor = call.pointee.next
        case .worker(let why):
          lines[atom] = line(call, numbers, place: "worker", reason: isOnWorker ? "in the same hop; \(why)" : why.description)
          isOnWorker = true
          cursor = call.pointee.next
        case .ring where isOnWorker:
          lines[atom] = line(call, numbers, place: "worker", reason: "in the same hop: \(Placement.WorkerReason.surroundings)")
          cursor = call.pointee.next
        case .ring:
          if atom == head, call.pointee.form.encoding == .nop, inlineLimit > 0, PlainCosts.ringCallsMin >= 8 {
            hasLine = memory.hasIdleCalls(PlainCosts.sharedLineMin - 1, behind: call)
          }
          gather(call, layout, into: call, callsMax: segment.capacity, &placer)
          if router.isAutomatic, case .placement(.worker) = segment.cut, !segment.hasWaits {
            isOnWorker = true
            for position in 0..<segment.count {
              let staged = segment.call(position).pointee.atom
              lines[staged] = line(at: staged, layout, numbers, place: "worker", reason: Placement.WorkerReason.surroundings.description)
            }
          } else {
            segments += 1
            for position in 0..<segment.count { explainStaged(position, segments, layout, numbers, &lines) }
          }
          cursor = segment.after
        }
      }
    }
    var explanation = Explanation(backend: router.backend, lines: order.compactMap { lines[$0] })
    if router.isAutomatic {
      if placer.reads.areSlow {
        explanation.lately.append("reads that should have been in memory were slow: the next ones of their descriptors are not made inline")
      }
      if placer.sharing.isPaused {
        explanation.lately.append("workers took little of what was shared with them: for a while nothing is")
      }
      if explanation.lines.contains(where: { $0.place == "inline" }) {
        explanation.notes.append("calls made inline are shared with workers from \(PlainCosts.sharingMin / 1000) µs of work on")
      }
      if hasLine {
        explanation.notes.append("a line of \(PlainCosts.sharedLineMin) no-ops or more is made plainly, and shared with workers")
      }
    }
    return explanation
  }

  private func explainStaged(
    _ position: Int, _ number: Int, _ layout: AtomForm, _ numbers: [AtomAddress: Int],
    _ lines: inout [AtomAddress: Explanation.Line]
  ) {
    let staged = segment.call(position).pointee
    // A loop's atom may be met again; its first place in a segment is the one that is told.
    guard lines[staged.atom] == nil else { return }
    var text = line(at: staged.atom, layout, numbers, place: "ring", reason: "")
    text.segment = number
    switch staged.link {
    case .hard:
      text.sqeFlag = "IOSQE_IO_HARDLINK"
      text.reason = "no result of it stops the syslet"
    case .soft:
      text.sqeFlag = "IOSQE_IO_LINK"
      text.reason =
        staged.stops.isEmpty
        ? "no result of it stops the syslet, but a cancellation may find it waiting; a link severs on \(staged.severs)"
        : "the syslet stops on \(staged.stops), a link severs on \(staged.severs)"
      if staged.stops != staged.severs { text.reason += "; severed early, it is resumed" }
    case .cut:
      text.reason = segment.cut.description
    }
    lines[staged.atom] = text
  }

  /// Numbers the atoms that can be reached, in the order of discovery.
  private func number(_ head: AtomAddress, _ layout: AtomForm) -> [AtomAddress: Int] {
    var numbers: [AtomAddress: Int] = [:]
    // All that there are: where a typed program goes on is not told by its edges alone.
    if layout == .prepared {
      for number in 0..<head.step.pointee.count { numbers[head.step(number)] = number }
      return numbers
    }
    var stack = [head]
    while let start = stack.popLast() {
      var cursor: AtomAddress? = start
      while let atom = cursor, numbers[atom] == nil, numbers.count < Self.atomsListedMax {
        numbers[atom] = numbers.count
        let scratch = CallScratch()
        let call = scratch.call
        guard case .call = memory.fetch(atom, layout, into: call) else { break }
        if call.pointee.flags.canSkip { stack += neighbours(call) }
        cursor = call.pointee.next
      }
    }
    return numbers
  }

  /// Where a stop may go on.
  private func neighbours(_ call: Reference<Call>) -> [AtomAddress] {
    guard call.pointee.isPrepared else { return [call.pointee.atom.neighbour] }
    let (skips, stops) = (call.pointee.atom.step.pointee.skips, call.pointee.flags.stopClasses)
    var targets: [AtomAddress] = []
    for (isDue, target) in [
      (stops.contains(.negative), skips.negative), (stops.contains(.zero), skips.zero),
      (!stops.isDisjoint(with: [.short, .complete]), skips.positive),
    ] where isDue && target != .nowhere && !targets.contains(target) { targets.append(target) }
    return targets
  }

  private func line(
    at atom: AtomAddress, _ layout: AtomForm, _ numbers: [AtomAddress: Int], place: String, reason: String
  ) -> Explanation.Line {
    let scratch = CallScratch()
    let call = scratch.call
    _ = memory.fetch(atom, layout, into: call)
    return line(call, numbers, place: place, reason: reason)
  }

  private func line(
    _ call: Reference<Call>, _ numbers: [AtomAddress: Int], place: String, reason: String
  ) -> Explanation.Line {
    func name(_ atom: AtomAddress) -> String { numbers[atom].map { "atom \($0)" } ?? "an atom that is not listed" }
    var edges: [String] = []
    if call.pointee.flags.contains(.async) { edges.append("async") }
    if call.pointee.flags.contains(.sync) { edges.append("sync") }
    if call.pointee.flags.contains(.noComplete) { edges.append("no completion") }
    let stops = call.pointee.flags.stopClasses
    if !stops.isEmpty {
      let skip = call.pointee.flags.canSkip ? ", then \(neighbours(call).map(name).joined(separator: " or "))" : ""
      edges.append("stops on \(call.pointee.flags.stopDescription)\(skip)")
    }
    if let next = call.pointee.next { edges.append("next atom \(numbers[next].map(String.init) ?? "not listed")") }
    let isUnlisted = call.pointee.operation.pointee.traits.contains(.unlisted)
    return Explanation.Line(
      atom: numbers[call.pointee.atom] ?? 0,
      call: isUnlisted ? "system call \(call.pointee.number)" : "\(call.pointee.operation.pointee.name)",
      edges: edges.joined(separator: ", "), place: place, segment: nil, sqeFlag: nil, reason: reason)
  }
}

extension AtomFlags {
  fileprivate var stopDescription: String {
    var words: [String] = []
    if contains(.stopOnNonzero) { words.append("nonzero") }
    if contains(.stopOnZero) { words.append("zero") }
    if contains(.stopOnNegative) { words.append("negative") }
    if contains(.stopOnNonPositive) { words.append("non-positive") }
    return words.joined(separator: " or ")
  }
}

extension Placement.InlineReason: CustomStringConvertible {
  var description: String {
    switch self {
    case .neverBlocks: "it never blocks, and handing it anywhere costs more than making it"
    case .refused: "refused with -EPERM: it would change the process or the thread that makes it"
    case .synchronous: "the atom asks for the caller's context"
    case .backend: "everything runs on the calling thread"
    case .ownThread: "it is about the thread that makes it"
    }
  }
}

extension Placement.PlainReason: CustomStringConvertible {
  var description: String {
    switch self {
    case .punted: "io_uring would hand it to a kernel worker; a plain call, here or by a worker that is free, costs a fraction"
    case .lookUp: "a look-up of names in memory is tried here, without waiting; a worker does what is not there"
    case .creation: "a file is created faster by a plain call than by a kernel worker; one that would wait for another party is a worker's"
    case .device: "while nothing else is waited for, the ring makes a device no faster; otherwise it has this call"
    case .close: "closing costs less than handing it anywhere"
    case .buffered: "it writes into the page cache, which io_uring would hand to a kernel worker"
    case .memory: "all of the file is in memory: io_uring would hand the call to a kernel worker"
    case .few: "few calls that do nothing cost less here than an enter of the ring"
    case .cached: "what is in the page cache is read here, without waiting; the ring reads what is not, or many at a time"
    }
  }
}

extension Placement.WorkerReason: CustomStringConvertible {
  var description: String {
    switch self {
    case .obstacle(let obstacle): obstacle.description
    case .unsupported: "this kernel's io_uring does not have the operation"
    case .punted: "io_uring would hand it to a kernel worker, at several times the cost"
    case .synchronous: "the atom asks to be run synchronously, and the owner's thread must not block"
    case .noRing: "there is no ring"
    case .fullRing: "all that the ring has waits, and nothing may wait for that"
    case .seldomWaits: "there mostly is room: it is tried here, without waiting, at less than the ring's cost"
    case .timer: "a timer is all that it needs: the engine has one, at less than the ring's cost"
    case .surroundings: "a call beside it needs a worker, and one hop for all of them is cheaper"
    }
  }
}

extension Cut: CustomStringConvertible {
  var description: String {
    switch self {
    case .end: "the syslet ends here"
    case .limit: "cut: the segment is as long as the submission queue allows"
    case .branch: "cut: the atom that follows depends on the result"
    case .severing(let stops, let severs):
      severs.isEmpty
        ? "cut: the syslet stops on \(stops), and this kernel's links do not"
        : "cut: the syslet stops on \(stops), and a link severs on \(severs) only"
    case .uncheckedResult: "cut: what the stop conditions test is known only when the engine has stored or made the result"
    case .loop: "cut: the next atom is in this segment already"
    case .hazard(.atom): "cut: a call of this segment writes the next atom"
    case .hazard(.argument(let index)): "cut: a call of this segment writes argument \(index) of the next atom"
    case .hazard(.captured(let index)):
      "cut: a call of this segment writes the memory of argument \(index) of the next atom, which the kernel reads at submission"
    case .hazard(.result(let index)): "cut: argument \(index) of the next atom may name memory where a result of this segment is stored"
    case .hazard(.unknown): "cut: a call of this segment fills memory that only its iovecs or the kernel know"
    case .hazard(.descriptor): "cut: a call of this segment closes the next atom's descriptor, or may open it"
    case .open: "cut: it may open a FIFO, which is waited for by a worker"
    case .rights: "cut: the next atom looks names up, which is not to be done with the rights of a later moment"
    case .unreadable: "cut: the next atom or an argument of it cannot be read, or is malformed"
    case .placement(.inline(let why)): "cut: the next atom runs inline (\(why))"
    case .placement(.poller(let why)): "cut: the next atom is tried here without waiting (\(why))"
    case .placement(.worker(let why)): "cut: the next atom runs on a worker (\(why))"
    case .placement(.plain(let why)): "cut: the next atom is a plain call (\(why))"
    case .placement(.ring): "cut"
    }
  }
}
