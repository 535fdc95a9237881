internal import FWBase
internal import FWModel

/// What names a step, or an instance of one, in the state directory: the name of the step, the values of the instance,
/// and a number among the instances of the step that have equal values. So a step is found again at another position
/// in the document, and an instance when its list has changed before it.
struct StepIdentity: Hashable {
  /// A hash of the name and the values.
  let hash: UInt64
  /// The number of earlier instances with equal values.
  let ordinal: Int

  init(hash: UInt64, ordinal: Int = 0) {
    self.hash = hash
    self.ordinal = ordinal
  }

  init(of step: Step) { self.init(hash: StepIdentity.hash(step.cName.string, nil)) }

  static func hash(_ step: String, _ values: JSONRef?) -> UInt64 {
    var hash = StableHash()
    hash.add(whole: step.utf8)
    if let text = values.flatMap({ JSONText.compact($0, sortingKeys: true) }) { hash.add(text.bytes) }
    return hash.value
  }

  /// The text of one line in the list of steps that have begun.
  var line: String { String(hash, radix: 16) + " " + String(ordinal) }

  init?(line: Substring) {
    let parts = line.pieces(at: " ", keepingEmpty: true)
    guard parts.count == 2, let hash = UInt64(parts[0], radix: 16), let ordinal = Int(parts[1]), ordinal >= 0 else {
      return nil
    }
    self.init(hash: hash, ordinal: ordinal)
  }
}

/// The identities of all instances of a step. Equal values are rare, so only their instances are listed.
struct InstanceIdentities {
  /// The instances that have the values of another one, in order of the hash and then of the instance.
  private var equal: [(hash: UInt64, instance: Int)] = []
  /// A hash of the number of instances and of all their values.
  private(set) var total: UInt64 = 0

  init(_ step: Step, _ instances: Instances) throws(FlowError) {
    var all: [(hash: UInt64, instance: Int)] = []
    all.reserveCapacity(instances.count)
    for number in 0..<instances.count {
      let hash = try instances.values(number).read { StepIdentity.hash(step.cName.string, $0) }
      total &+= hash &* 0x9e37_79b9_7f4a_7c15 | 1
      all.append((hash, number))
    }
    all.sort { ($0.hash, $0.instance) < ($1.hash, $1.instance) }
    for at in all.indices {
      let isFirst = at == 0 || all[at - 1].hash != all[at].hash
      let isLast = at + 1 == all.count || all[at + 1].hash != all[at].hash
      if !(isFirst && isLast) { equal.append(all[at]) }
    }
  }

  func identity(of instance: Int, hash: UInt64) -> StepIdentity {
    let first = equal.lowerBound { $0.hash < hash }
    let own = equal.lowerBound { ($0.hash, $0.instance) < (hash, instance) }
    return StepIdentity(hash: hash, ordinal: own - first)
  }
}

extension RandomAccessCollection where Index == Int {
  /// The position behind the elements at the beginning for which a condition holds, which holds for none behind them.
  func lowerBound(_ isBefore: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if isBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
