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
  /// What the step takes of the resources of its run or pool while it runs.
  package let resources: ResourceRequest
  /// The names of steps that the step waits for; `nil` if the document has no such list.
  package let after: [String]?
  /// What makes instances of the step; `nil` if it runs once. An instance has it too.
  package let forEach: ForEach?
  /// The keys with placeholders that a step with `foreach` has.
  package let templates: StepTemplates?
  /// The number of this instance of the step, from 0; `nil` if it is no instance.
  package let instance: Int?
  /// The values of this instance, an object; `nil` if it is no instance.
  package let values: JSONValue?

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
    resources = document.resources
    after = document.after
    forEach = document.forEach
    templates = document.templates
    instance = nil
    values = nil
  }

  /// An instance of a step with `foreach`, with the keys that its values make.
  fileprivate init(_ step: Step, _ number: Int, _ values: JSONValue, _ keys: InstanceKeys) {
    type = step.type
    cName = step.cName
    name = step.name
    commands = step.commands
    image = step.image
    code = step.code
    notebook = keys.notebook
    env = step.env
    settings = keys.settings
    secrets = step.secrets
    files = keys.files
    resources = step.resources
    after = step.after
    forEach = step.forEach
    templates = step.templates
    instance = number
    self.values = values
  }

  /// The instance of a step with `foreach` that has a number and values. Throws if a key that the values make is none.
  package func instance(_ number: Int, _ values: JSONValue) throws(FlowError) -> Step {
    Step(self, number, values, try InstanceKeys(self, number, values))
  }

  /// The name of the step in messages. That of an instance has its values, such as `"align" (sample "a")`.
  package var shownName: String {
    let shown = MessageFormat.quoted(cName.string)
    guard let forEach, let values else { return shown }
    return shown + " (" + forEach.shown(values) + ")"
  }
}

/// The three types of steps.
package enum StepType: String, Sendable {
  case container
  case code
  case notebook
}

/// What the document of a step says.
package struct StepDocument {
  static let keys = ["name", "files", "action", "secrets", "after", "foreach", ResourceRequest.key] + settingKeys
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
  var resources = ResourceRequest()
  /// The names of environment entries and of context values that are secret.
  var secrets: [String] = []
  /// The names of steps that the step waits for; `nil` if the document has no such list.
  var after: [String]?
  package private(set) var forEach: ForEach?
  private(set) var templates: StepTemplates?

  package init(reading json: JSONRef) throws(ValidationError) {
    var name: String?
    var action: JSONRef?
    var settings = RunSettings()
    var secrets: [String] = []
    var files = FilesDocument()
    var resources = ResourceRequest()
    var after: [String]?
    var forEach: ForEach?
    try json.readMembers(of: "a step (an object)") { (key, value) throws(ValidationError) in
      if key == "name" {
        name = try value.requireName()
      } else if key == "files" {
        files = try FilesDocument(reading: value)
      } else if key == "secrets" {
        secrets = try value.requireNames()
      } else if key == "resources" {
        resources = try ResourceRequest(reading: value)
      } else if key == "after" {
        after = try value.requireNames()
      } else if key == "foreach" {
        forEach = try ForEach(reading: value)
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
    self.resources = resources
    self.after = after
    self.forEach = forEach
    self.type = .container
    do throws(ValidationError) { try readAction(action) } catch { throw error.inside("action") }
    if type != .container, let key = CommandSettings.stepKeys.first(where: { json.member($0) != nil }) {
      throw ValidationError(
        "\"\(key)\" is for the commands of a container step, and this is a \(type.rawValue) step: remove it",
        isAboutKey: true
      ).inside(key)
    }
    if let forEach { try readTemplates(forEach) }
  }

  /// Reads the keys of a step with `foreach` as templates.
  private mutating func readTemplates(_ forEach: ForEach) throws(ValidationError) {
    if let argument = code.argument, forEach.has(Name(argument)) {
      throw ValidationError(
        "\(MessageFormat.quoted(argument)) is a name of the step's \"foreach\", so the list of the function's values "
          + "needs another name"
      ).inside("arg").inside("action")
    }
    if let secret = secrets.firstIndex(where: { forEach.has(Name($0)) }) {
      throw ValidationError(
        "\(MessageFormat.quoted(secrets[secret])) is a name of the step's \"foreach\", whose values events and results "
          + "show: they cannot be secret"
      ).inside(secret).inside("secrets")
    }
    do throws(ValidationError) { try files.checkKeys() } catch { throw error.inside("files") }
    var templates = StepTemplates()
    do throws(ValidationError) {
      templates.inputs = try StepDocument.templates(files.inputs, forEach, "inputs")
      templates.outputs = try StepDocument.templates(files.outputs, forEach, "outputs")
    } catch { throw error.inside("files") }
    if case .file(let key) = settings.commands.stdin {
      do throws(ValidationError) { templates.input = try KeyTemplate(key.text, of: forEach) } catch {
        throw error.inside("file").inside("stdin")
      }
    }
    if type == .notebook {
      do throws(ValidationError) { templates.notebook = try KeyTemplate(notebook.notebook, of: forEach) } catch {
        throw error.inside("notebook").inside("action")
      }
      do throws(ValidationError) {
        templates.output = try notebook.explicitOutput.map { (text) throws(ValidationError) in
          try KeyTemplate(text, of: forEach)
        }
      } catch { throw error.inside("output").inside("action") }
    }
    self.templates = templates
  }

  private static func templates(_ keys: [VolumeKey], _ forEach: ForEach, _ list: String) throws(ValidationError)
    -> [KeyTemplate]
  {
    var templates: [KeyTemplate] = []
    for (index, key) in keys.enumerated() {
      do throws(ValidationError) { templates.append(try KeyTemplate(key.text, of: forEach)) } catch {
        throw error.inside(index).inside(list)
      }
    }
    return templates
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

  /// The files of an instance of a step.
  init(inputs: [VolumeKey], outputs: [VolumeKey], isKept: Bool) {
    self.inputs = inputs
    self.outputs = outputs
    self.isKept = isKept
  }

  private static func keys(_ texts: [String], _ isOpen: Bool) throws(ValidationError) -> [VolumeKey] {
    var keys: [VolumeKey] = []
    for (index, text) in texts.enumerated() where !isOpen || Reference(text) == nil {
      do throws(ValidationError) { keys.append(try VolumeKey(checking: text)) } catch { throw error.inside(index) }
    }
    return keys
  }
}
