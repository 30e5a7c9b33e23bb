// Posting and taking: the completion ring of 2007, and the copy.

extension Core {
  mutating func register(_ slots: UnsafeMutableBufferPointer<UnsafeMutableRawPointer?>) throws(EngineError) {
    guard userRing == nil else { throw .ringRegistered }
    guard slots.count > 0, unsafe slots.baseAddress != nil else { throw .invalidRing(rule: "it has no slots; give it at least one") }
    if let taken = unsafe slots.firstIndex(where: { unsafe $0 != nil }) {
      throw .invalidRing(rule: "slot \(taken) is not nil; clear all slots first, the engine never overwrites one that is taken")
    }
    userRing = unsafe CompletionRing(slots)
    postKept()
  }

  mutating func unregister() throws(EngineError) {
    guard userRing != nil else { throw .noRingRegistered }
    userRing = nil
  }

  @inline(__always)
  mutating func post(_ completion: Completion) {
    if userRing == nil { completions.append(completion) } else { postToRing(completion) }
  }

  private mutating func postToRing(_ completion: Completion) {
    // Order is kept: nothing overtakes a completion that waits for a slot.
    postKept()
    if completions.count == 0, unsafe userRing!.post(completion.atom) { return }
    if options.strictRing {
      lost += 1
    } else {
      overflowed += 1
      completions.append(completion)
    }
  }

  /// Posts completions that waited for a slot, as far as slots have been cleared.
  mutating func postKept() {
    guard userRing != nil else { return }
    while let completion = completions.first, unsafe userRing!.post(completion.atom) { completions.removeFirst() }
  }

  /// Completions that the user can see without another call.
  mutating func visible() -> Int {
    guard userRing != nil else { return completions.count }
    postKept()
    return userRing!.visible()
  }
}
