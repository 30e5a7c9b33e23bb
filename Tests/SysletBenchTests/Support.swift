// Scratch folders, engines and rows for the tests of the command line tool.

import Glibc
import SysletRing
import Testing

@testable import syslet_bench

/// Miniature inputs in a scratch folder of their own.
func withInputs(_ body: (Inputs) throws -> Void) throws {
  let scratch = try Scratch(in: nil)
  defer { scratch.remove() }
  try body(try Inputs.miniature(in: scratch))
}

/// The caller's thread, or worker threads for a workload that has no sense there.
func backend(for workload: any Workload) -> Backend { workload.obstacle(on: .inline) == nil ? .inline : .threads }

/// Runs one thorough pass of `count` syslets and returns what was wrong.
func problem(of workload: any Workload, depth: Int, count: Int) throws -> String? {
  let engine = try EngineMaker.make(backend(for: workload), sqes: 1)
  defer { EngineMaker.close(engine) }
  return try PassRunner(engine: engine, workload: workload, depth: depth).pass(first: 0, count: count, isThorough: true).problem
}

/// A completion that says what the test wants it to say.
func completion(
  of workload: any Workload, slot: Int = 0, result: Int = 0, executed: Int, reason: Completion.Reason = .ended
) -> Completion {
  unsafe Completion(atom: workload.slots.atom(slot, 0), result: result, executed: executed, reason: reason)
}

/// Writes `bytes` into the file at `path`, at `offset`.
func overwrite(_ path: String, at offset: Int, with bytes: [UInt8]) {
  let file = Descriptor.open(path, O_WRONLY)
  #expect(file != nil)
  guard let file else { return }
  #expect(unsafe pwrite(file.number, bytes, bytes.count, off_t(offset)) == bytes.count)
}

/// A sample of `count` syslets that took `nanoseconds` each.
func sample(nanosecondsEach nanoseconds: UInt64, count: Int = 1000) -> Sample {
  var sample = Sample()
  sample.syslets = count
  sample.wallNanoseconds = nanoseconds * UInt64(count)
  sample.cpuNanoseconds = nanoseconds * UInt64(count) / 2
  sample.proof.enters = count / 10
  sample.proof.sqes = count * 3
  return sample
}

func row(
  _ backend: Backend, workload: String = "nop", variant: String = "1", depth: Int = 1, nanoseconds: [UInt64],
  problem: String? = nil
) -> Row {
  return Row(
    workload: workload, variant: variant, backend: backend, depth: depth, atoms: 3,
    samples: nanoseconds.map { sample(nanosecondsEach: $0) }, latencies: .empty(), problem: problem)
}

func report(_ rows: [Row]) -> Report {
  let environment = Environment(
    kernel: "Linux 6.18 x86_64", cpu: "a processor, \"quoted\"", cpus: 2, swift: "6.3", liburing: "2.3", filesystem: "ext4",
    ioUring: "available", commit: "0123456789", build: "release")
  var report = Report(
    command: "syslet-bench run", started: "2026-01-02T03:04:05Z", environment: environment, isQuick: true, seed: 2007)
  report.rows = rows
  report.ratios = Ratio.all(among: rows)
  for row in rows { report.subjects[Report.subjectKey(row.workload, row.variant)] = "something real" }
  return report
}
