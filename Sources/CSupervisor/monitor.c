/*
 * The life of one command: a monitor starts it, watches it, ends it and reports its end. It does so for one command
 * after the other, as long as the host keeps the channel.
 *
 *   watching ──timeout, FWSV_STOP, the host's end, or what was left──▶ asking ──grace──▶ forcing
 *
 * `asking` sends TERM to each process below the monitor once, `forcing` sends KILL to all of them in rounds. Comments
 * with "model:" name the states of Tests/model/supervisor.pml, which proves what the protocol promises. In every
 * phase the command is over when the main process has ended and no process is left, which is when wait(2) says ECHILD.
 *
 * A sandbox may refuse PR_SET_CHILD_SUBREAPER, so that orphans do not come to the monitor. Then the monitor looks for
 * the processes of the command's session in /proc, and does not reap the main process, whose number the session has,
 * until they have gone. The monitor does not know of processes that have left the session, and tells the host so.
 *
 * A command in a sandbox with namespaces is a child of the sandbox's init (sandbox.h). The monitor learns of the start
 * and of the ends from the init, and has only the init to wait for.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A process that cannot be killed in this time is blocked inside the kernel, and is reported. */
static const int64_t FORCING = 5ll * SECOND;
/* The time between two rounds, which reach processes that were born between the look and the signal. */
static const int64_t ASKING_ROUND = SECOND / 10;
static const int64_t FORCING_ROUND = SECOND / 50;

TEXT(name_monitor, "fw-monitor");

/* model: MONITOR_WATCHING, MONITOR_ASKING, MONITOR_FORCING */
enum phase { MONITOR_WATCHING, MONITOR_ASKING, MONITOR_FORCING };

typedef struct {
  int channel;    /* -1 once the host has gone */
  int host;       /* a pidfd; -1 once it has ended */
  int signals;    /* a signalfd for SIGCHLD, or a negative errno */
  bool is_reaper; /* orphans come to this process */
  bool is_short;  /* descriptors of the request did not arrive */
  tree *tree;
  fwsv_request request;
  fwsv_reply reply;
  int fds[FWSV_FDS];
  /* The command. */
  int main;
  int group; /* -1 in a sandbox with namespaces, where the number is no number of this process's */
  bool main_ended;
  bool is_empty;  /* no process of the command is left */
  bool is_forced; /* KILL was sent */
  int asked_main; /* the last signal that was sent while the main process ran */
  enum phase phase;
  int64_t began;
  int64_t deadline; /* of the phase; INT64_MAX if there is none */
  int64_t round;    /* when the next round is due */
  sandbox_state sandbox;
  /* The texts of the request, which are here or in a mapping. */
  uint64_t *table;
  size_t mapped;
  texts lists;
  _Alignas(8) char texts[FWSV_INLINE];
} state;

static void close_fd(state *state, int which) {
  if (state->fds[which] >= 0) RAW1(__NR_close, state->fds[which]);
  state->fds[which] = -1;
}

static void take_fds(state *state, const fwsv_request *request, const int *fds, size_t count) {
  size_t at = 0;
  for (int which = 0; which < FWSV_FDS && at < count; which++) {
    if (which == FWSV_FD_RUNDIR && !request->has_rundir) continue;
    if (which == FWSV_FD_TEXTS && !request->has_file) continue;
    if (which == FWSV_FD_IN && !request->has_input) continue;
    if (which == FWSV_FD_IN_END && !request->has_input_end) continue;
    close_fd(state, which);
    state->fds[which] = fds[at++];
  }
}

enum received { MESSAGE, NOTHING, GONE };

/* Receives one message without waiting. */
static enum received receive(state *state, fwsv_request *request) {
  struct iovec parts[2] = {
      {.iov_base = request, .iov_len = sizeof *request},
      {.iov_base = state->texts, .iov_len = sizeof state->texts},
  };
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FWSV_FDS)];
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = parts;
  /* While a command runs its texts are in use, and no message that can come then has texts. */
  message.msg_iovlen = request == &state->request ? 2 : 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long size = fwsv_receive_message(state->channel, &message);
  if (size == -EAGAIN) return NOTHING;
  if (size < (long)sizeof *request) return GONE;
  state->is_short = (message.msg_flags & MSG_CTRUNC) != 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    const int *fds = (const int *)CMSG_DATA(header);
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    take_fds(state, request, fds, count);
  }
  return MESSAGE;
}

/* Sends the reply. If that fails the sending side is shut down: the host reads the end of the channel, does not wait
 * any longer, and closes its own side, which ends this monitor. */
static void reply(state *state, uint32_t kind) {
  state->reply.kind = kind;
  if (state->channel < 0) return;
  uint32_t shown = state->reply.others < FWSV_SHOWN ? state->reply.others : FWSV_SHOWN;
  size_t size = offsetof(fwsv_reply, processes) + shown * sizeof(fwsv_process);
  if (fwsv_send_message(state->channel, &state->reply, size, NULL, 0, state->host) < 0)
    RAW2(__NR_shutdown, state->channel, SHUT_WR);
}

/* Returns 0 or a negative errno. */
static int map_texts(state *state) {
  state->mapped = 0;
  state->table = (uint64_t *)(void *)state->texts;
  if (!state->request.has_file) return state->request.size <= FWSV_INLINE ? 0 : -EINVAL;
  long memory =
      RAW6(__NR_mmap, 0, state->request.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, state->fds[FWSV_FD_TEXTS], 0);
  if (is_error(memory)) return (int)memory;
  state->table = (uint64_t *)memory;
  state->mapped = state->request.size;
  return 0;
}

static void unmap_texts(state *state) {
  if (state->mapped > 0) RAW2(__NR_munmap, state->table, state->mapped);
  state->mapped = 0;
}

static bool has_tree(state *state) {
  if (state->tree == NULL) state->tree = fwsv_tree_create();
  return state->tree != NULL;
}

/* Whether the command has an init, which is this process's only child then. */
static bool has_init(const state *state) { return state->sandbox.init > 0; }

static void clear_tree(state *state) {
  bool has_session = !state->is_reaper && !has_init(state);
  fwsv_tree_clear(state->tree, has_session ? state->group : 0, state->sandbox.init);
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
    if (has_tree(state) && state->phase == MONITOR_WATCHING) clear_tree(state);
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

/* Reaps every process that has ended. */
static void reap(state *state) {
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
  reap(state);
  return state->main_ended && (state->is_empty || state->request.background != FWSV_WAIT);
}

/* Sends a signal that the host asks for. It has a list of its own, because what is known of the processes that are
 * ended must not change. */
static void pass_signal(state *state, const fwsv_request *request) {
  int signal = (int)request->signal;
  if (has_init(state)) {
    fwsv_sandbox_pass(&state->sandbox, signal, request->kind == FWSV_SIGNAL_MAIN);
    return;
  }
  if (request->kind == FWSV_SIGNAL_MAIN) {
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

/* Waits for what may happen, until a time. */
static void wait_for_event(state *state, int64_t until) {
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
    enum received received = receive(state, &request);
    if (received == GONE) {
      is_gone = true;
    } else if (received == NOTHING) {
      /* The kernel could not look whether there was a message, and there is none. */
    } else if (request.kind == FWSV_SIGNAL_MAIN || request.kind == FWSV_SIGNAL_TREE) {
      pass_signal(state, &request);
    } else if (request.kind == FWSV_END_INPUT) {
      close_fd(state, FWSV_FD_IN_END);
    } else if (request.kind == FWSV_STOP && state->phase == MONITOR_WATCHING && !is_over(state)) {
      state->reply.reason = FWSV_BY_STOP;
      state->deadline = 0;
    } else if (request.kind == FWSV_LIMIT && state->phase == MONITOR_WATCHING &&
               state->reply.reason == FWSV_BY_ITSELF && state->deadline != 0) {
      state->request.grace = request.grace;
      state->deadline = request.timeout < 0 ? INT64_MAX : fwsv_monotonic() + request.timeout;
    }
  }
  /* model: HOST_GONE */
  if (is_gone && state->channel >= 0) {
    RAW1(__NR_close, state->channel);
    state->channel = -1;
    if (state->phase == MONITOR_WATCHING) {
      int64_t until = state->request.host_gone_timeout > 0 ? fwsv_monotonic() + state->request.host_gone_timeout : 0;
      if (until < state->deadline) state->deadline = until;
    }
  }
}

static void ask(state *state) {
  int64_t now = fwsv_monotonic();
  state->phase = MONITOR_ASKING;
  state->deadline = now + state->request.grace;
  state->round = now;
  if (has_tree(state)) clear_tree(state);
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
  if (!has_init(state)) return reached;
  /* The list is for the report. The init reaches all of them, also those that cannot be seen. */
  bool is_listed = state->tree != NULL && !fwsv_tree_is_blind(state->tree);
  if (signal == SIGKILL || !is_listed) fwsv_sandbox_pass(&state->sandbox, signal, false);
  if (signal != SIGKILL && !is_listed) fwsv_sandbox_pass(&state->sandbox, SIGCONT, false);
  return 1;
}

/* The deadline is 0 after FWSV_STOP and after the end of the host. */
static void note_reason(state *state) {
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
      note_reason(state);
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

/* Returns when the command has ended. */
static void watch(state *state) {
  for (;;) {
    reap(state);
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
    wait_for_event(state, until);
  }
}

/* model: MONITOR_REPORTING */
static void report(state *state) {
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
  reply(state, FWSV_ENDED);
}

static int open_signals(void) {
  uint64_t watched = 1ull << (SIGCHLD - 1);
  return (int)RAW4(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK);
}

static start_job job_of(state *state) {
  start_job job;
  job.request = &state->request;
  job.fds = state->fds;
  job.texts = &state->lists;
  job.channel = state->channel;
  return job;
}

/* Starts the command. Returns its pid, or a negative errno, and the reply says at which stage; or 0, and an init sets up
 * the command's sandbox. */
static int start(state *state) {
  fwsv_reply *out = &state->reply;
  out->stage = FWSV_AT_RECEIVE;
  if (state->is_short) return -EMFILE;
  out->stage = FWSV_AT_SIGNALS;
  if (state->signals < 0) state->signals = open_signals();
  if (state->signals < 0) return state->signals;
  out->stage = FWSV_AT_TEXTS;
  int error = map_texts(state);
  if (error < 0) return error;
  out->stage = FWSV_AT_REQUEST;
  if (!fwsv_read_texts(&state->request, state->table, &state->lists)) return -EINVAL;
  if (state->lists.sandbox == NULL)
    return fwsv_spawn(&state->request, state->fds, &state->lists, NULL, out, &state->group);
  start_job job = job_of(state);
  return fwsv_sandbox_start(&state->sandbox, &job, out, &state->group);
}

/* Takes what the init has told of the start. */
static void take_start(fwsv_reply *out, const fwsv_reply *note) {
  out->stage = note->stage;
  out->error = note->error;
  out->limit = note->limit;
  out->path = note->path;
  out->is_direct = note->is_direct;
  out->layers = note->layers;
  out->landlock = note->landlock;
}

/* Waits until the init has started the command. Returns what start() does, where 0 means that there is no command,
 * because it was ended before. */
static int settle(state *state) {
  start_job job = job_of(state);
  fwsv_reply *out = &state->reply;
  for (;;) {
    bool is_gone = fwsv_sandbox_is_gone(&state->sandbox);
    fwsv_reply note;
    int pid;
    if (fwsv_sandbox_read(&state->sandbox, &note, &pid)) {
      take_start(out, &note);
      if (note.kind == FWSV_STARTED && pid > 0) return pid;
      if (state->phase != MONITOR_WATCHING) continue;
      fwsv_sandbox_kill(&state->sandbox);
      fwsv_sandbox_end(&state->sandbox);
      pid = fwsv_sandbox_start_again(&state->sandbox, &job, out, &state->group);
      if (pid != 0) return pid;
      continue;
    }
    if (is_gone && state->phase != MONITOR_WATCHING) return 0;
    if (is_gone) {
      out->stage = FWSV_AT_INIT;
      fwsv_sandbox_end(&state->sandbox);
      return -ESRCH;
    }
    int64_t now = fwsv_monotonic();
    if (now >= state->deadline) {
      if (state->phase == MONITOR_FORCING) return 0; /* it stands still inside the kernel */
      note_reason(state);
      state->phase = MONITOR_FORCING;
      state->deadline = now + FORCING;
      state->asked_main = SIGKILL;
      if (has_tree(state)) clear_tree(state);
      fwsv_sandbox_kill(&state->sandbox);
    }
    wait_for_event(state, state->deadline);
  }
}

/* Tells that the command could not be started. */
static void fail(state *state, int error) {
  fwsv_reply *out = &state->reply;
  close_fd(state, FWSV_FD_IN_END);
  out->error = -error;
  out->layers &= FWSV_LAYER_USER; /* nothing holds, but the message may have to name it */
  /* The kernel has refused nothing; its version is too old. */
  if (out->stage == FWSV_AT_RULESET && out->landlock != 0 && out->landlock < state->lists.sandbox->landlock)
    out->error = 0;
  reply(state, FWSV_FAILED);
}

static void run(state *state) {
  /* model: MONITOR_STARTING */
  fwsv_reply *out = &state->reply;
  zero(out, offsetof(fwsv_reply, processes));
  out->path = FWSV_PATH_NONE;
  out->started = fwsv_wall();
  state->began = fwsv_monotonic();
  state->main = state->asked_main = 0;
  state->main_ended = state->is_empty = state->is_forced = false;
  state->phase = MONITOR_WATCHING;
  state->deadline = state->request.timeout < 0 ? INT64_MAX : state->began + state->request.timeout;
  state->group = -1;
  int pid = start(state);
  if (pid == 0) pid = settle(state);
  close_fd(state, FWSV_FD_OUT);
  close_fd(state, FWSV_FD_ERR);
  close_fd(state, FWSV_FD_IN);
  if (!state->request.keep_rundir) close_fd(state, FWSV_FD_RUNDIR);
  if (pid < 0) {
    fail(state, pid);
  } else if (pid > 0) {
    out->pid = state->main = pid;
    if (state->request.tell_start) reply(state, FWSV_STARTED);
  }
  unmap_texts(state);
  close_fd(state, FWSV_FD_TEXTS);
  if (pid < 0) return;
  watch(state);
  close_fd(state, FWSV_FD_IN_END);
  report(state);
  if (state->is_empty) {
    if (has_init(state)) fwsv_sandbox_end(&state->sandbox);
    return;
  }
  /* model: MONITOR_KEEPING. Processes that were left alone, or that cannot be ended, stay with this monitor, which
   * reaps them when they end. */
  if (state->channel >= 0) RAW1(__NR_close, state->channel);
  state->channel = -1;
  while (!state->is_empty && (state->is_reaper || has_init(state))) {
    struct pollfd items[2];
    watch_fd(&items[0], state->signals);
    watch_fd(&items[1], state->sandbox.pair);
    fwsv_look_at(items, has_init(state) ? 2 : 1, NULL);
    char information[128];
    RAW3(__NR_read, state->signals, information, sizeof information);
    reap(state);
  }
}

void fwsv_monitor(int channel, int host) {
  state memory;
  state *state = &memory;
  RAW5(__NR_prctl, PR_SET_NAME, name_monitor, 0, 0, 0);
  fwsv_set_action(SIGCHLD, SIG_DFL);
  state->channel = channel;
  state->host = host;
  state->tree = NULL;
  state->request.kind = FWSV_STOP;
  for (int at = 0; at < FWSV_FDS; at++) state->fds[at] = -1;
  zero(&state->sandbox, sizeof state->sandbox);
  state->sandbox.pair = state->sandbox.network = state->sandbox.user = -1;
  state->is_reaper = RAW5(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) >= 0;
  state->signals = open_signals();
  /* model: MONITOR_IDLE, SOCKET_OPEN */
  while (state->channel >= 0) {
    struct pollfd items[2];
    watch_fd(&items[0], state->channel);
    watch_fd(&items[1], state->host);
    bool is_known = fwsv_look_at(items, 2, NULL);
    /* What the host has sent before its end comes first, because it may be a cleanup request. */
    if (items[0].revents == 0 && is_known) {
      if (items[1].revents != 0) break;
      continue;
    }
    enum received received = receive(state, &state->request);
    if (received == NOTHING) continue;
    if (received == GONE) break;
    if (state->request.kind == FWSV_RUN) {
      run(state);
    } else {
      /* FWSV_STOP came too late for a command, or says that no further command comes. The directory is closed, because
       * a file system cannot be unmounted while it is open here. */
      if (state->request.kind == FWSV_STOP) {
        close_fd(state, FWSV_FD_RUNDIR);
        fwsv_forget_namespaces(&state->sandbox);
      }
    }
  }
  if (state->request.kind == FWSV_CLEANUP) fwsv_carry_out(state->texts, state->request.size, state->request.address);
  /* model: MONITOR_GONE, SOCKET_CLOSED */
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}
