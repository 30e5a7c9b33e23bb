// swift-tools-version: 6.2
import PackageDescription

// As in the library's package: with the variable, which `scripts/check` sets there, every warning is an error.
let isChecked = Context.environment["SYSLETRING_CHECK"] != nil

// A package of its own, so that who builds the other examples resolves no SwiftNIO.
let package = Package(
  name: "nio-files",
  dependencies: [
    .package(name: "SysletRing", path: "../.."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "nio-files",
      dependencies: [
        .product(name: "SysletRing", package: "SysletRing"), .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"), .product(name: "_NIOFileSystem", package: "swift-nio"),
      ],
      swiftSettings: [
        .swiftLanguageMode(.v6),
        .strictMemorySafety(),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
      ] + (isChecked ? [.treatAllWarnings(as: .error)] : []))
  ]
)
