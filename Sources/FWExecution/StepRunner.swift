package import FWBase
package import FWModel

/// The part of a worker that differs by its type.
package protocol StepRunner: Sendable {
  associatedtype Options: WorkerOptions

  static var type: WorkerType { get }

  init(_ spec: WorkerSpec, _ options: Options, _ resources: SharedResources) throws(FlowError)

  /// The limits and retries that the specification of the worker sets for its runs.
  var settings: RunSettings { get }

  /// Throws if the worker can never run the step. A workflow checks all its steps before the first one runs.
  func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError)

  /// The values of the context that a run of the step may use, besides those of `secrets`, `environment_values` and
  /// `stdin`. A workflow runs a step that gives one of these values either before the step or after it. A value that
  /// is not set is used as well, because the step is another one when it is set.
  func reads(_ step: Step, _ context: ContextValues?) -> ValueReads

  /// Makes the plan of a step that `check` has passed. All commands are expanded before the first one runs, as in
  /// flowServ.
  func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError) -> StepPlan

  /// What the commands inherit of this process's environment; `nil` for the rule of flowServ (`CommandEnvironment`).
  var inheritance: Inheritance? { get }

  /// What bounds the commands, in one line; `nil`: nothing does.
  var sandboxSummary: String? { get }

  /// The limits of all processes of a command together, in one line; `nil`: there are none.
  var treeLimitsSummary: String? { get }

  /// The directories in which a shell looks for the programs of the commands; `nil`: it does not look on this machine.
  func searchPath(_ environment: CommandEnvironment) -> SearchPath?

  /// Adds the members of this type of worker to the document of a plan (`fw_worker_plan`).
  func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter)
}

extension StepRunner {
  package func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {}
  package var sandboxSummary: String? { nil }
  package var treeLimitsSummary: String? { nil }
  package func searchPath(_ environment: CommandEnvironment) -> SearchPath? { nil }
}

/// A worker that runs the commands of container steps.
package protocol CommandRunner: StepRunner {
  /// The values of placeholders that override those of the context.
  var variables: VariableTable { get }
}

extension CommandRunner {
  package func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {
    try step.checkCommands(variables, context, secrets)
  }

  package func reads(_ step: Step, _ context: ContextValues?) -> ValueReads { step.placeholders(variables) }
}

/// The "options" of a worker specification, with their defaults.
package protocol WorkerOptions: Sendable {
  /// The keys of this type of worker, without those that all types have.
  static var keys: [String] { get }
  init()
  /// Reads one of these options. Gives false if the key is another one.
  mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool
}

extension WorkerOptions {
  /// All keys that a worker of this type may have in its options.
  package static var allKeys: [String] { keys + WorkerSpec.optionKeys }

  /// Reads the options of a worker.
  ///
  /// - Parameter spec: the specification, which gets the options that all types have.
  package init(reading json: JSONRef, of type: WorkerType, into spec: inout WorkerSpec) throws(ValidationError) {
    self.init()
    guard json.kind == .object else {
      throw ValidationError("expected the options of \(type.shown) (an object), found \(json.shown)")
    }
    try json.readMembers { (key, value) throws(ValidationError) in
      if try spec.read(option: key, value) { return }
      if try read(key, value) { return }
      throw .unknownKey(
        key, of: "the options of \(type.shown)", known: Self.allKeys,
        else: CommandSettings.place(of: key, runsCommands: type.stepType == .container))
    }
  }
}

/// The work that a worker is going to do for a step.
package struct StepPlan: ~Copyable {
  package let commands: ExpandedCommands
  /// Makes the launcher of the commands of one attempt.
  let launcher: (RunSettings) throws(StepFailure) -> any CommandLauncher
  /// The settings of worker, step and host together.
  package var settings = RunSettings()
  /// Where a shell looks for programs; `nil` if the commands do not run on a machine like this one.
  package var path: SearchPath?
  /// The standard input of each command; `nil`: it is empty.
  package var input: StepInput?
  /// The variables that the step gets when it starts, because it takes resources with ids.
  package var chosenVariables: [String] = []

  package init(
    commands: consuming ExpandedCommands,
    launcher: @escaping (RunSettings) throws(StepFailure) -> any CommandLauncher
  ) {
    self.commands = commands
    self.launcher = launcher
  }
}

/// The step that a plan is made for, and the values that the plan was made with.
package struct Planning {
  package let step: Step
  package let context: ContextValues?
  package let settings: RunSettings
  package let rundir: CText

  package init(step: Step, context: ContextValues?, settings: RunSettings, rundir: CText) {
    self.step = step
    self.context = context
    self.settings = settings
    self.rundir = rundir
  }

  /// Writes what commands inherit of this process's environment: all variables, none, or a list of names. For a list
  /// there are also the names of the variables that this process would pass on now.
  ///
  /// - Parameter isForeign: whether a variable is left out although it would be inherited.
  package func describeInheritance(
    leavingOut isForeign: ((UnsafeRawBufferPointer) -> Bool)? = nil, to writer: inout JSONWriter
  ) {
    let environment = settings.environment
    guard let patterns = environment.inheritance.patterns, !patterns.isEmpty else {
      return writer.member("inherits_environment", environment.inheritance.patterns == nil)
    }
    writer.member("inherits_environment") { writer in writer.array(patterns) { $0.string($1) } }
    var names: [Name] = []
    environment.forEachInherited(leavingOut: isForeign) { names.append(Name(String(decoding: $1, as: UTF8.self))) }
    writer.member("inherited") { writer in writer.array(names.sorted()) { $0.string($1.text) } }
  }
}

/// The objects that the workers of a pool share. Each engine has a resource of its own here, which is created when it
/// is first needed.
package final class SharedResources: Sendable {
  /// The default variables of the configuration.
  package let variables: KeyValues
  /// The settings of the pool for all runs.
  package let settings: RunSettings
  /// What the steps of the pool take while they run.
  package let ledger: ResourceLedger
  private let resources: Guarded<[any SharedResource]>

  /// - Parameter totals: the resources that there are for all steps of the pool.
  package init(
    variables: KeyValues = KeyValues(), settings: RunSettings = RunSettings(), totals: ResourceTotals = ResourceTotals()
  ) throws(FlowError) {
    self.variables = variables
    self.settings = settings
    ledger = try ResourceLedger(totals)
    resources = try Guarded([])
  }

  package func resource<Resource: SharedResource>(_ type: Resource.Type) throws(FlowError) -> Resource {
    try resources.withLock { (resources) throws(FlowError) in
      for resource in resources { if let resource = resource as? Resource { return resource } }
      let resource = try Resource()
      resources.append(resource)
      return resource
    }
  }
}

/// A resource that several workers of a pool use, such as idle interpreters.
package protocol SharedResource: AnyObject, Sendable {
  init() throws(FlowError)
}
