/*
 * Starting a process.
 *
 * clone(CLONE_VM | CLONE_VFORK) costs the same whatever the size of the host's
 * memory (fork copies its page tables: a quarter of a second at 8 GB), tells the
 * pidfd without a race even when the host reaps every child, and lets the child say
 * why it could not exec by a plain write to memory that we share. In return the
 * child runs in the host's memory, on a stack of its own, until exec: it may make
 * system calls and nothing else, with every signal blocked, so that no handler of
 * the host's runs there.
 */
#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

/* clone() under the C library's other name: the thread sanitizer takes the first for
 * a fork, which this is not, and stops the host. */
extern int __clone(int (*body)(void *), void *stack, int flags, void *argument, ...);

char *const *fws_environ(void) {
  static char *const empty[] = {NULL};
  return environ ? environ : empty;
}

/* On the frame of the thread that starts the child and stands still meanwhile: that
 * costs no system call. The child needs less than 4 KiB of it. */
enum { CHILD_STACK = 16 * 1024 };

/* The child leaves its frames without returning from them, which a sanitizer would
 * hold against the parent. */
#if defined(__clang__)
#define IN_CHILD __attribute__((no_sanitize("address", "thread")))
#else
#define IN_CHILD
#endif

typedef struct {
  const fws_command *command;
  volatile int stage;
  volatile int error;
} child_job;

/* sigaction() of the C library refuses the two signals that it keeps for itself; a
 * host can have ignored them all the same, so the kernel is asked directly. */
IN_CHILD static void default_signals(void) {
  struct {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
  } action;
  memset(&action, 0, sizeof action);
  for (int number = 1; number <= 64; number++) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(uint64_t));
  }
}

struct entry { /* of getdents64 */
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* Closes all descriptors from 3 on. close_range is missing before Linux 5.9 and
 * under some sandboxes; then the open ones are listed. */
IN_CHILD static void close_the_rest(void) {
  if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
  long list = syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list < 0) return;
  _Alignas(8) char buffer[2048];
  for (;;) {
    long size = syscall(SYS_getdents64, list, buffer, sizeof buffer);
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      struct entry *entry = (struct entry *)(buffer + at);
      at += entry->size;
      int fd = 0;
      for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++) fd = fd * 10 + (*digit - '0');
      /* Closing moves nothing in this directory: its offset is the number. */
      if (fd > 2 && fd != list) syscall(SYS_close, fd);
    }
  }
  syscall(SYS_close, list);
}

/* System calls as such: what the C library and the sanitizers wrap around them keeps
 * account of the process, and here that would be the host. */
IN_CHILD static int child_main(void *argument) {
  child_job *job = argument;
  const fws_command *command = job->command;

  syscall(SYS_setsid);
  default_signals();

  job->stage = FWS_AT_STDIN;
  long null = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
  if (null < 0) goto failed;
  if (null != 0 && syscall(SYS_dup3, null, 0, 0) < 0) goto failed;
  if (syscall(SYS_dup3, command->out, 1, 0) < 0 || syscall(SYS_dup3, command->err, 2, 0) < 0) goto failed;

  job->stage = FWS_AT_CHDIR;
  if (syscall(SYS_fchdir, command->rundir) < 0) goto failed;
  close_the_rest();

  uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);

  job->stage = FWS_AT_EXEC;
  syscall(SYS_execve, command->program, command->argv, command->envp);

failed:
  job->error = errno;
  syscall(SYS_exit_group, 127);
  __builtin_unreachable();
}

fws_child fws_spawn(const fws_command *command) {
  fws_child child = {.pid = -1, .pidfd = -1, .stage = FWS_AT_CLONE, .error = 0};
  _Alignas(16) char stack[CHILD_STACK];
  child_job job = {.command = command, .stage = FWS_AT_CLONE, .error = 0};

  sigset_t all, before;
  int cancellation;
  sigfillset(&all);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int pidfd = -1;
  pid_t pid = __clone(child_main, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &job, &pidfd);
  int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_setcancelstate(cancellation, NULL);

  if (pid < 0) {
    child.error = clone_error;
    return child;
  }
  if (job.error != 0) {
    fws_reap(pidfd);
    close(pidfd);
    child.stage = job.stage;
    child.error = job.error;
    return child;
  }
  child.pid = pid;
  child.pidfd = pidfd;
  child.stage = FWS_AT_NOWHERE;
  return child;
}
