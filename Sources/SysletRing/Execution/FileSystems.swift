// Which file systems are known to serve the ring as they serve system calls.

internal import CLiburing
internal import Glibc

/// The file systems that descriptors were found on lately. To ask costs 440 ns, and a read alone takes 1 µs.
///
/// A device number that no disk has (tmpfs, overlay, FUSE) may name another file system once that one is unmounted, so it is asked again in time.
struct FileSystems {
  private struct Entry {
    var device: UInt64 = 0
    var type: UInt64 = 0
    /// Of those that are known: looked up once, because a look at a set takes 30 ns.
    var isKnown = false
    /// In ticks.
    var askedAt: UInt64 = 0
  }

  private var entries: (Entry, Entry, Entry, Entry) = (Entry(), Entry(), Entry(), Entry())
  private var oldest = 0
  private let ticksMax = 100_000 * syslet_ticks_per_microsecond()

  /// The kind of a regular file, or of a pipe, on the file system with the number `device`.
  mutating func kind(of descriptor: Int32, on device: UInt64, isPipe: Bool) -> DescriptorKind {
    let entry = entry(of: descriptor, on: device)
    if isPipe { return entry.type == Self.pipes ? .pipe : .fifo }
    return entry.isKnown ? .file : .foreignFile
  }

  /// Whether `descriptor` names a regular file on a known file system.
  mutating func isFile(_ descriptor: Int32) -> Bool {
    var facts = syslet_file_facts()
    guard unsafe syslet_file_facts_get(descriptor, false, &facts) == 0, facts.mode & UInt32(S_IFMT) == UInt32(S_IFREG) else { return false }
    return kind(of: descriptor, on: facts.device, isPipe: false) == .file
  }

  @inline(__always)
  private mutating func entry(of descriptor: Int32, on device: UInt64) -> Entry {
    let now = syslet_ticks()
    // Where there is one disk, all are on it.
    if entries.0.device == device, entries.0.askedAt != 0, now &- entries.0.askedAt < ticksMax { return entries.0 }
    return find(descriptor, device, now)
  }

  @inline(never)
  private mutating func find(_ descriptor: Int32, _ device: UInt64, _ now: UInt64) -> Entry {
    let known = (0..<4).first { self[$0].device == device && self[$0].askedAt != 0 }
    if let known, now &- self[known].askedAt < ticksMax { return self[known] }
    let type = syslet_file_system(descriptor)
    let entry = Entry(device: device, type: type, isKnown: Self.known.contains(type), askedAt: max(now, 1))
    self[known ?? oldest] = entry
    if known == nil { oldest = (oldest + 1) % 4 }
    return entry
  }

  private subscript(index: Int) -> Entry {
    get {
      switch index {
      case 0: entries.0
      case 1: entries.1
      case 2: entries.2
      default: entries.3
      }
    }
    set {
      switch index {
      case 0: entries.0 = newValue
      case 1: entries.1 = newValue
      case 2: entries.2 = newValue
      default: entries.3 = newValue
      }
    }
  }

  private static let pipes: UInt64 = 0x5049_5045

  /// By the numbers of linux/magic.h: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, overlay, SquashFS, EROFS, FAT, exFAT, ZFS, bcachefs, ISO 9660.
  private static let known: Set<UInt64> = [
    0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x0102_1994, 0x794C_7630, 0x7371_7368, 0xE0F5_E1E2, 0x4D44, 0x2011_BAB0, 0x2FC1_2FC1,
    0xCA45_1A4E, 0x9660,
  ]
}
