package import FWBase

/// One step of a workflow, ready to be run any number of times.
package final class Step: Sendable {
  package let type: StepType
  /// The name as C text, which lives as long as the step.
  package let cName: CText
  package let name: Name
  /// The commands of a container step.
  let commands: [Template]
  /// The container image of a container step.
  package let image: String
  package let code: CodeAction
  package let notebook: NotebookAction
  package let env: KeyValues
  package let settings: RunSettings
  package let secrets: [String]
  package let files: FilesDocument

  package convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(JSONText.read(text) { (json) throws(ValidationError) in try StepDocument(reading: json) })
  }

  package init(_ document: StepDocument) throws(FlowError) {
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

  package var shownName: String { MessageFormat.quoted(cName.string) }
}
