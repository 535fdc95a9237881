// swift-tools-version: 6.1
import PackageDescription

/// What every Swift target is built with: the language's strictest checks.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // Regular expressions are a megabyte that nothing here needs, and each module would import them unasked.
  .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
]

let package = Package(
  name: "flowworker",
  products: [
    .library(name: "flowworker", type: .dynamic, targets: ["FlowWorkerABI"])
  ],
  targets: [
    // The public header, so that the compiler checks each entry point against it.
    .systemLibrary(name: "CFlowWorker", path: "include"),
    .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
    // The supervisor: code that runs without a C library, from a copy of its pages if need be. So it has
    // nothing of the compiler's beside it: no vectors, no tables, no calls to memcpy, no checks.
    .target(
      name: "CSupervisor",
      cSettings: [
        .unsafeFlags([
          "-O2", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-mgeneral-regs-only", "-fno-jump-tables",
          "-fno-asynchronous-unwind-tables", "-fno-sanitize=all", "-fno-profile-instr-generate",
          "-fvisibility=hidden", "-Wall", "-Wextra",
        ])
      ]),
    .target(
      name: "CFlowShims", dependencies: ["CSupervisor"],
      cSettings: [.unsafeFlags(["-Wall", "-Wextra", "-Wno-c23-extensions", "-fvisibility=hidden"])]),
    .target(
      name: "FlowWorker", dependencies: ["CJansson", "CFlowShims"], exclude: ["Python/runner"], swiftSettings: strict),
    .target(
      name: "FlowWorkerABI", dependencies: ["FlowWorker", "CFlowWorker", "CJansson", "CFlowShims"],
      exclude: ["flowworker.map"],
      swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags([
          // Without it every public Swift symbol would be exported beside fw_*.
          "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/FlowWorkerABI/flowworker.map",
          // SwiftPM sets no soname of its own.
          "-Xlinker", "-soname=libflowworker.so.0",
          // The library file is also the supervisor's program.
          "-Xlinker", "--entry=fwsv_entry",
          // Its code must not go away while a host's thread is in it.
          "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
      ]),
    .testTarget(
      name: "FlowWorkerTests", dependencies: ["FlowWorker", "CJansson"],
      path: "Tests/FlowWorkerTests", swiftSettings: strict),
  ]
)
