/*
 * Starting a command, in a monitor.
 *
 * clone(CLONE_VM | CLONE_VFORK): the child runs in the monitor's memory until exec, on a stack
 * of its own, and says by a plain write why it could not. It has no signal handlers to set
 * back, because the keeper has none.
 */
#include "parts.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>

enum { CHILD_STACK = 16 * 1024 };

typedef struct {
  const fwk_request *request;
  const int *fds;
  char **strings; /* the program, and its arguments */
  char **environment;
  volatile uint32_t stage;
  volatile int error;
  volatile int limit;
} job;

/* The kernel's, of which the C library makes another. */
struct fwk_rlimit {
  uint64_t rlim_cur;
  uint64_t rlim_max;
};

static int resource_of(int limit) {
  switch (limit) {
    case FWK_LIMIT_CPU: return RLIMIT_CPU;
    case FWK_LIMIT_MEMORY: return RLIMIT_AS;
    case FWK_LIMIT_FILES: return RLIMIT_NOFILE;
    case FWK_LIMIT_FILE_SIZE: return RLIMIT_FSIZE;
    default: return RLIMIT_NPROC;
  }
}

static long set_limits(const fwk_request *request, volatile int *which) {
  for (int limit = 0; limit < FWK_LIMITS; limit++) {
    uint64_t value = request->limits[limit];
    if (value == FWK_NO_LIMIT) continue;
    struct fwk_rlimit both;
    both.rlim_cur = both.rlim_max = value;
    if (limit == FWK_LIMIT_CPU) {
      /* SIGXCPU comes at the first, SIGKILL at the second: the program may say goodbye. */
      struct fwk_rlimit present;
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

static int child(void *argument) {
  job *job = argument;
  const fwk_request *request = job->request;
  long result;

  RAW0(__NR_setsid);
  /* Should somebody kill the monitor, its command goes with it. */
  RAW5(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

  job->stage = FWK_AT_STREAMS;
  if (request->is_link && (result = RAW3(__NR_dup3, job->fds[FWK_FD_OUT], 0, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWK_FD_OUT], 1, 0)) < 0) goto failed;
  if ((result = RAW3(__NR_dup3, job->fds[FWK_FD_ERR], 2, 0)) < 0) goto failed;
  job->stage = FWK_AT_CHDIR;
  if ((result = RAW1(__NR_fchdir, job->fds[FWK_FD_RUNDIR])) < 0) goto failed;
  job->stage = FWK_AT_LIMIT;
  if ((result = set_limits(request, &job->limit)) < 0) goto failed;

  /* All that is open from 3 on is close-on-exec. */
  uint64_t none = 0;
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
  job->stage = FWK_AT_EXEC;
  result = RAW3(__NR_execve, job->strings[0], job->strings + 1, job->environment);

failed:
  job->error = (int)result;
  return 127;
}

int spawn(const fwk_request *request, const int *fds, uint64_t *table, fwk_reply *reply) {
  /* From offsets to pointers; an offset of 0 is the NULL that ends a list. */
  char *base = (char *)table;
  uint32_t ends = 0;
  uint32_t environment = 0;
  for (uint32_t slot = 0; slot < request->slots; slot++) {
    if (table[slot] == 0) {
      if (++ends == 1) environment = slot + 1;
      continue;
    }
    if (table[slot] >= request->size) ends = 3;
    table[slot] = (uint64_t)(uintptr_t)(base + table[slot]);
  }
  reply->stage = FWK_AT_REQUEST;
  if (ends != 2 || request->slots < 4 || table[request->slots - 1] != 0) return -EINVAL;

  _Alignas(16) char stack[CHILD_STACK];
  job job = {
      .request = request,
      .fds = fds,
      .strings = (char **)table,
      .environment = (char **)table + environment,
      .stage = FWK_AT_CLONE,
      .error = 0,
      .limit = 0,
  };
  long pid = fwk_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + CHILD_STACK, child, &job);
  reply->stage = (int32_t)job.stage;
  reply->limit = job.limit;
  if (pid < 0) return (int)pid;
  if (job.error != 0) {
    while (RAW4(__NR_wait4, pid, 0, 0, 0) == -EINTR) {
    }
    return job.error;
  }
  return (int)pid;
}
