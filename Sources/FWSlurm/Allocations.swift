internal import FWBase
internal import FWExecution
internal import FWSystem

/// The allocations of a pool: those that wait for a step, and the steps that wait for one.
///
/// There are at most so many at once, whatever number of steps is in flight: that bounds what the scheduler, and this
/// machine, have to do. A step takes one that is free; or asks for one; or waits in the queue. One that it has asked for
/// and one that becomes free meanwhile are both good for it: who gets another's leaves its own to the next.
final class Allocations: SharedResource {
  /// Where a step waits.
  final class Waiter {
    let submission: Submission
    /// Wakes the step.
    let wakeTimer: Timer
    /// What it gets, under the lock.
    fileprivate var offer: ClusterAgent?
    /// There may be one to ask for.
    fileprivate var isWoken = false
    /// It has asked for one itself.
    fileprivate var hasOwn = false

    init(_ submission: Submission, wakeTimer: Timer) {
      self.submission = submission
      self.wakeTimer = wakeTimer
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
    var queue: [Waiter] = []
    var counts: [(submission: Submission, count: Int)] = []

    mutating func enqueue(_ waiter: Waiter) { if !queue.contains(where: { $0 === waiter }) { queue.append(waiter) } }
  }

  private let state: Guarded<State>

  init() throws(FlowError) { state = try Guarded(State()) }

  /// Finds an allocation for a step, which then stands in the queue unless it gets one at once.
  func take(_ waiter: Waiter) -> Answer {
    while true {
      var candidate: ClusterAgent?
      let answer = state.withLock { state -> Answer in
        waiter.isWoken = false
        waiter.hasOwn = false
        if let index = state.idle.lastIndex(where: { $0.submission == waiter.submission && $0.isReady })
          ?? state.idle.lastIndex(where: { $0.submission == waiter.submission })
        {
          let found = state.idle.remove(at: index)
          candidate = found
          // One that is still waited for is as good as one of its own.
          waiter.hasOwn = !found.isReady
          if waiter.hasOwn { state.enqueue(waiter) }
          return .wait
        }
        state.enqueue(waiter)
        let index = state.counts.firstIndex { $0.submission == waiter.submission }
        guard let index else {
          state.counts.append((waiter.submission, 1))
          waiter.hasOwn = true
          return .ask
        }
        guard state.counts[index].count < waiter.submission.limit else { return .wait }
        state.counts[index].count += 1
        waiter.hasOwn = true
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

  /// What was given to a waiter since. It stands in the queue no more if something was.
  func offer(to waiter: Waiter) -> ClusterAgent? {
    state.withLock { state in
      defer { waiter.offer = nil }
      return waiter.offer
    }
  }

  /// Whether the step has been woken, even if nobody has seen that yet.
  func isWoken(_ waiter: Waiter) -> Bool { state.withLock { _ in waiter.offer != nil || waiter.isWoken } }

  /// The step waits no more. Gives what it was offered meanwhile.
  func leave(_ waiter: Waiter) -> ClusterAgent? {
    state.withLock { state in
      state.queue.removeAll { $0 === waiter }
      defer { waiter.offer = nil }
      return waiter.offer
    }
  }

  /// Gives one back on which nothing is left of the step.
  func keep(_ agent: ClusterAgent) {
    let isForOne = agent.submission.hold <= 0
    let isTaken = state.withLock { state in
      guard !isForOne, agent.isReady, let index = state.queue.firstIndex(where: { $0.submission == agent.submission })
      else {
        return false
      }
      let waiter = state.queue.remove(at: index)
      waiter.offer = agent
      waiter.wakeTimer.stop()
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
      guard let next = state.queue.first(where: { $0.submission == submission && !$0.hasOwn }) else { return }
      next.isWoken = true
      next.wakeTimer.stop()
    }
  }

  /// What a step had asked for is no more.
  func lose(_ waiter: Waiter) {
    state.withLock { _ in waiter.hasOwn = false }
    forget(waiter.submission)
  }
}
