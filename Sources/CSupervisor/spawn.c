/*
 * Starting a command, in a monitor.
 *
 * clone(CLONE_VM | CLONE_VFORK): the child runs in the monitor's memory until exec, on a stack
 * of its own, and says by a plain write why it could not. It has no signal handlers to set
 * back, because the supervisor has none.
 */
#include "parts.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>

enum { CHILD_STACK = 16 * 1024, LEADER_STACK = 4 * 1024 };

/* The lists of a request's texts. */
enum { PATHS, DIRECT, STRINGS, ENVIRONMENT, LISTS };

typedef struct {
  const fwsv_request *request;
  const int *fds;
  char **lists[LISTS];
  char *stack_end;
  volatile long pid; /* of the child of a leader */
  volatile uint32_t is_direct;
  volatile uint32_t stage;
  volatile int error;
  volatile int limit;
} job;

/* The kernel's, of which the C library makes another. */
struct fwsv_rlimit {
  uint64_t rlim_cur;
  uint64_t rlim_max;
};

static int resource_of(int limit) {
  switch (limit) {
    case FWSV_LIMIT_CPU: return RLIMIT_CPU;
    case FWSV_LIMIT_MEMORY: return RLIMIT_AS;
    case FWSV_LIMIT_FILES: return RLIMIT_NOFILE;
    case FWSV_LIMIT_FILE_SIZE: return RLIMIT_FSIZE;
    default: return RLIMIT_NPROC;
  }
}

static long set_limits(const fwsv_request *request, volatile int *which) {
  for (int limit = 0; limit < FWSV_LIMITS; limit++) {
    uint64_t value = request->limits[limit];
    if (value == FWSV_NO_LIMIT) continue;
    struct fwsv_rlimit both;
    both.rlim_cur = both.rlim_max = value;
    if (limit == FWSV_LIMIT_CPU) {
      /* SIGXCPU comes at the first, SIGKILL at the second: the program may say goodbye. */
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

/* Ends up in the command's own program, or gives the reason why the shell is to be asked: its search goes on where
 * there is nothing, too. */
static void execute_direct(job *job) {
  job->is_direct = 1;
  for (char **path = job->lists[PATHS]; *path != 0; path++) {
    long result = RAW3(__NR_execve, *path, job->lists[DIRECT], job->lists[ENVIRONMENT]);
    if (result != -ENOENT && result != -ENOTDIR) break;
  }
  job->is_direct = 0;
}

static int child(void *argument) {
  job *job = argument;
  const fwsv_request *request = job->request;
  long result;

  if (!request->is_direct) RAW0(__NR_setsid);
  /* Should somebody kill the monitor, its command goes with it. */
  RAW5(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

  job->stage = FWSV_AT_STREAMS;
  if (request->is_link && (result = RAW3(__NR_dup3, job->fds[FWSV_FD_OUT], 0, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWSV_FD_OUT], 1, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWSV_FD_ERR], 2, 0)) < 0) goto failed;
  job->stage = FWSV_AT_CHDIR;
  if ((result = RAW1(__NR_fchdir, job->fds[FWSV_FD_RUNDIR])) < 0) goto failed;
  job->stage = FWSV_AT_LIMIT;
  if ((result = set_limits(request, &job->limit)) < 0) goto failed;

  /* All that is open from 3 on is close-on-exec. */
  uint64_t none = 0;
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
  job->stage = FWSV_AT_EXEC;
  if (request->is_direct) execute_direct(job);
  result = RAW3(__NR_execve, job->lists[STRINGS][0], job->lists[STRINGS] + 1, job->lists[ENVIRONMENT]);

failed:
  job->error = (int)result;
  return 127;
}

/* Makes a session and a process group for the child, which is the monitor's and no leader. */
static int leader(void *argument) {
  job *job = argument;
  RAW0(__NR_setsid);
  job->pid = fwsv_clone(CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, job->stack_end, child, job);
  return 0;
}

/* The same with a leader, whose number is given. It ends at once; its group has its number as long as there is anybody in
 * it. */
static long clone_with_leader(job *job) {
  _Alignas(16) char stack[LEADER_STACK];
  long pid = fwsv_clone(CLONE_VM | CLONE_VFORK, stack + LEADER_STACK, leader, job);
  if (pid < 0) return job->pid = pid;
  while (RAW4(__NR_wait4, pid, 0, 0x40000000 /* __WALL */, 0) == -EINTR) {
  }
  return pid;
}

/* From offsets to pointers, and where the lists are; an offset of 0 is the NULL that ends a list. */
static bool find_lists(job *job, uint64_t *table) {
  const fwsv_request *request = job->request;
  char *base = (char *)table;
  int list = request->is_direct ? PATHS : STRINGS;
  bool begins = true;
  for (uint32_t slot = 0; slot < request->slots; slot++) {
    if (list == LISTS || table[slot] >= request->size) return false;
    if (begins) job->lists[list] = (char **)&table[slot];
    begins = table[slot] == 0;
    if (begins) {
      list++;
    } else {
      table[slot] = (uint64_t)(uintptr_t)(base + table[slot]);
    }
  }
  /* A program, and its name. */
  return list == LISTS && begins && job->lists[STRINGS][0] != 0 && job->lists[STRINGS][1] != 0;
}

int spawn(const fwsv_request *request, const int *fds, uint64_t *table, fwsv_reply *reply, int *group) {
  _Alignas(16) char stack[CHILD_STACK];
  job job;
  zero(&job, sizeof job);
  job.request = request;
  job.fds = fds;
  job.stack_end = stack + CHILD_STACK;
  job.stage = FWSV_AT_CLONE;
  reply->stage = FWSV_AT_REQUEST;
  if (!find_lists(&job, table)) return -EINVAL;

  if (request->is_direct) {
    *group = (int)clone_with_leader(&job);
  } else {
    job.pid = fwsv_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + CHILD_STACK, child, &job);
    *group = (int)job.pid;
  }
  reply->stage = (int32_t)job.stage;
  reply->limit = job.limit;
  reply->is_direct = job.is_direct;
  if (job.pid < 0) return (int)job.pid;
  if (job.error != 0) {
    while (RAW4(__NR_wait4, job.pid, 0, 0, 0) == -EINTR) {
    }
    return job.error;
  }
  return (int)job.pid;
}
