package import FWBase
internal import FWModel
internal import FWVolumes

/// A sequence of steps with the files and values that they need. Its document is a flowServ template, or the part of a
/// template that stands under `workflow`.
package final class Workflow: Sendable {
  static let templateKeys = [
    "workflow", "parameters", "parameterGroups", "outputs", "postproc", "results", "name", "description",
  ]
  static let keys = ["files", "parameters", "steps"]

  enum Item: Sendable {
    case ready(Step)
    /// The step has references to parameters, so it is read when there are arguments.
    case open(JSONValue, name: String)

    var name: String {
      switch self {
      case .ready(let step): return step.cName.string
      case .open(_, let name): return name
      }
    }

    var secrets: [String] {
      switch self {
      case .ready(let step): return step.secrets
      case .open(let value, _):
        return value.read { json in
          var names: [String] = []
          json["secrets"]?.forEachElement { if let name = $1.string { names.append(name) } }
          return names
        }
      }
    }
  }

  /// The name that the template has; `nil` if it has none, or one that is no text.
  private let name: String?
  private let declarations: Declarations
  /// Whether the document is a template, which declares all its parameters. The part under `workflow` declares none.
  private let isTemplate: Bool
  let items: [Item]
  private let files: JSONValue?
  private let parameters: JSONValue?

  package init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    let parts = try JSONText.read(text) { (json) throws(ValidationError) in try Parts(reading: json) }
    name = parts.name
    declarations = parts.declarations
    isTemplate = parts.isTemplate
    files = parts.files
    parameters = parts.parameters
    var items: [Item] = []
    for part in parts.steps {
      switch part {
      case .document(let document): items.append(.ready(try Step(document)))
      case .open(let value, let name): items.append(.open(value, name: name))
      }
    }
    self.items = items
  }

  // MARK: The document

  private struct Parts {
    enum StepPart {
      case document(StepDocument)
      case open(JSONValue, name: String)
    }

    var name: String?
    var isTemplate = false
    var declarations = Declarations()
    var files: JSONValue?
    var parameters: JSONValue?
    var steps: [StepPart] = []

    init(reading json: JSONRef) throws(ValidationError) {
      try json.require(.object, "a workflow (an object)")
      guard let inner = json["workflow"] else {
        guard json["steps"] != nil else {
          throw ValidationError(
            "missing key \"steps\" in the workflow, or \"workflow\" in the template"
              + (json["specfile"] == nil ? "" : "; the key \"specfile\" of this manifest names the template"))
        }
        try readSpec(json)
        return
      }
      isTemplate = true
      try json.readMembers { (key, value) throws(ValidationError) in
        if key == "parameters" {
          declarations = try Declarations(reading: value)
        } else if key == "name" {
          // The key is flowServ's, which does not check it.
          name = value.string
        } else if !Workflow.templateKeys.contains(key.string) {
          throw .unknownKey(
            key, of: "a workflow template", known: Workflow.templateKeys, else: Workflow.hint(for: key))
        }
      }
      do throws(ValidationError) { try readSpec(inner) } catch { throw error.inside("workflow") }
    }

    private mutating func readSpec(_ json: JSONRef) throws(ValidationError) {
      try json.readMembers { (key, value) throws(ValidationError) in
        if key == "files" {
          try value.forEachReference { (reference) throws(ValidationError) in try check(reference) }
          // A key that is no reference can be checked before there are arguments.
          var document = try FilesDocument(reading: value, isOpen: true)
          try document.checkKeys(isOpen: true)
          files = JSONValue(keeping: value)
        } else if key == "parameters" {
          try value.require(.object)
          try value.forEachReference { (reference) throws(ValidationError) in try check(reference) }
          parameters = JSONValue(keeping: value)
        } else if key == "steps" {
          try readSteps(value)
        } else {
          throw .unknownKey(key, of: "a workflow", known: Workflow.keys, else: Workflow.hint(for: key))
        }
      }
      if json["steps"] == nil { throw .missingKey("steps", of: "the workflow") }
    }

    private mutating func readSteps(_ json: JSONRef) throws(ValidationError) {
      try json.require(.array)
      var positions: [Name: Int] = [:]
      try json.forEachElement { (index, element) throws(ValidationError) in
        do throws(ValidationError) {
          try element.require(.object)
          guard let named = element["name"] else { throw ValidationError.missingKey("name", of: "the step") }
          let name: String
          do throws(ValidationError) { name = try named.requireName() } catch { throw error.inside("name") }
          if let other = positions.updateValue(index, forKey: Name(name)) {
            throw ValidationError(
              "two steps have the name \(MessageFormat.quoted(name)): the steps \(other + 1) and \(index + 1)"
            )
            .inside("name")
          }
          var hasReferences = false
          try element.forEachReference { (reference) throws(ValidationError) in
            hasReferences = true
            try check(reference)
          }
          if hasReferences {
            try Workflow.check(open: element)
            guard let kept = JSONValue(keeping: element) else { throw ValidationError(FlowError.noMemory.message) }
            steps.append(.open(kept, name: name))
          } else {
            steps.append(.document(try Workflow.readStep(element)))
          }
        } catch { throw error.inside(index) }
      }
    }

    private func check(_ reference: Reference) throws(ValidationError) {
      guard isTemplate, declarations[reference.name] == nil else { return }
      let names = declarations.names
      throw ValidationError(
        "\(reference.shown) refers to a parameter that the template does not declare: it declares "
          + "\(MessageFormat.names(names))"
          + MessageFormat.hint(for: reference.name, among: names))
    }
  }

  /// Reads a step, and brings the keys of its files into their normal form.
  private static func readStep(_ json: JSONRef) throws(ValidationError) -> StepDocument {
    var document = try StepDocument(reading: json)
    do throws(ValidationError) { try document.files.checkKeys() } catch { throw error.inside("files") }
    if document.readsHost {
      throw ValidationError(
        "a step of a workflow cannot read from the host: use {\"text\": ...}, {\"file\": ...} or {\"value\": ...}"
      ).inside("stdin")
    }
    document.addInputOfCommands()
    return document
  }

  /// Throws for a step with references that no arguments can make right.
  private static func check(open json: JSONRef) throws(ValidationError) {
    do throws(ValidationError) { _ = try readStep(json) } catch {
      // A reference stands for a value that is checked when there are arguments.
      if !error.isAboutKey, error.pointer.value(in: json)?.string.flatMap({ Reference($0) }) != nil { return }
      throw error
    }
  }

  /// A hint for a key that the files of REANA have.
  private static func hint(for key: JSONKey) -> String? {
    let isKnown = ["version", "inputs", "type", "specification"].contains { key.string.isSame(as: $0) }
    return isKnown ? "a reana.yaml of REANA has this key, and docs/reference/workflow.md says how to rewrite one" : nil
  }

  // MARK: With arguments

  /// Gives the workflow for a set of arguments, with all references replaced.
  func resolved(_ arguments: ContextValues) throws(FlowError) -> Resolved {
    var values: [Name: JSONValue] = [:]
    var placements: [FilePlacement] = []
    do throws(ValidationError) { try readArguments(arguments, &values, &placements) } catch {
      throw FlowError(.document, error.message, path: error.pointer.text)
    }
    let lookup: (Reference) throws(ValidationError) -> JSONValue = { (reference) throws(ValidationError) in
      try Workflow.value(of: reference, values)
    }
    do throws(ValidationError) {
      guard let given = JSONValue.object(values) else { throw ValidationError(FlowError.noMemory.message) }
      var resolved = Resolved(
        placements: placements, values: try context(given, lookup), name: name, arguments: given)
      if let files {
        do throws(ValidationError) {
          let expanded = try files.read { (json) throws(ValidationError) in try json.expanded(lookup) }
          resolved.files = try expanded.read { (json) throws(ValidationError) in try FilesDocument(reading: json) }
          try resolved.files.checkKeys()
        } catch { throw error.inside("files") }
      }
      for (index, item) in items.enumerated() {
        do throws(ValidationError) {
          guard let step = try step(item, values, lookup) else { continue }
          resolved.steps.append(step)
          resolved.pointers.append((isTemplate ? "/workflow/steps/" : "/steps/") + String(index))
        } catch { throw error.inside(index).inside("steps") }
      }
      return resolved
    } catch {
      let refusal = isTemplate ? error.inside("workflow") : error
      throw FlowError(.document, refusal.message, path: refusal.pointer.text)
    }
  }

  private func readArguments(
    _ arguments: ContextValues, _ values: inout [Name: JSONValue], _ placements: inout [FilePlacement]
  ) throws(ValidationError) {
    for declaration in declarations.all { values[Name(declaration.name)] = declaration.fallback }
    try arguments.object.read { (object) throws(ValidationError) in
      try object.readMembers { (key, value) throws(ValidationError) in
        let name = try key.requireString()
        if let declaration = declarations[name] {
          let argument = try declaration.cast(value)
          values[Name(name)] = argument.value
          if let placement = argument.placement { placements.append(placement) }
        } else if isTemplate {
          let names = declarations.names
          throw ValidationError(
            "the workflow has no parameter \(MessageFormat.quoted(name)): it has \(MessageFormat.names(names))"
              + MessageFormat.hint(for: name, among: names), isAboutKey: true)
        } else {
          values[Name(name)] = JSONValue(keeping: value)
        }
      }
    }
    for declaration in declarations.all where declaration.isRequired && values[Name(declaration.name)] == nil {
      throw ValidationError(
        "the parameter \(MessageFormat.quoted(declaration.name)) has no value: pass an argument of this name, or "
          + "declare a \"defaultValue\"")
    }
  }

  private static func value(of reference: Reference, _ values: [Name: JSONValue]) throws(ValidationError) -> JSONValue {
    guard let value = values[Name(reference.name)] else {
      throw ValidationError(
        "the parameter \(MessageFormat.quoted(reference.name)), which \(reference.shown) refers to, has no value")
    }
    guard let choice = reference.choice else { return value }
    // As in flowServ, the text "true" counts as true, in upper or lower case.
    let isTrue = value.read { json in ValueText.string(json).lowercased() == "true" }
    if isTrue { return try .text(choice.isTrue) }
    if let other = choice.isFalse { return try .text(other) }
    guard let null = JSONValue.null else { throw ValidationError(FlowError.noMemory.message) }
    return null
  }

  /// The values that commands may refer to: those that the workflow lists, or else all its arguments.
  private func context(
    _ arguments: JSONValue, _ lookup: (Reference) throws(ValidationError) -> JSONValue
  ) throws(ValidationError) -> JSONValue {
    guard let parameters else { return arguments }
    do throws(ValidationError) {
      return try parameters.read { (json) throws(ValidationError) in try json.expanded(lookup) }
    } catch {
      throw error.inside("parameters")
    }
  }

  /// Gives the step without references; `nil`: its action is an optional parameter that was not given.
  private func step(
    _ item: Item, _ values: [Name: JSONValue], _ lookup: (Reference) throws(ValidationError) -> JSONValue
  ) throws(ValidationError) -> Step? {
    guard case .open(let value, _) = item else {
      if case .ready(let step) = item { return step }
      return nil
    }
    let action = value.read { $0["action"]?.string }
    if let reference = action.flatMap({ Reference($0) }), reference.choice == nil, values[Name(reference.name)] == nil,
      declarations[reference.name]?.isRequired == false
    {
      return nil
    }
    let expanded = try value.read { (json) throws(ValidationError) in try json.expanded(lookup) }
    let document = try expanded.read { (json) throws(ValidationError) in try Workflow.readStep(json) }
    do throws(FlowError) { return try Step(document) } catch { throw ValidationError(error.message) }
  }
}
