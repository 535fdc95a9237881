/// The search for the name that somebody meant.
extension MessageFormat {
  /// The most known names that are compared with a wrong one, and the most bytes of each. More would cost more time
  /// than the hint in a message is worth.
  private static let mostCompared = 1000
  private static let longestCompared = 64

  /// The fewest bytes of a name that count as the beginning of another.
  private static let shortestBeginning = 3

  /// The known name that is most similar to a wrong one, or else one that begins with it or is its beginning; `nil` if
  /// there is none.
  package static func closest<Names: Sequence>(to wrong: String, among known: Names) -> String?
  where Names.Element == String {
    let letters = Array(wrong.utf8.prefix(longestCompared + 1))
    guard letters.count <= longestCompared else { return nil }
    var best: (name: String, distance: Int)?
    var beginning: String?
    var compared = 0
    for name in known {
      let count = name.utf8.count
      if beginning == nil, min(count, letters.count) >= shortestBeginning, count <= longestCompared {
        if zip(name.utf8, letters).allSatisfy({ lowercase($0) == lowercase($1) }) { beginning = name }
      }
      // The distance is at least the difference of the lengths.
      let least = abs(count - letters.count)
      guard count <= longestCompared, least <= farthest(count), least < letters.count else { continue }
      compared += 1
      if compared > mostCompared { break }
      let distance = editDistance(letters, Array(name.utf8))
      if distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    guard let best, best.distance <= farthest(best.name.utf8.count), best.distance < letters.count else {
      return beginning
    }
    return best.name
  }

  private static func farthest(_ count: Int) -> Int { max(2, count / 3) }

  /// The number of insertions, deletions, changes and swaps of neighbours that turn one name into the other.
  private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        let same = lowercase(a[i]) == lowercase(b[j])
        var cost = min(last[j] + (same ? 0 : 1), min(last[j + 1], row[j]) + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }

  private static func lowercase(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
  }
}
