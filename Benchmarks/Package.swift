// swift-tools-version: 6.2
import PackageDescription

// As in the library's package: with the variable, which `scripts/check` sets there, every warning is an error.
let isChecked = Context.environment["SYSLETRING_CHECK"] != nil

let swiftSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (isChecked ? [.treatAllWarnings(as: .error)] : [])

let cSettings: [CSetting] = [.define("_GNU_SOURCE")] + (isChecked ? [.treatAllWarnings(as: .error)] : [])

// A package of its own, so that users of the library resolve none of what is measured here.
let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "SysletRing", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    // The peers.
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .target(name: "CTwins", cSettings: cSettings, linkerSettings: [.linkedLibrary("uring")]),
    .target(
      name: "Measuring", dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: swiftSettings),
    .target(name: "Programs", dependencies: [.product(name: "SysletRing", package: "SysletRing")], swiftSettings: swiftSettings),
    .executableTarget(
      name: "twins",
      dependencies: [
        "CTwins", "Measuring", "Programs", .product(name: "SysletRing", package: "SysletRing"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"), .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "gate-probe",
      dependencies: [
        "Programs", .product(name: "SysletRing", package: "SysletRing"), .product(name: "SystemPackage", package: "swift-system"),
      ], swiftSettings: swiftSettings),
    .executableTarget(
      name: "verdicts", dependencies: ["Measuring", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      swiftSettings: swiftSettings),
    .target(name: "CPeers", cSettings: cSettings),
    .executableTarget(
      name: "peers",
      dependencies: [
        "CPeers", "Measuring", "Programs", .product(name: "SysletRing", package: "SysletRing"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "everyday",
      dependencies: [
        "CPeers", "Measuring", "Programs", .product(name: "SysletRing", package: "SysletRing"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "_NIOFileSystem", package: "swift-nio"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings),
  ]
)
