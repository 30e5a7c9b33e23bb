// Wrong programs, and what says so: the compiler, or the builder.

import Foundation
import Glibc
import SystemPackage
import Testing

@testable import SysletRing

@Suite("Wrong typed programs", .leavesNothingBehind)
struct TypedDiagnosticsTests {
  typealias Body = @Sendable (SysletBuilder, SysletValue<FilePath>, SysletValue<FileDescriptor>) -> Void

  struct Wrong: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What is told, each in one line, without the file.
    let says: [String]
    let body: Body

    init(_ description: String, _ says: String..., body: @escaping Body) {
      (testDescription, self.says, self.body) = (description, says, body)
    }
  }

  static let all: [Wrong] = [
    Wrong(
      "a value outside its block",
      "2: write uses what read gives outside the block that it belongs to (1): make the value before the block, or keep it in a variable(_:)"
    ) { s, _, pipe in
      let buffer = s.buffer(count: 8)
      var count: SysletValue<Int> = 0
      s.when(1 == 1) { count = pipe.read(into: buffer, line: 1) }
      _ = pipe.write(buffer, count: count, line: 2)
    },
    Wrong(
      "a descriptor outside its block",
      "2: sync uses what open gives outside the block that it belongs to (1): make the value before the block, or keep it in a variable(_:)"
    ) { s, path, pipe in
      var file = pipe
      s.attempt {
        file = s.open(path, .readOnly, line: 1)
      } onFailure: { _ in
      }
      file.sync(line: 2)
    },
    Wrong(
      "a descriptor that was closed",
      "3: sync uses the descriptor of open, which is closed before (2): move it in front of the close, or leave the close to the end of the block"
    ) { s, path, _ in
      let file = s.open(path, .readOnly, line: 1)
      file.close(line: 2)
      file.sync(line: 3)
    },
    Wrong(
      "a parameter that was closed",
      "2: seek uses the descriptor of a parameter, which is closed before (1): move it in front of the close, or leave the close to the end of the block"
    ) { s, _, pipe in
      pipe.close(line: 1)
      pipe.seek(offset: 0, from: .start, line: 2)
    },
    Wrong("a close behind one in a branch", "2: close closes a descriptor for the second time (1): leave one of the two out") {
      s, path, _ in
      let file = s.open(path, .readOnly)
      s.when(1 == 1) { file.close(line: 1) }
      file.close(line: 2)
    },
    Wrong("an exit outside a loop", "1: exit(if:) stands in no loop: move it into the closure of loop { }") { s, _, _ in
      s.exit(if: 1 == 1, line: 1)
    },
    Wrong("a next in what cleans up", "1: next(if:) stands in no loop: move it into the closure of loop { }") { s, _, pipe in
      let buffer = s.buffer(count: 8)
      s.loop {
        s.exit(if: pipe.read(into: buffer) == 0)
        s.ensure { s.next(if: 1 == 1, line: 1) }
      }
    },
    Wrong("an empty loop", "1: the loop has no steps: put the steps that are to be repeated into it") { s, _, _ in s.loop(line: 1) {} },
    Wrong("a loop without an end", "1: nothing leaves the loop: add an exit(if:) to it") { s, _, pipe in s.loop(line: 1) { pipe.sync() } },
    Wrong("another program's value", "2: write uses what read gives in another program (1): give it to this program as a parameter") {
      s, _, pipe in
      var escaped: SysletValue<Int>?
      _ = Syslet(FileDescriptor.self) { s, pipe in escaped = pipe.read(into: s.buffer(count: 8), fileID: "a/Wrong.swift", line: 1) }
      _ = pipe.write(s.buffer(count: 8), count: escaped!, line: 2)
    },
    Wrong("too few bytes", "1: a buffer has 0 bytes: give it from 1 to 1073741824") { s, _, _ in _ = s.buffer(count: 0, line: 1) },
    Wrong("more of a buffer than there is", "2: writeAll is to take 9 bytes of a buffer of 8 (1): give it a count from 0 to 8") {
      s, _, pipe in
      pipe.writeAll(s.buffer(count: 8, line: 1), count: 9, line: 2)
    },
    Wrong(
      "a file without permissions",
      "1: open creates a file and is given no permissions: say which it is to have: permissions: .ownerReadWrite"
    ) { s, path, _ in
      _ = s.open(path, .writeOnly, options: .create, line: 1)
    },
    Wrong(
      "a descriptor of an arm",
      "2: choose gives a descriptor that the end of its arm closes (1): use when(_:then:otherwise:), and do in each arm what is to be done with its descriptor"
    ) { s, path, pipe in
      _ = s.choose(1 == 1, line: 2) {
        s.open(path, .readOnly, line: 1)
      } otherwise: {
        pipe
      }
    },
    Wrong("seven words", "1: call is given 7 words: a system call has at most 6") { s, _, _ in _ = s.call(1, 1, 2, 3, 4, 5, 6, 7, line: 1)
    },
    Wrong("no time", "1: within gives its steps 0.0 seconds: give them more than no time") { s, _, pipe in
      s.within(.zero, line: 1) { pipe.sync() }
    },
    Wrong(
      "two things at once", "1: exit(if:) stands in no loop: move it into the closure of loop { }",
      "2: a buffer has -1 bytes: give it from 1 to 1073741824"
    ) { s, _, _ in
      s.exit(if: 1 == 1, line: 1)
      _ = s.buffer(count: -1, line: 2)
    },
  ]

  @Test("The builder tells all that is wrong, where, because of what, and what to do", arguments: all)
  func builder(wrong: Wrong) {
    do throws(SysletProblems) {
      _ = try Syslet(validating: FilePath.self, FileDescriptor.self) { s, path, pipe in wrong.body(s, path, pipe) }
      Issue.record("nothing was said")
    } catch {
      let said = error.problems.map { problem in
        "\(problem.place.line): \(problem.what)\(problem.because.map { " (\($0.line))" } ?? ""): \(problem.advice)"
      }
      #expect(said == wrong.says)
      #expect(error.problems.allSatisfy { $0.place.fileID == "SysletRingTests/TypedDiagnosticsTests.swift" })
    }
  }

  @Test("A wrong program ends the process where it is built, and says why, in release builds too")
  func trap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Syslet(Int.self) { s, _ in s.loop(fileID: "a/Wrong.swift", line: 7) {} }
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(
      text.contains("this syslet is wrong:\n  Wrong.swift:7: the loop has no steps: put the steps that are to be repeated into it"),
      "\(text)")
    let late = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var builder: SysletBuilder?
      _ = Syslet(Int.self) { s, _ in builder = s }
      _ = builder!.open("/", .readOnly, fileID: "a/Wrong.swift", line: 9)
    }
    let lateText = String(decoding: late?.standardErrorContent ?? [], as: UTF8.self)
    #expect(lateText.contains("a step at Wrong.swift:9 is added to a program that has been built already"), "\(lateText)")
  }

  /// A line of a program, and what the compiler says of it.
  static let compiled: [(line: String, says: String)] = [
    (
      "s.loop { let count = file.read(into: s.buffer(count: 8)); if count == 0 { } }",
      "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)"
    ),
    (
      "let count = file.read(into: s.buffer(count: 8)); while count < 3 { }",
      "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)"
    ),
    (
      "let count = file.read(into: s.buffer(count: 8)); guard count != 3 else { return }",
      "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)"
    ),
    (
      "let count = file.read(into: s.buffer(count: 8)); _ = count > 3 ? 1 : 2",
      "the value exists only when the program runs: use when(_:then:otherwise:) or exit(if:)"
    ),
    (
      "_ = s.open(file, .readOnly)",
      "cannot convert value of type 'SysletValue<FileDescriptor>' to expected argument type 'SysletValue<FilePath>'"
    ),
    ("_ = path.read(into: s.buffer(count: 8))", "requires the types 'FilePath' and 'FileDescriptor' be equivalent"),
    ("s.status(of: path).seek(offset: 0, from: .start)", "requires the types 'SysletStatus' and 'FileDescriptor' be equivalent"),
    ("_ = try await runtime.run(copy, \"/a\")", "missing argument for parameter #2 in call"),
    ("_ = try await runtime.run(copy, \"/a\", 3)", "cannot convert value of type 'Int' to expected argument type 'FilePath'"),
    ("let x: String = try await runtime.run(copy, \"/a\", \"/b\")", "cannot convert value of type 'Int' to specified type 'String'"),
    ("_ = try await runtime.run(append, FileDescriptor(rawValue: 3))", "lent: give it a span with from:"),
    ("_ = Bytes()", "initializer is inaccessible due to 'internal' protection level"),
    (
      "let engine = try SysletEngine(); _ = try engine.wait(atLeast: 1)",
      "is unavailable from asynchronous contexts; an engine belongs to a thread"
    ),
    ("var bytes: [UInt8] = [1]; _ = UInt64(argument: &bytes)", "error: "),
    ("let bytes: [UInt8] = [1]; _ = UInt64(argument: bytes)", "error: "),
    ("_ = UInt64(argument: \"/etc/hosts\")", "error: "),
  ]

  /// A compiler, and what it needs to find the modules of the build that this is part of; nil where these are not.
  private static let build: String? = {
    let folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    let root = folder.deletingLastPathComponent().deletingLastPathComponent()
    let modules = folder.appendingPathComponent("Modules").path
    let map = folder.appendingPathComponent("CLiburing.build/module.modulemap").path
    let system = root.appendingPathComponent("checkouts/swift-system/Sources/CSystem/include").path
    let compiler = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/swiftc" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let compiler, ["\(modules)/SysletRing.swiftmodule", map, system].allSatisfy(FileManager.default.fileExists) else { return nil }
    return "'\(compiler)' -I '\(modules)' -Xcc '-fmodule-map-file=\(map)' -I '\(system)'"
  }()

  /// By the C library: Foundation's process keeps descriptors.
  private static func output(of command: String) -> String {
    guard let stream = unsafe popen(command, "re") else { return "popen fails" }
    defer { unsafe pclose(stream) }
    var (text, chunk): ([UInt8], [UInt8]) = ([], Array(repeating: 0, count: 65536))
    while case let count = unsafe fread(&chunk, 1, chunk.count, stream), count > 0 { text += chunk.prefix(count) }
    return String(decoding: text, as: UTF8.self)
  }

  @Test("The compiler says what is wrong with a program", .enabled(if: build != nil))
  func compiler() throws {
    let build = try #require(Self.build)
    let scratch = Scratch()
    func function(_ index: Int, _ line: String) -> String {
      """
      func wrong\(index)(_ s: SysletBuilder, _ file: SysletValue<FileDescriptor>, _ path: SysletValue<FilePath>, _ runtime: SysletRuntime) async throws {
      #sourceLocation(file: "\(index).swift", line: 1)
      \(line)
      #sourceLocation()
      }

      """
    }
    let text =
      """
      import SysletRing
      import SystemPackage
      let copy = Syslet(FilePath.self, FilePath.self) { s, from, to in s.open(from, .readOnly).read(into: s.buffer(count: 8)) }
      let append = Syslet(FileDescriptor.self, Bytes.self) { s, log, record in log.writeAll(record) }

      """ + Self.compiled.enumerated().map { function($0, $1.line) }.joined()
    let file = scratch.file("wrong.swift", text)
    let command =
      "\(build) -typecheck -swift-version 6 -parse-as-library -diagnostic-style llvm -module-cache-path '\(scratch.path)/cache' '\(file)' 2>&1"
    let said = Self.output(of: command)
    for (index, wrong) in Self.compiled.enumerated() {
      let lines = said.split(separator: "\n").filter { $0.hasPrefix("\(index).swift:") || $0.contains("/\(index).swift:") }
      #expect(lines.contains { $0.contains("error: ") && $0.contains(wrong.says) }, "\(wrong.line)\n\(lines.joined(separator: "\n"))")
    }
  }
}
