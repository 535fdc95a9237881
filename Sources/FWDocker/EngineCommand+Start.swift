internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWHTTP
internal import FWModel

/// What precedes the start of a command.
extension EngineCommand {
  func create() {
    enter(.creating)
    do throws(StepFailure) { if try !requests.create() { createExec() } } catch { fail(error) }
  }

  func created() {
    switch kind {
    case .ownContainer(_, _, let notebook?, _):
      enter(.populating)
      requests.populate(notebook.archive)
    case .ownContainer: attach()
    case .stepContainer:
      enter(.startingContainer)
      requests.start { .containerStarted($0) }
    case .removal: break
    }
  }

  func attach() {
    enter(.attaching(missing: requests.hasOwnInput ? [.output, .exit, .input] : [.output, .exit]))
    requests.attach()
  }

  func startIfReady(_ missing: Set<Promise>) {
    guard missing.isEmpty else { return enter(.attaching(missing: missing)) }
    enter(.starting(early: []))
    requests.start { .started($0) }
  }

  /// Ends a command whose output or standard input the engine does not stream. Podman prepares the program during the
  /// attach request.
  func refusedAttach(_ reply: EngineReply) {
    if reply.status < 300 { return lose(reply) }
    fail(errorTexts.refusedStart(reply, doing: "attach to the container"))
  }

  func startedContainer(_ reply: EngineReply) {
    if reply.isSuccess {
      if case .stepContainer(let box, _) = kind { box.name = requests.container }
      return createExec()
    }
    if reply.isLost { return lose(reply) }
    fail(errorTexts.refusedStepContainer(reply))
  }

  func createExec() {
    enter(.creatingExec)
    do throws(StepFailure) { try requests.createExec() } catch { fail(error) }
  }

  func createdExec(_ reply: EngineReply) {
    if reply.isLost { return lose(reply) }
    // The container has ended by itself: its program is missing, or somebody has ended it.
    if reply.status == 409 || reply.status == 404 { return examine() }
    guard requests.exec != nil else { return fail(session.endpoint.failure(reply, doing: "create the command")) }
    execBegan = fws_monotonic()
    enter(.opening(probe: EngineCommand.firstProbe))
    requests.startExec()
  }

  /// Asks why the container of the step has ended.
  func examine() {
    enter(.examining)
    requests.askReason()
  }
}
