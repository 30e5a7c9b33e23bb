// Where a socket is.

internal import CLiburing
internal import Glibc
public import SystemPackage

/// The address of a socket: an Internet address and a port, or a path.
///
/// Source: ip(7), ipv6(7), unix(7).
public struct SysletSocketAddress: Sendable, Hashable {
  /// What is wrong with what an address was to be made of.
  public struct Problem: Error, CustomStringConvertible, Hashable {
    /// What, and what to do.
    public var description: String
  }

  /// Which sockets it is for.
  public let family: SysletSocketFamily
  /// As the kernel has it: struct sockaddr_in, sockaddr_in6 or sockaddr_un.
  let bytes: [UInt8]

  static let byteCountMax = 128

  /// An Internet address in digits, such as `127.0.0.1` or `::1`: no name is looked up.
  public init(_ address: String, port: UInt16) throws(Problem) {
    var (four, six) = (sockaddr_in(), sockaddr_in6())
    if unsafe inet_pton(AF_INET, address, &four.sin_addr) == 1 {
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      (family, bytes) = (.internet, Self.bytes(of: four))
    } else if unsafe inet_pton(AF_INET6, address, &six.sin6_addr) == 1 {
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port.bigEndian
      (family, bytes) = (.internet6, Self.bytes(of: six))
    } else {
      throw Problem(
        description: "'\(address)' is no Internet address in digits: give one such as 127.0.0.1 or ::1, names are not looked up")
    }
  }

  /// A path, of 1 to 107 bytes.
  public init(path: FilePath) throws(Problem) {
    let name = unsafe path.withPlatformString { text in unsafe (0..<strlen(text)).map { unsafe UInt8(bitPattern: text[$0]) } }
    let room = MemoryLayout<sockaddr_un>.size - MemoryLayout<sa_family_t>.size - 1
    guard (1...room).contains(name.count) else {
      throw Problem(description: "the path of a socket has \(name.count) bytes: it must have 1 to \(room)")
    }
    family = .unix
    bytes = Self.bytes(of: sa_family_t(AF_UNIX)) + name + [0]
  }

  /// The address that a socket has: whose port the kernel has chosen, for example. The corresponding C function is `getsockname`.
  ///
  /// - Returns: nil for what is no socket, or has an address of another kind.
  public static func local(of socket: FileDescriptor) -> SysletSocketAddress? {
    SysletSocketAddress(SystemCall.getsockname, of: socket)
  }

  /// The address of the other side of a connection. The corresponding C function is `getpeername`.
  ///
  /// - Returns: nil for what is no connection, or has an address of another kind.
  public static func remote(of socket: FileDescriptor) -> SysletSocketAddress? {
    SysletSocketAddress(SystemCall.getpeername, of: socket)
  }

  private init?(_ number: Int, of socket: FileDescriptor) {
    var storage = sockaddr_storage()
    var count = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe syslet_call(
      number, UInt64(argument: socket.rawValue), UInt64(duringCall: &storage), UInt64(duringCall: &count), 0, 0, 0)
    guard result == 0, let family = SysletSocketFamily(rawValue: Int32(storage.ss_family)) else { return nil }
    self.family = family
    // A path that fills its room is told with a zero that it has no room for (unix(7)).
    let room = family == .unix ? MemoryLayout<sockaddr_un>.size : MemoryLayout<sockaddr_storage>.size
    bytes = Array(Self.bytes(of: storage).prefix(min(Int(count), room)))
  }

  /// The port of an Internet address; nil for a path.
  public var port: UInt16? { family == .unix ? nil : UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }

  private static func bytes<T>(of value: T) -> [UInt8] { unsafe withUnsafeBytes(of: value) { unsafe Array($0) } }
}

/// Kinds of addresses.
public enum SysletSocketFamily: Int32, Sendable {
  /// Paths. `AF_UNIX`.
  case unix = 1
  /// IPv4. `AF_INET`.
  case internet = 2
  /// IPv6. `AF_INET6`.
  case internet6 = 10
}

/// How a socket passes on what is sent.
public enum SysletSocketType: Int32, Sendable {
  /// A stream of bytes in both directions. `SOCK_STREAM`.
  case stream = 1
  /// Messages, each by itself. `SOCK_DGRAM`.
  case datagram = 2
  /// Messages on a connection. `SOCK_SEQPACKET`.
  case sequencedPacket = 5
}

extension SysletSocketAddress: CustomStringConvertible {
  /// `127.0.0.1:80`, `[::1]:80`, or the path.
  public var description: String {
    if family == .unix { return String(decoding: bytes.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self) }
    let isFour = family == .internet
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let digits = unsafe bytes.dropFirst(isFour ? 4 : 8).withUnsafeBytes { address in
      unsafe text.withUnsafeMutableBufferPointer {
        unsafe inet_ntop(family.rawValue, address.baseAddress!, $0.baseAddress!, socklen_t($0.count)).map { unsafe String(cString: $0) }
      }
    }
    return "\(isFour ? digits ?? "?" : "[\(digits ?? "?")]"):\(port ?? 0)"
  }
}

extension SysletSocketAddress: SysletParameter {
  /// The library's own.
  public static func declare(in recorder: SysletRecorder) -> SysletValue<SysletSocketAddress> { recorder.address(byteCountMax) }

  /// The library's own.
  public func bind(_ slot: SysletSlot) {
    let address = slot.frame.address(.address(region: slot.region))
    unsafe bytes.withUnsafeBytes {
      unsafe UnsafeMutableRawPointer(bitPattern: address)!.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
    (slot.frame[slot.word], slot.frame[slot.word + 1]) = (address, bytes.count)
  }
}

extension SysletBuilder {
  /// Makes a socket. The end of the block closes it, unless the program returns it. socket(2).
  public func socket(
    _ family: SysletSocketFamily, _ type: SysletSocketType = .stream, fileID: StaticString = #fileID, line: UInt = #line
  ) -> SysletValue<FileDescriptor> {
    let place = SourcePlace(fileID: fileID, line: line)
    let kind = type.rawValue | Int32(SOCK_CLOEXEC.rawValue)
    let socket = open(SystemCall.socket, [.integer(family.rawValue), .integer(kind), .zero], "socket", place)
    // A path's socket whose listener has no room says so at once, and no poll tells when it has.
    socket.origin?.descriptor?.connectsWithoutWaiting = family != .unix && type == .stream
    return socket
  }

  /// Connects a socket. connect(2).
  ///
  /// A stream of the Internet that the program has made itself waits for the other side without a thread: it is set not to wait (`O_NONBLOCK`) until it is
  /// connected, so that hosts that do not answer keep nobody from others. Where another one is connected without io_uring, a thread waits.
  public func connect(
    _ socket: SysletValue<FileDescriptor>, to address: SysletValue<SysletSocketAddress>, fileID: StaticString = #fileID,
    line: UInt = #line
  ) {
    guard socket.origin?.descriptor?.connectsWithoutWaiting == true else {
      socket.address(SystemCall.connect, "connect", address, fileID, line)
      return
    }
    DescriptorStep(socket, "connect", fileID, line).connectWithoutWaiting(address)
  }

  /// Connects a socket. connect(2).
  public func connect(
    _ socket: SysletValue<FileDescriptor>, to address: SysletSocketAddress, fileID: StaticString = #fileID, line: UInt = #line
  ) {
    connect(socket, to: value(address, SourcePlace(fileID: fileID, line: line)), fileID: fileID, line: line)
  }

  /// An address that stands in the program.
  func value(_ address: SysletSocketAddress, _ place: SourcePlace) -> SysletValue<SysletSocketAddress> {
    let region = words(
      stride(from: 0, to: address.bytes.count, by: 8).map { first in
        address.bytes[first..<min(first + 8, address.bytes.count)].enumerated().reduce(0) { $0 | Int($1.element) << ($1.offset * 8) }
      })
    return SysletValue(.address(region: region), ValueOrigin(self, block, "an address", place), count: .integer(address.bytes.count))
  }
}
