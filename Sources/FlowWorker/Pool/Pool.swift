internal import CSystem
package import FWBase
internal import FWExecution
internal import FWFunctions
package import FWModel
internal import FWVolumes
internal import Glibc

/// The workers of a configuration, each of which is created when it is first asked for, and the default workers.
package final class Pool: @unchecked Sendable {
  // The conformance is unchecked because threads share only the slots, which are read and filled atomically.
  private let config: EngineConfig
  /// The number of the worker of each mapped step; `nil` if the pool has no such worker.
  private let workers: ContiguousArray<Int?>
  /// The workers that exist, with one slot for each specification, and then one for each default worker. A slot is
  /// filled once, and is not emptied before the pool ends.
  private let slots: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let slotCount: Int
  private let resources: SharedResources
  private let functions: FunctionTable

  package convenience init(_ text: UnsafeRawBufferPointer) throws(FlowError) {
    try self.init(EngineConfig(text))
  }

  /// - Parameter json: a `json_t` of the host.
  package convenience init(value json: UnsafeMutableRawPointer) throws(FlowError) {
    try self.init(EngineConfig(JSONRef(json.assumingMemoryBound(to: JSONRef.Raw.self))))
  }

  /// Makes a pool that has only the default workers.
  static func defaults() throws(FlowError) -> Pool {
    let none: StaticString = "[]"
    return try Pool(UnsafeRawBufferPointer(start: none.utf8Start, count: none.utf8CodeUnitCount))
  }

  private init(_ config: consuming EngineConfig) throws(FlowError) {
    var workers: ContiguousArray<Int?> = []
    for name in config.workerOfStep { workers.append(config.workerNames.number(of: Name(name))) }
    self.workers = workers
    resources = try SharedResources(
      variables: config.defaultVariables, settings: config.settings, totals: config.totals)
    functions = try resources.resource(FunctionTable.self)
    slotCount = config.workerNames.count + 3
    slots = .allocate(capacity: slotCount)
    slots.initialize(repeating: nil, count: slotCount)
    self.config = config
  }

  deinit {
    for slot in 0..<slotCount {
      if let worker = slots[slot] { Unmanaged<Worker>.fromOpaque(worker).release() }
    }
    slots.deallocate()
  }

  /// The worker that is responsible for a step. It lives as long as the pool.
  package func worker(for step: Step) throws(FlowError) -> Unmanaged<Worker> {
    guard let mapped = config.stepNames.number(of: step.name) else { return try defaultWorker(for: step) }
    guard mapped < workers.count, let number = workers[mapped] else { throw unknownWorker(mapped, step) }
    return try worker(number)
  }

  /// The worker that steps of a name are mapped to, whatever these steps do; `nil` if there is none that can be used.
  func worker(forStepNamed name: Name) -> Worker? {
    guard let mapped = config.stepNames.number(of: name), mapped < workers.count, let number = workers[mapped] else {
      return nil
    }
    return try? worker(number).takeUnretainedValue()
  }

  /// The worker of the configuration that has a name.
  package func worker(named name: String) throws(FlowError) -> Unmanaged<Worker> {
    let names = config.workerNames
    guard let number = names.number(of: Name(name)) else {
      let known = (0..<names.count).lazy.map { names.name($0) }
      throw FlowError(
        .unknown,
        "the pool has no worker \(MessageFormat.quoted(name))" + MessageFormat.hint(for: name, among: known))
    }
    return try worker(number)
  }

  package var workerCount: Int { config.workerNames.count }

  /// The name of a worker as C text, which lives as long as the pool; `nil` if there is no such worker.
  package func cWorkerName(_ number: Int) -> UnsafePointer<CChar>? { config.workerNames.cName(number) }

  /// The worker of a number in the configuration.
  @inline(__always)
  private func worker(_ number: Int) throws(FlowError) -> Unmanaged<Worker> {
    if let worker = fws_load(slots + number) { return .fromOpaque(worker) }
    return try fill(number) { () throws(FlowError) in
      guard let text = config.text(ofWorker: number) else { throw FlowError(.invalid, "the pool lost a worker") }
      return try Worker(text, resources, isLent: true)
    }
  }

  /// The default worker for a step, even if the step is mapped to another worker.
  package func defaultWorker(for step: Step) throws(FlowError) -> Unmanaged<Worker> {
    let number = config.workerNames.count + Pool.slot(of: step.type)
    if let worker = fws_load(slots + number) { return .fromOpaque(worker) }
    return try fill(number) { () throws(FlowError) in
      try Worker(defaultFor: step.type, resources)
    }
  }

  /// What the steps of the pool take while they run.
  var ledger: ResourceLedger { resources.ledger }

  /// The variables of the configuration's resources with ids.
  var indexedVariables: [IndexedVariable] { resources.settings.indexedVariables ?? [] }

  /// The storage volumes of the configuration.
  var volumes: [VolumeSpec] { config.volumes }

  /// Registers a function of the host.
  package func register(_ function: Function) { functions.add(function) }

  private static func slot(of type: StepType) -> Int {
    switch type {
    case .container: return 0
    case .code: return 1
    case .notebook: return 2
    }
  }

  /// Creates a worker. If several threads do so at the same time, all get the worker that was created first.
  private func fill(_ number: Int, _ make: () throws(FlowError) -> Worker) throws(FlowError) -> Unmanaged<Worker> {
    let fresh = Unmanaged.passRetained(try make())
    let kept = Unmanaged<Worker>.fromOpaque(fws_publish(slots + number, fresh.toOpaque()))
    if kept.toOpaque() != fresh.toOpaque() { fresh.release() }
    return kept
  }

  private func unknownWorker(_ mapped: Int, _ step: Step) -> FlowError {
    let name = mapped < config.workerOfStep.count ? config.workerOfStep[mapped] : ""
    let names = config.workerNames
    let known = (0..<names.count).lazy.map { names.name($0) }
    return FlowError(
      .unknown,
      "step \(step.shownName) is mapped to the worker \(MessageFormat.quoted(name)), which the pool does not have"
        + MessageFormat.hint(for: name, among: known))
  }
}
