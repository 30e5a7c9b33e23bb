// Looks at bytes that have come.

extension Span<UInt8> {
  func index(of byte: UInt8, in range: Range<Int>) -> Int? {
    for index in range where self[index] == byte { return index }
    return nil
  }

  /// Where the line ends, which has CR and LF behind it and neither of them in it; nil if there is no such line.
  func endOfLine(from start: Int) -> Int? {
    for index in start..<Swift.max(start, count - 1) where self[index] < 0x20 && self[index] != 0x09 {
      return self[index] == 0x0D && self[index + 1] == 0x0A ? index : nil
    }
    return nil
  }

  /// Whether these bytes are `text`, which is in lower case, whatever their case.
  func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
    guard range.count == text.utf8.count else { return false }
    var index = range.lowerBound
    for byte in text.utf8 {
      let isLetter = self[index] >= UInt8(ascii: "A") && self[index] <= UInt8(ascii: "Z")
      guard self[index] | (isLetter ? 0x20 : 0) == byte else { return false }
      index += 1
    }
    return true
  }

  /// Without blanks at both ends.
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (first, end) = (range.lowerBound, range.upperBound)
    while first < end, self[first] == 0x20 || self[first] == 0x09 { first += 1 }
    while end > first, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
    return first..<end
  }

  /// A hexadecimal digit.
  func digit(_ index: Int) -> UInt8? { UInt8(exactly: Character(UnicodeScalar(self[index])).hexDigitValue ?? -1) }

  /// A number of at most 18 digits.
  func number(_ range: Range<Int>) -> Int? {
    guard (1...18).contains(range.count) else { return nil }
    var number = 0
    for index in range {
      guard self[index] >= UInt8(ascii: "0"), self[index] <= UInt8(ascii: "9") else { return nil }
      number = number * 10 + Int(self[index] - UInt8(ascii: "0"))
    }
    return number
  }

  /// Behind the empty line that ends a head that begins at `start`, whose first bytes up to `seen` have none; nil: it has not come.
  func endOfHead(from start: Int, seen: Int) -> Int? {
    var index = Swift.max(start, seen - 3)
    while index + 3 < count {
      if self[index + 3] > 0x0D {
        index += 4
      } else if self[index] == 0x0D, self[index + 1] == 0x0A, self[index + 2] == 0x0D, self[index + 3] == 0x0A {
        return index + 4
      } else {
        index += 1
      }
    }
    return nil
  }
}
