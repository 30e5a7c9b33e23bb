// What a case came to by plain calls, and in what an engine differs from that.

import CTestSupport

/// In what a case differs.
struct ParityDifference {
  enum Nature: String {
    /// Another result; it does not end; it ends where the call would wait; a cancellation does not end it.
    case result, hangs, doesNotWait, notCancelled
    /// Something else in memory, or in descriptors, positions, files and names.
    case memory, world
    /// A signal that the program should not have seen; the engine threw; the calling thread was held.
    case signal, threw, held
  }

  var nature: Nature
  var story: String
  /// The results, for grouping.
  var plain = ""
  var here = ""

  /// It without numbers.
  var outline: String {
    func kind(_ letters: String) -> String { letters.first.map { $0.isNumber } == true ? "n" : letters }
    return "\(nature) \(kind(plain)) \(kind(here))"
  }
  func resembles(_ other: ParityDifference) -> Bool { outline == other.outline }
}

/// What a case came to by plain calls.
struct ParityExpectation {
  /// By program and step; nil for what was not reached.
  var results: [[Int?]]
  /// The step that waits for ever.
  var waiting: (program: Int, step: Int)?
  /// A call that waits had moved something before.
  var isPartial = false
  var view = ParityView()
}

/// An errno by its name.
func errnoName(_ number: Int) -> String { unsafe String(cString: test_error_name(Int32(number))) }
