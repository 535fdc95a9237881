package import CSupervisorClient
package import FWBase
internal import Glibc

/// What the supervisor is told about a sandbox, as a `fwsv_sandbox` (supervisor.h).
///
/// It does not depend on the step. So it is made once for a worker, and copied behind the texts of each request.
package final class SandboxRequest: @unchecked Sendable {
  // The conformance is unchecked because the memory never changes.
  private let bytes: ByteBuffer

  /// What a `fwsv_sandbox` and a filter begin at multiples of.
  private static let alignment = 8

  package init(_ options: SandboxOptions) throws(FlowError) {
    bytes = SandboxRequest.bytes(of: options)
    if bytes.isExhausted { throw .noMemory }
  }

  private static func bytes(of options: SandboxOptions) -> ByteBuffer {
    var head = fwsv_sandbox()
    head.needed = options.neededLayers
    head.wanted = options.neededLayers | UInt32(FWSV_LAYER_LANDLOCK)
    head.is_optional = options.isRequired ? 0 : 1
    head.landlock = options.leastLandlock
    let filters = SyscallFilter.Kind.allCases.map { SyscallFilter($0, options).program }
    let paths = options.writes + (options.reads ?? [])
    head.writes = UInt32(clamping: options.writes.count)
    head.reads = options.reads.map { UInt32(clamping: $0.count) } ?? FWSV_READ_ALL
    head.optional_reads = UInt32(clamping: options.optionalReads)
    let ports: [UInt16] = if case .connect(let ports) = options.network { ports } else { [] }
    head.has_ports = ports.isEmpty ? 0 : 1
    head.port_count = UInt32(clamping: ports.count)

    var place = padded(MemoryLayout<fwsv_sandbox>.size)
    withUnsafeMutableBytes(of: &head.filters) { places in
      withUnsafeMutableBytes(of: &head.lengths) { lengths in
        for (index, filter) in filters.enumerated() {
          store(place, index, in: places)
          store(filter.count, index, in: lengths)
          place += filter.count * MemoryLayout<UInt64>.size
        }
      }
    }
    head.paths = UInt32(clamping: place)
    place += paths.count * MemoryLayout<UInt32>.size
    head.ports = UInt32(clamping: place)
    place += ports.count * MemoryLayout<UInt16>.size

    var bytes = ByteBuffer()
    withUnsafeBytes(of: head) { bytes.append($0) }
    bytes.pad(to: alignment)
    for instruction in filters.joined() {
      bytes.append(integer: instruction.code)
      bytes.append(byte: instruction.ifTrue)
      bytes.append(byte: instruction.ifFalse)
      bytes.append(integer: instruction.value)
    }
    for path in paths {
      bytes.append(integer: UInt32(clamping: place))
      place += path.utf8.count + 1
    }
    for port in ports { bytes.append(integer: port) }
    for path in paths {
      bytes.append(path)
      bytes.append(byte: 0)
    }
    if paths.isEmpty { bytes.append(byte: 0) }
    return bytes
  }

  private static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  private static func store(_ value: Int, _ index: Int, in bytes: UnsafeMutableRawBufferPointer) {
    bytes.bindMemory(to: UInt32.self)[index] = UInt32(clamping: value)
  }

  /// The most bytes that `append` adds.
  package var count: Int { bytes.count + SandboxRequest.alignment }

  /// Adds the sandbox to the texts of a request.
  package func append(to texts: inout ByteBuffer, _ request: inout fwsv_request) {
    texts.pad(to: SandboxRequest.alignment)
    guard let place = UInt32(exactly: texts.count), place > 0 else {
      // The system runs no command that is so long. The request must not go without its sandbox.
      return texts.giveBack()
    }
    request.sandbox = place
    texts.append(bytes.bytes)
  }
}

extension ByteBuffer {
  fileprivate mutating func append(integer: some FixedWidthInteger) {
    withUnsafeBytes(of: integer) { append($0) }
  }

  fileprivate mutating func pad(to alignment: Int) {
    while !isExhausted, count % alignment != 0 { append(byte: 0) }
  }
}

extension SandboxOptions {
  package var hasView: Bool { neededNamespaces != 0 }

  /// The namespaces come together: a view has a /proc of its own, which has to be that of an own namespace of
  /// processes, and an own /tmp. Without them the filter alone keeps `"network": "none"`.
  private var neededNamespaces: UInt32 {
    guard hasOwnProcesses else { return 0 }
    var layers = UInt32(FWSV_LAYER_VIEW | FWSV_LAYER_PROCESSES | FWSV_LAYER_TMP)
    if case .none = network { layers |= UInt32(FWSV_LAYER_NETWORK) }
    return layers
  }

  private var hasPorts: Bool { if case .connect = network { true } else { false } }

  /// Whether a promise needs Landlock: that of `write` needs it where there is no view.
  var needsLandlock: Bool { !hasView || reads != nil || hasPorts }

  /// The least version of Landlock that the promises need.
  var leastLandlock: UInt32 {
    // Version 1 knows reading, 3 also knows truncation, and 4 knows ports.
    hasPorts ? 4 : hasView ? (reads == nil ? 0 : 1) : 3
  }

  /// The layers without which a command is not started.
  var neededLayers: UInt32 {
    neededNamespaces | UInt32(FWSV_LAYER_FILTER)
      | (needsLandlock ? UInt32(FWSV_LAYER_LANDLOCK) : 0)
  }
}
