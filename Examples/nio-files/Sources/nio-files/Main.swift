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
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
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

/// Answers GET and HEAD. One request is on its way at a time: the pipeline holds back those that come meanwhile.
final class FileHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let folder: FilePath
  private let files: any FileSource
  private var request: HTTPRequestHead?

  init(_ folder: FilePath, _ files: any FileSource) { (self.folder, self.files) = (folder, files) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): request = head
    case .body: break
    case .end:
      guard let request else { return }
      self.request = nil
      let isHead = request.method == .HEAD
      guard isHead || request.method == .GET else { return answer(request, .methodNotAllowed, nil, context) }
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
  }

  private func answer(_ request: HTTPRequestHead, _ status: HTTPResponseStatus, _ bytes: ByteBuffer?, _ context: ChannelHandlerContext) {
    guard context.channel.isActive else { return }
    var head = HTTPResponseHead(version: request.version, status: status)
    head.headers.add(name: "content-length", value: String(bytes?.readableBytes ?? 0))
    if !request.isKeepAlive { head.headers.add(name: "connection", value: "close") }
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if let bytes, request.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
    let isWritten = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: isWritten)
    if !request.isKeepAlive { isWritten.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
  }
}
