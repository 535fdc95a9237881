/* Messages between the host and the supervisor. */
#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

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

/* The kernel has no memory for a message at the moment, or as many descriptors are on their way as one user may
 * have (ETOOMANYREFS): that passes. It is tried again for so long, with a millisecond between. */
enum { ATTEMPTS = 2000 };

static bool is_transient(int error) {
  return error == EINTR || error == ENOMEM || error == ENOBUFS || error == ETOOMANYREFS;
}

/* Sends parts and descriptors as one message. Gives the bytes that went; -1 and errno, which is EAGAIN where the socket's
 * own time has passed (fws_stream_send_within). */
static ssize_t send_parts(int fd, struct iovec *parts, size_t count, const int *fds, size_t fd_count) {
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FWSV_FDS)] = {0};
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
    if (errno != EINTR) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

/* The same over a socket that keeps messages whole. */
static int send_message(int fd, struct iovec *parts, size_t count, const int *fds, size_t fd_count) {
  return send_parts(fd, parts, count, fds, fd_count) < 0 ? errno : 0;
}

int fws_channel_open(int control, int *channel, const char **call) {
  int ends[2];
  *call = "socketpair";
  int error = fws_socket_pair(ends);
  if (error != 0) return error;
  *call = "sendmsg";
  char byte = 0;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  error = send_message(control, &part, 1, &ends[1], 1);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return error;
  }
  *channel = ends[0];
  return 0;
}

int fws_stream_send(int fd, const void *bytes, size_t size, const int *fds, size_t fd_count) {
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
  while (part.iov_len > 0) {
    ssize_t sent = send_parts(fd, &part, 1, fds, fd_count);
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

ssize_t fws_receive(int fd, void *room, size_t size) {
  for (int attempt = 0, resets = 0;; attempt++) {
    ssize_t count = recv(fd, room, size, MSG_DONTWAIT);
    if (count > 0) return count;
    if (count == 0) {
      errno = 0;
      return -1;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    /* It is told once that the other end has gone without having read all; what it has said comes then. */
    if (errno == ECONNRESET && resets++ == 0) continue;
    if (attempt == ATTEMPTS || !is_transient(errno)) return -1;
    if (errno != EINTR) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

ssize_t fws_link_send(int fd, const void *bytes, size_t size) {
  ssize_t count;
  do {
    count = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

int fws_memory_file(const void *texts, size_t size) {
  int file = fws_above_standard(memfd_create("flowworker", MFD_CLOEXEC));
  if (file < 0) return -errno;
  for (size_t at = 0; at < size;) {
    ssize_t count = fws_write_file(file, (const char *)texts + at, size - at);
    if (count > 0) {
      at += (size_t)count;
    } else if (errno != EINTR) {
      int error = errno;
      close(file);
      return -error;
    }
  }
  return file;
}

static int run(int channel, fwsv_request *request, const void *texts, int out, int err, int rundir, bool in_file,
               const char **call) {
  int fds[FWSV_FDS] = {out, err};
  size_t count = 2;
  request->has_rundir = rundir >= 0;
  if (rundir >= 0) fds[count++] = rundir;
  request->has_file = in_file;
  int file = -1;
  if (in_file) {
    file = fws_memory_file(texts, request->size);
    *call = "memfd_create";
    if (file < 0) return -file;
    fds[count++] = file;
  }
  *call = "sendmsg";
  struct iovec parts[2] = {
      {.iov_base = request, .iov_len = sizeof *request},
      {.iov_base = (void *)texts, .iov_len = request->size},
  };
  int error = send_message(channel, parts, in_file ? 1 : 2, fds, count);
  if (file >= 0) close(file);
  return error;
}

int fws_channel_run(int channel, const fwsv_request *asked, const void *texts, int out, int err, int rundir,
                    const char **call) {
  fwsv_request request = *asked;
  bool in_file = request.size > FWSV_INLINE;
  int error = run(channel, &request, texts, out, err, rundir, in_file, call);
  /* A system may allow sockets less (net.core.wmem_default). */
  if (error == EMSGSIZE && !in_file) error = run(channel, &request, texts, out, err, rundir, true, call);
  return error;
}

int fws_channel_limit(int channel, int64_t timeout, int64_t grace) {
  fwsv_request request = {.kind = FWSV_LIMIT, .timeout = timeout, .grace = grace};
  struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
  return send_message(channel, &part, 1, NULL, 0);
}

int fws_channel_stop(int channel) {
  fwsv_request request = {.kind = FWSV_STOP};
  struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
  return send_message(channel, &part, 1, NULL, 0);
}

int fws_address_of_socket(const char *path, fws_address *address) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof name.sun_path) return ENAMETOOLONG;
  memcpy(name.sun_path, path, length);
  address->size = offsetof(struct sockaddr_un, sun_path) + length + 1;
  memcpy(address->bytes, &name, address->size);
  return 0;
}

int fws_address_of_peer(int fd, fws_address *address) {
  socklen_t size = sizeof address->bytes;
  if (getpeername(fd, (struct sockaddr *)address->bytes, &size) < 0) return errno;
  address->size = size;
  return 0;
}

int fws_channel_cleanup(int channel, const fws_address *address, const char *text, size_t size) {
  fwsv_request request = {.kind = FWSV_CLEANUP, .address = (uint32_t)address->size, .size = address->size + size};
  struct iovec parts[3] = {
      {.iov_base = &request, .iov_len = sizeof request},
      {.iov_base = (void *)address->bytes, .iov_len = address->size},
      {.iov_base = (void *)text, .iov_len = size},
  };
  if (request.size > FWSV_INLINE) return EMSGSIZE;
  return send_message(channel, parts, 3, NULL, 0);
}

int fws_channel_receive(int channel, fwsv_reply *reply) {
  ssize_t size = fws_receive(channel, reply, sizeof *reply);
  return size == 0 ? 0 : size >= (ssize_t)offsetof(fwsv_reply, processes) ? 1 : -1;
}

bool fws_channel_has_message(int channel) {
  char byte;
  for (int attempt = 0; attempt < 2; attempt++)
    if (recv(channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) return true;
  return false;
}
