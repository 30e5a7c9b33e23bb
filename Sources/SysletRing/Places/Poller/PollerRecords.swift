// What the poller keeps of each run that waits, and of each descriptor that runs wait for.
//
// Unsafe fence: the memory is the poller's, which lets go of it when it ends. Records are named by numbers; a reference to one is good until the next `take`,
// which may move them.

extension Poller {
  struct Record {
    var call: ParkedCall
    var wait = ParkedWait()
    var run: UInt32
    /// Bytes that the call has moved so far.
    var moved: UInt64 = 0
    /// Times in a row that it was woken and had to wait again with nothing done.
    var vainWakes: UInt8 = 0
    /// The moment has come.
    var isExpired = false
    /// It was woken to look, and for no event.
    var isLook = false
    var isParked = false
    var parkedAt: Int64 = 0
    var timer: Int32 = -1
    /// The runs of the same descriptor, in the order in which they came.
    var previous = Poller.none
    /// The same, or the next free record.
    var next = Poller.none
    /// Those that may time out and have not been asked, in the order in which they came.
    var previousUnasked = Poller.none
    var nextUnasked = Poller.none
    var isUnasked = false

    init(call: ParkedCall, run: UInt32) { (self.call, self.run) = (call, run) }
  }

  /// The records, by number.
  @safe struct Records {
    private var memory: UnsafeMutablePointer<Record>
    private var capacity = 16
    private(set) var used = 0
    private var free = Poller.none

    init() { unsafe memory = .allocate(capacity: capacity) }

    func deallocate() { unsafe memory.deallocate() }

    subscript(number: UInt32) -> Reference<Record> { unsafe Reference(memory + Int(number)) }

    mutating func take(_ record: Record) -> UInt32 {
      if free == Poller.none, used == capacity {
        let larger = UnsafeMutablePointer<Record>.allocate(capacity: capacity * 2)
        unsafe larger.moveInitialize(from: memory, count: used)
        unsafe memory.deallocate()
        unsafe memory = larger
        capacity *= 2
      }
      let number = free == Poller.none ? UInt32(used) : free
      if free == Poller.none { used += 1 } else { free = self[number].pointee.next }
      unsafe (memory + Int(number)).initialize(to: record)
      return number
    }

    mutating func release(_ number: UInt32) {
      self[number].pointee.next = free
      free = number
    }
  }

  /// The records of the runs that wait for a descriptor, by descriptor.
  @safe struct Lists {
    struct List {
      var first = Poller.none
      var last = Poller.none
    }

    private var memory: UnsafeMutablePointer<List>
    private var capacity = 0

    init() { unsafe memory = .allocate(capacity: 1) }

    func deallocate() { unsafe memory.deallocate() }

    func cover(_ descriptor: Int32) -> Bool { Int(descriptor) < capacity }

    subscript(descriptor: Int32) -> Reference<List> { unsafe Reference(memory + Int(descriptor)) }

    mutating func reserve(_ descriptor: Int32) {
      guard !cover(descriptor) else { return }
      var larger = max(64, capacity)
      while larger <= Int(descriptor) { larger *= 2 }
      let moved = UnsafeMutablePointer<List>.allocate(capacity: larger)
      unsafe moved.moveInitialize(from: memory, count: capacity)
      unsafe (moved + capacity).initialize(repeating: List(), count: larger - capacity)
      unsafe memory.deallocate()
      unsafe memory = moved
      capacity = larger
    }
  }
}
