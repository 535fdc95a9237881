// swift-tools-version: 6.1
import PackageDescription

/// The settings of every Swift target, with the strictest checks of the language.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // Each module would import regular expressions by default. Nothing here needs them, and they take a megabyte.
  .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
  // Declarations with `@usableFromInline` are specialized and inlined in the layers above, as if all were one module.
  .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// The settings of the C targets, except the supervisor.
let shims: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Wno-c23-extensions", "-fvisibility=hidden"])]

/// The layers, the lowest first. A layer may import the layers that it names and everything beneath them. The build
/// refuses any other import (`--explicit-target-dependency-import-check error`). docs/internals/architecture.md has a
/// description of each layer.
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
  ("FWVolumes", ["FWProcess", "FWHTTP"]),
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
    // The public header is a target, so that the compiler checks each entry point against it.
    .systemLibrary(name: "CFlowWorker", path: "include"),
    .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
    // The supervisor runs without a C library, and may run from a copy of its pages. So the compiler must add nothing
    // outside of its code: no vectors, no tables, no calls to memcpy, no checks.
    .target(
      name: "CSupervisor",
      cSettings: [
        .unsafeFlags([
          "-O2", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-mgeneral-regs-only", "-fno-jump-tables",
          "-fno-asynchronous-unwind-tables", "-fno-sanitize=all", "-fno-profile-instr-generate",
          "-fvisibility=hidden", "-Wall", "-Wextra",
        ])
      ]),
    // CSystem is C that Swift cannot express, with one header for each topic.
    .target(name: "CSystem", cSettings: shims),
    .target(name: "CHTTP", dependencies: ["CSystem"], cSettings: shims),
    .target(name: "CSupervisorClient", dependencies: ["CSupervisor", "CSystem"], cSettings: shims),
    // CRunner holds the program of Python interpreters as bytes.
    .target(name: "CRunner", exclude: ["Runner"], cSettings: shims),
    .target(
      name: "FlowWorkerABI", dependencies: dependencies(on: ["FlowWorker", "CFlowWorker"]),
      exclude: ["flowworker.map"],
      swiftSettings: strict,
      linkerSettings: [
        .unsafeFlags([
          // Without the script every public Swift symbol would be exported beside fw_*.
          "-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/FlowWorkerABI/flowworker.map",
          // SwiftPM sets no soname of its own.
          "-Xlinker", "-soname=libflowworker.so.0",
          // The library file is also the supervisor's program.
          "-Xlinker", "--entry=fwsv_entry",
          // The code of the library must not be unloaded while a thread of the host runs in it.
          "-Xlinker", "-z", "-Xlinker", "nodelete",
        ])
      ]),
    // The readers of bytes from outside, which the units replay and `make fuzz` fuzzes. Those of the supervisor's
    // program are its own sources, built as ordinary C.
    .target(name: "CFuzzReaders", dependencies: ["CSupervisor"], path: "Tests/fuzz/CReaders", cSettings: shims),
    .target(
      name: "FuzzReaders", dependencies: dependencies(on: ["FlowWorker"]) + ["CFuzzReaders"],
      path: "Tests/fuzz/Readers", swiftSettings: strict),
    .testTarget(
      name: "FlowWorkerTests", dependencies: dependencies(on: ["FlowWorker"]) + ["FuzzReaders"],
      path: "Tests/FlowWorkerTests", swiftSettings: strict),
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

// libFuzzer calls the readers of FuzzReaders in this program (`make fuzz`).
if Context.environment["FLOWWORKER_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: dependencies(on: ["FlowWorker"]) + ["FuzzReaders"], path: "Tests/fuzz/Fuzzer",
      swiftSettings: strict))
}
