/*
 * Starting a command, in a monitor.
 *
 * With clone(CLONE_VM | CLONE_VFORK) the child runs in the monitor's memory until exec, on a stack of its own, and
 * reports a failure by writing to a variable. The child has no signal handlers to reset, because the supervisor has
 * none.
 */
#include "group.h"
#include "sandbox.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { CHILD_STACK = 16 * 1024, LEADER_STACK = 4 * 1024 };

enum { STANDARD_INPUT, STANDARD_OUTPUT, STANDARD_ERROR };

enum { UNUSED_STATUS = 127 }; /* of a child that did not get to the command; nobody reads it */

typedef struct {
  const fwsv_request *request;
  const int *fds;
  const sandbox *sandbox; /* NULL for none */
  groups *groups;         /* NULL for none */
  int parent;             /* the monitor, or the init of a sandbox */
  char *const *const *lists;
  char *stack, *stack_end;
  volatile long pid;       /* of the child of a leader */
  volatile bool is_inside; /* the child begins in its control group of version 2 */
  volatile uint32_t is_direct;
  volatile uint32_t stage;
  volatile int error;
  volatile int limit;
} job;

static int resource_of(int limit) {
  switch (limit) {
    case FWSV_LIMIT_CPU: return RLIMIT_CPU;
    case FWSV_LIMIT_MEMORY: return RLIMIT_AS;
    case FWSV_LIMIT_FILES: return RLIMIT_NOFILE;
    case FWSV_LIMIT_FILE_SIZE: return RLIMIT_FSIZE;
    default: return RLIMIT_NPROC;
  }
}

static long set_limits(const uint64_t *limits, volatile int *which) {
  for (int limit = 0; limit < FWSV_LIMITS; limit++) {
    uint64_t value = limits[limit];
    if (value == FWSV_NO_LIMIT) continue;
    struct fwsv_rlimit both;
    both.rlim_cur = both.rlim_max = value;
    if (limit == FWSV_LIMIT_CPU) {
      /* SIGXCPU comes at the soft limit and SIGKILL at the hard one, so the program has a second to end by itself. */
      struct fwsv_rlimit present;
      RAW4(__NR_prlimit64, 0, RLIMIT_CPU, 0, &present);
      if (value < present.rlim_max) both.rlim_max = value + 1;
    }
    long result = RAW4(__NR_prlimit64, 0, resource_of(limit), &both, 0);
    if (result < 0) {
      *which = limit;
      return result;
    }
  }
  return 0;
}

/* Executes the command's own program if one of its paths can be executed, and returns otherwise. As in the shell's own
 * search, a path where nothing can be executed leads to the next one. */
static void execute_direct(job *job) {
  job->is_direct = 1;
  for (char *const *path = job->lists[PATHS]; *path != 0; path++) {
    long result = RAW3(__NR_execve, *path, job->lists[DIRECT], job->lists[ENVIRONMENT]);
    if (result != -ENOENT && result != -ENOTDIR && result != -EACCES) break;
  }
  job->is_direct = 0;
}

static int child(void *argument) {
  job *job = argument;
  const fwsv_request *request = job->request;
  long result;

  if (!request->is_direct) RAW0(__NR_setsid);
  /* model: MAIN_BORN, MAIN_BOUND. If somebody kills the monitor, the kernel ends the command. A monitor that was killed
   * before this call cannot be noticed by the kernel, but it is not the parent any more. */
  RAW5(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (RAW0(__NR_getppid) != job->parent) return UNUSED_STATUS;

  job->stage = FWSV_AT_STREAMS;
  if (request->has_input && (result = RAW3(__NR_dup3, job->fds[FWSV_FD_IN], STANDARD_INPUT, 0)) < 0) goto failed;
  if (request->is_link && (result = RAW3(__NR_dup3, job->fds[FWSV_FD_OUT], STANDARD_INPUT, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWSV_FD_OUT], STANDARD_OUTPUT, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWSV_FD_ERR], STANDARD_ERROR, 0)) < 0) goto failed;
  /* In a view the child is in the run directory already, and the descriptor leads to the one outside. */
  job->stage = FWSV_AT_CHDIR;
  bool is_there = job->sandbox != NULL && has_namespaces(job->sandbox);
  if (!is_there && (result = RAW1(__NR_fchdir, job->fds[FWSV_FD_RUNDIR])) < 0) goto failed;
  const uint64_t *limits = request->limits;
  uint64_t more[FWSV_LIMITS];
  if (job->groups != NULL) {
    job->stage = FWSV_AT_GROUP;
    if ((result = fwsv_groups_enter(job->groups, job->is_inside, &job->limit)) < 0) goto failed;
    limits = fwsv_groups_fall_back(job->groups, limits, more);
  }
  job->stage = FWSV_AT_LIMIT;
  if ((result = set_limits(limits, &job->limit)) < 0) goto failed;

  /* model: MAIN_RUNNING. Descriptors from 3 on are close-on-exec. */
  uint64_t none = 0;
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
  /* The filter of a sandbox may refuse any call but those of exec and exit. */
  if (job->sandbox != NULL && (result = fwsv_confine(job->sandbox, &job->stage)) < 0) goto failed;
  job->stage = FWSV_AT_EXEC;
  if (request->is_direct) execute_direct(job);
  result = RAW3(__NR_execve, job->lists[STRINGS][0], job->lists[STRINGS] + 1, job->lists[ENVIRONMENT]);

failed:
  job->error = (int)result;
  return UNUSED_STATUS;
}

/* Where the system cannot start a process in its group, the child enters the group like one of version 1. */
static long clone_child(job *job, unsigned long flags) {
  int into = job->groups != NULL ? fwsv_groups_into(job->groups) : -1;
  if (into >= 0) {
    job->is_inside = true;
    long pid = fwsv_clone_into(into, flags, job->stack, job->stack_end, child, job);
    if (pid >= 0) return pid;
    job->is_inside = false;
  }
  return fwsv_clone(flags | SIGCHLD, job->stack_end, child, job);
}

/* Makes a session and a process group for the child, which is a child of the monitor and leads neither. */
static int leader(void *argument) {
  job *job = argument;
  RAW0(__NR_setsid);
  job->pid = clone_child(job, CLONE_VM | CLONE_VFORK | CLONE_PARENT);
  return 0;
}

/* Starts the child with a leader, and returns the leader's pid. The leader ends at once, but its process group keeps
 * the number as long as any process is in the group. */
static long clone_with_leader(job *job) {
  _Alignas(16) char stack[LEADER_STACK];
  /* Nothing that it shares with the monitor is changed, and nothing of it has to be copied. */
  const int shared = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND;
  long pid = fwsv_clone(shared | CLONE_VFORK, stack + LEADER_STACK, leader, job);
  if (pid < 0) return job->pid = pid;
  while (RAW4(__NR_wait4, pid, 0, __WALL, 0) == -EINTR) {
  }
  return pid;
}

/* Changes the offsets into pointers, and finds where the lists begin. An offset of 0 becomes the NULL that ends a list.
 */
static bool find_lists(const fwsv_request *request, uint64_t *table, char ***lists) {
  char *base = (char *)table;
  int list = request->is_direct ? PATHS : STRINGS;
  bool begins = true;
  if (request->slots > request->size / sizeof *table) return false;
  for (uint32_t slot = 0; slot < request->slots; slot++) {
    if (list == LISTS || table[slot] >= request->size) return false;
    if (begins) lists[list] = (char **)&table[slot];
    begins = table[slot] == 0;
    if (begins) {
      list++;
    } else {
      table[slot] = (uint64_t)(uintptr_t)(base + table[slot]);
    }
  }
  /* The last lists must have a program and its name. */
  return list == LISTS && begins && lists[STRINGS][0] != 0 && lists[STRINGS][1] != 0;
}

bool fwsv_read_texts(const fwsv_request *request, uint64_t *table, texts *texts) {
  zero(texts, sizeof *texts);
  if (!find_lists(request, table, texts->lists)) return false;
  return request->sandbox == 0 || fwsv_find_sandbox(request, table, &texts->sandbox);
}

int fwsv_spawn(const fwsv_request *request, const int *fds, const texts *texts, const sandbox *sandbox, groups *groups,
               fwsv_reply *reply, int *group) {
  _Alignas(16) char stack[CHILD_STACK];
  job job;
  zero(&job, sizeof job);
  job.request = request;
  job.fds = fds;
  job.sandbox = sandbox;
  job.groups = groups;
  job.lists = (char *const *const *)texts->lists;
  job.parent = (int)RAW0(__NR_getpid);
  job.stack = stack;
  job.stack_end = stack + CHILD_STACK;
  job.stage = FWSV_AT_CLONE;

  if (request->is_direct) {
    *group = (int)clone_with_leader(&job);
  } else {
    job.pid = clone_child(&job, CLONE_VM | CLONE_VFORK);
    *group = (int)job.pid;
  }
  reply->stage = (int32_t)job.stage;
  reply->limit = job.limit;
  reply->is_direct = job.is_direct;
  if (groups != NULL) fwsv_groups_tell_kept(groups, reply);
  if (job.pid < 0) return (int)job.pid;
  if (job.error != 0) {
    while (RAW4(__NR_wait4, job.pid, 0, 0, 0) == -EINTR) {
    }
    return job.error;
  }
  return (int)job.pid;
}
