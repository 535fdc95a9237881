internal import CJansson
internal import FWBase
internal import FWModel
internal import FWVolumes
internal import Glibc

/// An engine configuration, in the form in which a pool keeps it.
///
/// A configuration can have a hundred thousand workers of which a host uses three. So the text never becomes one tree
/// in memory: each worker is parsed, checked and dropped. The pool keeps the worker's piece of the text, and parses it
/// again when the worker is first asked for.
struct EngineConfig: ~Copyable {
  static let keys = [
    "workers", "workflow", "managers", "volumes", "default_variables", "placeholders", ResourceTotals.key,
  ]

  /// The names of the workers. The number of a name is also the number of the worker's piece of the text.
  let workerNames = NameTable()
  private var texts = ByteBuffer()
  private var textEnds: ContiguousArray<Int> = []
  /// The names of the steps that have a worker.
  let stepNames = NameTable()
  /// The name of the worker for each number of `stepNames`.
  private(set) var workerOfStep: ContiguousArray<String> = []
  private(set) var defaultVariables = KeyValues()
  private(set) var volumes: [VolumeSpec] = []
  /// The settings that all workers have by default.
  private(set) var settings = RunSettings()
  /// The resources that all steps of the pool share.
  private(set) var totals = ResourceTotals()
  private var mappingKey: String?
  private var isList = false

  func text(ofWorker number: Int) -> UnsafeRawBufferPointer? {
    guard number >= 0, number < textEnds.count else { return nil }
    let start = number == 0 ? 0 : textEnds[number - 1]
    return UnsafeRawBufferPointer(rebasing: texts.bytes[start..<textEnds[number]])
  }

  // MARK: From text

  init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    // The room is allocated at once, because growing it among a million small allocations would leave holes in memory.
    guard texts.room(for: max(1, text.count)) != nil else { throw .noMemory }
    let scan = JSONLocator(text: text)
    var at = scan.skipSpace(0)
    switch at < text.count ? text[at] : 0 {
    case UInt8(ascii: "["):
      isList = true
      try readWorkers(text, &at)
    case UInt8(ascii: "{"):
      try readObject(text, &at)
    default:
      try JSONText.read(text) { (json) throws(ValidationError) in throw EngineConfig.notAConfiguration(json) }
    }
    guard scan.skipSpace(at) == text.count else { throw JSONText.syntaxError(in: text) }
  }

  private mutating func readObject(_ text: UnsafeRawBufferPointer, _ at: inout Int) throws(FlowError) {
    var seen: Set<Name> = []
    try EngineConfig.forEachPart(of: text, &at, until: UInt8(ascii: "}")) { (at, _) throws(FlowError) in
      guard at < text.count, text[at] == UInt8(ascii: "\""), let keyValue = JSONText.value(in: text, at: &at),
        let key = keyValue.read({ $0.string }), seen.insert(Name(key)).inserted
      else { throw JSONText.syntaxError(in: text) }
      let scan = JSONLocator(text: text)
      at = scan.skipSpace(at)
      guard at < text.count, text[at] == UInt8(ascii: ":") else { throw JSONText.syntaxError(in: text) }
      at = scan.skipSpace(at + 1)
      if key == "workers", at < text.count, text[at] == UInt8(ascii: "[") {
        try readWorkers(text, &at)
      } else {
        guard let value = JSONText.value(in: text, at: &at) else { throw JSONText.syntaxError(in: text) }
        do throws(ValidationError) {
          try value.read { (value) throws(ValidationError) in try readMember(key, value) }
        } catch { throw JSONText.refused(error.inside(key), in: text) }
      }
    }
  }

  private mutating func readWorkers(_ text: UnsafeRawBufferPointer, _ at: inout Int) throws(FlowError) {
    try EngineConfig.forEachPart(of: text, &at, until: UInt8(ascii: "]")) { (at, index) throws(FlowError) in
      let start = at
      guard let worker = JSONText.value(in: text, at: &at) else { throw JSONText.syntaxError(in: text) }
      do throws(ValidationError) {
        try worker.read { (worker) throws(ValidationError) in try add(worker, index) }
      } catch { throw JSONText.refused(located(error, index), in: text) }
      try keep(UnsafeRawBufferPointer(rebasing: text[start..<at]))
    }
  }

  /// Calls `body` at the beginning of each part of an array or object that begins at `at`, and moves `at` behind the
  /// end of it. Each call of `body` moves the offset behind the part.
  private static func forEachPart(
    of text: UnsafeRawBufferPointer, _ at: inout Int, until end: UInt8,
    _ body: (inout Int, Int) throws(FlowError) -> Void
  ) throws(FlowError) {
    let scan = JSONLocator(text: text)
    at = scan.skipSpace(at + 1)
    if at < text.count, text[at] == end {
      at += 1
      return
    }
    var index = 0
    while true {
      try body(&at, index)
      at = scan.skipSpace(at)
      let next = at < text.count ? text[at] : 0
      guard next == UInt8(ascii: ",") || next == end else { throw JSONText.syntaxError(in: text) }
      at = scan.skipSpace(at + 1)
      if next == end { return }
      index += 1
    }
  }

  // MARK: From a JSON value of the host

  // The host may have a jansson of its own, whose hashes of keys differ from those of the library's. So no reader of a
  // configuration looks up a key (`JSONRef[key:]`, `member`) or keeps a part of it (`JSONValue(keeping:)`): all of them
  // go through the members, which needs no hash.

  init(_ json: JSONRef) throws(FlowError) {
    do throws(ValidationError) {
      switch json.kind {
      case .array:
        isList = true
        try readWorkers(json)
      case .object:
        try json.readMembers { (key, value) throws(ValidationError) in try readMember(key.string, value) }
      default:
        throw EngineConfig.notAConfiguration(json)
      }
    } catch { throw error.error(in: nil) }
    if texts.isExhausted { throw .noMemory }
  }

  private mutating func readWorkers(_ json: JSONRef) throws(ValidationError) {
    try json.require(.array, "an array of worker specifications")
    try json.forEachElement { (index, worker) throws(ValidationError) in
      do throws(ValidationError) {
        try add(worker, index)
        // The worker has been checked, so its value is neither deep nor a cycle.
        guard let text = JSONText.compact(worker) else {
          throw ValidationError("the worker has text that is not valid UTF-8")
        }
        texts.append(text.string)
        textEnds.append(texts.count)
      } catch { throw error.inside(index) }
    }
  }

  // MARK: From either

  private static func notAConfiguration(_ json: JSONRef) -> ValidationError {
    ValidationError("expected an engine configuration (an object) or a list of workers (an array), found \(json.shown)")
  }

  private mutating func readMember(_ key: String, _ value: JSONRef) throws(ValidationError) {
    switch key {
    case "workers": try readWorkers(value)
    case "workflow":
      try beginMapping(key)
      try value.require(.array, "an array of {\"step\", \"worker\"}")
      try value.forEachElement { (index, entry) throws(ValidationError) in
        do throws(ValidationError) { try readMapping(entry) } catch { throw error.inside(index) }
      }
    case "managers":
      try beginMapping(key)
      try value.readMembers(of: "an object with a worker for each step") { (key, worker) throws(ValidationError) in
        let step = try key.requireString()
        if step.isEmpty { throw ValidationError("the name of a step is empty", isAboutKey: true) }
        try map(step, worker.requireName("the name of a worker"))
      }
    case "volumes": volumes = try VolumeSpec.list(reading: value)
    case "placeholders":
      settings.commands.placeholders = try value.requireChoice("a value of \"placeholders\"")
    case ResourceTotals.key:
      totals = try ResourceTotals(reading: value)
      let variables = totals.variables
      if !variables.isEmpty { settings.indexedVariables = variables }
    case "default_variables":
      defaultVariables = try KeyValues(reading: value, .any)
    default:
      throw .unknownKey(
        key, of: "an engine configuration", known: EngineConfig.keys,
        else: WorkerSpec.keys.contains(key) ? "it is a key of an element of \"workers\"" : nil)
    }
  }

  private mutating func beginMapping(_ key: String) throws(ValidationError) {
    if let other = mappingKey {
      throw ValidationError(
        "the configuration has both \"\(other)\" and \"\(key)\", which mean the same: "
          + "use one of them", isAboutKey: true)
    }
    mappingKey = key
  }

  private mutating func readMapping(_ json: JSONRef) throws(ValidationError) {
    var step: String?
    var worker: String?
    try json.readMembers { (key, value) throws(ValidationError) in
      if key == "step" {
        step = try value.requireName()
      } else if key == "worker" {
        worker = try value.requireName("the name of a worker")
      } else {
        throw .unknownKey(key, of: "a mapping of a step to a worker", known: ["step", "worker"])
      }
    }
    guard let step else { throw .missingKey("step", of: "the mapping of a step to a worker") }
    guard let worker else { throw .missingKey("worker", of: "the mapping of step \(MessageFormat.quoted(step))") }
    try map(step, worker)
  }

  private mutating func map(_ step: String, _ worker: String) throws(ValidationError) {
    let isNew: Bool
    do throws(FlowError) { isNew = try stepNames.insert(step).isNew } catch { throw ValidationError(error.message) }
    guard isNew else { throw ValidationError("the step \(MessageFormat.quoted(step)) is mapped to a worker twice") }
    workerOfStep.append(worker)
  }

  /// Checks a worker, and records its name.
  private func add(_ json: JSONRef, _ index: Int) throws(ValidationError) {
    let spec = try WorkerDocument(reading: json).spec
    let number: Int
    let isNew: Bool
    do throws(FlowError) { (number, isNew) = try workerNames.insert(spec.name) } catch {
      throw ValidationError(error.message)
    }
    guard isNew else {
      let list = isList ? "" : "/workers"
      throw ValidationError(
        "two workers have the name \(MessageFormat.quoted(spec.name)): \(list)/\(number) and \(list)/\(index)"
      ).inside("name")
    }
  }

  private func located(_ refusal: ValidationError, _ index: Int) -> ValidationError {
    isList ? refusal.inside(index) : refusal.inside(index).inside("workers")
  }

  private mutating func keep(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    texts.append(text)
    if texts.isExhausted { throw .noMemory }
    textEnds.append(texts.count)
  }
}
