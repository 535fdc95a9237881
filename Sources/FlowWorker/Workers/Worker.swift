internal import Glibc

/// What runs the steps of one type.
public final class Worker: Sendable {
  public let type: WorkerType
  /// A pool has lent it, and ends it.
  public let isLent: Bool
  /// C text for as long as the worker lives.
  public let cName: CText
  public let cVolume: CText
  private let runner: (any StepRunner)?

  /// - Parameter text: JSON text of a worker specification.
  public convenience init(_ text: UnsafeRawBufferPointer, isLent: Bool = false) throws(FlowError) {
    try self.init(JSONText.read(text) { (json) throws(Refusal) in try WorkerSpec(reading: json) }, isLent: isLent)
  }

  convenience init(defaultFor type: StepType, variables: KeyValues) throws(FlowError) {
    let name = SpecBuilder.uniqueIdentifier()
    switch type {
    case .code: try self.init(WorkerSpec(name: name, type: .code), isLent: true)
    case .notebook: try self.init(WorkerSpec(name: name, type: .notebook), isLent: true)
    case .container:
      var spec = WorkerSpec(name: name, type: .subprocess)
      spec.variables.set("python", "python3")
      spec.variables.set("java", Worker.java)
      spec.variables = spec.variables.overridden(by: variables)
      try self.init(spec, isLent: true)
    }
  }

  private init(_ spec: WorkerSpec, isLent: Bool) throws(FlowError) {
    type = spec.type
    self.isLent = isLent
    cName = try CText(spec.name)
    cVolume = try CText(spec.volume)
    switch spec.type {
    case .subprocess: runner = try SubprocessWorker(spec)
    case .docker: runner = try DockerWorker(spec)
    case .code, .notebook, .nbdocker: runner = nil
    }
  }

  private static var java: String {
    guard let home = getenv("JAVA_HOME"), home.pointee != 0 else { return "java" }
    let path = String(cString: home)
    return path.hasSuffix("/") ? path + "bin/java" : path + "/bin/java"
  }

  /// The types that this version runs.
  public static var runnableTypes: [WorkerType] { [.subprocess, .docker] }

  /// Runs a step to its end.
  public func exec(_ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>) throws(FlowError) -> StepResult {
    try prepare(step, context, rundir, RunSettings(), events: nil).finished()
  }

  /// Starts a step.
  ///
  /// - Parameter options: JSON text of the options of a run.
  public func start(
    _ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>, options text: UnsafeRawBufferPointer?
  ) throws(FlowError) -> Exec {
    var options = RunOptions()
    if let text {
      options = try JSONText.read(text) { (json) throws(Refusal) in try RunOptions(reading: json) }
    }
    return try Exec(prepare(step, context, rundir, options.settings, events: options.events))
  }

  private func prepare(
    _ step: Step, _ context: Context?, _ rundir: UnsafePointer<CChar>, _ settings: RunSettings,
    events: RunOptions.Events?
  ) throws(FlowError) -> StepRun {
    guard step.type == type.stepType else {
      throw FlowError(
        .stepType,
        "step \(step.shownName) is a \(step.type.rawValue) step, which the \(type.rawValue) worker "
          + "\(Wording.quoted(cName.string)) does not run: it runs \(type.stepType.rawValue) steps")
    }
    guard let runner else {
      throw FlowError(
        .unsupported,
        "this version of the library does not run \(type.rawValue) workers, such as "
          + "\(Wording.quoted(cName.string)): it runs \(Worker.runnableTypes.map(\.rawValue).joined(separator: ", "))")
    }
    let commands = try runner.expand(step, context?.snapshot)
    // A path is bytes, not text.
    let rundir = try CText(copying: rundir)
    return StepRun(
      step, self, commands, runner.settings.overridden(by: step.settings).overridden(by: settings), events: events
    ) { (settings) throws(SpawnFailure) in try runner.launcher(step, settings, rundir: rundir) }
  }
}

/// The part of a worker that differs by its type.
protocol StepRunner: Sendable {
  /// What the worker says of its runs.
  var settings: RunSettings { get }

  /// The commands of a step. All are expanded before the first one runs, as in flowServ.
  func expand(_ step: Step, _ context: ContextValues?) throws(FlowError) -> ExpandedCommands

  /// What starts the commands of one attempt.
  func launcher(_ step: Step, _ settings: RunSettings, rundir: CText) throws(SpawnFailure) -> any CommandLauncher
}
