internal import CSupervisorClient
internal import CSystem
internal import FWBase
internal import FWModel
internal import FWProcess
internal import Glibc

/// The request for an allocation: srun, with an agent as its only task (agent.h). Allocations of equal submissions can
/// serve each other's steps.
struct Submission: Sendable {
  /// The path of srun.
  let program: String
  /// The arguments of srun, except the name of the job.
  private let options: [String]
  /// The environment of srun itself. The agent inherits it, and commands do not.
  private let environment: [String]
  private let identity: fws_identity
  let hold: Double
  let grace: Double
  let limit: Int

  /// The variables that srun needs from the host's environment. No other variables are passed to the scheduler, above
  /// all none of the SLURM_* variables of a host that is a job itself. LC_ALL=C keeps messages untranslated, because
  /// they are parsed.
  private static let inherited = [
    "PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "SLURM_CONF", "KRB5CCNAME", "TZ",
  ]

  /// Lets the agent's step share the allocation with the steps of an `srun` within a command, which would otherwise
  /// wait for the end of the agent. It is a variable, because srun refuses the option `--overlap` together with
  /// `--exclusive`. Slurm has it since 20.11.
  private static let overlap = "SLURM_OVERLAP=1"

  init(_ options: SlurmOptions) throws(StepFailure) {
    identity = try Supervisors.shared.identity()
    program = try Submission.srun()
    environment =
      Submission.inherited.compactMap { name in getenv(name).map { "\(name)=\(String(cString: $0))" } }
      + ["LC_ALL=C", Submission.overlap]
    hold = options.hold
    grace = options.process.grace
    limit = options.allocations
    var list = ["--nodes=1", "--ntasks=1", "--unbuffered", "--chdir=/", "--propagate=NONE", "--mpi=none"]
    if let partition = options.partition { list.append("--partition=\(partition)") }
    if let account = options.account { list.append("--account=\(account)") }
    if let time = options.time { list.append("--time=\(Submission.time(time))") }
    if let cpus = options.cpus { list.append("--cpus-per-task=\(cpus)") }
    // The scheduler counts in MB and rounds down, so the number is rounded up here.
    if let memory = options.memory { list.append("--mem=\((memory + (1 << 20) - 1) >> 20)M") }
    self.options = list + options.extra
  }

  static func == (one: Submission, other: Submission) -> Bool {
    one.program.isSame(as: other.program) && one.options.elementsEqual(other.options, by: { $0.isSame(as: $1) })
      && one.environment.elementsEqual(other.environment, by: { $0.isSame(as: $1) })
      && one.identity == other.identity && one.limit == other.limit && one.hold == other.hold
      && one.grace == other.grace
  }

  /// Finds srun in PATH.
  private static func srun() throws(StepFailure) -> String {
    switch ProgramSearch.find("srun") {
    case .program(let program): return program
    case .nowhere(let path):
      throw StepFailure(
        engine: "Slurm's srun was not found in PATH (\(MessageFormat.foreign(path, limit: 1000))): a slurm worker "
          + "needs the commands of a cluster on this machine",
        likely: "this machine is no node of a cluster, or the directory of Slurm's commands is not in PATH")
    }
  }

  /// A time in Slurm's format "minutes:seconds". Slurm rounds up to minutes.
  static func time(_ seconds: Int64) -> String { "\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)" }

  /// The environment of srun.
  func environmentBlock() -> TextBlock {
    var block = TextBlock()
    for entry in environment { block.add(entry) }
    return block
  }

  /// The entries of the agent's environment that the scheduler has added for the job, except how the agent's own task
  /// is bound to processors and memory: an `srun` within a command would take them as its own options.
  func added(among entries: [String]) -> [String] {
    let own = Set(environment.map { CommandEnvironment.name(of: $0) })
    return entries.filter {
      !own.contains(CommandEnvironment.name(of: $0)) && !$0.begins(with: "SLURM_CPU_BIND")
        && !$0.begins(with: "SLURM_MEM_BIND")
    }
  }

  func arguments(name: String) -> [String] {
    [program, "--job-name=\(name)"] + options
      + ["/bin/sh", "-c", Submission.bootstrap, "flowworker", name, "\(fws_program_size())"]
  }

  /// The shell script that starts the agent. The agent's program, a file of 26 KiB without dependencies, arrives over
  /// the link. The script puts it into a directory where programs may be run, and the program removes its file. If the
  /// program does not come whole, or the job ends before, the script removes it. The printed point lets the library
  /// continue to send (agent.h).
  static let bootstrap = """
    printf .; umask 077; p=; trap 'rm -f "$p"' 0; trap 'exit 1' 1 2 15
    for d in "${TMPDIR:-/tmp}" /tmp /dev/shm /var/tmp "${HOME:-/tmp}"; do f=$d/.$1
    if [ -n "$p" ]; then cp "$p" "$f" 2>/dev/null || { rm -f "$f"; continue; }; rm -f "$p"; p=$f
    else (set -C; : >"$f") 2>/dev/null || continue; p=$f
    head -c "$2" >"$f"; [ "$(wc -c <"$f")" -eq "$2" ] || exit 1; fi
    chmod 700 "$f"; [ ! -x "$f" ] || exec "$f" agent; done
    echo "no directory allows programs to be run: tried TMPDIR, /tmp, /dev/shm, /var/tmp and HOME" >&2; exit 126
    """

  /// A name that no other job of this user has.
  static func uniqueName() -> String { "fw-\(uniqueIdentifier())" }

  /// Whether a variable of the host's environment belongs to the host's own job, and must not be passed to another one.
  static func isForeign(_ name: UnsafeRawBufferPointer) -> Bool {
    ["SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "SALLOC_", "PMI_", "PMI2_", "PMIX_", "OMPI_"].contains {
      name.starts(with: $0.utf8)
    } && !name.elementsEqual("SLURM_CONF".utf8)
  }
}
