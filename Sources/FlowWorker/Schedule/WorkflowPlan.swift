package import FWBase
internal import FWExecution
package import FWModel
internal import FWVolumes

/// Describes how a workflow would run: which step waits for which others, and why. Nothing is started, and nothing is
/// looked for.
extension Workflow {
  /// - Parameters:
  ///   - pool: the workers, volumes and functions; `nil` for the default workers alone.
  ///   - arguments: the values of the parameters.
  ///   - basedir: the directory of the default volume, which need not exist; `nil` for none.
  ///   - text: JSON text of the options of a run.
  package func plan(
    _ pool: Pool?, _ arguments: Context?, basedir: String?, options text: UnsafeRawBufferPointer?
  ) throws(FlowError) -> CString {
    let usable: Pool
    if let pool { usable = pool } else { usable = try Pool.defaults() }
    var options = WorkflowOptions()
    if let text {
      options = try JSONText.read(text) { (json) throws(ValidationError) in try WorkflowOptions(reading: json) }
    }
    let volumes = try Volumes(options.volumes ?? usable.volumes, basedir: basedir, isToRun: false)
    let values: ContextValues
    if let arguments { values = arguments.snapshot } else { values = try Context(nil).snapshot }
    let basis = try RunBasis(self, usable, values, volumes, options)
    return try WorkflowPlan(basis: basis, jobs: options.jobs).document()
  }
}

/// The document of a workflow's plan.
private struct WorkflowPlan {
  /// The most needs of one step that the document lists.
  private static let mostNeeds = 100

  let basis: RunBasis
  let jobs: Int

  func document() throws(FlowError) -> CString {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("version", 1)
      writer.member("name", basis.resolved.name)
      writer.member("jobs", jobs)
      writer.member("steps") { writer in
        writer.array(Array(basis.resolved.steps.indices)) { write($1, to: &$0) }
      }
      writer.member("width", width)
      writer.member("longest_path") { writer in
        writer.array(basis.graph.longestPath) { $0.string(basis.graph.stepNames[$1]) }
      }
    }
    let buffer = writer.buffer()
    if buffer.isExhausted { throw .noMemory }
    let value = try JSONText.parse(buffer.bytes)
    guard let text = basis.settings.secrets.masked(value)?.read({ JSONText.compact($0) }) else { throw .noMemory }
    return text
  }

  private func write(_ number: Int, to writer: inout JSONWriter) {
    let step = basis.resolved.steps[number]
    let access = basis.accesses[number]
    let worker = basis.workers[number].takeUnretainedValue()
    writer.object { writer in
      writer.member("step", step.cName.string)
      writer.member("index", number)
      writer.member("worker", worker.cName.string)
      writer.member("type", step.type.rawValue)
      writer.member("instances") { writer in
        if let (known, _) = basis.instances[number] { return writer.number(known.count) }
        if step.forEach == nil { writer.null() } else { writer.string("unknown") }
      }
      writer.member("in_order", isInOrder(number))
      writer.member("barrier", access.barrier)
      writer.member("trusts", WorkflowPlan.trust(step))
      let keys = AccessReader.texts(of: step)
      writer.member("reads") { writer in write(keys.reads, access.reads, to: &writer) }
      writer.member("writes") { writer in write(keys.writes, access.writes, to: &writer) }
      let (needs, more) = basis.graph.needs(of: number, atMost: WorkflowPlan.mostNeeds)
      writer.member("needs") { writer in writer.array(needs) { write($1, to: &$0) } }
      writer.member("more_needs", more)
      writer.member("priority", basis.graph.priority(of: number))
      writer.member("resources") { writer in step.resources.write(to: &writer) }
      writer.member("sandbox", worker.runner.sandboxSummary)
      writer.member("tree_limits", worker.runner.treeLimitsSummary)
    }
  }

  /// Whether the instances of a step run in order, as far as it is known before they are.
  private func isInOrder(_ number: Int) -> Bool {
    guard basis.resolved.steps[number].forEach != nil else { return false }
    return basis.instances[number]?.1 ?? (basis.accesses[number].barrier != nil)
  }

  /// What a step is trusted not to do without saying so: it declares what it reads and not what it writes, or the other
  /// way round.
  private static func trust(_ step: Step) -> String? {
    if step.files.inputs.isEmpty == step.files.outputs.isEmpty { return nil }
    return step.files.inputs.isEmpty ? "reads" : "writes"
  }

  private func write(_ keys: [String], _ cells: [StepAccess.Cell], to writer: inout JSONWriter) {
    var names: [String] = []
    var isAll = false
    for cell in cells {
      switch cell {
      case .name(let name): names.append(name.text)
      case .allNames: isAll = true
      case .file, .allFiles: break
      }
    }
    writer.object { writer in
      writer.member("files") { writer in writer.array(keys) { $0.string($1) } }
      writer.member("names") { writer in
        if isAll { writer.string("*") } else { writer.array(names) { $0.string($1) } }
      }
    }
  }

  private func write(_ need: StepGraph.Need, to writer: inout JSONWriter) {
    writer.object { writer in
      writer.member("step", basis.graph.stepNames[need.step])
      writer.member("index", need.step)
      writer.member("kind", need.kind.name)
      writer.member("what", need.what)
      writer.member("each", need.isEach)
    }
  }

  /// The most steps and instances that could run at once, if each began as early as the graph allows and all took the
  /// same time.
  private var width: Int {
    var widths: [Int32: Int] = [:]
    for (step, level) in basis.graph.levels.enumerated() {
      let count = basis.instances[step]?.0.count ?? 1
      widths[level, default: 0] += isInOrder(step) ? min(count, 1) : count
    }
    return widths.values.max() ?? 0
  }
}

extension StepGraph.Kind {
  fileprivate var name: String {
    switch self {
    case .readAfterWrite, .member: return "read_after_write"
    case .writeAfterRead: return "write_after_read"
    case .writeAfterWrite: return "write_after_write"
    case .barrier: return "barrier"
    case .after: return "after"
    case .search: return "search"
    }
  }
}

extension StepGraph {
  /// For each step, the number of steps on the longest path before it.
  var levels: [Int32] {
    var levels = [Int32](repeating: 0, count: nodeCount)
    for node in order {
      for edge in edges(from: Int(node)) {
        levels[Int(edge.to)] = max(levels[Int(edge.to)], levels[Int(node)] + (Int(node) < stepCount ? 1 : 0))
      }
    }
    return Array(levels.prefix(stepCount))
  }

  /// The steps of a longest path, in order.
  var longestPath: [Int] {
    guard var node = (0..<stepCount).max(by: { priority(of: $0) < priority(of: $1) }) else { return [] }
    var path = [node]
    while priority(of: node) > 0 {
      // The path goes on with a node behind which it is as long as it has to be.
      let next = edges(from: node).first { edge in
        priority(of: Int(edge.to)) + (Int(edge.to) < stepCount ? 1 : 0) == priority(of: node)
      }
      guard let next else { break }
      node = Int(next.to)
      if node < stepCount { path.append(node) }
    }
    return path
  }
}
