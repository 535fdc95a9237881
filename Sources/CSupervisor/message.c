/*
 * Messages on sockets. The kernel may refuse a message for a moment, because a control group is short of memory
 * (ENOMEM, ENOBUFS) or because too many descriptors are on their way (ETOOMANYREFS). The connection lives on.
 */
#include "parts.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

enum { ATTEMPTS = 1000 }; /* with a moment of 10 ms between them */

static const struct timespec *moment(struct timespec *time) {
  time->tv_sec = 0;
  time->tv_nsec = SECOND / 100;
  return time;
}

static bool is_transient(long error) {
  return error == -EINTR || error == -EAGAIN || error == -ENOMEM || error == -ENOBUFS || error == -ETOOMANYREFS;
}

bool fwsv_look_at(struct pollfd *items, unsigned count, const struct timespec *timeout) {
  struct timespec time;
  if (timeout != NULL) time = *timeout; /* the kernel overwrites it with what is left */
  long result = RAW5(__NR_ppoll, items, count, timeout == NULL ? NULL : &time, 0, 0);
  if (result >= 0) return true;
  for (unsigned at = 0; at < count; at++) items[at].revents = 0;
  if (result == -EINTR) return true;
  RAW2(__NR_nanosleep, moment(&time), 0);
  return false;
}

int fwsv_send(int fd, const struct msghdr *message, int host) {
  long result = 0;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    result = RAW3(__NR_sendmsg, fd, message, MSG_NOSIGNAL);
    if (result >= 0) return 0;
    if (!is_transient(result)) break;
    if (result == -EINTR) continue;
    struct timespec time;
    struct pollfd item;
    watch_fd(&item, host);
    if (fwsv_look_at(&item, 1, moment(&time)) && item.revents != 0) break;
  }
  return (int)result;
}

int fwsv_send_message(int fd, const void *bytes, size_t size, const int *fds, size_t count, int host) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FWSV_FDS)];
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
  struct msghdr message;
  zero(&message, sizeof message);
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    zero(control, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t at = 0; at < count; at++) ((volatile int *)(void *)CMSG_DATA(header))[at] = fds[at];
  }
  return fwsv_send(fd, &message, host);
}

long fwsv_receive_message(int fd, struct msghdr *message) {
  size_t room = message->msg_controllen;
  for (int attempt = 0;; attempt++) {
    message->msg_controllen = room;
    long size = RAW3(__NR_recvmsg, fd, message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size >= 0 || size == -EAGAIN || !is_transient(size) || attempt == ATTEMPTS) return size;
    struct timespec time;
    if (size != -EINTR) RAW2(__NR_nanosleep, moment(&time), 0);
  }
}
