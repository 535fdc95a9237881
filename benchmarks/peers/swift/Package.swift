// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "subprocess-peer",
  dependencies: [.package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2")],
  targets: [
    .executableTarget(name: "Peer", dependencies: [.product(name: "Subprocess", package: "swift-subprocess")])
  ]
)
