internal import Glibc

/// The times of an engine: RFC 3339 with up to nine digits of a second, `2026-11-25T03:17:37.784828236Z`.
enum EngineTime {
  /// Since 1970; `nil` if it is none. The year 1 stands for never.
  static func seconds(_ text: String) -> Double? {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int32? {
      guard range.upperBound <= bytes.count else { return nil }
      return Int32(String(decoding: bytes[range], as: UTF8.self))
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), (1...12).contains(month), (1...31).contains(day),
      (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
    else { return nil }
    var fields = tm()
    fields.tm_year = year - 1900
    fields.tm_mon = month - 1
    fields.tm_mday = day
    fields.tm_hour = hour
    fields.tm_min = minute
    fields.tm_sec = second
    var at = 19
    var fraction = 0.0
    var scale = 0.1
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      while at < bytes.count, (48...57).contains(bytes[at]) {
        fraction += Double(bytes[at] - 48) * scale
        scale /= 10
        at += 1
      }
    }
    var offset = 0.0
    if at < bytes.count, bytes[at] != UInt8(ascii: "Z") {
      guard let hours = number((at + 1)..<(at + 3)), let minutes = number((at + 4)..<(at + 6)) else { return nil }
      offset = Double(hours) * 3600 + Double(minutes) * 60
      if bytes[at] == UInt8(ascii: "-") { offset = -offset }
    }
    return Double(timegm(&fields)) + fraction - offset
  }
}
