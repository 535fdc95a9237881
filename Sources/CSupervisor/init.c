/*
 * Process 1 of a sandbox: it sets the sandbox up, starts the command in it, reaps everything, and ends last.
 *
 * The init is a copy of the monitor and shares no memory with it, because the command can see it. It tells how the
 * command ended before it waits for anything else, and what it has told counts more than its own end. Only the init has
 * its end of the pair, and the command can neither read, trace nor signal the init, so the monitor trusts what it
 * tells.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

TEXT(name_init, "fw-init");
TEXT(path_network, "/proc/self/ns/net");
TEXT(path_user, "/proc/self/ns/user");

/* The kernel's struct ucred. */
struct fwsv_credentials {
  uint32_t pid, user, group;
};
enum { CREDENTIALS = 2 /* SCM_CREDENTIALS */ };

static __attribute__((noreturn)) void leave(void) {
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}

/* The monitor waits for this. An init that cannot tell it ends, and all that is in the sandbox with it. */
static void tell(int pair, fwsv_reply *note, uint32_t kind) {
  note->kind = kind;
  if (fwsv_send_message(pair, note, NOTE_SIZE, NULL, 0, -1) < 0) leave();
}

/* Enters the network namespace that the monitor has kept. Where that is refused there is a new one. */
static long enter_network(init_job *job) {
  if (job->network < 0 || RAW2(__NR_setns, job->network, CLONE_NEWNET) >= 0) return 0;
  job->is_kept = false;
  return RAW1(__NR_unshare, CLONE_NEWNET);
}

/* Does all that can be refused, and then starts the command. Returns its pid, or a negative errno. */
static long set_up(init_job *job, fwsv_reply *note, int *signals) {
  sandbox *sandbox = job->sandbox;
  const bool has_user = (sandbox->layers & FWSV_LAYER_USER) != 0;
  const bool has_network = (sandbox->layers & FWSV_LAYER_NETWORK) != 0;
  long result;
  /* A signal to everybody must reach nobody else. */
  note->stage = FWSV_AT_NAMESPACES;
  if (RAW0(__NR_getpid) != 1) return -EINVAL;
  if ((result = enter_network(job)) < 0) return result;
  note->stage = FWSV_AT_MAPS;
  if (has_user && !job->is_kept && (result = fwsv_write_maps(sandbox)) < 0) return result;
  if ((result = fwsv_note_places(sandbox, job->fds[FWSV_FD_RUNDIR], note)) < 0) return result;
  if ((result = fwsv_make_view(sandbox, note)) < 0) return result;
  note->stage = FWSV_AT_LOOPBACK;
  if (has_network && !job->is_kept && (result = fwsv_bring_up_loopback()) < 0) return result;
  if ((result = fwsv_make_ruleset(sandbox, job->fds[FWSV_FD_RUNDIR], note)) < 0) return result;
  fwsv_forget_places(sandbox);
  note->stage = FWSV_AT_SIGNALS;
  uint64_t watched = 1ull << (SIGCHLD - 1);
  *signals = (int)RAW4(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK);
  if (*signals < 0) return *signals;
  /* The command has the same user, and must not read this memory. */
  RAW5(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  int group;
  return fwsv_spawn(job->request, job->fds, job->texts, sandbox, job->groups, note, &group);
}

/* The command's descriptors are the command's alone from here on, or the end of a pipe would not be seen. */
static void keep_two(int one, int other) {
  int kept[3];
  kept[0] = -1;
  kept[1] = one < other ? one : other;
  kept[2] = one < other ? other : one;
  fwsv_close_all_but(kept);
}

static struct cmsghdr *put_header(char *at, int type, size_t size) {
  struct cmsghdr *header = (struct cmsghdr *)(void *)at;
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(size);
  return header;
}

/* Tells that the command runs. An init may name a process of its namespace, and the kernel translates the pid. The
 * message also has descriptors of the namespaces that are new and may be kept. */
static void tell_start(const init_job *job, fwsv_reply *note, long main) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct fwsv_credentials)) + CMSG_SPACE(2 * sizeof(int))];
  int fds[2];
  size_t count = 0;
  const sandbox *sandbox = job->sandbox;
  if (sandbox->layers & FWSV_LAYER_NETWORK && !job->is_kept) {
    fds[0] = (int)RAW4(__NR_openat, AT_FDCWD, path_network, O_RDONLY | O_CLOEXEC, 0);
    fds[1] =
        sandbox->layers & FWSV_LAYER_USER ? (int)RAW4(__NR_openat, AT_FDCWD, path_user, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fds[0] >= 0) count = fds[1] >= 0 ? 2 : 1;
  }
  note->kind = FWSV_STARTED;
  struct iovec part = {.iov_base = note, .iov_len = NOTE_SIZE};
  struct msghdr message;
  zero(&message, sizeof message);
  zero(control, sizeof control);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(sizeof(struct fwsv_credentials));
  struct fwsv_credentials *who = (void *)CMSG_DATA(put_header(control, CREDENTIALS, sizeof(struct fwsv_credentials)));
  who->pid = (uint32_t)main;
  who->user = sandbox->user;
  who->group = sandbox->group;
  if (count > 0) {
    char *next = control + message.msg_controllen;
    volatile int *values = (void *)CMSG_DATA(put_header(next, SCM_RIGHTS, count * sizeof(int)));
    for (size_t at = 0; at < count; at++) values[at] = fds[at];
    message.msg_controllen += CMSG_SPACE(count * sizeof(int));
  }
  if (fwsv_send(job->pair, &message, -1) < 0) leave();
  for (size_t at = 0; at < count; at++) RAW1(__NR_close, fds[at]);
}

/* Does what the monitor asks for. When the monitor has gone, so have all processes. */
static void heed(int pair, long main) {
  init_order order;
  struct iovec part = {.iov_base = &order, .iov_len = sizeof order};
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  long size = fwsv_receive_message(pair, &message);
  if (size == -EAGAIN) return;
  if (size != (long)sizeof order) leave();
  /* The number of the main process is safe until it is reaped here. */
  if (!order.to_main) RAW2(__NR_kill, -1, order.signal);
  if (order.to_main && main > 0) RAW2(__NR_kill, main, order.signal);
}

static void note_end(fwsv_reply *note, int status, const struct rusage *usage) {
  note->status = status;
  note->duration = fwsv_monotonic();
  note->user = fwsv_user_time(usage);
  note->system = fwsv_system_time(usage);
  note->peak = usage->ru_maxrss * 1024ll;
}

/* model: INIT_SERVING. Reaps until nothing is left. */
static void serve(int pair, int signals, long main, fwsv_reply *note) {
  bool is_told = false;
  for (;;) {
    int status;
    struct rusage usage;
    long pid = RAW4(__NR_wait4, -1, &status, WNOHANG | __WALL, &usage);
    if (pid > 0 && pid == main) {
      note_end(note, status, &usage);
      main = 0;
    }
    if (pid > 0 || pid == -EINTR) continue;
    if (pid == -ECHILD) return;
    if (main == 0 && !is_told) {
      note->left = 1;
      tell(pair, note, FWSV_ENDED);
      is_told = true;
    }
    struct pollfd items[2];
    watch_fd(&items[0], signals);
    watch_fd(&items[1], pair);
    bool is_known = fwsv_look_at(items, 2, NULL);
    if (items[0].revents != 0) {
      char information[128];
      RAW3(__NR_read, signals, information, sizeof information);
    }
    if (items[1].revents != 0 || !is_known) heed(pair, main);
  }
}

void fwsv_init(init_job *job) {
  /* model: INIT_BORN */
  fwsv_reply note;
  zero(&note, sizeof note);
  note.path = FWSV_PATH_NONE;
  RAW1(__NR_close, job->others_end);
  RAW1(__NR_close, job->channel);
  RAW0(__NR_setsid);
  RAW5(__NR_prctl, PR_SET_NAME, name_init, 0, 0, 0);
  RAW5(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  /* getppid() is 0 here. A monitor that had gone before the call above has closed its end of the pair. */
  struct pollfd item;
  struct timespec now;
  zero(&now, sizeof now);
  watch_fd(&item, job->pair);
  item.events = 0;
  if (fwsv_look_at(&item, 1, &now) && item.revents != 0) leave();

  /* model: INIT_SETTING_UP */
  int signals = -1;
  long main = set_up(job, &note, &signals);
  note.layers = job->sandbox->layers;
  if (main < 0) {
    note.error = (int)-main;
    tell(job->pair, &note, FWSV_FAILED);
    leave();
  }
  keep_two(job->pair, signals);
  tell_start(job, &note, main);
  fwsv_drop_capabilities();
  serve(job->pair, signals, main, &note);
  struct rusage usage;
  zero(&usage, sizeof usage);
  RAW2(__NR_getrusage, RUSAGE_CHILDREN, &usage);
  note.left = 0;
  note.tree_user = fwsv_user_time(&usage);
  note.tree_system = fwsv_system_time(&usage);
  tell(job->pair, &note, FWSV_ENDED);
  /* model: INIT_GONE */
  leave();
}
