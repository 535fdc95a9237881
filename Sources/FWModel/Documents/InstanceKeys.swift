internal import FWBase

/// What the values of an instance make of the keys of its step: files, standard input, notebook.
struct InstanceKeys {
  private(set) var files: FilesDocument
  private(set) var settings: RunSettings
  private(set) var notebook: NotebookAction

  init(_ step: Step, _ number: Int, _ values: JSONValue) throws(FlowError) {
    (files, settings, notebook) = (step.files, step.settings, step.notebook)
    guard let templates = step.templates else { return }
    let context = ContextValues(values)
    do throws(ValidationError) { try expand(templates, context, isKept: step.files.isKept) } catch {
      let shown = step.forEach.map { " (\($0.shown(values)))" } ?? ""
      throw FlowError(
        .document, "step \(MessageFormat.quoted(step.cName.string))\(shown): \(error.message)", path: error.pointer.text
      )
    }
  }

  private mutating func expand(_ templates: StepTemplates, _ values: ContextValues, isKept: Bool)
    throws(ValidationError)
  {
    do throws(ValidationError) {
      files = FilesDocument(
        inputs: try InstanceKeys.keys(templates.inputs, values, "inputs"),
        outputs: try InstanceKeys.keys(templates.outputs, values, "outputs"), isKept: isKept)
    } catch { throw error.inside("files") }
    if let input = templates.input {
      do throws(ValidationError) {
        let source = try InputSource(fileAt: input.key(values))
        settings.commands.stdin = source
        if case .file(let key) = source { files.add(input: key) }
      } catch { throw error.inside("file").inside("stdin") }
    }
    if let template = templates.notebook {
      do throws(ValidationError) { notebook.notebook = try InstanceKeys.path(template, values) } catch {
        throw error.inside("notebook").inside("action")
      }
    }
    if let template = templates.output {
      do throws(ValidationError) { notebook.explicitOutput = try InstanceKeys.path(template, values) } catch {
        throw error.inside("output").inside("action")
      }
    }
  }

  private static func keys(_ templates: [KeyTemplate], _ values: ContextValues, _ list: String) throws(ValidationError)
    -> [VolumeKey]
  {
    var keys: [VolumeKey] = []
    keys.reserveCapacity(templates.count)
    for (index, template) in templates.enumerated() {
      do throws(ValidationError) { keys.append(try template.key(values)) } catch {
        throw error.inside(index).inside(list)
      }
    }
    return keys
  }

  /// The path of a notebook, which need not be a key.
  private static func path(_ template: KeyTemplate, _ values: ContextValues) throws(ValidationError) -> String {
    let text = try template.expanded(values)
    if text.isEmpty || text.utf8.contains(0) {
      throw ValidationError("expected the path of a notebook, found \(MessageFormat.quoted(text))")
    }
    return text
  }
}

extension ForEach {
  /// The most names of an instance that a message shows, and the most characters of each value.
  private static let mostShown = 4
  private static let longestShown = 40

  /// The values of an instance as messages show them, such as `sample "a", lane 2`.
  func shown(_ values: JSONValue, limit: Int = longestShown) -> String {
    values.read { values in
      var shown: [String] = []
      for name in names.prefix(ForEach.mostShown) {
        guard let value = values.member(name.text) else { continue }
        let text =
          value.string.map { MessageFormat.quoted($0, limit: limit) }
          ?? MessageFormat.foreign(ValueText.string(value), limit: limit)
        shown.append("\(MessageFormat.foreign(name.text, limit: limit)) \(text)")
      }
      let others = names.count - ForEach.mostShown
      return shown.joined(separator: ", ") + (others > 0 ? " and \(others) others" : "")
    }
  }
}
