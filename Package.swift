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
  // What is marked `@usableFromInline` is specialized and inlined in the layers above, as if all were one module.
  .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// What the C targets are built with. The supervisor has flags of its own.
let shims: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Wno-c23-extensions", "-fvisibility=hidden"])]

/// The layers, from below: each may import those that it names and what is beneath these, and nothing else builds
/// (`--explicit-target-dependency-import-check error`). CONTRIBUTING.md says what each is for.
let layers: [(name: String, over: [String])] = [
  ("FWBase", ["CJansson", "CSystem"]),
  ("FWSystem", ["FWBase"]),
  ("FWModel", ["FWBase"]),
  ("FWOutput", ["FWModel", "FWSystem"]),
  ("FWExecution", ["FWOutput"]),
  ("FWProcess", ["FWExecution", "CSupervisor", "CSupervisorClient"]),
  ("FWHTTP", ["FWSystem", "CHTTP"]),
  ("FWPython", ["FWProcess", "CRunner"]),
  ("FWFunctions", ["FWPython"]),
  ("FWDocker", ["FWPython", "FWHTTP"]),
  ("FWSlurm", ["FWProcess"]),
  ("FWVolumes", ["FWModel", "FWHTTP"]),
  ("FlowWorker", ["FWFunctions", "FWDocker", "FWSlurm", "FWVolumes"]),
]

/// A layer and all that is beneath it.
func withBelow(_ name: String) -> Set<String> {
  let over = layers.first { $0.name == name }?.over ?? []
  return over.reduce([name]) { $0.union(withBelow($1)) }
}

func dependencies(on names: [String]) -> [Target.Dependency] {
  Set(names.flatMap(withBelow)).sorted().map { .init(stringLiteral: $0) }
}

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
    // C that Swift cannot say, by topic.
    .target(name: "CSystem", cSettings: shims),
    .target(name: "CHTTP", dependencies: ["CSystem"], cSettings: shims),
    .target(name: "CSupervisorClient", dependencies: ["CSupervisor", "CSystem"], cSettings: shims),
    // The program of Python interpreters, as bytes.
    .target(name: "CRunner", exclude: ["Runner"], cSettings: shims),
    .target(
      name: "FlowWorkerABI", dependencies: dependencies(on: ["FlowWorker", "CFlowWorker"]),
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
      name: "FlowWorkerTests", dependencies: dependencies(on: ["FlowWorker"]), path: "Tests/FlowWorkerTests",
      swiftSettings: strict),
  ]
    + layers.map { layer in
      .target(
        name: layer.name, dependencies: dependencies(on: layer.over), swiftSettings: strict)
    }
)

// The substitution of placeholders has no entry point of its own, so its benchmark is built over the layer itself.
if let limits = Context.environment["FLOWWORKER_BENCHMARKS"] {
  package.targets += [
    .systemLibrary(name: "CBench", path: "benchmarks"),
    .executableTarget(
      name: "expand", dependencies: dependencies(on: ["FWModel", "CBench"]), path: "benchmarks/expand",
      swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags(["-L\(limits)", "-llimits", "-Xlinker", "-rpath", "-Xlinker", limits, "\(limits)/bench.o"])
      ]),
  ]
}
