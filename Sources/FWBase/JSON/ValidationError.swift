/// Why a document cannot be used, told from the inside out: whoever found the value knows what is
/// wrong, and each reader on the way out adds its step to the value's place. Nothing is built for a
/// place as long as all is well.
package struct ValidationError: Error {
  package let message: String
  private(set) var inwards: [JSONPointer.Step]
  /// The error is about the key of the member, not about its value.
  let isAboutKey: Bool

  package init(_ message: String, isAboutKey: Bool = false) {
    self.message = message
    inwards = []
    self.isAboutKey = isAboutKey
  }

  package func inside(_ key: String) -> ValidationError { adding(.key(key)) }
  package func inside(_ index: Int) -> ValidationError { adding(.index(index)) }

  private func adding(_ step: JSONPointer.Step) -> ValidationError {
    var outer = self
    outer.inwards.append(step)
    return outer
  }

  package var pointer: JSONPointer { JSONPointer(steps: inwards.reversed()) }

  /// The error for the caller, with line and column where the text is at hand.
  package func error(in text: UnsafeRawBufferPointer?) -> FlowError {
    FlowError(
      .document, message, path: pointer.text,
      position: text.flatMap { JSONLocator(text: $0).position(of: pointer, atKey: isAboutKey) })
  }
}
