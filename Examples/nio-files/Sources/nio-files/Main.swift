// A server of SwiftNIO's for small files: nio-files ROOT [--port 8080] [--files syslet|nio|nio-filesystem]
//
// Its handler reads them by SysletRing, and for comparison by what SwiftNIO has itself: all else is the same. It answers to names below the
// folder, as they stand there; symbolic links are followed wherever they lead (static-http shows how to keep a server in its folder).

import NIOCore
import NIOFileSystem
import NIOHTTP1
import NIOPosix
import SysletRing
import SystemPackage

@main
struct NIOFiles {
  static func main() async throws {
    var arguments = CommandLine.arguments.dropFirst()
    var (folder, port, kind): (FilePath?, Int?, String?) = (nil, 8080, "syslet")
    while let argument = arguments.popFirst() {
      switch argument {
      case "--port": port = arguments.popFirst().flatMap { Int($0) }
      case "--files": kind = arguments.popFirst()
      default: folder = argument.hasPrefix("-") ? nil : FilePath(argument)
      }
    }
    guard let folder, let port, let files = try source(kind) else {
      let text = "usage: nio-files ROOT [--port 8080] [--files syslet|nio|nio-filesystem]\n"
      _ = try? FileDescriptor.standardError.writeAll(text.utf8)
      return
    }
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
          try channel.pipeline.syncOperations.addHandler(FileHandler(folder, files))
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    // Not by `print`, which keeps what it has for a file until there is more.
    try FileDescriptor.standardOutput.writeAll(
      "nio-files: \(folder) at http://127.0.0.1:\(channel.localAddress!.port!), by \(kind!)\n".utf8)
    try await channel.closeFuture.get()
  }

  private static func source(_ kind: String?) throws -> (any FileSource)? {
    switch kind {
    case "syslet": return SysletFiles(runtime: try SysletRuntime())
    case "nio":
      let pool = NIOThreadPool(numberOfThreads: System.coreCount)
      pool.start()
      return PoolFiles(io: NonBlockingFileIO(threadPool: pool))
    case "nio-filesystem": return FileSystemFiles()
    default: return nil
    }
  }
}

/// Answers GET and HEAD, one request after the other.
final class FileHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let folder: FilePath
  private let files: any FileSource
  /// The one that is being answered, and those behind it. SwiftNIO's own handler for this stops reading meanwhile: two epoll_ctl for each request.
  private var requests: CircularBuffer<HTTPRequestHead> = []
  private static let requestsMax = 64

  init(_ folder: FilePath, _ files: any FileSource) { (self.folder, self.files) = (folder, files) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let request) = unwrapInboundIn(data) else { return }
    guard requests.count < Self.requestsMax else { return context.close(promise: nil) }
    requests.append(request)
    if requests.count == 1 { begin(request, context) }
  }

  private func begin(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
    guard request.method == .GET || request.method == .HEAD else { return answer(request, .methodNotAllowed, nil, context) }
    // nil for what is not below the folder.
    guard let path = folder.lexicallyResolving(FilePath(String(request.uri.prefix { $0 != "?" }))) else {
      return answer(request, .forbidden, nil, context)
    }
    // Back on the event loop, where this and `context` belong.
    files.read(path, on: context.eventLoop).assumeIsolated().whenComplete { result in
      switch result {
      case .success(let bytes): self.answer(request, .ok, bytes, context)
      case .failure: self.answer(request, .notFound, nil, context)
      }
    }
  }

  private func answer(_ request: HTTPRequestHead, _ status: HTTPResponseStatus, _ bytes: ByteBuffer?, _ context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    var head = HTTPResponseHead(version: request.version, status: status)
    head.headers.add(name: "content-length", value: String(bytes?.readableBytes ?? 0))
    if !request.isKeepAlive { head.headers.add(name: "connection", value: "close") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if let bytes, request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
    guard request.isKeepAlive else {
      requests.removeAll()
      let isWritten = context.eventLoop.makePromise(of: Void.self)
      isWritten.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
      return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: isWritten)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    requests.removeFirst()
    if let next = requests.first { begin(next, context) }
  }
}
