internal import CJansson
package import FWBase

/// The values that the instances of a step have given, which become a list in the order of the instances when all of
/// them have ended.
package struct Gather: Sendable {
  /// How many instances the step has.
  private let count: Int
  /// The values by the numbers of their instances. An instance that gave none is not in it.
  private var values: [Int: JSONValue] = [:]
  private var objects: [Int: HostObject] = [:]

  package init(count: Int) { self.count = count }

  /// Keeps the value of an instance.
  ///
  /// - Parameter object: the host's object, where the value is more than its JSON.
  package mutating func add(_ value: JSONValue, object: HostObject?, for instance: Int) {
    values[instance] = value
    objects[instance] = object
  }

  /// The list of the values; `nil` if there is no memory for it. The element of an instance that gave no value is null.
  package func list() -> JSONValue? {
    guard let raw = json_array() else { return nil }
    let list = JSONValue(taking: raw)
    for instance in 0..<count {
      let isAdded =
        values[instance]?.read { json_array_append(raw, $0.raw) == 0 } ?? (json_array_append_new(raw, json_null()) == 0)
      if !isAdded { return nil }
    }
    return list
  }

  /// What the host has to know of the list; `nil` if its JSON is all of it.
  package var object: HostObject? {
    let objects = objects.sorted { $0.key < $1.key }
    guard let first = objects.first else { return nil }
    func reason(_ reason: (HostObject) -> String?) -> String? {
      for (instance, object) in objects {
        if let found = reason(object) { return "is a list whose element \(instance) \(found)" }
      }
      return nil
    }
    return HostObject(
      kind: "a list whose element \(first.key) is \(first.value.kind)", unfit: reason { $0.unfit },
      unfitParameter: reason { $0.unfitParameter })
  }

  /// Sets the list in a context. Gives false if there is no memory for it.
  package func finish(_ name: String, into context: Context) -> Bool {
    guard let list = list() else { return false }
    return context.set(name, list, object: object)
  }
}
