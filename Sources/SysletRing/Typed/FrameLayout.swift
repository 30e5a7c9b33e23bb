// Where the words and buffers of a program are in the memory of an activation.

internal import Glibc
internal import SystemPackage

/// The memory of one activation: words in front, regions behind, in bytes from its beginning.
struct FrameLayout: Sendable {
  static let byteCountMax = 1 << 30
  /// A word's value before anything is stored in it: that of results which nobody asks for, and the program's.
  private(set) var words: [Int] = [0]
  let scratch = 0
  private(set) var regions: [(offset: Int, byteCount: Int)] = []
  /// What stands in some of them, and does not change.
  private(set) var contents: [(region: Int, bytes: [UInt8])] = []
  /// Regions begin here when the words are all known; until then they count from 0.
  private var regionBytes = 0

  mutating func addWord(_ initial: Int) -> Int {
    words.append(initial)
    return words.count - 1
  }

  /// The region's number.
  mutating func addRegion(_ byteCount: Int, alignment: Int) -> Int {
    regionBytes = (regionBytes + alignment - 1) / alignment * alignment
    regions.append((regionBytes, byteCount))
    regionBytes += byteCount
    return regions.count - 1
  }

  mutating func addText(_ path: FilePath) -> Int {
    let bytes = unsafe path.withPlatformString { text in unsafe (0...strlen(text)).map { unsafe UInt8(bitPattern: text[$0]) } }
    let region = addRegion(bytes.count, alignment: 1)
    contents.append((region, bytes))
    return region
  }

  mutating func addWords(_ words: [Int]) -> Int {
    let region = addRegion(words.count * 8, alignment: 8)
    contents.append((region, words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }))
    return region
  }

  private var regionsBegin: Int { (words.count * 8 + 63) & ~63 }
  var byteCount: Int { regionsBegin + max(regionBytes, 1) }
  func offset(ofRegion region: Int) -> Int { regionsBegin + regions[region].offset }
  func offset(ofWord word: Int) -> Int { word * 8 }
}
