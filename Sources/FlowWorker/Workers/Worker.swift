package import FWBase
package import FWExecution
package import FWModel
internal import Glibc

/// Runs steps of one type.
package final class Worker: Sendable {
  package let type: WorkerType
  /// Whether a pool has lent the worker, and releases it.
  package let isLent: Bool
  /// The name as C text, which lives as long as the worker.
  package let cName: CText
  package let cVolume: CText
  let runner: any StepRunner
  /// The settings of the pool, which those of the worker override.
  private let defaults: RunSettings
  private let ledger: ResourceLedger
  /// The places for its steps; `nil` if there is no limit.
  let limit: Stock?
  /// The number of these places.
  let mostSteps: Int?
  let env: KeyValues
  /// The names of environment entries and of context values that are secret.
  let secrets: [String]
  /// The names of the secrets as a JSON array in C text.
  package let cSecrets: CText
  /// The names of the values that are environment variables of all commands, as a JSON array in C text.
  package let cEnvironmentValues: CText

  /// Creates a worker outside of any pool.
  ///
  /// - Parameter text: JSON text of a worker specification.
  package convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(text, SharedResources(), isLent: false)
  }

  /// - Parameter text: JSON text of a worker specification.
  convenience init(_ text: UnsafeRawBufferPointer, _ resources: SharedResources, isLent: Bool) throws(FlowError) {
    let document = try JSONText.read(text) { (json) throws(ValidationError) in try WorkerDocument(reading: json) }
    try self.init(document, resources, isLent: isLent)
  }

  convenience init(defaultFor type: StepType, _ resources: SharedResources) throws(FlowError) {
    var spec = WorkerSpec(name: uniqueIdentifier())
    if type == .container {
      spec.variables.set("python", "python3")
      spec.variables.set("java", Worker.java)
      spec.variables = spec.variables.overridden(by: resources.variables)
    }
    try self.init(WorkerDocument(spec, of: WorkerRegistry.defaultEntry(for: type)), resources, isLent: true)
  }

  private init(_ document: WorkerDocument, _ resources: SharedResources, isLent: Bool) throws(FlowError) {
    let spec = document.spec
    type = document.type
    self.isLent = isLent
    cName = try CText(spec.name)
    cVolume = try CText(spec.volume)
    env = spec.env
    secrets = spec.secrets
    cSecrets = try Worker.array(spec.secrets)
    runner = try document.makeRunner(spec, resources)
    cEnvironmentValues = try Worker.array(runner.settings.commands.environmentValues?.names ?? [])
    defaults = resources.settings
    ledger = resources.ledger
    mostSteps = spec.limit
    limit = spec.limit.map { Stock(places: $0) }
  }

  private static func array(_ names: [String]) throws(FlowError) -> CText {
    var writer = JSONWriter()
    writer.array(names) { $0.string($1) }
    let text = writer.buffer()
    return try CText(String(decoding: text.bytes, as: UTF8.self))
  }

  private static var java: String {
    guard let home = getenv("JAVA_HOME"), home.pointee != 0 else { return "java" }
    let path = String(cString: home)
    return path.ends(with: "/") ? path + "bin/java" : path + "/bin/java"
  }

  /// The names of the types that this version runs.
  package static var runnableTypes: [String] { WorkerRegistry.all.map(\.type.name) }

  /// Runs a step to its end, without events.
  ///
  /// - Parameter options: JSON text of the options of a run.
  package func exec(
    _ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>, options: UnsafeRawBufferPointer?
  ) throws(FlowError) -> ExecResult {
    let settings = try read(options).settings
    if case .host = merged(step, settings).commands.stdin {
      throw FlowError(
        .invalid,
        "nobody can write the standard input of a step in a call that returns only at its end: start the step instead, "
          + "and write then")
    }
    return try start(step, context, rundir, settings, events: nil).finish()
  }

  /// Starts a step.
  ///
  /// - Parameter options: JSON text of the options of a run.
  package func start(
    _ step: Step, _ context: Context?, rundir: UnsafePointer<CChar>, options text: UnsafeRawBufferPointer?
  ) throws(FlowError) -> Exec {
    let options = try read(text)
    return try start(step, context, rundir, options.settings, events: options.events)
  }

  private func read(_ options: UnsafeRawBufferPointer?) throws(FlowError) -> RunOptions {
    guard let options else { return RunOptions() }
    return try JSONText.read(options) { (json) throws(ValidationError) in try RunOptions(reading: json) }
  }

  private func start(
    _ step: Step, _ context: Context?, _ rundir: UnsafePointer<CChar>, _ settings: RunSettings,
    events: RunOptions.Events?
  ) throws(FlowError) -> Exec {
    // The path is copied as bytes, because it need not be UTF-8.
    let path = try CText(copying: rundir)
    try settings.commands.check(step)
    let plan = try prepare(step, context?.snapshot, path, settings)
    let grant = try Grant(ledger, for: step, limit)
    return try Exec(StepRun(step, worker: cName.string, type, plan, rundir: path, context, events: events, grant))
  }

  /// The values of the context that a run of the step may use.
  func reads(_ step: Step, _ context: ContextValues?) -> ValueReads {
    guard case .names(var names) = runner.reads(step, context) else { return .all }
    for list in [secrets, step.secrets] { names += list.map { Name($0) } }
    for settings in [runner.settings.commands, step.settings.commands] {
      names += settings.environmentValues?.names.map { Name($0) } ?? []
      if case .value(let name) = settings.stdin { names.append(Name(name)) }
    }
    guard let forEach = step.forEach else { return .names(names) }
    // The values of an instance hide those of the context.
    return .names(names.filter { !forEach.has($0) })
  }

  /// Throws if this worker can never run the step, whatever values the steps before it give.
  ///
  /// - Parameters:
  ///   - settings: those of the run.
  ///   - given: the names of the values that the steps before it give.
  func check(_ step: Step, _ values: ContextValues?, _ settings: RunSettings, given: Set<Name>) throws(FlowError) {
    try checkType(of: step)
    if let forEach = step.forEach { try check(forEach, of: step, settings.secrets) }
    let values = values?.seen(by: step)
    let given = given.union(step.forEach?.names ?? [])
    try runner.check(step, values, settings.secrets)
    let settings = merged(step, settings)
    try checkPlaceholders(step, values, settings, given: given)
    try step.checkInput(settings.commands.stdin, values, given: given)
    _ = try environment(of: step, values, settings.secrets, given: given)
  }

  /// Throws if the values of a step's instances would not be seen, or must not be.
  private func check(_ forEach: ForEach, of step: Step, _ secrets: Secrets) throws(FlowError) {
    for name in forEach.names {
      let shown = MessageFormat.quoted(name.text)
      if let runner = runner as? any CommandRunner, runner.variables.has(name.text) {
        throw FlowError(
          .document,
          "step \(step.shownName): the worker \(MessageFormat.quoted(cName.string)) has the variable \(shown), which "
            + "wins over the values of \"foreach\": use another name",
          path: "/foreach/names/\(name.text)")
      }
      if secrets.contains(name.text) || self.secrets.contains(where: { $0.isSame(as: name.text) }) {
        throw FlowError(
          .document,
          "step \(step.shownName): \(shown) is the name of a secret, and events and results show the values of "
            + "\"foreach\": use another name",
          path: "/foreach/names/\(name.text)")
      }
    }
  }

  /// The environment of a step's commands: the one place where it is made.
  ///
  /// - Parameter given: names of values that are not known yet.
  private func environment(
    of step: Step, _ context: ContextValues?, _ secrets: Secrets, given: Set<Name> = []
  ) throws(FlowError) -> CommandEnvironment {
    let own = try runner.settings.commands.environmentValues?.variables(
      of: step, isOfStep: false, context, secrets, given: given)
    let steps = try step.settings.commands.environmentValues?.variables(
      of: step, isOfStep: true, context, secrets, given: given)
    return CommandEnvironment(
      CommandEnvironment.Layer(env, values: own), CommandEnvironment.Layer(step.env, values: steps), secrets,
      inherits: runner.inheritance)
  }

  /// Hides the resources with ids from a step that takes none of them: their variables are empty, because a program may
  /// use all that there are where the variable is not set. Gives the variables of those that the step takes, which have
  /// a value only when it starts (`Grant`), whatever worker and step say.
  private func hideIndexed(from step: Step, in settings: inout RunSettings) -> [String] {
    guard let indexed = settings.indexedVariables else { return [] }
    let taken = step.resources.taken
    var hidden = KeyValues()
    var chosen: [String] = []
    for variable in indexed {
      let isTaken = taken.contains(variable.resource)
      if isTaken { chosen.append(variable.name) }
      hidden.set(variable.name, isTaken ? nil : "")
    }
    settings.environment = settings.environment.overridden(by: hidden)
    return chosen
  }

  /// Throws if a placeholder has no value though it must have one.
  private func checkPlaceholders(
    _ step: Step, _ values: ContextValues?, _ settings: RunSettings, given: Set<Name> = []
  ) throws(FlowError) {
    let isStrict = (settings.commands.placeholders ?? .lenient) == .strict
    guard isStrict, let runner = runner as? any CommandRunner else { return }
    try step.checkPlaceholders(runner.variables, values, given: given)
  }

  /// The settings of pool, worker, step and host together.
  private func merged(_ step: Step, _ settings: RunSettings) -> RunSettings {
    let own = runner.settings.overridden(by: step.settings).overridden(by: settings)
    return defaults.isEmpty ? own : defaults.overridden(by: own)
  }

  private func checkType(of step: Step) throws(FlowError) {
    guard step.type == type.stepType else {
      throw FlowError(
        .stepType,
        "step \(step.shownName) is a \(step.type.rawValue) step, which the \(type.name) worker "
          + "\(MessageFormat.quoted(cName.string)) does not run: it runs \(type.stepType.rawValue) steps")
    }
  }

  /// Checks a step, and plans it.
  ///
  /// - Parameters:
  ///   - settings: the settings of the host, with the secrets of the workflow if the step is part of one.
  ///   - isToRun: whether the step is to run, so that placeholders without a value may be refused.
  func prepare(
    _ step: Step, _ values: ContextValues?, _ rundir: CText, _ settings: RunSettings, isToRun: Bool = true
  ) throws(FlowError) -> StepPlan {
    try checkType(of: step)
    if step.forEach != nil, step.instance == nil {
      throw FlowError(
        .document,
        "step \(step.shownName) has \"foreach\", so it is many runs: fw_workflow_start runs it, and a worker by itself "
          + "does not", path: "/foreach")
    }
    let values = values?.seen(by: step)
    var settings = merged(step, settings)
    if !secrets.isEmpty || !step.secrets.isEmpty {
      settings.secrets = try Secrets(secrets, step, env: env.overridden(by: step.env), values, of: settings.secrets)
    }
    settings.environment = try environment(of: step, values, settings.secrets)
    let chosen = hideIndexed(from: step, in: &settings)
    try runner.check(step, values, settings.secrets)
    if isToRun { try checkPlaceholders(step, values, settings) }
    var plan = try runner.plan(step, values, settings.secrets, rundir: rundir)
    plan.settings = settings
    plan.chosenVariables = chosen
    plan.path = runner.searchPath(settings.environment)
    plan.input = try settings.commands.stdin?.resolved(step, values)
    return plan
  }
}
