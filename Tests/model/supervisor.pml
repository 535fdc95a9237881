/*
 * The protocol between the host, its supervisors, their monitors and the commands, as a model for spin.
 *
 * `make model` (run.sh) checks it and its mutations. The code is in Sources/CSupervisor, Sources/CSupervisorClient and
 * Sources/FWProcess, and docs/internals/supervisor.md says what is modelled and what is not. States and messages have
 * the names that the code has; Tests/lint/model.py compares them.
 *
 * Everything that happens here happens a bounded number of times, so each execution ends. run.sh has spin prove that
 * (there is no cycle), and the process `Judge` looks at the state in which nothing more can happen. Time is not
 * modelled: a timer may fire at any moment, and does at some moment.
 */

#ifndef COMMANDS
#define COMMANDS 2 /* that the host runs, one after the other */
#endif
#ifndef CHANNELS
#define CHANNELS 3
#endif
#ifndef SUPERVISORS
#define SUPERVISORS 2
#endif
#ifndef KILLS
#define KILLS 1 /* of supervisors and monitors, by somebody else */
#endif
#ifndef REFUSALS
#define REFUSALS 0 /* messages of monitors for which the kernel has no memory */
#endif
#ifndef MESSAGES
#define MESSAGES 1 /* that the host sends to one command */
#endif
#ifndef FORKS
#define FORKS 1 /* of one command */
#endif
#ifndef CLEANUPS
#define CLEANUPS 0 /* whether the host may have cleanup requests */
#endif
#ifndef ENDLESS
#define ENDLESS 1 /* whether commands may run for ever */
#endif
#ifndef STRANGERS
#define STRANGERS 1 /* whether commands may have processes that cannot be signalled */
#endif
#ifndef COPIES
#define COPIES 1 /* whether the host may have forked copies of itself, or no pidfd */
#endif
#ifndef STARTED
#define STARTED 1 /* whether the host wants to know of the start */
#endif
#ifndef SANDBOX
#define SANDBOX 0 /* whether commands have a sandbox with an init */
#endif
#define NONE 15

mtype = {
  /* supervisor.h: what the host says, */
  FWSV_RUN, FWSV_STOP, FWSV_CLEANUP, FWSV_LIMIT, FWSV_SIGNAL_MAIN, FWSV_SIGNAL_TREE, FWSV_END_INPUT,
  /* what the monitor says, */
  FWSV_STARTED, FWSV_FAILED, FWSV_ENDED,
  /* what happens to processes that a command leaves, */
  FWSV_KILL, FWSV_WAIT, FWSV_LEAVE,
  /* and why a command was ended. */
  FWSV_BY_ITSELF, FWSV_BY_TIMEOUT, FWSV_BY_STOP,

  /* The states of a monitor. */
  MONITOR_NONE, MONITOR_IDLE, MONITOR_STARTING, MONITOR_WATCHING, MONITOR_ASKING, MONITOR_FORCING, MONITOR_REPORTING,
  MONITOR_KEEPING, MONITOR_CLEANING, MONITOR_GONE,
  /* Those of a supervisor, */
  SUPERVISOR_NONE, SUPERVISOR_SERVING, SUPERVISOR_FORKING, SUPERVISOR_GONE,
  /* those of the host, with one step, */
  HOST_WITHOUT_STEP, HOST_ASKING, HOST_WAITING, HOST_GONE,
  /* those of the main process of a command, */
  MAIN_NONE, MAIN_BORN, MAIN_BOUND, MAIN_RUNNING, MAIN_ENDED,
  /* and those of the init of its sandbox. */
  INIT_NONE, INIT_BORN, INIT_SETTING_UP, INIT_SERVING, INIT_GONE,
  /* The monitor's end of a channel. */
  SOCKET_NONE, SOCKET_ON_ITS_WAY, SOCKET_OPEN, SOCKET_CLOSED
};

/* --- what the processes share ----------------------------------------------------------- */

mtype host = HOST_WITHOUT_STEP;
bool has_pidfd, has_copies; /* a process that the host has forked holds copies of its descriptors */
byte kills = KILLS, refusals = REFUSALS;
bool was_killed, was_refused;

mtype supervisor[SUPERVISORS] = SUPERVISOR_NONE;
chan control[SUPERVISORS] = [1] of { byte };
byte in_hand[SUPERVISORS] = NONE; /* the channel that a supervisor has received */

mtype monitor[CHANNELS] = MONITOR_NONE;
mtype socket[CHANNELS] = SOCKET_NONE;
bool is_shut[CHANNELS];  /* the host has shut its end down */
bool is_quiet[CHANNELS]; /* the monitor has shut down its sending side */
chan to_monitor[CHANNELS] = [2] of { mtype, byte, bool };     /* kind, command, has_rundir */
chan to_host[CHANNELS] = [2] of { mtype, byte, mtype, bool }; /* kind, command, reason, whether the channel can be used again */
byte on[CHANNELS] = NONE; /* the command that a monitor runs */
byte cleanup_at = NONE;   /* the channel that has a cleanup request which holds */
byte cleanups;            /* that were carried out */

/* Of commands. */
mtype main[COMMANDS] = MAIN_NONE;
byte others[COMMANDS], fresh[COMMANDS], forks[COMMANDS];
byte home[COMMANDS] = NONE;
mtype background[COMMANDS] = FWSV_KILL;
bool is_endless[COMMANDS], is_foreign[COMMANDS], has_timeout[COMMANDS];
bool is_stopped[COMMANDS], is_freed[COMMANDS], is_alone[COMMANDS], is_orphaned[COMMANDS], has_run[COMMANDS];
bool is_asked[COMMANDS];
byte ends[COMMANDS];
/* What the init has told, which stays in the pair when the init has ended. */
mtype init_of[COMMANDS] = INIT_NONE;
bool told_start[COMMANDS], told_failure[COMMANDS], told_end[COMMANDS], told_empty[COMMANDS];

#define IS_DEAD (host == HOST_GONE)
/* Whether a reader of the channel sees its end. */
#define HAS_EOF(ch) (is_shut[ch] || (IS_DEAD && !has_copies))
#define SEES_DEATH (has_pidfd && IS_DEAD)
#define LIVES(n) (main[n] == MAIN_BORN || main[n] == MAIN_BOUND || main[n] == MAIN_RUNNING)
#define IS_MONITOR(ch) (monitor[ch] != MONITOR_NONE && monitor[ch] != MONITOR_GONE)
#define IS_INIT(n) (init_of[n] == INIT_BORN || init_of[n] == INIT_SETTING_UP || init_of[n] == INIT_SERVING)

/* The kernel ends all processes of a namespace with its init. */
inline end_init(which) {
  init_of[which] = INIT_GONE; others[which] = 0; fresh[which] = 0;
  if :: LIVES(which) -> main[which] = MAIN_ENDED :: else fi
}

/* --- the commands ------------------------------------------------------------------------- */

/* Whatever the processes of commands do by themselves. */
active [COMMANDS] proctype Command() {
end:
  do
  /* spawn.c: the child binds its life to the monitor's, and then looks whether the monitor is still its parent. */
  :: atomic { main[_pid] == MAIN_BORN -> main[_pid] = MAIN_BOUND }
  :: atomic { main[_pid] == MAIN_BOUND ->
#if !SANDBOX && !defined(CHILD_DOES_NOT_LOOK)
       if
       :: !IS_MONITOR(home[_pid]) -> main[_pid] = MAIN_ENDED; goto end
       :: else
       fi;
#endif
       main[_pid] = MAIN_RUNNING; has_run[_pid] = true }
  :: atomic { main[_pid] == MAIN_RUNNING && !is_endless[_pid] -> main[_pid] = MAIN_ENDED }
  :: atomic { main[_pid] == MAIN_RUNNING && forks[_pid] > 0 -> 
       forks[_pid]--; others[_pid]++; fresh[_pid]++;
       /* The worker's option is the same from the beginning; nothing depends on it before. */
       if :: background[_pid] = FWSV_KILL :: background[_pid] = FWSV_WAIT :: background[_pid] = FWSV_LEAVE fi }
  :: atomic { others[_pid] > 0 && !is_endless[_pid] -> others[_pid]--; if :: fresh[_pid] > others[_pid] -> fresh[_pid] = others[_pid] :: else fi }
  od
}

/* --- the init of a sandbox (init.c) --------------------------------------------------------- */

proctype Init(byte n; byte ch) {
  {
  /* It binds its life to the monitor's, and then looks whether the monitor is still there. */
  atomic { init_of[n] == INIT_BORN ->
#ifndef INIT_DOES_NOT_LOOK
    if :: !IS_MONITOR(ch) -> init_of[n] = INIT_GONE; goto done :: else fi;
#endif
    init_of[n] = INIT_SETTING_UP };
  if
  :: atomic { told_failure[n] = true; init_of[n] = INIT_GONE }
  :: atomic { main[n] = MAIN_BORN; home[n] = ch };
     atomic { main[n] == MAIN_RUNNING || main[n] == MAIN_ENDED -> told_start[n] = true; init_of[n] = INIT_SERVING };
end_serving:
     do
     /* It tells of the end before it waits for the others. */
     :: atomic { main[n] == MAIN_ENDED && !told_end[n] -> told_end[n] = true }
     :: atomic { told_end[n] && others[n] == 0 -> told_empty[n] = true; break }
     od;
     atomic { init_of[n] = INIT_GONE }
  fi;
done:
  skip
  } unless { init_of[n] == INIT_GONE }
}

/* --- the monitor (monitor.c) -------------------------------------------------------------- */

/* What a monitor knows: with an init, only what that has told. */
#if SANDBOX
#define SEES_END sees_end
#define SEES_EMPTY sees_empty
#else
#define SEES_END (main[n] == MAIN_ENDED)
#define SEES_EMPTY (others[n] == 0)
#endif
/* Nothing is left to wait for. */
#define IS_EMPTY (SEES_END && SEES_EMPTY)
#define IS_OVER (SEES_END && (SEES_EMPTY || background[n] != FWSV_WAIT))

inline say(kind, reason_, is_reusable) {
  if
  :: socket[ch] == SOCKET_CLOSED || is_gone -> skip
  :: else ->
     if
     :: HAS_EOF(ch) -> skip /* EPIPE */
     :: !HAS_EOF(ch) && nfull(to_host[ch]) -> to_host[ch]!kind, n, reason_, is_reusable
     :: !HAS_EOF(ch) && refusals > 0 ->
        refusals--; was_refused = true;
#ifndef REFUSED_END_IS_SILENT
        is_quiet[ch] = true
#endif
     fi
  fi
}

proctype Monitor(byte ch) {
  byte n;
  bool has, rundir, cleanup, is_gone, is_due, is_termed, reached, looked, is_empty;
  mtype reason, kind;
#if SANDBOX
  bool sees_end, sees_empty, init_gone, killed_init;
#endif
#ifdef LATE_STOP_IS_KEPT
  bool kept_stop;
#endif
  {
end_idle:
  do
  :: atomic { to_monitor[ch]?FWSV_RUN, n, has ->
       on[ch] = n; cleanup = false; is_gone = false; is_due = false; is_termed = false; reached = false; looked = false;
       reason = FWSV_BY_ITSELF; monitor[ch] = MONITOR_STARTING;
       if :: has -> rundir = true :: else fi;
       /* The host counts on the run directory of the command before. */
       assert(rundir) }
#ifdef LATE_STOP_IS_KEPT
     if :: kept_stop -> is_due = true; reason = FWSV_BY_STOP; kept_stop = false :: else fi;
#endif
     if
     :: atomic { say(FWSV_FAILED, FWSV_BY_ITSELF, true); on[ch] = NONE; monitor[ch] = MONITOR_IDLE; n = 0; has = false; reason = 0; goto end_idle }
#if SANDBOX
     :: atomic { init_of[n] = INIT_BORN; sees_end = false; sees_empty = false; killed_init = false; run Init(n, ch) }
     fi;
     /* settle(): nothing is killed with a grace before there is a command. */
end_settling:
     do
     :: atomic { told_start[n] -> monitor[ch] = (killed_init -> MONITOR_FORCING : MONITOR_WATCHING);
          if :: STARTED -> say(FWSV_STARTED, FWSV_BY_ITSELF, true) :: else fi; break }
#ifdef LOST_START_IS_A_FAILURE
     :: atomic { !told_start[n] && !killed_init && init_of[n] == INIT_GONE ->
#else
     :: atomic { told_failure[n] && !killed_init && init_of[n] == INIT_GONE ->
#endif
          say(FWSV_FAILED, FWSV_BY_ITSELF, !is_gone);
          if :: is_gone -> goto leave_monitor :: else fi;
          on[ch] = NONE; monitor[ch] = MONITOR_IDLE; n = 0; has = false; is_due = false; reason = 0; goto end_idle }
     /* Somebody has killed it, and nobody knows whether it had started the command. What becomes of that is below. */
     :: atomic { init_of[n] == INIT_GONE && !told_start[n] && (!told_failure[n] || killed_init) ->
          monitor[ch] = MONITOR_FORCING; break }
     :: atomic { !killed_init && (is_due || has_timeout[n]) ->
          if :: !is_due && reason == FWSV_BY_ITSELF -> reason = FWSV_BY_TIMEOUT :: else fi;
          killed_init = true; reached = true; end_init(n) }
     :: atomic { !is_gone && to_monitor[ch]?[kind, _, _] -> to_monitor[ch]?kind, _, _;
          if
          :: kind == FWSV_STOP && !killed_init -> reason = FWSV_BY_STOP; is_due = true
          :: kind == FWSV_LIMIT && reason == FWSV_BY_ITSELF && !is_due && !killed_init -> has_timeout[n] = true
          :: else
          fi;
          kind = 0 }
     :: atomic { !is_gone && ((empty(to_monitor[ch]) && HAS_EOF(ch)) || SEES_DEATH) ->
          is_gone = true; is_due = true; socket[ch] = SOCKET_CLOSED }
     od;
#else
     :: atomic { main[n] = MAIN_BORN; home[n] = ch }
     fi;
     atomic { main[n] == MAIN_RUNNING || main[n] == MAIN_ENDED ->
       monitor[ch] = MONITOR_WATCHING;
       if :: STARTED -> say(FWSV_STARTED, FWSV_BY_ITSELF, true) :: else fi };
#endif
end_watching:
     do
     /* watch(): when the command is over. */
     :: atomic { IS_EMPTY -> break }
#if SANDBOX
     /* reap_sandbox(): whether the init has gone, and then what it has told. */
#ifdef END_OF_THE_INIT_IS_LOOKED_FOR_LAST
     :: atomic { !sees_empty -> if :: told_end[n] -> sees_end = true :: else fi };
        atomic { init_gone = init_of[n] == INIT_GONE;
#else
     :: atomic { (told_end[n] && !sees_end) || (told_empty[n] && !sees_empty) || (init_of[n] == INIT_GONE && !sees_empty) ->
          init_gone = init_of[n] == INIT_GONE };
        atomic { if :: told_end[n] -> sees_end = true :: else fi;
#endif
          if
          :: init_gone ->
             sees_empty = true;
             if
             :: !sees_end ->
                /* The end is lost. It must not be, if the init has told it. */
                assert(!told_end[n] && (was_killed || killed_init)); sees_end = true
             :: else
             fi
          :: !init_gone && told_empty[n] -> sees_empty = true
          :: else
          fi;
          init_gone = false }
#endif
     :: atomic { monitor[ch] == MONITOR_WATCHING && SEES_END && background[n] == FWSV_LEAVE ->
          is_alone[n] = others[n] > 0; break }
#ifdef END_IS_NOT_AWAITED
     :: atomic { main[n] == MAIN_ENDED -> break }
#endif
     /* act(): what is due. */
     :: atomic { monitor[ch] == MONITOR_WATCHING && SEES_END && background[n] == FWSV_KILL && !SEES_EMPTY ->
          monitor[ch] = MONITOR_ASKING }
     :: atomic { monitor[ch] == MONITOR_WATCHING && is_due && !IS_OVER -> monitor[ch] = MONITOR_ASKING }
     :: atomic { monitor[ch] == MONITOR_WATCHING && has_timeout[n] && !is_due && !IS_OVER ->
          if :: reason == FWSV_BY_ITSELF -> reason = FWSV_BY_TIMEOUT :: else fi; monitor[ch] = MONITOR_ASKING }
     :: atomic { monitor[ch] == MONITOR_ASKING && (!is_termed || fresh[n] > 0) ->
          is_termed = true; reached = true; fresh[n] = 0;
          /* The command obeys, or not. */
          if
          :: others[n] = 0; main[n] = MAIN_ENDED
          :: skip
          fi }
     :: atomic { monitor[ch] == MONITOR_ASKING && is_termed && !IS_EMPTY ->
          monitor[ch] = MONITOR_FORCING;
          /* Its processes are those of another user, which cannot be signalled. */
          if :: STRANGERS -> is_foreign[n] = true :: skip fi }
#if SANDBOX
     /* The init kills all of them at once. It is killed itself if that takes too long. */
     :: atomic { monitor[ch] == MONITOR_FORCING && init_of[n] == INIT_SERVING && (LIVES(n) || others[n] > 0) ->
          reached = true; others[n] = 0; fresh[n] = 0; if :: LIVES(n) -> main[n] = MAIN_ENDED :: else fi }
     :: atomic { monitor[ch] == MONITOR_FORCING && init_of[n] == INIT_SERVING && !IS_EMPTY && !killed_init ->
          reached = true; killed_init = true; end_init(n) }
#else
     /* A round of KILL looks first. What is born between the look and the signal waits for the next round. */
     :: atomic { monitor[ch] == MONITOR_FORCING && !looked && !is_foreign[n] && !IS_EMPTY -> looked = true; fresh[n] = 0 }
     :: atomic { monitor[ch] == MONITOR_FORCING && looked ->
          reached = true; others[n] = fresh[n];
          if :: LIVES(n) -> main[n] = MAIN_ENDED :: else fi;
#ifdef KILL_HAS_ONE_ROUND
          break
#else
          looked = false
#endif
        }
     :: atomic { monitor[ch] == MONITOR_FORCING && is_foreign[n] && !IS_EMPTY -> break }
#endif
     /* wait_for_event(): messages, and the end of the host. */
     :: atomic { !is_gone && to_monitor[ch]?[kind, _, _] -> to_monitor[ch]?kind, _, _;
          if
          :: kind == FWSV_STOP && monitor[ch] == MONITOR_WATCHING && !IS_OVER -> reason = FWSV_BY_STOP; is_due = true
          :: kind == FWSV_LIMIT && monitor[ch] == MONITOR_WATCHING && reason == FWSV_BY_ITSELF && !is_due ->
             has_timeout[n] = true
          :: kind == FWSV_SIGNAL_MAIN -> if :: LIVES(n) && !is_foreign[n] -> main[n] = MAIN_ENDED :: skip fi
          :: kind == FWSV_SIGNAL_TREE -> if :: !is_foreign[n] -> main[n] = MAIN_ENDED; others[n] = 0 :: skip fi
          :: else
          fi;
          assert(kind != FWSV_RUN && kind != FWSV_CLEANUP); kind = 0 }
     :: atomic { !is_gone && ((empty(to_monitor[ch]) && HAS_EOF(ch))
#ifndef PIDFD_IS_NOT_WATCHED
                              || SEES_DEATH
#endif
                              ) -> is_gone = true; is_due = true; socket[ch] = SOCKET_CLOSED }
     od;
     atomic {
       monitor[ch] = MONITOR_REPORTING; is_empty = IS_EMPTY;
       if :: SEES_END && !reached && others[n] == 0 -> reason = FWSV_BY_ITSELF :: else fi;
       /* The report is true. */
       assert(!LIVES(n) || is_foreign[n]);
       assert(others[n] == 0 || is_foreign[n] || is_alone[n]);
       assert(reason != FWSV_BY_STOP || is_stopped[n]);
       assert(reason != FWSV_BY_TIMEOUT || has_timeout[n])
     };
     atomic { say(FWSV_ENDED, reason, is_empty) };
     if
     :: atomic { is_empty && !is_gone && !IS_INIT(n) ->
          on[ch] = NONE; monitor[ch] = MONITOR_IDLE;
          n = 0; has = false; is_due = false; is_termed = false; reached = false; looked = false; is_empty = false; reason = 0; kind = 0
#if SANDBOX
          ; sees_end = false; sees_empty = false; killed_init = false
#endif
        }
     :: atomic { is_empty && is_gone -> break }
     :: atomic { !is_empty -> socket[ch] = SOCKET_CLOSED; monitor[ch] = MONITOR_KEEPING };
end_keeping:
#if SANDBOX
        atomic { init_of[n] == INIT_GONE -> break }
#else
        atomic { IS_EMPTY -> break }
#endif
     fi
  :: atomic { to_monitor[ch]?FWSV_STOP, n, _ -> rundir = false; cleanup = false; n = 0
#ifdef LATE_STOP_IS_KEPT
       ; kept_stop = true
#endif
     }
  :: atomic { to_monitor[ch]?FWSV_CLEANUP, n, _ -> cleanup = true; n = 0 }
  :: atomic { to_monitor[ch]?[kind, _, _] && (to_monitor[ch]?[FWSV_LIMIT, _, _] || to_monitor[ch]?[FWSV_SIGNAL_MAIN, _, _]
              || to_monitor[ch]?[FWSV_SIGNAL_TREE, _, _] || to_monitor[ch]?[FWSV_END_INPUT, _, _]) ->
       to_monitor[ch]?kind, n, _; cleanup = false; n = 0; kind = 0 }
#ifdef MONITOR_LOOKS_AT_ITS_HOST_FIRST
  :: atomic { SEES_DEATH -> break }
#endif
  :: atomic { empty(to_monitor[ch]) && (HAS_EOF(ch) || SEES_DEATH) -> break }
  od;
leave_monitor:
  atomic {
    if :: cleanup -> monitor[ch] = MONITOR_CLEANING; cleanups++ :: else fi;
    socket[ch] = SOCKET_CLOSED; on[ch] = NONE; monitor[ch] = MONITOR_GONE
  }
  } unless { monitor[ch] == MONITOR_GONE }
}

/* --- the supervisor (supervisor.c) -------------------------------------------------------- */

/* The kernel closes what was on its way to a supervisor that has ended. */
inline close_control(s) {
  supervisor[s] = SUPERVISOR_GONE;
  if :: in_hand[s] != NONE -> if :: socket[in_hand[s]] == SOCKET_ON_ITS_WAY -> socket[in_hand[s]] = SOCKET_CLOSED :: else fi; in_hand[s] = NONE
     :: else fi;
  if :: control[s]?in_hand[s] -> socket[in_hand[s]] = SOCKET_CLOSED; in_hand[s] = NONE
     :: empty(control[s]) fi
}

proctype Supervisor(byte s) {
  {
end_serving:
  do
  :: atomic { control[s]?in_hand[s] -> supervisor[s] = SUPERVISOR_FORKING };
     if
     :: atomic { socket[in_hand[s]] = SOCKET_OPEN; monitor[in_hand[s]] = MONITOR_IDLE; run Monitor(in_hand[s]) }
     /* There can be no monitor, and its channel says why. */
     :: atomic { if :: !HAS_EOF(in_hand[s]) -> to_host[in_hand[s]]!FWSV_FAILED, NONE, FWSV_BY_ITSELF, false :: else fi }
     fi;
     /* The supervisor closes its own copy of the channel. */
     atomic {
       if
       :: socket[in_hand[s]] == SOCKET_ON_ITS_WAY ->
          socket[in_hand[s]] = SOCKET_CLOSED; if :: cleanup_at == in_hand[s] -> cleanup_at = NONE :: else fi
       :: else
       fi;
       in_hand[s] = NONE; supervisor[s] = SUPERVISOR_SERVING }
#ifdef SUPERVISOR_LOOKS_AT_ITS_HOST_FIRST
  :: atomic { SEES_DEATH -> break }
#endif
  :: atomic { empty(control[s]) && (SEES_DEATH || (IS_DEAD && !has_copies)) -> break }
  od;
  atomic { close_control(s) }
  } unless { supervisor[s] == SUPERVISOR_GONE }
}

/* --- the host (Sources/CSupervisorClient, Sources/FWProcess) ------------------------------- */

inline drop() {
#ifdef HOST_CLOSES_WITHOUT_SHUTDOWN
  if :: is_shut[ch] = true :: skip fi;
#else
  is_shut[ch] = true;
#endif
  ch = NONE
}

inline tell(kind, command, has) {
  if
  :: socket[ch] != SOCKET_CLOSED && nfull(to_monitor[ch]) -> to_monitor[ch]!kind, command, has
  :: socket[ch] == SOCKET_CLOSED -> skip /* EPIPE */
  fi
}

/* Supervisors.channel(): another supervisor takes the place of one that has ended. */
inline ask_for_monitor() {
  atomic { assert(opened < CHANNELS); ch = opened; opened++ }
  do
  :: atomic { supervisor[s] != SUPERVISOR_GONE && nfull(control[s]) -> socket[ch] = SOCKET_ON_ITS_WAY; control[s]!ch; break }
  :: atomic { supervisor[s] == SUPERVISOR_GONE ->
       assert(s + 1 < SUPERVISORS); s++; supervisor[s] = SUPERVISOR_SERVING; run Supervisor(s) }
  od
}

proctype Host() {
  byte n, ch = NONE, s, opened, budget;
  bool goes_on, is_reusable;
  mtype reason;
  {
  atomic { supervisor[0] = SUPERVISOR_SERVING; run Supervisor(0) }
  do
  :: n < COMMANDS ->
     /* An engine's connection asks for a monitor that keeps a cleanup request. */
     if
     :: CLEANUPS && !goes_on ->
        if :: ch == NONE -> ask_for_monitor() :: else fi;
        if
        :: atomic { socket[ch] != SOCKET_CLOSED && nfull(to_monitor[ch]) -> to_monitor[ch]!FWSV_CLEANUP, 0, false; cleanup_at = ch }
           /* Whatever the engine does happens here. */
           atomic { cleanup_at = NONE; tell(FWSV_STOP, 0, false) }
        :: socket[ch] == SOCKET_CLOSED
        fi
     :: skip
     fi;
     atomic {
       host = HOST_ASKING; is_asked[n] = true; forks[n] = FORKS; budget = MESSAGES;
       if :: ENDLESS -> is_endless[n] = true :: skip fi
     }
     do
     :: ch == NONE -> goes_on = false; ask_for_monitor()
     /* Supervisors.run(): a request that nobody can read goes to the next channel. */
     :: atomic { ch != NONE && socket[ch] != SOCKET_CLOSED && nfull(to_monitor[ch]) -> to_monitor[ch]!FWSV_RUN, n, !goes_on; break }
     :: atomic { ch != NONE && socket[ch] == SOCKET_CLOSED && nempty(to_host[ch]) -> break }
     :: atomic { ch != NONE && socket[ch] == SOCKET_CLOSED && empty(to_host[ch]) -> drop() }
     od;
     atomic { host = HOST_WAITING };
end_waiting:
     do
     :: atomic { to_host[ch]?FWSV_STARTED, _, _, _ }
     :: atomic { to_host[ch]?FWSV_FAILED, _, _, is_reusable -> assert(!has_run[n]); ends[n]++; break }
     :: atomic { to_host[ch]?FWSV_ENDED, eval(n), reason, is_reusable -> assert(has_run[n] || main[n] == MAIN_ENDED || SANDBOX); ends[n]++; break }
     :: atomic { empty(to_host[ch]) && (socket[ch] == SOCKET_CLOSED || is_quiet[ch]) ->
          /* The status is unknown. */
          assert(was_killed || was_refused); is_reusable = false; ends[n]++; break }
     :: atomic { budget > 0 ->
          budget--;
          if
          :: tell(FWSV_STOP, n, false); is_stopped[n] = true
          :: tell(FWSV_SIGNAL_MAIN, n, false)
          :: tell(FWSV_SIGNAL_TREE, n, false)
          :: tell(FWSV_LIMIT, n, false)
          :: tell(FWSV_END_INPUT, n, false)
          fi }
     /* The step is freed, and its channel is dropped. */
     :: atomic { budget > 0 -> is_freed[n] = true; is_reusable = false; break }
#ifdef CHANNEL_IS_GIVEN_BACK_BEFORE_THE_END
     :: atomic { is_stopped[n] -> is_reusable = true; ends[n]++; break }
#endif
     od;
     atomic {
       host = HOST_WITHOUT_STEP; budget = 0; reason = 0; goes_on = false;
       if
       :: !is_reusable -> drop()
       :: else ->
          if
          /* The next command of the step counts on its run directory. */
          :: !is_stopped[n] -> goes_on = true
          /* ProcessLauncher.deinit: there is no next command after all. */
          :: tell(FWSV_STOP, n, false)
          /* This was the last command. */
          :: skip
          /* The channel is one of too many. */
          :: drop()
          fi
       fi;
       /* Nothing is left of the command, so that its facts need no memory. */
       if
       :: is_reusable ->
          assert(ends[n] == 1 && !LIVES(n) && others[n] == 0);
          main[n] = MAIN_NONE; home[n] = NONE; background[n] = FWSV_KILL; fresh[n] = 0; forks[n] = 0; ends[n] = 0;
          is_endless[n] = false; has_timeout[n] = false; is_stopped[n] = false; has_run[n] = false; is_asked[n] = false;
          told_start[n] = false; told_failure[n] = false; told_end[n] = false; told_empty[n] = false
       :: else
       fi;
       is_reusable = false; n++
     };
  :: atomic { n == COMMANDS -> break }
  od;
end_done:
  false
  } unless { host == HOST_GONE }
}

/* --- those who end them ------------------------------------------------------------------- */

/* The host may end at any moment. */
active proctype Death() {
  if
  :: atomic {
       host = HOST_GONE;
       /* Without a pidfd, the copies would hide the end of the host. */
       if
       :: has_pidfd = true
       :: COPIES -> has_pidfd = true; has_copies = true
#ifdef NEITHER_PIDFD_NOR_SOCKET
       :: has_copies = true
#else
       :: COPIES
#endif
       fi }
  :: skip
  fi
}

/* Somebody kills a monitor or a supervisor with SIGKILL. */
active proctype Killer() {
  byte ch, s;
end:
  do
  :: atomic { kills > 0 ->
       if
       :: kills = 0
       :: supervisor[0] != SUPERVISOR_NONE && supervisor[0] != SUPERVISOR_GONE -> 
          kills--; was_killed = true;
          /* A request of a channel that was on its way is lost. */
          if
          :: cleanup_at != NONE -> if :: socket[cleanup_at] == SOCKET_ON_ITS_WAY -> cleanup_at = NONE :: else fi
          :: else
          fi;
          close_control(0)
#if SANDBOX
       /* An init that has ended cannot be killed. */
       :: IS_INIT(0) -> kills--; was_killed = true; end_init(0)
#endif
       :: IS_MONITOR(0) -> ch = 0; goto kill
       :: IS_MONITOR(1) -> ch = 1; goto kill
       fi }
  od;
kill:
  atomic {
    if
    :: IS_MONITOR(ch) ->
       kills--; was_killed = true; monitor[ch] = MONITOR_GONE;
#ifndef SUPERVISOR_KEEPS_ITS_COPY
       socket[ch] = SOCKET_CLOSED;
#endif
       if :: cleanup_at == ch -> cleanup_at = NONE :: else fi;
       if
       :: on[ch] != NONE ->
          is_orphaned[on[ch]] = true;
#if SANDBOX
#ifndef INIT_IS_NOT_BOUND
          if :: init_of[on[ch]] == INIT_SETTING_UP || init_of[on[ch]] == INIT_SERVING -> end_init(on[ch]) :: else fi;
#endif
#else
          /* PR_SET_PDEATHSIG, which the child has set, and which a program of another user has not. */
          if
          :: main[on[ch]] == MAIN_BOUND || main[on[ch]] == MAIN_RUNNING ->
             if :: !is_foreign[on[ch]] -> main[on[ch]] = MAIN_ENDED :: STRANGERS && main[on[ch]] == MAIN_RUNNING -> is_foreign[on[ch]] = true fi
          :: else
          fi;
#endif
          on[ch] = NONE
       :: else
       fi
    :: else -> kills--
    fi;
    ch = 0
  };
  goto end
}

/* --- what must be true when nothing more can happen ---------------------------------------- */

active proctype Judge() {
  byte n;
end:
  timeout ->
  atomic {
    do
    :: n < COMMANDS ->
       if
       :: IS_DEAD || is_freed[n] ->
          /* No command outlives its host, or its step. */
          assert(!LIVES(n) || is_foreign[n]);
          assert(others[n] == 0 || is_foreign[n] || is_alone[n] || (is_orphaned[n] && !SANDBOX))
       :: else ->
          /* Each command gets exactly one end, unless it has a reason to go on for ever. */
          if
          :: is_asked[n] && ends[n] == 0 ->
             assert(is_endless[n] && !is_stopped[n] && !has_timeout[n]);
             assert(main[n] == MAIN_RUNNING || (background[n] == FWSV_WAIT && others[n] > 0))
          :: else
          fi
       fi;
       assert(ends[n] <= 1);
#if SANDBOX
       /* No process lives without its init, and no init without its monitor. */
       assert((!LIVES(n) && others[n] == 0) || init_of[n] == INIT_SERVING);
       assert(!IS_INIT(n) || (!is_orphaned[n] && (LIVES(n) || others[n] > 0)));
#endif
       n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < CHANNELS ->
       /* A monitor outlives its host only with processes that it could not end, or should not. */
       assert(!IS_DEAD || !IS_MONITOR(n) || monitor[n] == MONITOR_KEEPING);
       n++
    :: else -> break
    od;
    n = 0;
    do
    :: n < SUPERVISORS ->
       assert(!IS_DEAD || supervisor[n] == SUPERVISOR_NONE || supervisor[n] == SUPERVISOR_GONE);
       n++
    :: else -> break
    od;
    /* A cleanup request that holds when the host ends is carried out once, and no other one is. */
    assert(cleanups == (IS_DEAD && cleanup_at != NONE -> 1 : 0))
  }
}

init {
  atomic {
    run Host()
  }
}
