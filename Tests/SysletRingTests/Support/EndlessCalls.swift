// Every call that can wait for ever, in a state in which it does.

import CTestSupport
import Glibc
import SysletRing

/// A call that nobody ends.
struct EndlessCall: Sendable, CustomStringConvertible {
  let description: String
  /// Whether it may have done a part of its work when it is ended: then it counts as executed.
  private(set) var hasPart = false
  /// Sets the stage; nil where this machine cannot. What it leaves beside the stage, `finish` takes away.
  let make: @Sendable (Stage) -> (call: ParityCall, finish: () -> Void)?

  init(_ description: String, hasPart: Bool = false, _ make: @escaping @Sendable (Stage) -> ParityCall?) {
    (self.description, self.hasPart) = (description, hasPart)
    self.make = { stage in make(stage).map { ($0, {}) } }
  }

  init(_ description: String, finishing make: @escaping @Sendable (Stage) -> (call: ParityCall, finish: () -> Void)?) {
    (self.description, self.make) = (description, make)
  }

  static let all: [EndlessCall] = [reading, writing, sockets, datagrams, events, processes, opening, queues].flatMap { $0 }

  private static func reads(_ what: String, _ make: @escaping @Sendable (Stage) -> UInt64?) -> EndlessCall {
    EndlessCall("read of \(what)") { s in make(s).map { ParityCall(SystemCall.read, $0, s.arena.buffer(64).address, 64) } }
  }

  private static let reading: [EndlessCall] = [
    reads("a pipe") { $0.pipe().read },
    reads("a socket") { $0.socketPair().0 },
    reads("a TCP socket") { $0.tcpPair().0 },
    reads("an eventfd") { .int($0.descriptors.event(0)) },
    reads("a timerfd") { $0.timer(milliseconds: 1_000_000) },
    EndlessCall("read of a signalfd") { s in ParityCall(SystemCall.read, s.signals(), s.arena.buffer(128).address, 128) },
    reads("an inotify instance") { $0.watcher(hasEvent: false) },
    reads("a terminal") { $0.terminal(minimum: 1).line },
    reads("a terminal in canonical mode") { $0.terminal(minimum: nil).line },
    reads("a FIFO") { s in .int(s.descriptors.open(s.fifo("fifo"), O_RDWR)) },
    EndlessCall("readv of a pipe") { s in ParityCall(SystemCall.readv, s.pipe().read, s.vector(s.arena.buffer(8)), 1) },
    EndlessCall("readv of a socket") { s in ParityCall(SystemCall.readv, s.socketPair().0, s.vector(s.arena.buffer(8)), 1) },
    EndlessCall("preadv2 of a pipe") { s in
      ParityCall(SystemCall.preadv2, s.pipe().read, s.vector(s.arena.buffer(8)), 1, .int(-1), 0, 0)
    },
    EndlessCall("splice from a pipe") { s in ParityCall(SystemCall.splice, s.pipe().read, 0, s.pipe().write, 0, 8, 0) },
    EndlessCall("splice from a socket") { s in ParityCall(SystemCall.splice, s.socketPair().0, 0, s.pipe().write, 0, 8, 0) },
    EndlessCall("tee from a pipe") { s in ParityCall(SystemCall.tee, s.pipe().read, s.pipe().write, 8, 0) },
  ]

  private static let writing: [EndlessCall] = [
    EndlessCall("write to a full pipe") { s in
      let pipe = s.pipe()
      s.fill(pipe.write)
      return ParityCall(SystemCall.write, pipe.write, s.text("abc").address, 3)
    },
    EndlessCall("write of more than a pipe holds") { s in
      let pipe = s.pipe()
      s.fill(pipe.write)
      return ParityCall(SystemCall.write, pipe.write, s.arena.buffer(300_000).address, 300_000)
    },
    EndlessCall("writev to a full pipe") { s in
      let pipe = s.pipe()
      s.fill(pipe.write)
      return ParityCall(SystemCall.writev, pipe.write, s.vector(s.text("abc")), 1)
    },
    EndlessCall("write to a full socket") { s in
      let near = s.socketPair().0
      s.fill(near)
      return ParityCall(SystemCall.write, near, s.text("abc").address, 3)
    },
    EndlessCall("write to an eventfd that is full") { s in
      let (event, most) = (s.descriptors.event(0), s.arena.buffer(8))
      most.store(UInt64.max - 1, at: 0)
      precondition(plainCall(SystemCall.write, .int(event), most.address, 8) == 8)
      return ParityCall(SystemCall.write, .int(event), most.address, 8)
    },
    EndlessCall("vmsplice to a full pipe") { s in
      let pipe = s.pipe()
      s.fill(pipe.write)
      return ParityCall(SystemCall.vmsplice, pipe.write, s.vector(s.page("b")), 1, 0)
    },
    EndlessCall("sendfile to a full socket") { s in
      // Of packets: to the last bytes of a stream it adds without waiting for room, on Linux 6.1 on AF_UNIX too.
      let near = s.socketPair(SOCK_SEQPACKET).0
      s.fill(near)
      return ParityCall(SystemCall.sendfile, near, s.file("f", "0123456789"), 0, 10)
    },
  ]

  private static let sockets: [EndlessCall] =
    [true, false].flatMap { isTCP -> [EndlessCall] in
      let name = isTCP ? "TCP" : "AF_UNIX"
      return [
        EndlessCall("\(name), recvfrom") { s in
          ParityCall(SystemCall.recvfrom, s.pair(isTCP).0, s.arena.buffer(8).address, 8, 0, 0, 0)
        },
        EndlessCall("\(name), recvfrom with MSG_WAITALL and a part", hasPart: true) { s in
          let (near, far) = s.pair(isTCP)
          s.send("abc", to: far)
          return ParityCall(
            SystemCall.recvfrom, near, s.arena.buffer(8).address, 8, UInt64(isTCP ? MSG_WAITALL | MSG_PEEK : MSG_WAITALL), 0, 0)
        },
        EndlessCall("\(name), recvmsg") { s in
          ParityCall(SystemCall.recvmsg, s.pair(isTCP).0, s.message(s.arena.buffer(8)).address, 0)
        },
        EndlessCall("\(name), sendto on a full socket", hasPart: true) { s in
          let near = s.pair(isTCP).0
          s.fill(near)
          return ParityCall(SystemCall.sendto, near, s.arena.buffer(1_000_000).address, 1_000_000, 0, 0, 0)
        },
        EndlessCall("\(name), sendmsg on a full socket", hasPart: true) { s in
          let near = s.pair(isTCP).0
          s.fill(near)
          return ParityCall(SystemCall.sendmsg, near, s.message(s.arena.buffer(1_000_000)).address, 0)
        },
        EndlessCall("\(name), accept") { s in
          ParityCall(SystemCall.accept, isTCP ? s.tcpListener().listener : s.listener("l"), 0, 0)
        },
        EndlessCall("\(name), accept4") { s in
          ParityCall(SystemCall.accept4, isTCP ? s.tcpListener().listener : s.listener("l"), 0, 0, UInt64(O_CLOEXEC))
        },
      ]
    }

  private static let datagrams: [EndlessCall] = [
    EndlessCall("recvfrom of a datagram socket") { s in
      ParityCall(SystemCall.recvfrom, s.socketPair(SOCK_DGRAM).0, s.arena.buffer(8).address, 8, 0, 0, 0)
    },
    EndlessCall("recvmmsg") { s in
      let message = s.arena.buffer(64)
      message.store(s.vector(s.arena.buffer(8)), at: 16)
      message.store(UInt64(1), at: 24)
      return ParityCall(SystemCall.recvmmsg, s.socketPair(SOCK_DGRAM).0, message.address, 1, 0, 0)
    },
    EndlessCall("connect to a listener whose queue is full") { s in
      let (socket, address) = (s.crowdedListener("l"), s.socketAddress("l"))
      return ParityCall(SystemCall.connect, socket, address.address, .int(address.count))
    },
  ]

  private static let events: [EndlessCall] = [
    EndlessCall("poll") { s in ParityCall(SystemCall.poll, s.pollSet("p", (Int32(s.pipe().read), Int16(POLLIN))).address, 1, .int(-1)) },
    EndlessCall("poll of two") { s in
      let set = s.pollSet("p", (Int32(s.pipe().read), Int16(POLLIN)), (Int32(s.socketPair().0), Int16(POLLIN)))
      return ParityCall(SystemCall.poll, set.address, 2, .int(-1))
    },
    EndlessCall("poll of nothing") { s in ParityCall(SystemCall.poll, 0, 0, .int(-1)) },
    EndlessCall("ppoll") { s in
      ParityCall(SystemCall.ppoll, s.pollSet("p", (Int32(s.pipe().read), Int16(POLLIN))).address, 1, 0, 0, 8)
    },
    EndlessCall("select") { s in
      let (read, set) = (s.pipe().read, s.arena.buffer(1024))
      set.store(UInt64(1) << (read % 64), at: Int(read / 64) * 8)
      return ParityCall(SystemCall.select, read + 1, set.address, 0, 0, 0)
    },
    EndlessCall("pselect6 of nothing") { _ in ParityCall(SystemCall.pselect6, 0, 0, 0, 0, 0, 0) },
    EndlessCall("epoll_wait") { s in
      ParityCall(SystemCall.epoll_wait, s.epoll(watching: s.pipe().read), s.arena.buffer(16).address, 1, .int(-1))
    },
    EndlessCall("epoll_pwait") { s in
      ParityCall(SystemCall.epoll_pwait, s.epoll(watching: s.pipe().read), s.arena.buffer(16).address, 1, .int(-1), 0, 8)
    },
    EndlessCall("epoll_pwait2") { s in
      // From Linux 5.11 on.
      if plainCall(SystemCall.epoll_pwait2, .int(-1), 0, 0, 0, 0, 8) == -Int(ENOSYS) { return nil }
      return ParityCall(SystemCall.epoll_pwait2, s.epoll(watching: s.pipe().read), s.arena.buffer(16).address, 1, 0, 0, 8)
    },
    EndlessCall("nanosleep") { s in ParityCall(SystemCall.nanosleep, s.time(seconds: 1000, nanoseconds: 0).address, 0) },
    EndlessCall("clock_nanosleep") { s in
      ParityCall(SystemCall.clock_nanosleep, .int(CLOCK_MONOTONIC), 0, s.time(seconds: 1000, nanoseconds: 0).address, 0)
    },
    EndlessCall("clock_nanosleep until a time") { s in
      let seconds = Int(test_milliseconds() / 1000) + 1000
      return ParityCall(SystemCall.clock_nanosleep, .int(CLOCK_MONOTONIC), 1, s.time(seconds: seconds, nanoseconds: 0).address, 0)
    },
    EndlessCall("clock_nanosleep, CLOCK_REALTIME") { s in
      ParityCall(SystemCall.clock_nanosleep, .int(CLOCK_REALTIME), 0, s.time(seconds: 1000, nanoseconds: 0).address, 0)
    },
    EndlessCall("futex, FUTEX_WAIT") { s in ParityCall(SystemCall.futex, s.arena.buffer(4).address, 0, 0, 0) },
    EndlessCall("futex, FUTEX_WAIT | FUTEX_PRIVATE_FLAG") { s in ParityCall(SystemCall.futex, s.arena.buffer(4).address, 128, 0, 0) },
    EndlessCall("futex_wait") { s in
      // 455: futex_wait, on every architecture, from Linux 6.7 on. FUTEX2_SIZE_U32 | FUTEX2_PRIVATE
      if plainCall(455, 0, 0, 0, 0, 0, 0) == -Int(ENOSYS) { return nil }
      return ParityCall(455, s.arena.buffer(4).address, 0, 0xffff_ffff, 2 | 128, 0, 0)
    },
    EndlessCall("futex_waitv") { s in
      // From Linux 5.16 on.
      if plainCall(SystemCall.futex_waitv, 0, 0, 0, 0, 0) == -Int(ENOSYS) { return nil }
      let waiters = s.arena.buffer(24)
      waiters.store(s.arena.buffer(4).address, at: 8)
      waiters.store(UInt32(2 | 128), at: 16)
      return ParityCall(SystemCall.futex_waitv, waiters.address, 1, 0, 0, 0)
    },
  ]

  private static let processes: [EndlessCall] = [
    EndlessCall(
      "wait4",
      finishing: { s in
        let child = test_living_child()
        return (ParityCall(SystemCall.wait4, .int(child), 0, 0, 0), { _ = test_end_child(child) })
      }),
    EndlessCall(
      "waitid",
      finishing: { s in
        let child = test_living_child()
        // P_PID, WEXITED
        return (ParityCall(SystemCall.waitid, 1, .int(child), s.arena.buffer(128).address, 4, 0), { _ = test_end_child(child) })
      }),
    EndlessCall("flock") { s in
      let path = s.scratch.file("lock")
      precondition(plainCall(SystemCall.flock, .int(s.descriptors.open(path, O_RDWR)), .int(LOCK_EX)) == 0)
      return ParityCall(SystemCall.flock, .int(s.descriptors.open(path, O_RDWR)), .int(LOCK_EX))
    },
    locks("fcntl, F_SETLKW", 7), locks("fcntl, F_OFD_SETLKW", 38),
  ]

  /// A lock of the whole file, which another descriptor's lock forbids.
  private static func locks(_ title: String, _ command: UInt64) -> EndlessCall {
    EndlessCall(title) { s in
      let (path, lock) = (s.scratch.file("lock", "content"), s.arena.buffer(32))
      lock.store(Int16(F_WRLCK), at: 0)
      // F_OFD_SETLK: also a lock of the process's own is kept off by it.
      precondition(plainCall(SystemCall.fcntl, .int(s.descriptors.open(path, O_RDWR)), 37, lock.address) == 0)
      return ParityCall(SystemCall.fcntl, .int(s.descriptors.open(path, O_RDWR)), command, lock.address)
    }
  }

  private static let opening: [EndlessCall] = [
    opens("openat of a FIFO for reading", O_RDONLY), opens("openat of a FIFO for writing", O_WRONLY),
    opens("openat of a FIFO for reading, which would create it", O_RDONLY | O_CREAT),
    opens("openat of a FIFO for writing, which would truncate it", O_WRONLY | O_TRUNC),
    EndlessCall("open of a FIFO for reading") { s in ParityCall(SystemCall.open, s.arena.path(s.fifo("fifo")).address, .int(O_CLOEXEC), 0)
    },
    EndlessCall("creat of a FIFO") { s in ParityCall(SystemCall.creat, s.arena.path(s.fifo("fifo")).address, .int(0o600)) },
    EndlessCall("openat2 of a FIFO for writing") { s in
      let how = s.arena.buffer(24)
      how.store(UInt64.int(O_WRONLY | O_CLOEXEC), at: 0)
      return ParityCall(SystemCall.openat2, .int(AT_FDCWD), s.arena.path(s.fifo("fifo")).address, how.address, 24)
    },
  ]

  private static func opens(_ title: String, _ flags: Int32) -> EndlessCall {
    EndlessCall(title) { s in
      let path = s.arena.path(s.fifo("fifo")).address
      return ParityCall(SystemCall.openat, .int(AT_FDCWD), path, .int(flags | O_CLOEXEC), .int(0o600))
    }
  }

  private static let queues: [EndlessCall] = [
    EndlessCall("mq_timedreceive") { s in
      s.messageQueue(hasMessage: false).map { ParityCall(SystemCall.mq_timedreceive, $0, s.arena.buffer(64).address, 64, 0, 0) }
    },
    EndlessCall("mq_timedsend to a full queue") { s in
      guard let queue = s.messageQueue(hasMessage: false) else { return nil }
      for _ in 0..<4 { plainCall(SystemCall.mq_timedsend, queue, s.text("message").address, 7, 0, 0) }
      return ParityCall(SystemCall.mq_timedsend, queue, s.text("message").address, 7, 0, 0)
    },
    EndlessCall(
      "msgrcv",
      finishing: { s in
        // IPC_PRIVATE, IPC_RMID
        let queue = plainCall(SystemCall.msgget, 0, .int(0o600))
        if queue < 0 { return nil }
        return (
          ParityCall(SystemCall.msgrcv, .int(queue), s.arena.buffer(72).address, 64, 0, 0),
          { plainCall(SystemCall.msgctl, .int(queue), 0, 0) }
        )
      }),
    EndlessCall(
      "semop",
      finishing: { s in
        let set = plainCall(SystemCall.semget, 0, 1, .int(0o600))
        if set < 0 { return nil }
        let operation = s.arena.buffer(6)
        operation.store(Int16(-1), at: 2)
        return (ParityCall(SystemCall.semop, .int(set), operation.address, 1), { plainCall(SystemCall.semctl, .int(set), 0, 0) })
      }),
  ]
}
