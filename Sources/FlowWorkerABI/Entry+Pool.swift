public import CFlowWorker
public import CJansson
internal import FWBase
internal import FWModel
internal import FlowWorker

// MARK: Pools

@_cdecl("fw_pool_create") @implementation
public func fw_pool_create(
  _ json: UnsafePointer<CChar>?, _ length: Int, _ pool: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(pool, "pool")
    out.pointee = Handle.give(try Pool(try text(json, length, "json")))
  }
}

@_cdecl("fw_pool_create_from") @implementation
public func fw_pool_create_from(
  _ config: UnsafePointer<json_t>?, _ pool: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(pool, "pool")
    guard let config else { throw badArgument("config", "a JSON value") }
    out.pointee = Handle.give(try Pool(value: UnsafeMutableRawPointer(mutating: config)))
  }
}

@_cdecl("fw_pool_get") @implementation
public func fw_pool_get(
  _ pool: OpaquePointer?, _ step: OpaquePointer?, _ worker: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(worker, "worker")
    let pool = try require(pool, Pool.self, "pool", "a pool")
    let step = try require(step, Step.self, "step", "a step")
    out.pointee = try lend(pool, step) { (pool, step) throws(FlowError) in try pool.worker(for: step) }
  }
}

@_cdecl("fw_pool_default_worker") @implementation
public func fw_pool_default_worker(
  _ pool: OpaquePointer?, _ step: OpaquePointer?, _ worker: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(worker, "worker")
    let pool = try require(pool, Pool.self, "pool", "a pool")
    let step = try require(step, Step.self, "step", "a step")
    out.pointee = try lend(pool, step) { (pool, step) throws(FlowError) in try pool.defaultWorker(for: step) }
  }
}

@_cdecl("fw_pool_worker") @implementation
public func fw_pool_worker(
  _ pool: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ worker: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(worker, "worker")
    let pool = try require(pool, Pool.self, "pool", "a pool").takeUnretainedValue()
    out.pointee = OpaquePointer(try pool.worker(named: try string(name, "name")).toOpaque())
  }
}

@_cdecl("fw_pool_worker_count") @implementation
public func fw_pool_worker_count(_ pool: OpaquePointer?) -> Int {
  Handle.borrow(pool, Pool.self)?._withUnsafeGuaranteedRef { $0.workerCount } ?? 0
}

@_cdecl("fw_pool_worker_name") @implementation
public func fw_pool_worker_name(_ pool: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  Handle.borrow(pool, Pool.self)?._withUnsafeGuaranteedRef { $0.cWorkerName(index) }
}

/// Looks up a worker without counting a reference to the pool or the step, because threads that look up at the same
/// time would wait for each other at the counts.
@inline(__always)
private func lend(
  _ pool: Unmanaged<Pool>, _ step: Unmanaged<Step>, _ find: (Pool, Step) throws(FlowError) -> Unmanaged<Worker>
) throws(FlowError) -> OpaquePointer {
  let found: Result<Unmanaged<Worker>, FlowError> = pool._withUnsafeGuaranteedRef { pool in
    step._withUnsafeGuaranteedRef { step in
      do throws(FlowError) { return .success(try find(pool, step)) } catch { return .failure(error) }
    }
  }
  return OpaquePointer(try found.get().toOpaque())
}

@_cdecl("fw_pool_free") @implementation
public func fw_pool_free(_ pool: OpaquePointer?) { Handle.free(pool, Pool.self) }

// MARK: Workers

@_cdecl("fw_worker_create") @implementation
public func fw_worker_create(
  _ json: UnsafePointer<CChar>?, _ length: Int, _ worker: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(worker, "worker")
    out.pointee = Handle.give(try Worker(try text(json, length, "json")))
  }
}

@_cdecl("fw_worker_name") @implementation
public func fw_worker_name(_ worker: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(worker, Worker.self)?._withUnsafeGuaranteedRef { $0.cName.start }
}

@_cdecl("fw_worker_type") @implementation
public func fw_worker_type(_ worker: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(worker, Worker.self)?._withUnsafeGuaranteedRef { cText($0.type.literal) }
}

@_cdecl("fw_worker_volume") @implementation
public func fw_worker_volume(_ worker: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(worker, Worker.self)?._withUnsafeGuaranteedRef { $0.cVolume.start }
}

@_cdecl("fw_worker_secrets") @implementation
public func fw_worker_secrets(_ worker: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(worker, Worker.self)?._withUnsafeGuaranteedRef { $0.cSecrets.start }
}

@_cdecl("fw_worker_environment_values") @implementation
public func fw_worker_environment_values(_ worker: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(worker, Worker.self)?._withUnsafeGuaranteedRef { $0.cEnvironmentValues.start }
}

@_cdecl("fw_worker_free") @implementation
public func fw_worker_free(_ worker: OpaquePointer?) {
  guard let object = Handle.borrow(worker, Worker.self) else { return }
  if !object._withUnsafeGuaranteedRef({ $0.isLent }) { object.release() }
}
