/* Messages between the host and the supervisor. */
#define _GNU_SOURCE
#include "fws_supervisor.h"

#include "fws_files.h"
#include "fws_stream.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert((int)FWSV_FDS <= (int)FWS_MESSAGE_FDS, "a request carries more descriptors than a message can");

/* Sends a message over a socket that keeps messages whole. */
static int send_message(int fd, struct iovec *parts, size_t count, const int *fds, size_t fd_count) {
  return fws_send_parts(fd, parts, count, fds, fd_count) < 0 ? errno : 0;
}

/* model: SOCKET_ON_ITS_WAY */
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

static int run(int channel, fwsv_request *request, const void *texts, const fws_streams *streams, int rundir,
               bool in_file, const char **call) {
  int fds[FWSV_FDS] = {streams->out, streams->err};
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
  request->has_input = streams->in >= 0;
  if (streams->in >= 0) fds[count++] = streams->in;
  request->has_input_end = streams->in_end >= 0;
  if (streams->in_end >= 0) fds[count++] = streams->in_end;
  for (uint32_t at = 0; at < request->groups && at < FWSV_GROUPS; at++) fds[count++] = request->group[at].fd;
  *call = "sendmsg";
  struct iovec parts[2] = {
      {.iov_base = request, .iov_len = sizeof *request},
      {.iov_base = (void *)texts, .iov_len = request->size},
  };
  int error = send_message(channel, parts, in_file ? 1 : 2, fds, count);
  if (file >= 0) close(file);
  return error;
}

int fws_channel_run(int channel, const fwsv_request *asked, const void *texts, const fws_streams *streams, int rundir,
                    const char **call) {
  fwsv_request request = *asked;
  bool in_file = request.size > FWSV_INLINE;
  int error = run(channel, &request, texts, streams, rundir, in_file, call);
  /* The system may have smaller socket buffers (net.core.wmem_default). */
  if (error == EMSGSIZE && !in_file) error = run(channel, &request, texts, streams, rundir, true, call);
  return error;
}

int fws_channel_limit(int channel, int64_t timeout, int64_t grace) {
  fwsv_request request = {.kind = FWSV_LIMIT, .timeout = timeout, .grace = grace};
  struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
  return send_message(channel, &part, 1, NULL, 0);
}

int fws_channel_end_input(int channel) {
  fwsv_request request = {.kind = FWSV_END_INPUT};
  struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
  return send_message(channel, &part, 1, NULL, 0);
}

int fws_channel_stop(int channel) {
  fwsv_request request = {.kind = FWSV_STOP};
  struct iovec part = {.iov_base = &request, .iov_len = sizeof request};
  return send_message(channel, &part, 1, NULL, 0);
}

int fws_channel_signal(int channel, int signal, bool to_tree) {
  fwsv_request request = {.kind = to_tree ? FWSV_SIGNAL_TREE : FWSV_SIGNAL_MAIN, .signal = (uint32_t)signal};
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
