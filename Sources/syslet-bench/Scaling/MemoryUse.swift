// What memory this process and the kernel have.

/// Bytes at one moment.
struct MemoryUse {
  /// Resident in this process, the ring's mapped pages included.
  let resident: Int
  /// The kernel's slabs, and the stacks of all threads: the whole machine's, so other programs are in them.
  let slab: Int
  let kernelStacks: Int

  static func current() throws(Failure) -> MemoryUse {
    // The sum over the mappings is exact; the counters of statm lag behind by up to some hundred kibibytes.
    let own =
      textOfFile("/proc/self/smaps_rollup").flatMap { field("Rss", in: $0) } ?? field("VmRSS", in: textOfFile("/proc/self/status") ?? "")
    guard let own else { throw Failure.machine("/proc does not tell how much memory this process has") }
    let machine = textOfFile("/proc/meminfo") ?? ""
    return MemoryUse(resident: own, slab: field("Slab", in: machine) ?? 0, kernelStacks: field("KernelStack", in: machine) ?? 0)
  }

  /// The value of a line "name: 123 kB", in bytes.
  static func field(_ name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      let words = line.dropFirst(name.count + 1).split(separator: " ")
      guard words.count == 2, words[1] == "kB", let count = Int(words[0]) else { return nil }
      return count * 1024
    }
    return nil
  }
}
