internal import FWBase
internal import Glibc

/// A header line of an answer.
struct HTTPHeader {
  /// The name in lower case.
  let name: String
  let value: String
}

/// What is taken from the head of an answer, whose lines libcurl gives one by one.
struct HTTPHead {
  /// The version of the engine's API, if the answer names it.
  private(set) var apiVersion: String?
  /// Whether the answer says that the engine is Podman.
  private(set) var isPodman = false
  /// The first lines; empty unless they are kept.
  private(set) var lines: [HTTPHeader] = []
  private let keepsLines: Bool

  private static let mostLines = 100

  init(keepsLines: Bool) { self.keepsLines = keepsLines }

  mutating func take(_ line: UnsafeRawBufferPointer) {
    if keepsLines, let colon = line.firstIndex(of: UInt8(ascii: ":")), lines.count < HTTPHead.mostLines {
      let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      lines.append(
        HTTPHeader(
          name: String(decoding: line[..<colon], as: UTF8.self).smallLetters,
          value: String(decoding: value, as: UTF8.self)))
    }
    if let version = HTTPHead.value(of: "api-version:", in: line) { apiVersion = version }
    isPodman = isPodman || HTTPHead.value(of: "libpod-api-version:", in: line) != nil
  }

  /// The value in a line of a head; `nil` if it is the line of another name.
  private static func value(of name: StaticString, in line: UnsafeRawBufferPointer) -> String? {
    guard let start = line.baseAddress, line.count > name.utf8CodeUnitCount,
      strncasecmp(start, name.utf8Start, name.utf8CodeUnitCount) == 0
    else { return nil }
    return String(
      decoding: line.dropFirst(name.utf8CodeUnitCount).filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
  }
}
