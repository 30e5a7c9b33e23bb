// A connection: one task, which receives a head, loads a file and sends it, until the client has had enough or takes too long.

import SysletRing
import SystemPackage

struct Connection {
  /// Longer heads are refused.
  private static let headMax = 8192
  /// In front of a file's bytes there is so much room for the head of the answer, so that one call sends both.
  private static let room = 512

  let server: Server
  let socket: FileDescriptor
  private var input = [UInt8](repeating: 0, count: headMax)
  /// What has come and is not answered.
  private var (start, end) = (0, 0)
  private var output = [UInt8](repeating: 0, count: room)

  init(_ server: Server, _ socket: FileDescriptor) { (self.server, self.socket) = (server, socket) }

  mutating func serve() async throws {
    do throws(Status) {
      while let request = try await nextRequest() {
        do throws(Status) { guard try await answer(request) else { return } } catch {
          guard await refuse(error, isHead: request.isHead, isKept: request.isKept) else { return }
        }
        if !request.isKept { break }
      }
    } catch {
      _ = await refuse(error, isKept: false)
    }
    // Where something has come that nobody has read, closing would take back what was sent.
    try await server.runtime.run(Server.linger, socket, deadline: .now + .seconds(2))
  }

  /// nil where the client has closed, or has taken too long.
  private mutating func nextRequest() async throws(Status) -> Request? {
    let deadline = ContinuousClock.now + server.timeout
    var seen = start
    while true {
      if let next = input.span.extracting(..<end).endOfHead(from: start, seen: seen) {
        let head = start..<next
        start = next
        return try Request(input.span.extracting(head))
      }
      if start > 0 {
        for index in start..<end { input[index - start] = input[index] }
        (start, end) = (0, end - start)
      }
      seen = end
      guard end < input.count else { throw .headTooLarge }
      // What is lent is all of `self`'s until it comes back.
      let (server, socket, end) = (server, socket, end)
      var all = input.mutableSpan
      var free = all._mutatingExtracting(end...)
      guard let count = try? await server.runtime.run(Server.receive, socket, into: &free, deadline: deadline), count > 0 else {
        return nil
      }
      self.end += count
    }
  }

  /// False where the connection has come to its end.
  private mutating func answer(_ request: Request) async throws(Status) -> Bool {
    var path = request.path
    var (status, count) = try await load(path)
    if status.isDirectory {
      path.append("index.html")
      do throws(Status) { (status, count) = try await load(path) } catch { throw error == .notFound ? .forbidden : error }
    }
    guard status.isRegularFile else { throw .forbidden }
    let isSmall = status.size <= Server.smallMax
    let size = isSmall ? count : status.size
    var (bytes, place) = (0..<size, "")
    if let range = request.range {
      guard let part = Self.bytes(range, of: size) else {
        return await refuse(.notSatisfiable, "Content-Range: bytes */\(size)\r\n", isKept: request.isKept)
      }
      (bytes, place) = (part, "Content-Range: bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)\r\n")
    }
    let head = Self.head(
      request.range == nil ? .ok : .partial, "Accept-Ranges: bytes\r\n", place, type: path.contentType, count: bytes.count,
      isKept: request.isKept)
    if request.isHead { return await send(head.span) }
    guard isSmall else { return await sendFile(head, path, bytes) }
    // In place, in front of the bytes.
    let first = Self.room + bytes.lowerBound - head.count
    for index in head.indices { output[first + index] = head[index] }
    return await send(output.span.extracting(first..<Self.room + bytes.upperBound))
  }

  private mutating func load(_ path: FilePath) async throws(Status) -> (SysletStatus, Int) {
    if output.count == Self.room { output += [UInt8](repeating: 0, count: Server.smallMax) }
    let server = server
    do {
      var all = output.mutableSpan
      var room = all._mutatingExtracting(Self.room...)
      return try await server.runtime.run(Server.load, server.root, path, into: &room)
    } catch {
      switch (error as? SysletError)?.reason.errno {
      case .noSuchFileOrDirectory, .notDirectory, .fileNameTooLong: throw .notFound
      // Out of the root, in a circle, or not for everybody; a socket.
      case .improperLink, .tooManySymbolicLinkLevels, .permissionDenied, .notPermitted, .noSuchAddressOrDevice: throw .forbidden
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .resourceTemporarilyUnavailable: throw .unavailable
      default: throw .failed
      }
    }
  }

  func send(_ bytes: borrowing Span<UInt8>) async -> Bool {
    (try? await server.runtime.run(Server.send, socket, from: bytes, deadline: .now + server.timeout)) != nil
  }

  /// False also where the file has become shorter meanwhile: nothing else can tell the client.
  private func sendFile(_ head: [UInt8], _ path: FilePath, _ bytes: Range<Int>) async -> Bool {
    let (pieces, rest) = bytes.count.quotientAndRemainder(dividingBy: Server.piece)
    let end = try? await server.runtime.run(
      server.sendFile, server.root, path, socket, bytes.lowerBound, pieces, rest, from: head.span)
    return end == bytes.upperBound
  }
}
