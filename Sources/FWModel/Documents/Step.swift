package import FWBase

/// One step of a workflow, ready to be run any number of times.
package final class Step: Sendable {
  package let type: StepType
  /// The name as C text, which lives as long as the step.
  package let cName: CText
  package let name: Name
  /// The commands of a container step.
  let commands: [CommandTemplate]
  /// The container image of a container step.
  package let image: String
  package let code: CodeAction
  package let notebook: NotebookAction
  package let env: KeyValues
  package let settings: RunSettings
  package let secrets: [String]
  package let files: FilesDocument
  /// The names of steps that the step waits for; `nil` if the document has no such list.
  package let after: [String]?

  package convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(JSONText.read(text) { (json) throws(ValidationError) in try StepDocument(reading: json) })
  }

  package init(_ document: StepDocument) throws(FlowError) {
    type = document.type
    cName = try CText(document.name)
    name = Name(document.name)
    commands = document.commands.map(CommandTemplate.init)
    image = document.image
    code = document.code
    notebook = document.notebook
    env = document.env
    settings = document.settings
    secrets = document.secrets
    files = document.files
    after = document.after
  }

  package var shownName: String { MessageFormat.quoted(cName.string) }
}

/// The three types of steps.
package enum StepType: String, Sendable {
  case container
  case code
  case notebook
}

/// What the document of a step says.
package struct StepDocument {
  static let keys = ["name", "files", "action", "secrets", "after"] + settingKeys
  /// The keys of the settings that a step may give for its run.
  static let settingKeys = ["timeout", "output_limit", "retries"] + CommandSettings.stepKeys
  static let containerKeys = ["environment", "commands", "env"]

  var name: String
  var type: StepType
  var code = CodeAction()
  var notebook = NotebookAction()
  var image = ""
  var commands: [CommandDocument] = []
  var env = KeyValues()
  var settings = RunSettings()
  package var files = FilesDocument()
  /// The names of environment entries and of context values that are secret.
  var secrets: [String] = []
  /// The names of steps that the step waits for; `nil` if the document has no such list.
  var after: [String]?

  package init(reading json: JSONRef) throws(ValidationError) {
    var name: String?
    var action: JSONRef?
    var settings = RunSettings()
    var secrets: [String] = []
    var files = FilesDocument()
    var after: [String]?
    try json.readMembers(of: "a step (an object)") { (key, value) throws(ValidationError) in
      if key == "name" {
        name = try value.requireName()
      } else if key == "files" {
        files = try FilesDocument(reading: value)
      } else if key == "secrets" {
        secrets = try value.requireNames()
      } else if key == "after" {
        after = try value.requireNames()
      } else if key == "action" {
        action = value
      } else if !(try StepDocument.read(key, value, into: &settings)) {
        throw .unknownKey(key, of: "a step", known: StepDocument.keys, else: StepDocument.place(of: key.string))
      }
    }
    guard let name else { throw .missingKey("name", of: "the step") }
    guard let action else { throw .missingKey("action", of: "the step \(MessageFormat.quoted(name))") }
    self.name = name
    self.settings = settings
    self.secrets = secrets
    self.files = files
    self.after = after
    self.type = .container
    do throws(ValidationError) { try readAction(action) } catch { throw error.inside("action") }
    if type != .container, let key = CommandSettings.stepKeys.first(where: { json.member($0) != nil }) {
      throw ValidationError(
        "\"\(key)\" is for the commands of a container step, and this is a \(type.rawValue) step: remove it",
        isAboutKey: true
      ).inside(key)
    }
  }

  private static func read(_ key: JSONKey, _ value: JSONRef, into settings: inout RunSettings) throws(ValidationError)
    -> Bool
  {
    guard settingKeys.contains(key.string) else { return false }
    if try settings.commands.read(ofStep: key, value) { return true }
    return try settings.read(key, value)
  }

  private init(name: String) {
    self.name = name
    type = .container
  }

  /// Whether the host writes the standard input.
  package var readsHost: Bool {
    if case .host = settings.commands.stdin { return true }
    return false
  }

  /// Makes the file that the commands read as their standard input an input of the step.
  package mutating func addInputOfCommands() {
    if case .file(let key) = settings.commands.stdin { files.add(input: key) }
  }

  /// The words for a key that a step does not have, but a part of it has.
  private static func place(of key: String) -> String? {
    if (containerKeys + CodeAction.keys + NotebookAction.keys).contains(key) {
      return "it is a key of the step's \"action\""
    }
    return FilesDocument.keys.contains(key) ? "it is a key of the step's \"files\"" : nil
  }

  /// Throws if a value is not the action of a step.
  package static func check(action: JSONRef) throws(ValidationError) {
    var document = StepDocument(name: "")
    try document.readAction(action)
  }

  /// The keys of the action decide the type of the step.
  private mutating func readAction(_ action: JSONRef) throws(ValidationError) {
    if let reference = action.string {
      throw ValidationError(
        "expected an object as the action, found the string \(MessageFormat.quoted(reference)); "
          + "in a workflow it may be a reference such as $[[name]]"
      )
    }
    try action.require(.object)
    if action["func"] != nil {
      type = .code
    } else if action["notebook"] != nil {
      type = .notebook
    } else if action["environment"] == nil, action["commands"] == nil {
      try refuseUnknownAction(action)
    }
    switch type {
    case .container: try readContainer(action)
    case .code: code = try CodeAction(reading: action)
    case .notebook: notebook = try NotebookAction(reading: action)
    }
  }

  private func refuseUnknownAction(_ action: JSONRef) throws(ValidationError) {
    let known = StepDocument.containerKeys + CodeAction.keys + NotebookAction.keys
    try action.readMembers { (key, _) throws(ValidationError) in
      if !known.contains(key.string) {
        throw .unknownKey(key, of: "an action", known: ["commands", "func", "notebook"])
      }
    }
    throw ValidationError(
      "the type of the action is unknown: expected \"environment\" and \"commands\", or \"func\", or \"notebook\"")
  }

  private mutating func readContainer(_ action: JSONRef) throws(ValidationError) {
    try action.readMembers { (key, value) throws(ValidationError) in
      if key == "environment" {
        image = try value.requireString()
      } else if key == "commands" {
        guard value.kind == .array else {
          throw ValidationError("expected an array of commands, found \(value.shown)")
        }
        var commands: [CommandDocument] = []
        try value.forEachElement { (index, element) throws(ValidationError) in
          do throws(ValidationError) { commands.append(try CommandDocument(reading: element)) } catch {
            throw error.inside(index)
          }
        }
        self.commands = commands
      } else if key == "env" {
        env = try KeyValues(reading: value, .environment)
      } else {
        throw .unknownKey(
          key, of: "the action of a container step", known: StepDocument.containerKeys,
          else: key == "image"
            ? "\"environment\" is the key of the image"
            : StepDocument.keys.contains(key.string) ? "it is a key of the step itself" : nil)
      }
    }
    if action["environment"] == nil {
      throw ValidationError.missingKey("environment", of: "the action of a container step")
        .wrapped(in: "", ": it is the name of an image, or \"\" if the worker has no containers")
    }
    if action["commands"] == nil { throw .missingKey("commands", of: "the action of a container step") }
  }
}

/// The value of "files" in a step or a workflow: the files that are made available before the run, and those that are
/// expected after it.
package struct FilesDocument {
  static let keys = ["inputs", "outputs", "kept"]

  private var inputTexts: [String] = []
  private var outputTexts: [String] = []
  /// The keys in normal form, after `checkKeys` has accepted them.
  package private(set) var inputs: [VolumeKey] = []
  package private(set) var outputs: [VolumeKey] = []
  /// Whether outputs may be as they were before the run.
  package private(set) var isKept = false

  package init() {}

  /// - Parameter isOpen: whether there may be references, whose values are not known yet.
  package init(reading json: JSONRef, isOpen: Bool = false) throws(ValidationError) {
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "inputs" {
        inputTexts = try value.requireStrings()
      } else if key == "outputs" {
        outputTexts = try value.requireStrings()
      } else if key == "kept" {
        if isOpen, value.string.flatMap({ Reference($0) }) != nil { return }
        isKept = try value.requireBoolean()
      } else {
        throw .unknownKey(key, of: "\"files\"", known: FilesDocument.keys)
      }
    }
  }

  /// Checks the keys, which only a workflow does.
  package mutating func checkKeys(isOpen: Bool = false) throws(ValidationError) {
    do throws(ValidationError) { inputs = try FilesDocument.keys(inputTexts, isOpen) } catch {
      throw error.inside("inputs")
    }
    do throws(ValidationError) { outputs = try FilesDocument.keys(outputTexts, isOpen) } catch {
      throw error.inside("outputs")
    }
  }

  mutating func add(input key: VolumeKey) { if !inputs.contains(key) { inputs.append(key) } }

  private static func keys(_ texts: [String], _ isOpen: Bool) throws(ValidationError) -> [VolumeKey] {
    var keys: [VolumeKey] = []
    for (index, text) in texts.enumerated() where !isOpen || Reference(text) == nil {
      do throws(ValidationError) { keys.append(try VolumeKey(checking: text)) } catch { throw error.inside(index) }
    }
    return keys
  }
}
