/*
 * The monitor's side of a sandbox: it tries the layers, and speaks with the init, which does the rest.
 *
 * A layer that cannot be had is given up if the command may be started without it, and all is tried anew with the other
 * ones. Nothing is asked beforehand: the attempt is the probe, because a namespace that can be made may be of no use.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- the layers ------------------------------------------------------------------------ */

/* Whether the process may make namespaces without one for users. */
static bool is_administrator(void) {
  struct __user_cap_header_struct head;
  struct __user_cap_data_struct sets[2];
  head.version = _LINUX_CAPABILITY_VERSION_3;
  head.pid = 0;
  zero(sets, sizeof sets);
  RAW2(__NR_capget, &head, sets);
  return (sets[0].effective >> CAP_SYS_ADMIN & 1) != 0;
}

/* The layers that the command may be started without. */
static uint32_t dispensable(const sandbox *sandbox) {
  const fwsv_sandbox *block = sandbox->block;
  if (block->is_optional) return ~0u;
  uint32_t needed = block->needed | (sandbox->has_file ? FWSV_LAYER_LANDLOCK : 0);
  return needed & FWSV_LAYER_NAMESPACES ? ~(needed | FWSV_LAYER_NAMESPACES) : ~needed;
}

/* Whether the standard input is a file of the host's. Its descriptor is of the host's mounts, so no view keeps the
 * command from opening it once more, to write (proc(5), fd). Landlock does. */
static bool is_file_of_host(const start_job *job) {
  struct stat status;
  if (!job->request->has_input || RAW2(__NR_fstat, job->fds[FWSV_FD_IN], &status) < 0) return false;
  if ((status.st_mode & S_IFMT) != S_IFREG) return false;
  long seals = RAW2(__NR_fcntl, job->fds[FWSV_FD_IN], F_GET_SEALS);
  return seals < 0 || (seals & F_SEAL_WRITE) == 0;
}

static void choose_layers(sandbox *sandbox, uint32_t refused) {
  const fwsv_sandbox *block = sandbox->block;
  sandbox->layers = (block->needed | block->wanted) & ~(refused & dispensable(sandbox));
  if (!has_namespaces(sandbox)) return;
  /* They are made together: an own /tmp needs a view, and a view needs a /proc of its own. */
  sandbox->layers |= FWSV_LAYER_VIEW | FWSV_LAYER_PROCESSES;
  if (!is_administrator()) sandbox->layers |= FWSV_LAYER_USER;
}

/* The layers that a stage is of. */
static uint32_t layers_of(int stage) {
  if (stage == FWSV_AT_FILTER) return FWSV_LAYER_FILTER;
  if (stage == FWSV_AT_RULESET || stage == FWSV_AT_RULE || stage == FWSV_AT_LANDLOCK) return FWSV_LAYER_LANDLOCK;
  bool is_made = stage == FWSV_AT_NAMESPACES || stage == FWSV_AT_MAPS || stage == FWSV_AT_VIEW ||
                 stage == FWSV_AT_PROC || stage == FWSV_AT_DEVICES || stage == FWSV_AT_COVER ||
                 stage == FWSV_AT_LOOPBACK;
  return is_made ? FWSV_LAYER_NAMESPACES | FWSV_LAYER_USER : 0;
}

/* Whether the failure says that the layer cannot be had here at all. */
static bool is_lasting(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP ||
         error == ENODEV;
}

/* Whether the failure says that the layer cannot be had, and not that the system is short of something: there may be no
 * /proc for the maps, or too many namespaces at the moment. */
static bool is_refusal(int stage, int error) {
  return is_lasting(error) || (error == ENOENT && (stage == FWSV_AT_MAPS || stage == FWSV_AT_PROC)) ||
         (error == ENOSPC && stage == FWSV_AT_NAMESPACES);
}

/* Gives up the layers whose stage has failed, if the command may be started without them. A later command of this
 * monitor does not try again what is refused for good, because its user is the same. */
static bool give_up(sandbox_state *state, int stage, int error) {
  sandbox *sandbox = &state->now;
  uint32_t layers = layers_of(stage);
  if ((layers & sandbox->layers) == 0 || (layers & ~dispensable(sandbox)) != 0) return false;
  if (!is_refusal(stage, error)) return false;
  sandbox->layers &= ~layers;
  if (is_lasting(error)) state->refused |= layers;
  return true;
}

/* --- the start --------------------------------------------------------------------------- */

static void close_pair(sandbox_state *state) {
  if (state->pair >= 0) RAW1(__NR_close, state->pair);
  state->pair = -1;
}

/* Begins an init. Returns 0 or a negative errno. */
static long begin(sandbox_state *state, const start_job *job, fwsv_reply *reply) {
  int ends[2];
  int yes = 1;
  reply->stage = FWSV_AT_SOCKET;
  long result = RAW4(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
  if (result < 0) return result;
  state->pair = ends[0];
  result = RAW5(__NR_setsockopt, ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
  if (result >= 0) {
    init_job init;
    init.sandbox = &state->now;
    init.request = job->request;
    init.fds = job->fds;
    init.texts = job->texts;
    init.groups = job->groups;
    init.channel = job->channel;
    init.pair = ends[1];
    init.others_end = ends[0];
    init.is_kept = false;
    init.network = -1;
    result = fwsv_clone_init(state, &init, reply);
  }
  RAW1(__NR_close, ends[1]);
  if (result < 0) {
    close_pair(state);
    return result;
  }
  state->init = (int)result;
  state->has_ended = state->is_killed = false;
  return 0;
}

/* Without namespaces the command is a child of the monitor, as always, and confines itself. */
static long start_alone(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group) {
  long result = fwsv_note_places(&state->now, job->fds[FWSV_FD_RUNDIR], reply);
  if (result < 0) return result;
  result = fwsv_make_ruleset(&state->now, job->fds[FWSV_FD_RUNDIR], reply);
  fwsv_forget_places(&state->now);
  if (result < 0) return result;
  result = fwsv_spawn(job->request, job->fds, job->texts, &state->now, job->groups, reply, group);
  if (state->now.ruleset >= 0) RAW1(__NR_close, state->now.ruleset);
  return result;
}

static int start(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group) {
  for (;;) {
    reply->path = FWSV_PATH_NONE;
    long result = has_namespaces(&state->now) ? begin(state, job, reply) : start_alone(state, job, reply, group);
    reply->layers = state->now.layers;
    if (result >= 0 || !give_up(state, reply->stage, (int)-result)) return (int)result;
  }
}

int fwsv_sandbox_start(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group) {
  state->now.block = job->texts->sandbox;
  state->now.user = (uint32_t)RAW0(__NR_geteuid);
  state->now.group = (uint32_t)RAW0(__NR_getegid);
  state->now.has_file = is_file_of_host(job);
  choose_layers(&state->now, state->refused);
  return start(state, job, reply, group);
}

int fwsv_sandbox_start_again(sandbox_state *state, const start_job *job, fwsv_reply *reply, int *group) {
  int error = reply->error;
  return give_up(state, reply->stage, error) ? start(state, job, reply, group) : -error;
}

uint32_t fwsv_sandbox_gaps(const sandbox_state *state) {
  return state->now.has_file && !(state->now.layers & FWSV_LAYER_LANDLOCK) ? FWSV_OPEN_INPUT : 0;
}

/* --- the init ---------------------------------------------------------------------------- */

/* Takes the pid of the command, which the kernel has translated, and the namespaces that may be kept. */
static int take_control(sandbox_state *state, const struct msghdr *message) {
  int pid = 0;
  const char *control = message->msg_control;
  for (size_t at = 0; at + CMSG_LEN(0) <= message->msg_controllen;) {
    const struct cmsghdr *header = (const struct cmsghdr *)(const void *)(control + at);
    if (header->cmsg_len < CMSG_LEN(0)) break;
    const int *values = (const int *)(const void *)CMSG_DATA(header);
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (header->cmsg_type == SCM_RIGHTS) {
      fwsv_forget_namespaces(state);
      if (count > 0) state->network = values[0];
      if (count > 1) state->user = values[1];
    } else if (count > 0) {
      pid = values[0];
    }
    at += CMSG_ALIGN(header->cmsg_len);
  }
  return pid;
}

bool fwsv_sandbox_read(sandbox_state *state, fwsv_reply *note, int *pid) {
  struct iovec part = {.iov_base = note, .iov_len = NOTE_SIZE};
  /* Room for the credentials, which come with each message, and two descriptors. */
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(12) + CMSG_SPACE(2 * sizeof(int))];
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (state->pair < 0) return false;
  long size = fwsv_receive_message(state->pair, &message);
  /* An init whose end has gone tells nothing more, but may take a while to end. */
  if (size != NOTE_SIZE && size != -EAGAIN) close_pair(state);
  if (size != NOTE_SIZE) return false;
  *pid = take_control(state, &message);
  return true;
}

bool fwsv_sandbox_is_gone(sandbox_state *state) {
  if (!state->has_ended) state->has_ended = RAW4(__NR_wait4, state->init, 0, WNOHANG | __WALL, 0) == state->init;
  return state->has_ended;
}

void fwsv_sandbox_pass(sandbox_state *state, int signal, bool to_main) {
  init_order order;
  order.signal = signal;
  order.to_main = to_main;
  long sent = RAW6(__NR_sendto, state->pair, &order, sizeof order, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
  /* An init that takes no more orders was stopped by somebody. It cannot end its processes, but the kernel can. */
  if (sent == -EAGAIN && signal == SIGKILL && !to_main) fwsv_sandbox_kill(state);
}

void fwsv_sandbox_kill(sandbox_state *state) {
  if (!state->has_ended) RAW2(__NR_kill, state->init, SIGKILL);
  state->is_killed = true;
}

void fwsv_sandbox_end(sandbox_state *state) {
  while (!state->has_ended && RAW4(__NR_wait4, state->init, 0, __WALL, 0) == -EINTR) {
  }
  close_pair(state);
  state->init = 0;
}
