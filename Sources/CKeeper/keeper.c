/* The keeper itself: makes a monitor whenever the host asks for one. */
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
  RAW2(__NR_clock_gettime, CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

int64_t wall(void) {
  struct timespec time;
  RAW2(__NR_clock_gettime, CLOCK_REALTIME, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

TEXT(name_keeper, "fw-keeper");
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
 * stays full: nobody ends a keeper by accident. */
void set_signals(void) {
  for (int signal = 1; signal <= 64; signal++) set_action(signal, SIG_DFL);
  uint64_t all = ~0ull;
  RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
  /* The kernel then takes away a monitor that has ended. */
  set_action(SIGCHLD, SIG_IGN);
}

/* Gives the descriptor that came with a message; -1: none; -2: the host has gone. */
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
  long size = RAW3(__NR_recvmsg, FWK_CONTROL, &message, MSG_CMSG_CLOEXEC);
  if (size == -EINTR) return -1;
  if (size <= 0) return -2;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
  return *(int *)CMSG_DATA(header);
}

/* No monitor can be had: whoever waits at the channel reads why. */
static void refuse(int channel, int error) {
  fwk_reply reply;
  zero(&reply, sizeof reply);
  reply.kind = FWK_FAILED;
  reply.stage = FWK_AT_CLONE;
  reply.error = error;
  RAW3(__NR_write, channel, &reply, offsetof(fwk_reply, processes));
}

__attribute__((visibility("hidden"), used, noreturn)) void fwk_main(long *stack) {
  /* As exec lays it: how many arguments, and these. A keeper has none but its name. */
  if (stack[0] > 1) agent((char **)(stack + 1), (char **)(stack + 2 + stack[0]));
  set_signals();
  RAW5(__NR_prctl, PR_SET_NAME, name_keeper, 0, 0, 0);
  /* They had to outlive the exec of this program, and no other. */
  RAW3(__NR_fcntl, FWK_CONTROL, F_SETFD, FD_CLOEXEC);
  RAW3(__NR_fcntl, FWK_HOST, F_SETFD, FD_CLOEXEC);
  fwk_hello hello = {.protocol = FWK_PROTOCOL};
  RAW3(__NR_write, FWK_CONTROL, &hello, sizeof hello);
  for (;;) {
    struct pollfd items[2];
    watch_fd(&items[0], FWK_CONTROL);
    watch_fd(&items[1], FWK_HOST);
    RAW5(__NR_ppoll, items, 2, 0, 0, 0);
    /* A child that the host has forked may hold the socket: the host's end is seen by itself. */
    if (items[1].revents != 0) break;
    if (items[0].revents == 0) continue;
    int channel = receive_channel();
    if (channel == -2) break;
    if (channel < 0) continue;
    /* A fork: a monitor has its memory to itself. What dozens of them use must not be counted to the
     * commands (their peak begins with that of the memory they are started in), and it is
     * a few pages. */
    long pid = RAW5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) refuse(channel, (int)-pid);
    if (pid == 0) {
      RAW1(__NR_close, FWK_CONTROL);
      RAW5(__NR_prctl, PR_SET_NAME, name_monitor, 0, 0, 0);
      set_action(SIGCHLD, SIG_DFL);
      monitor(channel, FWK_HOST);
    }
    RAW1(__NR_close, channel);
  }
  RAW1(__NR_exit_group, 0);
  __builtin_unreachable();
}
