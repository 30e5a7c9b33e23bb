// What the doctor says, for a machine with io_uring and one without.

import Foundation
import Glibc
import SysletRing
import Testing

@testable import syslet_bench

@Suite struct DoctorTests {
  private func diagnosis(_ change: (inout RingReport) -> Void) -> Diagnosis {
    var ring = RingReport.current()
    ring.unavailability = nil
    change(&ring)
    return Diagnosis(
      kernel: "Linux", cpus: 2, limits: Limits.all(), disabledSysctl: "2", seccomp: "2", ring: ring)
  }

  @Test("Without io_uring the reason is there, in the error's own words")
  func unavailable() throws {
    let error = EngineError.ringUnavailable(call: "io_uring_setup", errno: ENOSYS)
    let diagnosis = diagnosis { $0.unavailability = error }
    #expect(!diagnosis.isRingAvailable)
    #expect(diagnosis.lines[0].contains(error.description))
    let json = try JSONSerialization.jsonObject(with: Data(diagnosis.json.text.utf8)) as? [String: Any]
    #expect(json?["available"] as? Bool == false)
    #expect(json?["reason"] as? String == error.description)
  }

  @Test("An operation that severs otherwise than its row says is marked")
  func difference() throws {
    let diagnosis = diagnosis { ring in
      for index in ring.operations.indices {
        ring.operations[index].isSupported = true
        ring.operations[index].reference = .negative
        ring.operations[index].severs = ring.operations[index].name == "fsync" ? [] : .negative
      }
    }
    let fsync = try #require(diagnosis.lines.first { $0.hasPrefix("fsync ") })
    #expect(fsync.contains("≠ the reference's negative"))
    let read = try #require(diagnosis.lines.first { $0.hasPrefix("read ") })
    #expect(!read.contains("≠"))
    let links = try #require(diagnosis.lines.first { $0.hasPrefix("links ") })
    #expect(links.contains("after 1 operations"))
  }

  @Test("The table has a line for each operation, with what severs and whether that is as on the reference kernel, and JSON has the same")
  func table() throws {
    let diagnosis = diagnosis { ring in
      for index in ring.operations.indices {
        ring.operations[index].isSupported = ring.operations[index].name != "bind"
        ring.operations[index].severs = ring.operations[index].reference
      }
      let fsync = ring.operations.firstIndex { $0.name == "fsync" }!
      ring.operations[fsync].severs = .negative
    }
    let json = try JSONSerialization.jsonObject(with: Data(diagnosis.json.text.utf8)) as? [String: Any]
    #expect(json?["differences"] as? [String] == ["fsync"])
    #expect(json?["reference_kernel"] as? String == RingReport.referenceKernel)
    let operations = try #require(json?["operations"] as? [[String: Any]])
    #expect(operations.count == diagnosis.ring.operations.count)
    for (entry, operation) in zip(operations, diagnosis.ring.operations) {
      #expect(entry["name"] as? String == operation.name)
      #expect(entry["severs"] as? String == operation.severs.description)
      #expect(entry["reference"] as? String == operation.reference.description)
      #expect(entry["as_expected"] as? Bool == (operation.name != "fsync"))
      let line = try #require(diagnosis.lines.first { $0.hasPrefix("\(operation.name) ") })
      #expect(line.contains(operation.isSupported ? operation.severs.description : " no"))
      #expect(line.contains("≠") == (operation.name == "fsync"))
    }
    #expect(diagnosis.lines.contains { $0.hasPrefix("lacking ") && $0.hasSuffix(" bind") })
  }

  @Test("The seccomp mode is found in /proc's status")
  func seccomp() {
    #expect(Diagnosis.seccompMode(status: "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n") == "2")
    #expect(Diagnosis.seccompMode(status: "") == nil)
  }

  @Test("Limits and processors are those of this process")
  func limits() {
    #expect(Limits.all().map(\.name) == ["RLIMIT_MEMLOCK", "RLIMIT_NOFILE", "RLIMIT_NPROC"])
    #expect(Limits.cpus() >= 1)
    #expect(Limits.Limit.text(.max) == "unlimited")
    #expect(Limits.Limit.text(64) == "64")
  }
}
