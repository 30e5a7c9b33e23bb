// docs/OPERATIONS.md is what the operation table says.

import Foundation
import Testing

@Suite("OperationsDocument", .leavesNothingBehind)
struct OperationsDocumentTests {
  @Test("docs/OPERATIONS.md is what the operation table generates (UPDATE_DOCS=1 writes it)")
  func isGenerated() throws {
    let generated = OperationsDocument.generated()
    if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" {
      try Data(generated.utf8).write(to: OperationsDocument.url)
    }
    let written = (try? Data(contentsOf: OperationsDocument.url)).map { String(decoding: $0, as: UTF8.self) }
    guard let written else {
      Issue.record("docs/OPERATIONS.md is missing: UPDATE_DOCS=1 scripts/test --filter OperationsDocument writes it")
      return
    }
    if written != generated {
      let (old, new) = (written.split(separator: "\n"), generated.split(separator: "\n"))
      let changed = new.filter { !old.contains($0) } + old.filter { !new.contains($0) }
      Issue.record("docs/OPERATIONS.md is out of date (UPDATE_DOCS=1 writes it): \(changed.prefix(5).joined(separator: "\n"))")
    }
  }
}
