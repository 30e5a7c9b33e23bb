// What a descriptor of the parity fuzzer can be.

import Glibc

enum ParityKind: String, CaseIterable, Sendable {
  // Files of 5,000 bytes, on the scratch directory's file system and in memory.
  case regular, regularDirect, regularAppend, regularReadOnly, regularWriteOnly, regularSync
  case tmpfs, tmpfsDirect, tmpfsAppend, tmpfsReadOnly, memfdSealed
  /// Another open file holds its lock.
  case locked
  case directory, pathOnly
  // Pipes; "lonely" ones have nobody at their other end.
  case pipeReadEmpty, pipeReadData, pipeReadLonely, pipeReadLonelyData, pipeWrite, pipeWriteFull, pipeWriteNearlyFull, pipeWriteLonely
  case fifoReadData, fifoReadEmpty, fifoWrite, fifoBoth
  case streamEmpty, streamData, streamClosed, streamClosedData, streamShut, streamFull
  case datagram, datagramData, datagramClosed, datagramFull, seqpacketData, seqpacketEmpty, seqpacketClosed
  case tcpEmpty, tcpData, tcpClosed, tcpClosedData, tcpReset, udpData, udpEmpty, udpUnconnected
  case listening, listeningPending, listeningTCP, listeningTCPPending, unconnectedTCP, unconnectedUnix, refusedUDP
  case ptyMaster, ptyMasterData, ptyRaw, ptyRawData, ptyRawAtOnce, ptyCanonical, ptyCanonicalLine, ptyClosed
  case eventEmpty, eventCount, eventSemaphore, eventFull
  case timerDisarmed, timerExpired, timerSoon
  case signals, inotifyEmpty, inotifyData, epollEmpty, epollReady, epollNothing
  case queueEmpty, queueData, queueFull
  case devNull, devZero, devFull, devRandom
  case procStat, procVersion, procDirectory, sysFile
  case bad, closed, process
  /// A place for a file of a FUSE server. Until one is there, no case has it.
  case fuse

  static let usual = allCases.filter { $0 != .fuse && $0 != .signals }

  var isTerminal: Bool { rawValue.hasPrefix("pty") }

  var isSeekable: Bool {
    switch self {
    case .regular, .regularDirect, .regularAppend, .regularReadOnly, .regularWriteOnly, .regularSync, .tmpfs, .tmpfsDirect, .tmpfsAppend,
      .tmpfsReadOnly, .memfdSealed, .locked, .procVersion, .sysFile, .fuse:
      true
    default: false
    }
  }

  var isSocket: Bool {
    switch self {
    case .streamEmpty, .streamData, .streamClosed, .streamClosedData, .streamShut, .streamFull, .datagram, .datagramData, .datagramClosed,
      .datagramFull, .seqpacketData, .seqpacketEmpty, .seqpacketClosed, .tcpEmpty, .tcpData, .tcpClosed, .tcpClosedData, .tcpReset,
      .udpData, .udpEmpty, .udpUnconnected, .listening, .listeningPending, .listeningTCP, .listeningTCPPending, .unconnectedTCP,
      .unconnectedUnix, .refusedUDP:
      true
    default: false
    }
  }

  var isListener: Bool { [.listening, .listeningPending, .listeningTCP, .listeningTCPPending].contains(self) }

  var isPipe: Bool { rawValue.hasPrefix("pipe") || rawValue.hasPrefix("fifo") }

  /// Whether what it gives is never the same.
  var isRandom: Bool { self == .devRandom || self == .procStat || self == .procDirectory || self == .timerSoon }

  /// Whether all processes of the machine have it, so that its mode and attributes must stay.
  var isSystemWide: Bool { [.devNull, .devZero, .devFull, .devRandom, .procStat, .procVersion, .procDirectory, .sysFile].contains(self) }

  /// The calls that are made on it most of the time.
  var groups: [ParityForm.Group] {
    if isListener { return [.listener, .socket, .wait] }
    if isSocket { return [.socket, .transfer, .splice, .wait] }
    if isPipe { return [.transfer, .splice, .positioned, .wait] }
    if isSeekable { return [.transfer, .positioned, .file, .splice] }
    switch self {
    case .directory, .procDirectory: return [.directory, .name, .file, .transfer]
    case .pathOnly: return [.name, .file, .transfer]
    case .epollEmpty, .epollReady, .epollNothing: return [.wait, .transfer]
    case .queueEmpty, .queueData, .queueFull: return [.queue, .transfer, .wait]
    case .timerDisarmed, .timerExpired, .timerSoon: return [.timer, .transfer, .positioned, .wait]
    default: return [.transfer, .positioned, .wait, .file]
    }
  }

  /// Whether it may make a call wait that has no flag against it.
  var mayWait: Bool {
    switch self {
    case .pipeReadEmpty, .pipeWriteFull, .pipeWriteNearlyFull, .fifoReadEmpty, .fifoBoth, .streamEmpty, .streamFull, .datagram,
      .datagramFull, .seqpacketEmpty, .tcpEmpty, .udpEmpty, .udpUnconnected, .listening, .listeningTCP, .ptyMaster, .ptyRaw, .ptyCanonical,
      .eventEmpty, .eventFull, .timerDisarmed, .timerSoon, .signals, .inotifyEmpty, .epollEmpty, .epollNothing, .queueEmpty, .queueFull,
      .locked, .fuse:
      true
    default: false
    }
  }

  /// How many events it knows that end a wait.
  var eventCount: Int {
    switch self {
    case .pipeReadEmpty, .fifoReadEmpty, .pipeWriteFull, .pipeWriteNearlyFull, .datagram, .datagramFull, .udpEmpty, .ptyRaw, .ptyCanonical,
      .ptyMaster, .seqpacketEmpty:
      2
    case .streamEmpty, .tcpEmpty, .streamFull: 3
    case .listening, .listeningTCP, .eventEmpty, .eventFull, .timerDisarmed, .inotifyEmpty, .epollEmpty, .queueEmpty, .queueFull, .locked:
      1
    default: 0
    }
  }
}

/// What is set on a descriptor, or around the call, before it is made.
struct ParityStates: OptionSet, Equatable, CustomStringConvertible {
  let rawValue: Int
  static let nonblocking = ParityStates(rawValue: 1)
  static let receiveLowWater = ParityStates(rawValue: 2)
  static let receiveTimeout = ParityStates(rawValue: 4)
  static let sendTimeout = ParityStates(rawValue: 8)
  static let fileSizeLimit = ParityStates(rawValue: 16)
  static let append = ParityStates(rawValue: 32)
  static let middle = ParityStates(rawValue: 64)
  static let atEnd = ParityStates(rawValue: 128)
  static let otherNonblocking = ParityStates(rawValue: 256)

  static let names: [(ParityStates, String)] = [
    (.nonblocking, "O_NONBLOCK"), (.receiveLowWater, "SO_RCVLOWAT 8"), (.receiveTimeout, "SO_RCVTIMEO 4 ms"),
    (.sendTimeout, "SO_SNDTIMEO 4 ms"), (.fileSizeLimit, "RLIMIT_FSIZE 8192"), (.append, "O_APPEND set"), (.middle, "at 2500"),
    (.atEnd, "at its end"), (.otherNonblocking, "the other O_NONBLOCK"),
  ]
  static let all = names.map(\.0)

  var description: String { Self.names.filter { contains($0.0) }.map(\.1).joined(separator: ", ") }
}
