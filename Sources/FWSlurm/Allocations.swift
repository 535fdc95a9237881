internal import CSystem
internal import FWBase
internal import FWExecution
internal import FWSystem

/// The allocations of a pool: the allocations that are idle, and the steps that wait for one.
///
/// The number of allocations at one time is limited, independently of the number of running steps. This bounds the load
/// of the scheduler and of this machine. A step takes an idle allocation, or requests one, or waits in the queue. A
/// waiting step takes the first allocation that is ready, its own or another one; if it takes another one, its own goes
/// to the next step.
final class Allocations: SharedResource {
  /// The entry of a waiting step in the queue.
  final class Waiter {
    let submission: Submission
    /// The timer that wakes the step.
    let wakeTimer: Timer
    /// The allocation that the step gets. It is set under the lock.
    fileprivate var offer: ClusterAgent?
    /// Whether the step may be able to request an allocation now.
    fileprivate var isWoken = false
    /// Whether the step has requested an allocation itself.
    fileprivate var hasRequested = false

    init(_ submission: Submission, wakeTimer: Timer) {
      self.submission = submission
      self.wakeTimer = wakeTimer
    }
  }

  enum Answer {
    case agent(ClusterAgent)
    /// The step has to request an allocation itself.
    case request
    case wait
  }

  private struct State {
    /// The allocations without a step. The scheduler may not have granted them yet.
    var idle: [ClusterAgent] = []
    var queue: [Waiter] = []
    var counts: [(submission: Submission, count: Int)] = []
    /// The time of the next look at a job in the scheduler's queue.
    var nextLook = 0.0

    mutating func enqueue(_ waiter: Waiter) { if !queue.contains(where: { $0 === waiter }) { queue.append(waiter) } }
  }

  private let state: Guarded<State>

  init() throws(FlowError) { state = try Guarded(State()) }

  /// Finds an allocation for a step. The step is put into the queue unless it gets an allocation at once.
  func take(_ waiter: Waiter) -> Answer {
    while true {
      var candidate: ClusterAgent?
      let answer = state.withLock { state -> Answer in
        waiter.isWoken = false
        waiter.hasRequested = false
        if let index = state.idle.lastIndex(where: { $0.submission == waiter.submission && $0.isReady })
          ?? state.idle.lastIndex(where: { $0.submission == waiter.submission })
        {
          let agent = state.idle.remove(at: index)
          candidate = agent
          // An allocation that is not ready yet counts as one that the step has requested itself.
          waiter.hasRequested = !agent.isReady
          if waiter.hasRequested { state.enqueue(waiter) }
          return .wait
        }
        state.enqueue(waiter)
        let index = state.counts.firstIndex { $0.submission == waiter.submission }
        guard let index else {
          state.counts.append((waiter.submission, 1))
          waiter.hasRequested = true
          return .request
        }
        guard state.counts[index].count < waiter.submission.limit else { return .wait }
        state.counts[index].count += 1
        waiter.hasRequested = true
        return .request
      }
      guard let candidate else { return answer }
      if candidate.isSound {
        candidate.limit(nil)
        return .agent(candidate)
      }
      forget(candidate.submission)
    }
  }

  /// The allocation that a waiting step has been given since the last call. A step that was given one has left the
  /// queue.
  func offer(to waiter: Waiter) -> ClusterAgent? {
    state.withLock { state in
      defer { waiter.offer = nil }
      return waiter.offer
    }
  }

  /// Whether the step has been woken, even if this has not been noticed yet.
  func isWoken(_ waiter: Waiter) -> Bool { state.withLock { _ in waiter.offer != nil || waiter.isWoken } }

  /// Takes a step out of the queue. Returns the allocation that the step was given meanwhile.
  func leave(_ waiter: Waiter) -> ClusterAgent? {
    state.withLock { state in
      state.queue.removeAll { $0 === waiter }
      defer { waiter.offer = nil }
      return waiter.offer
    }
  }

  /// Takes back an allocation in which no process of the step is left.
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
    // An idle allocation ends by itself after the hold time. One that is still in the scheduler's queue then leaves
    // that queue.
    if agent.isReady {
      agent.hold(agent.submission.hold)
    } else {
      agent.limit(agent.submission.hold)
    }
    state.withLock { $0.idle.append(agent) }
  }

  /// Notes that an allocation has ended, so that another one may be requested.
  func forget(_ submission: Submission) {
    state.withLock { state in
      if let index = state.counts.firstIndex(where: { $0.submission == submission }) {
        state.counts[index].count -= 1
        if state.counts[index].count <= 0 { state.counts.remove(at: index) }
      }
      guard let next = state.queue.first(where: { $0.submission == submission && !$0.hasRequested }) else { return }
      next.isWoken = true
      next.wakeTimer.stop()
    }
  }

  /// The number of seconds between two looks at the jobs of a pool. A controller needs some 12 ms for one look.
  private static let lookInterval = 0.25

  /// Reserves the next look at a job in the scheduler's queue. Returns the number of seconds until then. The jobs of a
  /// pool are looked at one after the other, so that many of them are no burden for the controller.
  func reserveLook() -> Double {
    let now = fws_monotonic()
    return state.withLock { state in
      let turn = max(now, state.nextLook)
      state.nextLook = turn + Allocations.lookInterval
      return turn - now
    }
  }

  /// Notes that the allocation that a step had requested has ended.
  func lose(_ waiter: Waiter) {
    state.withLock { _ in waiter.hasRequested = false }
    forget(waiter.submission)
  }
}
