/*
 * Sockets, pipes and files have an inode of their own. Epoll descriptors, timers and events share one inode. Each of
 * those gets a mark that the kernel keeps with the open file and does not use: the number of the signal that would tell
 * of input, which nobody asks for (F_SETSIG without O_ASYNC).
 *
 * The check is two system calls of 0.1 us each. It cannot close the gap between the check and the use, in which another
 * thread of the host may close the descriptor.
 */
#define _GNU_SOURCE
#include "fws_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls the kernel's fstat, because that of the C library looks the file up by a path. Where a sandbox refuses the
 * call, no descriptor can be checked, and all look the same. */
static int look(int number, fws_fd *fd) {
  struct stat status = {0};
  if (syscall(SYS_fstat, number, &status) < 0 && errno == EBADF) return -1;
  fd->number = number;
  fd->device = status.st_dev;
  fd->inode = status.st_ino;
  fd->mark = 0;
  /* A descriptor without a file type shares its inode. */
  if ((status.st_mode & S_IFMT) == 0) fd->mark = fcntl(number, F_GETSIG);
  return 0;
}

int fws_marked(int number) {
  static atomic_uint next;
  if (number < 0) return -errno;
  enum { FIRST = 33, MARKS = 32 };
  unsigned mark = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % MARKS;
  fcntl(number, F_SETSIG, FIRST + (int)mark);
  return number;
}

fws_fd fws_fd_of(int number) {
  fws_fd fd = {.number = -1};
  if (number >= 0) look(number, &fd);
  return fd;
}

bool fws_fd_is_ours(const fws_fd *fd) {
  fws_fd now;
  return fd->number >= 0 && look(fd->number, &now) == 0 && now.device == fd->device && now.inode == fd->inode &&
         now.mark == fd->mark;
}

void fws_fd_close(const fws_fd *fd) {
  int error = errno;
  if (fws_fd_is_ours(fd)) close(fd->number);
  errno = error;
}

/* A host may run without descriptors 0 to 2. A descriptor of the library must not take such a number: what the host
 * prints would go to it, and the dup2() of a command's start would replace it. */
int fws_above_standard(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  errno = error;
  return moved;
}
