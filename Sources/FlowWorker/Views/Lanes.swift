internal import FWBase
internal import FWModel

extension Timeline {
  /// The rows of one lane, one after the other.
  struct Lane {
    let name: String
    let rows: [Row]
  }

  /// The lanes of a run: those in which steps ran now, and those that show steps of an earlier run, if there are any.
  var lanes: [Lane] {
    var lanes: [Int: [Row]] = [:]
    for row in fresh { lanes[row.lane, default: []].append(row) }
    let isOne = lanes.count == 1
    var all = lanes.sorted { $0.key < $1.key }.map { lane, rows in
      Lane(name: isOne ? "steps" : "lane \(lane + 1)", rows: rows.sorted { $0.started < $1.started })
    }
    let earlier = Timeline.packed(rows.filter(\.isRestored))
    for (number, rows) in earlier.enumerated() {
      all.append(Lane(name: earlier.count == 1 ? "restored" : "restored \(number + 1)", rows: rows))
    }
    return all
  }

  /// Whether steps ran at once.
  var hasLanes: Bool {
    let lane = fresh.first?.lane
    return fresh.contains { $0.lane != lane }
  }

  /// Puts rows into as few lanes as they need, so that no two of a lane overlap.
  private static func packed(_ rows: [Row]) -> [[Row]] {
    var lanes: [[Row]] = []
    for row in rows.sorted(by: { $0.started < $1.started }) {
      if let free = lanes.firstIndex(where: { $0.last.map { $0.ended <= row.started } ?? true }) {
        lanes[free].append(row)
      } else {
        lanes.append([row])
      }
    }
    return lanes
  }

  /// A step of the path that decided how long the run took, and what it waited for.
  struct PathStep {
    enum Wait {
      /// It was one of the first.
      case nothing
      /// It needed the step before it on the path.
      case need
      /// It had all that it needed, and the step before it on the path had its lane.
      case lane(StepSchedule.Hold?)
    }

    let row: Row
    let wait: Wait
  }

  /// The steps that decided how long the run took, in order: the last one ended last, and each waited for the one
  /// before it. Steps of an earlier run are not on it.
  var criticalPath: [PathStep] {
    let fresh = fresh
    guard var at = fresh.indices.max(by: { fresh[$0].ended < fresh[$1].ended }) else { return [] }
    var places: [StepPlace: Int] = [:]
    var ends: [Int: Int] = [:]
    for (position, row) in fresh.enumerated() {
      if let place = row.result.place {
        places[place] = position
        // What waits for a whole step names no instance, and waits for that which ended last.
        if place.instance != nil, ends[place.index].map({ fresh[$0].ended < row.ended }) ?? true {
          ends[place.index] = position
        }
      }
    }
    var inLane: [Int: Int] = [:]
    var before: [Int?] = Array(repeating: nil, count: fresh.count)
    for position in fresh.indices.sorted(by: { fresh[$0].started < fresh[$1].started }) {
      before[position] = inLane.updateValue(position, forKey: fresh[position].lane)
    }
    var path: [PathStep] = []
    // Each step of the path began before the one behind it, so this ends.
    while path.count < fresh.count {
      let row = fresh[at]
      let schedule = row.result.schedule
      let need = schedule?.after.flatMap { places[$0.place] ?? ends[$0.place.index] }
      var next: (position: Int, wait: PathStep.Wait)?
      if let hold = schedule?.held, let lane = before[at] {
        next = (lane, .lane(hold))
      } else if let need {
        next = (need, .need)
      }
      guard let next, fresh[next.position].started < row.started else {
        path.append(PathStep(row: row, wait: .nothing))
        break
      }
      path.append(PathStep(row: row, wait: next.wait))
      at = next.position
    }
    return path.reversed()
  }
}

extension Timeline.Row {
  var ended: Double { started + duration }
  var lane: Int { result.schedule?.lane ?? 0 }
}
