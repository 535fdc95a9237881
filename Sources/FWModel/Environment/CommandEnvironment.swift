internal import CSystem
package import FWBase
internal import Glibc

/// The environment of a step's commands: the variables that are set and unset for them, and those of this process that
/// they inherit.
///
/// It is made once for a step, before the step runs. Each type of worker gives it to its commands in its own way.
package final class CommandEnvironment: Sendable {
  /// The variables in their order. One without a value is unset, wherever it comes from.
  package let variables: KeyValues
  package let inheritance: Inheritance

  /// The environment of commands for which nothing is set.
  package static let host = CommandEnvironment(KeyValues(), inherits: .all)

  package init(_ variables: KeyValues, inherits inheritance: Inheritance) {
    self.variables = variables
    self.inheritance = inheritance
  }

  /// What a worker or a step says about the environment of commands.
  package struct Layer {
    /// The entries of `env`.
    let env: KeyValues
    /// The values of the context that are variables. They override the entries.
    let values: KeyValues

    package init(_ env: KeyValues, values: KeyValues? = nil) {
      self.env = env
      self.values = values ?? KeyValues()
    }

    fileprivate var all: KeyValues { env.overridden(by: values) }
  }

  /// - Parameters:
  ///   - step: the layer of the step, which overrides that of the worker.
  ///   - secrets: the secrets of the step.
  ///   - inheritance: what is inherited; `nil`: everything if no entry of `env` sets a variable, and otherwise nothing,
  ///     as in flowServ. Values of the context and secrets are no such entries.
  package init(_ worker: Layer, _ step: Layer, _ secrets: Secrets, inherits inheritance: Inheritance?) {
    variables = worker.all.overridden(by: step.all).overridden(by: secrets.env)
    self.inheritance = inheritance ?? (worker.env.hasValues || step.env.hasValues ? .nothing : .all)
  }

  /// This environment with variables over its own. What is inherited stays the same.
  package func overridden(by others: KeyValues) -> CommandEnvironment {
    others.isEmpty ? self : CommandEnvironment(variables.overridden(by: others), inherits: inheritance)
  }

  /// Whether commands inherit a variable, if this process has it.
  func inherits(_ name: String) -> Bool {
    var name = name
    return !variables.has(name) && name.withUTF8 { inheritance.covers(UnsafeRawBufferPointer($0)) }
  }

  /// Calls `body` with each entry of this process's environment that commands inherit at this moment, and its name.
  ///
  /// - Parameter isForeign: whether a variable is left out although it would be inherited.
  package func forEachInherited(
    leavingOut isForeign: ((UnsafeRawBufferPointer) -> Bool)? = nil,
    _ body: (_ entry: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Void
  ) {
    if inheritance.patterns?.isEmpty == true { return }
    let own = Set(variables.entries.map { Name($0.key) })
    var at = fws_environ()
    while let start = at.pointee {
      at += 1
      let entry = UnsafeRawBufferPointer(start: start, count: strlen(start))
      let name = CommandEnvironment.name(of: entry)
      if isForeign?(name) == true || !inheritance.covers(name) { continue }
      if own.isEmpty || !own.contains(Name(String(decoding: name, as: UTF8.self))) { body(entry, name) }
    }
  }

  /// The name in an entry of an environment, `NAME=VALUE`.
  private static func name(of entry: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: entry.prefix { $0 != UInt8(ascii: "=") })
  }

  package static func name(of entry: String) -> Name { Name(entry.cut(at: "=").map { String($0.before) } ?? entry) }

  /// Whether there is a variable of an entry's name, be it set or unset.
  package func overrides(entry: String) -> Bool { variables.has(CommandEnvironment.name(of: entry).text) }
}
