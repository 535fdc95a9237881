internal import FWBase
internal import FWHTTP

/// Looks for containers whose host has died, and for those that could not be removed before, and removes them.
final class Sweep {
  private let engine: Engine
  private let link: HTTPLink
  private let limit: HTTPLimit
  /// Calls that have not been answered.
  private var calls = 0
  private var isMissed = false

  init(_ engine: Engine, _ link: HTTPLink, within limit: HTTPLimit) {
    self.engine = engine
    self.limit = limit
    self.link = link
    look()
  }

  // The next step does what this one has not come to.
  deinit { if calls > 0 || isMissed { engine.missSweep() } }

  var isOver: Bool { calls == 0 }

  private func look() {
    calls += 1
    // One that is added from now on may be missing in the list.
    let leftovers = engine.leftovers
    let filter = URLText.escaped("{\"label\":[\"\(HostLabel.key)\"]}")
    link.call("GET", engine.path("/containers/json?all=1&filters=\(filter)"), within: limit) { [weak self] answer in
      guard let self else { return }
      defer { endCall() }
      guard answer.isSuccess else {
        isMissed = true
        return
      }
      var found: Set<String> = []
      var dead: [String] = []
      _ = answer.read { json -> Void? in
        json.forEachElement { _, container in
          guard let id = container["Id"]?.string, let label = container["Labels"]?[HostLabel.key]?.string else {
            return
          }
          let name = container["Names"]?.element(0)?.string.map { String($0.without(prefix: "/") ?? $0[...]) } ?? id
          found.insert(name)
          if leftovers.contains(name) {
            dead.append(name)
          } else if !HostLabel.isOwn(label), HostLabel(label)?.isDead ?? false {
            dead.append(id)
          }
        }
        return ()
      }
      engine.forgetLeftovers(but: found)
      for name in dead {
        calls += 1
        let path = engine.path("/containers/\(URLText.escaped(name))?force=1&v=1")
        link.call("DELETE", path, within: limit) { [weak self] answer in
          if answer.isSuccess || answer.status == 404 { self?.engine.removeLeftover(name) }
          self?.endCall()
        }
      }
    }
  }

  private func endCall() { calls -= 1 }
}
