public import CFlowWorker
internal import FWBase
internal import FWModel
internal import FlowWorker

// MARK: Builders

/// A JSON text as C passes it: with its length, or as NULL.
private typealias Passed = (start: UnsafePointer<CChar>?, length: Int)

private func spec(
  _ type: String, _ identifier: UnsafePointer<CChar>?, _ variables: Passed, _ env: Passed,
  _ volume: UnsafePointer<CChar>?, _ options: Passed, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) throws(FlowError) {
  let out = try outParameter(json, "json")
  let text = try SpecBuilder.worker(
    type: type, identifier: try optionalString(identifier, "identifier"),
    variables: try optionalText(variables.start, variables.length, "variables"),
    env: try optionalText(env.start, env.length, "env"), volume: try optionalString(volume, "volume"),
    options: try optionalText(options.start, options.length, "options"))
  store(text, to: out)
}

@_cdecl("fw_spec_worker") @implementation
public func fw_spec_worker(
  _ type: UnsafePointer<CChar>?, _ identifier: UnsafePointer<CChar>?, _ variables: UnsafePointer<CChar>?,
  _ variablesLength: Int, _ env: UnsafePointer<CChar>?, _ envLength: Int, _ volume: UnsafePointer<CChar>?,
  _ options: UnsafePointer<CChar>?, _ optionsLength: Int,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    _ = try outParameter(json, "json")
    try spec(
      try string(type, "type"), identifier, (variables, variablesLength), (env, envLength), volume,
      (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_code") @implementation
public func fw_spec_code(
  _ identifier: UnsafePointer<CChar>?, _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ optionsLength: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec("code", identifier, (nil, 0), (nil, 0), volume, (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_subprocess") @implementation
public func fw_spec_subprocess(
  _ identifier: UnsafePointer<CChar>?, _ variables: UnsafePointer<CChar>?, _ variablesLength: Int,
  _ env: UnsafePointer<CChar>?, _ envLength: Int, _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ optionsLength: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec(
      "subprocess", identifier, (variables, variablesLength), (env, envLength), volume, (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_docker") @implementation
public func fw_spec_docker(
  _ identifier: UnsafePointer<CChar>?, _ variables: UnsafePointer<CChar>?, _ variablesLength: Int,
  _ env: UnsafePointer<CChar>?, _ envLength: Int, _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ optionsLength: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec(
      "docker", identifier, (variables, variablesLength), (env, envLength), volume, (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_notebook") @implementation
public func fw_spec_notebook(
  _ identifier: UnsafePointer<CChar>?, _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ optionsLength: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec("notebook", identifier, (nil, 0), (nil, 0), volume, (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_nbdocker") @implementation
public func fw_spec_nbdocker(
  _ identifier: UnsafePointer<CChar>?, _ env: UnsafePointer<CChar>?, _ envLength: Int,
  _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?, _ optionsLength: Int,
  _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec("nbdocker", identifier, (nil, 0), (env, envLength), volume, (options, optionsLength), json)
  }
}

@_cdecl("fw_spec_slurm") @implementation
public func fw_spec_slurm(
  _ identifier: UnsafePointer<CChar>?, _ variables: UnsafePointer<CChar>?, _ variablesLength: Int,
  _ env: UnsafePointer<CChar>?, _ envLength: Int, _ volume: UnsafePointer<CChar>?, _ options: UnsafePointer<CChar>?,
  _ optionsLength: Int, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try spec(
      "slurm", identifier, (variables, variablesLength), (env, envLength), volume, (options, optionsLength), json)
  }
}

// MARK: Steps

@_cdecl("fw_step_create") @implementation
public func fw_step_create(
  _ json: UnsafePointer<CChar>?, _ length: Int, _ step: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(step, "step")
    out.pointee = Handle.give(try Step(try text(json, length, "json")))
  }
}

@_cdecl("fw_step_name") @implementation
public func fw_step_name(_ step: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(step, Step.self)?._withUnsafeGuaranteedRef { $0.cName.start }
}

@_cdecl("fw_step_type") @implementation
public func fw_step_type(_ step: OpaquePointer?) -> UnsafePointer<CChar>? {
  Handle.borrow(step, Step.self)?._withUnsafeGuaranteedRef { step in
    switch step.type {
    case .container: return cText("container")
    case .code: return cText("code")
    case .notebook: return cText("notebook")
    }
  }
}

@_cdecl("fw_step_free") @implementation
public func fw_step_free(_ step: OpaquePointer?) { Handle.free(step, Step.self) }

// MARK: Contexts

@_cdecl("fw_context_create") @implementation
public func fw_context_create(
  _ json: UnsafePointer<CChar>?, _ length: Int, _ context: UnsafeMutablePointer<OpaquePointer?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(context, "context")
    out.pointee = Handle.give(try Context(json == nil ? nil : try text(json, length, "json")))
  }
}

@_cdecl("fw_context_get") @implementation
public func fw_context_get(
  _ context: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    let context = try require(context, Context.self, "context", "a context").takeUnretainedValue()
    store(try context.get(try string(name, "name")), to: out)
  }
}

@_cdecl("fw_context_set") @implementation
public func fw_context_set(
  _ context: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ json: UnsafePointer<CChar>?, _ length: Int,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    try checkFork()
    let context = try require(context, Context.self, "context", "a context").takeUnretainedValue()
    try context.set(try string(name, "name"), try text(json, length, "json"))
  }
}

@_cdecl("fw_context_to_json") @implementation
public func fw_context_to_json(
  _ context: OpaquePointer?, _ json: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ error: UnsafeMutablePointer<OpaquePointer?>?
) -> fw_status {
  withErrorOut(error) { () throws(FlowError) in
    let out = try outParameter(json, "json")
    store(try require(context, Context.self, "context", "a context").takeUnretainedValue().toJSON(), to: out)
  }
}

@_cdecl("fw_context_free") @implementation
public func fw_context_free(_ context: OpaquePointer?) { Handle.free(context, Context.self) }
