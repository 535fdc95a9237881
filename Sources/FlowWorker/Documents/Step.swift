/// One step of a workflow, ready to be run any number of times.
public final class Step: Sendable {
  public let type: StepType
  /// The name as C text, for as long as the step lives.
  public let cName: CText
  let name: Name
  /// The commands of a container step.
  let commands: [Template]
  /// The container image of a container step.
  let image: String
  let code: CodeAction
  let notebook: NotebookAction
  let env: KeyValues
  let settings: RunSettings
  let secrets: [String]
  let files: FilesDocument

  public convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(JSONText.read(text) { (json) throws(ValidationError) in try StepDocument(reading: json) })
  }

  init(_ document: StepDocument) throws(FlowError) {
    type = document.type
    cName = try CText(document.name)
    name = Name(document.name)
    commands = document.commands.map(Template.init)
    image = document.image
    code = document.code
    notebook = document.notebook
    env = document.env
    settings = document.settings
    secrets = document.secrets
    files = document.files
  }

  var shownName: String { MessageFormat.quoted(cName.string) }
}
