package import FWBase
package import FWExecution
package import FWModel
internal import FWOutput
internal import FWProcess
internal import FWSystem

/// Runs a function or a notebook in an interpreter.
package final class PythonLauncher: CommandLauncher {
  private let job: PythonJob
  private let python: PythonProgram
  private let interpreters: Interpreters
  private let settings: RunSettings
  private let grace: Double
  private let startTimeout: Double
  private let env: KeyValues
  private let rundir: Descriptor

  package init(
    _ job: PythonJob, _ python: PythonProgram, _ interpreters: Interpreters, _ settings: RunSettings,
    _ options: PythonOptions, env: KeyValues, rundir: CText
  ) throws(StepFailure) {
    self.job = job
    self.python = python
    self.interpreters = interpreters
    self.settings = settings
    grace = options.grace
    startTimeout = options.interpreterStartTimeout
    self.env = env
    self.rundir = try Supervisors.retrying { () throws(StepFailure) in try RunDirectory.open(rundir, isKept: true) }
  }

  package func start(_ command: UnsafeRawBufferPointer, isLast: Bool, timeout: Double?, events: RunOptions.Events?)
    throws(StepFailure) -> any RunningCommand
  {
    guard let supervisors = Supervisors.shared else { throw .noMemory }
    let environment = python.environment(env, settings.secrets)
    if environment.texts.isExhausted { throw .noMemory }
    let key = Interpreter.Key(
      kind: job.kind, program: try python.program(env), environment: Array(environment.texts.bytes),
      identity: try supervisors.identity())
    let interpreter = try interpreters.take(key, environment: environment, grace: grace)
    let pipes = try OutputPipes(settings, events, for: .job)
    let ticket = try JobTicket(job, rundir: rundir, out: pipes.outEnd, err: pipes.errEnd)
    // Its time counts from now on.
    interpreter.limit(timeout, grace: grace)
    let command = PythonCommand(job, interpreter, interpreters, pipes, grace: grace, startTimeout: startTimeout)
    try command.begin(with: ticket)
    return command
  }
}
