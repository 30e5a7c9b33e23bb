// The four kinds of result that links and stop conditions tell apart.

/// Kinds of result of a system call, as far as a link or a stop condition can tell them apart.
public struct ResultClasses: OptionSet, Sendable, Hashable {
  /// One bit for each class.
  public let rawValue: UInt8
  /// The classes of these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// `-errno`.
  public static let negative = ResultClasses(rawValue: 1)
  /// 0: success of a call that returns nothing, or the end of a file.
  public static let zero = ResultClasses(rawValue: 2)
  /// Positive, but less than was asked for.
  public static let short = ResultClasses(rawValue: 4)
  /// Positive, and all that was asked for.
  public static let complete = ResultClasses(rawValue: 8)
}

extension ResultClasses: CustomStringConvertible {
  /// The classes in words, such as "negative, zero and short"; "nothing" when empty.
  public var description: String {
    let names = [
      (ResultClasses.negative, "negative"), (.zero, "zero"), (.short, "short"), (.complete, "complete"),
    ].filter { contains($0.0) }.map(\.1)
    guard let last = names.last else { return "nothing" }
    return names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " and " + last
  }
}
