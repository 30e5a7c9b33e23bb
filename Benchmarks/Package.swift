// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of the library resolve none of what is measured here.
let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "SysletRing", path: "..")],
  targets: [
    .target(name: "CTwins", cSettings: [.define("_GNU_SOURCE")], linkerSettings: [.linkedLibrary("uring")]),
    .executableTarget(
      name: "twins", dependencies: ["CTwins", .product(name: "SysletRing", package: "SysletRing")],
      swiftSettings: [.swiftLanguageMode(.v6), .strictMemorySafety()]),
  ]
)
