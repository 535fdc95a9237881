internal import CJansson
package import FWBase

/// The instances of a step with `foreach`: how many there are, and the values of each. The values of an instance are
/// found when somebody asks for them, so a million instances cost no more memory than their lists.
package struct Instances: Sendable {
  /// The most instances of one step: numbers of instances have 32 bits in a schedule.
  package static let most = Int(Int32.max)

  /// How many instances there are, which may be none.
  package let count: Int
  private let lists: [(name: Name, list: JSONValue, count: Int)]
  private let combine: ForEach.Combine

  /// - Parameter context: the values that have the lists which the document does not have.
  package init(_ forEach: ForEach, _ context: ContextValues?) throws(FlowError) {
    do throws(ValidationError) { self = try Instances(checking: forEach, context) } catch {
      throw error.inside("names").inside("foreach").error(in: nil)
    }
  }

  private init(checking forEach: ForEach, _ context: ContextValues?) throws(ValidationError) {
    combine = forEach.combine
    var lists: [Name: JSONValue] = [:]
    var found: [(name: Name, list: JSONValue, count: Int)] = []
    var count = 1
    for variable in forEach.variables {
      do throws(ValidationError) {
        let list = try Instances.list(variable.source, context)
        let own = list.read { $0.arrayCount }
        found.append((variable.name, list, own))
        lists[variable.name] = list
        switch combine {
        case .zip: count = own
        case .product:
          let (product, isOverflow) = count.multipliedReportingOverflow(by: own)
          count = isOverflow ? Int.max : product
        }
      } catch { throw error.inside(variable.name.text) }
    }
    try forEach.checkLengths { lists[$0.name] }
    // One list that is empty makes no instances, however long the others are.
    if found.contains(where: { $0.count == 0 }) { count = 0 }
    guard count <= Instances.most else {
      throw ValidationError(
        "the lists make \(count == Int.max ? "too many" : String(count)) instances: a step has at most "
          + "\(Instances.most)")
    }
    self.count = count
    self.lists = found
  }

  private static func list(_ source: ForEach.Source, _ context: ContextValues?) throws(ValidationError) -> JSONValue {
    switch source {
    case .list(let list): return list
    case .value(let name):
      let shown = MessageFormat.quoted(name)
      guard let value = context?[name] else {
        throw ValidationError(
          "the context has no value \(shown), which is to be the list"
            + MessageFormat.hint(for: name, among: context?.names ?? []))
      }
      if let unfit = context?.objects[Name(name)]?.unfit { throw ValidationError("the value of \(shown) \(unfit)") }
      guard value.kind == .array else {
        throw ValidationError("expected the value of \(shown) to be a list, found \(value.shown)")
      }
      guard let kept = JSONValue(keeping: value) else { throw ValidationError(FlowError.noMemory.message) }
      return kept
    }
  }

  /// Throws if a value has a secret in it, because events, results and messages show the values of instances.
  package func check(_ secrets: Secrets) throws(FlowError) {
    for entry in lists where secrets.isIn(entry.list) {
      throw FlowError(
        .document,
        "the list of \(MessageFormat.quoted(entry.name.text)) has a secret in it, and events and results show the values "
          + "of \"foreach\"", path: "/foreach/names/\(entry.name.text)")
    }
  }

  /// Calls `body` with each name and the value that it has in an instance.
  ///
  /// - Parameter number: the number of the instance, from 0.
  func forEachValue<E: Error>(_ number: Int, _ body: (Name, JSONRef) throws(E) -> Void) throws(E) {
    var rest = number
    var positions = [Int](repeating: number, count: combine == .product ? lists.count : 0)
    for index in positions.indices.reversed() {
      let count = max(1, lists[index].count)
      (rest, positions[index]) = rest.quotientAndRemainder(dividingBy: count)
    }
    for (index, entry) in lists.enumerated() {
      let position = combine == .product ? positions[index] : number
      try entry.list.read { (list) throws(E) in
        if let value = list.element(position) { try body(entry.name, value) }
      }
    }
  }

  /// The values of an instance: an object with each name and its value.
  ///
  /// - Parameter number: the number of the instance, from 0.
  package func values(_ number: Int) throws(FlowError) -> JSONValue {
    guard let raw = json_object() else { throw .noMemory }
    let object = JSONValue(taking: raw)
    var isComplete = true
    forEachValue(number) { name, value in
      let isSet = name.bytes.withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return false }
        return json_object_setn(raw, start.assumingMemoryBound(to: CChar.self), bytes.count, value.raw) == 0
      }
      isComplete = isComplete && isSet
    }
    guard isComplete else { throw .noMemory }
    return object
  }

  /// The lists of a product, and the one list of pairs that zipped lists are. Each has the names whose values it gives.
  var axes: [(names: [Name], lists: [JSONValue], count: Int)] {
    if combine == .zip { return [(lists.map(\.name), lists.map(\.list), count)] }
    return lists.map { ([$0.name], [$0.list], $0.count) }
  }
}

extension JSONRef {
  /// The number of elements of an array.
  var arrayCount: Int { kind == .array ? json_array_size(raw) : 0 }
}
