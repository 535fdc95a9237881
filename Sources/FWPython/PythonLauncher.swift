package import FWBase
package import FWExecution
package import FWModel
package import FWOutput
package import FWProcess
internal import FWSystem

/// Runs a function or a notebook in an interpreter.
package final class PythonLauncher: CommandLauncher {
  private let job: PythonJob
  private let python: PythonProgram
  private let interpreters: Interpreters
  private let settings: RunSettings
  private let grace: Double
  private let startTimeout: Double
  private let rundir: Descriptor
  private let path: CText

  package init(
    _ job: PythonJob, _ python: PythonProgram, _ interpreters: Interpreters, _ settings: RunSettings,
    _ options: PythonOptions, rundir: CText
  ) throws(StepFailure) {
    self.job = job
    self.python = python
    self.interpreters = interpreters
    self.settings = settings
    grace = options.grace
    startTimeout = options.interpreterStartTimeout
    path = rundir
    self.rundir = try Supervisors.retrying { () throws(StepFailure) in try RunDirectory.open(rundir, isKept: true) }
  }

  package func start(
    _ command: Command, input: CommandInput?, isLast: Bool, timeout: Double?, events: RunOptions.Events?
  ) throws(StepFailure) -> any RunningCommand {
    let environment = TextBlock(environment: settings.environment, leavingOut: python.sandbox?.hides)
    if environment.texts.isExhausted { throw .noMemory }
    let key = Interpreter.Key(
      kind: job.kind, program: try python.program(settings.environment), environment: Array(environment.texts.bytes),
      identity: try Supervisors.shared.identity())
    let confinement = python.confinement(rundir, path)
    let interpreter = try interpreters.take(key, environment: environment, grace: grace, confinement)
    let pipes = try OutputPipes(settings, events, for: .job)
    let ticket = try JobTicket(job, rundir: confinement == nil ? rundir : nil, out: pipes.outEnd, err: pipes.errEnd)
    // The job's timeout begins now: the start of the interpreter is part of it.
    interpreter.limit(timeout, grace: grace)
    let command = PythonCommand(job, interpreter, interpreters, pipes, grace: grace, startTimeout: startTimeout)
    try command.begin(with: ticket)
    return command
  }
}

/// The Python interpreter of a worker.
package struct PythonProgram: Sendable {
  /// A path, or a name that is looked up on PATH.
  private let name: String
  /// What bounds the interpreter; `nil`: nothing does.
  package let sandbox: SandboxOptions?
  private let request: SandboxRequest?

  /// The likely cause when an interpreter fails.
  package static let likely = "the interpreter is not Python, or a module that it imports at its start is broken"

  package init(_ spec: WorkerSpec, _ options: PythonOptions, _ resources: SharedResources) throws(FlowError) {
    name = options.python ?? spec.variables["python"] ?? resources.variables["python"] ?? "python3"
    sandbox = options.sandbox
    request = if let sandbox { try SandboxRequest(sandbox) } else { nil }
  }

  /// The interpreter's program. A name is looked up on the PATH that the interpreter itself gets.
  func program(_ environment: CommandEnvironment) throws(StepFailure) -> String {
    if name.utf8.contains(UInt8(ascii: "/")) { return name }
    switch ProgramSearch.find(name, in: SearchPath(environment)) {
    case .program(let program): return program
    case .nowhere(let path):
      throw StepFailure(
        "the Python interpreter \(MessageFormat.quoted(name)) was not found in PATH "
          + "(\(MessageFormat.foreign(path, limit: 1000))): set the worker's option \"python\"")
    }
  }

  /// What bounds an interpreter for one job in this run directory.
  func confinement(_ rundir: Descriptor, _ path: CText) -> Confinement? {
    guard let sandbox, let request else { return nil }
    return Confinement(options: sandbox, request: request, rundir: rundir, path: path)
  }

  package func describe(_ planning: Planning, to writer: inout JSONWriter) {
    planning.describeInheritance(leavingOut: sandbox?.hides, to: &writer)
    writer.member("sandbox") { sandbox.write(to: &$0) }
    do throws(StepFailure) {
      writer.member("interpreter", try program(planning.settings.environment))
    } catch { writer.member("problem", error.reason) }
  }
}

/// A job of an interpreter, in the form that the runner reads (server.py).
package final class PythonJob: Sendable {
  enum Kind: String {
    case call
    case notebook
  }

  let kind: Kind
  /// The name of the job in messages.
  package let shown: String
  /// The job as JSON text.
  package let text: String

  private init(_ kind: Kind, shown: String, _ text: String) {
    self.kind = kind
    self.shown = shown
    self.text = text
  }

  /// A call of a function by its import path; `nil` if there is not enough memory for its text.
  package static func call(_ action: CodeAction, _ context: ContextValues?) -> PythonJob? {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("do", "call")
      writer.member("function", action.function)
      writer.member("variables") { writer in
        writer.object { writer in
          for (parameter, key) in action.variables.keys { writer.member(key: parameter.text, key) }
        }
      }
      writer.member("context") { writer in
        writer.object { writer in
          context?.forEachMember { key, value in writer.member(key: key.string) { $0.value(value) } }
        }
      }
      // Only the interpreter knows the parameters of the function. It gets all reasons why values cannot be passed, and
      // refuses the values that the function takes.
      writer.member("unfit") { writer in
        writer.object { writer in
          for (name, object) in context?.objects ?? [:] {
            writer.member(key: name.text, object.unfit ?? "is \(object.kind), which JSON cannot express")
          }
        }
      }
    }
    return make(.call, "the function \(MessageFormat.quoted(action.function))", writer)
  }

  /// A run of a notebook.
  package static func notebook(_ step: Step, _ options: PythonOptions, _ context: ContextValues?, _ secrets: Secrets)
    throws(FlowError) -> PythonJob
  {
    let action = step.notebook
    for (index, parameter) in action.parameters.enumerated() {
      let key = action.variables[parameter]
      guard let reason = context?.objects[Name(key)]?.unfitParameter else { continue }
      throw FlowError(
        .document, "step \(step.shownName): the value of \(MessageFormat.quoted(key)) \(reason)",
        path: "/action/params/\(index)")
    }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("do", "notebook")
      writer.member("notebook", action.notebook)
      writer.member("output", action.output)
      action.writeParameters(context, secrets, to: &writer)
      writer.member("secrets") { writer in
        writer.array(secrets.tree.patterns) { $0.string(String(decoding: $1, as: UTF8.self)) }
      }
      writer.member("kernel", options.kernel)
      writer.member("cell_timeout", options.cellTimeout)
      writer.member("start_timeout", options.startTimeout)
    }
    guard let job = make(.notebook, "the notebook \(MessageFormat.quoted(action.notebook))", writer) else {
      throw .noMemory
    }
    return job
  }

  private static func make(_ kind: Kind, _ shown: String, _ writer: consuming JSONWriter) -> PythonJob? {
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    return PythonJob(kind, shown: shown, String(decoding: buffer.bytes, as: UTF8.self))
  }
}
