// What statx fills: the kernel's `struct statx`, which Swift imports only with some C libraries.

enum StatxRecord {
  static let byteCount = 256
  /// STATX_BASIC_STATS.
  static let basicStats = 0x7FF
  private static let sizeOffset = 40

  static func size(_ record: UnsafeRawPointer) -> Int { unsafe record.load(fromByteOffset: sizeOffset, as: Int.self) }

  /// A statx that wrote nothing must not pass with the size of the file before.
  static func forget(_ record: UnsafeMutableRawPointer) { unsafe record.storeBytes(of: -1, toByteOffset: sizeOffset, as: Int.self) }
}
