/*
 * The life of one command: a monitor starts it, watches it, ends it and reports its end. It does so for one command
 * after the other, as long as the host keeps the channel. Comments with "model:" name the states of
 * Tests/model/supervisor.pml, which proves what the protocol promises.
 *
 * A command in a sandbox with namespaces is started by the sandbox's init (sandbox.h), which tells of the start.
 */
#include "monitor.h"

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

TEXT(name_monitor, "fw-monitor");

static void take_fds(state *state, const fwsv_request *request, const int *fds, size_t count) {
  size_t at = 0;
  for (int which = 0; which < FWSV_FDS && at < count; which++) {
    if (which == FWSV_FD_RUNDIR && !request->has_rundir) continue;
    if (which == FWSV_FD_TEXTS && !request->has_file) continue;
    if (which == FWSV_FD_IN && !request->has_input) continue;
    if (which == FWSV_FD_IN_END && !request->has_input_end) continue;
    if (which >= FWSV_FD_GROUP && (uint32_t)(which - FWSV_FD_GROUP) >= request->groups) break;
    close_fd(state, which);
    state->fds[which] = fds[at++];
  }
}

enum received fwsv_receive_request(state *state, fwsv_request *request) {
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

static int open_signals(void) {
  uint64_t watched = 1ull << (SIGCHLD - 1);
  return (int)RAW4(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK);
}

static start_job job_of(state *state) {
  start_job job;
  job.request = &state->request;
  job.fds = state->fds;
  job.texts = &state->lists;
  job.groups = groups_of(state);
  job.channel = state->channel;
  return job;
}

/* Starts the command. Returns its pid, or a negative errno, and the reply says at which stage; or 0, and an init sets
 * up the command's sandbox. */
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
  if (state->request.tree != FWSV_NO_TREE) {
    error = (int)fwsv_groups_make(&state->groups, &state->request, state->fds, out);
    if (error < 0) return error;
  }
  if (state->lists.sandbox == NULL)
    return fwsv_spawn(&state->request, state->fds, &state->lists, NULL, groups_of(state), out, &state->group);
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
  for (int limit = 0; limit < FWSV_TREE_LIMITS; limit++) out->kept[limit] = note->kept[limit];
}

/* Waits until the init has started the command. Returns what start() does, where 0 means that the init has ended, or
 * stands still. */
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
    /* Nobody knows whether it had started the command when it was killed. */
    if (is_gone) return 0;
    int64_t now = fwsv_monotonic();
    if (now >= state->deadline) {
      if (state->phase == MONITOR_FORCING) return 0; /* it stands still inside the kernel */
      fwsv_watch_note_reason(state);
      state->phase = MONITOR_FORCING;
      state->deadline = state->round = now + FORCING;
      state->asked_main = SIGKILL;
      fwsv_watch_clear(state);
      fwsv_sandbox_kill(&state->sandbox);
    }
    fwsv_watch_wait(state, state->deadline);
  }
}

/* Removes the control groups, in which nobody is left. */
static void remove_groups(state *state) {
  if (state->request.tree == FWSV_NO_TREE) return;
  state->reply.group_error = (int32_t)-fwsv_groups_remove(&state->groups);
  for (int at = 0; at < FWSV_GROUPS; at++) close_fd(state, FWSV_FD_GROUP + at);
}

/* Tells that the command could not be started. */
static void fail(state *state, int error) {
  fwsv_reply *out = &state->reply;
  close_fd(state, FWSV_FD_IN_END);
  remove_groups(state);
  out->error = -error;
  out->layers &= FWSV_LAYER_USER; /* nothing holds, but the message may have to name it */
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
  state->early[0] = state->early[1] = 0;
  state->main_ended = state->is_empty = state->is_forced = false;
  state->phase = MONITOR_WATCHING;
  state->deadline = state->request.timeout < 0 ? INT64_MAX : later(state->began, state->request.timeout);
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
    out->pid = pid;
    out->layers |= fwsv_sandbox_gaps(&state->sandbox);
    fwsv_watch_begin(state, pid);
    if (state->request.tell_start) reply(state, FWSV_STARTED);
  }
  unmap_texts(state);
  close_fd(state, FWSV_FD_TEXTS);
  if (pid < 0) return;
  fwsv_watch(state);
  close_fd(state, FWSV_FD_IN_END);
  fwsv_watch_report(state);
  if (state->is_empty) remove_groups(state);
  reply(state, FWSV_ENDED);
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
    fwsv_watch_reap(state);
  }
  if (state->is_empty) remove_groups(state);
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
  zero(&state->groups, sizeof state->groups);
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
    enum received received = fwsv_receive_request(state, &state->request);
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
