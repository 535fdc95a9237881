internal import CJansson
internal import FWBase
internal import FWModel

/// What has to be the same for a step not to be run again, besides its files: what it runs, its worker, the values that
/// it may use, and the steps that it needs.
struct Signature {
  let text: String

  /// - Parameters:
  ///   - plan: the document of the step's plan, which is changed.
  ///   - values: the values that a function may use; `nil` for other steps, whose plans have them.
  ///   - needs: a hash of the steps that the step needs.
  ///   - secrets: what is secret in the whole run.
  init?(_ step: Step, plan: JSONValue, _ values: JSONValue?, needs: UInt64, _ secrets: Secrets) {
    // Default workers have new names in each process, and requests to an engine or a scheduler have the label of the
    // host process in them. What is inherited is the host's affair, whether by a list of names or without one. How many
    // steps run at once changes nothing of what a step does. Placeholders without a value are in the commands, and the
    // names that are close to them may be of values that the step does not use.
    let others = [
      "worker", "containers", "submission", "problem", "host", "inherited", "limit", "resources",
      "unknown_placeholders",
    ]
    for key in others {
      _ = plan.read { json_object_del($0.raw, key) }
    }
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("plan") { writer in plan.read { writer.value($0) } }
      writer.member("image", step.image)
      writer.member("values") { writer in
        guard let values else { return writer.null() }
        values.read { writer.value($0) }
      }
      writer.member("needs", String(needs, radix: 16))
    }
    let buffer = writer.buffer()
    if buffer.isExhausted { return nil }
    // A secret may also have come through a reference to a parameter, or be in the name of a file.
    guard let whole = try? JSONText.parse(buffer.bytes),
      let shown = secrets.masked(whole)?.read({ JSONText.compact($0) })
    else { return nil }
    text = shown.string
  }

  func isSame(as other: JSONRef) -> Bool {
    var text = text
    let own = text.withUTF8 { try? JSONText.parse(UnsafeRawBufferPointer($0)) }
    return own?.read { json_equal($0.raw, other.raw) == 1 } ?? false
  }
}

extension ValueReads {
  /// The values as they are now, as an object without what is secret; `nil` if there is no memory for it.
  func now(in context: ContextValues, besides secrets: Set<Name>) -> JSONValue? {
    guard case .names(let names) = self else { return context.without(secrets) }
    guard let raw = json_object() else { return nil }
    let object = JSONValue(taking: raw)
    for name in names where !secrets.contains(name) {
      guard let value = context[name.text] else { continue }
      let isSet = name.bytes.withUnsafeBytes {
        json_object_setn(raw, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, value.raw) == 0
      }
      guard isSet else { return nil }
    }
    return object
  }
}
