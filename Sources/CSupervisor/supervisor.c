/* The supervisor itself: makes a monitor whenever the host asks for one. */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <sys/socket.h>

int64_t monotonic(void) {
  struct timespec time;
  zero(&time, sizeof time);
  RAW2(__NR_clock_gettime, CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

int64_t wall(void) {
  struct timespec time;
  zero(&time, sizeof time);
  RAW2(__NR_clock_gettime, CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

TEXT(name_supervisor, "fw-supervisor");
TEXT(name_monitor, "fw-monitor");
TEXT(name_agent, "fw-agent");
TEXT(name_null, "/dev/null");

/* The kernel's struct sigaction, which is not the C library's. */
typedef struct {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
} action;

void set_action(int signal, void *handler) {
  action action;
  zero(&action, sizeof action);
  action.handler = handler;
  RAW4(__NR_rt_sigaction, signal, &action, 0, sizeof action.mask);
}

/* A host may have ignored any signal, and exec hands that on: here it ends, once. The mask
 * stays full: nobody ends a supervisor by accident. */
void set_signals(void) {
  for (int signal = 1; signal <= 64; signal++) set_action(signal, SIG_DFL);
  uint64_t all = ~0ull;
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
  /* The kernel then takes away a monitor that has ended. */
  set_action(SIGCHLD, SIG_IGN);
}

/* Gives the descriptor that came with a message; -1: none; -2: the host has gone. One that cannot be taken, because
 * this process has as many as it may have, is closed by the kernel, which the host sees. */
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
  long size = receive_message(FWSV_CONTROL, &message);
  if (size == -EAGAIN) return -1;
  if (size <= 0) return -2;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
  return *(int *)CMSG_DATA(header);
}

/* No monitor can be had: whoever waits at the channel reads why. */
static void refuse(int channel, int host, int error) {
  fwsv_reply reply;
  zero(&reply, sizeof reply);
  reply.kind = FWSV_FAILED;
  reply.stage = FWSV_AT_CLONE;
  reply.error = error;
  reply.is_last = 1;
  send_message(channel, &reply, offsetof(fwsv_reply, processes), NULL, 0, host);
}

TEXT(path_host, "/proc/self/fdinfo/4");
_Static_assert(FWSV_HOST == 4, "path_host has the number");

/* Whether FWSV_HOST is a pidfd, and not one of this process. A host that has closed descriptors of the library may have
 * put anything in their places: who watches the wrong thing would stay for ever. */
static int check_host(void) {
  long result = RAW4(__NR_pidfd_send_signal, FWSV_HOST, 0, 0, 0);
  if (result == -EBADF || result == -ESRCH) return (int)-result;
  int self = (int)RAW0(__NR_getpid);
  long fd = is_proc_ours(self) ? RAW4(__NR_openat, AT_FDCWD, path_host, O_RDONLY | O_CLOEXEC, 0) : -1;
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

__attribute__((visibility("hidden"), used, noreturn)) void fwsv_main(long *stack) {
  /* As exec lays it: how many arguments, and these. A supervisor has none but its name. */
  if (stack[0] > 1) agent((char **)(stack + 1), (char **)(stack + 2 + stack[0]));
  set_signals();
  RAW5(__NR_prctl, PR_SET_NAME, name_supervisor, 0, 0, 0);
  /* They had to outlive the exec of this program, and no other. */
  RAW3(__NR_fcntl, FWSV_CONTROL, F_SETFD, FD_CLOEXEC);
  int host = RAW3(__NR_fcntl, FWSV_HOST, F_SETFD, FD_CLOEXEC) < 0 ? -1 : FWSV_HOST;
  fwsv_hello hello = {.protocol = FWSV_PROTOCOL, .error = host < 0 ? 0 : check_host()};
  bool is_over = send_message(FWSV_CONTROL, &hello, sizeof hello, NULL, 0, -1) < 0 || hello.error != 0;
  while (!is_over) {
    struct pollfd items[2];
    watch_fd(&items[0], FWSV_CONTROL);
    watch_fd(&items[1], host);
    bool is_known = look_at(items, 2, NULL);
    /* A child that the host has forked may hold the socket: the host's end is seen by itself. */
    if (items[1].revents != 0) break;
    if (is_known && items[0].revents == 0) continue;
    int channel = receive_channel();
    if (channel == -2) break;
    if (channel < 0) continue;
    /* A fork: a monitor has its memory to itself. What dozens of them use must not be counted to the
     * commands (their peak begins with that of the memory they are started in), and it is
     * a few pages. */
    long pid = RAW5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) refuse(channel, host, (int)-pid);
    if (pid == 0) {
      RAW1(__NR_close, FWSV_CONTROL);
      RAW5(__NR_prctl, PR_SET_NAME, name_monitor, 0, 0, 0);
      set_action(SIGCHLD, SIG_DFL);
      monitor(channel, host);
    }
    RAW1(__NR_close, channel);
  }
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}
