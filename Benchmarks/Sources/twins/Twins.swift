// Ours against the same loop in C, A B B A, in one process: the paired ratios with their median and spread.
//
// Usage: twins [ROUNDS-PER-PAIR]. Exit 1 if a figure cannot be taken.

import CTwins
import Glibc
import SysletRing

/// One row: what is done, how many at once, and how each side does `count` of them (nanoseconds).
struct Row {
  let name: String
  let depth: Int
  let ours: (_ batches: Int) throws -> Int64
  let theirs: (_ batches: Int) -> Int64
}

@main
enum Twins {
  static let pairs = 15
  static let fileSize = 64 << 20
  static let block = 4096

  static func main() throws {
    let operations = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
    let file = try CachedFile(bytes: fileSize)
    print("row            depth   ours ns  C ns   ours/C median (low-high of \(pairs) pairs)")
    for row in rows(file) {
      let batches = max(1, operations / row.depth)
      _ = try row.ours(batches / 10 + 1)
      _ = row.theirs(batches / 10 + 1)
      var ratios: [Double] = []
      var ours: [Double] = []
      var theirs: [Double] = []
      for pair in 0..<pairs {
        // A B, then B A: drift of the machine falls on both sides alike.
        var a: Int64 = 0
        var b: Int64 = 0
        if pair % 2 == 0 {
          a = try row.ours(batches)
          b = row.theirs(batches)
        } else {
          b = row.theirs(batches)
          a = try row.ours(batches)
        }
        guard a > 0, b > 0 else { throw Failure(description: "\(row.name): the run failed with \(min(a, b))") }
        ratios.append(Double(a) / Double(b))
        ours.append(Double(a) / Double(batches * row.depth))
        theirs.append(Double(b) / Double(batches * row.depth))
      }
      ratios.sort()
      func padded(_ value: Double, _ digits: Int) -> String {
        let scale = digits == 0 ? 1.0 : 1000.0
        let rounded = (value * scale).rounded() / scale
        return digits == 0 ? "\(Int(rounded))" : "\(rounded)"
      }
      let name = row.name + String(repeating: " ", count: max(1, 15 - row.name.count))
      print(
        "\(name)\(row.depth)\t\(padded(median(ours), 0))\t \(padded(median(theirs), 0))\t"
          + "\(padded(median(ratios), 3)) (\(padded(ratios.first!, 3))-\(padded(ratios.last!, 3)))")
    }
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  static func rows(_ file: CachedFile) -> [Row] {
    var rows: [Row] = []
    for depth in [1, 32] {
      rows.append(
        Row(
          name: "nop", depth: depth,
          ours: { batches in
            try unsafe measure(depth: depth, batches: batches, least: 0) {
              unsafe $0.initialize(to: Atom(noOperation))
            } next: { _ in
            }
          },
          theirs: { twin_nop(UInt32(depth), UInt32($0)) }))
      rows.append(
        Row(
          name: "read-cached", depth: depth,
          ours: { batches in
            let buffers = UnsafeMutableRawPointer.allocate(byteCount: depth * block, alignment: block)
            defer { unsafe buffers.deallocate() }
            var slot = 0
            var position = 0
            return try unsafe measure(depth: depth, batches: batches, least: block) { atom in
              unsafe atom.initialize(
                to: Atom(
                  SystemCall.pread64, UInt64(argument: file.descriptor), UInt64(argument: buffers + slot * block),
                  UInt64(argument: block), 0))
              slot += 1
            } next: { atom in
              unsafe atom.pointee.args.3 = file.offsets[position]
              position += 1
              if position == file.offsets.count { position = 0 }
            }
          },
          theirs: { batches in
            unsafe file.offsets.withUnsafeBufferPointer {
              unsafe twin_read(file.descriptor, $0.baseAddress!, UInt32($0.count), UInt32(depth), UInt32(batches))
            }
          }))
    }
    return rows
  }

  /// Nanoseconds for `batches` batches of `depth` one-atom syslets on the ring.
  static func measure(
    depth: Int, batches: Int, least: Int, make: (UnsafeMutablePointer<Atom>) -> Void, next: (UnsafeMutablePointer<Atom>) -> Void
  ) throws -> Int64 {
    var options = SysletEngine.Options()
    options.backend = .ring
    let engine = try SysletEngine(options)
    defer { try? engine.close() }
    let atoms = UnsafeMutablePointer<Atom>.allocate(capacity: depth)
    let buffer = UnsafeMutableBufferPointer<Completion>.allocate(capacity: depth)
    defer {
      unsafe atoms.deallocate()
      unsafe buffer.deallocate()
    }
    for index in 0..<depth { unsafe make(atoms + index) }
    let begin = now()
    for _ in 0..<batches {
      for index in 0..<depth {
        unsafe next(atoms + index)
        try unsafe engine.enqueue(atoms + index)
      }
      var done = 0
      while done < depth {
        let count = try unsafe engine.wait(into: buffer, atLeast: depth - done)
        for index in 0..<count where unsafe buffer[index].result < least {
          throw Failure(description: unsafe "a call gave \(buffer[index].result), at least \(least) was expected")
        }
        done += count
      }
    }
    return now() - begin
  }

  static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

struct Failure: Error, CustomStringConvertible { let description: String }

/// A file in the page cache, unlinked as soon as it is open, and random offsets of whole blocks in it.
final class CachedFile {
  let descriptor: Int32
  let offsets: [UInt64]

  init(bytes: Int) throws {
    var name = Array("/tmp/syslet-twins-XXXXXX".utf8CString)
    descriptor = unsafe mkstemp(&name)
    guard descriptor >= 0 else { throw Failure(description: "no temporary file can be made in /tmp") }
    unsafe unlink(&name)
    let megabyte = [UInt8](repeating: 7, count: 1 << 20)
    for _ in 0..<(bytes >> 20) {
      guard unsafe write(descriptor, megabyte, megabyte.count) == megabyte.count else {
        throw Failure(description: "the temporary file of \(bytes >> 20) MiB cannot be written")
      }
    }
    var generator = SystemRandomNumberGenerator()
    offsets = (0..<65_536).map { _ in UInt64(Int.random(in: 0..<(bytes / Twins.block), using: &generator) * Twins.block) }
  }

  deinit { close(descriptor) }
}
