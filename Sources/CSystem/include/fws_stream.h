/* Pipes and sockets: making them, and moving bytes and descriptors over them. */
#ifndef FWS_STREAM_H
#define FWS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Makes a pipe whose ends are close-on-exec and not among descriptors 0 to 2; reading from it does not block. Returns
 * 0, or an errno and the call that failed. */
int fws_pipe(int *_Nonnull read_end, int *_Nonnull write_end, const char *_Nullable *_Nonnull call);

/* Makes a pipe for the input of a command: writing to it does not block, reading does. */
int fws_input_pipe(int *_Nonnull read_end, int *_Nonnull write_end, const char *_Nullable *_Nonnull call);

/* Writes as many bytes as there is room for. Returns how many; -1 and errno, which is EPIPE if nobody can read them.
 * The host gets no SIGPIPE. */
ssize_t fws_pipe_write(int fd, const void *_Nonnull bytes, size_t size);

/* Enlarges the pipe's buffer, if the system allows it. */
void fws_pipe_grow(int fd, int bytes);

/* How many bytes can be read from a pipe or a socket. Where the system does not tell, the most that there can be. */
size_t fws_waiting_bytes(int fd);

/* Whether there are bytes to read now; true where the system does not tell. */
bool fws_has_bytes(int fd);

/* Make a pair of connected Unix sockets, close-on-exec: the first kind keeps messages whole, the second is a stream of
 * bytes. Return 0 or an errno. */
int fws_socket_pair(int ends[_Nonnull 2]);
int fws_stream_pair(int ends[_Nonnull 2]);

/* The most descriptors that one message carries. */
enum { FWS_MESSAGE_FDS = 10 };

/* Sends parts and descriptors as one message, and tries again while the system is short of memory. Returns how many
 * bytes went; -1 and errno, which is EAGAIN if the time of fws_stream_send_within() has passed. */
ssize_t fws_send_parts(int fd, struct iovec *_Nonnull parts, size_t count, const int *_Nullable fds, size_t fd_count);

/* Sends all bytes, with at most FWS_MESSAGE_FDS descriptors. Returns 0 or an errno: ETIMEDOUT if
 * fws_stream_send_within() set a time, and the other end has not read for that long. */
int fws_stream_send(int fd, const void *_Nonnull bytes, size_t size, const int *_Nullable fds, size_t fd_count);
int fws_stream_send_within(int fd, int seconds);

/* Sends as many bytes as go without waiting. Returns -1 and errno if none went. */
ssize_t fws_link_send(int fd, const void *_Nonnull bytes, size_t size);

/* Receives bytes, or a message, without waiting. Returns 0 if there is nothing now; -1 if nothing will come any more,
 * with errno, which is 0 if the other end has closed the connection. */
ssize_t fws_receive(int fd, void *_Nonnull room, size_t size);

/* Lets the kernel tell on this end of a pair of sockets which process has sent what comes. Returns 0 or an errno. */
int fws_tell_senders(int fd);

/* Does the same as fws_receive(), and gives the process that has sent the bytes, with the number that it has here. They
 * are of one process. Where fws_tell_senders() was not called, `sender` keeps its value. */
ssize_t fws_receive_from(int fd, void *_Nonnull room, size_t size, int32_t *_Nonnull sender);

#endif
