#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* From linux/pidfd.h of Linux 6.15; older headers do not have it. The kernel takes
 * the structure's first published size. */
#define INFO_EXIT (1ULL << 3)
struct pidfd_info {
  __u64 mask;
  __u64 cgroupid;
  __u32 pid, tgid, ppid;
  __u32 ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  __s32 exit_code;
};
#define GET_INFO _IOWR(0xFF, 11, struct pidfd_info)

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

fws_status fws_reap(int pidfd) {
  fws_status status = {.known = false, .has_usage = false, .exit_code = -1, .signal = 0, .user = 0, .system = 0};
  siginfo_t info = {.si_pid = 0};
  struct rusage usage;
  long result;
  /* The system call has a fifth argument that the C library's waitid leaves out. */
  do {
    result = syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, &usage);
  } while (result < 0 && errno == EINTR);
  if (result == 0) {
    status.known = status.has_usage = true;
    status.user = seconds(usage.ru_utime);
    status.system = seconds(usage.ru_stime);
    if (info.si_code == CLD_EXITED) {
      status.exit_code = info.si_status;
    } else {
      status.signal = info.si_status;
    }
    return status;
  }
  /* ECHILD: the host ignores SIGCHLD, or another thread of it was faster. The kernel
   * keeps the status with the pidfd, from the moment that the process is released: while
   * the other thread is about to do that, there is nothing yet. The kernel looks for the
   * status first and for the process then, and says ESRCH when the release came between
   * the two; a kernel that keeps no status (before Linux 6.15) goes on saying so. */
  struct pidfd_info exit_info;
  int missing = 0;
  for (int attempt = 0; attempt < 1000; attempt++) {
    exit_info = (struct pidfd_info){.mask = INFO_EXIT};
    if (ioctl(pidfd, GET_INFO, &exit_info) < 0) {
      exit_info.mask = 0;
      if (errno != ESRCH || ++missing == 10) break;
    }
    if (exit_info.mask & INFO_EXIT) break;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  if (exit_info.mask & INFO_EXIT) {
    status.known = true;
    if (WIFSIGNALED(exit_info.exit_code)) {
      status.signal = WTERMSIG(exit_info.exit_code);
    } else {
      status.exit_code = WEXITSTATUS(exit_info.exit_code);
    }
  }
  return status;
}

/* F_SETOWN looks the number up as any of the three, and changes nothing but who would
 * get SIGIO for this descriptor, which asks for none. kill(-number, 0) would see the
 * process group alone, and job control gives each background process one of its own. */
bool fws_number_in_use(int fd, pid_t number) { return fcntl(fd, F_SETOWN, number) == 0 || errno != ESRCH; }

int fws_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int fws_pidfd_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }
