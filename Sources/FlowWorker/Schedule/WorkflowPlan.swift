package import FWBase
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
    let basis = try RunBasis(self, usable, values, volumes, options.settings)
    do throws(FlowError) {
      return try WorkflowPlan(basis, jobs: options.jobs).document()
    } catch {
      throw basis.settings.secrets.masked(error)
    }
  }
}

/// The document of a workflow's plan.
private struct WorkflowPlan {
  /// The most needs of one step that the document lists.
  private static let mostNeeds = 100

  /// How many instances a step has.
  private enum Count {
    /// The step has no `foreach`.
    case plain
    case known(Int)
    /// The list is a value of the context.
    case unknown
  }

  private let basis: RunBasis
  private let jobs: Int
  private var counts: [Count] = []
  private var areInOrder: [Bool] = []

  init(_ basis: RunBasis, jobs: Int) throws(FlowError) {
    self.basis = basis
    self.jobs = jobs
    for (number, step) in basis.resolved.steps.enumerated() {
      var isInOrder = false
      if let forEach = step.forEach {
        isInOrder = basis.accesses[number].barrier != nil
        if forEach.contextNames.isEmpty {
          do throws(FlowError) {
            let instances = try Instances(forEach, nil)
            if try step.checkKeys(of: instances) { isInOrder = true }
            counts.append(.known(instances.count))
          } catch {
            throw FlowError(error.code, error.message, path: basis.resolved.pointers[number] + (error.path ?? ""))
          }
        } else {
          counts.append(.unknown)
        }
      } else {
        counts.append(.plain)
      }
      areInOrder.append(isInOrder)
    }
  }

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
        switch counts[number] {
        case .plain: writer.null()
        case .known(let count): writer.number(count)
        case .unknown: writer.string("unknown")
        }
      }
      writer.member("in_order", areInOrder[number])
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
    }
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
      var width = 1
      if case .known(let count) = counts[step] { width = areInOrder[step] ? min(count, 1) : count }
      widths[level, default: 0] += width
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
