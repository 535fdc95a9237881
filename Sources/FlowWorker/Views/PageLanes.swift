internal import FWBase
internal import FWModel

/// The parts of a page about steps that ran at once: the lanes, and the path that decided how long the run took.
extension Page {
  /// The most steps that are shown of all lanes, and of the path.
  private static let mostBars = 2000
  private static let mostPath = 50

  mutating func lanes() {
    let lanes = timeline.lanes.filter { $0.rows.first?.isRestored == false }
    guard timeline.run != nil, timeline.hasLanes else { return }
    add("<section id=\"lanes\"><h2>Lanes</h2>")
    axis()
    let most = max(1, Page.mostBars / lanes.count)
    for lane in lanes {
      add("<div class=\"row\"><span class=\"plain\">\(lane.name)</span><span class=\"lane\">")
      for row in lane.rows.suffix(most) {
        add("<i class=\"step \(row.returncode == 0 ? "running" : "running bad")\"")
        style(row.started, row.duration)
        add(" title=\"")
        put("\(row.index + 1). \(row.name), \(PageText.duration(row.duration))")
        add("\"></i>")
      }
      let busy = lane.rows.reduce(0) { $0 + $1.duration }
      let share = timeline.duration > 0 ? Int(min(100, (busy / timeline.duration * 100).rounded())) : 0
      add("</span><span class=\"end\">\(PageText.count(lane.rows.count, "step")), \(share) % busy</span></div>")
      left(lane.rows.count - most, "earlier step")
    }
    add("</section>")
  }

  mutating func criticalPath() {
    guard let run = timeline.run, run.jobs > 1 else { return }
    let path = timeline.criticalPath
    guard path.count > 1 else { return }
    add("<section id=\"path\"><h2>Critical path</h2><p>These steps decided how long the run took: ")
    add("each waited for the one before it.</p><ol>")
    for step in path.suffix(Page.mostPath) {
      add("<li>\(step.row.index + 1). <b>")
      put(step.row.name)
      add("</b> <small>\(PageText.duration(step.row.duration))")
      switch step.wait {
      case .nothing: break
      case .need: add(", needed the step before it")
      case .lane(let hold): add(", was ready, and waited for \(Page.words(hold))")
      }
      add("</small></li>")
    }
    add("</ol>")
    left(path.count - Page.mostPath, "earlier step")
    add("</section>")
  }

  private static func words(_ hold: StepSchedule.Hold?) -> String {
    switch hold {
    case .limit: return "a place on its worker"
    case .resources: return "resources"
    case .jobs, nil: return "a free lane"
    }
  }

  /// What a step waited for, and what waited for it.
  mutating func schedule(of row: Timeline.Row) {
    guard let schedule = row.result.schedule, let run = timeline.run else { return }
    if run.jobs > 1 { fact("Lane", "\(schedule.lane + 1)") }
    var waits: [String] = []
    if let after = schedule.after {
      let instance = after.place.instance.map { ", instance \($0)" } ?? ""
      waits.append("the end of step \(after.place.index + 1), \(after.name)\(instance)")
    }
    let wait = row.started - schedule.ready
    if let hold = schedule.held, wait > 0 {
      waits.append("\(Page.words(hold)), for \(PageText.duration(wait))")
    }
    if !waits.isEmpty { fact("Waited for", waits.joined(separator: "; then ")) }
    if run.jobs > 1, let barrier = schedule.barrier { fact("Alone because", barrier) }
  }
}
