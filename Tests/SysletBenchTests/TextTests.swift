// Numbers as people read them.

import Testing

@testable import syslet_bench

@Suite struct TextTests {
  @Test("Thousands are grouped", arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")])
  func grouped(_ value: Int, _ text: String) { #expect(Text.grouped(value) == text) }

  @Test(
    "Decimals are rounded and padded",
    arguments: [
      (1.005, 1, "1.0"), (2.0, 2, "2.00"), (0.06, 1, "0.1"), (-0.04, 1, "0.0"), (1234.5678, 2, "1,234.57"), (9.999, 2, "10.00"),
    ])
  func fixed(_ value: Double, _ decimals: Int, _ text: String) { #expect(Text.fixed(value, decimals) == text) }

  @Test(
    "A time has three significant digits and a unit",
    arguments: [
      (0.0, "0.00 ns"), (12.34, "12.3 ns"), (999.4, "999 ns"), (999.6, "1.00 µs"), (61_234, "61.2 µs"), (1_234_567, "1.23 ms"),
      (2.5e9, "2.50 s"),
    ])
  func time(_ nanoseconds: Double, _ text: String) { #expect(Text.time(nanoseconds) == text) }

  @Test("A summary is written in its median's unit")
  func summary() { #expect(Text.time(Summary([900, 1870, 2100])) == "1.87 µs (0.90–2.10)") }

  @Test(
    "Counts per syslet keep what matters",
    arguments: [
      (0.0, "0"), (0.0001, "<.001"), (0.03125, "0.031"), (1.0, "1.00"), (31.0, "31.0"), (1024.0, "1,024"),
    ])
  func perSyslet(_ value: Double, _ text: String) { #expect(Text.perSyslet(value) == text) }

  @Test(
    "Bytes have binary units",
    arguments: [
      (0, "0 B"), (512, "512 B"), (64 << 20, "64 MiB"), (1536, "1.50 KiB"), (1 << 40, "1 TiB"),
    ])
  func bytes(_ count: Int, _ text: String) { #expect(Text.bytes(count) == text) }

  @Test("Lists between commas")
  func commas() {
    #expect("a, b ,,c".commaSeparated == ["a", "b", "c"])
    #expect(" , ".commaSeparated.isEmpty)
  }

  @Test("Nothing that is not a number breaks a column")
  func notANumber() {
    #expect(Text.fixed(.nan, 2) == "–")
    #expect(Text.fixed(.infinity, 2) == "∞")
  }
}
