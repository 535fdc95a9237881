/* The supervisor itself: it makes a monitor whenever the host asks for one. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

TEXT(name_supervisor, "fw-supervisor");

enum { NO_CHANNEL = -1, HOST_HAS_GONE = -2 };

/* Returns the descriptor that came with a message, NO_CHANNEL or HOST_HAS_GONE. The kernel closes a descriptor that
 * this process cannot take because it has as many as it may have; the host sees that. */
static int receive_channel(void) {
  char byte;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  long size = fwsv_receive_message(FWSV_CONTROL, &message);
  if (size == -EAGAIN) return NO_CHANNEL;
  if (size <= 0) return HOST_HAS_GONE;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return NO_CHANNEL;
  return *(int *)CMSG_DATA(header);
}

/* Tells whoever waits at the channel why there is no monitor. */
static void refuse(int channel, int host, int error) {
  fwsv_reply reply;
  zero(&reply, sizeof reply);
  reply.kind = FWSV_FAILED;
  reply.stage = FWSV_AT_CLONE;
  reply.error = error;
  reply.is_last = 1;
  fwsv_send_message(channel, &reply, offsetof(fwsv_reply, processes), NULL, 0, host);
}

TEXT(path_host, "/proc/self/fdinfo/4");
_Static_assert(FWSV_HOST == 4, "path_host contains the number");

/* Returns 0 if FWSV_HOST is a pidfd of another process, and an errno otherwise. A host that has closed descriptors of
 * the library may have opened anything under their numbers, and a supervisor that watches something else would never
 * end.
 */
static int check_host(void) {
  long result = RAW4(__NR_pidfd_send_signal, FWSV_HOST, 0, 0, 0);
  if (result == -EBADF || result == -ESRCH) return (int)-result;
  int self = (int)RAW0(__NR_getpid);
  long fd = fwsv_is_proc_ours(self) ? RAW4(__NR_openat, AT_FDCWD, path_host, O_RDONLY | O_CLOEXEC, 0) : -1;
  if (fd < 0) return 0;
  char text[512];
  long size = RAW3(__NR_read, fd, text, sizeof text);
  RAW1(__NR_close, fd);
  for (long at = 0; at + 5 < size; at++) {
    if (at > 0 && text[at - 1] != '\n') continue;
    if (text[at] != 'P' || text[at + 1] != 'i' || text[at + 2] != 'd' || text[at + 3] != ':') continue;
    long pid = 0;
    for (at += 5; at < size && text[at] >= '0' && text[at] <= '9'; at++) pid = pid * 10 + (text[at] - '0');
    return pid == self ? EBADF : 0;
  }
  return 0;
}

/* Notes a call that failed, unless another one did before. */
static void note(fwsv_hello *hello, int call, long result) {
  if (result >= 0 || hello->error != 0) return;
  hello->error = (int)-result;
  hello->call = call;
}

/* Tries the calls without which the end of a command would not be seen, or no request would arrive. A sandbox refuses
 * them to the monitors as well, and a monitor that is never told anything could not say so. */
static void try_calls(fwsv_hello *hello) {
  char byte;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  /* There is no message yet, and no child. */
  long result = fwsv_receive_message(FWSV_CONTROL, &message);
  note(hello, FWSV_CALL_RECEIVE, result == -EAGAIN ? 0 : result);
  result = RAW4(__NR_wait4, -1, 0, WNOHANG | __WALL, 0);
  note(hello, FWSV_CALL_WAIT, result == -ECHILD || result == -EINTR ? 0 : result);
  struct timespec time;
  note(hello, FWSV_CALL_CLOCK, RAW2(__NR_clock_gettime, CLOCK_MONOTONIC, &time));
}

/* Returns whether the host learns of this supervisor, whose first message may be one that tells of an error. */
static bool say_hello(fwsv_hello *hello) {
  long result = fwsv_send_message(FWSV_CONTROL, hello, sizeof *hello, NULL, 0, -1);
  if (result >= 0) return true;
  note(hello, FWSV_CALL_SEND, result);
  RAW3(__NR_write, FWSV_CONTROL, hello, sizeof *hello);
  return false;
}

void fwsv_supervisor(void) {
  fwsv_hello hello;
  zero(&hello, sizeof hello);
  hello.protocol = FWSV_PROTOCOL;
  note(&hello, FWSV_CALL_MASK, fwsv_set_signals());
  RAW5(__NR_prctl, PR_SET_NAME, name_supervisor, 0, 0, 0);
  /* Both had to stay open through the exec of this program, but no program that is started from here may have them. */
  RAW3(__NR_fcntl, FWSV_CONTROL, F_SETFD, FD_CLOEXEC);
  int host = RAW3(__NR_fcntl, FWSV_HOST, F_SETFD, FD_CLOEXEC) < 0 ? -1 : FWSV_HOST;
  if (host >= 0) note(&hello, FWSV_CALL_HOST, -check_host());
  try_calls(&hello);
  bool is_over = !say_hello(&hello) || hello.error != 0;
  /* model: SUPERVISOR_SERVING */
  while (!is_over) {
    struct pollfd items[2];
    watch_fd(&items[0], FWSV_CONTROL);
    watch_fd(&items[1], host);
    bool is_known = fwsv_look_at(items, 2, NULL);
    /* A child that the host has forked may hold the socket open, so the end of the host itself is watched. Channels
     * that the host has sent before its end come first, because a cleanup request may wait in one of them. */
    if (is_known && items[0].revents == 0) {
      if (items[1].revents != 0) break;
      continue;
    }
    int channel = receive_channel();
    if (channel == HOST_HAS_GONE) break;
    if (channel < 0) continue;
    /* model: SUPERVISOR_FORKING. A fork, so that each monitor has a few pages of memory of its own: the peak memory of
     * a command begins with that of the process it is started in, which must not contain the memory of other monitors.
     */
    long pid = RAW5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) refuse(channel, host, (int)-pid);
    if (pid == 0) {
      RAW1(__NR_close, FWSV_CONTROL);
      fwsv_monitor(channel, host);
    }
    RAW1(__NR_close, channel);
  }
  /* model: SUPERVISOR_GONE */
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}
