/// Why a document cannot be used, and the place of the value that is wrong.
///
/// The place is built from the inside out: the reader that finds the fault knows what is wrong, and each reader around
/// it adds its own step. So no place is built for a document that is right.
@usableFromInline package struct ValidationError: Error {
  package let message: String
  /// The steps to the value, the last one first.
  private(set) var inwards: [JSONPointer.Step]
  /// Whether the key of the member is wrong, and not its value.
  package let isAboutKey: Bool

  package init(_ message: String, isAboutKey: Bool = false) {
    self.message = message
    inwards = []
    self.isAboutKey = isAboutKey
  }

  /// The same error with words before and behind its message.
  package func wrapped(in words: String, _ hint: String = "") -> ValidationError {
    var wrapped = ValidationError(words + message + hint, isAboutKey: isAboutKey)
    wrapped.inwards = inwards
    return wrapped
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

/// A place in a document, kept as the steps that lead to the place. The text of a pointer is made only for an error.
package struct JSONPointer {
  let steps: [Step]

  enum Step {
    case key(String)
    case index(Int)
  }

  /// The value to which the pointer leads from a document.
  package func value(in document: JSONRef) -> JSONRef? {
    var value: JSONRef? = document
    for step in steps {
      switch step {
      case .key(let name): value = value?.member(name)
      case .index(let index): value = value?.element(index)
      }
    }
    return value
  }

  /// The pointer as RFC 6901 writes it: `~` becomes `~0`, and `/` becomes `~1`.
  package var text: String {
    var text = ""
    for step in steps {
      text += "/"
      switch step {
      case .index(let number): text += String(number)
      case .key(let name):
        for scalar in name.unicodeScalars {
          switch scalar {
          case "~": text += "~0"
          case "/": text += "~1"
          default: text.unicodeScalars.append(scalar)
          }
        }
      }
    }
    return text
  }
}
