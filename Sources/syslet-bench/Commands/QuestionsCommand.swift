// `syslet-bench questions`: the six questions of the seed mail, answered with measurements taken now.

internal import ArgumentParser

struct QuestionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "questions",
    abstract: "Answers the six questions that Davide Libenzi asked about syslets in 2007, with measurements taken now.",
    discussion: """
      Every variant of a question is measured in turn, A B C A B C, after a warm-up; figures are medians with the smallest and the largest \
      repeat, ratios and differences are paired. Every result is checked. Takes less than a minute. The exit code is 3 if a question has \
      no answer on this machine; the others are answered all the same.
      """)

  @Option(help: "Seconds that are measured for each variant, all its repeats together.")
  var seconds: Double = 0.25

  @Option(help: "Into how many repeats those seconds are divided.")
  var repeats: Int = 9

  @Option(help: ArgumentHelp("A folder in which to make, and at the end remove, a folder for the files that are read.", valueName: "dir"))
  var scratch: String?

  @Option(help: ArgumentHelp("Write all figures to this file as JSON.", valueName: "file"))
  var json: String?

  @Flag(help: "Write Markdown instead of text, as in docs/ANSWERS.md.")
  var markdown = false

  func run() throws { try plan().perform() }

  /// What was asked for, with every number checked.
  func plan() throws(Failure) -> Questions {
    let shape = Contest.Shape(seconds: try RunPlan.checked(seconds: seconds), repeats: try RunPlan.checked(repeats: repeats))
    return Questions(shape: shape, form: markdown ? .markdown : .text, json: json, scratch: scratch)
  }
}
