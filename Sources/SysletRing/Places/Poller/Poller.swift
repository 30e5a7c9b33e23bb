// The place where runs wait without io_uring and without a thread: for a descriptor in an epoll, for a moment in a heap. A run's call is tried
// without waiting, parked here when it would have to wait, and tried again when the poller says so: what it says is a hint, and the try decides.
//
// Starvation (law L11): the runs that wait for one descriptor are woken in the order in which they came, one for each time that it is ready for
// reading and one for writing; those that are left are armed for at once, so that a descriptor that stays ready wakes them one after the other.
//
// Unsafe fence: the records and lists are the poller's own memory, the owner's thread's alone (law L8). Records are named by numbers; a reference to
// one is good until the next `park`, which may move them.

internal import CLiburing
internal import Glibc

@safe struct Poller: ~Copyable {
  static let none = UInt32.max

  /// -1 before the first run waits for a descriptor.
  private(set) var epoll: Int32 = -1
  private var isDoorbellWatched = false

  private var records = Records()
  private var lists = Lists()
  private var unasked = Lists.List()
  private var timers = TimerHeap()
  private let ready: UnsafeMutablePointer<syslet_ready>
  private static let readyMax = 256

  /// How often runs were parked.
  var parkings = 0
  /// Runs that are here, and those of them that wait for a descriptor.
  private(set) var count = 0
  private(set) var polled = 0
  /// Those of them that may end unseen.
  private var lookedAt = 0
  /// When the files of waiting runs are looked at next.
  private var checkAt = Int64.max
  /// When those that may end unseen are tried next.
  private var lookAt = Int64.max

  /// For so long a run waits before its descriptor is asked for a time-out.
  private static let askAfter: Int64 = 5_000_000
  private static let checkPeriod: Int64 = 1_000_000_000
  private static let lookPeriod: Int64 = 250_000_000
  /// So many wakes for nothing, and a worker makes the call, or it is tried now and then: whatever the descriptor is, being ready does not mean to it
  /// what the call waits for.
  static let vainWakesMax: UInt8 = 8

  init() {
    unsafe ready = .allocate(capacity: Self.readyMax)
  }

  deinit {
    if epoll >= 0 { close(epoll) }
    records.deallocate()
    lists.deallocate()
    unsafe ready.deallocate()
  }

  subscript(number: UInt32) -> Reference<Record> { records[number] }

  /// In a forked child the descriptor is the child's copy of the parent's epoll: it is closed, and never used.
  mutating func open() -> Int32 {
    guard epoll < 0 else { return 0 }
    let result = syslet_poll_open()
    guard result >= 0 else { return result }
    epoll = result
    return 0
  }

  /// From now on the sleep ends, too, when `doorbell` rings.
  mutating func watch(doorbell: Int32) -> Int32 {
    guard !isDoorbellWatched else { return 0 }
    let result = open()
    guard result == 0 else { return result }
    doorbellDescriptor = doorbell
    let watched = syslet_poll_watch(epoll, doorbell)
    isDoorbellWatched = watched == 0
    return watched
  }
  private var doorbellDescriptor: Int32 = -1

  // MARK: Records

  /// A record for a call that has begun to wait.
  mutating func take(_ run: UInt32, _ call: ParkedCall) -> UInt32 { records.take(Record(call: call, run: run)) }

  mutating func release(_ number: UInt32) { records.release(number) }

  // MARK: Parking

  /// Parks the run of a record. 0, or -errno of what cannot be polled: -EPERM for a file that is always ready, -EBADF for none.
  mutating func park(_ number: UInt32, _ wait: ParkedWait, now: Int64) -> Int32 {
    let record = self[number]
    record.pointee.wait = wait
    record.pointee.isExpired = false
    record.pointee.isLook = false
    if wait.descriptor >= 0 {
      let result = open()
      guard result == 0 else { return result }
      if !lists.cover(wait.descriptor) {
        // What is not open may have any number, up to 2^31; what is, not.
        let armed = syslet_poll_arm(epoll, wait.descriptor, wait.events)
        guard armed == 0 else { return armed }
        lists.reserve(wait.descriptor)
      }
      append(number, wait.descriptor)
      let armed = arm(wait.descriptor)
      guard armed == 0 else {
        detach(number, wait.descriptor)
        return armed
      }
      polled += 1
      if checkAt == .max { checkAt = now + Self.checkPeriod }
      if wait.isLookedAt {
        lookedAt += 1
        if lookAt == .max { lookAt = now + Self.lookPeriod }
      }
      if wait.mayTimeOut {
        // The time-out is that of the whole call, of which a part may have been made.
        if record.pointee.parkedAt == 0 { record.pointee.parkedAt = now }
        appendUnasked(number)
      }
    }
    if wait.deadline != .max { insertTimer(number, wait.deadline) }
    record.pointee.isParked = true
    count += 1
    return 0
  }

  /// Takes a run out: it is woken, or cancelled.
  mutating func unpark(_ number: UInt32) {
    let record = self[number]
    guard record.pointee.isParked else { return }
    record.pointee.isParked = false
    count -= 1
    if record.pointee.wait.descriptor >= 0 {
      detach(number, record.pointee.wait.descriptor)
      polled -= 1
      if polled == 0 { checkAt = .max }
      if record.pointee.wait.isLookedAt {
        lookedAt -= 1
        if lookedAt == 0 { lookAt = .max }
      }
    }
    if record.pointee.isUnasked { removeUnasked(number) }
    if record.pointee.timer >= 0 {
      timers.remove(at: record.pointee.timer) { [records] in records[$0].pointee.timer = $1 }
    }
  }

  private mutating func insertTimer(_ number: UInt32, _ moment: Int64) {
    timers.insert(number, at: moment) { [records] in records[$0].pointee.timer = $1 }
  }

  // MARK: Waking

  /// When the poller has something to do though no descriptor is ready; nil for never.
  var nextMoment: Int64? {
    let asking = unasked.first == Self.none ? Int64.max : self[unasked.first].pointee.parkedAt + Self.askAfter
    let next = min(timers.next ?? .max, asking, min(checkAt, lookAt))
    return next == .max ? nil : next
  }

  /// Wakes what is ready or due, and sleeps for it for up to `nanoseconds`, below 0 without a limit. False when a signal came.
  mutating func reap(nanoseconds: Int64, into woken: inout RunQueue, in memory: RunMemory) -> Bool {
    var isInterrupted = false
    // Without an epoll it is a sleep.
    if nanoseconds != 0 || epoll >= 0 && polled > 0 {
      var limit = nanoseconds
      while true {
        let count = unsafe syslet_poll_take(epoll, ready, Int32(Self.readyMax), limit)
        if count == -EINTR { isInterrupted = limit != 0 }
        guard count > 0 else { break }
        for index in 0..<Int(count) { unsafe wakeReady(ready[index], &woken, memory) }
        // What is ready for many runs is told again, so that a second look could go on for ever.
        guard Int(count) == Self.readyMax else { break }
        limit = 0
      }
    }
    if nextMoment != nil { wakeDue(syslet_now(), &woken, memory) }
    return !isInterrupted
  }

  private mutating func wake(_ number: UInt32, _ woken: inout RunQueue, _ memory: RunMemory) {
    unpark(number)
    woken.append(memory[self[number].pointee.run], in: memory)
  }

  private mutating func wakeReady(_ ready: syslet_ready, _ woken: inout RunQueue, _ memory: RunMemory) {
    if ready.descriptor == doorbellDescriptor, isDoorbellWatched {
      syslet_doorbell_clear(doorbellDescriptor)
      return
    }
    guard lists.cover(ready.descriptor) else { return }
    let ended = UInt32(SYSLET_POLL_ERR | SYSLET_POLL_HUP)
    let isEnded = ready.events & ended != 0
    var reading = Self.none
    var writing = Self.none
    var number = lists[ready.descriptor].pointee.first
    while number != Self.none, reading == Self.none || writing == Self.none {
      let wanted = self[number].pointee.wait.events
      if !self[number].pointee.wait.isMuted, isEnded || wanted & ready.events != 0 {
        if wanted & UInt32(SYSLET_POLL_OUT) != 0, wanted & UInt32(SYSLET_POLL_IN) == 0 {
          if writing == Self.none { writing = number }
        } else if reading == Self.none {
          reading = number
        }
      }
      number = self[number].pointee.next
    }
    if reading != Self.none { wake(reading, &woken, memory) }
    if writing != Self.none { wake(writing, &woken, memory) }
    if lists[ready.descriptor].pointee.first != Self.none { _ = arm(ready.descriptor) }
  }

  private mutating func wakeDue(_ now: Int64, _ woken: inout RunQueue, _ memory: RunMemory) {
    while let number = timers.popDue(now, placed: { [records] in records[$0].pointee.timer = $1 }) {
      self[number].pointee.isExpired = true
      wake(number, &woken, memory)
    }
    while unasked.first != Self.none, self[unasked.first].pointee.parkedAt + Self.askAfter <= now { askTimeout(unasked.first) }
    if checkAt <= now { checkFiles(now, &woken, memory) }
    if lookAt <= now { wakeToLook(now, &woken, memory) }
  }

  /// A socket's SO_RCVTIMEO or SO_SNDTIMEO counts from when the call began to wait.
  private mutating func askTimeout(_ number: UInt32) {
    removeUnasked(number)
    let record = self[number]
    let isSending = record.pointee.wait.events & UInt32(SYSLET_POLL_OUT) != 0
    guard let timeout = DescriptorFacts.timeout(record.pointee.wait.descriptor, isSending ? SO_SNDTIMEO : SO_RCVTIMEO), timeout > 0 else {
      return
    }
    let (end, isHuge) = record.pointee.parkedAt.addingReportingOverflow(timeout)
    record.pointee.wait.deadline = isHuge ? .max - 1 : end
    insertTimer(number, record.pointee.wait.deadline)
  }

  /// Wakes the runs that may have ended unseen, those of one descriptor in the order in which they came: the try decides.
  private mutating func wakeToLook(_ now: Int64, _ woken: inout RunQueue, _ memory: RunMemory) {
    for index in 0..<records.used {
      let record = self[UInt32(index)]
      guard record.pointee.isParked, record.pointee.wait.descriptor >= 0 else { continue }
      var number = lists[record.pointee.wait.descriptor].pointee.first
      guard number == UInt32(index) else { continue }
      while number != Self.none {
        let next = self[number].pointee.next
        if self[number].pointee.wait.isLookedAt {
          self[number].pointee.isLook = true
          wake(number, &woken, memory)
        }
        number = next
      }
    }
    lookAt = .max
  }

  /// Wakes the runs whose descriptor has been closed, or names another file: nobody would. Some 0.5 µs for each, once in a second.
  private mutating func checkFiles(_ now: Int64, _ woken: inout RunQueue, _ memory: RunMemory) {
    checkAt = polled > 0 ? now + Self.checkPeriod : .max
    for index in 0..<records.used {
      let number = UInt32(index)
      let record = self[number]
      guard record.pointee.isParked, record.pointee.wait.descriptor >= 0 else { continue }
      let descriptor = record.pointee.wait.descriptor
      // Once for each descriptor: by the run that came first.
      guard lists[descriptor].pointee.first == number, syslet_poll_rearm(epoll, descriptor, events(descriptor) ?? 0) != 0 else {
        continue
      }
      while case let first = lists[descriptor].pointee.first, first != Self.none { wake(first, &woken, memory) }
    }
  }

  // MARK: Lists

  /// What the runs of a descriptor wait for; nil if none wants to be told.
  private func events(_ descriptor: Int32) -> UInt32? {
    var events: UInt32?
    var number = lists[descriptor].pointee.first
    while number != Self.none {
      let wait = self[number].pointee.wait
      if !wait.isMuted { events = (events ?? 0) | wait.events }
      number = self[number].pointee.next
    }
    return events
  }

  private func arm(_ descriptor: Int32) -> Int32 { events(descriptor).map { syslet_poll_arm(epoll, descriptor, $0) } ?? 0 }

  private func append(_ number: UInt32, _ descriptor: Int32) {
    let list = lists[descriptor]
    let record = self[number]
    record.pointee.next = Self.none
    record.pointee.previous = list.pointee.last
    if list.pointee.last == Self.none { list.pointee.first = number } else { self[list.pointee.last].pointee.next = number }
    list.pointee.last = number
  }

  private func detach(_ number: UInt32, _ descriptor: Int32) {
    let list = lists[descriptor]
    let record = self[number]
    let (previous, next) = (record.pointee.previous, record.pointee.next)
    if previous == Self.none { list.pointee.first = next } else { self[previous].pointee.next = next }
    if next == Self.none { list.pointee.last = previous } else { self[next].pointee.previous = previous }
  }

  private mutating func appendUnasked(_ number: UInt32) {
    let record = self[number]
    record.pointee.isUnasked = true
    record.pointee.nextUnasked = Self.none
    record.pointee.previousUnasked = unasked.last
    if unasked.last == Self.none { unasked.first = number } else { self[unasked.last].pointee.nextUnasked = number }
    unasked.last = number
  }

  private mutating func removeUnasked(_ number: UInt32) {
    let record = self[number]
    record.pointee.isUnasked = false
    let (previous, next) = (record.pointee.previousUnasked, record.pointee.nextUnasked)
    if previous == Self.none { unasked.first = next } else { self[previous].pointee.nextUnasked = next }
    if next == Self.none { unasked.last = previous } else { self[next].pointee.previousUnasked = previous }
  }
}
