// The six programs of the API's description, as they stand there.

import SysletRing
import SystemPackage

enum Files {
  static let read = Syslet(FilePath.self, MutableBytes.self) { s, path, bytes in
    let file = s.open(path, .readOnly)
    return file.read(filling: bytes)
  }
  static let copy = Syslet(FilePath.self, FilePath.self) { s, from, to in
    let buffer = s.buffer(count: 256 * 1024)
    let total = s.variable(0)
    let input = s.open(from, .readOnly)
    let output = s.open(to, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    s.loop {
      let count = input.read(into: buffer)
      s.exit(if: count == 0)
      output.writeAll(buffer, count: count)
      s.add(count, to: total)
    }
    output.sync()
    return total.value
  }
  static let replace = Syslet(FilePath.self, FilePath.self, FilePath.self, Bytes.self) {
    s, temporary, target, folder, bytes in
    let directory = s.open(folder, .readOnly, options: .directory)
    let file = s.open(temporary, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    s.onFailure { s.unlink(temporary) }
    file.writeAll(bytes)
    file.sync()
    file.close()
    s.rename(temporary, to: target)
    directory.sync()
  }
  static let respond = Syslet(FileDescriptor.self, FileDescriptor.self) { s, connection, root in
    let request = s.buffer(count: 4096)
    s.within(.seconds(5)) { connection.receive(into: request) }
    let file = root.open(s.path(in: request), .readOnly, resolve: .beneath)
    let size = file.status().size
    let chunk = s.buffer(count: 64 * 1024)
    let sent = s.variable(0)
    s.loop {
      let count = file.read(into: chunk)
      s.exit(if: count == 0)
      connection.sendAll(chunk, count: count)
      s.add(count, to: sent)
    }
    return (size, sent.value)
  }
  static let status = Syslet(FilePath.self) { s, path in s.status(of: path) }
  static let append = Syslet(FileDescriptor.self, Bytes.self) { s, log, record in
    let end = log.seek(offset: 0, from: .end)
    s.attempt {
      log.writeAll(record, toAbsoluteOffset: end)
      log.sync(dataOnly: true)
    } onFailure: { failure in
      log.resize(to: end)
      s.fail(failure)
    }
    return end
  }
}
