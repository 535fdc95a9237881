import Testing

@testable import FWBase
@testable import FWModel
@testable import FWSlurm

@Suite struct WaitReasonTests {
  @Test(
    "a request that exceeds a limit never starts",
    arguments: [
      "PartitionTimeLimit", "PartitionConfig", "BadConstraints", "AccountNotAllowed", "InvalidAccount", "InvalidQOS",
      "QOSNotAllowed", "QOSMaxWallDurationPerJobLimit", "QOSMaxCpuPerJobLimit", "QOSMaxMemoryPerJob",
      "QOSMaxCpuPerNode",
      "QOSMinCpuNotSatisfied", "QOSMinGRES", "AssocMaxCpuPerJobLimit", "AssocMaxWallDurationPerJobLimit",
      "AssocMaxMemPerNode", "MaxMemPerLimit", "DependencyNeverSatisfied", "ReservationDeleted", "DeadLine",
    ])
  func never(_ text: String) throws {
    let reason = try #require(WaitReason(text))
    #expect(reason.isFinal && reason.shown.hasPrefix("\(text) (") && reason.advice != WaitReason.patience)
  }

  @Test(
    "what other jobs, nodes, times or people decide may pass",
    arguments: [
      "Resources", "Priority", "Dependency", "BeginTime", "Licenses", "Reservation",
      "ReqNodeNotAvail, Reserved for maintenance",
      "ReqNodeNotAvail, UnavailableNodes:n[1-3],n7", "ReqNodeNotAvail,_May_be_reserved_for_other_job", "NodeDown",
      "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
      "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions",
      "PartitionDown", "PartitionInactive", "PartitionNodeLimit", "JobHeldUser", "JobHeldAdmin", "AssocGrpCpuLimit",
      "AssocGrpNodeRunMinutes", "AssocMaxJobsLimit", "AssocMaxSubmitJobLimit", "QOSGrpCpuLimit", "QOSJobLimit",
      "QOSMaxJobsPerUserLimit", "QOSMaxSubmitJobPerUserLimit", "QOSMaxCpuPerUserLimit", "QOSUsageThreshold",
    ])
  func later(_ text: String) throws {
    let reason = try #require(WaitReason(text))
    #expect(!reason.isFinal && reason.shown.hasPrefix("\(text) (") && !reason.advice.contains("\"time\""))
  }

  @Test("an unknown reason may pass, and is shown as it is", arguments: ["MaxCpuPerAccount", "Whatever it is", "x, y"])
  func unknown(_ text: String) throws {
    let reason = try #require(WaitReason(text))
    #expect(!reason.isFinal && reason.shown == text && reason.advice == WaitReason.patience)
  }

  @Test("a job that was not looked at has no reason", arguments: ["", "None", "(null)", " "])
  func none(_ text: String) {
    #expect(WaitReason(text) == nil)
  }

  @Test("a reason is plain text")
  func plain() {
    #expect(WaitReason("Prio\u{1B}[31mrity\n")?.shown == "Prio [31mrity")
  }
}
