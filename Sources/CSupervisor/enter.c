/*
 * The clone of an init into its namespaces.
 *
 * A new network namespace costs more than all mounts together, and the kernel takes long to remove it. So a monitor
 * keeps that of its last command, and with it the user namespace that owns it. Nobody of that command is left, and
 * nobody in it has had a capability, so loopback, addresses and routes are as they were made.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

/* The init begins on the stack of the helper. */
enum { HELPER_STACK = 96 * 1024 };

TEXT(enter_root, "/");

typedef struct {
  const sandbox_state *state;
  init_job *init;
  unsigned long flags;
  volatile long pid;
} helper_job;

static unsigned long flags_of(const sandbox *sandbox) {
  unsigned long flags = SIGCHLD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC;
  if (sandbox->layers & FWSV_LAYER_NETWORK) flags |= CLONE_NEWNET;
  if (sandbox->layers & FWSV_LAYER_USER) flags |= CLONE_NEWUSER;
  return flags;
}

/* A fork. In the child the call does not return. */
static long clone_init(unsigned long flags, init_job *job) {
  long pid = RAW5(__NR_clone, flags, 0, 0, 0, 0);
  if (pid == 0) fwsv_init(job);
  return pid;
}

/* Runs in a child that shares the monitor's memory, and makes the init a child of the monitor. */
static int enter(void *argument) {
  helper_job *job = argument;
  /* The memory is the monitor's, and setns() makes it unreadable for the user, who has to write maps in a copy. */
  long before = RAW5(__NR_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  long result = RAW2(__NR_setns, job->state->user, CLONE_NEWUSER);
  RAW5(__NR_prctl, PR_SET_DUMPABLE, before == 1, 0, 0, 0);
  if (result >= 0) result = RAW2(__NR_setns, job->state->network, CLONE_NEWNET);
  if (result >= 0) result = clone_init(job->flags | CLONE_PARENT, job->init);
  job->pid = result;
  return 0;
}

/* A user namespace cannot be left again, so a helper enters it. An init without one enters the network by itself. */
static long clone_into_kept(const sandbox_state *state, unsigned long flags, init_job *init) {
  _Alignas(16) char stack[HELPER_STACK];
  helper_job job;
  job.state = state;
  job.init = init;
  job.flags = flags & ~(unsigned long)(CLONE_NEWNET | CLONE_NEWUSER);
  init->is_kept = true;
  if (state->user < 0) {
    init->network = state->network;
    return clone_init(job.flags, init);
  }
  long helper = fwsv_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack + HELPER_STACK, enter, &job);
  if (helper < 0) return helper;
  while (RAW4(__NR_wait4, helper, 0, __WALL, 0) == -EINTR) {
  }
  return job.pid;
}

/* Whether what is kept is what this sandbox needs. */
static bool can_enter(const sandbox_state *state) {
  const uint32_t layers = state->now.layers;
  return layers & FWSV_LAYER_NETWORK && state->network >= 0 && (layers & FWSV_LAYER_USER) != 0 == (state->user >= 0);
}

long fwsv_clone_init(sandbox_state *state, init_job *job, fwsv_reply *reply) {
  unsigned long flags = flags_of(&state->now);
  /* The kernel moves the working directory into the new mounts, and no descriptor. */
  reply->stage = FWSV_AT_CHDIR;
  long pid = RAW1(__NR_fchdir, job->fds[FWSV_FD_RUNDIR]);
  if (pid < 0) return pid;
  reply->stage = FWSV_AT_NAMESPACES;
  pid = -1;
  if (can_enter(state)) pid = clone_into_kept(state, flags, job);
  if (pid < 0) {
    fwsv_forget_namespaces(state);
    job->is_kept = false;
    job->network = -1;
    pid = clone_init(flags, job);
  }
  RAW1(__NR_chdir, enter_root);
  return pid;
}

void fwsv_forget_namespaces(sandbox_state *state) {
  if (state->network >= 0) RAW1(__NR_close, state->network);
  if (state->user >= 0) RAW1(__NR_close, state->user);
  state->network = state->user = -1;
}
