// swift-tools-version: 6.2
import PackageDescription

// Users build without it; `scripts/check` sets the variable, which turns every warning into an error and every trait on.
let isChecked = Context.environment["SYSLETRING_CHECK"] != nil

let swiftSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (isChecked ? [.treatAllWarnings(as: .error)] : [])

// What the traits need. Without them nobody resolves it.
let integrations: [Target.Dependency] = [
  .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
  .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Logging"])),
  .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycle"])),
]

let package = Package(
  name: "SysletRing",
  // syslet-bench is no product: what only tools and tests need is not resolved by those who use the library. As the root package SwiftPM builds it, and
  // `--product syslet-bench` names it, all the same. `scripts/consumer` holds that.
  products: [.library(name: "SysletRing", targets: ["SysletRing"])],
  traits: [
    .trait(name: "Logging", description: "SysletRuntime tells a swift-log Logger of its end, of failures and of doing without io_uring"),
    .trait(name: "Metrics", description: "SysletRuntime counts failures and gauges its load with swift-metrics"),
    .trait(name: "ServiceLifecycle", description: "SysletRuntime is a Service of swift-service-lifecycle"),
    .default(enabledTraits: isChecked ? ["Logging", "Metrics", "ServiceLifecycle"] : []),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(
      name: "CLiburing",
      cSettings: [.define("_GNU_SOURCE")] + (isChecked ? [.treatAllWarnings(as: .error)] : []),
      linkerSettings: [.linkedLibrary("uring")]
    ),
    .target(
      name: "SysletRing", dependencies: ["CLiburing", .product(name: "SystemPackage", package: "swift-system")] + integrations,
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
      dependencies: [
        "SysletRing", "CLiburing", "CTestSupport", .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "InMemoryLogging", package: "swift-log", condition: .when(traits: ["Logging"])),
        .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
        .product(
          name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycle"])),
      ] + integrations,
      swiftSettings: swiftSettings),
    .testTarget(
      name: "SysletBenchTests",
      dependencies: [
        "syslet-bench", "SysletRing", "CSysletBench", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: swiftSettings),
  ]
)
