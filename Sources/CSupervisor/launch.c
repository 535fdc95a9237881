/*
 * Starting the supervisor. This is the only part of the program that runs in the host.
 *
 * The supervisor must not be a child of the host, because a host that waits for all its children would wait for the
 * supervisor. So a child that ends at once starts it. That child is cloned without an exit signal and never calls exec:
 * the host gets no SIGCHLD, and a wait of the host's without __WALL does not see the child. Child and grandchild share
 * the host's memory until the exec. Each runs on a stack of its own, which is in the frame of fwsv_launch(), and makes
 * system calls only. All signals are blocked meanwhile.
 */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/wait.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

TEXT(text_null, "/dev/null");
TEXT(text_root, "/");
TEXT(text_fds, "/proc/self/fd");
TEXT(text_empty, "");
TEXT(text_name, "flowworker-supervisor");

enum { STACK = 8 * 1024 };

enum { UNUSED_STATUS = 127 }; /* of a process that did not get to the program; nobody reads it */

typedef struct {
  int program;
  int control;
  int host;
  volatile int error;
  volatile int call;
  char *stack_end;
} job;

/* Where close_range() is missing, before Linux 5.9 and in some sandboxes, the open descriptors are listed. */
void fwsv_close_all_but(const int *kept) {
  int from = 0;
  bool closed = true;
  for (int at = 0; at < 3; at++) {
    if (kept[at] < 0) continue;
    if (kept[at] > from) closed &= RAW3(__NR_close_range, from, kept[at] - 1, 0) == 0;
    from = kept[at] + 1;
  }
  closed &= RAW3(__NR_close_range, from, ~0u, 0) == 0;
  if (closed) return;
  RAW1(__NR_close, 0); /* 0 is never kept, and the list needs a number even if the host has used all of them */
  struct directory list;
  list.fd = RAW4(__NR_openat, AT_FDCWD, text_fds, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (list.fd < 0) return;
  list.size = list.at = 0;
  for (const struct entry *entry; (entry = next_entry(&list)) != NULL;) {
    int fd = leading_number(entry->name);
    /* Closing a descriptor does not shift the entries, whose offsets in this directory are the numbers. */
    if (fd != kept[0] && fd != kept[1] && fd != kept[2] && fd != list.fd) RAW1(__NR_close, fd);
  }
  RAW1(__NR_close, list.fd);
}

INLINE void put_in_order(int *one, int *other) {
  if (*one <= *other) return;
  int greater = *one;
  *one = *other;
  *other = greater;
}

/* Gives the descriptors the numbers that the supervisor knows them by. The descriptors of the host are closed first, so
 * that this needs no more numbers than a command does, however many the host has used. */
static long set_descriptors(job *job) {
  int kept[3];
  kept[0] = job->program;
  kept[1] = job->control;
  kept[2] = job->host;
  put_in_order(&kept[0], &kept[1]);
  put_in_order(&kept[1], &kept[2]);
  put_in_order(&kept[0], &kept[1]);
  fwsv_close_all_but(kept);
  /* They are moved out of the way of those numbers. The exec closes what remains of the copies. */
  job->call = FWSV_CALL_FCNTL;
  long program = RAW3(__NR_fcntl, job->program, F_DUPFD_CLOEXEC, FWSV_HOST + 1);
  long control = RAW3(__NR_fcntl, job->control, F_DUPFD_CLOEXEC, FWSV_HOST + 1);
  long host = job->host < 0 ? 0 : RAW3(__NR_fcntl, job->host, F_DUPFD_CLOEXEC, FWSV_HOST + 1);
  if (program < 0) return program;
  if (control < 0) return control;
  if (host < 0) return host;
  /* Descriptor 0, which is the lowest that is free, becomes the standard input of commands. Descriptors 1 and 2 are
   * there in case something writes to them. */
  job->call = FWSV_CALL_NULL;
  long null = RAW4(__NR_openat, AT_FDCWD, text_null, O_RDONLY, 0);
  if (null < 0) return null;
  for (int fd = 1; fd <= 2; fd++) RAW3(__NR_dup3, null, fd, 0);
  job->call = FWSV_CALL_DUP;
  control = RAW3(__NR_dup3, control, FWSV_CONTROL, 0);
  if (control < 0) return control;
  RAW1(__NR_close, FWSV_HOST);
  if (job->host >= 0) host = RAW3(__NR_dup3, host, FWSV_HOST, 0);
  return host < 0 ? host : program;
}

static int grandchild(void *argument) {
  job *job = argument;
  long program = set_descriptors(job);
  if (program < 0) {
    job->error = (int)-program;
    return UNUSED_STATUS;
  }
  RAW0(__NR_setsid);
  RAW1(__NR_chdir, text_root);
  const char *argv[2];
  argv[0] = text_name;
  argv[1] = NULL;
  const char *envp[1];
  envp[0] = NULL;
  job->call = FWSV_CALL_EXEC;
  job->error = (int)-RAW5(__NR_execveat, program, text_empty, argv, envp, AT_EMPTY_PATH);
  return UNUSED_STATUS;
}

static int child(void *argument) {
  job *job = argument;
  long pid = fwsv_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, job->stack_end, grandchild, job);
  if (pid < 0) {
    job->call = FWSV_CALL_CLONE;
    job->error = (int)-pid;
  }
  return 0;
}

int fwsv_launch(int program, int control, int host, int *call) {
  _Alignas(16) char stacks[2][STACK];
  job job;
  job.program = program;
  job.control = control;
  job.host = host;
  job.error = 0;
  job.call = FWSV_CALL_CLONE;
  job.stack_end = stacks[1] + STACK;
  uint64_t all = ~0ull;
  uint64_t before;
  RAW4(__NR_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
  long pid = fwsv_clone(CLONE_VM | CLONE_VFORK, stacks[0] + STACK, child, &job);
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof all);
  *call = FWSV_CALL_CLONE;
  if (pid < 0) return (int)-pid;
  /* The child has ended. Nobody else waits for it. */
  while (RAW4(__NR_wait4, pid, 0, __WALL, 0) == -EINTR) {
  }
  *call = job.call;
  return job.error;
}
