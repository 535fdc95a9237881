package import FWBase
internal import Glibc

/// An amount of a resource in thousandths, so that sums are exact and amounts such as 0.1 are too.
package struct ResourceAmount: Sendable, Comparable {
  package let thousandths: Int64

  package static let zero = ResourceAmount(thousandths: 0)
  /// The largest whole amount. It is enough for the memory of any machine in bytes.
  private static let most: Int64 = 9_000_000_000_000_000
  private static let one: Int64 = 1000

  private init(thousandths: Int64) { self.thousandths = thousandths }

  package init(count: Int) { thousandths = min(Int64(count), ResourceAmount.most) * ResourceAmount.one }

  /// The whole number that the amount is; `nil` if it has a fraction.
  package var count: Int? {
    thousandths % ResourceAmount.one == 0 ? Int(thousandths / ResourceAmount.one) : nil
  }

  /// Reads a number from 0 with at most three decimals.
  ///
  /// - Parameter what: the words for an amount of this kind.
  init(reading json: JSONRef, _ what: String) throws(ValidationError) {
    guard let number = json.number else {
      let hint = json.kind == .string ? ": write the number without quotes, and memory in bytes" : ""
      throw ValidationError("expected \(what), a number from 0, found \(json.shown)\(hint)")
    }
    guard number >= 0 else { throw ValidationError("expected \(what), a number from 0, found \(json.shown)") }
    guard number <= Double(ResourceAmount.most) else {
      throw ValidationError("expected \(what), a number from 0 to \(ResourceAmount.most), found \(json.shown)")
    }
    if let integer = json.integer {
      thousandths = integer * ResourceAmount.one
      return
    }
    // The nearest number of thousandths is the one that was written, if dividing gives the same number again.
    let nearest = (number * Double(ResourceAmount.one)).rounded()
    guard nearest / Double(ResourceAmount.one) == number, let exact = Int64(exactly: nearest) else {
      throw ValidationError("expected \(what) with at most three decimals, found \(json.shown)")
    }
    thousandths = exact
  }

  package static func < (one: ResourceAmount, other: ResourceAmount) -> Bool { one.thousandths < other.thousandths }

  /// The amount as it is written in a document.
  package var shown: String {
    let (whole, rest) = thousandths.quotientAndRemainder(dividingBy: ResourceAmount.one)
    if rest == 0 { return String(whole) }
    var digits = String(rest)
    digits = String(repeating: "0", count: 3 - digits.utf8.count) + digits
    while let short = digits.without(suffix: "0") { digits = String(short) }
    return "\(whole).\(digits)"
  }
}

/// The value of "resources" in a step: how much of each resource the step takes while it runs.
package struct ResourceRequest: Sendable {
  package static let key = "resources"

  /// The amounts in the order of the document.
  package private(set) var amounts: [(name: Name, amount: ResourceAmount)] = []

  package init() {}

  package var isEmpty: Bool { amounts.isEmpty }

  package init(reading json: JSONRef) throws(ValidationError) {
    try json.readMembers(of: "the resources of a step (an object such as {\"cpus\": 2})") {
      (key, value) throws(ValidationError) in
      let name = try ResourceRequest.name(key)
      amounts.append((name, try ResourceAmount(reading: value, "an amount of \(MessageFormat.quoted(name.text))")))
    }
  }

  fileprivate static func name(_ key: JSONKey) throws(ValidationError) -> Name {
    let name = try key.requireString()
    if name.isEmpty { throw ValidationError("the name of a resource is empty", isAboutKey: true) }
    return Name(name)
  }

  /// The resources of which the step takes some.
  package var taken: Set<Name> { Set(amounts.lazy.filter { $0.amount > .zero }.map(\.name)) }

  package func write(to writer: inout JSONWriter) {
    writer.object { writer in
      for (name, amount) in amounts { writer.member(key: name.text) { $0.json(amount.shown) } }
    }
  }
}

/// The value of "resources" in an engine configuration, or in the options of a run: how much there is of each resource.
package struct ResourceTotals: Sendable {
  package static let key = "resources"

  package private(set) var entries: [(name: Name, total: Total)] = []

  package enum Total: Sendable {
    case amount(ResourceAmount)
    case indexed(Indexed)

    package var amount: ResourceAmount {
      switch self {
      case .amount(let amount): return amount
      case .indexed(let indexed): return ResourceAmount(count: indexed.ids.count)
      }
    }
  }

  /// A resource of which each piece has an id. A step gets the ids of its pieces in a variable of its environment.
  package struct Indexed: Sendable {
    static let keys = ["ids", "variable"]

    package let ids: [String]
    package let variable: String
  }

  package init() {}

  package var isEmpty: Bool { entries.isEmpty }

  package init(reading json: JSONRef) throws(ValidationError) {
    var variables: [Name: Name] = [:]
    try json.readMembers(of: "the resources that there are (an object such as {\"cpus\": 8})") {
      (key, value) throws(ValidationError) in
      let name = try ResourceRequest.name(key)
      guard value.kind == .object else {
        let what = "the total of \(MessageFormat.quoted(name.text))"
        entries.append((name, .amount(try ResourceAmount(reading: value, what))))
        return
      }
      let indexed = try Indexed(reading: value, of: name)
      if let other = variables.updateValue(name, forKey: Name(indexed.variable)) {
        throw ResourceTotals.sharedVariable(indexed.variable, other, name).inside("variable")
      }
      entries.append((name, .indexed(indexed)))
    }
  }

  /// The error of two resources with one variable.
  private static func sharedVariable(_ variable: String, _ one: Name, _ other: Name) -> ValidationError {
    ValidationError(
      "the resources \(MessageFormat.quoted(one.text)) and \(MessageFormat.quoted(other.text)) both have the variable "
        + "\(MessageFormat.quoted(variable)): give each its own")
  }

  /// The variables of the resources with ids.
  package var variables: [IndexedVariable] {
    entries.compactMap { name, total in
      guard case .indexed(let indexed) = total else { return nil }
      return IndexedVariable(resource: name, name: indexed.variable)
    }
  }

  /// The variables of a run: those of the pool, except for resources that the run has a total of its own for, and those
  /// of the run.
  ///
  /// - Parameter pool: the variables of the pool.
  package func variables(over pool: [IndexedVariable]) throws(ValidationError) -> [IndexedVariable] {
    if isEmpty { return pool }
    let own = variables
    let replaced = Set(entries.map(\.name))
    let others = pool.filter { !replaced.contains($0.resource) }
    var resources: [Name: Name] = [:]
    for variable in others { resources[Name(variable.name)] = variable.resource }
    for variable in own {
      if let other = resources[Name(variable.name)] {
        throw ResourceTotals.sharedVariable(variable.name, other, variable.resource)
          .inside("variable").inside(variable.resource.text)
      }
    }
    return others + own
  }
}

/// A variable of the environment that has the ids of the pieces that a step has taken of a resource.
package struct IndexedVariable: Sendable {
  package let resource: Name
  package let name: String
}

extension ResourceTotals.Indexed {
  fileprivate init(reading json: JSONRef, of resource: Name) throws(ValidationError) {
    var ids: [String]?
    var variable: String?
    try json.readMembers(of: "an object such as {\"ids\": [\"0\", \"1\"], \"variable\": \"CUDA_VISIBLE_DEVICES\"}") {
      (key, value) throws(ValidationError) in
      if key == "ids" {
        ids = try ResourceTotals.Indexed.ids(value)
      } else if key == "variable" {
        let name = try value.requireName("the name of an environment variable")
        try KeyValues.check(variable: name)
        variable = name
      } else {
        throw .unknownKey(
          key, of: "the resource \(MessageFormat.quoted(resource.text))", known: ResourceTotals.Indexed.keys)
      }
    }
    guard let variable else {
      throw .missingKey("variable", of: "the resource \(MessageFormat.quoted(resource.text))")
    }
    self.variable = variable
    if let ids { self.ids = ids } else { self.ids = try ResourceTotals.Indexed.inherited(variable, resource) }
  }

  private static func ids(_ json: JSONRef) throws(ValidationError) -> [String] {
    guard json.kind == .array else {
      throw ValidationError("expected an array of ids such as [\"0\", \"1\"], found \(json.shown)")
    }
    var ids: [String] = []
    var seen: [Name: Int] = [:]
    try json.forEachElement { (index, element) throws(ValidationError) in
      do throws(ValidationError) {
        let id = try element.requireName("an id")
        if id.utf8.contains(UInt8(ascii: ",")) {
          throw ValidationError(
            "the id \(MessageFormat.quoted(id)) contains a comma, which separates ids: make it two elements")
        }
        if let other = seen.updateValue(index, forKey: Name(id)) {
          throw ValidationError(
            "the id \(MessageFormat.quoted(id)) is there twice, as the elements \(other) and \(index)")
        }
        ids.append(id)
      } catch { throw error.inside(index) }
    }
    return ids
  }

  /// The ids that the host itself was given. A host may have been given none by an empty value.
  private static func inherited(_ variable: String, _ resource: Name) throws(ValidationError) -> [String] {
    let shown = MessageFormat.quoted(variable)
    guard let value = getenv(variable) else {
      throw ValidationError(
        "the ids of \(MessageFormat.quoted(resource.text)) are those in the environment variable \(shown), which this "
          + "process does not have: set it, or list \"ids\"")
    }
    let text = String(cString: value)
    if text.isEmpty { return [] }
    var ids: [String] = []
    var seen: Set<Name> = []
    for piece in text.pieces(at: ",", keepingEmpty: true) {
      let id = String(piece)
      if id.isEmpty || !seen.insert(Name(id)).inserted {
        let fault = id.isEmpty ? "an empty id" : "the id \(MessageFormat.quoted(id)) twice"
        throw ValidationError(
          "the environment variable \(shown) of this process is \(MessageFormat.quoted(text)), which has \(fault): "
            + "list \"ids\"")
      }
      ids.append(id)
    }
    return ids
  }
}
