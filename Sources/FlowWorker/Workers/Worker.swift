internal import Glibc

/// What runs the steps of one type.
public final class Worker: Sendable {
  public let type: WorkerType
  /// A pool has lent it, and ends it.
  public let isLent: Bool
  /// C text for as long as the worker lives.
  public let cName: CText
  public let cVolume: CText
  let runner: any StepRunner
  let env: KeyValues
  /// Names of environment entries and of values of the context.
  let secrets: [String]
  /// A JSON array of the names, as C text.
  public let cSecrets: CText

  /// One outside of any pool.
  ///
  /// - Parameter text: JSON text of a worker specification.
  public convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(text, SharedResources(), isLent: false)
  }

  /// - Parameter text: JSON text of a worker specification.
  convenience init(_ text: UnsafeRawBufferPointer, _ resources: SharedResources, isLent: Bool) throws(FlowError) {
    let spec = try JSONText.read(text) { (json) throws(ValidationError) in try WorkerSpec(reading: json) }
    try self.init(spec, resources, isLent: isLent)
  }

  convenience init(defaultFor type: StepType, variables: KeyValues, _ resources: SharedResources) throws(FlowError) {
    let name = SpecBuilder.uniqueIdentifier()
    switch type {
    case .code: try self.init(WorkerSpec(name: name, type: .code), resources, isLent: true)
    case .notebook: try self.init(WorkerSpec(name: name, type: .notebook), resources, isLent: true)
    case .container:
      var spec = WorkerSpec(name: name, type: .subprocess)
      spec.variables.set("python", "python3")
      spec.variables.set("java", Worker.java)
      spec.variables = spec.variables.overridden(by: variables)
      try self.init(spec, resources, isLent: true)
    }
  }

  private init(_ spec: WorkerSpec, _ resources: SharedResources, isLent: Bool) throws(FlowError) {
    type = spec.type
    self.isLent = isLent
    cName = try CText(spec.name)
    cVolume = try CText(spec.volume)
    env = spec.env
    secrets = spec.secrets
    var names = JSONWriter()
    names.array(spec.secrets) { $0.string($1) }
    let text = names.buffer()
    cSecrets = try CText(String(decoding: text.bytes, as: UTF8.self))
    switch spec.type {
    case .subprocess: runner = try SubprocessWorker(spec)
    case .docker: runner = try DockerWorker(spec)
    case .code: runner = CodeWorker(spec, resources)
    case .notebook: runner = NotebookWorker(spec, resources)
    case .nbdocker: runner = NotebookContainerWorker(spec)
    case .slurm: runner = try SlurmWorker(spec, resources)
    }
  }

  private static var java: String {
    guard let home = getenv("JAVA_HOME"), home.pointee != 0 else { return "java" }
    let path = String(cString: home)
    return path.ends(with: "/") ? path + "bin/java" : path + "/bin/java"
  }

  /// The types that this version runs.
  public static var runnableTypes: [WorkerType] { WorkerType.allCases }

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
      options = try JSONText.read(text) { (json) throws(ValidationError) in try RunOptions(reading: json) }
    }
    return try Exec(StepExecution(prepare(step, context, rundir, options.settings, events: options.events)))
  }

  private func prepare(
    _ step: Step, _ context: Context?, _ rundir: UnsafePointer<CChar>, _ settings: RunSettings,
    events: RunOptions.Events?
  ) throws(FlowError) -> StepRun {
    // A path is bytes, not text.
    let plan = try prepare(step, context?.snapshot, CText(copying: rundir), settings)
    let settings = plan.settings
    return StepRun(step, self, plan, settings, context, events: events)
  }

  /// - Parameter settings: of the host; with the secrets of the workflow, if the step is part of one.
  func prepare(_ step: Step, _ values: ContextValues?, _ rundir: CText, _ settings: RunSettings) throws(FlowError)
    -> StepPlan
  {
    guard step.type == type.stepType else {
      throw FlowError(
        .stepType,
        "step \(step.shownName) is a \(step.type.rawValue) step, which the \(type.rawValue) worker "
          + "\(MessageFormat.quoted(cName.string)) does not run: it runs \(type.stepType.rawValue) steps")
    }
    var settings = runner.settings.overridden(by: step.settings).overridden(by: settings)
    if !secrets.isEmpty || !step.secrets.isEmpty {
      settings.secrets = try Secrets(secrets, step, env: env.overridden(by: step.env), values, of: settings.secrets)
    }
    var plan = try runner.plan(step, values, settings.secrets, rundir: rundir)
    plan.settings = settings
    plan.path = runner.searchPath(env.overridden(by: step.env))
    return plan
  }
}

/// What the workers of a pool share.
final class SharedResources: Sendable {
  let functions: FunctionTable
  let interpreters: Interpreters
  let allocations: Allocations
  /// The Python interpreter of workers that name none.
  let python: String

  init(python: String? = nil) throws(FlowError) {
    self.python = python ?? "python3"
    functions = try FunctionTable()
    interpreters = try Interpreters()
    allocations = try Allocations()
  }
}

/// The part of a worker that differs by its type.
protocol StepRunner: Sendable {
  /// What the worker says of its runs.
  var settings: RunSettings { get }

  /// What is to be done for a step. All commands are expanded before the first one runs, as in flowServ.
  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan

  /// Where a shell looks for the programs of its commands; `nil`: not on a machine like this one.
  func searchPath(_ env: KeyValues) -> SearchPath?

  /// Says what is special about that in the document of a plan.
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter)
}

/// What a worker is going to do for a step.
struct StepPlan: ~Copyable {
  let commands: ExpandedCommands
  /// Makes what starts the commands of one attempt.
  let launcher: (RunSettings) throws(StepFailure) -> any CommandLauncher
  /// Of worker, step and host together.
  var settings = RunSettings()
  /// Where programs are looked for by a shell on a machine like this one.
  var path: SearchPath?

  init(
    commands: consuming ExpandedCommands,
    launcher: @escaping (RunSettings) throws(StepFailure) -> any CommandLauncher
  ) {
    self.commands = commands
    self.launcher = launcher
  }
}

extension StepRunner {
  func searchPath(_ env: KeyValues) -> SearchPath? { nil }
}
