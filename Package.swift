// swift-tools-version: 6.2
import PackageDescription

// Users build without these; `scripts/check` sets the variable and so turns every warning into an error.
let isChecked = Context.environment["SYSLETRING_CHECK"] != nil

let swiftSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (isChecked ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
  name: "SysletRing",
  // syslet-bench is no product: what only tools and tests need is not resolved by those who use the library. As the root package SwiftPM builds it, and
  // `--product syslet-bench` names it, all the same. `scripts/consumer` holds that.
  products: [.library(name: "SysletRing", targets: ["SysletRing"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .target(
      name: "CLiburing",
      cSettings: [.define("_GNU_SOURCE")] + (isChecked ? [.treatAllWarnings(as: .error)] : []),
      linkerSettings: [.linkedLibrary("uring")]
    ),
    .target(
      name: "SysletRing", dependencies: ["CLiburing", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: swiftSettings),
    .target(name: "CSysletBench", path: "Sources/CSysletBench"),
    .executableTarget(
      name: "syslet-bench",
      dependencies: [
        "SysletRing", "CLiburing", "CSysletBench",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: swiftSettings
    ),
    .target(
      name: "CTestSupport", path: "Tests/CTestSupport", cSettings: [.define("_GNU_SOURCE")]),
    .testTarget(
      name: "SysletRingTests",
      dependencies: ["SysletRing", "CLiburing", "CTestSupport", .product(name: "SystemPackage", package: "swift-system")],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "SysletBenchTests",
      dependencies: [
        "syslet-bench", "SysletRing", "CSysletBench", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: swiftSettings),
  ]
)
