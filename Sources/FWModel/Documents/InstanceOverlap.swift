package import FWBase

extension Step {
  /// Checks the keys of all instances before the first one runs. Throws if two instances write one key, or if the key
  /// of one is a folder above that of another.
  ///
  /// - Parameter areLooking: whether the instances may look for their inputs in several volumes.
  /// - Returns: whether the instances have to run in order, because one reads what another one writes, or because one
  ///   looks for a folder and another one for something in it.
  package func checkKeys(of instances: Instances, areLooking: Bool = false) throws(FlowError) -> Bool {
    guard let templates, let forEach, !templates.isEmpty else { return false }
    if instances.count > 1, type != .notebook {
      let first = try InstanceKeys(self, 0, instances.values(0)).files
      // The values have no `/` here, so a key is as deep in each instance as in the first one.
      let isFlat = Set(first.inputs.map(\.depth)).count < 2
      if !areLooking || isFlat, SeparateKeys.areSeparate(templates, first, instances) { return false }
    }
    var overlap = InstanceOverlap(self, templates, forEach, instances, areLooking: areLooking)
    return try overlap.check()
  }

  /// The keys that the step writes: its outputs, and the notebook that it makes.
  fileprivate static func written(_ keys: InstanceKeys, _ type: StepType) -> [VolumeKey] {
    keys.files.outputs + (type == .notebook ? [notebookKey(keys.notebook.output)] : [])
  }

  /// The keys that the step reads: its inputs, and its notebook.
  fileprivate static func read(_ keys: InstanceKeys, _ type: StepType) -> [VolumeKey] {
    keys.files.inputs + (type == .notebook ? [notebookKey(keys.notebook.notebook)] : [])
  }

  /// The path of a notebook, which need not be a key of a volume.
  private static func notebookKey(_ path: String) -> VolumeKey {
    (try? VolumeKey(checking: path)) ?? VolumeKey(inBase: Array(path.utf8))
  }
}

/// The search for keys that two instances of one step share. It keeps 16 bytes of each key: a hash, and a number by
/// which the key is made again to compare it.
private struct InstanceOverlap {
  private struct Entry {
    let hash: UInt64
    /// The number of the instance; -1 for a key that all instances have.
    let instance: Int32
    /// The number of the key among those that the instance writes or reads.
    let slot: Int32

    static func precedes(_ one: Entry, _ other: Entry) -> Bool {
      (one.hash, one.instance, one.slot) < (other.hash, other.instance, other.slot)
    }
  }

  /// Two keys of two instances, the earlier instance first.
  private struct Conflict {
    let first: (instance: Int, key: VolumeKey)
    let second: (instance: Int, key: VolumeKey, slot: Int)
  }

  private let step: Step
  private let templates: StepTemplates
  private let forEach: ForEach
  private let instances: Instances
  private let areLooking: Bool
  private var written: [Entry] = []
  private var read: [Entry] = []
  /// How many folders the keys are in. Keys of one depth are in none of each other.
  private var writtenDepths = Depths()
  private var readDepths = Depths()

  private struct Depths {
    private(set) var least = Int.max
    private(set) var most = -1

    mutating func add(_ key: VolumeKey) {
      let depth = key.depth
      (least, most) = (min(least, depth), max(most, depth))
    }
  }

  init(
    _ step: Step, _ templates: StepTemplates, _ forEach: ForEach, _ instances: Instances, areLooking: Bool
  ) {
    self.step = step
    self.templates = templates
    self.forEach = forEach
    self.instances = instances
    self.areLooking = areLooking
  }

  mutating func check() throws(FlowError) -> Bool {
    let constant = templates.inputs.map { $0.constant != nil }
    for instance in 0..<instances.count {
      let keys = try keys(instance)
      // What nobody writes is only checked for being keys, unless it matters who looks for it first.
      if keys.written.isEmpty, !areLooking { continue }
      for (slot, key) in keys.written.enumerated() {
        written.append(entry(key, instance, slot))
        writtenDepths.add(key)
      }
      for (slot, key) in keys.read.enumerated() {
        let isConstant = slot < constant.count && constant[slot]
        if isConstant, instance > 0 { continue }
        read.append(entry(key, isConstant ? -1 : instance, slot))
        readDepths.add(key)
      }
    }
    if written.isEmpty && !areLooking || instances.count < 2 { return false }
    written.sort(by: Entry.precedes)
    if let conflict = try conflict() { throw refusal(conflict) }
    if read.isEmpty { return false }
    read.sort(by: Entry.precedes)
    if areLooking, try isFolderOfOther() { return true }
    return try isOrdered()
  }

  /// Whether an instance reads a folder in which another one reads something.
  private func isFolderOfOther() throws(FlowError) -> Bool {
    guard readDepths.least < readDepths.most else { return false }
    for entry in read
    where try above(key(entry, isRead: true), in: read, besides: Int(entry.instance), isRead: true) != nil {
      return true
    }
    return false
  }

  private func entry(_ key: VolumeKey, _ instance: Int, _ slot: Int) -> Entry {
    Entry(hash: InstanceOverlap.hash(key), instance: Int32(clamping: instance), slot: Int32(clamping: slot))
  }

  private func keys(_ instance: Int) throws(FlowError) -> (written: [VolumeKey], read: [VolumeKey]) {
    let keys = try InstanceKeys(step, instance, instances.values(instance))
    return (Step.written(keys, step.type), Step.read(keys, step.type))
  }

  /// The conflict whose later instance is the first one that has any.
  private func conflict() throws(FlowError) -> Conflict? {
    var found: Conflict?
    for (entry, next) in zip(written, written.dropFirst())
    where entry.hash == next.hash && entry.instance != next.instance {
      if let found, found.second.instance <= Int(next.instance) { continue }
      let (one, other) = (try key(entry, isRead: false), try key(next, isRead: false))
      guard one.path == other.path else { continue }
      found = Conflict(first: (Int(entry.instance), one), second: (Int(next.instance), other, Int(next.slot)))
    }
    guard writtenDepths.least < writtenDepths.most else { return found }
    for instance in 0..<instances.count {
      for (slot, key) in try keys(instance).written.enumerated() {
        guard let above = try above(key, in: written, besides: instance, isRead: false) else { continue }
        let late = max(above.instance, instance)
        if let found, found.second.instance <= late { continue }
        found =
          above.instance < instance
          ? Conflict(first: (above.instance, above.key), second: (instance, key, slot))
          : Conflict(first: (instance, key), second: (above.instance, above.key, above.slot))
      }
    }
    return found
  }

  /// Whether an instance reads what another one writes.
  private func isOrdered() throws(FlowError) -> Bool {
    var next = 0
    for entry in read {
      while next < written.count, written[next].hash < entry.hash { next += 1 }
      var at = next
      while at < written.count, written[at].hash == entry.hash {
        if written[at].instance != entry.instance,
          try key(written[at], isRead: false).path == key(entry, isRead: true).path
        {
          return true
        }
        at += 1
      }
    }
    if writtenDepths.least < readDepths.most {
      for entry in read {
        let key = try key(entry, isRead: true)
        if try above(key, in: written, besides: Int(entry.instance), isRead: false) != nil { return true }
      }
    }
    guard readDepths.least < writtenDepths.most else { return false }
    for entry in written {
      let key = try key(entry, isRead: false)
      if try above(key, in: read, besides: Int(entry.instance), isRead: true) != nil { return true }
    }
    return false
  }

  /// A key of another instance that is a folder above a key.
  private func above(_ key: VolumeKey, in entries: [Entry], besides instance: Int, isRead: Bool) throws(FlowError)
    -> (instance: Int, key: VolumeKey, slot: Int)?
  {
    var parent = key.parent
    while let folder = parent {
      for entry in InstanceOverlap.entries(InstanceOverlap.hash(folder), in: entries)
      where Int(entry.instance) != instance {
        let own = try self.key(entry, isRead: isRead)
        if own.path == folder.path { return (Int(entry.instance), own, Int(entry.slot)) }
      }
      parent = folder.parent
    }
    return nil
  }

  private func key(_ entry: Entry, isRead: Bool) throws(FlowError) -> VolumeKey {
    let keys = try keys(max(0, Int(entry.instance)))
    let list = isRead ? keys.read : keys.written
    return list.indices.contains(Int(entry.slot)) ? list[Int(entry.slot)] : VolumeKey(inBase: [])
  }

  /// The entries with a hash.
  private static func entries(_ hash: UInt64, in sorted: [Entry]) -> ArraySlice<Entry> {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle].hash < hash { low = middle + 1 } else { high = middle }
    }
    return sorted[low...].prefix { $0.hash == hash }
  }

  private static func hash(_ key: VolumeKey) -> UInt64 {
    var hasher = Hasher()
    (key.namesFolder ? key.bytes.dropLast() : key.bytes[...]).withUnsafeBytes { hasher.combine(bytes: $0) }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  private func refusal(_ conflict: Conflict) -> FlowError {
    let (first, second) = (conflict.first, conflict.second)
    let what: String
    if first.key.path == second.key.path {
      what = "both write the key \(second.key.shown)"
    } else {
      let (folder, key) = second.key.isInside(first.key) ? (first.key, second.key) : (second.key, first.key)
      what = "write the folder \(folder.shown) and the key \(key.shown) in it"
    }
    let slot = second.slot < step.files.outputs.count ? "/files/outputs/\(second.slot)" : "/action/output"
    return FlowError(
      .document,
      "step \(MessageFormat.quoted(step.cName.string)): the instances \(shown(first.instance)) and "
        + "\(shown(second.instance)) \(what): give each instance keys of its own", path: slot)
  }

  private func shown(_ instance: Int) -> String {
    guard let values = try? instances.values(instance) else { return "\(instance)" }
    return "\(instance) (\(ForEach.shown(values, limit: 200)))"
  }
}
