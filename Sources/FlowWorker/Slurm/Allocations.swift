/// The allocations of a pool: those that wait for a step, and the steps that wait for one.
///
/// There are at most so many at once, whatever number of steps is in flight: that bounds what the scheduler, and this
/// machine, have to do. A step takes one that is free; or asks for one; or waits in the line. One that it has asked for
/// and one that becomes free meanwhile are both good for it: who gets another's leaves its own to the next.
final class Allocations: Sendable {
  /// Where a step waits.
  final class Place {
    let submission: Submission
    /// Wakes the step.
    let bell: Pause
    /// What it gets, under the lock.
    fileprivate var offer: ClusterAgent?
    /// There may be one to ask for.
    fileprivate var isRung = false
    /// It has asked for one itself.
    fileprivate var hasOwn = false

    init(_ submission: Submission, bell: Pause) {
      self.submission = submission
      self.bell = bell
    }
  }

  enum Answer {
    case agent(ClusterAgent)
    /// Ask for one yourself.
    case ask
    case wait
  }

  private struct State {
    /// Without a step; the scheduler may not have given them yet.
    var idle: [ClusterAgent] = []
    var line: [Place] = []
    var counts: [(submission: Submission, count: Int)] = []

    mutating func stand(_ place: Place) { if !line.contains(where: { $0 === place }) { line.append(place) } }
  }

  private let state: Guarded<State>

  init() throws(FlowError) { state = try Guarded(State()) }

  /// Finds an allocation for a step, which then stands in the line unless it gets one at once.
  func take(_ place: Place) -> Answer {
    while true {
      var candidate: ClusterAgent?
      let answer = state.withLock { state -> Answer in
        place.isRung = false
        place.hasOwn = false
        if let index = state.idle.lastIndex(where: { $0.submission == place.submission && $0.isReady })
          ?? state.idle.lastIndex(where: { $0.submission == place.submission })
        {
          let found = state.idle.remove(at: index)
          candidate = found
          // One that is still waited for is as good as one of its own.
          place.hasOwn = !found.isReady
          if place.hasOwn { state.stand(place) }
          return .wait
        }
        state.stand(place)
        let index = state.counts.firstIndex { $0.submission == place.submission }
        guard let index else {
          state.counts.append((place.submission, 1))
          place.hasOwn = true
          return .ask
        }
        guard state.counts[index].count < place.submission.limit else { return .wait }
        state.counts[index].count += 1
        place.hasOwn = true
        return .ask
      }
      guard let candidate else { return answer }
      if candidate.isSound {
        candidate.limit(nil)
        return .agent(candidate)
      }
      forget(candidate.submission)
    }
  }

  /// What was given to a place since. It stands in the line no more if something was.
  func offer(to place: Place) -> ClusterAgent? {
    state.withLock { state in
      defer { place.offer = nil }
      return place.offer
    }
  }

  /// Whether the bell has been rung, also where nobody has heard it.
  func isRung(_ place: Place) -> Bool { state.withLock { _ in place.offer != nil || place.isRung } }

  /// The step waits no more. Gives what it was offered meanwhile.
  func leave(_ place: Place) -> ClusterAgent? {
    state.withLock { state in
      state.line.removeAll { $0 === place }
      defer { place.offer = nil }
      return place.offer
    }
  }

  /// Gives one back on which nothing is left of the step.
  func keep(_ agent: ClusterAgent) {
    let isForOne = agent.submission.hold <= 0
    let isTaken = state.withLock { state in
      guard !isForOne, agent.isReady, let index = state.line.firstIndex(where: { $0.submission == agent.submission }) else {
        return false
      }
      let place = state.line.remove(at: index)
      place.offer = agent
      place.bell.stop()
      return true
    }
    if isTaken { return }
    if isForOne {
      if !agent.isReady { agent.abandon() }
      agent.close()
      return forget(agent.submission)
    }
    // It ends by itself; one that is still in the queue leaves that.
    if agent.isReady {
      agent.hold(agent.submission.hold)
    } else {
      agent.limit(agent.submission.hold)
    }
    state.withLock { $0.idle.append(agent) }
  }

  /// One is no more: another may be asked for.
  func forget(_ submission: Submission) {
    state.withLock { state in
      if let index = state.counts.firstIndex(where: { $0.submission == submission }) {
        state.counts[index].count -= 1
        if state.counts[index].count <= 0 { state.counts.remove(at: index) }
      }
      guard let next = state.line.first(where: { $0.submission == submission && !$0.hasOwn }) else { return }
      next.isRung = true
      next.bell.stop()
    }
  }

  /// What a step had asked for is no more.
  func lose(_ place: Place) {
    state.withLock { _ in place.hasOwn = false }
    forget(place.submission)
  }
}
