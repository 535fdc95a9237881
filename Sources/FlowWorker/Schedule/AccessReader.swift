internal import FWBase
internal import FWModel

/// Finds out what each step of a workflow shares with the others.
struct AccessReader {
  /// The most keys of one step with `foreach` that are looked at one by one. Of the templates of a step with more keys
  /// only the folder before the first placeholder counts.
  static let mostKeys = 65_536

  private let context: ContextValues
  /// The names of values that are secret in the run.
  private let secrets: Set<Name>
  /// Whether the run has several volumes, so that it matters who looks for a file first.
  private let hasVolumes: Bool
  /// The numbers of the steps by their names; -1 for a step that is left out because its optional action was not given.
  private var numbers: [Name: Int] = [:]
  private let stepNames: [String]
  /// The numbers of templates with the values that they run over.
  private var tags: [Name: Int32] = [:]
  /// The steps that were the last to give values.
  private var givers: [Name: Int] = [:]

  /// - Parameters:
  ///   - steps: the steps that run.
  ///   - stepNames: the names of all steps of the document.
  ///   - hasVolumes: whether the run has several volumes.
  init(_ steps: [Step], stepNames: [String], _ context: ContextValues, secrets: Set<Name>, hasVolumes: Bool) {
    self.context = context
    self.secrets = secrets
    self.hasVolumes = hasVolumes
    self.stepNames = stepNames
    for name in stepNames { numbers[Name(name)] = -1 }
    for (number, step) in steps.enumerated() { numbers[step.name] = number }
  }

  /// What a step shares. The steps are asked for in their order.
  mutating func access(of step: Step, _ number: Int, _ worker: Worker) throws(FlowError) -> StepAccess {
    var access = StepAccess()
    let areKeys = try addFiles(of: step, to: &access)
    switch worker.reads(step, context) {
    case .all: access.reads.append(.allNames)
    case .names(let names): access.reads += names.map { .name($0) }
    }
    for name in step.forEach?.contextNames ?? [] { access.reads.append(.name(Name(name))) }
    if let argument = step.code.argument {
      access.writes.append(.name(Name(argument)))
      givers[Name(argument)] = number
    }
    access.after = try after(step)
    access.barrier = barrier(step, areKeys: areKeys)
    return access
  }

  /// The numbers of the steps that a step names in `after`.
  private func after(_ step: Step) throws(FlowError) -> [Int] {
    var after: [Int] = []
    for (index, name) in (step.after ?? []).enumerated() {
      let shown = MessageFormat.quoted(name)
      guard let number = numbers[Name(name)] else {
        throw FlowError(
          .document,
          "step \(step.shownName) is to run after \(shown), which is no step of the workflow"
            + MessageFormat.hint(for: name, among: stepNames), path: "/after/\(index)")
      }
      if Name(name) == step.name {
        throw FlowError(
          .document, "step \(step.shownName) is to run after itself: remove \(shown) from its \"after\"",
          path: "/after/\(index)")
      }
      if number >= 0 { after.append(number) }
    }
    return after
  }

  private func barrier(_ step: Step, areKeys: Bool) -> String? {
    if let argument = step.code.argument, secrets.contains(Name(argument)) {
      return "the value \(MessageFormat.quoted(argument)) of step \(step.shownName) is secret, and is hidden in the "
        + "output of all steps behind it"
    }
    if step.after != nil { return nil }
    if step.files.inputs.isEmpty, step.files.outputs.isEmpty {
      return "step \(step.shownName) declares neither inputs nor outputs, so it may use any file: \"after\": [] says "
        + "that it does not"
    }
    if areKeys { return nil }
    return "the path of the notebook of step \(step.shownName) is not a key, so the notebook may be a file of another "
      + "step"
  }

  // MARK: Files

  /// The cells of one key of a step, or of one key template of a step with `foreach`.
  private struct Slot {
    let isWrite: Bool
    /// The text of the template; empty for a key that all instances have.
    var text = ""
    var cells: [StepAccess.Cell]
    /// Whether the cells are the keys themselves, and not a folder in which they are.
    var isKnown = true
    let isNotebook: Bool
  }

  /// The keys of a step or instance in the order of its slots; `nil` stands for a notebook that is not a key.
  private static func keys(of step: Step) -> (reads: [VolumeKey?], writes: [VolumeKey?]) {
    var reads: [VolumeKey?] = step.files.inputs
    if let templates = step.templates, case .file(let key) = step.settings.commands.stdin {
      reads = reads.prefix(templates.inputs.count) + [key]
    }
    guard step.type == .notebook else { return (reads, step.files.outputs) }
    return (
      reads + [try? VolumeKey(checking: step.notebook.notebook)],
      step.files.outputs + [try? VolumeKey(checking: step.notebook.output)]
    )
  }

  /// The keys that a step reads and writes as its document has them, with placeholders if it has `foreach`.
  static func texts(of step: Step) -> (reads: [String], writes: [String]) {
    guard let templates = step.templates else {
      let (reads, writes) = keys(of: step)
      return (reads.compactMap { $0?.text }, writes.compactMap { $0?.text })
    }
    let reads = templates.inputs + [templates.input, templates.notebook].compactMap { $0 }
    let output = step.type == .notebook ? [step.notebook.output] : []
    return (reads.map(\.text), templates.outputs.map(\.text) + output)
  }

  /// Adds what a step does with files. Gives false if it has a notebook that is not the key of a file.
  private mutating func addFiles(of step: Step, to access: inout StepAccess) throws(FlowError) -> Bool {
    guard let forEach = step.forEach, let templates = step.templates else {
      let (reads, writes) = AccessReader.keys(of: step)
      access.reads += reads.compactMap { $0 }.map { .file($0) }
      access.writes += writes.compactMap { $0 }.map { .file($0) }
      if hasVolumes {
        access.looksFor = step.files.inputs.map { StepAccess.Key(.file($0)) }
        access.makes = step.files.outputs.map { StepAccess.Key(.file($0)) }
      }
      return !(reads + writes).contains { $0 == nil }
    }
    var slots = AccessReader.slots(templates, of: step)
    var areKeys = [templates.notebook, templates.output].compactMap { $0 }.allSatisfy {
      (try? VolumeKey(checking: $0.text)) != nil
    }
    if forEach.contextNames.isEmpty {
      let instances = try Instances(forEach, nil)
      let (count, isOverflow) = slots.count.multipliedReportingOverflow(by: instances.count)
      if !isOverflow, count <= AccessReader.mostKeys {
        for index in slots.indices where !slots[index].text.isEmpty {
          slots[index].cells = []
          slots[index].isKnown = true
        }
        for number in 0..<instances.count {
          let (reads, writes) = AccessReader.keys(of: try step.instance(number, instances.values(number)))
          for (index, key) in (reads + writes).enumerated() where index < slots.count && !slots[index].text.isEmpty {
            if let key { slots[index].cells.append(.file(key)) } else { areKeys = false }
          }
        }
      }
    }
    for slot in slots {
      let tag = tag(slot, forEach)
      let cells = slot.cells.map { $0.tagged(tag) }
      if slot.isWrite { access.writes += cells } else { access.reads += cells }
      guard hasVolumes, !slot.isNotebook else { continue }
      let keys = cells.map { StepAccess.Key($0, isKnown: slot.isKnown) }
      if slot.isWrite { access.makes += keys } else { access.looksFor += keys }
    }
    return areKeys
  }

  /// The slots of a step with `foreach`, with the folder of each template as its cell.
  private static func slots(_ templates: StepTemplates, of step: Step) -> [Slot] {
    var slots = (templates.inputs + [templates.input].compactMap { $0 }).map { slot($0, isWrite: false) }
    if let notebook = templates.notebook { slots.append(slot(notebook, isWrite: false, isNotebook: true)) }
    slots += templates.outputs.map { slot($0, isWrite: true) }
    if let output = templates.output {
      slots.append(slot(output, isWrite: true, isNotebook: true))
    } else if let notebook = templates.notebook {
      // The notebook that is written is beside the one that is read.
      var output = slot(notebook, isWrite: true, isNotebook: true)
      if output.text.isEmpty, let key = try? VolumeKey(checking: step.notebook.output) { output.cells = [.file(key)] }
      if !output.text.isEmpty { output.text += "\0" }
      slots.append(output)
    }
    return slots
  }

  private static func slot(_ template: KeyTemplate, isWrite: Bool, isNotebook: Bool = false) -> Slot {
    if let key = template.constant { return Slot(isWrite: isWrite, cells: [.file(key)], isNotebook: isNotebook) }
    return Slot(
      isWrite: isWrite, text: template.text, cells: [template.literalFolder.map { .file($0) } ?? .allFiles()],
      isKnown: false, isNotebook: isNotebook)
  }

  /// The number for the cells of a slot: that of its template together with the values that it runs over.
  private mutating func tag(_ slot: Slot, _ forEach: ForEach) -> Int32 {
    if slot.text.isEmpty { return StepAccess.Cell.untagged }
    // One key may be a folder above another one only if they have different depths.
    let depths = Set(slot.cells.map(\.depth))
    if depths.count > 1 { return StepAccess.Cell.untagged }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("template", slot.text)
      writer.member("combine", forEach.combine.rawValue)
      for variable in forEach.variables {
        writer.member(key: variable.name.text) { writer in
          switch variable.source {
          case .list(let list): list.read { writer.value($0) }
          case .value(let name):
            // The list is the same one as long as no step gives it anew.
            writer.string("\(givers[Name(name)] ?? -1) \(name)")
          }
        }
      }
    }
    let buffer = writer.buffer()
    let text = Name(String(decoding: buffer.bytes, as: UTF8.self))
    if let tag = tags[text] { return tag }
    let tag = Int32(clamping: tags.count + 1)
    tags[text] = tag
    return tag
  }
}

extension StepAccess.Cell {
  fileprivate func tagged(_ tag: Int32) -> StepAccess.Cell {
    switch self {
    case .file(let key, _): return .file(key, tag: tag)
    case .allFiles: return .allFiles(tag: tag)
    case .name, .allNames: return self
    }
  }

  fileprivate var depth: Int {
    if case .file(let key, _) = self { return key.depth }
    return -1
  }
}
