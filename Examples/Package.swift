// swift-tools-version: 6.2
import PackageDescription

// As in the library's package: with the variable, every warning is an error.
let isChecked = Context.environment["SYSLETRING_CHECK"] != nil

let swiftSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (isChecked ? [.treatAllWarnings(as: .error)] : [])

// Each example is a folder in Sources.
let examples = ["cp", "durable-log", "echo", "static-http", "treehash"]

// A package of its own, as a user's would be.
let package = Package(
  name: "Examples",
  dependencies: [
    .package(name: "SysletRing", path: ".."),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: examples.map { name in
    .executableTarget(
      name: name,
      dependencies: [
        .product(name: "SysletRing", package: "SysletRing"), .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: swiftSettings)
  } + [
    // For trying them without io_uring.
    .executableTarget(name: "deny-ring")
  ]
)
