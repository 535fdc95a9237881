#define _GNU_SOURCE
#include "fws_stream.h"

#include "fws_descriptor.h"
#include "fws_quiet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The largest pipe that a user without privileges may have, unless the system's administrator allows more. */
enum { LARGEST_PIPE = 1 << 20 };

static int make_pipe(int *read_end, int *write_end, bool is_input, const char **call) {
  int ends[2];
  *call = "pipe2";
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  *call = "fcntl";
  int reader = fws_above_standard(ends[0]);
  int error = reader < 0 ? errno : 0;
  int writer = fws_above_standard(ends[1]);
  if (writer < 0 && error == 0) error = errno;
  /* Each end has its own flags, so the end of the command still blocks. */
  if (error == 0 && fcntl(is_input ? writer : reader, F_SETFL, O_NONBLOCK) < 0) error = errno;
  if (error != 0) {
    if (reader >= 0) close(reader);
    if (writer >= 0) close(writer);
    return error;
  }
  *read_end = reader;
  *write_end = writer;
  return 0;
}

int fws_pipe(int *read_end, int *write_end, const char **call) { return make_pipe(read_end, write_end, false, call); }

int fws_input_pipe(int *read_end, int *write_end, const char **call) {
  return make_pipe(read_end, write_end, true, call);
}

ssize_t fws_pipe_write(int fd, const void *bytes, size_t size) {
  fws_quiet quiet;
  fws_quiet_begin(&quiet);
  ssize_t count = TEMP_FAILURE_RETRY(write(fd, bytes, size));
  int error = errno;
  fws_quiet_end(&quiet);
  errno = error;
  return count < 0 && error == EAGAIN ? 0 : count;
}

void fws_pipe_grow(int fd, int bytes) { fcntl(fd, F_SETPIPE_SZ, bytes); }

size_t fws_waiting_bytes(int fd) {
  int waiting = 0, result;
  do {
    result = ioctl(fd, FIONREAD, &waiting);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return waiting > 0 ? (size_t)waiting : 0;
  int size = fcntl(fd, F_GETPIPE_SZ);
  return size > 0 ? (size_t)size : LARGEST_PIPE;
}

bool fws_has_bytes(int fd) {
  struct pollfd item = {.fd = fd, .events = POLLIN};
  int count = poll(&item, 1, 0);
  return count < 0 || (item.revents & POLLIN) != 0;
}

static int pair(int type, int ends[2]) {
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) return errno;
  ends[0] = fws_above_standard(ends[0]);
  int error = ends[0] < 0 ? errno : 0;
  ends[1] = fws_above_standard(ends[1]);
  if (ends[1] < 0 && error == 0) error = errno;
  if (error != 0) {
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }
  return error;
}

int fws_socket_pair(int ends[2]) { return pair(SOCK_SEQPACKET, ends); }

int fws_stream_pair(int ends[2]) { return pair(SOCK_STREAM, ends); }

/* The kernel has no memory for a message at the moment, or one user's descriptors that are on their way are as many as
 * may be (ETOOMANYREFS). Both pass, so the call is tried again this many times, with a millisecond between. */
enum { ATTEMPTS = 2000 };

static void pause_briefly(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static bool is_transient(int error) {
  return error == EINTR || error == ENOMEM || error == ENOBUFS || error == ETOOMANYREFS;
}

ssize_t fws_send_parts(int fd, struct iovec *parts, size_t count, const int *fds, size_t fd_count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FWS_MESSAGE_FDS)] = {0};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
  }
  for (int attempt = 0;; attempt++) {
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (attempt == ATTEMPTS || !is_transient(errno)) return -1;
    if (errno != EINTR) pause_briefly();
  }
}

int fws_stream_send(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count) {
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
  while (part.iov_len > 0) {
    ssize_t sent = fws_send_parts(fd, &part, 1, fds, fd_count);
    if (sent < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    part.iov_base = (char *)part.iov_base + sent;
    part.iov_len -= (size_t)sent;
    /* The descriptors went with the first byte. */
    fd_count = 0;
  }
  return 0;
}

int fws_stream_send_within(int fd, int seconds) {
  struct timeval time = {.tv_sec = seconds};
  return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) < 0 ? errno : 0;
}

ssize_t fws_link_send(int fd, const void *bytes, size_t size) {
  ssize_t count;
  do {
    count = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

/* There is room for the sender and nothing else, so that no descriptors come in. */
static ssize_t receive_from(int fd, void *room, size_t size, int32_t *sender) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec part = {.iov_base = room, .iov_len = size};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
    struct ucred who;
    memcpy(&who, CMSG_DATA(header), sizeof who);
    *sender = who.pid;
  }
  return count;
}

int fws_tell_senders(int fd) { return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0 ? errno : 0; }

static ssize_t receive(int fd, void *room, size_t size, int32_t *sender) {
  for (int attempt = 0, resets = 0;; attempt++) {
    ssize_t count = sender != NULL ? receive_from(fd, room, size, sender) : recv(fd, room, size, MSG_DONTWAIT);
    if (count > 0) return count;
    if (count == 0) {
      errno = 0;
      return -1;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    /* The kernel reports once that the other end has gone without reading everything; what that end has sent comes
     * next. */
    if (errno == ECONNRESET && resets++ == 0) continue;
    if (attempt == ATTEMPTS || !is_transient(errno)) return -1;
    if (errno != EINTR) pause_briefly();
  }
}

ssize_t fws_receive(int fd, void *room, size_t size) { return receive(fd, room, size, NULL); }

ssize_t fws_receive_from(int fd, void *room, size_t size, int32_t *sender) { return receive(fd, room, size, sender); }
