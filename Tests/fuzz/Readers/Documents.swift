import Glibc

@testable import FWBase
@testable import FWFunctions
@testable import FWModel
@testable import FlowWorker

// The documents that a host gives: configuration, worker, step, workflow, context and options.

extension Reader {
  static let documents: [Reader] = [
    Reader("json", { try json($0) }),
    Reader("config", longest: 2048, { try config($0) }),
    Reader("worker", longest: 2048, { try worker($0) }),
    Reader("step", longest: 2048, { try step($0) }),
    Reader("workflow", longest: 4096, { try workflow($0) }),
    Reader("options", { try options($0) }),
    Reader("context", { try context($0) }),
    Reader("calls", { try call($0) }),
  ]

  /// Calls a reader of documents. Its errors must be messages, and be the same when the text is read again.
  static func document<Document>(
    _ bytes: UnsafeRawBufferPointer, _ read: (UnsafeRawBufferPointer) throws(FlowError) -> Document
  ) throws -> Document? {
    do throws(FlowError) { return try read(bytes) } catch {
      let first = error
      try holdMessage(first.message)
      try hold(!first.message.isEmpty, "an error without a message")
      if let position = first.position {
        let lines = bytes.reduce(1) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        try hold(position.line >= 1 && position.line <= lines, "line \(position.line) of \(lines)")
        try hold(position.column >= 1 && position.column <= bytes.count + 1, "column \(position.column)")
      }
      do throws(FlowError) {
        _ = try read(bytes)
        throw FlowError(.invalid, "a text is refused once and then taken")
      } catch { try hold(error.message.isSame(as: first.message), "two errors of one text: \(error) and \(first)") }
      return nil
    }
  }

  private static func json(_ bytes: UnsafeRawBufferPointer) throws {
    _ = try? JSONText.parse(foreign: bytes)
    _ = try? JSONText.parse(bytes, allowingNUL: true)
    guard let value = try document(bytes, { (text) throws(FlowError) in try JSONText.parse(text) }) else { return }
    // A value that is written and read again is the same.
    guard let text = value.read({ JSONText.compact($0) }) else {
      throw Broken(description: "a value cannot be written")
    }
    let again = try JSONText.parse(text.bytes)
    try hold(
      value.read { one in again.read { other in json_is_equal(one, other) } },
      "a value is another one when it is read again")
    var writer = JSONWriter()
    value.read { value in writer.value(value) }
    let written = writer.buffer()
    try hold(written.bytes.elementsEqual(text.bytes), "the writer writes a value in another way")
    if let string = value.read(\.string) {
      // What the library's own writer makes of a string is that string.
      var own = JSONWriter()
      own.string(string)
      let buffer = own.buffer()
      let back = try JSONText.parse(buffer.bytes).read(\.string)
      try hold(back.map { $0.isSame(as: string) } == true, "a string is another one when it is read again")
    }
    var offset = 0
    if JSONText.value(in: bytes, at: &offset) != nil {
      try hold(offset > 0 && offset <= bytes.count, "a value ends at \(offset) of \(bytes.count)")
    }
  }

  private static func json_is_equal(_ one: JSONRef, _ other: JSONRef) -> Bool {
    guard let one = JSONText.compact(one, sortingKeys: true), let other = JSONText.compact(other, sortingKeys: true)
    else { return false }
    return one.bytes.elementsEqual(other.bytes)
  }

  private static func config(_ bytes: UnsafeRawBufferPointer) throws {
    let pool = try document(bytes) { (text) throws(FlowError) in try Pool(text) }
    // A configuration that is a value of the host is read by another path, which must say the same.
    if let value = try? JSONText.parse(bytes) {
      var refused: FlowError?
      do throws(FlowError) {
        _ = try value.read { (json) throws(FlowError) in try Pool(value: UnsafeMutableRawPointer(json.raw)) }
      } catch { refused = error }
      try hold(
        (pool == nil) == (refused != nil), "the text and the value of a configuration: \(String(describing: refused))")
      if let refused, let error = errorOf({ () throws(FlowError) in _ = try Pool(bytes) }) {
        try hold(
          refused.code == error.code && refused.message.isSame(as: error.message)
            && (refused.path ?? "").isSame(as: error.path ?? ""), "two errors: \(refused) and \(error)")
      }
    }
    guard let pool else { return }
    for index in 0..<min(pool.workerCount, 20) {
      guard let name = pool.cWorkerName(index).map({ String(cString: $0) }) else {
        throw Broken(description: "a worker has no name")
      }
      _ = try? pool.worker(named: name).takeUnretainedValue().type.name
    }
    _ = try? pool.worker(for: plainStep).takeUnretainedValue().plan(plainStep, nil, CText("/x"), RunSettings())
  }

  private static func errorOf(_ body: () throws(FlowError) -> Void) -> FlowError? {
    do throws(FlowError) {
      try body()
      return nil
    } catch { return error }
  }

  /// A step of a plain command, for plans.
  private static let plainStep: Step = {
    let text = #"{"name": "s", "action": {"environment": "", "commands": ["echo $a ${b:q}", ["p", "$a"]]}}"#
    do { return try lend(text) { try Step($0) } } catch { fatalError("\(error)") }
  }()

  private static let plainContext: Context = {
    do { return try lend(#"{"a": "one two", "b": ["x", "it's"], "c": 1, "d": null}"#) { try Context($0) } } catch {
      fatalError("\(error)")
    }
  }()

  private static func worker(_ bytes: UnsafeRawBufferPointer) throws {
    guard let worker = try document(bytes, { (text) throws(FlowError) in try Worker(text) }) else { return }
    try plan(worker, plainStep)
  }

  private static func plan(_ worker: Worker, _ step: Step) throws {
    var text: CString?
    do throws(FlowError) {
      text = try worker.plan(step, plainContext.snapshot, CText("/x"), RunSettings())
    } catch { try holdMessage(error.message) }
    if let text { _ = try JSONText.parse(text.bytes) }
  }

  /// A worker for each type of step.
  private static let workers: [Worker] = ["subprocess", "docker", "code", "notebook", "slurm"].map { type in
    do { return try lend("{\"name\": \"w\", \"type\": \"\(type)\"}") { try Worker($0) } } catch {
      fatalError("\(error)")
    }
  }

  private static func step(_ bytes: UnsafeRawBufferPointer) throws {
    guard let step = try document(bytes, { (text) throws(FlowError) in try Step(text) }) else { return }
    for worker in workers { try plan(worker, step) }
  }

  private static func workflow(_ bytes: UnsafeRawBufferPointer) throws {
    guard let workflow = try document(bytes, { (text) throws(FlowError) in try Workflow(text) }) else { return }
    var text: CString?
    do throws(FlowError) {
      text = try workflow.plan(nil, nil, basedir: "/nonexistent", options: nil)
    } catch { try holdMessage(error.message) }
    if let text { _ = try JSONText.parse(text.bytes) }
    _ = try? workflow.plan(nil, plainContext, basedir: "/nonexistent", options: nil)
  }

  private static func options(_ bytes: UnsafeRawBufferPointer) throws {
    _ = try document(bytes) { (text) throws(FlowError) in
      try JSONText.read(text) { (json) throws(ValidationError) in try WorkflowOptions(reading: json) }
    }
    _ = try document(bytes) { (text) throws(FlowError) in
      try JSONText.read(text) { (json) throws(ValidationError) in try RunOptions(reading: json) }
    }
  }

  /// What a host function reports, and the names of its parameters.
  private static func call(_ bytes: UnsafeRawBufferPointer) throws {
    if let result = try document(bytes, { (text) throws(FlowError) in try CallResult(text) }) {
      try hold((0...255).contains(result.returncode), "the return code \(result.returncode)")
      try hold(result.returncode != 0 || result.exception == nil, "a success with an exception")
    }
    _ = try document(bytes) { (text) throws(FlowError) in
      try Function("f", parameters: text, { _, _ in }, nil, release: nil)
    }
  }

  private static func context(_ bytes: UnsafeRawBufferPointer) throws {
    guard let context = try document(bytes, { (text) throws(FlowError) in try Context(text) }) else { return }
    let text = try context.toJSON()
    let again = try Context(text.bytes)
    let first = try again.toJSON()
    try hold(first.bytes.elementsEqual(text.bytes), "a context is another one when it is read again")
    for name in context.snapshot.names {
      // A name with a NUL cannot be in a context.
      let value = try context.get(name)
      try again.set(name, value.bytes)
    }
    let second = try again.toJSON()
    try hold(second.bytes.elementsEqual(text.bytes), "a context with its own values is another one")
  }
}
