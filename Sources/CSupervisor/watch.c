/*
 * Watching and ending a command.
 *
 *   watching ──timeout, FWSV_STOP, the host's end, or what was left──▶ asking ──grace──▶ forcing
 *
 * `asking` sends TERM to each process below the monitor once, `forcing` sends KILL to all of them in rounds. In every
 * phase the command is over when the main process has ended and no process is left, which is when wait(2) says ECHILD.
 *
 * A sandbox of the host's own may refuse PR_SET_CHILD_SUBREAPER, so that orphans do not come to the monitor. Then the
 * monitor looks for the processes of the command's session in /proc, and does not reap the main process, whose number
 * the session has, until they have gone. The monitor does not know of processes that have left the session, and tells
 * the host so.
 *
 * A command in a sandbox with namespaces is a child of the sandbox's init (sandbox.h). The monitor learns of the ends
 * from the init, and has only the init to wait for.
 */
#include "monitor.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* The time between two rounds, which reach processes that were born between the look and the signal. */
static const int64_t ASKING_ROUND = SECOND / 10;
static const int64_t FORCING_ROUND = SECOND / 50;
static bool has_tree(state *state) {
  if (state->tree == NULL) state->tree = fwsv_tree_create();
  return state->tree != NULL;
}

static void clear_tree(state *state) {
  bool has_session = !state->is_reaper && !has_init(state);
  fwsv_tree_clear(state->tree, has_session ? state->group : 0, state->sandbox.init);
}

void fwsv_watch_clear(state *state) {
  if (has_tree(state)) clear_tree(state);
}

static void note_main(state *state, int status, const struct rusage *usage) {
  fwsv_reply *reply = &state->reply;
  reply->status = status;
  reply->user = fwsv_user_time(usage);
  reply->system = fwsv_system_time(usage);
  reply->peak = usage->ru_maxrss * 1024ll;
}

/* model: MAIN_ENDED */
static void end_main(state *state) {
  state->main_ended = true;
  state->reply.duration = fwsv_monotonic() - state->began;
}

/* Checks whether the main process has ended, without reaping it, because its number is that of the session. */
static void look_for_end(state *state) {
  if (!state->main_ended) {
    siginfo_t information;
    zero(&information, sizeof information);
    RAW5(__NR_waitid, P_PID, state->main, &information, WEXITED | WNOHANG | WNOWAIT, 0);
    if (information.si_pid != state->main) return;
    end_main(state);
    if (state->phase == MONITOR_WATCHING) fwsv_watch_clear(state);
  }
  if (state->tree != NULL && fwsv_tree_look(state->tree, state->main) == 0 && !fwsv_tree_is_blind(state->tree)) {
    state->is_empty = true;
  } else if (state->tree == NULL || fwsv_tree_is_blind(state->tree)) {
    /* The processes cannot be seen, so the command counts as over when everything possible has been done. */
    state->is_empty = state->request.background != FWSV_KILL || state->is_forced;
  }
}

static void take_end(state *state, const fwsv_reply *note) {
  fwsv_reply *reply = &state->reply;
  if (!state->main_ended) {
    state->main_ended = true;
    reply->duration = note->duration - state->began;
    reply->status = note->status;
    reply->user = note->user;
    reply->system = note->system;
    reply->peak = note->peak;
  }
  if (note->left != 0) return;
  state->is_empty = true;
  reply->has_tree = 1;
  reply->tree_user = note->tree_user;
  reply->tree_system = note->tree_system;
}

/* Reads what the init has told. Its end is also that of all processes, but says nothing of the main one. */
static void reap_sandbox(state *state) {
  bool is_gone = fwsv_sandbox_is_gone(&state->sandbox);
  fwsv_reply note;
  int pid;
  while (fwsv_sandbox_read(&state->sandbox, &note, &pid)) {
    if (note.kind == FWSV_ENDED) take_end(state, &note);
  }
  if (!is_gone) return;
  state->is_empty = true;
  if (state->main_ended) return;
  end_main(state);
  state->reply.is_lost = !state->sandbox.is_killed;
  state->reply.status = state->sandbox.is_killed ? SIGKILL : -1;
}

void fwsv_watch_reap(state *state) {
  if (has_init(state)) return reap_sandbox(state);
  if (!state->is_reaper) return look_for_end(state);
  for (;;) {
    int status;
    struct rusage usage;
    long pid = RAW4(__NR_wait4, -1, &status, WNOHANG | __WALL, &usage);
    if (pid == -EINTR) continue;
    if (pid <= 0) {
      state->is_empty = pid == -ECHILD;
      return;
    }
    if (pid != state->main) continue;
    end_main(state);
    note_main(state, status, &usage);
  }
}

/* Reaps the main process where that was put off until the end. */
static void reap_main(state *state) {
  if (state->is_reaper || !state->main_ended || has_init(state)) return;
  int status;
  struct rusage usage;
  long pid;
  do {
    pid = RAW4(__NR_wait4, state->main, &status, __WALL, &usage);
  } while (pid == -EINTR);
  if (pid == state->main) note_main(state, status, &usage);
}

/* Whether the command has ended by itself, with nothing left to wait for. */
static bool is_over(state *state) {
  if (state->main == 0) return false; /* its sandbox is being set up */
  fwsv_watch_reap(state);
  return state->main_ended && (state->is_empty || state->request.background != FWSV_WAIT);
}

/* Sends a signal that the host asks for. It has a list of its own, because what is known of the processes that are
 * ended must not change. */
static void pass_signal(state *state, int signal, bool to_main) {
  if (has_init(state)) {
    fwsv_sandbox_pass(&state->sandbox, signal, to_main);
    return;
  }
  if (to_main) {
    /* The number is the main process's until it is reaped. */
    if (!state->main_ended) RAW2(__NR_kill, state->main, signal);
    return;
  }
  tree *tree = fwsv_tree_create();
  if (tree == NULL) {
    fwsv_signal_group(state->group, signal);
    return;
  }
  fwsv_tree_clear(tree, state->is_reaper ? 0 : state->group, 0);
  fwsv_tree_pass(tree, state->group, signal);
  fwsv_tree_free(tree);
}

/* While the sandbox is being set up there is no command to signal yet. */
static void take_signal(state *state, const fwsv_request *request) {
  bool to_main = request->kind == FWSV_SIGNAL_MAIN;
  if (state->main != 0) {
    pass_signal(state, (int)request->signal, to_main);
  } else if (request->signal - 1 < 64) {
    state->early[to_main] |= 1ull << (request->signal - 1);
  }
}

void fwsv_watch_begin(state *state, int main) {
  state->main = main;
  for (int signal = 1; signal <= 64 && (state->early[0] | state->early[1]) != 0; signal++) {
    const uint64_t bit = 1ull << (signal - 1);
    for (int to_main = 0; to_main < 2; to_main++) {
      if (state->early[to_main] & bit) pass_signal(state, signal, to_main != 0);
      state->early[to_main] &= ~bit;
    }
  }
}

void fwsv_watch_wait(state *state, int64_t until) {
  struct pollfd items[4];
  watch_fd(&items[0], state->channel);
  watch_fd(&items[1], state->signals);
  watch_fd(&items[2], state->host);
  watch_fd(&items[3], state->sandbox.pair);
  struct timespec time;
  struct timespec *timeout = NULL;
  if (until != INT64_MAX) {
    int64_t left = until - fwsv_monotonic();
    if (left < 0) left = 0;
    time.tv_sec = left / SECOND;
    time.tv_nsec = left % SECOND;
    timeout = &time;
  }
  bool is_known = fwsv_look_at(items, has_init(state) ? 4 : 3, timeout);
  if (items[1].revents != 0) {
    char information[128];
    RAW3(__NR_read, state->signals, information, sizeof information);
  }
  bool is_gone = false;
  if (items[2].revents != 0) {
    state->host = -1;
    is_gone = true;
  }
  if (state->channel >= 0 && (items[0].revents != 0 || !is_known)) {
    fwsv_request request;
    enum received received = fwsv_receive_request(state, &request);
    if (received == GONE) {
      is_gone = true;
    } else if (received == NOTHING) {
      /* The kernel could not look whether there was a message, and there is none. */
    } else if (request.kind == FWSV_SIGNAL_MAIN || request.kind == FWSV_SIGNAL_TREE) {
      take_signal(state, &request);
    } else if (request.kind == FWSV_END_INPUT) {
      close_fd(state, FWSV_FD_IN_END);
    } else if (request.kind == FWSV_STOP && state->phase == MONITOR_WATCHING && !is_over(state)) {
      state->reply.reason = FWSV_BY_STOP;
      state->deadline = 0;
    } else if (request.kind == FWSV_LIMIT && state->phase == MONITOR_WATCHING &&
               state->reply.reason == FWSV_BY_ITSELF && state->deadline != 0) {
      state->request.grace = request.grace;
      state->deadline = request.timeout < 0 ? INT64_MAX : later(fwsv_monotonic(), request.timeout);
    }
  }
  /* model: HOST_GONE */
  if (is_gone && state->channel >= 0) {
    RAW1(__NR_close, state->channel);
    state->channel = -1;
    if (state->phase == MONITOR_WATCHING) {
      int64_t until =
          state->request.host_gone_timeout > 0 ? later(fwsv_monotonic(), state->request.host_gone_timeout) : 0;
      if (until < state->deadline) state->deadline = until;
    }
  }
}

static void ask(state *state) {
  int64_t now = fwsv_monotonic();
  state->phase = MONITOR_ASKING;
  state->deadline = later(now, state->request.grace);
  state->round = now;
  fwsv_watch_clear(state);
}

/* Returns how many processes the signal was for; 1 where that is not known. */
static int send_signal(state *state, int signal) {
  if (!state->main_ended) state->asked_main = signal;
  if (signal == SIGKILL) state->is_forced = true;
  int reached = 1;
  if (has_tree(state)) {
    reached = fwsv_tree_signal(state->tree, state->group, signal);
  } else {
    fwsv_signal_group(state->group, SIGKILL);
  }
  if (!has_init(state)) {
    if (signal == SIGKILL && groups_of(state) != NULL) fwsv_groups_kill(groups_of(state));
    return reached;
  }
  /* The list is for the report. The init reaches all of them, also those that cannot be seen. */
  bool is_listed = state->tree != NULL && !fwsv_tree_is_blind(state->tree);
  if (signal == SIGKILL || !is_listed) fwsv_sandbox_pass(&state->sandbox, signal, false);
  if (signal != SIGKILL && !is_listed) fwsv_sandbox_pass(&state->sandbox, SIGCONT, false);
  return 1;
}

/* The deadline is 0 after FWSV_STOP and after the end of the host. */
void fwsv_watch_note_reason(state *state) {
  if (state->reply.reason == FWSV_BY_ITSELF && state->deadline != 0) state->reply.reason = FWSV_BY_TIMEOUT;
}

/* Does what is due now. Returns true if nothing more can be done. */
static bool act(state *state) {
  int64_t now = fwsv_monotonic();
  switch (state->phase) {
    case MONITOR_WATCHING:
      if (state->main_ended && state->request.background == FWSV_KILL) {
        ask(state);
        return act(state);
      }
      if (now < state->deadline || is_over(state)) return false;
      fwsv_watch_note_reason(state);
      ask(state);
      return act(state);
    case MONITOR_ASKING:
      if (now >= state->deadline) {
        state->phase = MONITOR_FORCING;
        state->deadline = now + FORCING;
        state->round = now;
        return act(state);
      }
      if (now >= state->round) {
        send_signal(state, SIGTERM);
        state->round = now + ASKING_ROUND;
      }
      return false;
    case MONITOR_FORCING:
      if (now >= state->round) {
        int reached = send_signal(state, SIGKILL);
        state->round = now + FORCING_ROUND;
        /* The processes that are left belong to another user, and cannot be signalled. */
        if (reached == 0 && now >= state->deadline - FORCING + SECOND) return true;
      }
      if (now < state->deadline) return false;
      if (!has_init(state) || state->sandbox.is_killed) return true;
      fwsv_sandbox_kill(&state->sandbox);
      state->deadline = now + SECOND;
      return false;
  }
  return true;
}

void fwsv_watch(state *state) {
  for (;;) {
    fwsv_watch_reap(state);
    if (state->main_ended) {
      if (state->is_empty) return;
      if (state->phase == MONITOR_WATCHING && state->request.background == FWSV_LEAVE) return;
    }
    if (act(state)) return;
    int64_t until = state->deadline;
    if (state->phase != MONITOR_WATCHING && state->round < until) until = state->round;
    /* No signal tells of the end of processes that are not children, so they are looked for now and then. */
    int64_t next = fwsv_monotonic() + ASKING_ROUND / 2;
    if (!state->is_reaper && state->main_ended && next < until) until = next;
    fwsv_watch_wait(state, until);
  }
}

/* model: MONITOR_REPORTING */
void fwsv_watch_report(state *state) {
  fwsv_reply *out = &state->reply;
  if (!state->is_empty && state->phase == MONITOR_WATCHING && has_tree(state)) {
    clear_tree(state);
    fwsv_tree_look(state->tree, state->main);
  }
  if (state->tree != NULL && (state->phase != MONITOR_WATCHING || !state->is_empty))
    fwsv_tree_tell(state->tree, state->main, out);
  /* The signal went to the group, or the main process was not in the list. */
  if ((out->is_blind || state->tree == NULL) && out->main_signal == 0) out->main_signal = state->asked_main;
  reap_main(state);
  if (groups_of(state) != NULL) fwsv_groups_tell(groups_of(state), out);
  out->is_unsure = !state->is_reaper && !has_init(state);
  if (has_init(state)) {
    out->is_blind = 0; /* the init reaches all */
    if (state->main_ended && out->status == SIGKILL && state->asked_main == SIGKILL) out->main_signal = SIGKILL;
  }
  /* The command ended by itself just before a signal could reach it. */
  if (state->main_ended && !out->is_blind && out->main_signal == 0 && out->others == 0) out->reason = FWSV_BY_ITSELF;
  /* A main process that was killed and is still there has no status, and this monitor cannot do more. */
  out->left = state->is_empty ? 0 : 1;
  if (!state->main_ended) {
    out->status = -1;
    out->duration = fwsv_monotonic() - state->began;
  }
}
