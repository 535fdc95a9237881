/// A place in a document, kept as the way to it and written out only when an error needs it.
package struct JSONPointer {
  private(set) var steps: [Step]

  enum Step {
    case key(String)
    case index(Int)
  }

  static let root = JSONPointer(steps: [])

  func key(_ name: String) -> JSONPointer { JSONPointer(steps: steps + [.key(name)]) }
  func index(_ number: Int) -> JSONPointer { JSONPointer(steps: steps + [.index(number)]) }

  /// RFC 6901: `~` is written `~0`, `/` is written `~1`.
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
