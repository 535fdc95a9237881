package import FWBase
package import FWExecution
package import FWModel
internal import FWProcess
internal import FWPython

/// Runs functions that the host has registered, and functions of Python packages.
package struct CodeWorker: StepRunner {
  private let options: CodeOptions
  let functions: FunctionTable
  let python: PythonProgram
  private let interpreters: Interpreters

  package static let type = WorkerType("code", runs: .code, likely: PythonProgram.likely)

  package init(_ spec: WorkerSpec, _ options: CodeOptions, _ resources: SharedResources) throws(FlowError) {
    self.options = options
    functions = try resources.resource(FunctionTable.self)
    interpreters = try resources.resource(Interpreters.self)
    python = try PythonProgram(spec, options.python, resources)
  }

  package var settings: RunSettings { options.python.settings }
  package var inheritance: Inheritance? { .all }
  package var sandboxSummary: String? { options.python.sandbox?.summary }

  package func check(_ step: Step, _ context: ContextValues?, _ secrets: Secrets) throws(FlowError) {
    let name = step.code.function
    let isOfHost = function(of: step, context) != nil
    if isOfHost, options.python.sandbox != nil {
      throw FlowError(
        .document,
        "step \(step.shownName) calls \(MessageFormat.quoted(name)), a function of the host, which no sandbox bounds: "
          + "use a worker without \"sandbox\", or an import path",
        path: "/action/func")
    }
    if isOfHost || name.utf8.contains(UInt8(ascii: ".")) { return }
    throw FlowError(
      .unknown,
      "step \(step.shownName) calls \(MessageFormat.quoted(name)), which is neither a registered function "
        + "nor an import path such as \"package.module.function\""
        + MessageFormat.hint(for: name, among: functions.names))
  }

  package func reads(_ step: Step, _ context: ContextValues?) -> ValueReads {
    if contextFunction(context) == nil, let function = functions[step.code.function] {
      return step.code.values(of: function.parameters)
    }
    // The parameters of other functions are known only where the functions are.
    return step.code.declaredValues
  }

  package func plan(_ step: Step, _ context: ContextValues?, _ secrets: Secrets, rundir: CText) throws(FlowError)
    -> StepPlan
  {
    let commands = try ExpandedCommands(named: step.code.function)
    let options = options.python
    if let (function, arguments) = function(of: step, context) {
      return StepPlan(commands: commands) { (settings) throws(StepFailure) in
        try FunctionLauncher(function, arguments, of: step, settings, grace: options.grace, rundir: rundir)
      }
    }
    var known = context
    if let context {
      guard let declared = context.only(step.code.declaredValues) else { throw .noMemory }
      known = declared
    }
    guard let job = PythonJob.call(step.code, known) else { throw .noMemory }
    let (python, interpreters) = (python, interpreters)
    return StepPlan(commands: commands) { (settings) throws(StepFailure) in
      try PythonLauncher(job, python, interpreters, settings, options, rundir: rundir)
    }
  }

  /// The function of a context that all code steps call. A worker that names an interpreter uses that, even if the host
  /// could call the function itself, and so does one with a sandbox.
  private func contextFunction(_ context: ContextValues?) -> Function? {
    options.python.python == nil && options.python.sandbox == nil ? context?.function : nil
  }

  /// The function of the host that a step calls, and its arguments; `nil` if the function is called by an import path.
  func function(of step: Step, _ context: ContextValues?) -> (Function, CallArguments)? {
    if let function = contextFunction(context) {
      return (function, CallArguments(values: context?.only(step.code.declaredValues), keys: nil))
    }
    guard let function = functions[step.code.function] else { return nil }
    var keys: [Name: String] = [:]
    for parameter in function.parameters { keys[Name(parameter)] = step.code.variables[parameter] }
    return (function, CallArguments(values: context, keys: keys))
  }

  package func describe(_ planning: Planning, _ commands: borrowing ExpandedCommands, to writer: inout JSONWriter) {
    let action = planning.step.code
    writer.member("function", action.function)
    let isRegistered = function(of: planning.step, planning.context) != nil
    writer.member("is_registered", isRegistered)
    writer.member("arg", action.argument)
    if !isRegistered { python.describe(planning, to: &writer) }
  }
}

/// The options of a code worker. An option that is not set has its default.
package struct CodeOptions: WorkerOptions {
  package static let keys = ["python", "grace", "sandbox"] + RunSettings.keys

  var python = PythonOptions()

  package init() {}

  package mutating func read(_ key: JSONKey, _ value: JSONRef) throws(ValidationError) -> Bool {
    try python.readShared(key, value)
  }
}

/// The functions of a pool, by their names.
package final class FunctionTable: SharedResource {
  private let functions: Guarded<[Name: Function]>

  package init() throws(FlowError) { functions = try Guarded([:]) }

  package func add(_ function: Function) {
    // A previous function of that name is released outside the lock, because its release may call the host.
    _ = functions.withLock { $0.updateValue(function, forKey: Name(function.name)) }
  }

  subscript(name: String) -> Function? { functions.withLock { $0[Name(name)] } }

  var names: [String] { functions.withLock { $0.keys.map(\.text) } }
}
