// What is in the file: records, one behind the other, each with what tells whether it is whole.
//
// A record is 16 bytes and its payload: the payload's length (4 bytes), a checksum of all but itself (4), and where the commit that it came with begins
// (8), each with the lowest byte first.

struct Record {
  static let headerSize = 16
  static let payloadMax = 1 << 24

  /// Where the commit begins: all before that was synced before it was written.
  var commit: Int
  var payload: ArraySlice<UInt8>
  var size: Int { Self.headerSize + payload.count }

  /// Adds a record to the bytes of a commit that is to begin there.
  static func append(_ payload: [UInt8], to bytes: inout [UInt8], commit: Int) {
    let (length, place) = (word(payload.count, 4), word(commit, 8))
    bytes += length + word(Int(checksum(length[...], place[...], payload[...])), 4) + place + payload
  }

  /// The record that begins at an offset; nil if what is there is none that is whole.
  init?(in bytes: [UInt8], at offset: Int) {
    guard offset + Self.headerSize <= bytes.count else { return nil }
    func word(_ range: Range<Int>) -> Int {
      bytes[offset + range.lowerBound..<offset + range.upperBound].reversed().reduce(0) { $0 &<< 8 | Int($1) }
    }
    let (length, commit, start) = (word(0..<4), word(8..<16), offset + Self.headerSize)
    guard length <= Self.payloadMax, (0...offset).contains(commit), start + length <= bytes.count else { return nil }
    let payload = bytes[start..<start + length]
    guard word(4..<8) == Int(Self.checksum(bytes[offset..<offset + 4], bytes[offset + 8..<start], payload)) else { return nil }
    (self.commit, self.payload) = (commit, payload)
  }

  private static func word(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

  /// CRC-32C.
  private static func checksum(_ parts: ArraySlice<UInt8>...) -> UInt32 {
    var sum = ~UInt32(0)
    for part in parts { for byte in part { sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8 } }
    return ~sum
  }

  private static let table: [UInt32] = (0..<256).map { first in
    (0..<8).reduce(UInt32(first)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
  }
}

/// What a log's file holds, from its beginning.
struct Contents {
  struct Corrupt: Error, CustomStringConvertible { var description: String }

  var records: [Record] = []
  /// Where the last whole record ends. What is behind it was never acknowledged.
  var end = 0

  /// - Throws: `Corrupt` where something is damaged that had been synced.
  init(_ bytes: [UInt8]) throws {
    while let record = Record(in: bytes, at: end) {
      records.append(record)
      end += record.size
    }
    // A crash leaves any part of the commit that was under way, and nothing behind it: a commit that begins further on was begun when all before it had been
    // synced.
    for offset in stride(from: end + 1, through: bytes.count - Record.headerSize, by: 1) {
      guard let later = Record(in: bytes, at: offset), later.commit > end else { continue }
      throw Corrupt(
        description: """
          byte \(end): no record begins here, but a commit that was made later does at byte \(later.commit). A crash leaves no such file: it was \
          damaged. Nothing was changed
          """)
    }
  }
}
