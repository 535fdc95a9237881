import Glibc
import Testing

@testable import FWDocker

@Suite struct HostLabelTests {
  /// The label of this process, with some of its parts replaced.
  private func label(
    machine: String? = nil, boot: String? = nil, namespace: String? = nil, pid: String? = nil, start: String? = nil
  ) -> String {
    let own = HostLabel.own.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return [machine ?? own[0], boot ?? own[1], namespace ?? own[2], pid ?? own[3], start ?? own[4]].joined(
      separator: ".")
  }

  private func isDead(_ label: String) -> Bool? { HostLabel(label)?.isDead }

  /// The number of a process that has ended and was reaped.
  private func endedProcess() -> Int32 {
    var pid: Int32 = 0
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
    defer { free(arguments[0]) }
    #expect(posix_spawn(&pid, "/bin/true", nil, nil, &arguments, nil) == 0)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return pid
  }

  @Test("the label of this process is its own, and the process is alive")
  func own() {
    let own = HostLabel.own
    #expect(own == label() && HostLabel.isOwn(own))
    #expect(own.split(separator: ".")[3] == "\(getpid())")
    #expect(isDead(own) == false)
    // The label must be valid as the value of an engine's label, and be one line.
    #expect(own.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
  }

  @Test("a process that has ended is dead, even if another process has its number")
  func gone() {
    let ended = label(pid: "\(endedProcess())")
    #expect(isDead(ended) == true && !HostLabel.isOwn(ended))
    let before = label(start: "1")
    #expect(isDead(before) == true && !HostLabel.isOwn(before))
  }

  @Test("a process on another machine or in another namespace is not known to be dead")
  func elsewhere() {
    let ended = "\(endedProcess())"
    #expect(isDead(label(machine: "0123456789abcdef0123456789abcdef", pid: ended)) == false)
    #expect(isDead(label(machine: "0123456789abcdef0123456789abcdef", boot: "another", pid: ended)) == false)
    #expect(isDead(label(namespace: "1", pid: ended)) == false)
    #expect(isDead(label(boot: "-", pid: ended)) == false)
  }

  @Test("no process outlives a boot of its machine")
  func boots() {
    // Two machines without a name cannot be told apart.
    let isNamed = !label().hasPrefix("-.")
    #expect(isDead(label(boot: "another")) == isNamed)
    #expect(isDead(label(machine: "-", boot: "another")) == false)
  }

  @Test(
    "text that is no label of the library's belongs to nobody",
    arguments: ["", "x", "....", "a.b.c.d", "a.b.c.d.e.f", "a.b.c.d.e", "\u{1F600}.\u{E9}.1.2.3"])
  func strangers(_ text: String) {
    #expect(isDead(text) ?? false == false && !HostLabel.isOwn(text))
    #expect((HostLabel(text) == nil) == (text.filter { $0 == "." }.count != 4))
  }
}
